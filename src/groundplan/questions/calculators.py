"""The calculators: memory, train, allreduce, storage, checkpoint, cost."""

from __future__ import annotations

from dataclasses import replace

from groundplan.questions import shared as s
from groundplan.questions.question import Field, Question

MEMORY = Question(
    "memory",
    "Memory",
    "Does it fit: memory of one device by term.",
    "Where it does not fit, the smallest changes that make it fit.",
    "groundplan.tasks.memory_request:MemoryRequest",
    "groundplan.tasks.memory:memory",
    (
        s.NEEDED_MODEL,
        Field("mode", "--train/--serve", "", "Train it (the default) or serve it.", choices=("train", "serve")),
        s.OPTIMIZER,
        s.PRECISION,
        s.METHOD,
        s.LORA_RANK,
        s.MICRO_BATCH,
        s.SEQUENCE,
        s.ACCELERATOR,
        *s.LAYOUT,
        s.RECOMPUTE,
        Field("offload", "--offload", "", "Keep optimizer states on the host."),
        s.STACK,
        Field("batch", "--batch", "N", "Serving: sequences at once."),
        Field("kv_precision", "--kv-precision", "P", "Serving: width of the KV cache."),
    ),
    {"model": "llama-2-7b", "accelerator": "a100-80"},
)

TRAIN = Question(
    "train",
    "Training",
    "How long a run takes and costs on N of one accelerator.",
    "",
    "groundplan.tasks.train:TrainRequest",
    "groundplan.tasks.train:train",
    (
        s.NEEDED_MODEL,
        s.ACCELERATORS,
        s.NEEDED_ACCELERATOR,
        Field("tokens", "--tokens", "T", "Tokens in all, e.g. 2T, 250e9."),
        Field("global_batch", "--global-batch", "B", "Sequences per step, or e.g. '4M tokens'."),
        s.SEQUENCE,
        s.OPTIMIZER,
        s.PRECISION,
        s.METHOD,
        s.LORA_RANK,
        s.MICRO_BATCH,
        *s.LAYOUT,
        s.RECOMPUTE,
        s.STACK,
        s.INSTANCE,
        s.PROVIDER,
        s.PURCHASE,
        s.PRICE,
        s.FABRIC,
    ),
    {"model": "llama-3.1-8b", "accelerators": "64", "accelerator": "h100-sxm", "tokens": "1T"},
)

ALLREDUCE = Question(
    "allreduce",
    "Network",
    "Does the network carry the gradients.",
    "The rate a flat ring and a hierarchical AllReduce ask of each link, and whether the fabric carries it.",
    "groundplan.tasks.allreduce:AllreduceRequest",
    "groundplan.tasks.allreduce:allreduce",
    (
        s.ACCELERATORS,
        Field("bytes", "--bytes", "B", "Bytes to reduce, e.g. '20 GB'."),
        s.MODEL,
        Field("dtype", "--dtype", "D", "Width of the gradients of --model, e.g. bf16."),
        Field("per_second", "--per-second", "R", "How many times a second."),
        s.FABRIC,
        Field("ranks_per_node", "--ranks-per-node", "N", "Accelerators joined inside a node."),
        s.ACCELERATOR,
        Field("accumulation", "--accumulation", "N", "Micro-batches per reduction."),
        Field("compute_s", "--compute", "TIME", "Backward pass it may hide under, e.g. '300 ms'."),
    ),
    {"accelerators": "64", "bytes": "20 GB", "fabric": "infiniband-ndr"},
)

STORAGE = Question(
    "storage",
    "Storage",
    "What storage must deliver, and which products do.",
    "",
    "groundplan.tasks.storage:StorageRequest",
    "groundplan.tasks.storage:storage",
    (
        s.ACCELERATORS,
        s.ACCELERATOR,
        Field("dataset_kind", "--dataset-kind", "K", "What is read, e.g. text, resnet50, unet3d."),
        Field("samples_per_s", "--samples-per-s", "R", "Samples (tokens) a second and accelerator."),
        Field("sample_bytes", "--sample-bytes", "B", "Stored size of one sample."),
        Field("dataset_bytes", "--dataset-bytes", "B", "Stored size of the data set, e.g. '10 TB'."),
        Field("cached_fraction", "--cached-fraction", "F", "Share of the data set that a cache holds."),
        s.MODEL,
        s.STORAGE,
    ),
    {"accelerators": "64", "accelerator": "h100-sxm", "dataset-kind": "resnet50"},
)

CHECKPOINT = Question(
    "checkpoint",
    "Checkpoints",
    "How large, how often, and what failures leave of the time.",
    "",
    "groundplan.tasks.checkpoint:CheckpointRequest",
    "groundplan.tasks.checkpoint:checkpoint",
    (
        s.MODEL,
        replace(s.ACCELERATORS, needed=False),
        s.STORAGE,
        s.PRECISION,
        s.OPTIMIZER,
        Field("mtbf_s", "--mtbf", "TIME", "Mean time between failures of the job, e.g. '6 h'."),
        Field(
            "failures_per_1000_node_days",
            "--failures-per-1000-node-days",
            "F",
            "In place of --mtbf, e.g. 6.5.",
        ),
        Field("write_s", "--write", "TIME", "Time of one write, e.g. '5 min'."),
        Field("restart_s", "--restart", "TIME", "Time from a failure to training again."),
        Field("asynchronous", "--asynchronous", "", "Training goes on while the checkpoint is written."),
    ),
    {"model": "llama-3.1-70b", "accelerators": "512", "mtbf": "12 h"},
)

COST = Question(
    "cost",
    "Cost",
    "What N accelerators cost for a time, by day and by month.",
    "",
    "groundplan.tasks.cost:CostRequest",
    "groundplan.tasks.cost:cost",
    (
        s.ACCELERATORS,
        s.PRICE,
        Field("hours", "--hours", "H", "Hours, or a time with its unit, e.g. '30 d'."),
        s.ACCELERATOR,
        s.PROVIDER,
        s.INSTANCE,
        s.PURCHASE,
        s.REGION,
    ),
    {"accelerators": "64", "accelerator": "h100-sxm", "hours": "72"},
)
