"""Collectives against ring arithmetic, their limits, and published nccl-tests logs."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundplan.physics.collectives import (
    all_gather_bytes,
    all_gather_s,
    all_reduce_bytes,
    all_reduce_s,
    all_to_all_bytes,
    all_to_all_s,
    bus_bytes_per_s,
    flat_ring_bits_per_s,
    hierarchical_bits_per_s,
    point_to_point_s,
    ranks_inside,
    reduce_scatter_s,
)
from physics.broadcasting import broadcasts

LAWS = [all_reduce_s, all_gather_s, reduce_scatter_s, all_to_all_s]
H100 = {"intra_bytes_per_s": 365e9, "inter_bytes_per_s": 45e9, "intra_latency_s": 3e-6, "inter_latency_s": 8e-6}
INSTANT = H100 | {"intra_latency_s": 0.0, "inter_latency_s": 0.0}
payloads = st.floats(1.0, 1e11)
domains = st.integers(1, 64)
nodes = st.sampled_from([1, 8, 72])


@pytest.mark.parametrize("law", LAWS)
@given(payload=payloads)
def test_one_rank_has_nothing_to_send(law, payload):
    assert law(payload, 1, 1, **H100) == 0.0


@pytest.mark.parametrize("law", LAWS)
@given(payload=payloads, domain=domains, inside=nodes, factor=st.floats(1.0, 10.0))
def test_time_rises_with_size_and_falls_with_rate(law, payload, domain, inside, factor):
    base = law(payload, domain * inside, inside, **H100)
    assert law(payload * factor, domain * inside, inside, **H100) >= base * (1 - 1e-12)
    faster = H100 | {"intra_bytes_per_s": 365e9 * factor, "inter_bytes_per_s": 45e9 * factor}
    assert law(payload, domain * inside, inside, **faster) <= base * (1 + 1e-12)


@pytest.mark.parametrize("law", LAWS)
@given(payload=payloads, domain=domains, inside=nodes)
def test_more_domains_never_take_less_time(law, payload, domain, inside):
    base = law(payload, domain * inside, inside, **H100)
    assert law(payload, (domain + 1) * inside, inside, **H100) >= base * (1 - 1e-12)


@pytest.mark.parametrize("law", LAWS)
@given(payload=payloads, inside=st.integers(1, 72))
def test_in_one_domain_the_fabric_does_not_matter(law, payload, inside):
    slow = H100 | {"inter_bytes_per_s": 1.0, "inter_latency_s": 1.0}
    assert law(payload, inside, inside, **slow) == law(payload, inside, inside, **H100)


@given(payload=payloads, ranks=st.integers(2, 1024))
def test_without_latency_one_domain_runs_at_the_links_rate(payload, ranks):
    assert bus_bytes_per_s(payload, ranks, all_reduce_s(payload, ranks, ranks, **INSTANT)) >= 0.99 * 365e9
    assert all_gather_s(payload, ranks, ranks, **INSTANT) == pytest.approx(all_gather_bytes(payload, ranks) / 365e9)


@given(payload=payloads, domain=st.integers(1, 64), inside=nodes)
def test_an_all_reduce_is_a_reduce_scatter_and_an_all_gather_or_better(payload, domain, inside):
    two = sum(law(payload, domain * inside, inside, **H100) for law in (reduce_scatter_s, all_gather_s))
    assert all_reduce_s(payload, domain * inside, inside, **H100) <= two * (1 + 1e-12)


def test_two_domains_need_send_half_of_what_a_ring_sends_between_them():
    # The tree's two roots swap halves: payload / (8 links), where a ring sends 2 x 15/16 x payload / (8 links).
    network = INSTANT | {"intra_bytes_per_s": 1e15}
    assert all_reduce_s(8e9, 16, 8, **network) == pytest.approx(8e9 / (8 * 45e9))
    assert all_reduce_s(8e9, 512, 8, **network) == pytest.approx(all_reduce_bytes(8e9, 512) / (8 * 45e9))


def test_trees_start_sooner_than_rings_over_many_domains():
    small, many = 8.0, 4096
    ring = 2.0 * all_gather_s(small, many, 8, **H100)
    assert all_reduce_s(small, many, 8, **H100) < 0.05 * ring


def test_an_all_to_all_is_bound_by_the_one_link_out():
    # Of 64 ranks in nodes of 8, 56/64 of the payload leaves the node over the rank's own link.
    assert all_to_all_s(1e9, 64, 8, **INSTANT) == pytest.approx(1e9 * 56 / 64 / 45e9)
    assert all_to_all_s(1e9, 8, 8, **INSTANT) == pytest.approx(all_to_all_bytes(1e9, 8) / 365e9)


def test_the_worked_example_of_the_all_reduce_calculator():
    # 20 GB over 64 GPUs once a second: 39.375 GB from each, 315 Gb/s in one ring, 35 Gb/s if nodes of 8 reduce first.
    assert all_reduce_bytes(20e9, 64) == 39.375e9
    assert flat_ring_bits_per_s(20e9, 64, 1.0) == 315e9
    assert hierarchical_bits_per_s(20e9, 64, 8, 1.0) == 35e9
    assert hierarchical_bits_per_s(20e9, 64, 1, 1.0) == 315e9


@given(st.integers(1, 512), st.integers(1, 64), st.integers(1, 72))
def test_ranks_inside_are_at_least_one_and_fit(ranks, stride, domain):
    inside = ranks_inside(ranks, stride, domain)
    assert 1 <= inside <= ranks
    assert inside == 1 or inside * stride <= domain


def test_a_hop_takes_the_link_it_goes_over():
    network = (400e9, 50e9, 0.0, 0.0)
    times = point_to_point_s(4e9, np.array([True, False]), *network)
    assert times == pytest.approx([0.01, 0.08])


# Published logs by system: devices in a scale-up domain, sustained rates [GB/s] and step latencies [us], inside and
# across, as fitted to the log. The line rates are 300, 450 and 900 GB/s of NVLink and 6.25 (EFA v1), 50 (EFA v2, v4,
# RoCE) and 25 GB/s a device of scale-out; NVSwitches that add in the switch (NVLS) pass the rate of a ring.
# Left out: 1,440 GPUs in 20 NVL72 racks, which the law takes for almost twice as fast as they are: it lets all 72 links
# leave a rack at once.
SYSTEMS = {
    ("A100-80GB (p4de.24xlarge)", 16): (8, 210, 5.1, 4, 80),
    ("A100-SXM4-40GB", 16): (8, 234, 23.8, 2, 16),
    ("H100-80GB (p5.48xlarge)", 16): (8, 480, 37.5, 4, 25),
    ("H100", 96): (8, 423, 50, 1, 12),
    ("H200 (NVLink4)", 8): (8, 480, 50, 3, 5),
    ("B200 (P6-B200)", 8): (8, 765, 50, 3, 5),
    ("B200 (P6-B200)", 32): (8, 700, 50, 2, 80),
    ("B200 (A4 High)", 16): (8, 700, 42.5, 2, 40),
    ("GB200 NVL72", 72): (72, 900, 50, 2, 5),
    ("GB200 NVL72", 128): (64, 810, 50, 2, 40),
    ("MI355X", 8): (8, 408, 50, 3, 8),
    ("MI355X", 32): (8, 408, 47.5, 3, 25),
}
COLLECTIVES = {"all_reduce": all_reduce_s, "all_gather": all_gather_s, "alltoall": all_to_all_s}


def log_errors(shared: Path, system: tuple[str, int]) -> np.ndarray:
    """Relative errors of the law over the message sizes of one log."""
    inside, *network = SYSTEMS[system]
    scaled = np.array(network) * [1e9, 1e9, 1e-6, 1e-6]
    with (shared / "truth" / "collectives_open.csv").open(encoding="utf-8", newline="") as file:
        rows = [r for r in csv.DictReader(file) if (r["gpu"], r["n_gpus"]) == (system[0], str(system[1]))]
    rows = [r for r in rows if r["collective"] in COLLECTIVES and float(r["latency_us"] or 0)]
    told = [COLLECTIVES[r["collective"]](float(r["msg_bytes"]), system[1], inside, *scaled) for r in rows]
    return np.array(told) / [float(r["latency_us"]) * 1e-6 for r in rows] - 1.0


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: f"{system[1]} x {system[0]}")
def test_the_laws_follow_published_message_size_curves(shared, system):
    assert np.median(np.abs(log_errors(shared, system))) < 0.12


def test_the_laws_follow_all_logs_together(shared):
    errors = np.abs(np.concatenate([log_errors(shared, system) for system in SYSTEMS]))
    assert np.median(errors) < 0.06
    assert np.quantile(errors, 0.8) < 0.2


PAYLOAD = {"payload_bytes": (1.0, 1e6, 1e9)}
RANKS = PAYLOAD | {"ranks": (8, 64, 256)}
LINKS = {
    "intra_bytes_per_s": (200e9, 400e9),
    "inter_bytes_per_s": (12e9, 50e9),
    "intra_latency_s": (0.0, 3e-6),
    "inter_latency_s": (0.0, 8e-6),
}


@pytest.mark.parametrize(
    ("law", "ranges"),
    [
        *((law, RANKS | {"inside": (1, 4, 8)} | LINKS) for law in LAWS),
        *((law, RANKS) for law in (all_reduce_bytes, all_gather_bytes, all_to_all_bytes)),
        (bus_bytes_per_s, RANKS | {"communication_s": (1e-3, 1.0)}),
        (ranks_inside, {"ranks": (1, 8, 64), "stride": (1, 2, 16), "domain": (1, 8, 72)}),
        (point_to_point_s, PAYLOAD | {"same_domain": (True, False)} | LINKS),
        (flat_ring_bits_per_s, RANKS | {"per_second": (0.5, 2.0)}),
        (hierarchical_bits_per_s, RANKS | {"inside": (1, 8), "per_second": (0.5, 2.0)}),
    ],
)
def test_arrays_get_what_numbers_get(law, ranges):
    broadcasts(law, ranges)
