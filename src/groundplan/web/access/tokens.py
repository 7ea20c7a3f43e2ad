"""API tokens: who may ask, as what, until when. Only hashes are kept."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from groundplan.atomic import write_whole
from groundplan.errors import InputError, UnknownName

PREFIX = "gp_"
SECRET_BYTES = 32
LONGEST_NAME = 64
OWNER = 0o600  # reads and writes; nobody else does


class Role(StrEnum):
    """What a token may do; each may do what those before it may."""

    VIEWER = "viewer"  # ask questions, see the accounts of its teams
    EDITOR = "editor"  # and start long tasks
    ADMIN = "admin"  # and see all accounts


@dataclass(frozen=True, slots=True)
class Token:
    """A token without its secret. `teams` are those whose accounts it may see; admins see all."""

    name: str
    role: Role
    teams: tuple[str, ...]
    expires: datetime
    secret_hash: str

    def may(self, role: Role) -> bool:
        """Say whether it may do what `role` may."""
        ranks = list(Role)
        return ranks.index(self.role) >= ranks.index(role)


def sees_all(token: Token | None) -> bool:
    """Say whether who asks sees the accounts of all: an admin, and everybody on a server without doors."""
    return token is None or token.role is Role.ADMIN


def read_tokens(path: Path) -> list[Token]:
    """Return the tokens of a file.

    Raises
    ------
    InputError
        It cannot be read, or is none.
    """
    if not path.exists():
        return []
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["tokens"]
        return [
            Token(
                row["name"],
                Role(row["role"]),
                tuple(row["teams"]),
                datetime.fromisoformat(row["expires"]),
                row["secret_hash"],
            )
            for row in rows
        ]
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", "name a file of tokens") from None
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{path} is no file of tokens", "make one: groundplan token add NAME --tokens FILE") from None


def add_token(path: Path, name: str, role: str, teams: Iterable[str], days: float) -> str:
    """Add a token to a file that only its owner can read, and return its secret, which is kept nowhere.

    Raises
    ------
    InputError, UnknownName
        A name that is taken or odd, a role there is not, a time that has passed.
    """
    tokens = read_tokens(path)
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise InputError(f"a token cannot be called {name[:LONGEST_NAME]!r}", f"use up to {LONGEST_NAME} letters")
    if any(token.name == name for token in tokens):
        raise InputError(f"there is a token {name!r} already", "choose another name, or revoke it first")
    if role not in list(Role):
        raise UnknownName("role", role, list(Role))
    if not 0.0 < days <= 3660.0:
        raise InputError(f"a token cannot expire in {days:g} days", "give more than 0 and at most 3660")
    secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    expires = datetime.now(UTC) + timedelta(days=days)
    write_tokens(path, [*tokens, Token(name, Role(role), tuple(teams), expires, hashed(secret))])
    return secret


def revoke_token(path: Path, name: str) -> None:
    """Take a token out of a file.

    Raises
    ------
    UnknownName
        There is no such token.
    """
    tokens = read_tokens(path)
    if all(token.name != name for token in tokens):
        raise UnknownName("token", name, [token.name for token in tokens])
    write_tokens(path, [token for token in tokens if token.name != name])


def write_tokens(path: Path, tokens: Iterable[Token]) -> None:
    """Write tokens in one step, for the owner's eyes alone.

    Raises
    ------
    GroundplanError
        The file system refuses.
    """
    rows = [{**asdict(token), "expires": token.expires.isoformat()} for token in tokens]
    write_whole(path, json.dumps({"tokens": rows}, indent=1).encode(), OWNER)


def hashed(secret: str) -> str:
    """Return the hash of a secret. Secrets are 256 random bits, so a plain hash cannot be guessed back."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def holder(tokens: Iterable[Token], secret: str) -> Token | None:
    """Return the token of a secret that has not expired; every token is compared, each in the same time."""
    own, found = hashed(secret), None
    for token in tokens:
        if hmac.compare_digest(token.secret_hash, own) and token.expires > datetime.now(UTC):
            found = token
    return found
