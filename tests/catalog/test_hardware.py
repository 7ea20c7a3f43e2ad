"""The hardware rows say what vendors and public measurements say."""

from __future__ import annotations

import csv

import pytest

from groundplan.catalog.catalog import load_catalog
from groundplan.evidence import Evidence

CATALOG = load_catalog([])
PARTS = CATALOG.accelerators

COLUMNS = {
    "fp32_tflops": ("peak_fp32", 1e12),
    "tf32_tflops": ("peak_tf32", 1e12),
    "bf16_dense_tflops": ("peak_bf16", 1e12),
    "fp8_dense_tflops": ("peak_fp8", 1e12),
    "fp4_dense_tflops": ("peak_fp4", 1e12),
    "int8_dense_tops": ("peak_int8", 1e12),
    "mem_bw_gbs": ("memory_bandwidth", 1e9),
    "scaleup_uni_gbs_per_gpu": ("scaleup_bandwidth", 1e9),
    "scaleup_domain": ("scaleup_domain", 1.0),
    "nic_gbps_per_gpu_ref": ("nic", 1e9),
    "tdp_w": ("tdp", 1.0),
    "mamf_bf16_tflops": ("sustained_bf16", 1e12),
}
DECIDED_OTHERWISE = {
    ("a10g", "peak_fp32"),  # the A10G datasheet of AWS against a database that took the A10
    ("a10g", "tdp"),
    ("gaudi3", "peak_fp32"),  # two sources contradict: unknown
    ("trn1", "memory_bandwidth"),  # AWS states GiB/s
    ("inf2", "memory_bandwidth"),
    ("apple-m3-ultra", "memory_bandwidth"),  # 819 in Apple's own specification, 800 elsewhere
}


def test_every_accelerator_people_plan_with_is_there(shared):
    with (shared / "facts" / "accelerators.csv").open() as file:
        wanted = {line["id"] for line in csv.DictReader(file)}
    assert len(wanted) == 51 and wanted <= set(PARTS)


def test_figures_agree_with_an_independent_table(shared):
    with (shared / "facts" / "accelerators.csv").open() as file:
        lines = list(csv.DictReader(file))
    compared = 0
    for line in lines:
        for column, (attribute, scale) in COLUMNS.items():
            try:
                expected = float(line[column]) * scale
            except ValueError:
                continue
            if (line["id"], attribute) in DECIDED_OTHERWISE:
                continue
            figure = PARTS[line["id"]].figures[attribute]
            assert figure.value == pytest.approx(expected, rel=0.01), (line["id"], attribute)
            compared += 1
    assert compared > 300


@pytest.mark.parametrize(
    ("identity", "bf16", "memory_gib", "gb_per_s", "watts"),
    [
        ("a100-sxm-80", 312e12, 80, 2039, 400),
        ("h100-sxm", 989e12, 80, 3350, 700),
        ("h200-sxm", 989e12, 141, 4800, 700),
        ("b200-sxm", 2250e12, 180, 7700, 1000),
        ("mi300x", 1307.4e12, 192, 5300, 750),
        ("tpu-v5p", 459e12, 95, 2765, None),
    ],
)
def test_headline_figures(identity, bf16, memory_gib, gb_per_s, watts):
    part = PARTS[identity]
    assert part.flops["bf16"] == bf16
    assert part.memory_bytes == memory_gib * 2**30
    assert part.memory_bytes_per_s == gb_per_s * 1e9
    assert part.tdp_w == watts


def test_peaks_are_dense():
    """Vendors print the sparse figure, twice as much: fp8 is twice bf16, never four times."""
    for part in PARTS.values():
        if {"bf16", "fp8"} <= set(part.flops) and part.device_class != "announced":
            assert 0.99 <= part.flops["fp8"] / part.flops["bf16"] <= 3.8, part.id
        if part.vendor == "NVIDIA" and {"bf16", "tf32"} <= set(part.flops):
            assert part.flops["bf16"] == pytest.approx(2 * part.flops["tf32"], rel=0.02), part.id


def test_links_are_one_direction():
    assert PARTS["a100-sxm-80"].scaleup_bytes_per_s == 300e9  # sold as 600
    assert PARTS["h100-sxm"].scaleup_bytes_per_s == 450e9  # sold as 900
    assert PARTS["h800-sxm"].scaleup_bytes_per_s == 200e9
    assert PARTS["h100-sxm"].pcie_bytes_per_s == 64e9


def test_parts_without_bf16_units_have_no_bf16_rate():
    for identity in ("v100-32", "v100-16", "t4"):
        assert "bf16" not in PARTS[identity].flops and PARTS[identity].flops["fp16"] > 6e13


def test_what_no_source_states_is_unknown_not_zero():
    assert PARTS["tpu-v5p"].tdp_w is None
    assert PARTS["apple-m5-max"].memory_bytes_per_s is None  # two sources contradict
    assert PARTS["alveo-v80"].flops == {}
    assert PARTS["apple-m4-max"].flops == {}  # the vendor states none


def test_a_measured_rate_is_below_the_peak():
    shares = {p.id: p.sustained_flops["bf16"] / p.flops["bf16"] for p in PARTS.values() if p.sustained_flops}
    assert len(shares) >= 12
    assert shares["a100-sxm-80"] == pytest.approx(271 / 312, rel=0.01)
    assert all(0.5 < share < 1.0 for share in shares.values())


def test_fabrics_of_the_field_are_there():
    wanted = {f"infiniband-{rate}": gb for rate, gb in (("hdr", 200), ("ndr", 400), ("xdr", 800))}
    wanted |= {"roce-400": 400, "ethernet-100": 100, "efa-v1": 100, "efa-v2": 100, "efa-v3": 200, "efa-v4": 400}
    for identity, gigabits in wanted.items():
        assert CATALOG.fabrics[identity].link_bits_per_s == gigabits * 1e9
    assert {"nvlink-3", "nvlink-4", "nvlink-5", "ici-v5p", "slingshot-11", "omni-path-100"} <= set(CATALOG.fabrics)
    topologies = {fabric.topology for fabric in CATALOG.fabrics.values()}
    assert {"fat-tree-rail", "dragonfly", "torus-2d", "torus-3d"} <= topologies


@pytest.mark.parametrize(
    ("fabric", "gpu", "line_gb_per_s"),
    [("roce-200", "A100-SXM4-40GB", 200.0), ("gcp-titanium-ml", "B200 (A4 High)", 400.0)],
)
def test_fabric_efficiency_is_what_published_logs_show(shared, fabric, gpu, line_gb_per_s):
    with (shared / "truth" / "collectives_open.csv").open() as file:
        lines = [line for line in csv.DictReader(file) if line["gpu"] == gpu and line["n_nodes"] == "2"]
    largest = max(lines, key=lambda line: float(line["msg_bytes"]))
    assert CATALOG.fabrics[fabric].efficiency == pytest.approx(float(largest["busbw_gbs"]) / line_gb_per_s, rel=0.02)


def test_grids_of_sixty_cloud_regions_have_carbon_price_and_pue():
    known = [
        grid
        for grid in CATALOG.grids.values()
        if grid.region and grid.provider in ("aws", "gcp", "azure") and grid.carbon_g_per_kwh and grid.pue
    ]
    assert len(known) >= 60
    assert all(1.0 < grid.pue < 1.6 for grid in known if grid.pue)
    assert CATALOG.grids["gcp-europe-west9"].carbon_g_per_kwh == 34  # French nuclear
    assert CATALOG.grids["gcp-europe-central2"].carbon_g_per_kwh == 723  # Polish coal


def test_guesses_are_marked_as_such():
    """Idle power and large users' electricity prices are no vendor's statement."""
    for part in PARTS.values():
        figure = part.figures.get("idle_power")
        assert figure is None or figure.evidence in (Evidence.ASSUMED, Evidence.UNKNOWN, Evidence.MEASURED)
    for grid in CATALOG.grids.values():
        assert grid.figures["price"].evidence in (Evidence.ASSUMED, Evidence.UNKNOWN)


def test_the_states_of_a_parameter_are_what_the_recipes_say():
    """Mixed precision with Adam keeps 16 bytes for each parameter, plain fp32 too."""
    adamw = CATALOG.optimizers["adamw"].state_bytes
    for name in ("bf16", "fp16", "fp32", "tf32", "fp8", "mxfp8", "nvfp4"):
        recipe = CATALOG.precisions[name]
        assert recipe.weight_bytes + recipe.gradient_bytes + recipe.master_bytes + adamw == 16, name
    assert [name for name, recipe in CATALOG.precisions.items() if recipe.loss_scaling] == ["fp16"]
    assert CATALOG.optimizers["adamw-8bit"].state_bytes == 2
    assert CATALOG.optimizers["sgd"].state_bytes == CATALOG.optimizers["lion"].state_bytes == 4
