"""Budgets as a user writes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from groundplan.errors import InputError, UnknownName
from groundplan.quantities import parse

SCOPES = ("total", "team", "project", "user", "experiment", "model", "provider", "service")
PERIODS = ("monthly", "run")
KINDS = ("soft", "hard")
KEYS = ("name", *SCOPES, "limit", "period", "kind", "alerts")
CHANNELS = ("file", "webhook", "email", "alertmanager")
USUAL_ALERTS = (0.5, 0.8, 1.0)


@dataclass(frozen=True, slots=True)
class Budget:
    """One limit: of everything or of one owner, a month or a single run.

    `alerts` are the shares of the limit at which somebody is told; a hard budget is critical from 1 on.
    """

    name: str
    scope: str
    of: str  # which team, ...; empty for the total
    limit_usd: float
    period: str
    kind: str
    alerts: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Channel:
    """Where alerts go: ``file`` a path, ``webhook`` and ``alertmanager`` a URL, ``email`` a mapping."""

    kind: str
    to: Any


def read_budgets(path: Path) -> tuple[tuple[Budget, ...], tuple[Channel, ...]]:
    """Return the budgets of a YAML file, and the channels it names.

    Raises
    ------
    InputError, UnknownName
        The file cannot be read, a key or value means nothing, a budget lacks its limit, two have one name.
    """
    try:
        written = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        why = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        raise InputError(f"{path} cannot be read as budgets: {why}", "write YAML with a list of budgets") from None
    if not isinstance(written, dict) or not isinstance(written.get("budgets"), list) or not written["budgets"]:
        raise InputError(f"{path} lists no budgets", "write budgets: [{name: all, total: true, limit: 10000 USD}]")
    for key in written:
        if key not in ("budgets", "deliver"):
            raise UnknownName("key of a budget file", str(key), ("budgets", "deliver"))
    budgets = tuple(_budget(path, row) for row in written["budgets"])
    names = [budget.name for budget in budgets]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise InputError(f"{path}: two budgets are called {twice}", "give each its own name")
    channels = written.get("deliver") or []
    if not isinstance(channels, list):
        raise InputError(f"{path}: deliver is no list", "write deliver: [{file: alerts.jsonl}]")
    return budgets, tuple(_channel(path, row) for row in channels)


def _budget(path: Path, row: Any) -> Budget:
    if not isinstance(row, Mapping):
        raise InputError(f"{path}: {row!r} is no budget", "write {name: ..., team: ..., limit: 5000 USD}")
    for key in row:
        if key not in KEYS:
            raise UnknownName("key of a budget", str(key), KEYS)
    scopes = [scope for scope in SCOPES if scope in row]
    name = str(row.get("name") or "-".join(f"{scope}-{row[scope]}" for scope in scopes))
    if len(scopes) != 1:
        said = " and ".join(scopes) or "nothing"
        raise InputError(f"{path}: budget {name or row!r} is of {said}", f"name one of {', '.join(SCOPES)}")
    if "limit" not in row:
        raise InputError(f"{path}: budget {name} has no limit", "write limit: 5000 USD")
    limit = parse(row["limit"], "usd", f"{path}: limit of budget {name}", positive=True)
    period, kind = str(row.get("period", "monthly")), str(row.get("kind", "soft"))
    if period not in PERIODS:
        raise UnknownName("period", period, PERIODS)
    if kind not in KINDS:
        raise UnknownName("kind of budget", kind, KINDS)
    alerts = row.get("alerts", USUAL_ALERTS)
    if not isinstance(alerts, list | tuple) or not alerts:
        raise InputError(f"{path}: alerts of budget {name} are no list", "write alerts: [50 %, 80 %, 100 %]")
    shares = tuple(sorted(parse(share, "fraction", f"{path}: alerts of budget {name}") for share in alerts))
    of = "" if scopes[0] == "total" else str(row[scopes[0]])
    return Budget(name, scopes[0], of, limit, period, kind, shares)


def _channel(path: Path, row: Any) -> Channel:
    if not isinstance(row, Mapping) or len(row) != 1:
        raise InputError(f"{path}: {row!r} is no channel", "write {webhook: https://...}")
    ((kind, to),) = row.items()
    if kind not in CHANNELS:
        raise UnknownName("channel", str(kind), CHANNELS)
    if kind in ("webhook", "alertmanager") and not str(to).startswith(("http://", "https://")):
        raise InputError(f"{path}: {to} is no URL", "write http://host:port or https://host/path")
    if kind == "email" and not (isinstance(to, Mapping) and {"to", "from", "smtp"} <= to.keys()):
        raise InputError(
            f"{path}: email needs to, from and smtp", "write email: {to: [a@b.c], from: a@b.c, smtp: host:25}"
        )
    return Channel(str(kind), to if isinstance(to, Mapping) else str(to))
