"""View of `plan` for a serving brief: the verdict, the fleet, what else was tried, the front of cost against speed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from groundplan.quantities import format_count, format_number, format_percent, format_seconds, format_usd
from groundplan.render.document import Block, Column, Document, Fact, Facts, Table, Tone
from groundplan.render.views.parts import BRIEF_ROWS, assumptions, footer, sizes, text_or_unknown, warnings


def document(result: Mapping[str, Any]) -> Document:
    """Return the plan of a service."""
    best = result["recommended"]
    body: list[Block] = [Facts("Asked", _asked(result))]
    if best is not None:
        body += [Facts("Recommended", _recommended(best)), Facts("Engine settings", _settings(best))]
    body += [
        _designs("Alternatives", result["alternatives"]),
        _designs("Nearest to the limits", result["nearest"]),
        _front(result["pareto"]),
        _rejected(result["rejected"]),
        *assumptions(result["assumptions"]),
        *warnings(result["warnings"]),
    ]
    feasible = result["verdict"]["feasible"]
    shown = tuple(block for block in body if not (isinstance(block, Table) and not block.rows))
    tone = Tone.GOOD if feasible else Tone.BAD
    return Document(
        str(result["schema"]),
        f"Serving plan for {result['model']}",
        str(result["verdict"]["headline"]),
        tone,
        shown,
        footer(result),
    )


def _asked(result: Mapping[str, Any]) -> tuple[Fact, ...]:
    traffic, limits = result["traffic"], result["limits"]
    kept = ", ".join(
        f"{words} {format_seconds(limits[name])}"
        for name, words in (("ttft_p95_s", "first token"), ("tpot_p95_s", "token"), ("e2e_p95_s", "whole answer"))
        if limits[name] is not None
    )
    return (
        Fact(
            "Traffic",
            f"{format_number(traffic['rate_per_s'], 3)} requests/s",
            f"{format_number(traffic['peak'], 3)} times as many at the peak",
        ),
        Fact(
            "Requests",
            f"{traffic['prompt']} prompt + {traffic['output']} output tokens",
            f"{format_percent(traffic['cached_fraction'])} of prompts cached",
        ),
        Fact("95 % keep", kept or "no limits"),
        Fact(
            "Tried",
            f"{format_count(result['considered'])} deployments",
            f"{format_count(result['fitting'])} hold a request",
        ),
        Fact("Prefill and decode apart", str(result["disaggregation"])),
    )


def _recommended(best: Mapping[str, Any]) -> tuple[Fact, ...]:
    return (
        Fact("Replica", str(best["name"]), f"{text_or_unknown(best['provider'])} {text_or_unknown(best['instance'])}"),
        Fact("Replicas", f"{best['replicas']}", f"up to {best['most_replicas']} at the peak"),
        Fact(
            "A replica takes",
            f"{format_number(best['rate_per_replica'], 3)} requests/s",
            "with 95 % inside the limits, simulated",
        ),
        Fact("First token, p95", format_seconds(best["ttft_p95_s"])),
        Fact("Token, p95", format_seconds(best["tpot_p95_s"])),
        Fact(
            "Cost",
            f"{format_usd(best['usd_per_month'])} a month",
            f"{format_usd(best['usd_per_month_at_peak'])} if the peak never ended",
        ),
        Fact("1M output tokens", format_usd(best["usd_per_million_output"])),
    )


def _settings(best: Mapping[str, Any]) -> tuple[Fact, ...]:
    split = best["deployment"]
    return (
        *_pools(best),
        Fact("Split", sizes(split)),
        Fact("Formats", f"weights {split['weights']}, cache {split['kv']}"),
        Fact("Sequences at once", f"{best['max_sequences']}", f"cache for {format_count(best['kv_tokens'])} tokens"),
        Fact("Tokens of an iteration", f"{best['max_batched_tokens']}"),
        Fact(
            "Autoscale at",
            f"{format_number(best['target_in_flight'], 3)} requests in flight",
            f"{best['replicas']} to {best['most_replicas']} replicas",
        ),
    )


def _pools(best: Mapping[str, Any]) -> tuple[Fact, ...]:
    apart = best["disaggregation"]
    if apart is None:
        return ()
    return (
        Fact("Prefill", f"{apart['prefill_replicas']} of {apart['prefill_devices']} devices", sizes(apart["prefill"])),
        Fact("Decode", f"{apart['decode_replicas']}", "each split as below"),
    )


def _designs(title: str, designs: Sequence[Mapping[str, Any]]) -> Table:
    columns = (
        Column("replica"),
        Column("replicas", right=True),
        Column("requests/s each", right=True, detail=True),
        Column("a month", right=True),
        Column("first token p95", right=True),
        Column("token p95", right=True),
        Column("why"),
    )
    rows = tuple(
        (
            str(one["name"]),
            f"{one['replicas']}-{one['most_replicas']}",
            format_number(one["rate_per_replica"], 3),
            format_usd(one["usd_per_month"]),
            format_seconds(one["ttft_p95_s"]),
            format_seconds(one["tpot_p95_s"]),
            str(one["reason"]),
        )
        for one in designs
    )
    return Table(title, columns, rows, brief_rows=BRIEF_ROWS)


def _front(points: Sequence[Mapping[str, Any]]) -> Table:
    columns = (
        Column("deployment"),
        Column("1M output tokens", right=True),
        Column("first token", right=True),
        Column("token", right=True),
    )
    rows = tuple(
        (
            str(one["name"]),
            format_usd(one["usd_per_million_output"]),
            format_seconds(one["ttft_s"]),
            format_seconds(one["tpot_s"]),
        )
        for one in points
    )
    return Table("Cost against speed (means, by the search)", columns, rows, brief_rows=BRIEF_ROWS)


def _rejected(rows: Sequence[Mapping[str, Any]]) -> Table:
    cells = tuple((str(one["name"]), str(one["reason"])) for one in rows)
    return Table("Left out", (Column("candidate"), Column("why")), cells, brief_rows=BRIEF_ROWS)
