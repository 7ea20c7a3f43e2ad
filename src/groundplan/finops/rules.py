"""Whose a cost is: what tags and jobs say, by rules that a user may write down."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from groundplan.errors import InputError, UnknownName

DIMENSIONS = ("team", "project", "user", "experiment", "model", "job", "service", "provider")
# Tag keys under which bills usually carry an owner, tried in this order.
TAGS = {
    "team": ("team", "Team", "owner", "Owner", "cost-center", "CostCenter", "business_unit"),
    "project": ("project", "Project", "application", "Application"),
    "user": ("user", "User", "created-by", "aws:createdBy"),
    "experiment": ("experiment",),
    "model": ("model",),
}
SPLITS = ("own", "proportional", "even")
KEYS = ("tags", "names", "accounts", "users", "shared", "idle")


@dataclass(frozen=True, slots=True)
class Rules:
    """Rules of attribution.

    Parameters
    ----------
    tags : mapping
        Tag keys to look under, by dimension; the first that a charge carries counts.
    names : mapping
        Other spellings of an owner, each with the one to use.
    accounts : mapping
        Owners of provider sub-accounts, for charges without such a tag.
    users : mapping
        Teams of users, for jobs without an account.
    shared, idle : str
        What becomes of shared charges and of unallocated accelerators: ``own`` row, or divided in proportion to
        what each owner has, or evenly.
    """

    tags: Mapping[str, Sequence[str]] = field(default_factory=lambda: TAGS)
    names: Mapping[str, str] = field(default_factory=dict)
    accounts: Mapping[str, str] = field(default_factory=dict)
    users: Mapping[str, str] = field(default_factory=dict)
    shared: str = "own"
    idle: str = "own"

    def of_job(self, dimension: str, job: Mapping[str, Any]) -> str | None:
        """Return who or what a job counts for; None where nothing says."""
        if dimension == "job":
            return str(job["job_id"])
        labels = json.loads(job["labels"]) if job["labels"] else {}
        if dimension == "team":
            found = labels.get("team") or job["account"] or self.users.get(job["user"] or "")
        else:
            found = job["user"] if dimension == "user" else labels.get(dimension)
        return self.names.get(found, found) if found else None

    def of_charge(self, dimension: str, tags: Sequence[str | None], account: str | None) -> str | None:
        """Return who or what a charge counts for, from the values of its tags in the order of `tags`."""
        found = next((tag for tag in tags if tag), None)
        if found is None and dimension == "team":
            found = self.accounts.get(account or "")
        return self.names.get(found, found) if found else None


def read_rules(path: Path | None) -> Rules:
    """Return the rules of a YAML file, or the usual ones.

    Raises
    ------
    InputError, UnknownName
        The file cannot be read, or has a key or a value that means nothing.
    """
    if path is None:
        return Rules()
    try:
        written = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path} cannot be read as rules: {str(error).partition(chr(10))[0]}", "write YAML") from None
    if not isinstance(written, dict):
        raise InputError(f"{path} holds no rules", f"keys: {', '.join(KEYS)}")
    for key, value in written.items():
        if key not in KEYS:
            raise UnknownName("rule", str(key), KEYS)
        if key in ("shared", "idle"):
            if value not in SPLITS:
                raise UnknownName(f"way to divide {key} cost", str(value), SPLITS)
        elif not isinstance(value, dict):
            raise InputError(f"{path}: {key} is no mapping", f"write {key}: {{name: value}}")
    tags = {name: _keys(path, name, value) for name, value in written.get("tags", {}).items()}
    texts = {
        key: {str(name): str(value) for name, value in written.get(key, {}).items()}
        for key in ("names", "accounts", "users")
    }
    return Rules(TAGS | tags, **texts, shared=written.get("shared", "own"), idle=written.get("idle", "own"))


def _keys(path: Path, name: str, value: Any) -> tuple[str, ...]:
    if name not in TAGS:
        raise UnknownName("dimension of tags", name, TAGS)
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list) or not all(isinstance(key, str) for key in value):
        raise InputError(f"{path}: tags of {name} are no list of keys", f"write {name}: [team, Owner]")
    return tuple(value)
