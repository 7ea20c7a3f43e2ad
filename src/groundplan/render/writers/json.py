"""The JSON contract as text: key order kept, the same bytes for the same result."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def write(result: Mapping[str, Any]) -> str:
    """Return the result as JSON, indented by two, with a newline at the end.

    >>> print(write({"schema": "groundplan/cost/1", "cost_usd": None}), end="")
    {
      "schema": "groundplan/cost/1",
      "cost_usd": null
    }
    """
    return json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
