"""Without a token nothing is answered but what must be; too much, too often and from elsewhere is turned away."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from starlette.routing import Mount

from groundplan.errors import InputError, UnknownName
from groundplan.web.access import guard
from groundplan.web.access.doors import Doors
from groundplan.web.access.guard import LARGEST_BODY
from groundplan.web.access.tokens import Role, Token, add_token, hashed, holder, read_tokens, revoke_token, write_tokens
from groundplan.web.app import create_app
from groundplan.web.serving import Settings, serve

HTML = {"accept": "text/html"}


@pytest.fixture()
def tokens(tmp_path: Path) -> Path:
    return tmp_path / "tokens.json"


@pytest.fixture()
def guarded(tokens: Path, tmp_path: Path) -> Iterator[tuple[TestClient, str]]:
    secret = add_token(tokens, "ann", "viewer", ["vision"], 1.0)
    app = create_app(tmp_path, doors=Doors(tokens), audit=tmp_path / "audit.log", hosts=("127.0.0.1", "localhost"))
    yield TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False), secret


def test_every_route_asks_for_a_token(guarded: tuple[TestClient, str]) -> None:
    client, secret = guarded
    routes = [route for route in client.app.routes if not isinstance(route, Mount)]  # type: ignore[attr-defined]
    assert len(routes) > 60
    for route in routes:
        path = getattr(route, "path", "/api/v1/memory")
        for part in ("{name}", "{name:path}", "{metric}", "{kind}", "{what}", "{job_id}"):
            path = path.replace(part, "x")
        for method in sorted(getattr(route, "methods", None) or {"GET"}):
            if path in guard.OPEN or path.startswith(guard.OPEN_FOLDERS):
                continue
            answer = client.request(method, path)
            assert answer.status_code == 401, (method, path)
            if method != "HEAD":
                assert answer.json()["mend"].startswith("send Authorization")
            wrong = client.request(method, path, headers={"authorization": "Bearer gp_wrong"})
            assert wrong.status_code == 401, (method, path)
    assert client.get("/api/v1/memory?model=7B", headers={"authorization": f"Bearer {secret}"}).status_code == 200


def test_a_person_logs_in_with_a_token_and_out(guarded: tuple[TestClient, str]) -> None:
    client, secret = guarded
    assert client.get("/memory", headers=HTML, follow_redirects=False).headers["location"] == "/login"
    assert "no such token" in client.post("/login", data={"token": "gp_wrong"}, headers=HTML).text
    entered = client.post("/login", data={"token": secret}, headers=HTML, follow_redirects=False)
    cookie = entered.headers["set-cookie"].lower()
    assert entered.status_code == 303 and "httponly" in cookie and "samesite=strict" in cookie
    assert client.get("/memory?model=7B", headers=HTML).status_code == 200
    client.post("/logout", headers=HTML)
    assert client.get("/memory", follow_redirects=False, headers=HTML).status_code == 303


def test_another_site_another_name_and_too_much_are_turned_away(guarded: tuple[TestClient, str]) -> None:
    client, secret = guarded
    own = {"authorization": f"Bearer {secret}"}
    body = {"model": "7B"}
    assert client.post("/api/v1/memory", json=body, headers=own | {"sec-fetch-site": "cross-site"}).status_code == 403
    assert client.get("/memory", headers=own | {"host": "evil.example"}).status_code == 403
    assert client.get("/healthz", headers={"host": "127.0.0.1:8700"}).status_code == 200
    large = client.post("/api/v1/memory", content=b"x" * (LARGEST_BODY + 1), headers=own)
    assert large.status_code == 413
    chunks = (b"x" * 65536 for _ in range(40))
    assert client.post("/api/v1/memory", content=chunks, headers=own).status_code == 413
    assert client.get("/memory", headers=own | {"content-length": "nonsense"}).status_code in (400, 413)


def test_one_asker_does_not_take_everybodys_time(
    guarded: tuple[TestClient, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, secret = guarded
    monkeypatch.setattr(guard, "MANY", 5)
    own = {"authorization": f"Bearer {secret}"}
    codes = [client.get("/readyz", headers=own).status_code for _ in range(7)]
    assert codes == [200] * 5 + [429] * 2
    assert client.get("/healthz").status_code == 200  # another asker


def test_the_log_says_who_asked_and_never_the_secret(guarded: tuple[TestClient, str], tmp_path: Path) -> None:
    client, secret = guarded
    client.get("/memory?model=7B", headers={"authorization": f"Bearer {secret}"})
    client.get("/memory%0d%0ax?model=7B")
    lines = [json.loads(line) for line in (tmp_path / "audit.log").read_text().splitlines()]
    assert [(line["who"], line["status"]) for line in lines] == [("ann", 200), (None, 401)]
    assert secret not in (tmp_path / "audit.log").read_text()


def test_only_hashes_are_kept_and_tokens_end(tokens: Path) -> None:
    secret = add_token(tokens, "bot", "editor", [], 1.0)
    assert secret not in tokens.read_text() and tokens.stat().st_mode & 0o077 == 0
    (token,) = read_tokens(tokens)
    assert token.may(Role.VIEWER) and token.may(Role.EDITOR) and not token.may(Role.ADMIN)
    assert holder([token], secret) == token and holder([token], secret + "x") is None
    past = Token("old", Role.ADMIN, (), datetime.now(UTC) - timedelta(seconds=1), hashed("s"))
    assert holder([past], "s") is None
    with pytest.raises(InputError, match="already"):
        add_token(tokens, "bot", "viewer", [], 1.0)
    with pytest.raises(UnknownName, match="role"):
        add_token(tokens, "b2", "root", [], 1.0)
    with pytest.raises(InputError, match="expire"):
        add_token(tokens, "b2", "viewer", [], float("nan"))
    revoke_token(tokens, "bot")
    assert read_tokens(tokens) == []
    write_tokens(tokens, [token])
    tokens.write_text('{"tokens": [{"name": 1}]}')
    with pytest.raises(InputError, match="no file of tokens"):
        read_tokens(tokens)


def test_it_does_not_listen_where_others_reach_it_without_tokens(tokens: Path) -> None:
    with pytest.raises(InputError, match="nobody would have to log in"):
        serve(Settings(host="0.0.0.0"))
    with pytest.raises(InputError, match="holds no token"):
        serve(Settings(host="0.0.0.0", tokens=str(tokens)))


def test_a_server_starts_answers_with_several_workers_and_stops_when_told(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "groundplan", "server", "--port", str(port), "--workers", "2"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, env=dict(os.environ)) as process:
        try:
            deadline = time.monotonic() + 60
            while True:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                assert time.monotonic() < deadline and process.poll() is None
                time.sleep(0.2)
            with socket.create_connection(("127.0.0.1", port)) as slow:  # a client that says half a request
                slow.sendall(b"GET /memory HTTP/1.1\r\nHost: 127.0.0.1\r\n")
                with socket.create_connection(("127.0.0.1", port), timeout=60) as other:
                    other.sendall(b"GET /memory?model=7B HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
                    assert b"200 OK" in other.recv(64)
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) in (0, -signal.SIGTERM)
        finally:
            process.kill()
    assert list(tmp_path.iterdir()) == []
