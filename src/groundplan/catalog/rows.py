"""Typed views of catalog rows, in base units. None (or NaN in arrays) = unknown, never a guess."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from groundplan.evidence import Figure


@dataclass(frozen=True, slots=True)
class Row:
    """What every catalog row has: an id, a display name, other names people type, its figures."""

    id: str
    name: str
    aliases: tuple[str, ...]
    figures: Mapping[str, Figure]


@dataclass(frozen=True, slots=True)
class Accelerator(Row):
    """A GPU, TPU or other accelerator. `flops[dtype]` are dense peaks in FLOP/s (int8: OP/s)."""

    vendor: str
    device_class: str  # datacenter | rack | inference | consumer | tpu | asic | edge | unified | fpga | announced
    architecture: str  # ampere, hopper, ada, blackwell, cdna3, tpu-v5p, ...: the key of fitted constants
    year: int | None
    flops: Mapping[str, float]  # keys among fp32 tf32 fp16 bf16 fp8 fp4 int8; absent = none or unknown
    sustained_flops: Mapping[str, float]  # measured best matmul rate (bf16 where known)
    memory_bytes: float | None  # 80 GB parts carry 80 GiB: the datasheet's GB is taken as the usable GiB where measured
    memory_bytes_per_s: float | None
    scaleup_bytes_per_s: float | None  # per direction and accelerator
    scaleup_domain: int  # accelerators one scale-up network joins; 1 = none
    scaleup_kind: str  # nvlink | xgmi | ici | pcie | roce | neuronlink | none
    nic_bits_per_s: float | None  # reference NIC per accelerator
    tdp_w: float | None
    idle_w: float | None
    pcie_bytes_per_s: float | None  # per direction, x16
    compute_units: int | None  # SMs, CUs, TensorCores: the wave size of a GEMM
    sustained_memory_bytes_per_s: float | None = None  # measured rate of long reads


@dataclass(frozen=True, slots=True)
class Cpu(Row):
    """A server CPU, for data preparation and offloaded optimizers."""

    vendor: str
    cores: int
    memory_bytes_per_s: float | None
    tdp_w: float | None


@dataclass(frozen=True, slots=True)
class Host(Row):
    """A cloud instance type or a server one can buy."""

    provider: str  # aws gcp azure oci lambda nebius coreweave ... on-prem
    accelerator: str
    accelerators: int
    scaleup_domain: int  # accelerators joined by the scale-up network across hosts (NVL72: 72; HGX: 8; PCIe: 1)
    vcpus: int | None
    memory_bytes: float | None
    local_storage_bytes: float | None
    nic_bits_per_s: float | None  # host total, scale-out
    fabric: str  # id of a fabric row
    power_w: float | None  # host overhead beside the accelerators, busy
    cpu: str | None


@dataclass(frozen=True, slots=True)
class Fabric(Row):
    """A network technology: per-link rate and how latency and efficiency behave."""

    kind: str  # infiniband | roce | efa | ethernet | nvlink | ici | xgmi | gcp | slingshot | omni-path
    link_bits_per_s: float | None  # one port, one direction
    latency_s: float | None
    efficiency: float  # share of line rate that large messages reach
    topology: str  # fat-tree-rail | fat-tree | dragonfly | torus-2d | torus-3d | switch | bus
    oversubscription: float  # 1 = full bisection
    in_network_reduction: bool


@dataclass(frozen=True, slots=True)
class StorageProduct(Row):
    """A storage system or service. Rates are for the whole system, or per TiB provisioned."""

    provider: str
    kind: str  # object | parallel | nas | local | block
    read_bytes_per_s: float | None
    write_bytes_per_s: float | None
    read_bytes_per_s_per_tib: float | None
    write_bytes_per_s_per_tib: float | None
    min_bytes: float | None
    max_read_bytes_per_s: float | None
    latency_s: float | None
    usable_fraction: float
    usd_per_gb_month: float | None


@dataclass(frozen=True, slots=True)
class Grid(Row):
    """Electricity of a region."""

    provider: str
    region: str
    country: str
    carbon_g_per_kwh: float | None
    usd_per_kwh: float | None
    pue: float | None


@dataclass(frozen=True, slots=True)
class Precision(Row):
    """A training precision recipe: which rate the GEMMs run at and what is kept per parameter."""

    gemm: str  # key of Accelerator.flops the GEMMs use
    weight_bytes: float  # the copy used by forward and backward
    gradient_bytes: float
    master_bytes: float  # fp32 master copy; 0 when weights are fp32 themselves
    activation_bytes: float
    communicated_weight_bytes: float  # all-gather width
    attention: str  # dtype key attention runs at
    quantize_passes: float  # memory passes over activations per GEMM operand for scaling and casting
    loss_scaling: bool
    cast_bytes: float = 0.0  # moved to cast one parameter for one micro-batch


@dataclass(frozen=True, slots=True)
class Optimizer(Row):
    """An optimizer: what it keeps and moves for each trained parameter."""

    state_bytes: float  # beside the master copy
    factored: bool  # Adafactor: second moment kept as row and column sums
    flops_per_parameter: float
    matrix_flops: bool  # Muon: Newton-Schulz GEMMs on each matrix


@dataclass(frozen=True, slots=True)
class Stack(Row):
    """A training software stack: a small set of physical parameters, the same for every model."""

    launches_per_layer: float  # kernels per layer, forward
    launch_s: float  # CPU time to launch one
    overlap_data_parallel: float  # share of gradient / weight traffic that can hide under compute
    overlap_tensor_parallel: float
    compute_slowdown: float  # slowdown of compute while a collective runs beside it
    gradient_bytes: float | None  # width of accumulated gradients where the stack decides it (4 = fp32)
    reduce_bytes: float | None  # width of reduced gradients on the wire
    flash_attention: bool
    fused_cross_entropy: bool
    memory_passes_per_layer: float  # elementwise passes over tokens x hidden per layer, forward
    context_bytes: float  # CUDA context, NCCL and workspace outside the allocator
    fragmentation: float  # reserved / allocated
    matmul_factor: float = 1.0  # matmul rate over the architecture's, older libraries lose
    attention_factor: float = 1.0  # flash attention over the best kernels there are
    flash_generation: float = 3.0  # 2 = FlashAttention-2 kernels; 3 = kernels made for the architecture
    fused_elementwise: bool = True  # False: eager norms and activations keep every intermediate (plain PyTorch)
    logit_bytes: float | None = None  # live per logit at the loss; None = by fused_cross_entropy; 0 = in chunks (Liger)
    bucket_bytes: float = 0.0  # buffers the data-parallel engine reduces and gathers through, where it copies into any
    split_passes_per_layer: float = 0.0  # passes inside the blocks, which tensor parallelism splits
    launches_per_moe_layer: float = 0.0  # kernels of routing, permuting and dispatching, forward
    launches_per_expert: float = 0.0  # kernels of one local expert, forward; a cast for each operand comes on top
    permute_passes: float = 4.0  # passes over the routed copies of the tokens, forward
    overlap_expert_parallel: float = 0.0  # share of dispatch and combine that can hide under compute
    whole_batch: bool = False  # a device runs all its sequences of a step at once, without accumulation
    single_copy_dispatch: bool = False  # a token crosses the fabric once for each domain that holds its experts
    fp32_update: bool = False  # 16-bit gradients stay until the update, which copies them to fp32 (DeepSpeed)
    bf16_gradient_bytes: float | None = None  # gradient_bytes where the loss is not scaled; None = the same
    boundary_copies: float = 0.0  # outputs a pipeline stage keeps by micro-batch in flight, split by tensor parallelism
    embedding_activations: float = 0.0  # kept by the embedding even under recomputation, in units of its output
    in_place_gradients: bool = False  # gradients of gate and up-projection overwrite them (Liger)


@dataclass(frozen=True, slots=True)
class Engine(Row):
    """A serving engine: what its scheduler, its kernels and its memory manager do, the same for every model."""

    iteration_s: float  # of the host, for an iteration, that the device waits for
    sequence_s: float  # the same for each sequence in it
    request_s: float  # of the front end, for a request: transport, tokens, first answer
    kernel_s: float  # between two kernels of a captured graph
    eager_kernel_s: float  # to launch one where prompts keep the iteration from being captured
    kernels_per_layer: float  # kernels of a dense layer
    kernels_per_moe_layer: float  # those that routing and experts add
    matmul_factor: float  # matmul rate over the architecture's
    stream_factor: float  # rate of reading weights and cache over the architecture's
    expert_factor: float  # rate of grouped products of experts over that of dense ones
    memory_utilization: float  # share of a device's memory it takes
    graph_bytes: float  # captured graphs and communication buffers
    block_tokens: int  # cache is handed out in blocks of as many
    max_sequences: int
    max_batched_tokens: int
    chunked_prefill: bool  # prompt tokens join decoding sequences in one iteration
    prefix_caching: bool
    runs_on: tuple[str, ...] = ()  # architectures it has kernels for; empty: any
    reserves_output: bool = False  # a request starts only when its whole answer has room: none is ever evicted


@dataclass(frozen=True, slots=True)
class Architecture(Row):
    """An accelerator architecture: what training loops reach of its best measured rates, as shares of them."""

    matmul_share: float  # matmuls inside a training loop, against the best matmul alone
    flash_forward_share: float  # flash attention at long sequences
    flash_backward_share: float
    flash2_share: float = 1.0  # rate of FlashAttention-2 over that of kernels made for the architecture
    matmul_share_8bit: float | None = None  # as matmul_share, for 8-bit operands; None = the same
    matmul_share_4bit: float | None = None  # for 4-bit operands; None = as 8-bit
    attention_rate: str = ""  # key of the rate attention runs at whatever the precision; "" = the precision's
    host_computes: bool = False  # a processor: launching and computing take turns
    tile: float = 128.0  # side of the tiles its kernels work on
    stream_share: float = 0.8  # of the memory bandwidth, that reading weights or cache reaches
    flops_per_joule: float | None = None  # bf16 matmuls at the power limit; None = the limit does not bind


@dataclass(frozen=True, slots=True)
class EdgeDevice(Row):
    """A computer that flies along: a module, a stick beside a small host, a phone. Rates are of its fastest mode."""

    vendor: str
    accelerator: str  # id of the same part among the accelerators; none = it is not there
    family: str  # id of its row in edge_families: the fitted constants
    flops: Mapping[str, float]  # dense peaks by precision: fp32 (as the runtime computes it), fp16, int8
    memory_bytes_per_s: float | None
    on_chip_bytes: float | None  # weights it holds itself, the rest comes over its link; None = all in its own memory
    idle_w: float | None
    host_w: float | None  # the computer it needs beside it; 0 = it is one
    limit_c: float | None  # temperature at which it slows down
    thermal_resistance: float | None  # from its surface to the air, with the cooling it is sold with


@dataclass(frozen=True, slots=True)
class PowerMode(Row):
    """A power mode of an edge device: its limit, and the shares of the fastest mode's rates it leaves."""

    device: str
    mode: str  # as a brief writes it: 15w, maxn
    limit_w: float | None
    compute_share: float | None
    memory_share: float | None


@dataclass(frozen=True, slots=True)
class EdgeFamily(Row):
    """What inference reaches on a family of edge devices: constants fitted to published runs."""

    sustained_share: float | None  # of the dense peak, in convolutions of a whole network
    overhead_s: float | None  # of one frame, at the fastest mode: launches, input, output
    activation_passes: float  # traffic of activations, in units of sqrt(FLOP x pixels) elements
    detection_s: float  # work of the host for one frame of a detector: decoding boxes, dropping doubles
    link_bytes_per_s: float | None  # rate at which weights that do not fit on the chip come in
    frames_in_flight: float  # frames a pipelined chip works on at once
    time_low: float  # factors on a predicted frame time that hold four in five unseen runs
    time_high: float
    largest_side: int | None = None  # of inputs that published runs have, where a chip cannot hold more; None = any


@dataclass(frozen=True, slots=True)
class Recipe(Row):
    """A way to make a model smaller or better, and what it does to its accuracy."""

    kind: str  # quantisation | distillation
    precision: str  # the precision it is for; any
    accuracy_change: float  # of the metric, absolute
    change_low: float
    change_high: float


@dataclass(frozen=True, slots=True)
class Price:
    """One dated price of one host (or of one accelerator of it) for one purchase option."""

    host: str
    provider: str
    region: str
    option: str
    usd_per_hour: float  # for the whole host
    date: str  # ISO date, or "" when the source states none
    evidence: str
    source: str


@dataclass(frozen=True, slots=True)
class StoragePrice:
    """One dated price of keeping, reading or moving data out of a storage product."""

    product: str
    provider: str
    region: str
    quantity: str  # storage | read | write | egress (to the internet) | egress_region (between regions)
    usd: float
    unit: str  # GB-month, GB, 1000 requests, ...
    date: str
    evidence: str
    source: str
