"""The brief that is printed means what was read: with a trace as well, and from any folder."""

from __future__ import annotations

from dataclasses import replace

import pytest

from groundplan.catalog.catalog import load_catalog
from groundplan.cli import main
from groundplan.errors import InputError
from groundplan.tasks.plan_serving import plan_serving
from groundplan.workload.service_brief import read_serving_brief

CATALOG = load_catalog([])
TRACE = "arrival_s,prompt_tokens,output_tokens\n" + "".join(
    f"{0.2 * i:.1f},{400 + i},{50 + i % 9}\n" for i in range(60)
)
BRIEF = """
serve:
  model: llama-3.1-8b
  traffic: {{requests: trace.csv, {traffic}}}
  limits: {{tpot_p95: 40 ms}}
  engine: sglang
goal: {{budget_per_month: 90000 USD}}
candidates: {{accelerators: [l40s, h100-sxm], providers: [aws, nebius], purchase: [on_demand, spot]}}
{more}
"""


@pytest.mark.parametrize(
    ("traffic", "more"),
    [("peak: 3", ""), ("rate: 9, cached: 20 %", "overrides: {price: 2.5}"), ("peak: 1", "as_of: 2026-11-01")],
)
def test_a_printed_brief_of_a_trace_plans_the_same(capsys, tmp_path, monkeypatch, traffic, more):
    (tmp_path / "trace.csv").write_text(TRACE, encoding="utf-8")
    first = tmp_path / "brief.yaml"
    first.write_text(BRIEF.format(traffic=traffic, more=more), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert main(["plan", "brief.yaml", "--print-brief"]) == 0
    (tmp_path / "elsewhere").mkdir()
    again = tmp_path / "elsewhere" / "printed.yaml"
    again.write_text(capsys.readouterr().out, encoding="utf-8")
    read, reread = (read_serving_brief(path, CATALOG) for path in (first, again))
    assert read.resolved == reread.resolved
    assert read.candidates == reread.candidates
    assert (read.budget_usd_per_month, read.price_usd_per_accelerator_hour) == (
        reread.budget_usd_per_month,
        reread.price_usd_per_accelerator_hour,
    )
    same = [replace(plan_serving(one, CATALOG), assumptions=()).to_dict() for one in (read, reread)]
    assert same[0] == same[1]


@pytest.mark.parametrize("key", ["prompt", "output"])
def test_lengths_beside_a_trace_are_refused(tmp_path, key):
    (tmp_path / "brief.yaml").write_text(BRIEF.format(traffic=f"{key}: 100", more=""), encoding="utf-8")
    with pytest.raises(InputError, match=rf"serve\.traffic\.{key} .*says nothing beside requests"):
        read_serving_brief(tmp_path / "brief.yaml", CATALOG)
