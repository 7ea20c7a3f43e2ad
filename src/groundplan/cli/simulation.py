"""The simulations: what happens over time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from groundplan.cli import options as o
from groundplan.cli.asked import Answer, Asked
from groundplan.questions.reading import build


def _flag(name: str, metavar: str, text: str) -> object:
    return typer.Option(name, metavar=metavar, help=text, show_default=False)


Text = str | None


def serve(
    model: o.Model,
    accelerator: o.Accelerator = None,
    tp: o.Tp = None,
    pp: o.Pp = None,
    dp: Annotated[Text, _flag("--dp", "N", "Attention data parallelism of a replica.")] = None,
    ep: o.Ep = None,
    engine: Annotated[Text, _flag("--engine", "E", "vllm, sglang, tensorrt-llm, lmdeploy.")] = None,
    precision: Annotated[Text, _flag("--precision", "P", "Weights: bf16, fp8, int4, nvfp4, ...")] = None,
    kv_precision: Annotated[Text, _flag("--kv-precision", "P", "Cache: bf16, fp8, int8.")] = None,
    max_sequences: Annotated[Text, _flag("--max-sequences", "N", "Most sequences of a replica at once.")] = None,
    max_batched_tokens: Annotated[Text, _flag("--max-batched-tokens", "N", "Most tokens of an iteration.")] = None,
    speculate: Annotated[Text, _flag("--speculate", "N", "Tokens drafted ahead in each iteration.")] = None,
    acceptance: Annotated[Text, _flag("--acceptance", "SHARE", "Probability that a drafted token is accepted.")] = None,
    draft: Annotated[Text, _flag("--draft", "MODEL", "What drafts: a model, head (EAGLE, MTP), ngram.")] = None,
    requests: Annotated[
        Text, _flag("--requests", "FILE", "Trace: Azure CSV, Mooncake JSON lines or plain CSV.")
    ] = None,
    rate: Annotated[Text, _flag("--rate", "R", "Without a trace: requests per second.")] = None,
    arrivals: Annotated[Text, _flag("--arrivals", "KIND", "poisson, bursts or diurnal.")] = None,
    count: Annotated[Text, _flag("--count", "N", "Requests to draw.")] = None,
    prompt: Annotated[Text, _flag("--prompt", "S", "Tokens of a drawn prompt.")] = None,
    output: Annotated[Text, _flag("--output", "S", "Tokens of a drawn answer.")] = None,
    clients: Annotated[Text, _flag("--clients", "N", "Clients that send one request after the other.")] = None,
    replicas: Annotated[Text, _flag("--replicas", "N", "Replicas at the start.")] = None,
    routing: Annotated[Text, _flag("--routing", "R", "round_robin, least_outstanding or prefix_affinity.")] = None,
    target: Annotated[Text, _flag("--target", "N", "Autoscale to so many requests in flight for each replica.")] = None,
    least: Annotated[Text, _flag("--least", "N", "Fewest replicas when autoscaling.")] = None,
    most: Annotated[Text, _flag("--most", "N", "Most replicas when autoscaling.")] = None,
    mtbf: Annotated[Text, _flag("--mtbf", "TIME", "Mean time between failures of a replica.")] = None,
    prefill_replicas: o.PrefillReplicas = None,
    prefill_tp: o.PrefillTp = None,
    prefill_pp: o.PrefillPp = None,
    prefill_dp: o.PrefillDp = None,
    prefill_ep: o.PrefillEp = None,
    ttft: Annotated[Text, _flag("--ttft", "TIME", "Limit on the first token, e.g. 2 s.")] = None,
    tpot: Annotated[Text, _flag("--tpot", "TIME", "Limit on a token, e.g. 30 ms.")] = None,
    seed: Annotated[Text, _flag("--seed", "N", "Of what is drawn.")] = None,
    trace: Annotated[
        Path | None, typer.Option("--trace", metavar="FILE", help="Also write all iterations as a Chrome trace.")
    ] = None,
    price: o.Price = None,
    *,
    asked: Asked,
) -> Answer:
    """A fleet under a request trace: queues, tails, autoscaling, failures.

    Every request is followed through continuous batching, cache blocks, chunked prefill, preemption and routing.
    """
    from groundplan.catalog.catalog import load_catalog
    from groundplan.cli.delivery import check_target, write_file
    from groundplan.tasks.simulate_serve import SimulateServeRequest, simulate_serve

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
        "speculate": speculate,
        "acceptance": acceptance,
        "draft": draft,
        "max_sequences": max_sequences,
        "max_batched_tokens": max_batched_tokens,
        "requests": requests,
        "rate_per_s": rate,
        "arrivals": arrivals,
        "count": count,
        "prompt": prompt,
        "output": output,
        "clients": clients,
        "replicas": replicas,
        "routing": routing,
        "target_in_flight": target,
        "least": least,
        "most": most,
        "mtbf_s": mtbf,
        "prefill_replicas": prefill_replicas,
        "prefill_tp": prefill_tp,
        "prefill_pp": prefill_pp,
        "prefill_dp": prefill_dp,
        "prefill_ep": prefill_ep,
        "ttft_s": ttft,
        "tpot_s": tpot,
        "seed": seed,
        "price": price,
        "as_of": asked.as_of.isoformat() if asked.as_of else None,
    }
    if trace is not None:
        check_target(trace, asked.force)
    done = simulate_serve(build(SimulateServeRequest, flags, asked.sets), load_catalog(), record=trace is not None)
    if trace is not None:
        write_file(trace, json.dumps(done.trace()), asked.force)
    return done.result.to_dict()
