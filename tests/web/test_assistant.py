"""An assistant's client, over standard input and output, gets the numbers of the API."""

from __future__ import annotations

import json
import sys
from typing import Any

import anyio
import pytest

pytest.importorskip("mcp", reason="needs the mcp extra")

from fastapi.testclient import TestClient
from mcp import ClientSession, StdioServerParameters, stdio_client

from groundplan.web.site import QUESTIONS

CALLS: list[tuple[str, dict[str, Any]]] = [
    ("memory", {"model": "llama-2-7b", "tp": 2}),
    ("cost", {"accelerators": 64, "hours": 72, "price": 3.0}),
    ("memory", {"model": "/etc/passwd"}),
    ("memory", {"modle": "7B"}),
    ("plan", {"brief": "train: {model: 7B, tokens: 1B}"}),
    ("plan", {"brief": "train: {model: {hf_config: /etc/passwd}, tokens: 1B}"}),
    ("catalog", {"kind": "accelerators", "name": "h100-sxm"}),
    ("catalog", {"kind": "models", "name": "/etc/passwd"}),
    ("nonsense", {}),
]


async def _talk() -> tuple[list[str], list[tuple[bool, str]]]:
    parameters = StdioServerParameters(command=sys.executable, args=["-m", "groundplan", "mcp"])
    async with stdio_client(parameters) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        names = [tool.name for tool in (await session.list_tools()).tools]
        answers = [await session.call_tool(name, arguments) for name, arguments in CALLS]
        return names, [(bool(answer.is_error), answer.content[0].text) for answer in answers]


def test_tools_answer_as_the_api_does_and_say_what_is_wrong(web: TestClient) -> None:
    names, answers = anyio.run(_talk)
    asked = {*(question.name for question in QUESTIONS), "plan", "catalog", "diff", "explain", "validate", "calibrate"}
    assert set(names) == asked | {"finops-tco"}
    said = json.loads(answers[0][1])
    api = web.post("/api/v1/memory", json=CALLS[0][1]).json()
    assert said == {key: value for key, value in api.items() if key != "explain"}
    assert json.loads(answers[1][1])["cost_usd"] == 13_824.0
    assert [wrong for wrong, _ in answers] == [False, False, True, True, False, True, False, True, True]
    assert "unknown model" in answers[2][1] and "modle" in answers[3][1] and "names a file" in answers[5][1]
