"""What a measured run ran on: hosts, scale-up domain and network, as its cells describe them."""

from __future__ import annotations

import re
from functools import lru_cache

from groundplan.catalog.catalog import Catalog
from groundplan.catalog.rows import Accelerator, Fabric, Host
from groundplan.design.cluster import Cluster
from groundplan.errors import InputError, nearest_names
from groundplan.validation.measured import MeasuredRun, shown
from groundplan.validation.words import OPEN

BOARD = 8
"""Accelerators of the largest scale-up network that is a board, not a rack or a torus."""
NODE_LINKS = re.compile(r"(\d+)\s*(?:x|links)\D{0,12}?(\d+)?\s*(?:gb/?p?s)?", re.IGNORECASE)
PER_NODE = re.compile(r"(\d+)(?:/\d+)?\s*gb(?:ps|/s|it/s)?\s*/\s*node|efa\s+(\d+)", re.IGNORECASE)
PER_DEVICE = re.compile(r"(\d+)\s*gb(?:ps|/s|it/s)[^,;]*per (?:gpu|device|accelerator|chip)", re.IGNORECASE)
ONE_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:gb|gbps|gb/s|gbit|gbit/s|gbe|gige|gig|g)(?![a-z])")
GENERATIONS = {"fdr": 56e9, "edr": 100e9, "hdr": 200e9, "ndr": 400e9, "xdr": 800e9}
"""Rate of an InfiniBand port by the generation's name [bit/s] (InfiniBand Trade Association roadmap)."""
INFINIBAND = re.compile(r"infiniband|\bib\b|quantum|\b(?:fdr|edr|hdr|ndr|xdr)")
FASTEST_LINK = 3200.0
"""Gb/s of one port: none is faster."""
WHOLE_NODE = 800.0
"""Gb/s from which a single rate is of a node, not of a port (EFA's 3200 Gb/s of a p5 instance)."""
KNOWN = re.compile(
    r"infiniband|\bib\b|[fehnx]dr\b|efa|roce|ether|gbe|gige|tcp|dcn|\bici\b|omni|slingshot|neuron|nvl|nvswitch|"
    r"spectrum|quantum|connectx|cx-?\d|gpudirect|rdma|ualink|infinity|xgmi|fabric|network|nodes?\b|slice|pod|torus|"
    r"rack|unstated|not stated|unknown|stated|none|single|dgx|hgx|gcp|aws|azure|oci|selene|\d\s*(?:[gt]b|g\b)"
)
"""Words by which a cell is a description of a network, if not of its rate."""
SLICE = re.compile(r"(\d+)-chip slice")
RACK = re.compile(r"nvl\s?(\d+)", re.IGNORECASE)
FABRICS = {"omni-path": "omni-path-100", "roce": "roce-400", "tcpx": "gcp-gpudirect-tcpx", "dcn": "ethernet-100"}
"""Words of a link's description that decide how a network behaves, whatever its rate."""
ETHERNET = re.compile(r"ether|gbe|gige|\btcp\b")
OMNI_PATH_BITS_PER_S = 1.0e11
OMNI_PATH_LINKS = 4.0
"""Links of a node of Jean Zay, where a source names Omni-Path alone."""
EXAMPLES = ("8x400G InfiniBand", "8x200G HDR", "NDR", "100GbE", "4x200Gb/s RoCE", "3200 Gb/s EFA", "single node")


def run_cluster(
    run: MeasuredRun, devices: int, accelerator: Accelerator, catalog: Catalog, assumed: list[str]
) -> Cluster:
    """Return the hosts of a run: devices per host, scale-up domain and network as stated, else the reference's.

    Raises
    ------
    InputError
        The description of the network between nodes is none.
    """
    per_host = min(run.size("gpus_per_node", min(8, devices)), devices)
    across = run.text("inter_node_link").lower()
    inside = run.text("intra_node_link")
    if devices > per_host:
        _check_link(across, run.text("inter_node_link"))
    cluster = _cluster(accelerator.id, per_host, devices, inside, across, catalog)
    if cluster.nodes > 1 and not _is_stated(across):
        rate = cluster.host.nic_bits_per_s
        assumed.append(f"network {cluster.fabric.id}" + (f" of {rate / 1e9:g} Gb/s a node" if rate else ""))
    if "pcie" in inside.lower() and per_host > 1 and accelerator.scaleup_domain > 1:
        assumed.append(f"intra_node_link is not read: {accelerator.id} has its own scale-up network")
    return cluster


def _check_link(link: str, cell: str) -> None:
    """Refuse a cell that describes no network, or an impossible one."""
    if link in OPEN:
        return
    if not KNOWN.search(link) and not NODE_LINKS.search(link):
        nearest = nearest_names(link, EXAMPLES)
        mend = f"did you mean {' or '.join(nearest)}?" if nearest else f"write e.g. {', '.join(EXAMPLES[:4])}"
        raise InputError(f"inter_node_link is {shown(cell)}", f"{mend} or leave it empty")
    links = NODE_LINKS.search(link)
    rate = float(links[2]) if links and links[2] else float(found[1]) if (found := ONE_RATE.search(link)) else 1.0
    tera = re.search(r"\d\s*t(?:b|\b)", link) is not None
    if (links and int(links[1]) == 0) or rate == 0 or (tera and rate * 1000 > FASTEST_LINK):
        raise InputError(
            f"inter_node_link is {shown(cell)}", "no network is of that rate; write e.g. 8x400G InfiniBand"
        )


def _is_stated(link: str) -> bool:
    """Whether a description says how fast a node's network is in all."""
    return any(words.search(link) for words in (PER_DEVICE, PER_NODE, NODE_LINKS))


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
    one = _port_bits_per_s(link)
    if one is not None:
        node = ETHERNET.search(link) or not INFINIBAND.search(link) or one >= WHOLE_NODE * 1e9
        ports = 1 if node and "xdr" not in link else per_host
        return one * (int(links[1]) if links else ports)
    return accelerator.nic_bits_per_s * per_host if accelerator.nic_bits_per_s else None


def _port_bits_per_s(link: str) -> float | None:
    """Rate of the one port that is described, by number or by generation [bit/s]: of a device, by its name alone."""
    rate = ONE_RATE.search(link)
    if rate:
        return float(rate[1]) * 1e9
    return next((bits for name, bits in GENERATIONS.items() if re.search(rf"\b{name}", link)), None)


def _fabric(link: str, reference: Host | None, catalog: Catalog) -> Fabric:
    for word, identity in FABRICS.items():
        if word in link:
            return catalog.fabrics[identity]
    if ETHERNET.search(link):
        return catalog.fabrics["ethernet-100"]
    return catalog.fabrics[reference.fabric if reference else "infiniband-ndr"]
