"""The doors of a server: tokens of a file, and sessions of people whom a provider vouches for."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, timedelta
from pathlib import Path

from itsdangerous import BadSignature, URLSafeTimedSerializer

from groundplan.web.access.provider import Provider
from groundplan.web.access.tokens import Role, Token, holder, read_tokens

REREAD_S = 1.0
EIGHT_HOURS_S = 8 * 3600
SALT = "groundplan-session"


class Doors:
    """Who may come in.

    Parameters
    ----------
    tokens : Path, optional
        File of tokens.
    provider : Provider, optional
        Who vouches for people.
    key : str
        What their sessions are signed with; the same for all workers of a server.
    """

    def __init__(self, tokens: Path | None, provider: Provider | None = None, key: str = "") -> None:
        self.tokens = tokens
        self.provider = provider
        self.key = key
        self._sessions = URLSafeTimedSerializer(key, salt=SALT)
        self._read: tuple[float, list[Token]] = (0.0, [])

    def holder(self, secret: str) -> Token | None:
        """Return who holds a secret, or whose session it is; None where it is neither."""
        if not secret:
            return None
        return holder(self._known(), secret) or self._in_session(secret)

    def session(self, name: str, role: Role, teams: Sequence[str]) -> str:
        """Return the secret of a session of eight hours: signed, kept nowhere."""
        signed: str = self._sessions.dumps([name, role, list(teams)])
        return signed

    def _in_session(self, secret: str) -> Token | None:
        if self.provider is None:
            return None
        try:
            (name, role, teams), since = self._sessions.loads(secret, max_age=EIGHT_HOURS_S, return_timestamp=True)
        except BadSignature:
            return None
        expires = since + timedelta(seconds=EIGHT_HOURS_S)
        return Token(name, Role(role), tuple(teams), expires.astimezone(UTC), "")

    def _known(self) -> list[Token]:
        """Return the tokens of the file, as it was a second ago at most."""
        now = time.monotonic()
        if self.tokens is not None and (not self._read[1] or now - self._read[0] > REREAD_S):
            self._read = now, read_tokens(self.tokens)
        return self._read[1]
