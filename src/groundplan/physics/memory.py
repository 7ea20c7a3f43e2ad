"""Laws of training memory: what a device must hold, in bytes, for weights, states and saved activations.

Elements are numbers per token and layer before any split; the caller divides by the layout and multiplies by widths.

References
----------
.. [1] Korthikanti et al., "Reducing Activation Recomputation in Large Transformer Models", 2022, arXiv:2205.05198.
.. [2] Rajbhandari et al., "ZeRO: Memory Optimizations Toward Training Trillion Parameter Models",
       2020, arXiv:1910.02054.
.. [3] Dettmers et al., "QLoRA: Efficient Finetuning of Quantized LLMs", 2023, arXiv:2305.14314.
"""

from __future__ import annotations

import numpy as np

from groundplan.physics.arrays import Floats

SCORE_BYTES = 5.0  # per head, query and key: softmax output 2, dropout mask 1, dropout output 2 [1]_ section 4.1
LOG_SUM_EXP_BYTES = 4.0  # per head and query: what flash attention keeps of the scores, in fp32
FP32_BYTES = 4.0
MASK_BYTES = 1.0  # one boolean per element that dropout may zero
NF4_BLOCK = 64.0  # weights that share one scale [3]_ section 3


def nf4_bytes_per_parameter() -> float:
    """Bytes of one 4-bit NormalFloat weight as bitsandbytes keeps it: half a byte, one fp32 scale for 64 weights.

    Quantising the scales again, which the library does only on request, saves another 0.05 bytes [3]_.

    >>> nf4_bytes_per_parameter()
    0.5625
    """
    return 0.5 + FP32_BYTES / NF4_BLOCK


def factored_state_bytes(state_bytes: Floats, rows: Floats, columns: Floats) -> Floats:
    """Bytes per parameter of a second moment kept as row and column sums (Adafactor).

    >>> factored_state_bytes(4.0, 1000.0, 1000.0)
    0.008
    """
    result: Floats = state_bytes * (rows + columns) / (rows * columns)
    return result


def moment_bytes(state_bytes: Floats, weight_bytes: Floats, master_bytes: Floats) -> Floats:
    """Bytes per parameter of an optimizer's moments: of the width of what it updates.

    That is the fp32 master copy, or the weights themselves where there is none, as PyTorch's optimizers make their
    moments like the parameter. Moments of 8 bits are kept as they are.

    >>> float(moment_bytes(8.0, 2.0, 4.0)), float(moment_bytes(8.0, 2.0, 0.0)), float(moment_bytes(2.0, 2.0, 0.0))
    (8.0, 4.0, 2.0)
    """
    width = np.where(np.asarray(master_bytes) > 0.0, FP32_BYTES, weight_bytes)
    return np.where(np.asarray(state_bytes) >= FP32_BYTES, state_bytes * width / FP32_BYTES, state_bytes)


def norm_elements(hidden: float, norms: int, parallel_block: bool) -> float:
    """Elements kept around the normalisations of one layer: their inputs and outputs [1]_.

    Not split by tensor parallelism unless sequence parallelism is on. In a parallel block the
    norms share one input.

    >>> norm_elements(4096, 2, parallel_block=False) / 4096
    4.0
    """
    return hidden * (1 + norms if parallel_block else 2 * norms)


def eager_norm_elements(hidden: float, norms: int, width: float, trained: bool) -> float:
    """Elements that root-mean-square norms written as separate operations keep beside `norm_elements`.

    The input is kept in fp32 instead of the activation width; a trained gain also keeps the normalised copy.
    """
    return hidden * norms * ((FP32_BYTES - width) / width + (1.0 if trained else 0.0))


def attention_elements(heads: float, kv_heads: float, head_dim: float, value_head_dim: float) -> float:
    """Elements kept by one attention block: queries, keys, values and the output; split by tensor parallelism.

    >>> attention_elements(32, 32, 128, 128) / 4096  # multi-head attention keeps 4 x hidden
    4.0
    """
    return heads * (head_dim + value_head_dim) + kv_heads * (head_dim + value_head_dim)


def adapter_bytes(inputs: float, width: float) -> float:
    """Bytes a low-rank adapter keeps per token: a copy of its matrix's input after dropout, and the dropout's mask.

    What its two matrices make of that copy is as narrow as the rank, and not counted.

    >>> adapter_bytes(4096, 2.0) / 4096
    3.0
    """
    return inputs * (width + MASK_BYTES)


def latent_elements(heads: float, nope_dim: float) -> float:
    """Elements multi-head latent attention keeps beside queries, keys, values and output.

    Keys are copied together from the expanded latent and the shared rotary part, and the expansion, of which
    the values are a view, stays alive.
    """
    return heads * nope_dim


def feed_forward_elements(width: float, gated: bool, fused: bool = True) -> float:
    """Elements kept by one feed-forward block: input and output of the activation function [1]_.

    A gated block written as separate operations also keeps the activated gate.

    >>> feed_forward_elements(4.0, gated=False), feed_forward_elements(4.0, gated=True)
    (8.0, 12.0)
    """
    return width * ((3.0 if fused else 4.0) if gated else 2.0)


def feed_forward_gradients(width: float, gated: bool, in_place: bool = False) -> float:
    """Elements the backward pass of a feed-forward block adds at its peak: gradients of the up-projection's output.

    The gradient of the activation's output takes the place of that output, which is free by then. Kernels that write
    the gradients of gate and up-projection over them add no more than the former, just before the output is free.
    """
    return width * (2.0 if gated and not in_place else 1.0)


def experts_elements(hidden: float, width: float, top_k: float, gated: bool, fused: bool = True) -> float:
    """Elements kept by routed experts: each token appears `top_k` times.

    The dispatched input, and input and output of the activation function, for every copy. The router's
    weight is applied before the second matrix, so that the expert outputs need not be kept.
    """
    return top_k * (hidden + feed_forward_elements(width, gated, fused))


def score_bytes(heads: float, keys: Floats, flash: bool) -> Floats:
    """Bytes of attention scores kept per query token: all of them, or one number per head.

    Parameters
    ----------
    heads : float
        Query heads before the tensor-parallel split.
    keys : array_like
        Keys each query meets. [tokens]
    flash : bool
        Fused attention that recomputes the scores.
    """
    if flash:
        return heads * LOG_SUM_EXP_BYTES
    result: Floats = SCORE_BYTES * heads * np.asarray(keys, dtype=float)
    return result


def bytes_per_logit(logit_bytes: float, fused_cross_entropy: bool, fused_elementwise: bool) -> float:
    """Bytes alive per logit while the loss is computed.

    A fused loss holds the logits and their gradient. Otherwise an fp32 copy turns into the softmax in place, beside
    the logits and their gradient; plain tensor operations hold the copy, the softmax and its gradient in fp32.

    >>> bytes_per_logit(2.0, True, True), bytes_per_logit(2.0, False, True), bytes_per_logit(2.0, False, False)
    (4.0, 8.0, 14.0)
    """
    if fused_cross_entropy:
        return 2.0 * logit_bytes
    return 2.0 * logit_bytes + FP32_BYTES if fused_elementwise else logit_bytes + 3.0 * FP32_BYTES
