"""Parallel sizes of a serving run as sources write them, of one kind of replicas or of a prefill and a decode pool."""

from __future__ import annotations

import re
from dataclasses import replace

from groundplan.design.deployment import Deployment, Disaggregation
from groundplan.errors import InputError
from groundplan.validation.measured import MeasuredRun
from groundplan.workload.model import TransformerModel

COUNTS = re.compile(r"pw=(\d+) dw=(\d+)|\b(\d+)P(\d+)D\b")
"""Replicas that compute prompts and that decode, as InferenceMAX and dstack write them."""


def disaggregated(run: MeasuredRun) -> bool:
    """Tell whether prefill and decode ran apart."""
    return "disagg" in run.text("notes")


def stated_split(
    model: TransformerModel, tp: int, pp: int, dp: int, ep: int, devices: int, formats: tuple[str, str]
) -> Deployment:
    """Return the deployment of stated sizes on at most so many `devices`.

    Raises
    ------
    InputError
        `tp` divides the heads of a dense model not.
    """
    if tp == 1 and ep > 1 and dp == 1:
        dp = ep  # each device attends to sequences of its own, experts are spread
    elif dp > 1 and tp % dp == 0 and tp * pp > devices // dp:
        tp //= dp  # the source counts the devices of all groups
    if model.attention.heads % tp and model.experts is None:
        raise InputError(f"tp {tp} does not divide the {model.attention.heads} heads of {model.id}", "correct tp")
    if model.attention.heads % tp:  # no split of the heads: each device attends to sequences of its own
        tp, dp, ep = 1, tp * dp, max(ep, tp * dp)
    return Deployment(tp, pp, dp, min(ep, tp * dp), *formats)


def stated_pools(run: MeasuredRun, model: TransformerModel, formats: tuple[str, str]) -> Disaggregation:
    """Return the prefill and the decode pool of a run: `p4/d8` in tp, pp and ep, the rest in its notes.

    Raises
    ------
    InputError
        What the source leaves open.
    """
    notes = run.text("notes")
    counts = COUNTS.search(notes)
    if counts is None:
        raise InputError(
            "prefill and decode run apart, in numbers of instances the source leaves open", "state pw= and dw= in notes"
        )
    prefill, decode = (int(count) for count in counts.groups() if count is not None)
    if prefill < 1 or decode < 1:
        raise InputError(f"{prefill} prefill and {decode} decode instances", "state at least one of each")
    if run.measured("concurrency_or_batch") is None:
        raise InputError("the concurrency over both pools is not stated", "fill in concurrency_or_batch")
    pools = []
    for place, pool in enumerate("pd"):
        tp, pp, ep = (_of_pool(run, name, place) for name in ("tp", "pp", "ep"))
        stated = re.search(rf"\b{pool}adp=(\d+)", notes)
        dp = int(stated[1]) if stated else 1
        split = stated_split(model, tp, pp, dp, ep, 1, formats)
        pools.append(split if model.experts else replace(split, ep=1))
    return Disaggregation(pools[0], prefill, pools[1], decode)


def _of_pool(run: MeasuredRun, column: str, place: int) -> int:
    """Return a size of the prefill (0) or the decode pool (1); one number is of both, 0 is 1."""
    text = run.text(column)
    both = re.fullmatch(r"p(\d+)/d(\d+)", text)
    if both:
        return max(int(both[1 + place]), 1)
    if not text and column == "tp":
        raise InputError("the parallel sizes of both pools are not stated", "fill in tp, e.g. p4/d8")
    return run.size(column, 1)
