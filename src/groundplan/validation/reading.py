"""A measured run as the laws see it: model, job, setting, layout, and what was measured."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from groundplan.catalog.catalog import Catalog
from groundplan.catalog.rows import Stack
from groundplan.design.cluster import Setting
from groundplan.design.layout import Layout
from groundplan.errors import InputError
from groundplan.estimate.rates import check_rates
from groundplan.validation.layouts import run_devices, run_layout
from groundplan.validation.measured import MeasuredRun
from groundplan.validation.models import run_model
from groundplan.validation.network import run_cluster
from groundplan.validation.plausible import check_parameters
from groundplan.validation.software import MEGATRON, PADDED, run_accelerator, run_method, run_optimizer, run_software
from groundplan.validation.words import read_recompute
from groundplan.workload.job import Method, TrainingJob

SQUAD_TOKENS = 200
"""Mean tokens of a context of SQuAD with its question and answer: about 120 + 11 + 3 words of 1.4 tokens, rounded up
(Rajpurkar et al. 2016, arXiv 1606.05250; class derived)."""
LONGEST = re.compile(r"longest:([^);]*)", re.IGNORECASE)
"""What a source says of its longest samples where the sequence length is open."""


@dataclass(frozen=True, slots=True)
class Case:
    """One measured run as the laws see it."""

    run: MeasuredRun
    job: TrainingJob
    setting: Setting
    layout: Layout
    recompute_known: bool
    measured: float  # seconds of a step, or bytes at the peak
    assumed: tuple[str, ...]  # what the source does not state and a rule filled in

    @property
    def sparse(self) -> bool:
        """Whether the model is a mixture of experts."""
        return self.run.text("n_experts") != ""


Measure = Callable[[MeasuredRun, int], float]
"""Reads what was measured of a run, given the sequences of a step."""


def read_case(run: MeasuredRun, catalog: Catalog, measure: Measure) -> Case:
    """Turn a measured run into a case.

    Raises
    ------
    InputError, UnknownName
        What is missing or unknown, by which the run cannot be predicted.
    """
    assumed: list[str] = []
    method, lora = run_method(run)
    if not run.text("gpu"):
        raise InputError("gpu is not stated", "fill in gpu")
    accelerator = run_accelerator(run.text("gpu"), catalog)
    stack, precision = run_software(run, accelerator, catalog, assumed)
    check_rates(accelerator, precision)
    layout, batch = run_layout(run, stack, assumed)
    model = run_model(run, stack.id in PADDED, catalog)
    check_parameters(run.number("params_b"), (model.parameters, model.active_parameters), assumed)
    flash = stack.flash_attention and "without flash attention" not in run.text("notes")
    sequence = _sequence(run)
    job = TrainingJob(
        model=model,
        method=method,
        lora=lora,
        dataset=None,
        tokens=float(batch * sequence),
        sequence=sequence,
        document_length=_document_length(run, stack, method, sequence, assumed),
        global_batch=batch,
        optimizer=run_optimizer(run),
        precisions=(precision.id,),
        stack=stack.id,
        flash_attention=flash,
    )
    cluster = run_cluster(run, run_devices(run), accelerator, catalog, assumed)
    setting = Setting(cluster, catalog.architecture_of(accelerator), precision, stack, flash)
    known = read_recompute(run.text("recompute")) is not None
    if not known:
        assumed.append("the lightest recomputation that fits")
    return Case(run, job, setting, layout, known, measure(run, batch), tuple(assumed))


def measured_step_s(run: MeasuredRun, batch: int) -> float:
    """Return the seconds of a step as measured, or as the measured rate makes them."""
    step, rate, samples = (run.measured(name) for name in ("step_time_s", "tokens_per_s_per_gpu", "samples_per_s"))
    if step:
        return step
    if rate:
        return batch * run.size("seq_len") / (rate * run.size("n_gpus"))
    if samples:
        return batch / samples
    raise InputError("nothing was measured", "fill in step_time_s or tokens_per_s_per_gpu")


def measured_peak_bytes(run: MeasuredRun, batch: int) -> float:
    """Return the measured peak memory of the fullest device [bytes]."""
    peak = run.measured("peak_mem_gb")
    if not peak:
        raise InputError("no peak memory was measured", "fill in peak_mem_gb")
    return peak * 1e9


def _document_length(run: MeasuredRun, stack: Stack, method: Method, sequence: int, assumed: list[str]) -> int:
    """Mean tokens of the documents packed into a sequence; all of it where nothing is packed.

    NVIDIA's recipes for supervised fine-tuning pack SQuAD whether their tables say so or not.
    """
    packs = stack.id in MEGATRON and "sft" in run.text("model").lower()
    if method is not Method.FULL or not (packs or "packed" in run.text("notes").lower()):
        return sequence
    assumed.append(f"documents of {SQUAD_TOKENS} tokens")
    return min(SQUAD_TOKENS, sequence)


def _sequence(run: MeasuredRun) -> int:
    """Tokens of a sequence: as stated, or the longest sample of the model's family that the notes tell of."""
    if not run.text("seq_len"):
        said = LONGEST.search(run.text("notes"))
        family = re.sub(r"[^a-z0-9]", "", run.text("model").lower())
        for name, tokens in re.findall(r"([A-Za-z][\w.]*)\s+(\d+)", said[1] if said else ""):
            if family.startswith(name.lower()):
                return int(tokens)
    return run.size("seq_len")
