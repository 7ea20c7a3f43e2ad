"""The fields that several questions share, each said once. What is not given is the task's default."""

from __future__ import annotations

from dataclasses import replace

from groundplan.questions.question import Field

MODEL = Field("model", "--model", "M", "Catalog name, Hugging Face name or a config.json.", names="models")
ACCELERATOR = Field("accelerator", "--accelerator", "A", "Catalog name, e.g. h100-sxm.", names="accelerators")
ACCELERATORS = Field("accelerators", "--accelerators", "N", "How many accelerators in all.", needed=True)
OPTIMIZER = Field("optimizer", "--optimizer", "O", "adamw, adamw-8bit, adafactor, sgd, muon, lion.", names="optimizers")
PRECISION = Field("precision", "--precision", "P", "fp32, tf32, fp16, bf16, fp8, ...", names="precisions")
METHOD = Field(
    "method", "--method", "M", "pretrain, full, lora or qlora.", choices=("pretrain", "full", "lora", "qlora")
)
LORA_RANK = Field("lora_rank", "--lora-rank", "R", "Rank of the adapters.")
MICRO_BATCH = Field("micro_batch", "--micro-batch", "N", "Sequences per device and micro-batch.")
SEQUENCE = Field("sequence", "--sequence", "S", "Tokens per sequence.")
STACK = Field("stack", "--stack", "S", "Training software, e.g. megatron-core, nemo, fsdp.", names="stacks")
TP = Field("tp", "--tp", "N", "Tensor-parallel ranks.")
PP = Field("pp", "--pp", "N", "Pipeline stages.")
VPP = Field("vpp", "--vpp", "N", "Virtual stages per device (interleaving).")
CP = Field("cp", "--cp", "N", "Context-parallel ranks.")
EP = Field("ep", "--ep", "N", "Expert-parallel ranks.")
DP = Field("dp", "--dp", "N", "Data-parallel ranks.")
ZERO = Field(
    "zero",
    "--zero",
    "0-3",
    "What is sharded: 1 optimizer, 2 + gradients, 3 + weights (FSDP).",
    choices=("0", "1", "2", "3"),
)
RECOMPUTE = Field(
    "recompute",
    "--recompute",
    "MODE",
    "none, selective, block or full.",
    choices=("none", "selective", "block", "full"),
)
PROVIDER = Field("provider", "--provider", "P", "Who sells it, e.g. aws.")
INSTANCE = Field("instance", "--instance", "I", "Instance type or server.", names="hosts")
PURCHASE = Field(
    "purchase",
    "--purchase",
    "P",
    "on_demand, spot, reserved_1y, reserved_3y or owned.",
    choices=("on_demand", "spot", "reserved_1y", "reserved_3y", "owned"),
)
REGION = Field("region", "--region", "R", "Region of the price.")
PRICE = Field("price", "--price", "USD", "Dollars per accelerator-hour, e.g. 2.99, in place of the catalog's.")
FABRIC = Field("fabric", "--fabric", "F", "Network, e.g. infiniband-ndr, efa-v2.", names="fabrics")
STORAGE = Field("storage", "--storage", "S", "Storage product of the catalog.", names="storage")
NEEDED_MODEL, NEEDED_ACCELERATOR = replace(MODEL, needed=True), replace(ACCELERATOR, needed=True)
LAYOUT = (TP, PP, VPP, CP, EP, DP, ZERO)
