"""Integrity of the catalog: every number sourced, in range, consistent with its neighbours. CI runs it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TypeVar

from groundplan.catalog.catalog import Catalog
from groundplan.catalog.names import folded
from groundplan.catalog.rows import Accelerator, Price, Row
from groundplan.catalog.schema import ROW_TYPES, Attribute, schema
from groundplan.errors import GroundplanError
from groundplan.evidence import Evidence, Figure, Result

ISO_DATE = re.compile(r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])")
OPTIONS = frozenset({"on_demand", "spot", "reserved_1y", "reserved_3y", "owned"})
QUANTITIES = frozenset({"storage", "read", "write", "egress", "egress_region"})
CLASSES = frozenset(
    {"datacenter", "datacenter-legacy", "rack", "inference", "consumer", "tpu", "asic"}
    | {"cpu", "edge", "unified", "fpga", "announced"}
)
RATES = ("fp32", "tf32", "fp16", "bf16", "fp8", "fp4", "int8")
Read = TypeVar("Read")
MODEL_BODIES = ("config", "architecture", "sample")
LARGEST_USD_PER_HOUR = 2000.0
"""Dearest plausible host and hour: a rack of 72 rents for some hundreds of USD."""


@dataclass(frozen=True, slots=True)
class CheckReport(Result):
    """What was looked at and what is wrong with it."""

    rows: int
    figures: int
    problems: tuple[str, ...]


def check_catalog(catalog: Catalog) -> CheckReport:
    """Return every problem of the catalog; none is what CI asks for."""
    problems: list[str] = []
    rows = figures = 0
    for kind in ROW_TYPES:
        table = _readable(partial(catalog.table, kind), problems)
        if table is None:
            continue
        rows += len(table)
        figures += sum(figure.value is not None for row in table.values() for figure in row.figures.values())
        problems += _row_problems(kind, table)
        problems += _name_problems(kind, table)
    for check in (
        _accelerator_problems,
        _reference_problems,
        _grid_problems,
        _price_problems,
        _spot_problems,
        _storage_price_problems,
        _model_problems,
        _edge_problems,
    ):
        problems += _readable(partial(_listed, check, catalog), problems) or []
    prices = len(_readable(lambda: catalog.prices, problems) or ())
    prices += len(_readable(lambda: catalog.storage_prices, problems) or ())
    return CheckReport(rows + prices + len(catalog.models), figures + prices, tuple(dict.fromkeys(problems)))


def _readable(read: Callable[[], Read], problems: list[str]) -> Read | None:
    """Return what `read` reads; what stops it is a problem."""
    try:
        return read()
    except GroundplanError as error:
        problems.append(str(error))
        return None


def _listed(check: Callable[[Catalog], Iterator[str]], catalog: Catalog) -> list[str]:
    return list(check(catalog))


def _row_problems(kind: str, table: Mapping[str, Row]) -> Iterator[str]:
    for identity, row in table.items():
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", identity):
            yield f"{kind} {identity}: an id has letters, digits, points and hyphens"
        for name, figure in row.figures.items():
            for problem in _figure_problems(schema()[kind][name], figure):
                yield f"{kind} {identity} {name}: {problem}"


def _figure_problems(attribute: Attribute, figure: Figure) -> Iterator[str]:
    if not figure.source.strip():
        yield "has no source"
    if (figure.value is None) != (figure.evidence is Evidence.UNKNOWN):
        yield f"evidence {figure.evidence.value} of value {figure.value!r}: unknown means without a value"
    if attribute.type not in ("number", "integer") or figure.value is None:
        return
    value = float(figure.value)
    if attribute.type == "integer" and value != int(value):
        yield f"{value:g} is not whole"
    if attribute.low is not None and value < attribute.low:
        yield f"{value:g} is below {attribute.low:g}, the least plausible"
    if attribute.high is not None and value > attribute.high:
        yield f"{value:g} is above {attribute.high:g}, the most plausible"


def _name_problems(kind: str, table: Mapping[str, Row]) -> Iterator[str]:
    """Two rows must not answer to one name."""
    owners: dict[str, str] = {}
    for row in table.values():
        for name in {folded(spoken) for spoken in (row.id, row.name, *row.aliases)}:
            owner = owners.setdefault(name, row.id)
            if owner != row.id:
                yield f"{kind}: {name!r} means {owner} and {row.id}"


def _accelerator_problems(catalog: Catalog) -> Iterator[str]:
    for part in catalog.accelerators.values():
        if part.device_class not in CLASSES:
            yield f"accelerators {part.id}: class {part.device_class!r} is not one of {', '.join(sorted(CLASSES))}"
        for rate, sustained in part.sustained_flops.items():
            if sustained > part.flops.get(rate, 0.0):
                yield f"accelerators {part.id}: sustained {rate} is above its peak"
        if (part.sustained_memory_bytes_per_s or 0.0) > (part.memory_bytes_per_s or 0.0):
            yield f"accelerators {part.id}: its sustained memory bandwidth is above its peak"
        yield from _order_problems(part)


def _order_problems(part: Accelerator) -> Iterator[str]:
    """A narrower format is never slower on the matrix units."""
    ladder = [(rate, part.flops[rate]) for rate in ("tf32", "bf16", "fp8", "fp4") if rate in part.flops]
    for (wide, slow), (narrow, fast) in pairwise(ladder):
        if fast < slow:
            yield f"accelerators {part.id}: {narrow} is slower than {wide}"


def _reference_problems(catalog: Catalog) -> Iterator[str]:
    for host in catalog.hosts.values():
        for kind, identity in (("accelerators", host.accelerator), ("fabrics", host.fabric), ("cpus", host.cpu)):
            if identity and identity not in catalog.table(kind):
                yield f"hosts {host.id}: {identity!r} is not in {kind}"
        domain, own = host.scaleup_domain, host.accelerators
        if domain % own and own % domain:
            yield f"hosts {host.id}: a scale-up domain of {domain} does not fit {own} a host"
    for precision in catalog.precisions.values():
        for rate in (precision.gemm, precision.attention):
            if rate not in RATES:
                yield f"precisions {precision.id}: {rate!r} is no rate of accelerators"
    used = {part.architecture for part in catalog.accelerators.values()} | CLASSES | set(catalog.architectures)
    for stack in catalog.stacks.values():
        figure = stack.figures.get("default_for")
        for key in str(figure.value).split("|") if figure and figure.value else ():
            if key not in used:
                yield f"stacks {stack.id}: default for {key!r}, which is no architecture or class"


def _grid_problems(catalog: Catalog) -> Iterator[str]:
    yield from _repeated("grids", ((grid.provider, grid.region) for grid in catalog.grids.values()))


def _repeated(what: str, keys: Iterable[tuple[str, ...]]) -> Iterator[str]:
    seen: set[tuple[str, ...]] = set()
    for key in keys:
        if key in seen:
            yield f"{what}: {' '.join(part or '-' for part in key)} is given twice"
        seen.add(key)


def _price_problems(catalog: Catalog) -> Iterator[str]:
    latest = catalog.version[:10].replace(".", "-")
    for price in catalog.prices:
        where = f"prices {price.host} {price.region or '-'} {price.option}"
        host = catalog.hosts.get(price.host)
        if host is None:
            yield f"{where}: {price.host!r} is not in hosts"
        elif price.provider != host.provider:
            yield f"{where}: provider {price.provider!r}, but the host is of {host.provider}"
        if price.option not in OPTIONS:
            yield f"{where}: option is not one of {', '.join(sorted(OPTIONS))}"
        if not 0.0 < price.usd_per_hour < LARGEST_USD_PER_HOUR:
            yield f"{where}: {price.usd_per_hour:g} USD/h is not plausible"
        yield from _dated(where, price.date, price.evidence, price.source, latest)
    yield from _repeated("prices", ((p.host, p.region, p.option) for p in catalog.prices))


def _dated(where: str, date: str, evidence: str, source: str, latest: str) -> Iterator[str]:
    if date and not ISO_DATE.fullmatch(date):
        yield f"{where}: {date!r} is no ISO date"
    if date > latest:
        yield f"{where}: {date} is after the catalog's own date {latest}"
    if evidence not in tuple(Evidence) or evidence == Evidence.UNKNOWN:
        yield f"{where}: {evidence!r} is no evidence class of a known price"
    if not source.strip():
        yield f"{where}: has no source"


def _spot_problems(catalog: Catalog) -> Iterator[str]:
    """Spot capacity and commitments cost no more than on-demand in the same region."""
    by_place: dict[tuple[str, str], dict[str, Price]] = {}
    for price in catalog.prices:
        by_place.setdefault((price.host, price.region), {})[price.option] = price
    for (host, region), prices in by_place.items():
        full = prices.get("on_demand")
        for option in ("spot", "reserved_1y", "reserved_3y"):
            reduced = prices.get(option)
            if full and reduced and reduced.usd_per_hour > full.usd_per_hour:
                yield f"prices {host} {region or '-'}: {option} is dearer than on-demand"


def _storage_price_problems(catalog: Catalog) -> Iterator[str]:
    latest = catalog.version[:10].replace(".", "-")
    for price in catalog.storage_prices:
        where = f"storage_prices {price.product} {price.region or '-'} {price.quantity}"
        if price.quantity not in QUANTITIES:
            yield f"{where}: quantity is not one of {', '.join(sorted(QUANTITIES))}"
        if price.usd < 0.0 or not price.unit:
            yield f"{where}: {price.usd:g} per {price.unit!r} is not plausible"
        yield from _dated(where, price.date, price.evidence, price.source, latest)


def _model_problems(catalog: Catalog) -> Iterator[str]:
    for identity, row in catalog.models.items():
        if row["id"] != identity:
            yield f"models {identity}: says it is {row['id']!r}"
        if not str(row.get("source", "")).strip():
            yield f"models {identity}: has no source"
        if sum(body in row for body in MODEL_BODIES) != 1:
            yield f"models {identity}: needs exactly one of {', '.join(MODEL_BODIES)}"


def _edge_problems(catalog: Catalog) -> Iterator[str]:
    for device in catalog.edge_devices.values():
        if device.family not in catalog.edge_families:
            yield f"edge_devices {device.id}: {device.family!r} is not in edge_families"
        part = catalog.accelerators.get(device.accelerator)
        if part is None and device.accelerator != "none":
            yield f"edge_devices {device.id}: {device.accelerator!r} is not in accelerators"
        if part is not None and part.memory_bytes_per_s != device.memory_bytes_per_s:
            yield f"edge_devices {device.id}: its memory bandwidth is not that of its accelerator"
    for mode in catalog.power_modes.values():
        if mode.device not in catalog.edge_devices:
            yield f"power_modes {mode.id}: {mode.device!r} is not in edge_devices"
    moded = {mode.device for mode in catalog.power_modes.values()}
    for name in catalog.edge_devices:
        if name not in moded:
            yield f"edge_devices {name}: has no power mode"
