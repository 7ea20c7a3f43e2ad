"""Machines that nobody holds at night or at weekends: switch off what the quiet hours of the week do not need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from shlex import quote
from typing import Any

import numpy as np
from numpy.typing import NDArray

from groundplan.finops.recommend.rows import MONTH_HOURS, Judged, NotJudged, Recommendation

LEAST_HOURS = 14 * 24  # two weeks: every hour of the week twice
WAITING = 0.1  # of the quiet hours, in which one machine fewer was free than are switched off (assumed)
NIGHT_HOURS = 12
SATURDAY = 5
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Pool:
    """Machines of one instance type, hour by hour: how many nobody held, and what one cost."""

    provider: str
    region: str
    instance: str
    names: tuple[str, ...]
    hour: NDArray[np.int64]  # of the day, UTC
    day: NDArray[np.int64]  # of the week, Monday is 0
    free: Floats
    rate: Floats


@dataclass(frozen=True, slots=True)
class Schedule:
    """How many machines are off always, at night beyond those, and at weekends beyond those."""

    always: int
    night: int
    weekend: int
    night_from: int  # hour of the day, UTC


def pools(rows: Sequence[Mapping[str, Any]]) -> list[Pool]:
    """Return the pools of rows by instance type and hour."""
    found: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        place = (row["provider"] or "", row["region"] or "", row["instance"] or "any type")
        found.setdefault(place, []).append(row)
    return [
        Pool(
            *place,
            tuple(sorted({name for row in same for name in row["names"]})),
            np.array([row["hour"].hour for row in same]),
            np.array([row["hour"].weekday() for row in same]),
            np.array([row["free"] for row in same], dtype=np.float64),
            np.array([row["rate"] for row in same], dtype=np.float64),
        )
        for place, same in found.items()
    ]


def quiet(pool: Pool, night_from: int) -> tuple[Mask, Mask]:
    """Return which hours are nights of working days, and which weekend."""
    weekend = pool.day >= SATURDAY
    return ~weekend & ((pool.hour - night_from) % 24 < NIGHT_HOURS), weekend


def best_schedule(pool: Pool) -> Schedule:
    """Return how many machines the quiet hours spare, and from when on a night is quietest."""
    always = _spared(pool.free)

    def of_night(start: int) -> Schedule:
        night, weekend = quiet(pool, start)
        return Schedule(always, _spared(pool.free[night]) - always, max(_spared(pool.free[weekend]) - always, 0), start)

    return max((of_night(start) for start in range(24)), key=lambda found: saved(pool, found))


def saved(pool: Pool, schedule: Schedule, sure: bool = False) -> float:
    """Return dollars of 30 days, never for more machines than were free.

    With `sure`, only for what was free in every one of the hours.
    """
    night, weekend = quiet(pool, schedule.night_from)
    off = schedule.always + schedule.night * night + schedule.weekend * weekend
    free = pool.free
    if sure:
        rest = ~night & ~weekend
        least = [float(pool.free[hours].min()) if hours.any() else 0.0 for hours in (night, weekend, rest)]
        free = np.select([night, weekend], least[:2], least[2])
    return float(np.minimum(off, free) @ pool.rate) / len(free) * MONTH_HOURS


def off_hours(found: Sequence[Pool], slurm: bool) -> Judged:
    """Return what to switch off in each pool, and when.

    Parameters
    ----------
    found : sequence of Pool
    slurm : bool
        Whether jobs are Slurm's; pods otherwise.
    """
    if not found:
        needs = "jobs and telemetry of machines that the bill charges on demand or as spot"
        return [], [NotJudged("off-hours", needs)]
    judged = [pool for pool in found if len(pool.free) >= LEAST_HOURS]
    missing = [] if judged else [NotJudged("off-hours", "two weeks of bill, jobs and telemetry")]
    made = []
    for pool in judged:
        schedule = best_schedule(pool)
        if schedule.always + schedule.night + schedule.weekend == 0:
            continue
        made.append(
            Recommendation(
                "off-hours",
                f"{pool.instance} in {pool.region or 'any region'}: {_told(schedule)}",
                saved(pool, schedule, sure=True),
                saved(pool, schedule),
                f"of {len(pool.names)} machines nobody held as many in {1 - WAITING:.0%} of those hours, over "
                f"{len(pool.free) / 24:.0f} days; the low end is what was free in all of them",
                "a job that comes in the quiet hours may wait for the morning, or for a machine to start",
                _command(pool, schedule, slurm),
                frozenset(f"free:{name}" for name in pool.names),
            )
        )
    return made, missing


def _spared(free: Floats) -> int:
    return int(np.quantile(free, WAITING, method="lower")) if len(free) else 0


def _told(schedule: Schedule) -> str:
    until = (schedule.night_from + NIGHT_HOURS) % 24
    parts = [
        f"{schedule.always} off always" if schedule.always else "",
        f"{schedule.night} off from {schedule.night_from:02}:00 to {until:02}:00 UTC on working days"
        if schedule.night
        else "",
        f"{schedule.weekend} off on Saturday and Sunday" if schedule.weekend else "",
    ]
    return ", ".join(f"{'' if at == 0 else 'another '}{part}" for at, part in enumerate(filter(None, parts)))


def _command(pool: Pool, schedule: Schedule, slurm: bool) -> str:
    """Return lines of a crontab in UTC; what is off is taken from the last names, which fill last."""
    names = pool.names[::-1]
    until = (schedule.night_from + NIGHT_HOURS) % 24
    last = schedule.always + max(schedule.night, schedule.weekend)
    lines = []
    if schedule.always:
        lines.append(_switch(names[: schedule.always], False, slurm))
    if schedule.night:
        some = names[schedule.always : schedule.always + schedule.night]
        lines.append(f"0 {schedule.night_from} * * 1-5 {_switch(some, False, slurm)}")
        lines.append(f"0 {until} * * 1-5 {_switch(some, True, slurm)}")
    if schedule.weekend:
        some = names[schedule.always : last][: schedule.weekend]
        lines.append(f"0 0 * * 6 {_switch(some, False, slurm)}")
        lines.append(f"0 0 * * 1 {_switch(some, True, slurm)}")
    return "; ".join(lines)


def _switch(names: Sequence[str], on: bool, slurm: bool) -> str:
    if slurm:
        return f"scontrol update NodeName={quote(','.join(names))} State={'POWER_UP' if on else 'POWER_DOWN_ASAP'}"
    return f"kubectl {'uncordon' if on else 'drain --ignore-daemonsets'} {' '.join(map(quote, names))}"
