"""What a measured run ran on: hosts, scale-up domain and network, as its cells describe them."""

from __future__ import annotations

import re
from functools import lru_cache

from groundplan.catalog.catalog import Catalog
from groundplan.catalog.rows import Accelerator, Fabric, Host
from groundplan.design.cluster import Cluster
from groundplan.validation.measured import MeasuredRun

BOARD = 8
"""Accelerators of the largest scale-up network that is a board, not a rack or a torus."""
NODE_LINKS = re.compile(r"(\d+)\s*(?:x|links)\D{0,12}?(\d+)?\s*(?:gb/?p?s)?", re.IGNORECASE)
PER_NODE = re.compile(r"(\d+)(?:/\d+)?\s*gb(?:ps|/s|it/s)?\s*/\s*node|efa\s+(\d+)", re.IGNORECASE)
PER_DEVICE = re.compile(r"(\d+)\s*gb(?:ps|/s|it/s)[^,;]*per (?:gpu|device|accelerator|chip)", re.IGNORECASE)
SLICE = re.compile(r"(\d+)-chip slice")
RACK = re.compile(r"nvl\s?(\d+)", re.IGNORECASE)
FABRICS = {"omni-path": "omni-path-100", "roce": "roce-400", "tcpx": "gcp-gpudirect-tcpx", "dcn": "ethernet-100"}
"""Words of a link's description that decide how a network behaves, whatever its rate."""
OMNI_PATH_BITS_PER_S = 1.0e11
OMNI_PATH_LINKS = 4.0
"""Links of a node of Jean Zay, where a source names Omni-Path alone."""


def run_cluster(run: MeasuredRun, devices: int, accelerator: Accelerator, catalog: Catalog) -> Cluster:
    """Return the hosts of a run: devices per host, scale-up domain and network as stated, else the reference's."""
    per_host = min(run.size("gpus_per_node", min(8, devices)), devices)
    return _cluster(
        accelerator.id, per_host, devices, run.text("intra_node_link"), run.text("inter_node_link").lower(), catalog
    )


@lru_cache(maxsize=4096)
def _cluster(identity: str, per_host: int, devices: int, inside: str, across: str, catalog: Catalog) -> Cluster:
    accelerator, domain = catalog.accelerators[identity], per_host
    stated = SLICE.search(inside) or RACK.search(inside)
    if stated:
        domain = int(stated[1])
    elif accelerator.scaleup_domain > BOARD:  # a rack or a torus, not a board
        domain = accelerator.scaleup_domain
    reference = next((h for h in catalog.hosts.values() if h.accelerator == accelerator.id), None)
    fabric = _fabric(across, reference, catalog)
    host = Host(
        id=f"{per_host}x {accelerator.id}",
        name=f"{per_host}x {accelerator.name}",
        aliases=(),
        figures={},
        provider="published",
        accelerator=accelerator.id,
        accelerators=per_host,
        scaleup_domain=max(domain, per_host) if accelerator.scaleup_bytes_per_s else 1,
        vcpus=None,
        memory_bytes=None,
        local_storage_bytes=None,
        nic_bits_per_s=_nic_bits_per_s(across, accelerator, per_host),
        fabric=fabric.id,
        power_w=None,
        cpu=None,
    )
    return Cluster(host, accelerator, fabric, max(1, -(-devices // per_host)))


def _nic_bits_per_s(link: str, accelerator: Accelerator, per_host: int) -> float | None:
    """Scale-out rate of a host as its link is described; None where nothing is stated and no reference is known."""
    each, whole = PER_DEVICE.search(link), PER_NODE.search(link)
    if each:
        return float(each[1]) * 1e9 * per_host
    if whole:
        return float(whole[1] or whole[2]) * 1e9
    links = NODE_LINKS.search(link)
    if links and "omni-path" in link:
        return float(links[1]) * OMNI_PATH_BITS_PER_S
    if links and links[2]:
        return float(links[1]) * float(links[2]) * 1e9
    if "omni-path" in link:
        return OMNI_PATH_LINKS * OMNI_PATH_BITS_PER_S
    return accelerator.nic_bits_per_s * per_host if accelerator.nic_bits_per_s else None


def _fabric(link: str, reference: Host | None, catalog: Catalog) -> Fabric:
    for word, identity in FABRICS.items():
        if word in link:
            return catalog.fabrics[identity]
    return catalog.fabrics[reference.fabric if reference else "infiniband-ndr"]
