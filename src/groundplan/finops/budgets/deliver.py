"""Bring alerts to people: a file, a webhook, mail, Alertmanager. A channel that fails keeps no other from it."""

from __future__ import annotations

import json
import smtplib
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from groundplan.finops.budgets.check import Alert
from groundplan.finops.budgets.reading import Channel

TIMEOUT_S = 10.0
TRIES = 3
PAUSE_S = 0.5


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of alerts on one channel."""

    channel: str
    to: str
    delivered: int
    error: str | None


def deliver(alerts: Sequence[Alert], channels: Sequence[Channel], day: date) -> tuple[Delivery, ...]:
    """Send all alerts to every channel; nothing is sent where there are none."""
    send: dict[str, Callable[[Sequence[Alert], Any, date], None]] = {
        "file": _file,
        "webhook": _webhook,
        "email": _email,
        "alertmanager": _alertmanager,
    }
    done = []
    for channel in channels if alerts else ():
        to = channel.to if isinstance(channel.to, str) else ", ".join(_list(channel.to["to"]))
        try:
            send[channel.kind](alerts, channel.to, day)
            done.append(Delivery(channel.kind, to, len(alerts), None))
        except (OSError, smtplib.SMTPException, ValueError) as error:
            done.append(Delivery(channel.kind, to, 0, str(error) or type(error).__name__))
    return tuple(done)


def as_json(alert: Alert, day: date) -> dict[str, Any]:
    """Return an alert as channels carry it."""
    budget = alert.budget
    return {
        "day": day.isoformat(),
        "budget": budget.name,
        "scope": budget.scope,
        "of": budget.of,
        "kind": alert.kind,
        "severity": alert.severity,
        "amount_usd": f"{alert.amount:.2f}",
        "limit_usd": f"{budget.limit_usd:.2f}",
        "share": round(alert.share, 6),
        "text": alert.text,
    }


def _file(alerts: Sequence[Alert], to: str, day: date) -> None:
    lines = "".join(json.dumps(as_json(alert, day)) + "\n" for alert in alerts)
    with Path(to).open("a", encoding="utf-8") as file:
        file.write(lines)


def _webhook(alerts: Sequence[Alert], to: str, day: date) -> None:
    _post(to, {"alerts": [as_json(alert, day) for alert in alerts], "text": "\n".join(alert.text for alert in alerts)})


def _alertmanager(alerts: Sequence[Alert], to: str, day: date) -> None:
    """Post to Alertmanager's second API; equal labels are one alert to it, however often it is sent."""
    starts = datetime(day.year, day.month, day.day, tzinfo=UTC).isoformat()
    body = [
        {
            "labels": {
                "alertname": f"Budget{alert.kind.capitalize()}",
                "budget": alert.budget.name,
                "scope": alert.budget.scope,
                "of": alert.budget.of or "all",
                "severity": alert.severity,
            },
            "annotations": {"summary": alert.text, "amount_usd": f"{alert.amount:.2f}"},
            "startsAt": starts,
        }
        for alert in alerts
    ]
    _post(to.rstrip("/") + "/api/v2/alerts", body)


def _post(url: str, body: Any) -> None:
    """Post JSON; a refusal is final, silence and errors of the server are tried again."""
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    for left in reversed(range(TRIES)):
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S):
                return
        except urllib.error.HTTPError as error:
            if error.code < 500 or not left:
                raise OSError(f"{url} answered {error.code} {error.reason}") from None
        except OSError as error:
            if not left:
                raise OSError(f"{url} does not answer: {getattr(error, 'reason', error)}") from None
        time.sleep(PAUSE_S)


def _email(alerts: Sequence[Alert], to: dict[str, Any], day: date) -> None:
    message = EmailMessage()
    message["Subject"] = f"Budgets on {day}: {len(alerts)} alert{'s' if len(alerts) > 1 else ''}"
    message["From"], message["To"] = str(to["from"]), ", ".join(_list(to["to"]))
    message.set_content("\n\n".join(f"[{alert.severity}] {alert.text}" for alert in alerts))
    host, _, port = str(to["smtp"]).partition(":")
    with smtplib.SMTP(host, int(port or 25), timeout=TIMEOUT_S) as server:
        server.send_message(message)


def _list(to: Any) -> list[str]:
    return [str(one) for one in to] if isinstance(to, list | tuple) else [str(to)]
