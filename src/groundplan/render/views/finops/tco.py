"""View of `finops tco`: the ways by present value, where they meet, what moves the answer, and the cash flows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from groundplan.quantities import UNKNOWN, format_number, format_percent, format_usd
from groundplan.render.document import Block, Column, Document, Fact, Facts, Table, Tone
from groundplan.render.phrases import words
from groundplan.render.views.parts import footer, notes

SPLIT_BRIEF_ROWS = 13
SWINGS_BRIEF_ROWS = 10


def document(result: Mapping[str, Any]) -> Document:
    """Return the comparison, the cheapest way first."""
    by_name = {row["name"]: row for row in result["options"]}
    best = by_name[result["best"]]
    firm = by_name[result["best_firm"] or result["best"]]
    headline = f"Cheapest is {_told(best)}: {_usd(best['npv_usd'])} at present value"
    if firm is not best:
        headline += f"; of what nobody can take away, {_told(firm)}: {_usd(firm['npv_usd'])}"
    blocks: list[Block] = [_facts(result), _ways(result), _meeting(result["break_even"]), _swings(result)]
    blocks += [_years(by_name[name]) for name in dict.fromkeys((firm["name"], "on_premise"))]
    blocks += [_months(firm), _assumptions(result["assumptions"]), *notes(result["notes"])]
    return Document(result["schema"], "Own or rent", headline, Tone.GOOD, tuple(blocks), footer(result, predicts=False))


def _told(option: Mapping[str, Any]) -> str:
    hosts, committed = option["owned_hosts"], option["committed_accelerators"]
    if option["name"] == "hybrid":
        return f"owning {hosts} servers ({option['owned_accelerators']} accelerators) and renting the rest"
    if committed:
        return f"{words(option['name'])} for {committed} accelerators, the rest on demand"
    return words(option["name"])


def _facts(result: Mapping[str, Any]) -> Facts:
    brief, use = result["brief"], result["utilization"]
    spread = f"p10 {use['p10']:.0%}, p50 {use['p50']:.0%}, p90 {use['p90']:.0%}, peak {use['peak']:.0%}"
    fleet = f"{brief['accelerators']} accelerators in {brief['host']}"
    return Facts(
        "",
        (
            Fact("Fleet", fleet, f"{brief['months']} months, bought by {brief['financing']}"),
            Fact("In use", format_percent(use["mean"]), f"{spread}; {use['source']}"),
        ),
    )


def _ways(result: Mapping[str, Any]) -> Table:
    columns = (
        Column("way"),
        Column("present value", right=True),
        Column("paid in all", right=True),
        Column("USD/used hour", right=True),
        Column("servers owned", right=True),
        Column("committed", right=True, detail=True),
        Column("work on own", right=True, detail=True),
    )
    return Table("Ways", columns, tuple(_way(row) for row in result["options"]))


def _way(row: Mapping[str, Any]) -> tuple[str, ...]:
    per_hour, own = row["usd_per_used_hour"], row["own_share"]
    return (
        words(row["name"]),
        _usd(row["npv_usd"]),
        _usd(row["total_usd"]),
        UNKNOWN if per_hour is None else f"{per_hour:.2f}",
        str(row["owned_hosts"]),
        str(row["committed_accelerators"]),
        UNKNOWN if own is None else format_percent(own),
    )


def _meeting(rows: Sequence[Mapping[str, Any]]) -> Table:
    columns = (
        Column("against"),
        Column("break-even use of all owned", right=True),
        Column("all owned is ahead from", right=True),
        Column("hybrid is ahead from", right=True),
    )
    cells = tuple((words(row["against"]), _use(row), _month(row["month"]), _month(row["hybrid_month"])) for row in rows)
    return Table("Where owning and renting meet", columns, cells)


def _use(row: Mapping[str, Any]) -> str:
    use = row["utilization"]
    if use is None:
        return "-" if row["against"].startswith("reserved") else "never"
    return format_percent(use) if use <= 1 else f"never ({use:.0%})"


def _month(month: int | None) -> str:
    return "never" if month is None else f"month {month}"


def _swings(result: Mapping[str, Any]) -> Table:
    columns = (
        Column("assumption"),
        Column("low", right=True),
        Column("high", right=True),
        Column("saves at low", right=True),
        Column("saves at high", right=True),
        Column("servers to own", right=True),
        Column("turns the answer"),
    )
    cells = tuple(
        (
            words(row["name"]),
            format_number(row["low"]),
            format_number(row["high"]),
            _usd(row["saved_at_low_usd"]),
            _usd(row["saved_at_high_usd"]),
            f"{row['hosts_at_low']} to {row['hosts_at_high']}",
            "yes" if row["turns"] else "",
        )
        for row in result["sensitivity"]
    )
    title = f"What owning all saves over renting {words(result['brief']['burst'])}, by assumption"
    return Table(title, columns, cells, brief_rows=SWINGS_BRIEF_ROWS)


def _years(option: Mapping[str, Any]) -> Table:
    return _cash_flow(f"Payments by year in 1,000 USD: {_told(option)}", "year", option, option["years"])


def _months(option: Mapping[str, Any]) -> Table:
    return _cash_flow(
        f"Payments by month in 1,000 USD: {_told(option)}",
        "month",
        option,
        option["months"],
        brief_rows=SPLIT_BRIEF_ROWS,
    )


def _cash_flow(
    title: str, period: str, option: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], brief_rows: int | None = None
) -> Table:
    """Return a table of payments without the categories that are never paid."""
    paid = [name for name, usd in option["total"].items() if any(float(row[name]) for row in rows)]
    columns = (Column(period, right=True), *(Column(name, right=True) for name in paid), Column("sum", right=True))
    cells = tuple((str(row[period]), *(_thousands(row[name]) for name in (*paid, "total"))) for row in rows)
    total = ("all", *(_thousands(option["total"][name]) for name in paid), _thousands(option["total_usd"]))
    return Table(title, columns, cells, total=total, brief_rows=brief_rows)


def _assumptions(rows: Sequence[Mapping[str, Any]]) -> Table:
    columns = (
        Column("assumption"),
        Column("value", right=True),
        Column("low", right=True, detail=True),
        Column("high", right=True, detail=True),
        Column("unit"),
        Column("class"),
        Column("of"),
        Column("source"),
    )
    cells = tuple(
        (
            words(row["name"]),
            *(format_number(row[end]) for end in ("value", "low", "high")),
            row["unit"],
            row["evidence"],
            row["date"] or UNKNOWN,
            row["source"],
        )
        for row in rows
    )
    return Table("Assumptions", columns, cells)


def _usd(text: str) -> str:
    return format_usd(float(text))


def _thousands(text: str) -> str:
    return f"{float(text) / 1e3:,.0f}"
