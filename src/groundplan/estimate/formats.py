"""The number formats of served weights and caches: what they weigh, and what they are multiplied in."""

from __future__ import annotations

from dataclasses import dataclass

from groundplan.catalog.rows import Accelerator
from groundplan.errors import InputError, UnknownName

SIXTEEN_BIT = 2.0
GROUP = 128.0
"""Weights that share a 16-bit scale and zero point in 4-bit checkpoints (AWQ, GPTQ defaults)."""
NVFP4_BLOCK = 16.0
"""Weights that share an 8-bit scale in NVFP4."""
MXFP4_BLOCK = 32.0
"""Weights that share an 8-bit scale in MXFP4 (OCP Microscaling Formats 1.0)."""


@dataclass(frozen=True, slots=True)
class Format:
    """A number format of weights. `operands` is what is multiplied where the accelerator can, else 16 bits are."""

    id: str
    weight_bytes: float
    operands: str  # key of Accelerator.flops
    operand_bytes: float


FORMATS = {
    one.id: one
    for one in (
        Format("fp32", 4.0, "fp32", 4.0),
        Format("bf16", SIXTEEN_BIT, "bf16", SIXTEEN_BIT),
        Format("fp16", SIXTEEN_BIT, "fp16", SIXTEEN_BIT),
        Format("fp8", 1.0, "fp8", 1.0),
        Format("int8", 1.0, "int8", 1.0),
        Format("int4", 0.5 + 2 * SIXTEEN_BIT / GROUP, "bf16", SIXTEEN_BIT),
        Format("nvfp4", 0.5 + 1.0 / NVFP4_BLOCK, "fp4", 0.5),
        Format("mxfp4", 0.5 + 1.0 / MXFP4_BLOCK, "fp4", 0.5),
    )
}
SPOKEN = {"awq": "int4", "gptq": "int4", "w4a16": "int4", "fp4": "nvfp4", "half": "fp16", "bfloat16": "bf16"}
"""Other names people type."""
FOUR_BIT_FLOATS = ("nvfp4", "mxfp4")
KV_BYTES = {"fp32": 4.0, "bf16": SIXTEEN_BIT, "fp16": SIXTEEN_BIT, "fp8": 1.0, "int8": 1.0}


def weight_format(name: str) -> Format:
    """Return the format people call `name`.

    Raises
    ------
    UnknownName
        With the nearest names.
    """
    key = SPOKEN.get(name.lower(), name.lower())
    if key not in FORMATS:
        raise UnknownName("weight precision", name, FORMATS)
    return FORMATS[key]


def kv_format_bytes(name: str) -> float:
    """Return the bytes of an element of a cache kept as `name`.

    Raises
    ------
    UnknownName
        With the nearest names.
    """
    if name not in KV_BYTES:
        raise UnknownName("KV-cache precision", name, KV_BYTES)
    return KV_BYTES[name]


def attention_format(weights: Format, sparse: bool) -> Format:
    """Return the format of the projections around attention: checkpoints with 4-bit experts leave them at 16 bits."""
    return FORMATS["bf16"] if sparse and weights.id in FOUR_BIT_FLOATS else weights


def multiplied(weights: Format, accelerator: Accelerator) -> tuple[float, float]:
    """Return the peak at which weights are multiplied [FLOP/s] and the width of the operands [bytes].

    What the accelerator has no rate for is widened to 16 bits first: kernels that read four-bit weights there
    (Marlin and its kin) multiply 16-bit activations.

    Raises
    ------
    InputError
        The accelerator has no rate at all for 16-bit matmuls.
    """
    wider = (("bf16", SIXTEEN_BIT), ("fp16", SIXTEEN_BIT), ("fp32", 4.0))
    for kind, width in ((weights.operands, weights.operand_bytes), *wider):
        peak = accelerator.flops.get(kind)
        if peak:
            return peak, width
    raise InputError(f"no matmul rate of {accelerator.name} is known", "add a peak to its catalog row")
