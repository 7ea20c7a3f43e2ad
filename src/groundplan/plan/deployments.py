"""The deployments that a model can be split into."""

from __future__ import annotations

from collections.abc import Iterator

from groundplan.design.deployment import Deployment, check_deployment
from groundplan.errors import InputError
from groundplan.workload.model import TransformerModel


def splits(model: TransformerModel, weights: str, kv: str, most_devices: int) -> Iterator[Deployment]:
    """Yield the deployments of a model over up to `most_devices`, fewest first."""
    sizes = [1 << power for power in range(most_devices.bit_length()) if 1 << power <= most_devices]
    for devices in sizes:
        for tp in sizes:
            if devices % tp:
                continue
            for dp in sorted({1, devices // tp}):
                pp = devices // tp // dp
                if dp > 1 and model.experts is None:
                    continue  # replicas of a dense model do the same without waiting for each other
                for ep in sorted({1, tp * dp}) if model.experts else (1,):
                    if dp > 1 and ep == 1:
                        continue
                    deployment = Deployment(tp, pp, dp, ep, weights, kv)
                    try:
                        check_deployment(model, deployment)
                    except InputError:
                        continue
                    yield deployment
