"""How a measured run was laid out: parallel sizes, sharding, recomputation, with the gaps filled by rules."""

from __future__ import annotations

import re

from groundplan.catalog.rows import Stack
from groundplan.design.layout import Layout, Recompute
from groundplan.errors import InputError
from groundplan.validation.measured import MeasuredRun
from groundplan.validation.plausible import Ranks, check_ranks
from groundplan.validation.software import MEGATRON
from groundplan.validation.words import HYBRID, read_flag, read_recompute, read_stage

SHARD = re.compile(r"fsdp\s+(\d+)", re.IGNORECASE)
SMALLEST_MICRO_BATCH = 0.01
"""Sequences: a device that takes less of one is a slip; some sources state a mean below one."""
UNSTATED_ZERO = {"fsdp": 3, "huggingface": 3, "xla": 3, "deepspeed": 2, "deepspeed-liger": 2}
"""ZeRO stage where a source states none, by stack."""


def run_layout(run: MeasuredRun, stack: Stack, assumed: list[str]) -> tuple[Layout, int]:
    """Return the layout, and the sequences of a step; what a rule filled in is added to `assumed`."""
    devices = run_devices(run)
    tp, pp, cp = (run.size(name, 1) for name in ("tp", "pp", "cp"))
    dp, rest = divmod(devices, tp * pp * cp)
    if rest or dp < 1:
        raise InputError(f"tp x pp x cp = {tp * pp * cp} does not divide {devices} devices", "correct the layout")
    micro = run.number("micro_batch")
    batch = run.number("global_batch_seqs")
    if micro is not None and micro < SMALLEST_MICRO_BATCH:
        raise InputError(f"micro_batch is {run.text('micro_batch')!r}", "give sequences of one device, such as 1")
    if micro is None and batch is None:
        raise InputError("neither micro_batch nor global_batch_seqs is stated", "fill in one of them")
    stated_micro = micro
    if micro is None:
        assumed.append("micro_batch 1")
        micro = 1.0
    if batch is None:
        assumed.append("one micro-batch a step")
        batch = micro * dp
    check_ranks(run, Ranks(devices, tp, pp, cp, dp, stated_micro, batch), stack, assumed)
    micro = batch / dp if stack.whole_batch and pp == 1 else min(micro, batch / dp)
    ep = run.size("ep", 1)
    zero, shard = _sharding(run, stack, dp * cp, assumed)
    stated = read_flag(run.text("seq_parallel"), "seq_parallel")
    if tp > 1 and stated is None and stack.id in MEGATRON:
        assumed.append("sequence parallelism")
    if ep > dp * cp:
        assumed.append(f"experts over {dp * cp} ranks, the rest of ep {ep} inside tensor-parallel groups")
    recompute = read_recompute(run.text("recompute"))
    layout = Layout(
        tp=tp,
        pp=pp,
        vpp=_interleaving(run, stack, pp, batch / (dp * micro), assumed),
        cp=cp,
        ep=min(ep, dp * cp),
        dp=dp,
        zero=zero,
        shard=shard,
        micro_batch=micro,  # type: ignore[arg-type]  # some published runs state a mean
        recompute=Recompute.NONE if recompute is None else recompute,
        sequence_parallel=tp > 1 and (stack.id in MEGATRON if stated is None else stated),
        offload="offload" in run.text("zero_or_fsdp").lower(),
    )
    return layout, round(batch)


def _interleaving(run: MeasuredRun, stack: Stack, pp: int, micro_batches: float, assumed: list[str]) -> int:
    """Return the virtual stages as stated; where open, one layer each if the stack's recipes interleave and it divides.

    An interleaved schedule needs as many layers and micro-batches as fill its stages evenly.
    """
    if pp == 1 or run.text("vpp"):
        return run.size("vpp", 1) if pp > 1 else 1
    chunks, rest = divmod(run.size("layers"), pp)
    if stack.id not in MEGATRON or rest or micro_batches % pp:
        return 1
    assumed.append(f"vpp {chunks}")
    return chunks


def run_devices(run: MeasuredRun) -> int:
    """Return the accelerators of a run; one where the notes say that the runs of a larger host were single."""
    single = "single-gpu experiments" in run.text("notes").lower() and run.text("seq_len")
    return 1 if single else run.size("n_gpus")


def _sharding(run: MeasuredRun, stack: Stack, replicas: int, assumed: list[str]) -> tuple[int, int]:
    """ZeRO stage, and the ranks its states are sharded over."""
    text = run.text("zero_or_fsdp").lower()
    stated, zero = SHARD.search(text), read_stage(text)
    if zero is None:
        old = "megatron-deepspeed" in run.text("framework").lower()
        zero = 1 if stack.id in MEGATRON or old else UNSTATED_ZERO.get(stack.id, 0)
        assumed.append(f"ZeRO stage {zero}")
    shard = replicas
    if stated and zero == 3:
        shard = min(int(stated[1]), replicas)
    elif HYBRID.search(text):
        shard = min(max(run.size("gpus_per_node", 8) // run.size("tp", 1), 1), replicas)
    return (0, 1) if zero == 0 or shard <= 1 else (zero, shard)
