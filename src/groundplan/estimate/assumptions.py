"""Numbers every run rests on that no catalog row states: each with its unit, class and source, listed in every plan."""

from __future__ import annotations

from collections.abc import Sequence

from groundplan.catalog.catalog import Catalog
from groundplan.estimate.intervals import step_interval
from groundplan.estimate.results import DesignResult
from groundplan.evidence import Assumption
from groundplan.workload.job import Brief

FAILURES = Assumption(
    "failures_per_1000_node_days",
    3.8,
    "1",
    "derived",
    "419 unexpected interruptions in 54 days on 2,048 nodes (Llama 3 Herd of Models, arXiv 2407.21783); "
    "other clusters: 2.3 and 6.5 (arXiv 2410.21680)",
)
RESTART = Assumption(
    "restart_s",
    900.0,
    "s",
    "assumed",
    "detect 5 min, reschedule, load the checkpoint and initialise 10 min; published 5-20 min (arXiv 2410.21680)",
)
STARTUP = Assumption("startup_s", 1200.0, "s", "assumed", "one provisioning, data staging and warm-up of the job")
SPOT_INTERRUPTIONS = Assumption(
    "spot_interruptions_per_node_hour",
    0.01,
    "1/h",
    "assumed",
    "a node reclaimed about once in four days; AWS Spot Instance Advisor publishes monthly bands only, the highest "
    "(over 20 %, e.g. p5.48xlarge in us-east-1) is 0.0003/h and more",
)
CHECKPOINT_ASYNC = Assumption(
    "checkpoint_asynchronous",
    "yes",
    "",
    "assumed",
    "training stalls for the device-to-host copy only, as distributed checkpointing does since 2024",
)
DEVICE_TO_HOST = Assumption(
    "device_to_host_bytes_per_s",
    1.0e10,
    "bytes/s",
    "assumed",
    "pinned-memory copy of one device while its peers copy too",
)
STORAGE_WRITE = Assumption(
    "storage_write_bytes_per_s_per_node",
    1.0e9,
    "bytes/s",
    "assumed",
    "share of a parallel file system one node writes at where no product is chosen; BLOOM: 57.5 GB/s from 48 nodes",
)
NODE_NETWORK = Assumption(
    "node_network_bytes_per_s",
    2.5e10,
    "bytes/s",
    "assumed",
    "network of one node towards storage where no host is named: 200 Gb/s",
)
CHECKPOINT_BYTES_PER_PARAMETER = Assumption(
    "checkpoint_bytes_per_parameter",
    14.0,
    "bytes",
    "derived",
    "bf16 weights 2, fp32 master copy 4, two fp32 Adam moments 8; no gradients",
)
CHECKPOINT_WRITE = Assumption(
    "checkpoint_write_s",
    300.0,
    "s",
    "assumed",
    "a checkpoint is stored within five minutes; BLOOM wrote 2.3 TB in 40 s (github.com/stas00/ml-engineering), "
    "a 405B job on 8,960 GPUs took 51 s (ByteCheckpoint, arXiv 2407.20143)",
)
REQUEST_BYTES = Assumption("request_bytes", 8.0 * 2**20, "bytes", "assumed", "one read of a streaming loader, 8 MiB")
DECODE_RATE = Assumption(
    "decode_bytes_per_s_per_core",
    1.2e8,
    "bytes/s",
    "assumed",
    "stored bytes that one core decodes: about a thousand ImageNet JPEGs of 115 kB a second",
)
REFERENCE_MFU = Assumption(
    "mfu_of_readers", 0.4, "1", "assumed", "share of the bf16 peak at which tokens are read; large runs reach 0.35-0.5"
)
REFERENCE_PARAMETERS = Assumption(
    "parameters_of_readers", 20e9, "1", "assumed", "size of the language model that reads where none is named"
)
UTILIZATION = Assumption(
    "busy_power_share", 0.9, "1", "assumed", "training draws 80-100 % of the power limit on matmul-bound steps"
)
HOST_POWER = Assumption(
    "host_power_w_per_accelerator",
    250.0,
    "W",
    "derived",
    "DGX H100: 10.2 kW maximum less 8 x 700 W, about half of it in use (NVIDIA DGX H100 datasheet)",
)
PUE = Assumption("pue", 1.2, "1", "assumed", "hyperscale fleets report 1.09-1.18, the surveyed average is 1.56")
CARBON = Assumption(
    "carbon_g_per_kwh",
    400.0,
    "g/kWh",
    "assumed",
    "near the world's average grid; the region states a better one if known",
)
IDLE_SHARE = Assumption("idle_power_share", 0.12, "1", "derived", "idle over limit of A100 and H100 SXM parts, 50-80 W")


def number(assumption: Assumption) -> float:
    """Return the value of an assumption that is a number.

    >>> number(PUE)
    1.2
    """
    assert isinstance(assumption.value, float), f"{assumption.name} is no number"
    return assumption.value


def listed(brief: Brief, designs: Sequence[DesignResult], catalog: Catalog) -> tuple[Assumption, ...]:
    """Return what the designs shown rest on, the first one's regime first; what the brief states is left out."""
    stated = brief.overrides
    found = [
        FAILURES if stated.failures_per_1000_node_days is None else None,
        RESTART if stated.restart_s is None else None,
        STARTUP,
        SPOT_INTERRUPTIONS if any(d.purchase == "spot" for d in designs) else None,
        CHECKPOINT_ASYNC,
        CHECKPOINT_WRITE,
        DEVICE_TO_HOST,
        STORAGE_WRITE if any(d.storage.product is None for d in designs) else None,
        UTILIZATION,
        HOST_POWER,
        PUE if stated.pue is None else None,
        CARBON if stated.carbon_g_per_kwh is None else None,
        IDLE_SHARE,
    ]
    regime = _regime(designs[0], brief, catalog) if designs else ()
    return (*brief.assumptions, *regime, *(assumption for assumption in found if assumption is not None))


def _regime(design: DesignResult, brief: Brief, catalog: Catalog) -> tuple[Assumption, ...]:
    """What the step time of a design rests on: its interval, the rates training loops reach, the software stack."""
    architecture = catalog.architecture_of(catalog.accelerators[design.accelerator])
    share = architecture.figures["matmul_share"]
    reached = Assumption(
        f"{architecture.id}.matmul_share", architecture.matmul_share, "1", share.evidence.value, share.source
    )
    stack = Assumption(
        "stack", design.layout.stack, "", "assumed", "default of the accelerator; name another with train.stack"
    )
    interval = step_interval(brief.job.model, design.layout.stack, architecture.id, design.nodes).assumption()
    return (interval, reached) if brief.job.stack else (interval, reached, stack)
