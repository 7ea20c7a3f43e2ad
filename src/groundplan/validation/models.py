"""The model of a measured run: the catalog's where the run names one, else what its sizes and parameter count say."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from groundplan.catalog.catalog import Catalog
from groundplan.errors import InputError
from groundplan.validation.measured import MeasuredRun
from groundplan.workload.counts import counted
from groundplan.workload.inline import architecture_from_mapping
from groundplan.workload.model import AttentionKind, TransformerModel
from groundplan.workload.models import find_model, model_from_row

SUFFIX = re.compile(r"\s+((cut to|proxy|sft|q?lora|finetun\w*|pre-?train\w*)\b|- ).*$", re.IGNORECASE)
"""What a benchmark adds to a model's name."""
SIZE = re.compile(r"[-_ ]\d+(\.\d+)?[bt]$", re.IGNORECASE)
DENSE_LAYERS = re.compile(r"dense_layers\s*=\s*(\d+)|\b(\d+) dense layers")
SIZES = ("layers", "hidden", "heads", "kv_heads", "head_dim", "ffn", "vocab")
EXPERT_SIZES = {"n_experts": "experts", "top_k": "top_k", "moe_ffn": "expert_ffn"}
VOCABULARY_STEP = 128
"""Megatron pads the vocabulary to this many rows for each tensor-parallel rank (github.com/NVIDIA/Megatron-LM)."""
GPT2_VOCABULARY = 50257
"""Tokens of GPT-2's tokenizer, which Megatron's own benchmarks train with."""


@dataclass(frozen=True, slots=True)
class Stated:
    """What a run says of its model."""

    name: str
    parameters: float | None  # billions
    sizes: tuple[int | None, ...]  # in the order of SIZES
    experts: tuple[int | None, ...]  # in the order of EXPERT_SIZES
    dense_layers: int | None

    def size(self, name: str) -> int | None:
        """Return one size; None where it is not stated."""
        return self.sizes[SIZES.index(name)]


def run_model(run: MeasuredRun, megatron: bool, catalog: Catalog) -> TransformerModel:
    """Return the architecture a run was measured with.

    A name that the catalog knows brings what no column holds: latent attention, windows, shared experts. Its sizes are
    those of the run where stated, which may be a cut-down proxy. Otherwise gated feed-forward blocks,
    tied embeddings and a shared expert are what brings the count nearest to the stated one. `megatron` pads the
    vocabulary.

    Raises
    ------
    InputError
        Sizes are missing or impossible.
    """
    for needed in ("layers", "hidden", "heads"):
        run.size(needed)
    sizes = {name: run.size(name) if run.text(name) else None for name in SIZES}
    if megatron:
        step = VOCABULARY_STEP * run.size("tp", 1)
        sizes["vocab"] = -(-(sizes["vocab"] or GPT2_VOCABULARY) // step) * step
    experts = tuple(run.size(name) if run.text(name) else None for name in EXPERT_SIZES)
    if experts[0] is not None and experts[1] is not None and experts[1] > experts[0]:
        raise InputError(f"top_k {experts[1]} is more than n_experts {experts[0]}", "correct one of them")
    dense = DENSE_LAYERS.search(run.text("notes"))
    stated = Stated(
        run.text("model"),
        run.number("params_b"),
        tuple(sizes.values()),
        experts,
        int(next(group for group in dense.groups() if group)) if dense else None,
    )
    return _model(stated, catalog)


@lru_cache(maxsize=8192)
def _model(stated: Stated, catalog: Catalog) -> TransformerModel:
    named = _named(stated.name, catalog)
    return _resized(named, stated) if named and _same_shape(named, stated) else _described(stated)


def _named(name: str, catalog: Catalog) -> TransformerModel | None:
    bare = SUFFIX.sub("", name).strip()
    for spoken in (bare, SIZE.sub("", bare)):
        identity = find_model(spoken, catalog.models) if spoken else None
        if identity is not None:
            model = model_from_row(catalog.models[identity])
            return model if isinstance(model, TransformerModel) else None
    return None


def _same_shape(model: TransformerModel, stated: Stated) -> bool:
    """Whether width and heads are those of the run, and both are mixtures or neither is."""
    return (
        model.hidden == stated.size("hidden")
        and model.attention.heads == stated.size("heads")
        and (model.experts is not None) == (stated.experts[0] is not None)
    )


def _resized(model: TransformerModel, stated: Stated) -> TransformerModel:
    """Return the named model with the run's sizes: of what both state, the run's holds."""
    layers, block, experts = stated.size("layers") or model.layers, model.attention, model.experts
    if experts is not None:
        count, top_k, _ = stated.experts
        alternating = model.dense_layers * 2 == model.layers
        dense = model.dense_layers if stated.dense_layers is None else stated.dense_layers
        sparse = layers // 2 if alternating else max(layers - dense, 0)
        experts = replace(experts, count=count or experts.count, top_k=top_k or experts.top_k, layers=sparse)
    if block.kind is not AttentionKind.MLA:  # latent attention has no such widths
        kv_heads, head_dim = stated.size("kv_heads") or block.kv_heads, stated.size("head_dim") or block.head_dim
        if block.heads % kv_heads:
            raise InputError(f"{block.heads} heads are not divisible by kv_heads {kv_heads}", "correct one of them")
        if head_dim != block.head_dim:
            block = replace(block, head_dim=head_dim, value_head_dim=head_dim)
        block = replace(block, kv_heads=kv_heads)
    dense_block = model.feed_forward
    if model.dense_layers:
        dense_block = replace(dense_block, width=stated.size("ffn") or dense_block.width)
    windowed = round(block.windowed_layers * layers / model.layers)
    linear, unattended, unfed = (
        round(count * layers / model.layers)
        for count in (model.linear_layers, model.layers_without_attention, model.layers_without_feed_forward)
    )
    return counted(
        replace(
            model,
            layers=layers,
            attention=replace(block, windowed_layers=windowed),
            feed_forward=dense_block,
            experts=experts,
            linear=replace(model.linear, layers=linear) if model.linear else None,
            layers_without_attention=unattended,
            layers_without_feed_forward=min(unfed, layers - experts.layers if experts else layers),
            vocabulary=stated.size("vocab") or model.vocabulary,
        )
    )


def _described(stated: Stated) -> TransformerModel:
    """Return the model of the sizes, its open choices such that the parameter count is met best."""
    sizes: dict[str, object] = {name: size for name, size in zip(SIZES, stated.sizes, strict=True) if size}
    sizes |= {key: size for key, size in zip(EXPERT_SIZES.values(), stated.experts, strict=True) if size}
    if "vocab" not in sizes:
        raise InputError("vocab is not stated", "fill in vocab")
    shared = (0, stated.experts[2] or 0) if stated.experts[0] else (0,)
    candidates = [
        _with_norms(architecture_from_mapping(sizes | {"gated": gated, "tied": tied, "shared_ffn": width}))
        for gated in _likely_gates(stated)
        for tied in (False, True)
        for width in shared
    ]
    if stated.parameters is None:
        return candidates[0]
    wanted = stated.parameters * 1e9
    return min(candidates, key=lambda model: round(abs(model.parameters / wanted - 1.0), 3))


def _with_norms(model: TransformerModel) -> TransformerModel:
    """Plain blocks are of the generation of layer norms, which have a bias; gated ones of root-mean-square norms."""
    if model.feed_forward.gated:
        return model
    return counted(replace(model, norm_parameters=2 * model.hidden, other_parameters=2 * model.hidden))


def _likely_gates(stated: Stated) -> tuple[bool, ...]:
    """Gated or not, the likelier first: a width of four times the hidden size speaks for a plain block."""
    ffn, hidden = stated.size("ffn"), stated.size("hidden") or 0
    return (False, True) if ffn is None or ffn == 4 * hidden else (True, False)
