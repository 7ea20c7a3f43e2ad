"""Ask the lake what each kind of waste needs, and judge it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from groundplan.catalog.catalog import Catalog
from groundplan.errors import UnknownName
from groundplan.finops.lake.engine import query_text, rows
from groundplan.finops.lake.lake import Lake
from groundplan.finops.recommend.bill import formats, storage_tiers, transfers
from groundplan.finops.recommend.commitments import Term, Usage, commitments, usages
from groundplan.finops.recommend.jobs import idle, idle_limit, oversized, spot
from groundplan.finops.recommend.rows import Judged, NotJudged
from groundplan.finops.recommend.runs import repeated
from groundplan.finops.recommend.schedule import off_hours, pools
from groundplan.finops.recommend.services import estimated_share, quantise
from groundplan.finops.recommend.stopping import hopeless

MONTH_DAYS = 30.0
ONE_YEAR, THREE_YEARS, AS_HELD = "1 year", "3 years", "the term held now"


def judge(lake: Lake, connection: Any, catalog: Catalog) -> tuple[float, Judged]:
    """Return the days judged, what would save money, and what the lake cannot tell of.

    `connection` has the fleet's bill in pieces of jobs and their states.
    """
    (fleet,) = connection.execute("SELECT epoch(max(until) - min(since)) / 86400 FROM fleet").fetchone()
    (bill,) = connection.execute(query_text("bill_span")).fetchone()
    kinds = (
        *_of_jobs(lake, connection, catalog, MONTH_DAYS / fleet if fleet else 0.0),
        *_of_bill(connection, catalog, bill or 0.0),
    )
    return fleet or bill or 0.0, (
        [one for found, _ in kinds for one in found],
        [one for _, missing in kinds for one in missing],
    )


def _of_jobs(lake: Lake, connection: Any, catalog: Catalog, per_month: float) -> Iterator[Judged]:
    jobs = rows(connection, query_text("job_use"))
    if jobs and lake.holds("telemetry"):
        yield idle_limit(jobs, per_month) + idle(jobs, per_month) + oversized(jobs, per_month), []
    else:
        needs = "jobs and telemetry of a fleet that the bill knows"
        yield [], [NotJudged(kind, needs) for kind in ("idle", "right-size")]
    yield spot(jobs, rows(connection, query_text("spot_prices")), per_month)
    machines = pools(rows(connection, query_text("free_hours"))) if jobs else []
    yield off_hours(machines, slurm=not any("/" in job["job_id"] for job in jobs))
    if lake.holds("runs"):
        yield repeated(rows(connection, query_text("repeated_runs")), per_month), []
    else:
        yield [], [NotJudged("duplicate", "tracked runs (MLflow) with the job they ran in")]
    yield hopeless(rows(connection, query_text("run_histories")), per_month)
    served = rows(connection, query_text("served"))
    yield quantise(served, lambda service: estimated_share(service, catalog), per_month)


def _of_bill(connection: Any, catalog: Catalog, days: float) -> Iterator[Judged]:
    on_demand = rows(connection, query_text("on_demand_hours"))
    nodes = {
        (row["instance"], row["region"] or ""): frozenset(
            [*(f"free:{node}" for node in row["nodes"]), *(f"job:{job}" for job in row["jobs"] if job is not None)]
        )
        for row in rows(connection, query_text("on_demand_nodes"))
    }
    used = usages(on_demand, days * 24, nodes)
    (held,) = connection.execute(query_text("commitments_ahead")).fetchone()
    yield commitments(used, _terms(connection, catalog, used), days, held)
    per_month = MONTH_DAYS / days if days else 0.0
    kept, tiers = (rows(connection, query_text(name)) for name in ("stored", "storage_tiers"))
    yield storage_tiers(kept, tiers, per_month)
    yield [], [formats()]
    yield transfers(rows(connection, query_text("transfers")), per_month), []


def _terms(connection: Any, catalog: Catalog, used: list[Usage]) -> dict[tuple[str, str], list[Term]]:
    """Return ways to commit by instance and region: of a price list, else the catalog, else as in the bill itself."""
    listed = {(row["instance"], row["region"] or ""): row for row in rows(connection, query_text("reserved_prices"))}
    billed = {(row["instance"], row["region"] or ""): row for row in rows(connection, query_text("committed_rates"))}
    found = {}
    for place in ((one.instance, one.region) for one in used):
        if row := listed.get(place):
            found[place] = _two_terms(row["one_year"], row["three_years"], row["source"] or "price list")
        elif terms := _of_catalog(catalog, *place):
            found[place] = terms
        elif row := billed.get(place):
            found[place] = [Term(AS_HELD, row["share"], True, "what covered usage costs in this bill")]
    return found


def _of_catalog(catalog: Catalog, instance: str, region: str) -> list[Term]:
    try:
        host = catalog.find("hosts", instance)
    except UnknownName:
        return []
    prices = {(price.region, price.option): price for price in catalog.prices_of(host)}
    places = [region, *(place for place, option in prices if option == "reserved_1y")]
    place = next((one for one in places if (one, "reserved_1y") in prices and (one, "on_demand") in prices), None)
    if place is None:
        return []
    on_demand = prices[place, "on_demand"].usd_per_hour
    one, three = (prices.get((place, option)) for option in ("reserved_1y", "reserved_3y"))
    source = f"catalog, {place}, {one.evidence}" if one else ""
    share = [price.usd_per_hour / on_demand if price else None for price in (one, three)]
    return _two_terms(share[0], share[1], source)


def _two_terms(one_year: float | None, three_years: float | None, source: str) -> list[Term]:
    both = ((ONE_YEAR, one_year, False), (THREE_YEARS, three_years, True))
    return [Term(name, price, firm, source) for name, price, firm in both if price is not None]
