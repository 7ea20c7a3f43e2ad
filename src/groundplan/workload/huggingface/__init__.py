"""Readers of Hugging Face `config.json`, one table of families."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from groundplan.errors import InputError, nearest_names
from groundplan.workload.counts import counted
from groundplan.workload.huggingface.classic import (
    read_bloom,
    read_falcon,
    read_gpt2,
    read_gpt_neox,
    read_gptj,
    read_mpt,
    read_opt,
    read_phi,
)
from groundplan.workload.huggingface.config import Config, read_config
from groundplan.workload.huggingface.encoders import read_bert, read_vit
from groundplan.workload.huggingface.modern import STYLES, read_modern
from groundplan.workload.huggingface.nemotron import read_nemotron_h
from groundplan.workload.model import TransformerModel

Reader = Callable[[Config, str, str], TransformerModel]

FAMILIES: Mapping[str, Reader] = {
    **dict.fromkeys(STYLES, read_modern),
    "gpt2": read_gpt2,
    "gptj": read_gptj,
    "gpt_neox": read_gpt_neox,
    "bloom": read_bloom,
    "opt": read_opt,
    "falcon": read_falcon,
    "RefinedWebModel": read_falcon,  # falcon-7b before it had a family of its own
    "RefinedWeb": read_falcon,
    "mpt": read_mpt,
    "phi": read_phi,
    "bert": read_bert,
    "vit": read_vit,
    "nemotron_h": read_nemotron_h,
}

SIXTEEN_BIT = "bf16"
QUANTISED = {"fp8": "fp8", "fbgemm_fp8": "fp8", "mxfp4": "mxfp4", "awq": "int4", "gptq": "int4"}
"""`quant_method` of a config -> format of its weights."""

__all__ = ["FAMILIES", "Config", "read_config", "transformer_from_config"]


def transformer_from_config(config: Config, identity: str, name: str) -> TransformerModel:
    """Read a config of a known family and count its parameters.

    A multimodal config (Gemma 3, Llama 4) is read for its text model only.

    Raises
    ------
    InputError
        An unknown family, a missing key, or a size that cannot be.
    """
    released_in = _released_in(config)
    text = config.keys.get("text_config")
    if isinstance(text, Mapping) and config.model_type not in FAMILIES:
        config = _text_part(config)
    reader = FAMILIES.get(config.model_type)
    if reader is None:
        near = nearest_names(config.model_type, FAMILIES)
        hint = f"nearest: {', '.join(near)}; " if near else ""
        raise InputError(
            f"{config.source}: model_type {config.model_type[:40]!r} is of no known family",
            f"{hint}known: {', '.join(sorted(FAMILIES))}",
        )
    return replace(counted(reader(config, identity, name)), released_in=released_in)


def _released_in(config: Config) -> str:
    """Return the format of the published weights: 16 bits unless the config says what they were quantised to."""
    stated = config.keys.get("quantization_config")
    method = str(stated.get("quant_method", "")).lower() if isinstance(stated, Mapping) else ""
    return QUANTISED.get(method, SIXTEEN_BIT)


def _text_part(config: Config) -> Config:
    """Return the nested text config; a text part without a model_type takes the outer one with `_text`."""
    text = config.section("text_config")
    keys = dict(text.keys)
    keys.setdefault("model_type", f"{config.model_type}_text")
    return Config(keys, text.source)
