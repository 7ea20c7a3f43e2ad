"""Unit economics: what one run, one thousand answers, one million tokens, one useful accelerator-hour cost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from groundplan.catalog.catalog import Catalog
from groundplan.catalog.rows import Grid
from groundplan.finops.allocation import Period, prepare
from groundplan.finops.lake.engine import query_text, rows
from groundplan.finops.lake.lake import Lake
from groundplan.finops.states import State

JOULES_PER_KWH = 3.6e6
NOT_KNOWN = "not known"
CHECKPOINT = "checkpoint"  # in the name of a metric that is logged at the steps that were kept
PROVIDERS = {"AWS": "aws", "Amazon Web Services": "aws", "Microsoft": "azure", "Google Cloud": "gcp", "Google": "gcp"}


@dataclass(frozen=True, slots=True)
class Unit:
    """One figure: its value in its unit, what it was made of; None with what is missing where the lake cannot tell."""

    name: str
    value: float | None
    unit: str
    how: str


def unit_economics(
    lake: Lake, column: str, period: Period, catalog: Catalog, currency: str | None = None
) -> tuple[str, list[Unit]]:
    """Return the currency and every figure the lake can tell; the others with what to import.

    Raises
    ------
    InputError, UnknownName
        No charges, no such column, a currency without a rate.
    """
    connection, into = prepare(lake, column, period, currency)
    connection.execute(query_text("states"))
    power = rows(connection, query_text("power"))[0]
    found = [*_accelerators(connection, power), *_runs(connection), *_services(connection), *_commitments(connection)]
    return into, [*found, *_energy(connection, power, catalog)]


def _accelerators(connection: Any, power: dict[str, Any]) -> Iterator[Unit]:
    fleet, capacity_s = connection.execute(
        "SELECT CAST(sum(cost) AS DOUBLE), sum(gpus * epoch(until - since)) FROM fleet"
    ).fetchone()
    states = {row["state"]: row for row in rows(connection, query_text("state_sums"))}
    busy = states.get(State.BUSY, {}).get("gpu_s", 0.0) / 3600
    hours = (capacity_s or 0.0) / 3600
    tensor = power["tensor_hours"]
    yield _ratio(
        "accelerator-hour", fleet, hours, "USD/h", "cost of the fleet over all its accelerator-hours", "telemetry"
    )
    yield _ratio("useful accelerator-hour", fleet, busy, "USD/h", "cost of the fleet over its busy hours", "telemetry")
    yield _ratio(
        "MFU-hour",
        fleet,
        tensor,
        "USD/h",
        "cost of the fleet over hours of fully used tensor pipes (DCGM)",
        "telemetry",
    )


def _runs(connection: Any) -> Iterator[Unit]:
    outcomes = {row["outcome"]: row for row in rows(connection, query_text("runs_cost"))}
    done, failed = outcomes.get("completed"), outcomes.get("failed")
    ended = [row for row in (done, failed) if row]
    cost = sum((row["cost"] for row in ended), Decimal(0))
    runs, hours = sum(row["runs"] for row in ended), done["gpu_hours"] if done else 0.0
    yield _ratio("run", cost, runs, "USD", "cost of the jobs that ended over their number", "jobs")
    how = "cost of all jobs that ended over the number that completed: failures are paid by those"
    yield _ratio("completed run", cost, done["runs"] if done else 0, "USD", how, "jobs")
    how = "cost of all jobs that ended over the accelerator-hours of those that completed"
    yield _ratio("goodput accelerator-hour", cost, hours, "USD/h", how, "jobs")
    yield _checkpointed(connection)


def _checkpointed(connection: Any) -> Unit:
    """Return what one step cost that a checkpoint kept; the steps after a run's last checkpoint are paid and lost."""
    cost, steps = Decimal(0), 0
    for row in rows(connection, query_text("checkpoints")):
        logged = json.loads(row["metrics"] or "{}")
        kept = [int(step) for name, points in logged.items() if CHECKPOINT in name.lower() for step, _ in points]
        if kept:
            cost, steps = cost + row["cost"], steps + max(kept)
    how = "cost of the tracked runs that log checkpoints over the steps up to the last one of each"
    missing = "runs with a job id and a metric that says checkpoint at the steps that were kept"
    return _ratio("checkpointed step", cost if steps else None, steps, "USD", how, missing)


def _services(connection: Any) -> Iterator[Unit]:
    for row in rows(connection, query_text("services")):
        tokens = (row["input_tokens"] or 0.0) + (row["output_tokens"] or 0.0)
        parts = (
            ("1,000 inferences", row["requests"], 1e3, "requests"),
            ("1M output tokens", row["output_tokens"], 1e6, "output tokens"),
            ("1M tokens", tokens, 1e6, "tokens"),
        )
        for name, amount, per, noun in parts:
            how = f"cost of the nodes (or tags) of {row['service']} over its {noun}"
            yield _ratio(
                f"{name} of {row['service']}", row["cost"], (amount or 0.0) / per, "USD", how, "a bill of its nodes"
            )


def _commitments(connection: Any) -> Iterator[Unit]:
    row = rows(connection, query_text("commitments"))[0]
    used, unused = float(row["used"] or 0), float(row["unused"] or 0)
    yield _ratio("commitment utilisation", used, used + unused, "share", "committed spend that was used", "commitments")
    yield _ratio(
        "commitment coverage", row["committed_at_list"], float(row["compute_at_list"] or 0), "share",
        "compute under commitment over all compute, at list price", "a bill with list costs",
    )  # fmt: skip
    at_list = float(row["at_list"] or 0)
    saved = at_list - float(row["discounted"] or 0)
    yield _ratio("effective discount", saved, at_list, "share", "list less effective cost, over list", "list costs")


def _energy(connection: Any, power: dict[str, Any], catalog: Catalog) -> Iterator[Unit]:
    joules = power["energy_j"]
    kwh = None if joules is None else joules / JOULES_PER_KWH
    yield Unit("energy", kwh, "kWh", "power of the accelerators over the samples" if kwh else _missing("telemetry"))
    grid = _grid(connection, catalog)
    if kwh is None or grid is None or grid.carbon_g_per_kwh is None:
        yield Unit("carbon", None, "kg", _missing("a bill with a region the catalog knows, and telemetry"))
        return
    kg = kwh * grid.carbon_g_per_kwh / 1e3
    yield Unit(
        "carbon",
        kg,
        "kg",
        f"energy of the accelerators, no cooling, at {grid.carbon_g_per_kwh:g} g/kWh of {grid.id}",
    )


def _grid(connection: Any, catalog: Catalog) -> Grid | None:
    found = connection.execute("""
        SELECT coalesce(ServiceProviderName, ProviderName), RegionId FROM charges JOIN fleet ON node = ResourceName
        WHERE RegionId IS NOT NULL GROUP BY ALL ORDER BY sum(charges.cost) DESC LIMIT 1""").fetchone()
    return catalog.grid_of(PROVIDERS.get(found[0], str(found[0]).lower()), found[1]) if found else None


def _ratio(name: str, amount: Any, per: float | None, unit: str, how: str, missing: str) -> Unit:
    if amount is None or not per:
        return Unit(name, None, unit, _missing(missing))
    return Unit(name, float(amount) / float(per), unit, how)


def _missing(what: str) -> str:
    return f"{NOT_KNOWN}: needs {what}"
