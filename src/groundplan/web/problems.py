"""Errors over HTTP: problem details (RFC 9457) for programs, a page for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from groundplan.errors import GroundplanError, UnknownName
from groundplan.web.site import status_of

MEDIA_TYPE = "application/problem+json"
TITLES = {
    400: "Bad request",
    401: "Not logged in",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    413: "Too large",
    415: "Unsupported media type",
    422: "Impossible request",
    429: "Too many requests",
    500: "Internal error",
    503: "Not ready",
}

PROBLEM = {
    "description": "What was wrong, and how to mend it",
    "content": {
        MEDIA_TYPE: {
            "schema": {
                "type": "object",
                "required": ["type", "title", "status", "detail"],
                "properties": {
                    "type": {"type": "string"},
                    "title": {"type": "string"},
                    "status": {"type": "integer"},
                    "detail": {"type": "string"},
                    "mend": {"type": "string"},
                    "nearest": {"type": "array", "items": {"type": "string"}},
                },
            },
            "example": {
                "type": "about:blank",
                "title": "Impossible request",
                "status": 422,
                "detail": "unknown accelerator 'h10'",
                "mend": "did you mean h100-sxm?",
                "nearest": ["h100-sxm"],
            },
        }
    },
}
PROBLEMS: dict[int | str, dict[str, Any]] = {400: PROBLEM, 422: PROBLEM}


def problem(
    status: int,
    detail: str,
    mend: str = "",
    headers: Mapping[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> Response:
    """Return problem details; `mend` says how to mend it."""
    body = {"type": "about:blank", "title": TITLES.get(status, "Error"), "status": status, "detail": detail}
    text = json.dumps({**body, **({"mend": mend} if mend else {}), **(more or {})}, ensure_ascii=False)
    return Response(text.encode("utf-8", "replace"), status, headers, MEDIA_TYPE)


def problem_of(error: GroundplanError) -> Response:
    """Return an error of the engine as problem details."""
    more = {"nearest": error.nearest} if isinstance(error, UnknownName) and error.nearest else {}
    return problem(status_of(error), error.what, error.mend, more=more)
