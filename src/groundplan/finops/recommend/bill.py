"""Waste that the bill shows: machines on in quiet hours, data nobody reads, data moved between regions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from groundplan.finops.recommend.rows import NotJudged, Recommendation

LEAST_WEEKS = 3
WEEKEND = (6, 7)
NIGHT = (*range(20, 24), *range(7))
WEEKS_PER_MONTH = 30.0 / 7.0
COLD_SHARE = 0.54  # price of infrequent access over standard, e.g. S3: 0.0125 of 0.023 USD/GB-month
ARCHIVE_SHARE = 0.17  # of instant-retrieval archives: 0.004 of 0.023
LEAST_DAYS = 28.0
LEAST_USD = 1.0  # a month
MOST = 10

Rows = Sequence[Mapping[str, Any]]
WINDOWS: dict[str, Callable[[int, int], bool]] = {
    "on weekends": lambda weekday, hour: weekday in WEEKEND,
    "in nights of weekdays, 20 to 7": lambda weekday, hour: weekday not in WEEKEND and hour in NIGHT,
}
CRON = {
    "on weekends": ("0 0 * * 6", "0 0 * * 1"),
    "in nights of weekdays, 20 to 7": ("0 20 * * 1-5", "0 7 * * 1-5"),
}


def off_hours(hours: Rows) -> tuple[list[Recommendation], list[NotJudged]]:
    """Return windows of the week in which machines bought on demand stood empty, every week.

    High: the mean of empty machines; low: as many as were empty in every hour of the window of every week.

    Parameters
    ----------
    hours : sequence of mapping
        weekday 1-7, hour, weeks, least and mean (machines empty), node_cost. [USD/h]
    """
    if not hours:
        return [], [NotJudged("off-hours", "a fleet that is billed by the hour, on demand, with its jobs")]
    if min(row["weeks"] for row in hours) < LEAST_WEEKS:
        return [], [NotJudged("off-hours", f"{LEAST_WEEKS} weeks of bill and jobs")]
    found = []
    for name, holds in WINDOWS.items():
        window = [row for row in hours if holds(row["weekday"], row["hour"])]
        always = min((row["least"] for row in window), default=0)
        cost = sum(row["node_cost"] for row in window) * WEEKS_PER_MONTH
        mean = sum(row["mean"] * row["node_cost"] for row in window) * WEEKS_PER_MONTH
        if always < 1:
            continue
        off, on = CRON[name]
        found.append(
            Recommendation(
                "off-hours",
                f"switch off {always} machines {name}",
                always * cost,
                mean,
                f"at least {always} of those bought on demand stood empty in each of these hours, "
                f"{min(row['weeks'] for row in window)} weeks long",
                "a job that is sent in the night waits for a machine to start",
                f"cron: '{off}' scontrol update NodeName=... State=POWER_DOWN; '{on}' State=POWER_UP",
            )
        )
    return found, []


def storage_tier(stored: Rows, per_month: float) -> tuple[list[Recommendation], list[NotJudged]]:
    """Return stored data that nobody was charged for reading: an infrequent or archive tier would hold it.

    Only data of an object store, of which reads are billed one by one, can show that nobody reads it.

    Parameters
    ----------
    stored : sequence of mapping
        resource, provider, service, cost [USD], reads (charges that are not for holding data), told, days.
    per_month : float
        Months in the bill, inverted.
    """
    able = [row for row in stored if _is_object_store(row)]
    if not able or not any(row["reads"] for row in able):
        needs = "charges by bucket of an object store, reads among them: a bill with resources and requests"
        return [], [NotJudged("storage-tier", needs)]
    found = []
    for row in able:
        month = row["cost"] * per_month
        cold = any(
            word in str(row["told"]).lower() for word in ("infrequent", "archive", "glacier", "coldline", "cool")
        )
        if row["reads"] or cold or row["days"] < LEAST_DAYS or month * (1.0 - COLD_SHARE) < LEAST_USD:
            continue
        found.append(
            Recommendation(
                "storage-tier",
                f"{row['resource']}: keep it in an infrequent-access or archive tier",
                month * (1.0 - COLD_SHARE),
                month * (1.0 - ARCHIVE_SHARE),
                f"${month:,.2f} a month, and no request was charged in {row['days']:.0f} days",
                "reading it again costs by the GB, and tiers charge a least time (30 to 90 days)",
                f"aws s3api put-bucket-lifecycle-configuration --bucket {row['resource']} --lifecycle-configuration "
                "file://transition-after-30-days.json",
            )
        )
    return found[:MOST], []


def _is_object_store(row: Mapping[str, Any]) -> bool:
    words = f"{row['service']} {row['told']}".lower()
    return any(word in words for word in ("s3", "simple storage", "blob", "cloud storage", "object"))


def transfer(moved: Rows, per_month: float) -> list[Recommendation]:
    """Return what moves between regions or zones at a price: data and what reads it could be in one place."""
    return [
        Recommendation(
            "transfer",
            f"{row['resource'] or 'one account'}: {row['quantity'] or 0:,.0f} {row['unit'] or 'GB'} between places",
            0.0,
            row["cost"] * per_month,
            f"{row['meter']}: ${row['cost']:,.2f} in the bill, region {row['region'] or 'not told'}",
            "what is copied for safety has to be in another place",
            "put the readers into the region of the data, or a cache beside them",
        )
        for row in moved[:MOST]
        if row["cost"] * per_month >= LEAST_USD
    ]
