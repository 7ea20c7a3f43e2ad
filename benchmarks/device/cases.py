"""What is measured, in which sizes: fixed grids, so that two machines are measured with the same cases.

Nothing here needs PyTorch. A case says what to run; `kernels` and `steps` run it.
"""

from __future__ import annotations

from dataclasses import dataclass

KINDS = ("gemm", "attention", "bandwidth", "step")


@dataclass(frozen=True, slots=True)
class Gemm:
    """One matrix product, `[m, k] @ [k, n]`, the weight stored `[n, k]` as a linear layer stores it."""

    m: int
    n: int
    k: int
    dtype: str

    @property
    def name(self) -> str:
        """Return the case in one word or two."""
        return f"gemm {self.shape} {self.dtype}"

    @property
    def shape(self) -> str:
        """Return m x n x k."""
        return f"{self.m}x{self.n}x{self.k}"

    @property
    def flops(self) -> float:
        """Return operations [flop], a multiply and an add being two."""
        return 2.0 * self.m * self.n * self.k


@dataclass(frozen=True, slots=True)
class Attention:
    """Causal scaled-dot-product attention over `[batch, heads, sequence, head_dim]`."""

    batch: int
    heads: int
    sequence: int
    head_dim: int
    dtype: str
    backward: bool

    @property
    def direction(self) -> str:
        """Return forward or backward."""
        return "backward" if self.backward else "forward"

    @property
    def name(self) -> str:
        """Return the case in a few words."""
        return f"attention {self.shape} {self.dtype} {self.direction}"

    @property
    def shape(self) -> str:
        """Return batch, heads, sequence and head dimension."""
        return f"b{self.batch} h{self.heads} s{self.sequence} d{self.head_dim} causal"

    @property
    def flops(self) -> float:
        """Return operations [flop] of the half that causality leaves.

        Forward is two products of `sequence x sequence x head_dim`, backward five (one of them recomputes the scores).
        """
        products = 5.0 if self.backward else 2.0
        return 0.5 * products * 2.0 * self.batch * self.heads * self.sequence**2 * self.head_dim


@dataclass(frozen=True, slots=True)
class Bandwidth:
    """A pass over memory: `copy` reads one array and writes one, `add` reads two and writes one."""

    operation: str
    mebibytes: int  # of one array
    dtype: str = "fp32"

    @property
    def name(self) -> str:
        """Return the case in a few words."""
        return f"{self.operation} {self.shape}"

    @property
    def shape(self) -> str:
        """Return the size of one array."""
        return f"{self.mebibytes} MiB"

    @property
    def bytes_moved(self) -> float:
        """Return bytes read and written [byte]."""
        return {"copy": 2.0, "add": 3.0}[self.operation] * self.mebibytes * 2**20


@dataclass(frozen=True, slots=True)
class Shape:
    """A decoder: `gpt` (learned positions, LayerNorm, GELU, tied) or `llama` (rotary, RMSNorm, SwiGLU, untied)."""

    style: str
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    ffn: int
    vocab: int

    @property
    def name(self) -> str:
        """Return style, width and depth."""
        return f"{self.style}-h{self.hidden}-l{self.layers}"

    @property
    def head_dim(self) -> int:
        """Return the width of one head."""
        return self.hidden // self.heads


@dataclass(frozen=True, slots=True)
class Step:
    """One optimizer step: `accumulation` forward and backward passes of `micro_batch` sequences, then AdamW."""

    model: Shape
    sequence: int
    micro_batch: int
    accumulation: int
    dtype: str  # fp32, or bf16: autocast over fp32 parameters
    compiled: bool = False

    @property
    def name(self) -> str:
        """Return the case in a few words."""
        return (
            f"step {self.model.name} s{self.sequence} b{self.micro_batch}x{self.accumulation} {self.dtype} "
            f"{'compiled' if self.compiled else 'eager'}"
        )


Case = Gemm | Attention | Bandwidth | Step


def _gpt(hidden: int, layers: int, vocab: int, head_dim: int = 64) -> Shape:
    heads = hidden // head_dim
    return Shape("gpt", hidden, layers, heads, heads, 4 * hidden, vocab)


def _llama(hidden: int, layers: int, ffn: int, vocab: int, grouped: int = 1, head_dim: int = 64) -> Shape:
    heads = hidden // head_dim
    return Shape("llama", hidden, layers, heads, heads // grouped, ffn, vocab)


GPT_1M = _gpt(128, 4, 4096, head_dim=32)
LLAMA_2M = _llama(128, 4, 344, 4096, head_dim=32)
GPT_4M = _gpt(256, 4, 4096)
LLAMA_9M = _llama(256, 6, 688, 8192)
GPT_14M = _gpt(384, 6, 8192)
LLAMA_20M = _llama(512, 4, 1376, 8192, grouped=2)
GPT_30M = _gpt(512, 8, 8192)
LLAMA_60M = _llama(640, 8, 1728, 16384)
GPT_61M = _gpt(640, 10, 16384)
GPT_124M = _gpt(768, 12, 50304)
LLAMA_134M = _llama(768, 12, 2048, 32000)
GPT_354M = _gpt(1024, 24, 50304)
LLAMA_1100M = _llama(2048, 22, 5632, 32000, grouped=8)
GPT_1314M = _gpt(2048, 24, 50304, head_dim=128)
LLAMA_3200M = _llama(3072, 26, 8192, 32000, grouped=3, head_dim=128)


def cases(kinds: tuple[str, ...], cuda: bool, dtypes: tuple[str, ...], quick: bool) -> list[Case]:
    """Return the cases of a run, cheapest kind first, compiled steps last (compiling is what takes longest).

    Parameters
    ----------
    kinds
        Some of `KINDS`.
    cuda
        Whether the device is a GPU; a processor gets smaller shapes.
    dtypes
        What the device computes natively: "fp32" and perhaps "bf16".
    quick
        A few of each, for two processor cores and a minute.
    """
    found: list[Case] = []
    if "gemm" in kinds:
        found += [Gemm(m, n, k, dtype) for dtype in dtypes for m, n, k in _products(cuda, quick)]
    if "attention" in kinds:
        found += [
            Attention(*sizes, dtype, backward)
            for dtype in _attention_dtypes(cuda, dtypes)
            for sizes in _attentions(cuda, quick)
            for backward in (False, True)
        ]
    if "bandwidth" in kinds:
        sizes = (64,) if quick else (64, 256, 1024, 4096) if cuda else (64, 256, 512)
        found += [Bandwidth(operation, size) for operation in ("copy", "add") for size in sizes]
    if "step" in kinds:
        found += _gpu_steps(dtypes[0], quick) if cuda else _processor_steps(dtypes, quick)
    return sorted(found, key=lambda case: isinstance(case, Step) and case.compiled)


def _products(cuda: bool, quick: bool) -> list[tuple[int, int, int]]:
    """Return (m, n, k) of squares, and of the linear layers of transformers: tokens, outputs, inputs."""
    sides: tuple[int, ...] = (128, 256, 512, 1024, 2048)
    tokens: tuple[int, ...] = (128, 512, 2048)
    widths: tuple[int, ...] = (128, 256, 512, 1024)
    vocab = 8192
    if quick:
        sides, tokens, widths = (512, 1024), (512,), (512,)
    elif cuda:
        sides, tokens, widths = (256, 512, 1024, 2048, 4096, 8192), (512, 2048, 8192), (768, 2048, 4096, 8192)
        vocab = 32000
    found = [(side, side, side) for side in sides]
    for m in tokens:
        for width in widths:
            found += [(m, 3 * width, width), (m, width, width), (m, 4 * width, width), (m, width, 4 * width)]
            found.append((m, vocab, width))
    return list(dict.fromkeys(found))


def _attention_dtypes(cuda: bool, dtypes: tuple[str, ...]) -> tuple[str, ...]:
    """Return the types attention is trained in: on a GPU, half precision only has fused kernels worth timing."""
    return tuple(dtype for dtype in dtypes if dtype == "bf16") if cuda and "bf16" in dtypes else dtypes


def _attentions(cuda: bool, quick: bool) -> list[tuple[int, int, int, int]]:
    """Return (batch, heads, sequence, head_dim), the tokens of a batch held constant over sequence lengths."""
    if quick:
        return [(4, 8, 256, 64), (1, 8, 1024, 64)]
    tokens, width, lengths = (
        (16384, 2048, (512, 1024, 2048, 4096, 8192, 16384)) if cuda else (2048, 512, (128, 512, 2048))
    )
    return [(tokens // length, width // dim, length, dim) for dim in (64, 128) for length in lengths]


def _processor_steps(dtypes: tuple[str, ...], quick: bool) -> list[Case]:
    """Return training steps that one to a few dozen cores can run: 1 to 61 million parameters."""
    few = [
        (GPT_1M, 128, 4, 1),
        (GPT_1M, 1024, 1, 1),
        (LLAMA_2M, 512, 1, 1),
        (GPT_4M, 128, 1, 4),
        (LLAMA_9M, 256, 1, 1),
        (GPT_14M, 256, 1, 1),
        (LLAMA_20M, 128, 1, 1),
        (GPT_30M, 128, 1, 1),
        (LLAMA_60M, 128, 1, 1),
        (GPT_61M, 128, 1, 1),
    ]
    more = [
        (GPT_1M, 256, 16, 1),
        (LLAMA_2M, 256, 8, 1),
        (GPT_4M, 256, 8, 1),
        (GPT_4M, 1024, 2, 1),
        (LLAMA_9M, 512, 4, 1),
        (LLAMA_9M, 2048, 1, 1),
        (GPT_14M, 512, 4, 1),
        (GPT_14M, 1024, 1, 2),
        (LLAMA_20M, 512, 4, 1),
        (LLAMA_20M, 1024, 1, 1),
        (GPT_30M, 256, 4, 1),
        (GPT_30M, 1024, 1, 1),
        (LLAMA_60M, 512, 1, 1),
        (LLAMA_60M, 256, 1, 4),
        (GPT_61M, 512, 1, 1),
    ]
    eager, compiled = (few, []) if quick else (few + more, more[2:9:2])  # compiling takes half a minute a model
    found: list[Case] = [Step(*sizes, dtype) for dtype in dtypes for sizes in eager]
    return found + [Step(*sizes, dtype, compiled=True) for dtype in dtypes for sizes in compiled]


def _gpu_steps(dtype: str, quick: bool) -> list[Case]:
    """Return training steps for one GPU: from where launches decide to where products do."""
    sizes = [
        (GPT_30M, 1024, 8, 1),
        (GPT_124M, 1024, 1, 1),
        (GPT_124M, 1024, 16, 1),
        (LLAMA_134M, 2048, 8, 1),
        (GPT_354M, 1024, 16, 1),
        (GPT_354M, 2048, 4, 4),
        (LLAMA_1100M, 2048, 1, 1),
        (LLAMA_1100M, 2048, 8, 1),
        (LLAMA_1100M, 8192, 2, 1),
        (GPT_1314M, 2048, 4, 1),
        (GPT_1314M, 2048, 2, 8),
        (LLAMA_3200M, 4096, 1, 1),
        (LLAMA_3200M, 4096, 1, 8),
    ]
    eager, compiled = (sizes[:3], sizes[:1]) if quick else (sizes, sizes)
    found: list[Case] = [Step(*size, dtype) for size in eager]
    return found + [Step(*size, dtype, compiled=True) for size in compiled]
