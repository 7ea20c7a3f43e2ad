"""What a design needs of storage and of the network, and whether it has it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groundplan.estimate import assumptions as given
from groundplan.estimate.data import CHECKPOINTS_KEPT, StorageDemand, products_for
from groundplan.estimate.results import CollectiveNeed, NetworkNeed, StorageNeed
from groundplan.estimate.shares import trained_parameters
from groundplan.estimate.sized import Sized
from groundplan.estimate.stage_memory import resolve_widths
from groundplan.estimate.surroundings import Circumstances
from groundplan.physics.checkpoint import checkpoint_bytes
from groundplan.physics.loader import data_stall_s, decode_cores

DECODED_KINDS = ("images", "records")
"""Kinds of data whose samples cost host time to decode."""


@dataclass(frozen=True, slots=True)
class RunDemand(StorageDemand):
    """What one run stores and moves; `checkpoint_bytes` of them in each checkpoint."""

    checkpoint_bytes: float


def run_demand(sized: Sized, step_s: float) -> RunDemand:
    """What the run stores, reads, and writes within the time a checkpoint may take."""
    job = sized.job
    widths = resolve_widths(job.model, job, sized.setting.precision, sized.optimizer, sized.setting.stack)
    saved = float(checkpoint_bytes(trained_parameters(job), widths.weight + widths.state))
    stored = job.dataset.bytes if job.dataset and job.dataset.bytes else 0.0
    per_sequence = (
        job.dataset.sample_bytes * (job.sequence if job.dataset.kind in ("text", "tokens") else 1.0)
        if job.dataset
        else 0.0
    )
    read = job.global_batch * per_sequence / step_s
    return RunDemand(stored + CHECKPOINTS_KEPT * saved, read, saved / given.number(given.CHECKPOINT_WRITE), saved)


def data_stall(sized: Sized, demand: RunDemand, step_s: float) -> float:
    """Seconds each step waits because the hosts cannot decode its samples in time.

    Reading itself does not stall: storage is chosen to deliver it. Hosts with unknown processors are taken as able.
    """
    dataset, host = sized.job.dataset, sized.setting.cluster.host
    if dataset is None or dataset.kind not in DECODED_KINDS or host.vcpus is None:
        return 0.0
    cores = decode_cores(demand.read_bytes_per_s * step_s, given.number(given.DECODE_RATE))
    return float(data_stall_s(step_s, cores / (host.vcpus * sized.setting.cluster.nodes)))


def storage_need(demand: RunDemand, around: Circumstances, nodes: int) -> tuple[StorageNeed, float]:
    """Choose the cheapest product that does; return it with the write rate checkpoints will see."""
    answers = products_for(around.storage, demand)
    chosen = next((a for a in answers if a.ok), None)
    write = chosen.write_bytes_per_s if chosen else None
    fallback = nodes * given.number(given.STORAGE_WRITE)
    need = StorageNeed(
        chosen.id if chosen else None,
        demand.read_bytes_per_s,
        demand.checkpoint_bytes,
        demand.write_bytes_per_s,
        demand.capacity_bytes,
        chosen.provisioned_bytes if chosen else None,
        chosen is not None,
        chosen.usd_per_month if chosen else None,
    )
    return need, write or fallback


def network_need(sized: Sized, step_s: float) -> NetworkNeed:
    """List the traffic and compare what crosses domains with what the fabric carries."""
    needs, across = [], 0.0
    for traffic, exposed in sized.step.traffic:
        sent = float(np.asarray(traffic.bytes_per_step))
        if sent <= 0.0:
            continue
        ranks, inside = int(np.asarray(traffic.ranks)), int(np.asarray(traffic.inside))
        crosses = ranks > inside
        if crosses:
            across += sent * _crossing_share(traffic.group, ranks, inside)
        needs.append(
            CollectiveNeed(
                traffic.name,
                traffic.group,
                ranks,
                sent,
                "across domains" if crosses else "inside a domain",
                float(np.asarray(traffic.time_s)),
                float(np.asarray(exposed)),
            )
        )
    rates = sized.rates
    shown = sum(need.exposed_s for need in needs if need.scope == "across domains")
    needed = 8.0 * across / step_s
    # The fabric does when what it fails to hide is less than a tenth of the step.
    return NetworkNeed(
        sized.setting.cluster.fabric.id, tuple(needs), needed, 8.0 * rates.inter_bytes_per_s, shown <= 0.1 * step_s
    )


def _crossing_share(group: str, ranks: int, inside: int) -> float:
    """Share of what a device sends that leaves its domain.

    The rails of a domain share a ring's load; an all-to-all sends what is for others elsewhere itself; so does a hop.
    """
    if group == "ep":
        return (ranks - inside) / (ranks - 1)
    return 1.0 if group == "pp" else 1.0 / inside
