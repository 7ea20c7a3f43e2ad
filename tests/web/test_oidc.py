"""People whom a provider vouches for come in with their role and teams; a false word lets nobody in."""

from __future__ import annotations

import base64
import hashlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

pytest.importorskip("authlib", reason="needs the oidc extra")

import httpx2
import uvicorn
from fastapi.testclient import TestClient
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse
from starlette.routing import Route

from groundplan.errors import InputError, UnknownName
from groundplan.web.access.doors import Doors
from groundplan.web.access.provider import Provider, read_provider
from groundplan.web.access.tokens import Role
from groundplan.web.app import create_app

CLIENT, SECRET = "groundplan", "s3cret"
HTML = {"accept": "text/html"}


class Vouching:
    """A provider as small as the protocol allows; `claims` are whom it vouches for, `key` what it signs with."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self.published = self.key = RSAKey.generate_key(2048, {"kid": "one"})
        self.claims: dict[str, Any] = {"sub": "1", "email": "ann@example.com", "groups": ["vision", "ml"]}
        self.nonce: str | None = None
        self._asked: dict[str, str] = {}

    def app(self) -> Starlette:
        return Starlette(routes=[
            Route("/.well-known/openid-configuration", self._described),
            Route("/authorize", self._authorize),
            Route("/token", self._token, methods=["POST"]),
            Route("/keys", self._keys),
        ])  # fmt: skip

    def _described(self, request: Request) -> JSONResponse:
        places = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
        return JSONResponse({
            "issuer": self.issuer, **{name: f"{self.issuer}/{path}" for name, path in places.items()},
            "response_types_supported": ["code"], "id_token_signing_alg_values_supported": ["RS256"],
        })  # fmt: skip

    def _authorize(self, request: Request) -> RedirectResponse:
        self._asked = dict(request.query_params)
        assert self._asked["code_challenge_method"] == "S256" and "openid" in self._asked["scope"]
        back = {"code": "c0de", "state": self._asked["state"]}
        return RedirectResponse(f"{self._asked['redirect_uri']}?{urlencode(back)}")

    async def _token(self, request: Request) -> JSONResponse:
        sent = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        told = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        proof = base64.urlsafe_b64encode(hashlib.sha256(sent["code_verifier"].encode()).digest()).rstrip(b"=").decode()
        if request.headers["authorization"] != f"Basic {told}" or proof != self._asked["code_challenge"]:
            return JSONResponse({"error": "invalid_client"}, 401)
        now = int(time.time())
        word = {
            "iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 60, "nonce": self._asked["nonce"], **self.claims
        }  # fmt: skip
        signed = jwt.encode({"alg": "RS256", "kid": "one"}, word, self.key)
        return JSONResponse({"access_token": "a", "token_type": "Bearer", "id_token": signed})

    def _keys(self, request: Request) -> JSONResponse:
        return JSONResponse({"keys": [{**self.published.as_dict(private=False), "kid": "one"}]})


@pytest.fixture()
def vouching() -> Iterator[Vouching]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    provider = Vouching(f"http://127.0.0.1:{port}")
    server = uvicorn.Server(uvicorn.Config(provider.app(), port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield provider
    server.should_exit = True
    thread.join()


def asking(vouching: Vouching, folder: Path, **roles: tuple[str, ...]) -> TestClient:
    given = {Role(name): groups for name, groups in roles.items()}
    provider = Provider(vouching.issuer, CLIENT, SECRET, "openid email", "groups", given, None)
    app = create_app(folder, doors=Doors(None, provider, "k" * 32))
    return TestClient(app, base_url="http://127.0.0.1", headers=HTML, raise_server_exceptions=False)


def log_in(client: TestClient) -> Any:
    """Go the way of a browser: to the provider, which answers over the network, and back."""

    led = client.get("/login/oidc", follow_redirects=False)
    assert led.status_code in (302, 303), led.text
    back = httpx2.get(led.headers["location"], follow_redirects=False).headers["location"]
    parts = urlsplit(back)
    return client.get(f"{parts.path}?{parts.query}", follow_redirects=False)


def test_who_is_vouched_for_comes_in_with_role_and_teams(vouching: Vouching, tmp_path: Path) -> None:
    client = asking(vouching, tmp_path, editor=("ml",), admin=("root",))
    assert client.get("/memory", follow_redirects=False).headers["location"] == "/login"
    assert "/login/oidc" in client.get("/login").text
    entered = log_in(client)
    cookies = "\n".join(entered.headers.get_list("set-cookie")).lower()
    assert entered.status_code == 200 and "samesite=strict" in cookies and "httponly" in cookies
    assert client.get("/memory?model=7B").status_code == 200
    assert client.post("/api/v1/jobs", json={"task": "memory", "query": "model=7B"}).status_code == 202
    client.post("/logout")
    assert client.get("/memory", follow_redirects=False).status_code == 303


def test_a_false_word_lets_nobody_in(vouching: Vouching, tmp_path: Path) -> None:
    client = asking(vouching, tmp_path)
    for changed in ({"iss": "https://evil.example"}, {"aud": "another"}, {"exp": 1}, {"nonce": "replayed"}):
        vouching.claims = {"sub": "1", "email": "ann@example.com", **changed}
        assert log_in(client).status_code == 403, changed
    vouching.claims = {"sub": "1"}
    vouching.key = RSAKey.generate_key(2048, {"kid": "one"})  # not the one it publishes
    assert log_in(client).status_code == 403
    assert client.get("/login/oidc/back?code=c0de&state=made-up").status_code == 403
    assert client.get("/login/oidc/back?error=access_denied").status_code == 403
    assert client.get("/memory", follow_redirects=False).status_code == 303


def test_a_session_is_signed_and_groups_may_be_needed(vouching: Vouching, tmp_path: Path) -> None:
    client = asking(vouching, tmp_path, viewer=("others",))
    assert log_in(client).status_code == 403  # none of her groups has a role
    doors = Doors(None, Provider(vouching.issuer, CLIENT, SECRET, "", "groups", {}, None), "k" * 32)
    secret = doors.session("ann", Role.EDITOR, ["vision"])
    held = doors.holder(secret)
    assert held is not None and (held.name, held.role, held.teams) == ("ann", Role.EDITOR, ("vision",))
    assert doors.holder(secret[:-2]) is None
    assert Doors(None, doors.provider, "another key" * 3).holder(secret) is None
    assert Doors(None, None, "k" * 32).holder(secret) is None


def test_a_provider_that_does_not_answer_is_said(vouching: Vouching, tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        vouching.issuer = f"http://127.0.0.1:{unused.getsockname()[1]}"
        answer = asking(vouching, tmp_path).get("/login/oidc", follow_redirects=False)
    assert answer.status_code == 503 and "does not answer" in answer.text


def test_the_file_of_a_provider_is_read_and_its_faults_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "oidc.yaml"
    good = "issuer: https://id.example.com/\nclient_id: groundplan\nclient_secret_env: OIDC_SECRET\n"
    path.write_text(good + "roles: {admin: [ml-platform], editor: [ml]}\n")
    with pytest.raises(InputError, match="OIDC_SECRET is not set"):
        read_provider(path)
    monkeypatch.setenv("OIDC_SECRET", "x")
    provider = read_provider(path)
    assert provider.issuer == "https://id.example.com"
    assert provider.role_of(["ml", "ml-platform"]) is Role.ADMIN and provider.role_of([]) is Role.VIEWER
    for text, words in (
        ("client_id: x\nclient_secret_env: OIDC_SECRET\n", "names no issuer"),
        (good.replace("https", "http"), "https"),
        (good + "roles: [admin]\n", "no mapping"),
        (good + "roles: {admin: ml}\n", "no list"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=words):
            read_provider(path)
    for text in (good + "rolez: {}\n", good + "roles: {root: [ml]}\n"):
        path.write_text(text)
        with pytest.raises(UnknownName):
            read_provider(path)
