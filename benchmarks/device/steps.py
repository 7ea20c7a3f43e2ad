"""Whole training steps: forward, backward, AdamW. Needs PyTorch."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from cases import Step
from kernels import SEED, finisher
from models import Decoder
from timing import Timing, repeat

LEARNING_RATE = 1e-4
SAMPLE_S = {"cuda": 0.05, "cpu": 0.0}
"""A GPU's steps are measured several to a sample, or the wait at the end of each would leave it idle between them."""


@dataclass(frozen=True, slots=True)
class StepTiming:
    """What a step took, and what it was a step of."""

    timing: Timing
    parameters: int
    peak_bytes: int | None  # allocated by PyTorch on the GPU; None on a processor


class Diverged(Exception):
    """The loss is no number: what was timed was no training."""


def time_step(case: Step, device: str, budget_s: float) -> StepTiming:
    """Time training steps on random tokens, all on the device before the clock starts.

    Raises
    ------
    Diverged
        The loss is not finite at the end.
    """
    torch.manual_seed(SEED)
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    model = Decoder(case.model, case.sequence).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, fused=True)
    sizes = (case.accumulation, case.micro_batch, case.sequence + 1)
    text = torch.randint(case.model.vocab, sizes, device=device)
    loss_of = torch.compile(model) if case.compiled else model
    mixed = torch.autocast(device, torch.bfloat16, enabled=case.dtype == "bf16")
    losses: list[torch.Tensor] = []

    def step() -> None:
        losses.clear()
        for tokens in text:
            with mixed:
                loss = loss_of(tokens[:, :-1], tokens[:, 1:]) / case.accumulation
            loss.backward()
            losses.append(loss.detach())
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    timing = repeat(step, finisher(device), budget_s, SAMPLE_S[device])
    if not math.isfinite(float(torch.stack(losses).sum())):
        raise Diverged("the loss is not finite")
    peak = torch.cuda.max_memory_allocated() if device == "cuda" else None
    return StepTiming(timing, sum(part.numel() for part in model.parameters()), peak)
