"""Writes docs/accuracy.md and its pictures from what `groundplan validate` answers today.

    python docs/accuracy/make.py

The errors on runs not seen come from `held_out.csv`, which `adopt.py` writes with the constants: fitting them anew
takes minutes. Those of replays come from `replays.csv`, which `adopt_replays.py` writes. Tests hold all against the
code, so that none can be older than the predictions.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from groundplan.catalog.catalog import load_catalog
from groundplan.catalog.schema import schema
from groundplan.render.charts import svg
from groundplan.render.document import Chart
from groundplan.render.views.validation import agreement_chart, errors_chart
from groundplan.tasks.validate import validate_memory, validate_training
from groundplan.tasks.validate_serving import validate_serving

DOCS = Path(__file__).resolve().parents[1]
HELD_OUT = Path(__file__).with_name("held_out.csv")
SERVING_HELD_OUT = Path(__file__).with_name("serving_held_out.csv")
REPLAYS = Path(__file__).with_name("replays.csv")
WORST_SHOWN = 12


def pages() -> dict[Path, str]:
    """Return every file this page is made of, with its text."""
    catalog = load_catalog([])
    training, memory = validate_training(catalog).to_dict(), validate_memory(catalog).to_dict()
    with HELD_OUT.open(encoding="utf-8", newline="") as file:
        held_out = [one for one in csv.DictReader(file) if one["name"] != "all, seen"]
    numbers = [
        {**one, **{key: float(one[key]) for key in ("median_ape", "p90_ape", "bias", "coverage_80")}}
        for one in held_out
    ]
    charts = {
        "accuracy-agreement.svg": agreement_chart(training),
        "accuracy-errors.svg": errors_chart([one for one in numbers if one["name"] != "all"]),
        "accuracy-memory.svg": agreement_chart(memory),
    }
    drawn = {DOCS / "images" / name: picture(chart) for name, chart in charts.items()}
    return {DOCS / "accuracy.md": _page(training, memory, validate_serving(catalog).to_dict(), numbers), **drawn}


def picture(chart: Chart) -> str:
    """Return a chart as an SVG file, marked with a digest of what it shows."""
    text = svg(chart, "accuracy").replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    text = text.replace("currentColor", "#57606a").replace("xlink:href", "href")
    return f"<!-- {digest(chart)} -->\n{text}\n"


def digest(chart: Chart) -> str:
    """Return a short digest of a chart's points, to four digits."""
    points = [
        {key: f"{value:.4g}" if isinstance(value, float) else value for key, value in sorted(point.items())}
        for point in chart.points
    ]
    return hashlib.sha256(json.dumps(points, sort_keys=True).encode()).hexdigest()[:16]


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _plain_table(rows: Sequence[Mapping[str, str]]) -> str:
    lines = ["| set | figures | median | P90 | bias |", "|---|---:|---:|---:|---:|"]
    lines += [
        f"| {one['name']} | {int(one['rows']):,} | {float(one['median_ape']):.1f} % | {float(one['p90_ape']):.1f} % "
        f"| {float(one['bias']):+.1f} % |"
        for one in sorted(rows, key=lambda one: (not one["name"].startswith("all"), one["name"]))
    ]
    return "\n".join(lines)


def _replay_table(rows: Sequence[Mapping[str, str]]) -> str:
    lines = ["| replay | figure | measured | predicted | error | 80 % interval |", "|---|---|---:|---:|---:|---:|"]
    for one in rows:
        measured, predicted, low, high = (float(one[key]) for key in ("measured", "predicted", "low", "high"))
        lines.append(
            f"| {one['replay'].replace('_', ' ')} | `{one['quantity']}` | {_figure(measured)} | {_figure(predicted)} "
            f"| {100.0 * (predicted / measured - 1.0):+.0f} % | {_figure(low)} to {_figure(high)} |"
        )
    return "\n".join(lines)


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100.0 else f"{value:.1f}"


def _page(
    training: Mapping[str, Any],
    memory: Mapping[str, Any],
    serving: Mapping[str, Any],
    held_out: Sequence[Mapping[str, Any]],
) -> str:
    seen = next(one for one in held_out if one["name"] == "all")
    text = (Path(__file__).with_name("page.md")).read_text(encoding="utf-8")
    parts = {
        "headline": f"{seen['median_ape']:.1f} % median, nine in ten within {seen['p90_ape']:.0f} %, "
        f"over {int(seen['rows']):,} runs",
        "held-out": _set_table([one for one in held_out if one is not seen], seen),
        "seen": _set_table(training["sets"], training["overall"]),
        "memory": _set_table(memory["sets"], memory["overall"]),
        "worst": _worst_table(training),
        "unpredictable": _unpredictable(memory),
        "serving-unpredictable": _unpredictable(serving),
        "serving-held-out": _plain_table(_rows(SERVING_HELD_OUT)),
        "serving": _set_table(serving["sets"], serving["overall"]),
        "replays": _replay_table(_rows(REPLAYS)),
        "constants": _constants(),
    }
    for name, part in parts.items():
        text = text.replace(f"<!-- {name} -->", part)
    left = re.findall(r"<!-- [a-z-]+ -->", text)
    if left:
        raise SystemExit(f"page.md has places nothing fills: {left}")
    return text


def _set_table(sets: Sequence[Mapping[str, Any]], overall: Mapping[str, Any]) -> str:
    lines = ["| set | runs | median | P90 | bias | inside the 80 % interval |", "|---|---:|---:|---:|---:|---:|"]
    for one in (*sets, overall):
        lines.append(
            f"| {one['name']} | {int(one['rows']):,} | {one['median_ape']:.1f} % | {one['p90_ape']:.1f} % "
            f"| {one['bias']:+.1f} % | {one['coverage_80']:.0%} |"
        )
    return "\n".join(lines)


def _worst_table(result: Mapping[str, Any]) -> str:
    rows = sorted((row for one in result["sets"] for row in one["worst"]), key=lambda row: -abs(row["error"]))
    lines = ["| run | measured | predicted | error | largest terms |", "|---|---:|---:|---:|---|"]
    for row in rows[:WORST_SHOWN]:
        terms = ", ".join(f"{name.replace('_', ' ')} {share:.0%}" for name, share in row["terms"].items())
        lines.append(
            f"| {row['id']}: {row['what']} | {row['measured']:.3g} s | {row['predicted']:.3g} s "
            f"| {row['error']:+.0f} % | {terms} |"
        )
    return "\n".join(lines)


def _unpredictable(result: Mapping[str, Any]) -> str:
    reasons: dict[str, int] = {}
    for row in result["unpredictable"]:
        reasons[row["reason"]] = reasons.get(row["reason"], 0) + 1
    return "; ".join(f"{count} because {reason}" for reason, count in reasons.items())


def _constants() -> str:
    catalog = load_catalog([])
    lines = ["| constant | value | class | fitted to, or expected because |", "|---|---:|---|---|"]
    from groundplan.validation.constants import fitted_constants

    for one in fitted_constants():
        rows: Mapping[str, Any] = catalog.architectures if one.table == "architectures" else catalog.stacks
        attribute = next(a.name for a in schema()[one.table].values() if a.field == one.attribute)
        figure = rows[one.row].figures[attribute]
        lines.append(f"| {one.name} | {one.value(catalog):.4g} | {figure.evidence} | {figure.source} |")
    return "\n".join(lines)


if __name__ == "__main__":
    for path, content in pages().items():
        path.write_text(content, encoding="utf-8")
        print(f"wrote {path.relative_to(DOCS.parent)}")
