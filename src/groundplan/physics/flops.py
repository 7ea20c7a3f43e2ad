"""Laws of work: floating-point operations of one token, a multiply-add counted as two.

References
----------
.. [1] Kaplan et al., "Scaling Laws for Neural Language Models", 2020, arXiv:2001.08361, section 2.1.
.. [2] Narayanan et al., "Efficient Large-Scale Language Model Training", 2021, arXiv:2104.04473, appendix.
.. [3] Chowdhery et al., "PaLM", 2022, arXiv:2204.02311, appendix B: model FLOPs count no recomputation.
"""

from __future__ import annotations

from groundplan.physics.arrays import Floats
from groundplan.physics.attention import attended_pairs, attention_flops

FLOPS_PER_MULTIPLY_ADD = 2.0
BACKWARD_PER_FORWARD = 2.0  # one product for the gradient of the input, one for that of the weight [1]_


def matmul_flops_per_token(matmul_parameters: Floats) -> Floats:
    """Forward FLOPs of one token through matrices of `matmul_parameters` elements that it visits [1]_.

    Embedding look-ups multiply nothing and are left out; the output head is a matrix like any other.

    >>> matmul_flops_per_token(4096 * 4096.0)
    33554432.0
    """
    return FLOPS_PER_MULTIPLY_ADD * matmul_parameters


def attention_flops_per_token(
    sequence: Floats, heads: Floats, qk_dim: Floats, value_dim: Floats, *, causal: bool, window: Floats
) -> Floats:
    """Forward FLOPs of scores and weighted values of one layer, for one token of the mean [2]_.

    Parameters
    ----------
    sequence : float or array
        Tokens of a sequence.
    heads, qk_dim, value_dim : float or array
        Query heads; width of a query or key, and of a value [elements].
    causal : bool
        A token sees itself and what came before: half of the pairs.
    window : float or array
        Tokens a query sees at most; 0 = all.

    Notes
    -----
    ``2 a (d_qk + d_v) pairs / s``, with pairs / s = (s + 1) / 2 where causal and s where not.

    >>> float(attention_flops_per_token(2047, 32, 128, 128, causal=True, window=0))
    16777216.0
    """
    return attention_flops(attended_pairs(sequence, causal, window), heads, qk_dim, value_dim) / sequence


def training_flops(forward: Floats, recomputed: Floats) -> Floats:
    """FLOPs of forward and backward: three times `forward`, and what of the forward pass is `recomputed` [1]_ [3]_.

    Model FLOPs (MFU) have ``recomputed = 0``; hardware FLOPs (HFU) with full recomputation have `forward`.

    >>> training_flops(2.0, 0.0), training_flops(2.0, 2.0)
    (6.0, 8.0)
    """
    return (1.0 + BACKWARD_PER_FORWARD) * forward + recomputed
