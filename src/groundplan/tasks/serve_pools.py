"""What an answer of `serve` says of two pools: which they are, and what a first token's time is made of."""

from __future__ import annotations

from typing import Any

from groundplan.design.deployment import Disaggregation
from groundplan.estimate.disaggregation import Handed
from groundplan.estimate.serving_pools import PoolsSetting
from groundplan.evidence import Assumption, Term, total_of
from groundplan.tasks.serve_request import PREFILL_SIZES, ServeRequest

FIRST_TOKEN = {
    "front": "transport, tokens and detokenisation of a request",
    "queue": "wait for a prefill replica, behind the prompts before",
    "prompt": "the iteration that computes the prompt, with those that share it",
    "transfer": "cache of the prompt / rate of the prefill replica's link, and the wait for the link",
    "room": "wait for the next iteration of a decode replica, and for room in its cache",
}


def told_design(design: Disaggregation) -> dict[str, Any]:
    """Return both pools in plain values."""
    return {
        "prefill_replicas": design.prefill_replicas,
        "decode_replicas": design.decode_replicas,
        "prefill": {name: getattr(design.prefill, name) for name in PREFILL_SIZES},
        "prefill_devices": design.prefill.devices,
    }


def told_pools(apart: PoolsSetting, handed: Handed) -> dict[str, Any]:
    """Return both pools and their link in plain values."""
    return {
        **told_design(apart.design),
        "prefill_busy": float(handed.prefill_busy),
        "link_bytes_per_s": apart.pools.link_bytes_per_s,
    }


def ttft_tree(handed: Handed) -> Term:
    """Return what the time to the first token is made of."""
    terms = tuple(Term(name, float(getattr(handed, f"{name}_s")), "s", said) for name, said in FIRST_TOKEN.items())
    return total_of("ttft_s", "s", terms)


def pools_assumptions(request: ServeRequest, apart: PoolsSetting) -> tuple[Assumption, ...]:
    """Return the link that nobody stated."""
    if request.link_bytes_per_s is not None:
        return ()
    said = "the network of a prefill replica's devices; scale-up links where one domain holds both pools"
    return (Assumption("link_bytes_per_s", apart.pools.link_bytes_per_s, "bytes/s", "derived", said),)
