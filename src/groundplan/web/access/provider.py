"""Who vouches for people that have no token: a file says which OpenID Connect provider, and what its groups may do."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from groundplan.errors import InputError, UnknownName
from groundplan.web.access.tokens import Role
from groundplan.workload.yaml_source import load_yaml, read_text

KEYS = ("issuer", "client_id", "client_secret_env", "scope", "teams_claim", "roles", "address")


@dataclass(frozen=True, slots=True)
class Provider:
    """Who vouches, and what of their word makes a role and teams.

    `roles` says which groups have a role; where no group has ``viewer``, whoever the provider lets in is one.
    `address` is how people reach this server, where a proxy stands before it.
    """

    issuer: str
    client_id: str
    client_secret: str
    scope: str
    teams_claim: str
    roles: Mapping[Role, tuple[str, ...]]
    address: str | None

    def role_of(self, groups: Iterable[str]) -> Role | None:
        """Return the highest role that groups give; None where they give none."""
        own = set(groups)
        given = [role for role in Role if own & set(self.roles.get(role, ()))]
        if given:
            return given[-1]
        return None if Role.VIEWER in self.roles else Role.VIEWER


def read_provider(path: Path) -> Provider:
    """Return the provider of a YAML file; its secret stands in the environment, never in the file.

    Raises
    ------
    InputError, UnknownName
        It cannot be read, says what nobody understands, or lacks what is needed.
    """
    data = load_yaml(read_text(path), str(path)).data
    for key in data:
        if key not in KEYS:
            raise UnknownName(f"key of {path}", str(key), KEYS)
    for key in ("issuer", "client_id", "client_secret_env"):
        if not isinstance(data.get(key), str):
            raise InputError(f"{path} names no {key}", f"add {key}: TEXT")
    secret = os.environ.get(data["client_secret_env"], "")
    if not secret:
        raise InputError(f"{data['client_secret_env']} is not set", "export the secret of the client in it")
    if not data["issuer"].startswith(("https://", "http://127.0.0.1", "http://localhost")):
        raise InputError(f"the issuer {data['issuer']!r} is not asked by https", "give its https:// address")
    return Provider(
        data["issuer"].rstrip("/"),
        data["client_id"],
        secret,
        str(data.get("scope", "openid profile email")),
        str(data.get("teams_claim", "groups")),
        _roles(path, data.get("roles") or {}),
        data.get("address"),
    )


def _roles(path: Path, given: Any) -> dict[Role, tuple[str, ...]]:
    if not isinstance(given, Mapping):
        raise InputError(f"roles of {path} is no mapping", "write role: [group, ..]")
    for role, groups in given.items():
        if role not in list(Role):
            raise UnknownName("role", str(role), list(Role))
        if not isinstance(groups, list) or not all(isinstance(group, str) for group in groups):
            raise InputError(f"roles.{role} of {path} is no list of groups", f"write {role}: [group, ..]")
    return {Role(role): tuple(groups) for role, groups in given.items()}
