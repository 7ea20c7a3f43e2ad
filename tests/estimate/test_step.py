"""The step: terms that sum, and move the way the world does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from groundplan.catalog.catalog import load_catalog
from groundplan.design.cluster import Cluster
from groundplan.design.layout import Layout, Recompute
from groundplan.plan.scoring import workshop_for
from groundplan.workload.brief import read_brief

CATALOG = load_catalog([])


def workshop(model="llama-3.1-8b", host="onprem-dgx-h100", nodes=4, fabric=None, precision="bf16", **train):
    section = {"model": model, "tokens": "1B", "global_batch": 64, "sequence_length": 4096, **train}
    brief = read_brief({"train": section}, CATALOG)
    row = CATALOG.hosts[host]
    cluster = Cluster(row, CATALOG.accelerators[row.accelerator], CATALOG.fabrics[fabric or row.fabric], nodes)
    return workshop_for(brief, CATALOG, cluster, CATALOG.precisions[precision])


LAYOUT = Layout(
    tp=2,
    pp=2,
    vpp=1,
    cp=1,
    ep=1,
    dp=8,
    zero=1,
    shard=8,
    micro_batch=1,
    recompute=Recompute.NONE,
    sequence_parallel=True,
)


def total(shop, layout=LAYOUT) -> float:
    return float(np.asarray(shop.step(layout).total))


def term(shop, name, layout=LAYOUT) -> float:
    return float(np.asarray(shop.step(layout).terms[name]))


def test_terms_are_times_that_sum():
    step = workshop().step(LAYOUT)
    assert all(float(np.asarray(value)) >= 0.0 for value in step.terms.values())
    assert float(np.asarray(step.total)) == pytest.approx(sum(float(np.asarray(v)) for v in step.terms.values()))


def test_the_step_is_never_faster_than_its_flops_at_the_peak():
    shop = workshop()
    flops = 6.0 * 6.98e9 * 64 * 4096  # matmul parameters of Llama 3.1 8B without its embedding table
    assert total(shop) > flops / (32 * 989e12)


def test_recomputing_more_takes_longer():
    shop = workshop()
    modes = [
        replace(LAYOUT, recompute=Recompute.NONE),
        replace(LAYOUT, recompute=Recompute.SELECTIVE),
        replace(LAYOUT, recompute=Recompute.BLOCK, recompute_share=0.5),
        replace(LAYOUT, recompute=Recompute.FULL),
    ]
    times = [total(shop, layout) for layout in modes]
    assert times == sorted(times) and len(set(times)) == 4
    full, none = term(shop, "recompute", modes[3]), term(shop, "matmul", modes[0])
    assert 0.2 * none < full < 0.6 * none  # one forward pass of three


def test_what_is_not_split_is_not_sent():
    alone = Layout(
        tp=1, pp=1, vpp=1, cp=1, ep=1, dp=1, zero=0, shard=1, micro_batch=1, recompute=0, sequence_parallel=False
    )
    shop = workshop(model="llama-3.2-1b", host="onprem-rtx4090-1x", nodes=1)
    for name in ("tensor_parallel", "context_parallel", "expert_parallel", "pipeline_bubble", "pipeline_p2p"):
        assert term(shop, name, alone) == pytest.approx(0.0, abs=1e-9)
    assert term(shop, "gradient_reduction", alone) == 0.0
    assert term(shop, "weight_gathering", alone) == 0.0


def test_a_slower_fabric_is_never_faster():
    sharded = replace(LAYOUT, tp=1, pp=1, dp=32, zero=3, shard=32, sequence_parallel=False)
    fast, slow = workshop(fabric="infiniband-ndr"), workshop(fabric="ethernet-25")
    assert total(slow, sharded) > 2.0 * total(fast, sharded)


def test_a_fabric_asked_for_replaces_the_hosts_network():
    assert workshop(fabric="ethernet-25").rates.inter_bytes_per_s < 25e9 / 8
    assert workshop(fabric="infiniband-ndr").rates.inter_bytes_per_s > 0.8 * 400e9 / 8


def test_zero_bubble_and_interleaving_shrink_the_bubble():
    shop = workshop()
    plain = term(shop, "pipeline_bubble", replace(LAYOUT, pp=4, dp=4, shard=4))
    interleaved = term(shop, "pipeline_bubble", replace(LAYOUT, pp=4, dp=4, shard=4, vpp=4))
    filled = term(shop, "pipeline_bubble", replace(LAYOUT, pp=4, dp=4, shard=4, zero_bubble=True))
    assert interleaved < 0.5 * plain
    assert filled < plain


def test_adapters_skip_the_frozen_weights_gradients_but_gather_them():
    layout = replace(LAYOUT, tp=1, pp=1, dp=32, zero=3, shard=32, sequence_parallel=False)
    full, lora = workshop(model="llama-3.1-70b"), workshop(model="llama-3.1-70b", method="lora")
    qlora = workshop(model="llama-3.1-70b", method="qlora")
    assert term(lora, "matmul", layout) == pytest.approx(2 / 3 * term(full, "matmul", layout), rel=0.05)
    assert term(lora, "gradient_reduction", layout) < 0.05 * term(full, "gradient_reduction", layout)

    def gathered(shop):
        return next(t for t, _ in shop.step(layout).traffic if t.name == "weight_gathering").bytes_per_step

    assert float(gathered(lora)) == pytest.approx(float(gathered(full)))
    assert float(gathered(qlora)) < 0.3 * float(gathered(lora))


def test_fp8_speeds_matmuls_up_and_leaves_attention():
    bf16, fp8 = workshop(), workshop(precision="fp8")
    assert 0.45 < term(fp8, "matmul") / term(bf16, "matmul") < 0.75
    assert term(fp8, "attention") == pytest.approx(term(bf16, "attention"), rel=0.3)


def test_offload_moves_the_update_to_the_host():
    shop = workshop()
    offloaded = replace(LAYOUT, offload=True)
    assert term(shop, "optimizer", offloaded) == 0.0
    assert term(shop, "offload", offloaded) > term(shop, "optimizer")


def test_experts_pay_for_their_all_to_all():
    shop = workshop(model="mixtral-8x7b")
    apart = replace(LAYOUT, tp=1, pp=1, dp=32, shard=32, ep=8, sequence_parallel=False)
    together = replace(apart, ep=1)
    assert term(shop, "expert_parallel", together) == 0.0
    assert term(shop, "expert_parallel", apart) > 0.0


def test_packed_documents_attend_only_within_themselves():
    whole, packed = workshop(), workshop(document_length=512)
    assert term(packed, "attention") < 0.4 * term(whole, "attention")
    assert term(packed, "matmul") == term(whole, "matmul")
    four = workshop(global_batch=512, sequence_length=512)  # as many tokens, each document a sequence of its own
    assert term(packed, "attention") == pytest.approx(term(four, "attention", replace(LAYOUT, micro_batch=8)), rel=1e-6)
