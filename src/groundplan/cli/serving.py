"""The serving calculator: one deployment of a model under a load."""

from __future__ import annotations

from typing import Annotated

import typer

from groundplan.cli import options as o
from groundplan.cli.asked import Answer, Asked
from groundplan.questions.reading import build


def _flag(name: str, metavar: str, text: str) -> object:
    return typer.Option(name, metavar=metavar, help=text, show_default=False)


def serve(
    model: o.Model,
    accelerator: o.Accelerator = None,
    tp: o.Tp = None,
    pp: o.Pp = None,
    dp: Annotated[str | None, _flag("--dp", "N", "Attention data parallelism: groups that share the experts.")] = None,
    ep: o.Ep = None,
    engine: Annotated[str | None, _flag("--engine", "E", "vllm, sglang, tensorrt-llm, lmdeploy.")] = None,
    precision: Annotated[
        str | None, _flag("--precision", "P", "Weights: bf16, fp8, int8, int4 (AWQ, GPTQ), nvfp4, mxfp4.")
    ] = None,
    kv_precision: Annotated[str | None, _flag("--kv-precision", "P", "Cache: bf16, fp8, int8.")] = None,
    prompt: Annotated[str | None, _flag("--prompt", "S", "Tokens of a prompt.")] = None,
    output: Annotated[str | None, _flag("--output", "S", "Tokens of an answer.")] = None,
    concurrency: Annotated[str | None, _flag("--concurrency", "N", "Requests in flight.")] = None,
    rate: Annotated[str | None, _flag("--rate", "R", "Requests per second, in place of a concurrency.")] = None,
    cached: Annotated[str | None, _flag("--cached", "SHARE", "Share of prompt tokens the prefix cache holds.")] = None,
    max_sequences: Annotated[str | None, _flag("--max-sequences", "N", "Most sequences that run at once.")] = None,
    max_batched_tokens: Annotated[
        str | None, _flag("--max-batched-tokens", "N", "Most tokens of one iteration.")
    ] = None,
    memory_utilization: Annotated[
        str | None, _flag("--memory-utilization", "SHARE", "Share of a device that the engine takes.")
    ] = None,
    speculate: Annotated[str | None, _flag("--speculate", "N", "Tokens drafted ahead in each iteration.")] = None,
    acceptance: Annotated[
        str | None, _flag("--acceptance", "SHARE", "Probability that a drafted token is accepted.")
    ] = None,
    draft: Annotated[str | None, _flag("--draft", "MODEL", "What drafts: a model, head (EAGLE, MTP), ngram.")] = None,
    adapters: Annotated[str | None, _flag("--adapters", "N", "LoRA adapters held at once.")] = None,
    adapter_rank: Annotated[str | None, _flag("--adapter-rank", "R", "Rank of an adapter.")] = None,
    replicas: Annotated[str | None, _flag("--replicas", "N", "Replicas that decode where others prefill.")] = None,
    prefill_replicas: o.PrefillReplicas = None,
    prefill_tp: o.PrefillTp = None,
    prefill_pp: o.PrefillPp = None,
    prefill_dp: o.PrefillDp = None,
    prefill_ep: o.PrefillEp = None,
    price: o.Price = None,
    purchase: o.Purchase = None,
    *,
    asked: Asked,
) -> Answer:
    """How fast a model answers, and what a token costs."""
    from groundplan.catalog.catalog import load_catalog
    from groundplan.tasks.serve import serve as task
    from groundplan.tasks.serve_request import ServeRequest

    flags = {
        "model": model,
        "accelerator": accelerator,
        "tp": tp,
        "pp": pp,
        "dp": dp,
        "ep": ep,
        "engine": engine,
        "precision": precision,
        "kv_precision": kv_precision,
        "prompt": prompt,
        "output": output,
        "concurrency": concurrency,
        "rate_per_s": rate,
        "cached_fraction": cached,
        "max_sequences": max_sequences,
        "max_batched_tokens": max_batched_tokens,
        "memory_utilization": memory_utilization,
        "speculate": speculate,
        "acceptance": acceptance,
        "draft": draft,
        "adapters": adapters,
        "adapter_rank": adapter_rank,
        "replicas": replicas,
        "prefill_replicas": prefill_replicas,
        "prefill_tp": prefill_tp,
        "prefill_pp": prefill_pp,
        "prefill_dp": prefill_dp,
        "prefill_ep": prefill_ep,
        "price": price,
        "purchase": purchase,
        "as_of": asked.as_of.isoformat() if asked.as_of else None,
    }
    return task(build(ServeRequest, flags, asked.sets), load_catalog()).to_dict()
