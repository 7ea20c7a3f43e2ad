"""The flags that several commands share, each said once. All are None when not given: the task has the defaults."""

from __future__ import annotations

from typing import Annotated

import typer


def _option(flag: str, metavar: str, help_text: str) -> object:
    return typer.Option(flag, metavar=metavar, help=help_text, show_default=False)


Model = Annotated[str, typer.Option("--model", metavar="M", help="Catalog name, Hugging Face name or a config.json.")]
AnyModel = Annotated[str | None, _option("--model", "M", "Catalog name, Hugging Face name or a config.json.")]
Accelerator = Annotated[str | None, _option("--accelerator", "A", "Catalog name, e.g. h100-sxm.")]
Accelerators = Annotated[str, typer.Option("--accelerators", metavar="N", help="How many accelerators in all.")]
Optimizer = Annotated[str | None, _option("--optimizer", "O", "adamw, adamw-8bit, adafactor, sgd, muon, lion.")]
Precision = Annotated[str | None, _option("--precision", "P", "fp32, tf32, fp16, bf16, fp8, ...")]
Method = Annotated[str | None, _option("--method", "M", "pretrain, full, lora or qlora.")]
LoraRank = Annotated[str | None, _option("--lora-rank", "R", "Rank of the adapters.")]
MicroBatch = Annotated[str | None, _option("--micro-batch", "N", "Sequences per device and micro-batch.")]
Sequence = Annotated[str | None, _option("--sequence", "S", "Tokens per sequence.")]
Stack = Annotated[str | None, _option("--stack", "S", "Training software, e.g. megatron-core, nemo, fsdp.")]
PrefillReplicas = Annotated[
    str | None, _option("--prefill-replicas", "N", "Replicas that compute prompts and hand them over.")
]
PrefillTp = Annotated[str | None, _option("--prefill-tp", "N", "Tensor-parallel ranks of those.")]
PrefillPp = Annotated[str | None, _option("--prefill-pp", "N", "Their pipeline stages.")]
PrefillDp = Annotated[str | None, _option("--prefill-dp", "N", "Their attention data parallelism.")]
PrefillEp = Annotated[str | None, _option("--prefill-ep", "N", "Their expert-parallel ranks.")]
Tp = Annotated[str | None, _option("--tp", "N", "Tensor-parallel ranks.")]
Pp = Annotated[str | None, _option("--pp", "N", "Pipeline stages.")]
Vpp = Annotated[str | None, _option("--vpp", "N", "Virtual stages per device (interleaving).")]
Cp = Annotated[str | None, _option("--cp", "N", "Context-parallel ranks.")]
Ep = Annotated[str | None, _option("--ep", "N", "Expert-parallel ranks.")]
Dp = Annotated[str | None, _option("--dp", "N", "Data-parallel ranks.")]
Zero = Annotated[
    str | None, _option("--zero", "0-3", "What is sharded: 1 optimizer, 2 + gradients, 3 + weights (FSDP).")
]
Recompute = Annotated[str | None, _option("--recompute", "MODE", "none, selective, block or full.")]
Provider = Annotated[str | None, _option("--provider", "P", "Who sells it, e.g. aws.")]
Instance = Annotated[str | None, _option("--instance", "I", "Instance type or server.")]
Purchase = Annotated[str | None, _option("--purchase", "P", "on_demand, spot, reserved_1y, reserved_3y or owned.")]
Region = Annotated[str | None, _option("--region", "R", "Region of the price.")]
Price = Annotated[
    str | None, _option("--price", "USD", "Dollars per accelerator-hour, e.g. 2.99, in place of the catalog's.")
]
Fabric = Annotated[str | None, _option("--fabric", "F", "Network, e.g. infiniband-ndr, efa-v2.")]
Storage = Annotated[str | None, _option("--storage", "S", "Storage product of the catalog.")]
