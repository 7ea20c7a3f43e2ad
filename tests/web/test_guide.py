"""The guide has every section, each with a source for its rule, and its calculators answer."""

from __future__ import annotations

import re
from html import unescape

import pytest
from fastapi.testclient import TestClient

from groundplan.errors import UnknownName
from groundplan.web.guide_pages import Guide, asked_in

GUIDE = Guide()
HTML = {"accept": "text/html"}
WANTED = (
    *("overview", "compute", "training-memory", "inference-memory", "scaling", "benchmarking", "bottlenecks", "finops"),
    *("cloud-or-own", "scenario-llm", "scenario-drone", "scenario-captioning", "hardware", "storage", "checkpointing"),
    *("networking", "glossary"),
)


def test_every_section_is_there_in_reading_order() -> None:
    assert tuple(GUIDE.sections) == WANTED


@pytest.mark.parametrize("name", WANTED)
def test_a_section_is_read_and_its_calculators_answer(web: TestClient, name: str) -> None:
    page = web.get(f"/guide/{name}", headers=HTML)
    assert page.status_code == 200 and f"<h1>{GUIDE.sections[name].title}</h1>" in page.text
    assert " style=" not in page.text and "```" not in page.text
    lives = re.findall(r'class="headline( bad)?" aria-live="polite">([^<]+)<', page.text)
    assert len(lives) == GUIDE.sections[name].text.count("```ask")
    assert not any(bad for bad, _ in lives)
    for path in set(re.findall(r'href="(/[^"#]*)"', page.text)):
        assert web.get(unescape(path), headers=HTML).status_code == 200, path


def test_numbers_that_the_text_says_are_those_of_the_calculators(web: TestClient) -> None:
    text = web.get("/guide/scenario-llm", headers=HTML).text
    assert "four weeks of 64 A100" in text
    days = web.get("/api/v1/train?model=20B&accelerators=64&accelerator=a100-sxm-80&tokens=250e9&price=3").json()
    assert 3.5 <= days["run_s"]["value"] / (7 * 86400) <= 4.5
    need = web.get("/api/v1/storage?accelerators=100&dataset-kind=resnet50").json()
    assert "19 GB/s" in need["headline"] and "19 GB/s" in GUIDE.sections["storage"].text


def test_search_finds_sections_by_their_words(web: TestClient) -> None:
    assert [section.name for section, _ in GUIDE.found("spot zone discount")] == ["finops"]
    found = web.get("/guide/search?words=nvlink", headers=HTML).text
    assert "/guide/networking" in found and "/guide/glossary" in found
    assert "Nothing has all" in web.get("/guide/search?words=<script>xyzzy", headers=HTML).text
    assert "<script>xyzzy" not in web.get("/guide/search?words=<script>xyzzy", headers=HTML).text
    assert web.get("/guide/nonsense", headers=HTML).status_code == 422


def test_what_the_text_asks_is_a_question() -> None:
    question, values = asked_in("memory --model 7B --serve --offload --tp 2")
    assert question.name == "memory"
    assert values == {"model": "7B", "mode": "serve", "offload": "yes", "tp": "2"}
    with pytest.raises(UnknownName):
        asked_in("nonsense --model 7B")
