"""Serving: one deployment under a load, and a fleet under a trace."""

from __future__ import annotations

from dataclasses import replace

from groundplan.questions import shared as s
from groundplan.questions.question import Field, Question

ENGINE = Field("engine", "--engine", "E", "vllm, sglang, tensorrt-llm, lmdeploy.", names="engines")
WEIGHTS = Field(
    "precision", "--precision", "P", "Weights: bf16, fp8, int8, int4 (AWQ, GPTQ), nvfp4, mxfp4; else as released."
)
KV_PRECISION = Field("kv_precision", "--kv-precision", "P", "Cache: bf16, fp8, int8.")
TP = replace(s.TP, help="Tensor-parallel ranks; else the fewest that hold the weights and the requests at once.")
GROUPS = replace(s.DP, help="Attention data parallelism: groups that share the experts.")
PURCHASE = replace(s.PURCHASE, not_with=("price",))
MAX_SEQUENCES = Field("max_sequences", "--max-sequences", "N", "Most sequences that a replica runs at once.")
MAX_BATCHED_TOKENS = Field("max_batched_tokens", "--max-batched-tokens", "N", "Most tokens of one iteration.")
SPECULATION = (
    Field("speculate", "--speculate", "N", "Tokens drafted ahead in each iteration."),
    Field(
        "acceptance", "--acceptance", "SHARE", "Probability that a drafted token is accepted.", only_with="speculate"
    ),
    Field(
        "draft",
        "--draft",
        "MODEL",
        "What drafts: a model, head (EAGLE, MTP), ngram.",
        names="models",
        only_with="speculate",
    ),
)
CACHED = Field("cached_fraction", "--cached", "SHARE", "Share of prompt tokens the prefix cache holds.")
MEMORY = Field("memory_utilization", "--memory-utilization", "SHARE", "Share of a device that the engine takes.")
ADAPTERS = (
    Field("adapters", "--adapters", "N", "LoRA adapters held at once."),
    Field("adapter_rank", "--adapter-rank", "R", "Rank of an adapter.", only_with="adapters"),
)
PREFILL = (
    Field("prefill_replicas", "--prefill-replicas", "N", "Replicas that compute prompts and hand them over."),
    Field("prefill_tp", "--prefill-tp", "N", "Tensor-parallel ranks of those.", only_with="prefill_replicas"),
    Field("prefill_pp", "--prefill-pp", "N", "Their pipeline stages.", only_with="prefill_replicas"),
    Field("prefill_dp", "--prefill-dp", "N", "Their attention data parallelism.", only_with="prefill_replicas"),
    Field("prefill_ep", "--prefill-ep", "N", "Their expert-parallel ranks.", only_with="prefill_replicas"),
)

SERVE = Question(
    "serve",
    "Serving",
    "How fast a model answers, and what a token costs.",
    "",
    "groundplan.tasks.serve_request:ServeRequest",
    "groundplan.tasks.serve:serve",
    (
        s.NEEDED_MODEL,
        s.ACCELERATOR,
        Field("prompt", "--prompt", "S", "Tokens of a prompt."),
        Field("output", "--output", "S", "Tokens of an answer."),
        Field("concurrency", "--concurrency", "N", "Requests in flight."),
        Field(
            "rate_per_s", "--rate", "R", "Requests per second, in place of a concurrency.", not_with=("concurrency",)
        ),
        ENGINE,
        WEIGHTS,
        KV_PRECISION,
        TP,
        s.PP,
        GROUPS,
        s.EP,
        CACHED,
        MAX_SEQUENCES,
        MAX_BATCHED_TOKENS,
        MEMORY,
        *SPECULATION,
        *ADAPTERS,
        Field("replicas", "--replicas", "N", "Replicas that decode where others prefill."),
        *PREFILL,
        s.PRICE,
        PURCHASE,
    ),
    {"model": "llama-3.1-70b", "accelerator": "h100-sxm", "tp": "4", "prompt": "2000", "output": "300", "rate": "2"},
)

SIMULATE = Question(
    "simulate-serve",
    "Serving over time",
    "A fleet under a request trace: queues, tails, autoscaling, failures.",
    "Every request is followed through continuous batching, cache blocks, chunked prefill, preemption and routing.",
    "groundplan.tasks.simulate_serve:SimulateServeRequest",
    "groundplan.tasks.simulate_serve:simulate_serve",
    (
        s.NEEDED_MODEL,
        s.ACCELERATOR,
        Field("requests", "--requests", "FILE", "Trace: Azure CSV, Mooncake JSON lines or plain CSV.", is_file=True),
        Field("rate_per_s", "--rate", "R", "Without a trace: requests per second.", not_with=("requests", "clients")),
        Field(
            "arrivals",
            "--arrivals",
            "KIND",
            "poisson, bursts or diurnal.",
            choices=("poisson", "bursts", "diurnal"),
            not_with=("requests", "clients"),
        ),
        Field("count", "--count", "N", "Requests to draw.", not_with=("requests",)),
        Field("prompt", "--prompt", "S", "Tokens of a drawn prompt.", not_with=("requests",)),
        Field("output", "--output", "S", "Tokens of a drawn answer.", not_with=("requests",)),
        Field("clients", "--clients", "N", "Clients that send one request after the other."),
        Field("replicas", "--replicas", "N", "Replicas at the start."),
        Field(
            "routing",
            "--routing",
            "R",
            "round_robin, least_outstanding or prefix_affinity.",
            choices=("round_robin", "least_outstanding", "prefix_affinity"),
        ),
        ENGINE,
        WEIGHTS,
        KV_PRECISION,
        TP,
        s.PP,
        GROUPS,
        s.EP,
        MAX_SEQUENCES,
        MAX_BATCHED_TOKENS,
        MEMORY,
        CACHED,
        *SPECULATION,
        *ADAPTERS,
        Field("target_in_flight", "--target", "N", "Autoscale to so many requests in flight for each replica."),
        Field("least", "--least", "N", "Fewest replicas when autoscaling.", only_with="target_in_flight"),
        Field("most", "--most", "N", "Most replicas when autoscaling.", only_with="target_in_flight"),
        Field("mtbf_s", "--mtbf", "TIME", "Mean time between failures of a replica."),
        *PREFILL,
        Field("ttft_s", "--ttft", "TIME", "Limit on the first token, e.g. 2 s."),
        Field("tpot_s", "--tpot", "TIME", "Limit on a token, e.g. 30 ms."),
        Field("seed", "--seed", "N", "Of what is drawn."),
        s.PRICE,
        PURCHASE,
    ),
    {"model": "llama-3.1-8b", "accelerator": "h100-sxm", "rate": "5", "count": "300", "ttft": "1 s", "tpot": "40 ms"},
)
