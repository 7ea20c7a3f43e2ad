"""Every result in every form: complete, escaped, within the page, and the same twice."""

from __future__ import annotations

import copy
import csv
import io
import json
from html.parser import HTMLParser
from typing import Any

import pytest

from groundplan.errors import InputError, UnknownName
from groundplan.render import FORMATS, render
from render.samples import DIFF, INFEASIBLE, MEMORY, PLAN, SAMPLES, TRAIN, design

VOID = {"meta", "br", "path", "line", "rect"}
EVIL = "<script>alert(1)</script> | *x* [a](javascript:b) \x1b[31m =1+1"


class Balance(HTMLParser):
    """Counts elements and holds that each is closed in turn."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


def poisoned(value: Any) -> Any:
    """Put hostile text in place of every free text of a result."""
    if isinstance(value, dict):
        keep = ("schema", "unit", "kind", "mode", "op", "constraint")
        return {key: item if key in keep else poisoned(item) for key, item in value.items()}
    if isinstance(value, list):
        return [poisoned(item) for item in value]
    return EVIL if isinstance(value, str) else value


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", SAMPLES)
def test_every_result_has_every_form_and_the_same_bytes_twice(name: str, form: str) -> None:
    result = copy.deepcopy(SAMPLES[name])
    text = render(result, form)
    assert text.endswith("\n")
    assert result == SAMPLES[name], "rendering changes nothing"
    if form != "html":  # drawing charts twice costs a second each
        assert render(result, form) == text


@pytest.mark.parametrize("name", SAMPLES)
def test_a_terminal_shows_at_most_100_columns_and_no_colour_unasked(name: str) -> None:
    text = render(SAMPLES[name], "table")
    assert max(map(len, text.splitlines())) <= 100
    assert "\x1b" not in text


def test_a_narrow_terminal_is_kept_and_colour_comes_when_asked() -> None:
    assert max(map(len, render(PLAN, "table", width=70).splitlines())) <= 70
    assert "\x1b[" in render(PLAN, "table", colour=True)


@pytest.mark.parametrize("name", SAMPLES)
def test_json_is_the_result_in_its_key_order(name: str) -> None:
    text = render(SAMPLES[name], "json")
    assert json.loads(text) == SAMPLES[name]
    assert list(json.loads(text)) == list(SAMPLES[name])


def test_json_refuses_what_json_cannot_say() -> None:
    with pytest.raises(ValueError, match="Out of range"):
        render(MEMORY | {"capacity_bytes": float("nan")}, "json")


@pytest.mark.parametrize("name", SAMPLES)
def test_html_is_whole_and_asks_the_network_for_nothing(name: str) -> None:
    page = render(SAMPLES[name], "html")
    reader = Balance()
    reader.feed(page)
    assert reader.open == []
    assert not {"script", "link", "img", "iframe", "object"} & set(reader.seen)
    assert all(address.startswith("#") for address in reader.addresses)
    assert "http://" not in page and "https://" not in page and "@import" not in page
    assert "prefers-color-scheme: dark" in page


def test_a_plan_report_draws_its_four_charts() -> None:
    pytest.importorskip("altair")
    pytest.importorskip("vl_convert")
    page = render(PLAN, "html")
    assert page.count("<figure>") == 4
    for title in ("Memory by term", "Step time by term", "Cost by month", "Cost against time"):
        assert f"<figcaption>{title}</figcaption>" in page
    names = [part.split('"')[0] for part in page.split(' id="')[1:]]
    assert len(names) == len(set(names)), "ids are unique in the page"


def test_without_the_charts_extra_the_page_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "altair", None)
    page = render(PLAN, "html")
    assert "<figure" not in page
    assert "pip install &#x27;groundplan[charts]&#x27;" in page
    assert "optimizer states" in page


@pytest.mark.parametrize("name", ["plan", "memory", "catalog-show", "explain", "diff"])
def test_text_from_a_result_stays_text(name: str) -> None:
    result = poisoned(SAMPLES[name])
    page = render(result, "html")
    assert "<script" not in page
    markdown = render(result, "md")
    assert "<script" not in markdown and "[a](" not in markdown and " | *x" not in markdown
    assert "\x1b" not in render(result, "table")
    for row in csv.reader(io.StringIO(render(result | {"kind": "x"}, "csv"))):
        assert not any(cell.startswith(("=", "@")) for cell in row)


def test_a_spreadsheet_runs_no_formula() -> None:
    rows = [{"path": "brief.model", "a": "=HYPERLINK(1)", "b": "@x", "change": -0.5}]
    line = render({"schema": "groundplan/diff/1", "rows": rows}, "csv").splitlines()[1]
    assert line == "groundplan/diff/1,brief.model,'=HYPERLINK(1),'@x,-0.5"


def test_csv_of_a_plan_has_a_row_for_each_design() -> None:
    rows = list(csv.DictReader(io.StringIO(render(PLAN, "csv"))))
    assert [row["role"] for row in rows] == ["recommended", "alternatives", "alternatives"]
    first = rows[0]
    assert first["schema"] == "groundplan/plan/1"
    assert float(first["cost_usd"]) == 276_480.0
    assert float(first["step_s_low"]) == 9.0
    assert first["layout.tp"] == "8"
    assert rows[2]["cost_usd"] == "", "unknown is empty, never 0"


def test_csv_of_memory_has_a_row_for_each_term_and_they_sum() -> None:
    rows = list(csv.DictReader(io.StringIO(render(MEMORY, "csv"))))
    assert sum(float(row["value"]) for row in rows) == float(rows[0]["total_bytes"])


def test_the_verdict_comes_first_and_nearest_answers_take_the_place_of_the_recommended() -> None:
    feasible, infeasible = render(PLAN, "table"), render(INFEASIBLE, "table")
    assert feasible.splitlines()[0] == PLAN["verdict"]["headline"]
    assert infeasible.splitlines()[0] == INFEASIBLE["verdict"]["headline"]
    assert "Recommended design" in feasible and "Nearest feasible" not in feasible
    assert "Recommended design" not in infeasible
    assert "deadline 3 days -> 45 days (15x)" in infeasible
    wide = render(INFEASIBLE, "table", wide=True)
    assert "budget $15,000 -> $400,000 (26.7x); also max_accelerators: needs 1,024, the limit is 64" in wide


def test_a_plan_is_read_in_the_order_a_lead_asks() -> None:
    text = render(PLAN, "md")
    order = [
        "Recommended design",
        "Time, cost, energy",
        "Step time by term",
        "Memory of the fullest device",
        "Network",
        "Storage",
        "Checkpoints",
        "Alternatives",
        "Rejected",
        "Assumptions",
        "Warnings",
    ]
    places = [text.index(f"## {title}") for title in order]
    assert places == sorted(places)


def test_unknown_is_said() -> None:
    free = TRAIN | design(price=None, cost_usd=None, cost_terms={}) | {"schema": "groundplan/train/1"}
    text = render(free, "table")
    assert "Cost            unknown" in text
    assert "$0" not in text


def test_wide_shows_what_was_left_out() -> None:
    short, wide = render(PLAN, "table"), render(PLAN, "table", wide=True)
    assert "host-14" not in short and "3 more rows: --wide" in short
    assert "host-14" in wide and "--wide" not in wide


def test_markdown_tables_have_as_many_cells_in_each_row() -> None:
    for block in render(PLAN, "md").split("\n\n"):
        lines = [line for line in block.splitlines() if line.startswith("|")]
        assert len({line.replace("\\|", "").count("|") for line in lines}) <= 1


def test_golden_diff() -> None:
    assert render(DIFF, "table") == (
        "3 values differ\n"
        "\n"
        "  what                                     a             b    change\n"
        "  ──────────────────────────────────────────────────────────────────\n"
        "  recommended.run_s                  45 days       30 days   -33.3 %\n"
        "  recommended.instance         p4de.24xlarge   p5.48xlarge\n"
        "  recommended.price.age_days               -             3\n"
        "\n"
        "groundplan; groundplan/diff/1; intervals are 80 %\n"
    )


def test_golden_explain() -> None:
    assert render(SAMPLES["explain"], "table").splitlines()[2:8] == [
        "step = 10 s (sum)",
        "sum of the parts",
        "├── matmul = 8 s",
        "│   flops / rate",
        "│   with flops 2,000 trillion, precision bf16",
        "│   derived: datasheet",
    ]


def test_what_is_no_result_is_refused_in_one_line() -> None:
    for wrong in ({}, {"schema": "groundplan/nothing/1"}, {"schema": "other/plan/1"}):
        with pytest.raises(InputError, match="not a result"):
            render(wrong, "table")
    with pytest.raises(InputError, match="does not follow groundplan/plan/1"):
        render({"schema": "groundplan/plan/1"}, "table")
    with pytest.raises(UnknownName, match="html"):
        render(PLAN, "htm")
