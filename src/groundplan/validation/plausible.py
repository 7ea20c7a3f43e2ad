"""Layouts that cannot have been, which are refused, and odd ones, which are predicted and said to be odd."""

from __future__ import annotations

from dataclasses import dataclass

from groundplan.catalog.rows import Stack
from groundplan.errors import InputError
from groundplan.validation.measured import MeasuredRun
from groundplan.validation.software import NVIDIA_RECIPES

SAME_SIZE = 1.25
"""Factor between stated and counted parameters up to which they are of one model."""
OTHER_SIZE = 2.0
"""Factor from which they are of two."""

EMBEDDING_AND_LOSS = 2
"""Places of a pipeline that Megatron may fill with the embedding and the loss in place of a layer."""


@dataclass(frozen=True, slots=True)
class Ranks:
    """Parallel sizes of a run and the sequences of its step, as they are stated or follow."""

    devices: int
    tp: int
    pp: int
    cp: int
    dp: int
    micro: float | None  # None where no source states it
    batch: float

    @property
    def share(self) -> float:
        """Sequences of one replica in a step."""
        return self.batch / self.dp


def check_ranks(run: MeasuredRun, ranks: Ranks, stack: Stack, assumed: list[str]) -> None:
    """Refuse what cannot have been; add what is odd to `assumed`.

    Raises
    ------
    InputError
        The stated sizes contradict each other.
    """
    _check_replicas(run, ranks)
    _check_batch(run, ranks, stack, assumed)
    _check_stages(run, ranks, stack, assumed)
    _check_experts(run, assumed)
    per_node = run.size("gpus_per_node", 1)
    if ranks.devices > per_node and ranks.devices % per_node:
        assumed.append(f"the last node with {ranks.devices % per_node} of {per_node} devices")


def _check_replicas(run: MeasuredRun, ranks: Ranks) -> None:
    if not run.text("dp") or ranks.devices != run.size("n_gpus"):
        return
    stated = run.size("dp")
    if stated not in (ranks.dp, ranks.dp * ranks.cp):  # some count context-parallel ranks among the replicas
        what = f"dp {stated} contradicts {ranks.devices} devices / (tp {ranks.tp} x pp {ranks.pp} x cp {ranks.cp})"
        raise InputError(f"{what} = {ranks.dp}", "correct one of them, or leave dp empty")


def _check_batch(run: MeasuredRun, ranks: Ranks, stack: Stack, assumed: list[str]) -> None:
    if ranks.batch < 1 or (ranks.batch < ranks.dp and not stack.whole_batch):
        raise InputError(
            f"global_batch_seqs {ranks.batch:g} is less than one sequence for each of {ranks.dp} replicas",
            "correct global_batch_seqs, or state tp, pp and cp",
        )
    if ranks.micro is None or stack.whole_batch:
        return
    framework = run.text("framework")
    even = "megatron" in framework.lower() or NVIDIA_RECIPES.search(framework) is not None
    if ranks.micro > ranks.share:
        said = f"micro_batch {ranks.micro:g} is more than the {ranks.share:g} sequences of a replica"
    elif ranks.share % ranks.micro:
        said = f"{ranks.batch:g} sequences do not divide into {ranks.dp} replicas of micro-batches of {ranks.micro:g}"
    else:
        return
    if even:
        raise InputError(f"{said}, which Megatron refuses", "correct global_batch_seqs, micro_batch or the layout")
    assumed.append(said)


def _check_stages(run: MeasuredRun, ranks: Ranks, stack: Stack, assumed: list[str]) -> None:
    layers, vpp = run.size("layers"), run.size("vpp", 1)
    if vpp > 1 and ranks.pp == 1:
        assumed.append(f"vpp {vpp} without pipeline stages is not read")
        return
    stages = ranks.pp * vpp
    if (
        stages > layers + EMBEDDING_AND_LOSS and stack.id != "megatron-2021"
    ):  # DeepSpeed's stages also hold what is before and after
        raise InputError(f"pp {ranks.pp} x vpp {vpp} is more than {layers} layers", "correct pp, vpp or layers")
    if ranks.pp > 1 and layers % stages:
        assumed.append(f"{layers} layers uneven over pp {ranks.pp} x vpp {vpp}")


def _check_experts(run: MeasuredRun, assumed: list[str]) -> None:
    ep = run.size("ep", 1)
    if ep == 1:
        return
    if not run.text("n_experts"):
        assumed.append(f"ep {ep} of a dense model is not read")
    elif run.size("n_experts") % ep:
        raise InputError(f"ep {ep} does not divide {run.size('n_experts')} experts", "correct ep or n_experts")


def check_parameters(stated: float | None, counts: tuple[int, ...], assumed: list[str]) -> None:
    """Refuse parameters that are not of the sizes given; say where they are a little off.

    Parameters
    ----------
    stated : float or None
        Parameters as the source counts them [1e9].
    counts : tuple of int
        What the sizes come to, in all and active.
    """
    if stated is None:
        return
    if stated <= 0:
        raise InputError(f"params_b is {stated:g}", "give the parameters in 1e9, or leave the cell empty")
    nearest = min(counts, key=lambda count: max(stated * 1e9 / count, count / (stated * 1e9)))
    factor = max(stated * 1e9 / nearest, nearest / (stated * 1e9))
    said = f"params_b {stated:g} where the sizes make {nearest / 1e9:.3g}"
    if factor > OTHER_SIZE:
        raise InputError(said, "correct params_b or the sizes of the model")
    if factor > SAME_SIZE:
        assumed.append(said)
