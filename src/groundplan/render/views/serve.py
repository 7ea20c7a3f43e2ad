"""View of `serve`: latency, throughput, cost, and the memory of one device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from groundplan.quantities import (
    UNKNOWN,
    format_bytes,
    format_count,
    format_number,
    format_percent,
    format_seconds,
    format_usd,
)
from groundplan.render.document import Block, Document, Fact, Facts, Tone
from groundplan.render.phrases import interval, label
from groundplan.render.views.parts import (
    assumptions,
    breakdown,
    footer,
    notes,
    price_source,
    shares_chart,
    sizes,
    warnings,
)


def document(result: Mapping[str, Any]) -> Document:
    """Return what the replica answers, what it costs, and what fits."""
    body: list[Block] = [
        Facts("Replica", _replica(result)),
        Facts("Under this load", _speed(result)),
        *_pools(result),
        Facts("Cost", _cost(result)),
        Facts("What fits", _room(result)),
        breakdown(
            "Memory of one device, as the engine takes it",
            result["memory"],
            sum(result["memory"].values()),
            format_bytes,
        ),
        *_token(result),
        *notes(tuple(f"{label(name)}: {text}" for name, text in result["definitions"].items())),
        *assumptions(result["assumptions"]),
        *warnings(result["warnings"]),
    ]
    title = f"Serving {result['model']} with {result['engine']}"
    tone = Tone.GOOD if result["fits"] and not result["warnings"] else Tone.WARN
    return Document(str(result["schema"]), title, str(result["headline"]), tone, tuple(body), footer(result))


def _token(result: Mapping[str, Any]) -> tuple[Block, ...]:
    """Return what a token after the first is made of; an answer of one token has none."""
    if result["load"]["output"] < 2:
        return ()
    terms = _terms(result)
    chart = shares_chart("What a token's time is made of", terms, "s")
    return breakdown("One token", terms, result["tpot_s"], format_seconds), *chart


def _terms(result: Mapping[str, Any]) -> dict[str, float]:
    return {term["name"]: term["value"] for term in result["explain"]["tpot_s"]["children"]}


def _replica(result: Mapping[str, Any]) -> tuple[Fact, ...]:
    split = result["deployment"]
    devices = split["tp"] * split["pp"] * split["dp"]
    return (
        Fact("Devices", f"{devices} x {result['accelerator']}", sizes(split)),
        Fact("Formats", f"weights {split['weights']}, cache {split['kv']}"),
        Fact("Engine", str(result["engine"])),
    )


def _speed(result: Mapping[str, Any]) -> tuple[Fact, ...]:
    load = result["load"]
    at = f"{format_number(load['decoding'], 3)} sequences decode at once"
    if load["queued"]:
        at += f", {format_number(load['queued'], 3)} wait"
    speculation = result["deployment"]["speculation"]
    drafted = (
        ()
        if speculation is None
        else (
            Fact(
                "Speculation",
                f"{_three(speculation['tokens_per_iteration'])} tokens an iteration",
                f"{speculation['drafted']} drafted, {format_percent(speculation['acceptance'])} accepted",
            ),
        )
    )
    return (
        *drafted,
        Fact("Load", f"{load['prompt']} prompt + {load['output']} output tokens", at),
        Fact("First token", interval(result["ttft_s"], format_seconds), "mean, waiting included"),
        *(
            [Fact("Token", interval(result["tpot_s"], format_seconds), "mean after the first")]
            if load["output"] > 1
            else []
        ),
        Fact("Whole answer", interval(result["e2e_s"], format_seconds)),
        Fact("Requests", f"{interval(result['requests_per_s'], _three)} per second"),
        Fact("Output", f"{interval(result['output_tokens_per_s'], format_count)} tokens/s"),
    )


def _pools(result: Mapping[str, Any]) -> tuple[Block, ...]:
    """Return both pools and the parts of a first token's time; nothing where each replica does both."""
    apart = result["disaggregation"]
    if apart is None:
        return ()
    said = (
        Fact("Prefill replicas", f"{apart['prefill_replicas']}", sizes(apart["prefill"])),
        Fact("Decode replicas", f"{apart['decode_replicas']}", sizes(result["deployment"])),
        Fact("Prefill busy", format_percent(apart["prefill_busy"]), "of the most that it and its links answer"),
        Fact("Link", f"{format_bytes(apart['link_bytes_per_s'])}/s", "of one prefill replica"),
    )
    terms = {term["name"]: term["value"] for term in result["explain"]["ttft_s"]["children"]}
    return Facts("Prefill and decode apart", said), breakdown("First token", terms, result["ttft_s"], format_seconds)


def _three(value: float | None) -> str:
    return format_number(value, 3)


def _cost(result: Mapping[str, Any]) -> tuple[Fact, ...]:
    hourly = result["usd_per_hour"]
    joules = result["joules_per_output_token"]
    return (
        Fact(
            "Replica" if result["disaggregation"] is None else "Both pools",
            UNKNOWN if hourly is None else f"{format_usd(hourly)} an hour",
            price_source(result["price"]),
        ),
        Fact("1M output tokens", interval(result["usd_per_million_output"], format_usd), "all cost over output tokens"),
        Fact("1M input tokens", interval(result["usd_per_million_input"], format_usd), "the time that prompts take"),
        Fact("1M tokens", interval(result["usd_per_million_blended"], format_usd), "prompt and output together"),
        Fact("Energy", UNKNOWN if joules is None else f"{interval(joules, _three)} J per output token"),
    )


def _room(result: Mapping[str, Any]) -> tuple[Fact, ...]:
    used = sum(result["memory"].values())
    return (
        Fact("Cache", f"{interval(result['kv_tokens'], format_count)} tokens"),
        Fact("Requests at once", f"{result['concurrent_requests']:,.0f}", "of full length"),
        Fact(
            "Device",
            f"{format_bytes(used)} of {format_bytes(result['capacity_bytes'])}",
            format_percent(used / result["capacity_bytes"]),
        ),
    )
