"""Rows a user adds in a folder of their own: inherited, checked, known to every lookup."""

from __future__ import annotations

import pytest

from groundplan.catalog.catalog import load_catalog
from groundplan.errors import GroundplanError, InputError, UnknownName
from groundplan.evidence import Evidence

GPU = """
accelerators:
  my-gpu: {like: H100, memory: 96 GB, source: "vendor quote of 2026-10-02"}
"""


@pytest.fixture
def with_rows(tmp_path):
    def load(text: str, name: str = "rows.yaml"):
        (tmp_path / name).write_text(text)
        return load_catalog([tmp_path])

    return load


def test_a_row_inherits_what_it_does_not_say(with_rows):
    own, h100 = (with_rows(GPU).accelerator(name) for name in ("My GPU", "h100-sxm"))
    assert own.memory_bytes == 96e9 and own.flops == h100.flops and own.aliases == ()
    assert own.figures["memory"].source == "vendor quote of 2026-10-02"
    assert own.figures["memory"].evidence is Evidence.PUBLISHED
    assert own.figures["peak_bf16"].source == h100.figures["peak_bf16"].source


def test_aliases_go_on_meaning_the_row_they_meant(with_rows):
    assert with_rows(GPU).accelerator("H100").id == "h100-sxm"


def test_a_users_row_replaces_the_built_in_one(with_rows):
    tdp = '{value: 500, unit: W, source: "our BIOS", evidence: measured}'
    text = f"accelerators: {{h100-sxm: {{like: h100-sxm, tdp: {tdp}}}}}"
    h100 = with_rows(text).accelerator("h100-sxm")
    assert h100.tdp_w == 500 and h100.figures["tdp"].evidence is Evidence.MEASURED and h100.compute_units == 132


def test_a_row_may_be_like_another_of_the_users_rows(with_rows):
    text = GPU + '  my-gpu-2: {like: my-gpu, memory: unknown, source: "vendor quote"}\n'
    own = with_rows(text).accelerators["my-gpu-2"]
    assert own.memory_bytes is None and own.figures["memory"].evidence is Evidence.UNKNOWN


def test_a_host_and_its_price_are_known_to_every_lookup(with_rows):
    catalog = with_rows(
        GPU
        + """
hosts:
  my-host:
    {provider: on-prem, accelerator: my-gpu, accelerators: 8, scaleup_domain: 8, nic: 3.2 Tb/s, fabric: infiniband-ndr,
     memory: 2 TiB, source: our rack}
prices:
  - {host: my-host, option: owned, usd_per_hour: 12.5, date: 2026-10-02, source: controlling}
"""
    )
    (price,) = catalog.prices_of("my-host", option="owned")
    assert (price.usd_per_hour, price.provider, price.date) == (12.5, "on-prem", "2026-10-02")
    assert catalog.host("my host").nic_bits_per_s == 3.2e12
    assert catalog.prices_of("my-host", option="spot") == []


def test_the_version_says_that_there_are_rows_of_the_user(with_rows, tmp_path):
    plain, own = load_catalog([]).version, with_rows(GPU).version
    assert own.startswith(plain + "+") and own == load_catalog([tmp_path]).version
    assert with_rows(GPU + "\n# changed").version != own


def test_the_folder_of_the_environment_is_read(tmp_path, monkeypatch):
    (tmp_path / "rows.yaml").write_text(GPU)
    monkeypatch.setenv("GROUNDPLAN_CATALOG", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert "my-gpu" in load_catalog().accelerators


def test_groundplan_d_beside_the_user_is_read(tmp_path, monkeypatch):
    (tmp_path / "groundplan.d").mkdir()
    (tmp_path / "groundplan.d" / "a.yml").write_text(GPU)
    monkeypatch.delenv("GROUNDPLAN_CATALOG", raising=False)
    monkeypatch.chdir(tmp_path)
    assert "my-gpu" in load_catalog().accelerators


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("accelerators: {my-gpu: {like: h100-sxm, memory: 96 GB}}", r"rows.yaml:1: accelerator my-gpu has no source"),
        ("accelerators:\n  x: {like: h100-sxm, memory: 96 parsecs, source: s}", r"rows.yaml:2.*memory '96 parsecs'"),
        ("accelerators:\n  x: {like: h100-sxm, memory: -1 GB, source: s}", r"rows.yaml:2.*memory"),
        ("accelerators:\n  x: {vendor: me, source: s}", r"rows.yaml:2: accelerator x.*missing"),
        ("accelerators:\n  x: {like: x, source: s, tdp: 1 W}", r"after 'like:' in .*rows.yaml:2: 'x'"),
        ("accelerators:\n  x: {like: y, source: s}\n  y: {like: x, source: s}", r"rows.yaml:\d.*like itself"),
        ("accelerators:\n  x: {like: h100-sxm}\n  x: {like: l4}", r"rows.yaml:3: x is given twice"),
        ("accelerators: [1, 2]", r"rows.yaml:1: expected"),
        ("just text", r"rows.yaml:1"),
        ("accelerators: {x: {a: [}}", r"rows.yaml:1"),
        ("prices: [{host: h100-sxm, usd_per_hour: 3}]", r"rows.yaml:1: price has no source"),
        ("prices: [{host: h, usd_per_hour: lots, source: s}]", r"'lots' is no price"),
        ("prices: [{host: h, usd_per_hour: 3, source: s, date: yesterday}]", r"'yesterday'"),
        ("prices: [{host: no-such-host-at-all, usd_per_hour: 3, source: s}]", r"host of .*rows.yaml:1: 'no-such"),
    ],
)
def test_a_mistake_names_file_and_line(with_rows, text, said):
    with pytest.raises(InputError, match=said) as caught:
        load_all(with_rows(text))
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ("accelerators: {x: {like: h100-sxm, memry: 96 GB, source: s}}", "memory"),
        ("accelerator: {x: {like: h100-sxm, source: s}}", "accelerators"),
        ("accelerators: {x: {like: h100-sxn, memory: 96 GB, source: s}}", "h100-sxm"),
        ("prices: [{host: h, usd_per_hour: 3, source: s, option: ondemand}]", "on_demand"),
        ("accelerators: {x: {like: h100-sxm, tdp: 5 W, source: s, evidence: measurd}}", "measured"),
    ],
)
def test_a_misspelling_gets_the_nearest(with_rows, text, nearest):
    with pytest.raises(UnknownName) as caught:
        load_all(with_rows(text))
    assert nearest in caught.value.nearest


@pytest.mark.parametrize(
    "garbage", [b"\xff\xfe\x00garbage", b"\x00" * 5_000_000, b"[" * 20_000, b"!!python/object:os.system x"]
)
def test_garbage_is_refused_in_one_line(tmp_path, garbage):
    (tmp_path / "rows.yaml").write_bytes(garbage)
    with pytest.raises(GroundplanError) as caught:
        load_all(load_catalog([tmp_path]))
    assert "rows.yaml" in caught.value.what and "\n" not in caught.value.what


def test_a_models_file_of_the_user_is_a_model(tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine.json").write_text('{"name": "Mine", "source": "us", "architecture": {}}')
    catalog = load_catalog([tmp_path])
    assert catalog.models["mine"]["id"] == "mine" and "mine" in catalog.model_files()
    (tmp_path / "models" / "mine.json").write_text("{\n broken")
    with pytest.raises(InputError, match=r"mine.json:2"):
        load_catalog([tmp_path]).models["mine"]


def load_all(catalog):
    return catalog.accelerators, catalog.prices
