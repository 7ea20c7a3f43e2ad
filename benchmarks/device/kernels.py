"""Kernels by themselves: matrix products, attention, passes over memory. Needs PyTorch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from cases import Attention, Bandwidth, Gemm
from timing import Timing, repeat
from torch.nn import functional

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
SAMPLE_S = 0.005
SEED = 20260


def finisher(device: str) -> Callable[[], object]:
    """Return the function that waits until the device has done all it was given."""
    return torch.cuda.synchronize if device == "cuda" else lambda: None


def time_kernel(case: Gemm | Attention | Bandwidth, device: str, budget_s: float) -> Timing:
    """Time one kernel on random numbers (a GPU draws less power, and runs faster, on zeros).

    Operands are the same in every call: small ones stay in the caches, as activations do that the previous kernel
    has just written.
    """
    torch.manual_seed(SEED)
    match case:
        case Gemm():
            call = _product(case, device)
        case Attention():
            call = _attention(case, device)
        case Bandwidth():
            call = _pass(case, device)
    return repeat(call, finisher(device), budget_s, SAMPLE_S)


def _product(case: Gemm, device: str) -> Callable[[], object]:
    dtype = DTYPES[case.dtype]
    inputs = torch.randn(case.m, case.k, device=device, dtype=dtype)
    weight = torch.randn(case.n, case.k, device=device, dtype=dtype)
    target = torch.empty(case.m, case.n, device=device, dtype=dtype)  # the allocator is not what is timed
    return lambda: torch.mm(inputs, weight.t(), out=target)


def _attention(case: Attention, device: str) -> Callable[[], object]:
    sizes = (case.batch, case.heads, case.sequence, case.head_dim)
    operands = [
        torch.randn(sizes, device=device, dtype=DTYPES[case.dtype], requires_grad=case.backward) for _ in range(3)
    ]

    def forward() -> torch.Tensor:
        return functional.scaled_dot_product_attention(*operands, is_causal=True)

    if not case.backward:
        return forward
    output = forward()
    gradient = torch.randn_like(output)
    return lambda: torch.autograd.grad(output, operands, gradient, retain_graph=True)


def _pass(case: Bandwidth, device: str) -> Callable[[], object]:
    dtype = DTYPES[case.dtype]
    count = case.mebibytes * 2**20 // dtype.itemsize
    first, second, target = (torch.ones(count, device=device, dtype=dtype) for _ in range(3))
    if case.operation == "copy":
        return lambda: target.copy_(first)
    return lambda: torch.add(first, second, out=target)
