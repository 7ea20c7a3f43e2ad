"""View of `simulate serve`: latencies, limits, what the replicas did, the course, the slowest requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from groundplan.quantities import (
    UNKNOWN,
    format_count,
    format_energy,
    format_number,
    format_percent,
    format_seconds,
    format_usd,
)
from groundplan.render.document import Block, Column, Document, Fact, Facts, Table, Tone
from groundplan.render.phrases import label
from groundplan.render.views.parts import BRIEF_ROWS, assumptions, footer, notes, price_source, sizes, warnings

LATENCIES = (
    ("ttft_s", "first token"),
    ("tpot_s", "token after the first"),
    ("e2e_s", "whole answer"),
    ("wait_s", "in the queue"),
)


def document(result: Mapping[str, Any]) -> Document:
    """Return what became of the requests and what the fleet did."""
    body: list[Block] = [
        Facts("Simulated", _simulated(result)),
        _latencies(result),
        Facts("Service", _service(result)),
        Facts("Fleet", _fleet(result)),
        _course(result["course"]),
        _slowest(result["slowest"]),
        *assumptions(result["assumptions"]),
        *notes(tuple(f"{label(name)}: {text}" for name, text in result["definitions"].items())),
        *warnings(result["warnings"]),
    ]
    title = f"Serving {result['model']} on {result['replicas']} x {result['devices']} {result['accelerator']}"
    attained = result["attainment"]
    tone = Tone.PLAIN if attained is None else Tone.GOOD if attained >= 0.95 else Tone.WARN
    return Document(str(result["schema"]), title, str(result["headline"]), tone, tuple(body), footer(result))


def _simulated(result: Mapping[str, Any]) -> tuple[Fact, ...]:
    asked, split, apart = result["request"], result["deployment"], result["disaggregation"]
    prefill = (
        () if apart is None else (Fact("Prefill replicas", f"{apart['prefill_replicas']}", sizes(apart["prefill"])),)
    )
    speculation, adapters = split["speculation"], split["adapters"]
    beside = [f"{speculation['drafted']} tokens drafted ahead"] if speculation else []
    beside += [f"{adapters['count']} adapters of rank {adapters['rank']}"] if adapters else []
    return (
        Fact("Model", str(result["model"]), ", ".join([f"weights {split['weights']}, cache {split['kv']}", *beside])),
        *prefill,
        Fact("Replica", f"{result['devices']} x {result['accelerator']}", f"{sizes(split)}; {result['engine']}"),
        Fact("Cache of a replica", f"{format_count(result['kv_tokens'])} tokens"),
        Fact("Replicas", f"{result['replicas']}", _fleet_words(asked)),
        _requests(asked, result["summary"]),
        _arrivals(asked),
    )


def _fleet_words(asked: Mapping[str, Any]) -> str:
    words = [str(asked["routing"]).replace("_", " ")]
    if "target_in_flight" in asked:
        most = asked.get("most", asked["replicas"])
        words.append(f"{asked.get('least', 1)} to {most} at {asked['target_in_flight']:g} requests in flight each")
    if "mtbf_s" in asked:
        words.append(f"one fails every {format_seconds(asked['mtbf_s'])}")
    return ", ".join(words)


def _requests(asked: Mapping[str, Any], summary: Mapping[str, Any]) -> Fact:
    cached = f", {format_percent(asked['cached_fraction'])} of prompts cached" if "cached_fraction" in asked else ""
    if "requests" in asked:
        return Fact("Requests", f"{format_count(summary['requests'])} of {asked['requests']}", cached.lstrip(", "))
    said = f"{asked['prompt']} prompt + {asked['output']} output tokens each{cached}"
    return Fact("Requests", f"{format_count(summary['requests'])} drawn", said)


def _arrivals(asked: Mapping[str, Any]) -> Fact:
    seed = f"seed {asked.get('seed', 0)}"
    if "clients" in asked:
        return Fact("Arrivals", f"{asked['clients']} clients", "each sends its next request when its last has ended")
    if "requests" in asked:
        return Fact("Arrivals", "as in the trace", seed if "mtbf_s" in asked else "")
    return Fact("Arrivals", f"{asked['arrivals']}, {format_number(asked['rate_per_s'], 3)} requests/s", seed)


def _latencies(result: Mapping[str, Any]) -> Table:
    columns = (Column("latency"), *(Column(name, right=True) for name in ("mean", "p50", "p90", "p95", "p99", "limit")))
    rows = tuple(
        (
            words,
            *(format_seconds(result["summary"][key][name]) for name in ("mean", "p50", "p90", "p95", "p99")),
            format_seconds(result["limits"][key]) if result["limits"].get(key) is not None else "",
        )
        for key, words in LATENCIES
    )
    return Table("Latencies", columns, rows)


def _service(result: Mapping[str, Any]) -> tuple[Fact, ...]:
    summary, attained = result["summary"], result["attainment"]
    kept = "no limits given" if attained is None else f"{format_number(result['goodput_per_s'], 3)} good requests/s"
    return (
        Fact("Requests", format_count(summary["requests"]), f"{format_count(summary['rejected'])} rejected"),
        Fact("Keep the limits", UNKNOWN if attained is None else format_percent(attained), kept),
        Fact("Throughput", f"{format_number(summary['requests_per_s'], 3)} requests/s"),
        Fact("Output", f"{format_count(summary['output_tokens_per_s'])} tokens/s"),
        Fact("Input", f"{format_count(summary['input_tokens_per_s'])} tokens/s"),
        Fact("Prefix cache", format_percent(summary["prefix_hit_share"]), "of prompt tokens were there already"),
    )


def _fleet(result: Mapping[str, Any]) -> tuple[Fact, ...]:
    summary = result["summary"]
    return (
        Fact("Busy", format_percent(summary["busy_share"]), "of the time that replicas are on"),
        Fact("Batch", format_number(summary["mean_batch"], 3), "sequences in an iteration"),
        Fact("Replica-hours", format_number(summary["replica_hours"], 4)),
        Fact("Preemptions", format_count(summary["preemptions"]), f"{format_count(summary['restarts'])} restarts"),
        Fact(
            "Cost",
            format_usd(summary["cost_usd"]),
            f"{format_usd(summary['usd_per_million_output_tokens'])} per 1M output tokens",
        ),
        Fact("Price", price_source(result["price"])),
        Fact("Energy", format_energy(summary["energy_j"])),
    )


def _course(course: list[Mapping[str, Any]]) -> Table:
    columns = (Column("time", right=True), Column("queued", right=True), Column("in flight", right=True))
    step = max(1, len(course) // BRIEF_ROWS)
    rows = tuple(
        (format_seconds(one["at_s"]), format_count(one["queued"]), format_count(one["in_flight"]))
        for one in course[::step]
    )
    return Table("Course", columns, rows, brief_rows=BRIEF_ROWS)


def _slowest(rows: list[Mapping[str, Any]]) -> Table:
    names = ("request", "arrival", "prompt", "output", "first token", "token", "whole", "replica", "put back")
    columns = tuple(Column(name, right=True) for name in names)
    cells = tuple(
        (
            str(one["request"]),
            format_seconds(one["arrival_s"]),
            format_count(one["prompt_tokens"]),
            format_count(one["output_tokens"]),
            format_seconds(one["ttft_s"]),
            format_seconds(one["tpot_s"]),
            format_seconds(one["e2e_s"]),
            str(one["replica"]),
            format_count(one["preemptions"]),
        )
        for one in rows
    )
    return Table("Slowest requests", columns, cells, brief_rows=5)
