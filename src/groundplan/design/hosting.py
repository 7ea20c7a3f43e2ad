"""Where a replica runs: the hosts that carry its accelerator."""

from __future__ import annotations

from groundplan.catalog.catalog import Catalog
from groundplan.catalog.rows import Accelerator, Host
from groundplan.design.cluster import Cluster

OWN_HOST = 8
"""Accelerators of a host that no catalog row describes."""
OWN_FABRIC = "infiniband-ndr"


def replica_cluster(accelerator: Accelerator, devices: int, catalog: Catalog) -> Cluster:
    """Return the hosts of a replica: the largest kind that carries the accelerator, or one of eight where none does."""
    own = [host for host in catalog.hosts.values() if host.accelerator == accelerator.id]
    host = max(own, key=lambda one: (one.scaleup_domain, one.accelerators), default=None) or _unlisted(accelerator)
    return Cluster(host, accelerator, catalog.fabrics[host.fabric], -(-devices // host.accelerators))


def _unlisted(accelerator: Accelerator) -> Host:
    joined = accelerator.scaleup_bytes_per_s is not None
    return Host(
        id=f"{OWN_HOST}x {accelerator.id}",
        name=f"{OWN_HOST} x {accelerator.name}",
        aliases=(),
        figures={},
        provider="own",
        accelerator=accelerator.id,
        accelerators=OWN_HOST,
        scaleup_domain=max(OWN_HOST, accelerator.scaleup_domain) if joined else 1,
        vcpus=None,
        memory_bytes=None,
        local_storage_bytes=None,
        nic_bits_per_s=accelerator.nic_bits_per_s * OWN_HOST if accelerator.nic_bits_per_s else None,
        fabric=OWN_FABRIC,
        power_w=None,
        cpu=None,
    )
