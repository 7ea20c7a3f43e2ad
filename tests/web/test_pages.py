"""Pages answer with the numbers of the commands, from the address alone; what is wrong is said on the page."""

from __future__ import annotations

import json
import shlex
from html import unescape
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from groundplan.cli import main
from groundplan.questions import calculators, serving
from groundplan.questions.question import Question
from groundplan.web.asking import command_line
from groundplan.web.site import QUESTIONS

HTML = {"accept": "text/html"}
NAMES = [question.name for question in QUESTIONS]
MODELS = st.sampled_from(["llama-2-7b", "llama-3.1-8b", "mixtral-8x7b", "13B", "gpt-oss-20b"])
DEVICES = st.sampled_from(["h100-sxm", "a100-sxm-80", "mi300x", "l4", "b200"])
INPUTS: list[tuple[Question, st.SearchStrategy[dict[str, str]]]] = [
    (calculators.MEMORY, st.fixed_dictionaries(
        {"model": MODELS, "accelerator": DEVICES, "tp": st.sampled_from(["1", "2", "8"])},
        optional={"micro-batch": st.sampled_from(["1", "4"]), "zero": st.sampled_from(["0", "1", "3"]),
                  "offload": st.just("yes"), "mode": st.sampled_from(["train", "serve"])},
    )),
    (calculators.COST, st.fixed_dictionaries(
        {"accelerators": st.sampled_from(["1", "8", "64"]), "accelerator": DEVICES},
        optional={"hours": st.sampled_from(["1", "72", "30 d"]), "price": st.sampled_from(["2.5", "$4"])},
    )),
    (calculators.ALLREDUCE, st.fixed_dictionaries(
        {"accelerators": st.sampled_from(["8", "64", "1000"]), "bytes": st.sampled_from(["20 GB", "1e9"])}
    )),
    (serving.SERVE, st.fixed_dictionaries(
        {"model": MODELS, "accelerator": st.just("h200-sxm"), "tp": st.sampled_from(["1", "4"])},
        optional={"rate": st.sampled_from(["0.5", "2"]), "precision": st.sampled_from(["bf16", "fp8"])},
    )),
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_every_page_answers_its_example_and_carries_what_is_promised(web: TestClient, name: str) -> None:
    page = web.get(f"/{name}", headers=HTML)
    assert page.status_code == 200
    for promised in ('id="answer"', f"/{name}/report?", f"/api/v1/{name}?", f"/{name}/compare?", "groundplan "):
        assert promised in page.text
    assert "http://" not in page.text.replace("http://www.w3.org", "") and "https://" not in page.text.split("<main")[0]


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@pytest.mark.parametrize(("question", "inputs"), INPUTS, ids=[question.name for question, _ in INPUTS])
@given(data=st.data())
def test_a_page_the_api_and_the_command_say_the_same(
    web: TestClient, capsys: pytest.CaptureFixture[str], question: Question, inputs: Any, data: Any
) -> None:
    values = data.draw(inputs)
    api = web.get(f"/api/v1/{question.name}", params=values)
    capsys.readouterr()
    code = main([*shlex.split(command_line(question, values))[1:], "--format", "json"])
    said = json.loads(capsys.readouterr().out)
    page = web.get(f"/{question.name}", params=values, headers=HTML)
    assert page.status_code == api.status_code
    if code == 0:
        assert api.json() == said
        headline = api.json().get("headline")
        assert headline is None or headline in unescape(page.text)
        assert command_line(question, values) in unescape(page.text)
    else:
        assert api.status_code == 422 and api.json()["detail"] == said["error"]["what"]
        assert said["error"]["what"] in unescape(page.text)


def test_a_typed_request_says_what_the_address_says(web: TestClient) -> None:
    by_address = web.get("/api/v1/memory", params={"model": "llama-2-7b", "tp": "2", "micro-batch": "4"}).json()
    by_request = web.post("/api/v1/memory", json={"model": "llama-2-7b", "tp": 2, "micro_batch": 4})
    assert by_request.json() == by_address
    assert web.post("/api/v1/allreduce", json={"accelerators": 64, "bytes": "20 GB"}).status_code == 200


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/memory?model=lama-2-7b", "did you mean"),
        ("/memory?modle=x", "modle"),
        ("/memory?model=7B&model=8B", "given twice"),
        ("/memory?model=7B&tp=two", "--tp"),
        ("/memory?model=7B&tp=" + "1" * 30_000, "characters"),
        ("/memory?model=" + "0" * 5000, "characters"),
        ("/train?model=7B&accelerators=8&accelerator=h100-sxm&as-of=soon", "is no date"),
        ("/memory?model=/etc/passwd", "unknown model"),
        ("/memory?model=./config.json", "unknown model"),
        ('/memory?model={"hf_config": "/etc/passwd"}', "this is not the machine"),
        ("/memory?model={nonsense", "begins like JSON"),
        ("/serve?model=7B&draft=/etc/hosts", "unknown model"),
        ("/simulate-serve?model=7B&requests=/etc/passwd", "reads a file"),
        ("/plan?brief=train: {model: {hf_config: /etc/passwd}, tokens: 1B}", "hf_config names a file"),
        ("/plan?brief=serve: {model: llama-3.1-8b, traffic: {requests: /etc/passwd}}", "requests names a file"),
        ("/plan?brief=train: [", "brief"),
        ("/plan?goal.budget=1&goal.budget=2", "given twice"),
        ("/catalog/models//etc/passwd", "unknown model"),
        ("/catalog/accelerators/h10", "did you mean"),
        ("/memory/explain/nonsense?model=7B", "unknown metric"),
        ("/memory/compare?model=7B", "unknown key"),
    ],
)
def test_what_is_wrong_is_said_on_the_page_and_no_file_is_read(web: TestClient, path: str, words: str) -> None:
    answer = web.get(path, headers=HTML)
    assert answer.status_code == 422
    assert words in unescape(answer.text) and 'role="alert"' in answer.text
    assert "root:" not in answer.text and "Traceback" not in answer.text


@pytest.mark.parametrize(
    "body",
    [
        {"model": "7B", "as_of": "x"}, {"model": "7B", "tp": 1.5}, {"model": "7B", "tp": True}, {"model": None}, {},
        [], "x", {"model": {"name": "/etc/passwd"}}, {"model": {"hf_config": "/etc/passwd"}},
        {"model": "7B", "sequence": -1}, {"model": "7B", "accelerator": "\u0000"},
        {"model": "7B", "micro_batch": 10**30},
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["memory", "train", "serve", "plan", "simulate-serve"])
def test_odd_requests_are_problems_with_a_way_out(web: TestClient, path: str, body: Any) -> None:
    answer = web.post(f"/api/v1/{path}", json=body)
    assert answer.status_code in (400, 422), answer.text[:300]
    told = answer.json()
    assert answer.headers["content-type"] == "application/problem+json" and told["status"] == answer.status_code
    assert told["detail"] and "root:" not in answer.text


def test_other_forms_of_an_answer(web: TestClient) -> None:
    asked = "model=llama-2-7b&accelerator=a100-80"
    report = web.get(f"/memory/report?{asked}")
    assert report.headers["content-disposition"].endswith('.html"') and "<!-- groundplan/memory/1 -->" in report.text
    assert web.get(f"/memory?{asked}", headers={"accept": "application/json"}).json()["schema"] == "groundplan/memory/1"
    fragment = web.get(f"/memory/answer?{asked}").text
    assert "<html" not in fragment and 'class="headline' in fragment
    compared = web.get("/memory/compare?a.model=7B&b.model=13B", headers=HTML).text
    assert "What differs" in compared and 'name="b.model" value="13B"' in compared


def test_a_plan_is_asked_by_brief_and_by_changes_of_it(web: TestClient) -> None:
    page = web.get("/plan", headers=HTML).text
    assert "not feasible" in page and 'class="flow"' in page
    relaxed = web.post("/api/v1/plan", json={"brief": {"train": {"model": "7B", "tokens": "1B"}}, "set": {}})
    assert relaxed.json()["verdict"]["feasible"] is True
    for kind in ("serve", "mission"):
        assert web.get(f"/plan?example={kind}", headers=HTML).status_code == 200


def test_the_catalog_and_the_accuracy_have_pages(web: TestClient) -> None:
    assert 'href="/catalog/accelerators/h100-sxm"' in web.get("/catalog/accelerators?search=h100", headers=HTML).text
    assert "datasheet" in web.get("/catalog/accelerators/h100-sxm", headers=HTML).text
    assert "median" in web.get("/accuracy/memory", headers=HTML).text


def test_every_answer_is_guarded_and_pages_lead_to_each_other(web: TestClient) -> None:
    for path in ("/", "/memory", "/api/v1/memory?model=7B", "/nothing", "/static/web.css"):
        headers = web.get(path, headers=HTML).headers
        assert headers["content-security-policy"].startswith("default-src 'self'")
        assert headers["x-content-type-options"] == "nosniff"
    home = web.get("/", headers=HTML).text
    for name in NAMES:
        assert f'href="/{name}"' in home
    for page in ("/memory", "/plan", "/catalog/accelerators"):
        text = web.get(page, headers=HTML).text
        assert " style=" not in text and "<style" not in text and "onclick" not in text  # the policy would block them


def test_health_and_metrics(web: TestClient) -> None:
    assert web.get("/healthz").text == "alive\n" and web.get("/readyz").text == "ready\n"
    web.get("/memory?model=7B", headers=HTML)
    figures = web.get("/metrics").text
    assert 'groundplan_http_requests_total{method="GET",route="/memory",status="200"}' in figures


def test_two_plans_are_compared(web: TestClient) -> None:
    brief = "train: {model: 7B, tokens: 10B}"
    page = web.get("/plan", params={"brief": brief}).text
    assert "/plan/compare?a.brief=" in page
    sides = {"a.brief": brief, "b.brief": brief, "b.candidates.accelerators": "a100-sxm-80"}
    compared = web.get("/plan/compare", params=sides).text
    assert "What differs" in compared and "a100-sxm-80" in compared and 'name="b.candidates.accelerators"' in compared
    assert "What differs" not in web.get("/plan/compare", params={**sides, "b.brief": "train: {"}).text
    assert web.get("/plan/compare", params={"brief": brief}).status_code == 422
