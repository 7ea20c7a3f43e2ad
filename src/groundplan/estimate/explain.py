"""Formula trees of one design: every headline number, down to the inputs, their sources and classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from groundplan.estimate.results import DesignResult
from groundplan.estimate.step import JITTER_PER_DOUBLING
from groundplan.evidence import Evidence, Figure, Term, total_of

if TYPE_CHECKING:
    from groundplan.estimate.sized import Sized

STEP_FORMULAS = {
    "matmul": "layers/pp x micro-batches x GEMM times; GEMM = max(2mnk / (rate x shape efficiency), bytes / bandwidth)",
    "attention": "4 x pairs x heads x head_dim forward, 2.5 x backward, over the rate attention reaches",
    "elementwise": "memory passes x tokens x hidden x width / bandwidth, forward and twice backward",
    "launch": "launches x launch time where kernels are shorter than that",
    "recompute": "forward time of what is computed again",
    "embedding_and_logits": "GEMM of the output head, loss passes over the logits, embedding look-up",
    "tensor_parallel": "exposed all-reduces of the residual stream, 2 per layer and pass",
    "context_parallel": "exposed exchange of keys and values",
    "expert_parallel": "exposed dispatch and combine all-to-alls",
    "pipeline_bubble": "(pp - 1)(forward + backward) / vpp",
    "pipeline_p2p": "activation hops between stages",
    "gradient_reduction": "exposed all-reduce or reduce-scatter of gradients",
    "weight_gathering": "exposed all-gather of sharded weights",
    "optimizer": "memory passes over states / bandwidth, plus host time",
    "offload": "update on the host and its PCIe traffic",
    "jitter": f"{JITTER_PER_DOUBLING:.1%} of the step for each doubling of the number of nodes",
    "convolution": "3 x forward FLOPs / (rate x share convolutions reach)",
}
MEMORY_FORMULA = "bytes of the fullest pipeline stage at its peak moment"
RUN_FORMULAS = {
    "startup": "provisioning, staging, warm-up",
    "training": "steps x step_s; steps = tokens / (global batch x sequence)",
    "data_stall": "steps x max(load - step, 0)",
    "checkpoint_stall": "training / interval x stall",
    "restarts": "M (exp((T + w)/M) - 1)(exp(R/M) - 1) for each interval",
    "lost_work": "M (exp((T + w)/M) - 1) - (T + w) for each interval, and writes that a failure cuts off",
}


def explain_trees(design: DesignResult, sized: Sized, flops_per_step: float) -> Mapping[str, Term]:
    """Return the trees by metric: step_s, mfu, memory, run_s, cost_usd, energy_j, carbon_kg, goodput."""
    step = _step_tree(design, sized)
    memory = total_of(
        "memory.total_bytes",
        "bytes",
        tuple(Term(name, value, "bytes", MEMORY_FORMULA) for name, value in design.memory.terms.items()),
    )
    run = total_of("run_s", "s", tuple(Term(n, v, "s", RUN_FORMULAS.get(n, "")) for n, v in design.run_terms.items()))
    trees = {"step_s": step, "memory": memory, "run_s": run, "mfu": _mfu(design, sized, flops_per_step, step)}
    terms = design.run_terms
    trees["goodput"] = Term(
        "goodput",
        design.goodput.value,
        "1",
        "training / (run - startup); the checkpoint interval is Daly's optimum",
        {
            "training [s]": terms["training"],
            "run [s]": design.run_s.value,
            "startup [s]": terms.get("startup", 0.0),
            "interval [s]": design.checkpoint.interval_s,
            "mtbf [s]": design.checkpoint.mtbf_s,
        },
        "Daly 2006, FGCS 22(3)",
    )
    if design.cost_usd is not None and design.price is not None:
        price = Term(
            "price",
            design.price.usd_per_hour,
            "USD/h",
            "catalog price of all nodes",
            {"date": design.price.date},
            design.price.source,
            design.price.evidence,
        )
        parts = tuple(
            Term(name, usd, "USD", "seconds x price / 3600" if name != "storage" else "monthly price x run / 30 days")
            for name, usd in design.cost_terms.items()
        )
        total = total_of("cost_usd", "USD", parts)
        trees["cost_usd"] = Term(
            "cost_usd",
            total.value,
            "USD",
            "sum of the parts, each its share of the run x price",
            {"price [USD/h]": price.value, "run [s]": design.run_s.value},
            price.source,
            price.evidence,
            "sum",
            parts,
        )
    if design.energy_j is not None:
        joules, run_s = design.energy_j.value, design.run_s.value
        trees["energy_j"] = Term(
            "energy_j", joules, "J", "mean power at the meter x run_s", {"power [W]": joules / run_s, "run [s]": run_s}
        )
        if design.carbon_kg is not None:
            trees["carbon_kg"] = Term(
                "carbon_kg",
                design.carbon_kg.value,
                "kg",
                "energy [kWh] x grid intensity [g/kWh] / 1000",
                {"energy [kWh]": joules / 3.6e6, "grid [g/kWh]": design.carbon_kg.value * 1000.0 / (joules / 3.6e6)},
            )
    return trees


def _step_tree(design: DesignResult, sized: Sized) -> Term:
    """The step, with the accelerator's figures as the inputs of its compute terms."""
    rates = sized.rates
    inputs = {
        "matmul": {
            "rate [FLOP/s]": rates.gemm_flops_per_s,
            "micro-batches": float(design.layout.gradient_accumulation),
        },
        "elementwise": {"bandwidth [bytes/s]": rates.memory_bytes_per_s},
        "attention": {"rate [FLOP/s]": rates.attention_flops_per_s},
        "tensor_parallel": {"intra [bytes/s]": rates.intra_bytes_per_s},
        "gradient_reduction": {"inter [bytes/s]": rates.inter_bytes_per_s},
        "weight_gathering": {"inter [bytes/s]": rates.inter_bytes_per_s},
    }
    sources = {"matmul": rates.sustained_source, "elementwise": _source(sized, "memory_bandwidth")}
    parts = tuple(
        Term(name, seconds, "s", STEP_FORMULAS.get(name, ""), inputs.get(name, {}), sources.get(name, ""))
        for name, seconds in design.step_terms.items()
    )
    return total_of("step_s", "s", parts)


def _mfu(design: DesignResult, sized: Sized, flops_per_step: float, step: Term) -> Term:
    peak = sized.rates.peak_flops_per_s
    kind = sized.setting.precision.gemm
    datasheet = Term("peak", peak, "FLOP/s", "dense peak", {}, _source(sized, kind), _class(sized, kind))
    work = Term(
        "model_flops",
        flops_per_step,
        "FLOP",
        "forward, input gradients, gradients of what is trained; causal attention",
    )
    return Term(
        "mfu",
        design.mfu.value,
        "1",
        "model FLOPs / (step_s x accelerators x peak)",
        {"accelerators": float(design.accelerators)},
        "Chowdhery 2022, arXiv 2204.02311",
        Evidence.DERIVED.value,
        "ratio",
        (work, step, datasheet),
    )


def _figure(sized: Sized, name: str) -> Figure | None:
    return sized.setting.cluster.accelerator.figures.get(name)


def _source(sized: Sized, name: str) -> str:
    figure = _figure(sized, name)
    return figure.source if figure else ""


def _class(sized: Sized, name: str) -> str:
    figure = _figure(sized, name)
    return figure.evidence.value if figure else Evidence.DERIVED.value
