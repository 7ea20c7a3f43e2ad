"""Services with weights of 16 bits: what weights of 8 would save, as both are estimated for the same model."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from shlex import quote
from typing import Any

from groundplan.catalog.catalog import Catalog
from groundplan.design.deployment import Deployment, check_deployment
from groundplan.errors import InputError, UnknownName
from groundplan.estimate.service import Load
from groundplan.estimate.serving import serving_setting, steady_of
from groundplan.finops.recommend.rows import Judged, NotJudged, Recommendation
from groundplan.workload.model import TransformerModel
from groundplan.workload.models import load_model

WIDE = {"bf16", "bfloat16", "fp16", "float16", "half"}
NARROW = re.compile(r"fp8|fp4|mxfp|awq|gptq|gguf|int[48]|w[48]a|bnb|[48]-?bit", re.IGNORECASE)  # in a model's name
ENGINE = "vllm"
FORMAT = "fp8"
LEAST_SHARE = 0.01  # of what a service costs
Rows = Sequence[Mapping[str, Any]]


def quantise(services: Rows, share_of: Callable[[Mapping[str, Any]], float], per_month: float) -> Judged:
    """Return services that would need fewer accelerators with narrower weights.

    Parameters
    ----------
    services : rows
    share_of : callable
        Service -> accelerators that it would need, as a part of those it has. Raises InputError or UnknownName.
    per_month : float
        30 days over those of the fleet.
    """
    if not services:
        return [], [NotJudged("quantise", "counters of services (vLLM), and the jobs that run them")]
    made, missing = [], []
    for row in services:
        if row["quantised"] or NARROW.search(row["model"] or ""):
            continue
        lacking = _lacking(row)
        try:
            share = 1.0 if lacking else share_of(row)
        except (InputError, UnknownName) as error:
            lacking = f"an estimate of {row['model']} on {row['accelerator']}: {error}"
        if lacking:
            missing.append(NotJudged("quantise", lacking))
        elif set(row["dtypes"]) <= WIDE and 1.0 - share > LEAST_SHARE:
            made.append(_row(row, share, per_month))
    return made, missing


def estimated_share(service: Mapping[str, Any], catalog: Catalog) -> float:
    """Return the throughput of 16-bit weights as a part of that of 8-bit ones, on as many devices, fully loaded.

    Raises
    ------
    InputError, UnknownName
        A model or accelerator that the catalog does not know, one that does not compute in 8 bits, or no room.
    """
    model = load_model(service["model"].rsplit("/", 1)[-1], catalog)
    accelerator = catalog.accelerator(service["accelerator"])
    if not isinstance(model, TransformerModel):
        raise InputError(f"{service['model']} is no language model", "quantise others by their own tools")
    if FORMAT not in accelerator.flops:
        raise InputError(f"{accelerator.name} does not compute in {FORMAT}", "try weights of int8 or int4 there")
    prompt, output = (service[name] / service["requests"] for name in ("input_tokens", "output_tokens"))
    load = Load(prompt, max(output, 1.0), math.inf)
    rates = []
    for weights in ("bf16", FORMAT):
        split = Deployment(int(service["gpus"]), 1, 1, 1, weights, "bf16")
        check_deployment(model, split)
        setting = serving_setting(model, split, catalog.engine(ENGINE), accelerator, prompt + output, catalog)
        rates.append(float(steady_of(setting, load).requests_per_s))
    return rates[0] / rates[1]


def _lacking(row: Mapping[str, Any]) -> str:
    """Return what must be known of a service and is not; nothing where all is."""
    if not row["jobs"]:
        return f"the jobs of service {row['service']}: give them its name, or label service={row['service']}"
    if row["unknown_dtypes"]:
        return f"the format of the weights of {row['service']}: label dtype=bfloat16, or quantization=..., on its jobs"
    if not row["model"] or not row["accelerator"]:
        return f"the model of {row['service']} in its counters, and its accelerators in telemetry of its jobs"
    if not row["requests"] or not row["input_tokens"] or not row["output_tokens"]:
        return f"requests, prompt and generation tokens of {row['service']} in its counters"
    if row["gpus"] != row["least_gpus"] or row["gpus"] % 1:
        return f"replicas of {row['service']} of one size, of whole accelerators"
    return ""


def _row(row: Mapping[str, Any], share: float, per_month: float) -> Recommendation:
    replicas = max(row["gpu_hours"] / (row["gpus"] * row["hours"]), 1.0)  # on average
    whole = min(math.ceil(replicas * share - 1e-9) / replicas, 1.0)
    cost = row["cost"] * per_month
    return Recommendation(
        "quantise",
        f"service {row['service']}: {row['model']} with {FORMAT} weights on {row['accelerator']}",
        cost * (1.0 - whole),
        cost * (1.0 - share),
        f"estimate of both formats, fully loaded with its own requests ({row['input_tokens'] / row['requests']:.0f} "
        f"tokens in, {row['output_tokens'] / row['requests']:.0f} out): {1 / share - 1:.0%} more from each "
        f"accelerator; {replicas:.1f} replicas of {row['gpus']:g} on average, of ${cost:,.0f} a month",
        "answers may change: evaluate first; the low end gives back whole replicas only",
        f"vllm serve {quote(row['model'])} --quantization {FORMAT} --tensor-parallel-size {row['gpus']:g}",
        frozenset(f"job:{job}" for job in row["jobs"]),
    )
