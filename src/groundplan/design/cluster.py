"""The hardware side of a candidate: what one training run would occupy."""

from __future__ import annotations

from dataclasses import dataclass

from groundplan.catalog.rows import Accelerator, Architecture, Fabric, Host, Precision, Stack


@dataclass(frozen=True, slots=True)
class Cluster:
    """A number of equal hosts on one fabric."""

    host: Host
    accelerator: Accelerator
    fabric: Fabric
    nodes: int

    @property
    def accelerators(self) -> int:
        """Accelerators in all."""
        return self.nodes * self.host.accelerators


@dataclass(frozen=True, slots=True)
class Setting:
    """What a step estimate needs besides model and layout: one cluster, precision and software stack."""

    cluster: Cluster
    architecture: Architecture
    precision: Precision
    stack: Stack
    flash_attention: bool
