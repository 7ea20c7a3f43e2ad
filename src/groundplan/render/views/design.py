"""One design, as blocks: what it is, how long and how much, what it needs. Shared by `plan` and `train`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from groundplan.quantities import (
    UNKNOWN,
    format_bit_rate,
    format_bytes,
    format_count,
    format_energy,
    format_percent,
    format_rate,
    format_seconds,
    format_usd,
)
from groundplan.render.document import Block, Chart, ChartKind, Column, Fact, Facts, Table, Tone
from groundplan.render.phrases import interval, mass_text, per, value_of, words
from groundplan.render.views.parts import breakdown, have_and_need, shares_chart

MONTH_S = 30.0 * 86400.0
MOST_MONTHS = 60

Design = Mapping[str, Any]


def design_name(design: Design) -> str:
    """Say what a design is made of: ``64 x a100-sxm-80 (8 x aws p4de.24xlarge, spot)``."""
    hosts = f"{format_count(design['nodes'])} x {host_name(design)}"
    return f"{format_count(design['accelerators'])} x {design['accelerator']} ({hosts}, {words(design['purchase'])})"


def host_name(design: Design) -> str:
    """Return provider and instance, the provider once."""
    provider, instance = str(design["provider"]), str(design["instance"])
    return instance if instance.startswith(provider) else f"{provider} {instance}"


def layout_text(layout: Mapping[str, Any]) -> str:
    """Say a layout in the field's shorthand, without the degrees that are 1."""
    degrees = [f"{axis}{layout[axis]}" for axis in ("tp", "cp", "ep", "pp", "dp") if layout.get(axis, 1) != 1]
    return " ".join(degrees) or "one device"


def layout_details(layout: Mapping[str, Any]) -> str:
    """Say the rest of a layout: sharding, micro-batch, recomputation, schedule."""
    said = [
        f"ZeRO {layout['zero']}",
        f"micro-batch {layout['micro_batch']}",
        f"accumulation {layout['gradient_accumulation']}" if "gradient_accumulation" in layout else "",
        f"recompute {layout['recompute']}",
        str(layout["precision"]),
        "sequence parallel" if layout.get("sequence_parallel") else "",
        "optimizer on the host" if layout.get("offload") else "",
        f"{layout['schedule']} schedule" if layout.get("schedule", "none") != "none" else "",
        f"{layout['vpp']} virtual stages" if layout.get("vpp", 1) != 1 else "",
        f"stack {layout['stack']}" if layout.get("stack") else "",
    ]
    return ", ".join(part for part in said if part)


def design_facts(title: str, design: Design) -> Facts:
    """Return what the design is."""
    layout = design["layout"]
    rows = [
        Fact("Hardware", design_name(design), str(design.get("region") or "")),
        Fact("Layout", layout_text(layout), layout_details(layout)),
        Fact("Price", *price_words(design.get("price"))),
    ]
    if design.get("reason"):
        rows.append(Fact("Why", str(design["reason"])))
    return Facts(title, tuple(rows))


def price_words(price: Mapping[str, Any] | None) -> tuple[str, str]:
    """Say a price, and where it is from and how old."""
    if price is None:
        return UNKNOWN, "no source states a price"
    age = price.get("age_days")
    dated = [price.get("evidence"), price.get("date"), None if age is None else f"{format_count(age)} days old"]
    where = " ".join(str(price[key]) for key in ("provider", "instance", "region", "purchase") if price.get(key))
    said = f"{per(format_usd(price['usd_per_accelerator_hour']), 'h')} each"
    if price.get("usd_per_hour") is not None:
        said += f", {per(format_usd(price['usd_per_hour']), 'h')} in all"
    note = ", ".join(str(part) for part in dated if part)
    return said, ": ".join(part for part in (words(where), note, str(price.get("source") or "")) if part)


def outcome(design: Design) -> Facts:
    """Return time, cost, energy and carbon with intervals, and how well the hardware is used."""
    return Facts(
        "Time, cost, energy",
        (
            Fact("Run", interval(design["run_s"], format_seconds), "the whole training, failures and stalls included"),
            Fact("Cost", interval(design.get("cost_usd"), format_usd)),
            Fact("Energy", interval(design.get("energy_j"), format_energy)),
            Fact("Carbon", interval(design.get("carbon_kg"), mass_text)),
            Fact("Step", interval(design["step_s"], format_seconds)),
            Fact(
                "Throughput",
                interval(design.get("tokens_per_s"), partial(_work_rate, str(design.get("unit", "tokens")))),
            ),
            Fact(
                "MFU", interval(design["mfu"], format_percent), "model FLOP over peak FLOP, recomputation not counted"
            ),
            Fact("Goodput", interval(design["goodput"], format_percent), "share of the run that moves training on"),
        ),
    )


def _work_rate(unit: str, rate: float | None) -> str:
    return per(f"{format_count(rate)} {unit}", "s") if rate is not None else UNKNOWN


def breakdowns(design: Design) -> list[Block]:
    """Return where step time, run time, memory and cost go."""
    memory = design["memory"]
    blocks: list[Block] = [
        breakdown("Step time by term", design["step_terms"], design["step_s"], format_seconds),
        breakdown("Run time by term", design["run_terms"], design["run_s"], format_seconds),
        breakdown("Memory of the fullest device by term", memory["terms"], memory["total_bytes"], format_bytes),
        Facts("", (memory_fit(memory),)),
    ]
    if design.get("cost_usd") is not None:
        blocks.append(breakdown("Cost by term", design["cost_terms"], design["cost_usd"], format_usd))
    return blocks


def memory_fit(memory: Mapping[str, Any]) -> Fact:
    """Say whether the memory fits, and by how much."""
    total, capacity = value_of(memory["total_bytes"]), memory.get("capacity_bytes")
    if total is None or capacity is None:
        return Fact("Fits", UNKNOWN, f"capacity {format_bytes(capacity)}")
    gap = capacity - total
    text = f"{format_bytes(abs(gap))} {'free' if gap >= 0 else 'short'} of {format_bytes(capacity)}"
    return Fact("Fits", "yes" if memory["fits"] else "no", text, Tone.GOOD if memory["fits"] else Tone.BAD)


def charts(design: Design) -> list[Block]:
    """Return the charts of one design: memory and step time by term, cost by month."""
    return [
        *shares_chart("Memory by term", design["memory"]["terms"], "bytes"),
        *shares_chart("Step time by term", design["step_terms"], "s"),
        *_months(design),
    ]


def _months(design: Design) -> list[Block]:
    """Spread the cost evenly over the run in months of 30 days; the bars sum to the cost."""
    run_s = value_of(design["run_s"])
    if design.get("cost_usd") is None or not run_s or run_s > MOST_MONTHS * MONTH_S:
        return []
    points: list[Mapping[str, float | str]] = []
    month, start_s = 1, 0.0
    while start_s < run_s:
        share = (min(run_s, start_s + MONTH_S) - start_s) / run_s
        points += [
            {"month": float(month), "term": words(name), "value": float(usd) * share}
            for name, usd in design["cost_terms"].items()
            if usd
        ]
        month, start_s = month + 1, start_s + MONTH_S
    return [Chart(ChartKind.MONTHS, "Cost by month", "USD", tuple(points))] if points else []


def needs(design: Design) -> list[Block]:
    """Return what network, storage and checkpoints need against what they have."""
    return [*_network(design["network"]), _storage(design["storage"]), _checkpoint(design["checkpoint"])]


def _network(network: Mapping[str, Any]) -> list[Block]:
    verdict = Fact(
        str(network.get("fabric") or "network"),
        "carries it" if network["fabric_ok"] else "too slow",
        have_and_need(network["available_bits_per_s"], network["needed_bits_per_s"], format_bit_rate)
        + " per accelerator",
        Tone.GOOD if network["fabric_ok"] else Tone.BAD,
    )
    columns = (
        Column("collective"),
        Column("ranks", right=True),
        Column("per step", right=True),
        Column("scope"),
        Column("time", right=True),
        Column("exposed", right=True),
    )
    rows = tuple(
        (
            words(f"{use['name']} ({use['group']})"),
            format_count(use["ranks"]),
            format_bytes(use["bytes_per_step"]),
            str(use["scope"]),
            format_seconds(use["time_s"]),
            format_seconds(use["exposed_s"]),
        )
        for use in network["collectives"]
    )
    table = [Table("Traffic of one device", columns, rows)] if rows else []
    return [Facts("Network", (verdict,)), *table]


def _storage(storage: Mapping[str, Any]) -> Facts:
    return Facts(
        "Storage",
        (
            Fact(
                "Product",
                str(storage.get("product") or "none"),
                "delivers it" if storage["ok"] else "does not deliver it",
                Tone.GOOD if storage["ok"] else Tone.BAD,
            ),
            Fact("Reading", format_rate(storage["read_bytes_per_s"])),
            Fact(
                "Checkpoints",
                format_rate(storage["write_bytes_per_s"]),
                f"{format_bytes(storage['checkpoint_bytes'])} each",
            ),
            Fact(
                "Provisioned",
                format_bytes(storage.get("provisioned_bytes")),
                f"holds {format_bytes(storage['capacity_bytes'])}",
            ),
            Fact("Cost", per(format_usd(storage.get("usd_per_month")), "month")),
        ),
    )


def _checkpoint(checkpoint: Mapping[str, Any]) -> Facts:
    return Facts("Checkpoints and failures", checkpoint_rows(checkpoint))


def checkpoint_rows(checkpoint: Mapping[str, Any]) -> tuple[Fact, ...]:
    """Return the facts of a checkpoint plan."""
    return (
        Fact("Save every", format_seconds(checkpoint["interval_s"]), "where saving and lost work cost least"),
        Fact(
            "One checkpoint", format_bytes(checkpoint["bytes"]), f"written in {format_seconds(checkpoint['write_s'])}"
        ),
        Fact("Training waits", format_seconds(checkpoint["stall_s"]), "for each checkpoint"),
        Fact("A failure every", format_seconds(checkpoint["mtbf_s"]), "mean time between failures of the whole job"),
        Fact("Goodput", format_percent(checkpoint["goodput"])),
    )
