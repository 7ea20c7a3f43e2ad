"""What a measured run ran on: stack, precision, network, layout, as its cells say, with the gaps filled by rules."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from groundplan.catalog.catalog import Catalog
from groundplan.catalog.rows import Accelerator, Fabric, Host, Precision, Stack
from groundplan.design.cluster import Cluster, Setting
from groundplan.design.layout import Layout, Recompute
from groundplan.errors import InputError
from groundplan.estimate.rates import check_rates
from groundplan.validation.measured import MeasuredRun
from groundplan.validation.models import run_model
from groundplan.workload.job import Method, TrainingJob

OLD_MEGATRON = 2022
"""Last year in which Megatron-LM meant code without flash attention and overlapped gradients."""
GRAPHS_SINCE = 26.06
"""Release of NVIDIA's container from which Megatron Bridge captures its layers as graphs and fuses permutation."""
RELEASE = re.compile(r"\b(2\d\.\d\d)(?:\.\d\d)? NeMo")
MEGATRON = ("megatron-core", "megatron-bridge", "megatron-lm")
"""Stacks whose sequence parallelism is on and whose optimizer is distributed unless a source says otherwise."""
NODE_LINKS = re.compile(r"(\d+)\s*(?:x|links)\D{0,12}?(\d+)?\s*(?:gb/?p?s)?", re.IGNORECASE)
PER_NODE = re.compile(r"(\d+)(?:/\d+)?\s*gb(?:ps|/s|it/s)?\s*/\s*node|efa\s+(\d+)", re.IGNORECASE)
PER_DEVICE = re.compile(r"(\d+)\s*gb(?:ps|/s|it/s)[^,;]*per (?:gpu|device|accelerator|chip)", re.IGNORECASE)
SLICE = re.compile(r"(\d+)-chip slice")
RACK = re.compile(r"nvl\s?(\d+)", re.IGNORECASE)
SHARD = re.compile(r"fsdp\s+(\d+)", re.IGNORECASE)
FABRICS = {"omni-path": "omni-path-100", "roce": "roce-400", "tcpx": "gcp-gpudirect-tcpx", "dcn": "ethernet-100"}
"""Words of a link's description that decide how a network behaves, whatever its rate."""
UNSTATED_ZERO = {"fsdp": 3, "xla": 3, "deepspeed": 2}
"""ZeRO stage where a source states none, by stack."""
KERNELS = re.compile(r"(?:FA|FlashAttention-?)([2-4])\b", re.IGNORECASE)
OMNI_PATH_BITS_PER_S = 1.0e11


@dataclass(frozen=True, slots=True)
class Case:
    """One measured run as the laws see it."""

    run: MeasuredRun
    job: TrainingJob
    setting: Setting
    layout: Layout
    recompute_known: bool
    measured_s: float
    assumed: tuple[str, ...]  # what the source does not state and a rule filled in

    @property
    def sparse(self) -> bool:
        """Whether the model is a mixture of experts."""
        return self.run.text("n_experts") != ""


def read_case(run: MeasuredRun, catalog: Catalog) -> Case:
    """Turn a measured run into a case.

    Raises
    ------
    InputError, UnknownName
        What is missing or unknown, by which the run cannot be predicted.
    """
    assumed: list[str] = []
    model = run_model(run, catalog)
    accelerator = _accelerator(run.text("gpu"), catalog)
    stack = run_stack(run.text("framework"), run.number("year"), accelerator, catalog)
    if stack.id == "deepspeed" and "liger" in run.text("notes").lower():
        stack = catalog.stacks["deepspeed-liger"]
    stack = _with_kernels(stack, run.text("framework"))
    precision = _precision(run.text("precision"), catalog)
    check_rates(accelerator, precision)
    devices = run.size("n_gpus")
    layout, batch = _layout(run, stack, devices, assumed)
    cluster = run_cluster(run, accelerator, catalog)
    flash = stack.flash_attention and "without flash attention" not in run.text("notes")
    job = TrainingJob(
        model=model,
        method=_method(run),
        lora=None,
        dataset=None,
        tokens=float(batch * run.size("seq_len")),
        sequence=run.size("seq_len"),
        global_batch=batch,
        optimizer="adamw",
        precisions=(precision.id,),
        stack=stack.id,
        flash_attention=flash,
    )
    setting = Setting(cluster, catalog.architecture_of(accelerator), precision, stack, flash)
    known = _recompute(run.text("recompute")) is not None
    return Case(run, job, setting, layout, known, _measured_s(run, batch, devices), tuple(assumed))


def run_stack(framework: str, year: float | None, accelerator: Accelerator, catalog: Catalog) -> Stack:
    """Return the stack whose name or alias is the longest word of `framework`; the accelerator's default without one.

    Megatron-LM of the years up to `OLD_MEGATRON` is a stack of its own.
    """
    name = _spoken_stack(framework.lower(), catalog)
    if name is None:
        return catalog.default_stack(accelerator)
    release = RELEASE.search(framework)
    if name == "megatron-bridge" and (release is None or float(release[1]) < GRAPHS_SINCE):
        name = "megatron-core"
    if name == "megatron-lm" and year is not None and year <= OLD_MEGATRON:
        name = "megatron-2021"
    return catalog.stacks[name]


def _with_kernels(stack: Stack, framework: str) -> Stack:
    """Return the stack with the attention kernels a source names: FA3 is FlashAttention-3."""
    named = KERNELS.search(framework)
    return replace(stack, flash_generation=float(named[1])) if named else stack


@lru_cache(maxsize=4096)
def _spoken_stack(framework: str, catalog: Catalog) -> str | None:
    found = [
        (len(spoken), stack.id)
        for stack in catalog.stacks.values()
        for spoken in (stack.id, *stack.aliases)
        if re.search(rf"(?<![a-z0-9]){re.escape(spoken)}(?![a-z])", framework)
    ]
    return max(found)[1] if found else None


@lru_cache(maxsize=4096)
def _accelerator(name: str, catalog: Catalog) -> Accelerator:
    return catalog.accelerator(name)


@lru_cache(maxsize=4096)
def _precision(text: str, catalog: Catalog) -> Precision:
    word = re.split(r"[\s/(,;]+", text.strip().lower())[0]
    return catalog.precision(word or "bf16")


def run_cluster(run: MeasuredRun, accelerator: Accelerator, catalog: Catalog) -> Cluster:
    """Return the hosts of a run: devices per host, scale-up domain and network as stated, else the reference's."""
    devices = run.size("n_gpus")
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
    elif accelerator.scaleup_domain > 8:  # a rack or a torus, not a board
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
        return 4.0 * OMNI_PATH_BITS_PER_S
    return accelerator.nic_bits_per_s * per_host if accelerator.nic_bits_per_s else None


def _fabric(link: str, reference: Host | None, catalog: Catalog) -> Fabric:
    for word, identity in FABRICS.items():
        if word in link:
            return catalog.fabrics[identity]
    return catalog.fabrics[reference.fabric if reference else "infiniband-ndr"]


def _layout(run: MeasuredRun, stack: Stack, devices: int, assumed: list[str]) -> tuple[Layout, int]:
    """Return the layout, and the sequences of a step."""
    tp, pp, cp = (run.size(name, 1) for name in ("tp", "pp", "cp"))
    dp, rest = divmod(devices, tp * pp * cp)
    if rest or dp < 1:
        raise InputError(f"tp x pp x cp = {tp * pp * cp} does not divide {devices} devices", "correct the layout")
    micro = run.number("micro_batch")
    batch = run.number("global_batch_seqs")
    if micro is None and batch is None:
        raise InputError("neither micro_batch nor global_batch_seqs is stated", "fill in one of them")
    if micro is None:
        assumed.append("micro_batch 1")
        micro = 1.0
    if batch is None:
        assumed.append("one micro-batch a step")
        batch = micro * dp
    if micro <= 0 or batch <= 0:
        raise InputError("a batch is not above zero", "correct micro_batch and global_batch_seqs")
    micro = batch / dp if stack.whole_batch and pp == 1 else min(micro, batch / dp)
    if pp * micro * dp > batch and pp > 1:
        assumed.append("fewer micro-batches than stages")
    ep = run.size("ep", 1)
    zero, shard = _sharding(run.text("zero_or_fsdp").lower(), stack, dp * cp)
    text = run.text("seq_parallel").lower()
    recompute = _recompute(run.text("recompute"))
    layout = Layout(
        tp=tp,
        pp=pp,
        vpp=run.size("vpp", 1) if pp > 1 else 1,
        cp=cp,
        ep=min(ep, dp * cp),
        dp=dp,
        zero=zero,
        shard=shard,
        micro_batch=micro,  # type: ignore[arg-type]  # some published runs state a mean
        recompute=Recompute.NONE if recompute is None else recompute,
        sequence_parallel=tp > 1 and (text == "yes" or (text == "" and stack.id in MEGATRON)),
        offload="offload" in run.text("zero_or_fsdp").lower(),
    )
    return layout, round(batch)


def _sharding(text: str, stack: Stack, replicas: int) -> tuple[int, int]:
    """ZeRO stage, and the ranks its states are sharded over."""
    stated = SHARD.search(text)
    if "zero-1" in text or "distributed optimizer" in text:
        zero = 1
    elif "zero-2" in text or "grad_op" in text:
        zero = 2
    elif "zero-3" in text or "fsdp" in text:
        zero = 3
    elif text:
        zero = 0
    else:
        zero = 1 if stack.id in MEGATRON else UNSTATED_ZERO.get(stack.id, 0)
    shard = min(int(stated[1]), replicas) if stated and zero == 3 else replicas
    return (0, 1) if zero == 0 or shard <= 1 else (zero, shard)


def _recompute(text: str) -> Recompute | None:
    modes = {"none": Recompute.NONE, "no": Recompute.NONE, "selective": Recompute.SELECTIVE, "full": Recompute.FULL}
    return modes.get(text.lower())


def _method(run: MeasuredRun) -> Method:
    said = f"{run.text('model')} {run.text('notes')}".lower()
    if "qlora" in said:
        return Method.QLORA
    return Method.LORA if re.search(r"\blora\b", said) else Method.PRETRAIN


def _measured_s(run: MeasuredRun, batch: int, devices: int) -> float:
    """Seconds of a step as measured, or as the measured rate makes it."""
    step, rate, samples = (run.number(name) for name in ("step_time_s", "tokens_per_s_per_gpu", "samples_per_s"))
    if step:
        return step
    if rate:
        return batch * run.size("seq_len") / (rate * devices)
    if samples:
        return batch / samples
    raise InputError("nothing was measured", "fill in step_time_s or tokens_per_s_per_gpu")
