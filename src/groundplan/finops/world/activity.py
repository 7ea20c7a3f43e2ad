"""What exporters would have measured: DCGM samples of every accelerator, in the wide form of a Parquet file."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from groundplan.finops.states import State
from groundplan.finops.world.fleet import DAY_S, SLICES_PER_GPU, START, Node, WorldSize
from groundplan.finops.world.work import Job
from groundplan.progress import over

FINE_S, COARSE_S = 60, 300  # between samples: of a small world, and of one that would fill the disk otherwise
FINE_GPU_DAYS = 8_000
CODES = (
    State.UNALLOCATED, State.NO_PROCESS, State.LOADED, State.LOW, State.STARVED, State.COMMUNICATION, State.BUSY,
)  # fmt: skip
# Low and high end of each metric in each state, drawn evenly between: share of the engine's, multiprocessors',
# tensor pipes' and memory's time; share of memory held; share of power between idle and busy; NVLink and PCIe bytes/s.
SIGNALS = np.array(
    [
        # engine         sm            tensor        dram          memory        power         nvlink        pcie
        [(0.00, 0.00), (0.00, 0.00), (0.00, 0.00), (0.00, 0.00), (0.00, 0.00), (0.00, 0.03), (0.0, 0.0), (0.0, 1e6)],
        [(0.00, 0.00), (0.00, 0.00), (0.00, 0.00), (0.00, 0.00), (0.00, 0.00), (0.00, 0.03), (0.0, 0.0), (0.0, 1e6)],
        [(0.00, 0.00), (0.00, 0.00), (0.00, 0.00), (0.00, 0.00), (0.15, 0.90), (0.04, 0.10), (0.0, 0.0), (0.0, 2e7)],
        [(0.02, 0.20), (0.01, 0.12), (0.00, 0.05), (0.00, 0.08), (0.05, 0.50), (0.08, 0.25), (0.0, 1e9), (1e7, 5e8)],
        [(0.28, 0.70), (0.15, 0.50), (0.08, 0.28), (0.08, 0.30), (0.30, 0.95), (0.30, 0.60), (1e9, 4e10), (1e9, 9e9)],
        [(0.92, 1.00), (0.45, 0.90), (0.03, 0.16), (0.05, 0.22), (0.50, 0.95), (0.40, 0.60), (6e10, 3e11), (1e9, 2e10)],
        [(0.88, 1.00), (0.60, 0.95), (0.24, 0.70), (0.30, 0.80), (0.40, 0.95), (0.70, 1.00), (1e9, 1.5e11), (1e8, 8e9)],
    ]
)


class Activity:
    """State and job of every slot at every sample."""

    def __init__(self, size: WorldSize, nodes: tuple[Node, ...], jobs: list[Job]) -> None:
        self.size = size
        self.sample_s = sample_s = FINE_S if size.gpus * size.days <= FINE_GPU_DAYS else COARSE_S
        first = np.concatenate([[0], np.cumsum([node.slots for node in nodes])]).astype(np.int64)
        samples = size.days * DAY_S // sample_s
        self.state = np.zeros((int(first[-1]), samples), dtype=np.int8)
        self.job = np.zeros((int(first[-1]), samples), dtype=np.int32)
        code = {state: index for index, state in enumerate(CODES)}
        for job in jobs:
            slots = np.concatenate([first[node] + slots for node, slots in job.places])
            begin, end = -(-job.start // sample_s), -(-job.end // sample_s)
            self.job[slots, begin:end] = job.job_id
            for since, until, state in job.course:
                self.state[slots, -(-since // sample_s) : -(-until // sample_s)] = code[state]
        self._describe(nodes)

    def _describe(self, nodes: tuple[Node, ...]) -> None:
        slots = [(node, index) for node in nodes for index in range(node.slots)]
        per_gpu = [SLICES_PER_GPU if node.sliced else 1 for node, _ in slots]
        self.node = np.array([node.name for node, _ in slots], dtype=object)
        self.gpu = np.array([index // parts for (_, index), parts in zip(slots, per_gpu, strict=True)], dtype=np.int32)
        self.slice_id = np.array(
            [str(index % parts) if parts > 1 else "" for (_, index), parts in zip(slots, per_gpu, strict=True)],
            dtype=object,
        )
        self.profile = np.array(["1g.5gb" if parts > 1 else "" for parts in per_gpu], dtype=object)
        self.model = np.array([node.kind.gpu for node, _ in slots], dtype=object)
        self.uuid = np.array(
            [f"GPU-{node.instance[2:]}-{gpu}" for (node, _), gpu in zip(slots, self.gpu, strict=True)], dtype=object
        )
        part = np.array(per_gpu, dtype=np.float64)
        self.memory_mib = np.array([node.kind.gpu_bytes for node, _ in slots]) / part / 2**20
        self.idle_w = np.array([node.kind.idle_w for node, _ in slots]) / part
        self.busy_w = np.array([node.kind.busy_w for node, _ in slots]) / part

    def days(self) -> Iterator[dict[str, NDArray[np.generic]]]:
        """Yield the samples of each day as columns, ordered by time and slot."""
        rng = self.size.stream("telemetry")
        per_day = DAY_S // self.sample_s
        count = len(self.node)
        for day in over(range(self.size.days), "days"):
            window = slice(day * per_day, (day + 1) * per_day)
            state = self.state[:, window].T.ravel()
            slot = np.tile(np.arange(count), per_day)
            low, high = SIGNALS[state, :, 0], SIGNALS[state, :, 1]
            drawn = low + (high - low) * rng.random((len(state), SIGNALS.shape[1]), dtype=np.float32)
            at = np.datetime64(START, "s") + (np.arange(window.start, window.stop) * self.sample_s).astype(
                "timedelta64[s]"
            )
            power = self.idle_w[slot] + (self.busy_w - self.idle_w)[slot] * drawn[:, 5]
            yield {
                "timestamp": np.repeat(at.astype("datetime64[us]"), count),
                "slot": slot.astype(np.int32),
                "job": self.job[:, window].T.ravel(),
                "DCGM_FI_DEV_GPU_UTIL": np.round(np.minimum(drawn[:, 0] * 102, 100)).astype(np.int16),
                "DCGM_FI_PROF_GR_ENGINE_ACTIVE": np.round(drawn[:, 0], 3),
                "DCGM_FI_PROF_SM_ACTIVE": np.round(drawn[:, 1], 3),
                "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE": np.round(drawn[:, 2], 3),
                "DCGM_FI_PROF_DRAM_ACTIVE": np.round(drawn[:, 3], 3),
                "DCGM_FI_DEV_FB_USED": np.round(drawn[:, 4] * self.memory_mib[slot], -2).astype(np.int32),
                "DCGM_FI_DEV_POWER_USAGE": np.round(power, 0),
                "DCGM_FI_PROF_NVLINK_TX_BYTES": np.round(drawn[:, 6] / 2, -8),
                "DCGM_FI_PROF_NVLINK_RX_BYTES": np.round(drawn[:, 6] / 2, -8),
                "DCGM_FI_PROF_PCIE_TX_BYTES": np.round(drawn[:, 7] / 2, -7),
                "DCGM_FI_PROF_PCIE_RX_BYTES": np.round(drawn[:, 7] / 2, -7),
            }

    def slots(self) -> dict[str, NDArray[np.generic]]:
        """Return what each slot is, by its number: the names that samples carry as labels."""
        return {
            "slot": np.arange(len(self.node), dtype=np.int32),
            "Hostname": self.node,
            "gpu": self.gpu,
            "UUID": self.uuid,
            "modelName": self.model,
            "GPU_I_ID": self.slice_id,
            "GPU_I_PROFILE": self.profile,
        }
