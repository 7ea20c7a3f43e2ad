"""View of `storage`: what the workload reads and writes, and which product delivers it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from groundplan.quantities import format_bytes, format_count, format_number, format_percent, format_rate, format_usd
from groundplan.render.document import Block, Column, Document, Fact, Facts, Table, Tone
from groundplan.render.phrases import per, yes_no
from groundplan.render.views.parts import BRIEF_ROWS, assumptions, footer, notes, warnings


def document(result: Mapping[str, Any]) -> Document:
    """Return the storage need and every product against it."""
    products = result["products"]
    good = [product for product in products if product["ok"]]
    need = f"{format_rate(result['read_bytes_per_s'])} reading"
    if result.get("write_bytes_per_s"):
        need += f", {format_rate(result['write_bytes_per_s'])} writing checkpoints"
    named = f"{len(good)} of {len(products)} products deliver it" if len(products) != 1 else _one(products[0])
    rows = [
        Fact("Reading", format_rate(result["read_bytes_per_s"])),
        Fact("Checkpoints", *_checkpoints(result)),
        Fact("Stall", format_percent(result.get("stall_share")), "share of the time accelerators wait for data"),
        Fact("Requests in flight", format_number(result.get("requests_in_flight"), 3), "to hide the latency"),
        Fact("Cache hit rate", format_percent(result.get("cache_hit_rate")), "after the first epoch"),
        Fact("Decompression", f"{format_number(result.get('decompress_cores'), 3)} cores"),
    ]
    body: list[Block] = [
        Facts("Need", tuple(rows)),
        _products(products),
        *notes(result.get("notes", ())),
        *assumptions(result.get("assumptions", ())),
        *warnings(result.get("warnings", ())),
    ]
    headline = str(result.get("headline") or f"{need}: {named}")
    tone = Tone.GOOD if good else Tone.BAD
    return Document(str(result["schema"]), "Storage", headline, tone, tuple(body), footer(result))


def _checkpoints(result: Mapping[str, Any]) -> tuple[str, str]:
    if result.get("checkpoint_bytes") is None:
        return "not asked", "name a model to include its checkpoints"
    return format_rate(result.get("write_bytes_per_s")), f"{format_bytes(result['checkpoint_bytes'])} each"


def _one(product: Mapping[str, Any]) -> str:
    return f"{product['name']} {'delivers' if product['ok'] else 'does not deliver'} it"


def _products(products: list[Mapping[str, Any]]) -> Table:
    columns = (
        Column("product"),
        Column("ok"),
        Column("provisioned", right=True),
        Column("reads", right=True),
        Column("writes", right=True),
        Column("cost", right=True),
        Column("why"),
    )
    rows = tuple(
        (
            str(product["name"]),
            yes_no(product["ok"]),
            format_bytes(product.get("provisioned_bytes")),
            format_rate(product.get("read_bytes_per_s")),
            format_rate(product.get("write_bytes_per_s")),
            per(format_usd(product.get("usd_per_month")), "month"),
            str(product.get("reason") or ""),
        )
        for product in products
    )
    title = f"Products ({format_count(len(rows))})"
    return Table(title, columns, rows, brief_rows=BRIEF_ROWS)
