"""Files that people send: read as the command reads them, bounded, and never a path of the server."""

from __future__ import annotations

import gzip
import io
import json
import shutil
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from groundplan.errors import InputError
from groundplan.web.access.doors import Doors
from groundplan.web.access.tokens import add_token
from groundplan.web.app import create_app
from groundplan.web.uploads import store as stores
from groundplan.web.uploads.store import Uploads

CONFIG = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 4096, "intermediate_size": 11008,
    "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 32, "vocab_size": 32000,
    "max_position_embeddings": 4096, "tie_word_embeddings": False, "hidden_act": "silu",
}  # fmt: skip
TRACE = "arrival_s,prompt_tokens,output_tokens\n0,100,20\n0.5,200,30\n1.0,50,10\n"


def send(client: TestClient, name: str, content: bytes) -> str:
    answer = client.post("/api/v1/uploads", files={"file": (name, content)})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["upload"])


def test_a_config_is_a_model_and_its_link_stays(web: TestClient) -> None:
    model = send(web, "../../config.json", json.dumps(CONFIG).encode())
    assert model == send(web, "config.json", json.dumps(CONFIG).encode())  # named by its content
    answer = web.get("/api/v1/memory", params={"model": model}).json()
    assert answer["parameters"] == web.get("/api/v1/memory?model=llama-2-7b").json()["parameters"]
    assert web.post("/api/v1/memory", json={"model": model}).json()["total_bytes"] == answer["total_bytes"]
    page = web.get("/memory", params={"model": model}).text
    assert "groundplan memory --model config.json" in page and model in page


def test_a_page_sends_a_trace_and_is_gone_back_to(web: TestClient) -> None:
    query = "model=llama-3.1-8b&accelerator=h100-sxm"
    assert "/upload/simulate-serve/requests?" in web.get(f"/simulate-serve?{query}").text
    led = web.post(
        f"/upload/simulate-serve/requests?{query}", files={"file": ("my trace.csv", TRACE.encode())},
        follow_redirects=False,
    )  # fmt: skip
    assert led.status_code == 303 and led.headers["location"].startswith("/simulate-serve?model=llama-3.1-8b&")
    page = web.get(led.headers["location"])
    assert page.status_code == 200 and "3 of 3 requests answered" in page.text
    assert "--requests my_trace.csv" in page.text


def test_what_is_wrong_with_a_file_is_said_without_its_place(web: TestClient) -> None:
    bad = send(web, "t.csv", b"arrival_s,prompt_tokens,output_tokens\n0,100,x\n")
    query = {"model": "llama-3.1-8b", "accelerator": "h100-sxm", "requests": bad}
    said = web.get("/api/v1/simulate-serve", params=query)
    assert said.status_code == 422 and said.json()["detail"].startswith("t.csv, line 2"), said.text
    model = send(web, "config.json", b"[]")
    assert "/" not in web.get("/api/v1/memory", params={"model": model}).json()["detail"]
    for token in ("upload:x", f"upload:{'0' * 64}/a.csv", f"upload:{'0' * 64}/../../etc/passwd", "/etc/passwd"):
        answer = web.get("/api/v1/simulate-serve", params={**query, "requests": token})
        assert answer.status_code == 422, token
    for path, files in (
        ("/upload/memory/tp", {"file": ("a", b"x")}),
        ("/upload/nothing/model", {"file": ("a", b"x")}),
        ("/upload/memory/model", {"file": ("a.json", b"")}),
        ("/upload/memory/model", {"other": ("a.json", b"x")}),
    ):
        assert web.post(path, files=files).status_code == 422, path


def test_floods_are_refused_and_the_oldest_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uploads = Uploads(tmp_path)
    monkeypatch.setattr(stores, "LARGEST_UNPACKED", 1 << 20)
    with pytest.raises(InputError, match="unpacks to more"):
        uploads.keep(io.BytesIO(gzip.compress(bytes(2 << 20))), "bomb.csv.gz")
    with pytest.raises(InputError, match="not sound gzip"):
        uploads.keep(io.BytesIO(b"no gzip"), "x.gz")
    monkeypatch.setattr(stores, "LARGEST", 1000)
    with pytest.raises(InputError, match="more than"):
        uploads.keep(io.BytesIO(bytes(1001)), "large.csv")
    assert [path for path in (tmp_path / "uploads").rglob("*") if path.is_file()] == []
    monkeypatch.setattr(stores, "LARGEST_ALL", 1500)
    tokens = [uploads.keep(io.BytesIO(bytes([number]) * 900), f"{number}.csv") for number in range(3)]
    assert uploads.path_of(tokens[-1]).read_bytes() == b"\2" * 900
    with pytest.raises(InputError, match="send the file again"):
        uploads.path_of(tokens[0])


def test_who_may_send(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens.json"
    client = TestClient(create_app(tmp_path, doors=Doors(tokens)), base_url="http://127.0.0.1")

    secrets = [add_token(tokens, role, role, [], 1.0) for role in ("viewer", "editor")]
    codes = [
        client.post(
            "/api/v1/uploads", files={"file": ("a.json", b"{}")}, headers={"authorization": f"Bearer {secret}"}
        ).status_code
        for secret in secrets
    ]
    assert codes == [403, 201]
    large = client.post("/api/v1/uploads", content=b"", headers={"content-length": str(1 << 40)})
    assert large.status_code == 413


def test_a_bill_is_imported_once_and_by_who_may(lake: str, tmp_path: Path) -> None:
    own = tmp_path / "lake"
    shutil.copytree(lake, own)
    tokens = tmp_path / "tokens.json"
    bill = next((Path(lake).parent / "w" / "bill").iterdir())
    client = TestClient(create_app(tmp_path, str(own)), base_url="http://127.0.0.1")
    before = client.get("/api/v1/finops/allocate").json()["total_usd"]
    page = client.post("/explorer/import", files={"file": (bill.name, bill.read_bytes())})
    assert page.status_code == 200 and "already" in page.text
    assert client.get("/api/v1/finops/allocate").json()["total_usd"] == before
    wrong = client.post("/explorer/import", files={"file": ("notes.txt", b"hello")}, headers={"accept": "text/html"})
    assert wrong.status_code == 422 and str(tmp_path) not in wrong.text
    secret = add_token(tokens, "ann", "editor", [], 1.0)
    guarded = TestClient(create_app(tmp_path, str(own), Doors(tokens)), base_url="http://127.0.0.1")
    refused = guarded.post(
        "/explorer/import", files={"file": ("b.csv", b"x")}, headers={"authorization": f"Bearer {secret}"}
    )
    assert refused.status_code == 403
