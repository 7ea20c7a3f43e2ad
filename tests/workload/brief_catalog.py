"""A catalog of a handful of rows: what the reader of briefs asks of the real one, so that its tests stay small."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar, cast

from groundplan.errors import UnknownName

if TYPE_CHECKING:
    from groundplan.catalog.catalog import Catalog

LLAMA_8B = {
    "id": "llama-3.1-8b",
    "name": "Llama 3.1 8B",
    "aliases": [],
    "source": "huggingface.co/meta-llama/Llama-3.1-8B",
    "config": {
        "model_type": "llama",
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "vocab_size": 128256,
        "max_position_embeddings": 131072,
        "tie_word_embeddings": False,
    },
}
RESNET_50 = {
    "id": "resnet-50",
    "name": "ResNet-50",
    "aliases": [],
    "source": "He et al. 2015",
    "sample": {"family": "cnn", "parameters": 25_557_032, "forward_flops": 8.2e9, "domain": "image"},
}


class SmallCatalog:
    """Rows by kind; names are found without letter case."""

    models: ClassVar = {"llama-3.1-8b": LLAMA_8B, "resnet-50": RESNET_50}
    hosts: ClassVar = {
        "p4de.24xlarge": SimpleNamespace(provider="aws"),
        "gpu_8x_h100": SimpleNamespace(provider="lambda"),
    }
    prices = (SimpleNamespace(region="us-east-1"),)
    grids: ClassVar = {"de": SimpleNamespace(region="eu-central-1")}
    _ids: ClassVar = {
        "accelerators": ("a100-sxm-80", "h100-sxm", "tpu-v5p"),
        "hosts": tuple(hosts),
        "fabrics": ("infiniband-hdr", "efa-v1"),
        "storage": ("aws-s3",),
        "optimizers": ("adamw", "adamw-8bit", "lion"),
        "precisions": ("bf16", "fp8", "fp16"),
        "stacks": ("megatron-core", "fsdp"),
    }

    def find(self, kind: str, name: str) -> str:
        """Return an id or raise as the real catalog does."""
        if name.lower() not in self._ids[kind]:
            raise UnknownName(kind.removesuffix("s"), name, self._ids[kind])
        return name.lower()


def small_catalog() -> Catalog:
    """Return the small catalog in the type the reader asks for."""
    return cast("Catalog", cast("Any", SmallCatalog()))
