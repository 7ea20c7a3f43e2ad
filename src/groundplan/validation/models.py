"""The model of a measured run: the catalog's where the run names one, else what its sizes and parameter count say."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache

from groundplan.catalog.catalog import Catalog
from groundplan.errors import InputError
from groundplan.validation.measured import MeasuredRun
from groundplan.workload.counts import counted
from groundplan.workload.inline import architecture_from_mapping
from groundplan.workload.model import TransformerModel
from groundplan.workload.models import find_model, model_from_row

SUFFIX = re.compile(r"\s+(cut to|proxy|sft|lora|qlora|finetun\w*|pre-?train\w*)\b.*$", re.IGNORECASE)
"""What a benchmark adds to a model's name."""
SIZE = re.compile(r"[-_ ]\d+(\.\d+)?[bt]$", re.IGNORECASE)
DENSE_LAYERS = re.compile(r"dense_layers\s*=\s*(\d+)|\b(\d+) dense layers")
SIZES = ["layers", "hidden", "heads", "kv_heads", "head_dim", "ffn", "vocab"]
EXPERT_SIZES = {"n_experts": "experts", "top_k": "top_k", "moe_ffn": "expert_ffn"}


def run_model(run: MeasuredRun, catalog: Catalog) -> TransformerModel:
    """Return the architecture a run was measured with.

    A name that the catalog knows brings what no column holds: latent attention, windows, shared experts. Its layers,
    experts and vocabulary are those of the run, which may be a cut-down proxy. Otherwise gated feed-forward blocks,
    tied embeddings and a shared expert are what brings the count nearest to the stated one.

    Raises
    ------
    InputError
        Sizes are missing or impossible.
    """
    key = tuple(run.text(column) for column in ("model", "params_b", *SIZES, *EXPERT_SIZES))
    dense = DENSE_LAYERS.search(run.text("notes"))
    dense_layers = int(next(group for group in dense.groups() if group)) if dense else None
    return _model(key, dense_layers, run, catalog)


class _Memo(dict[tuple[object, ...], TransformerModel]):
    """Models already read, by the cells they were read from."""


_SEEN = _Memo()


def _model(key: tuple[str, ...], dense_layers: int | None, run: MeasuredRun, catalog: Catalog) -> TransformerModel:
    seen = _SEEN.get((*key, dense_layers, catalog.version))
    if seen is None:
        named = _named(run.text("model"), catalog)
        seen = _resized(named, run, dense_layers) if named and _same_shape(named, run) else _described(run)
        _SEEN[(*key, dense_layers, catalog.version)] = seen
    return seen


def _named(name: str, catalog: Catalog) -> TransformerModel | None:
    bare = SUFFIX.sub("", name).strip()
    for spoken in (bare, SIZE.sub("", bare)):
        identity = find_model(spoken, catalog.models) if spoken else None
        if identity is not None:
            return _catalog_model(identity, catalog)
    return None


@lru_cache(maxsize=512)
def _catalog_model(identity: str, catalog: Catalog) -> TransformerModel | None:
    model = model_from_row(catalog.models[identity])
    return model if isinstance(model, TransformerModel) else None


def _same_shape(model: TransformerModel, run: MeasuredRun) -> bool:
    """Whether width and heads are those of the run, and both are mixtures or neither is."""
    sparse = run.number("n_experts") is not None
    return (
        model.hidden == run.size("hidden")
        and model.attention.heads == run.size("heads")
        and (model.experts is not None) == sparse
    )


def _resized(model: TransformerModel, run: MeasuredRun, dense_layers: int | None) -> TransformerModel:
    """Return the named model with the run's layers, experts and vocabulary."""
    layers = run.size("layers")
    block, experts = model.attention, model.experts
    if experts is not None:
        dense = model.dense_layers if dense_layers is None else dense_layers
        experts = replace(
            experts,
            count=run.size("n_experts", experts.count),
            top_k=run.size("top_k", experts.top_k),
            layers=max(layers - dense, 0) if model.dense_layers * 2 != model.layers else layers // 2,
        )
    windowed = round(block.windowed_layers * layers / model.layers)
    return counted(
        replace(
            model,
            layers=layers,
            attention=replace(block, windowed_layers=windowed),
            experts=experts,
            vocabulary=run.size("vocab", model.vocabulary),
        )
    )


def _described(run: MeasuredRun) -> TransformerModel:
    """Return the model of the sizes, its open choices such that the parameter count is met best."""
    sizes: dict[str, object] = {column: run.size(column) for column in SIZES if run.text(column)}
    sizes |= {key: run.size(column) for column, key in EXPERT_SIZES.items() if run.text(column)}
    if "vocab" not in sizes:
        raise InputError("vocab is not stated", "fill in vocab")
    shared = (0, run.size("moe_ffn")) if "expert_ffn" in sizes else (0,)
    stated = run.number("params_b")
    candidates = [
        architecture_from_mapping(sizes | {"gated": gated, "tied": tied, "shared_ffn": width})
        for gated in _likely_gates(run)
        for tied in (False, True)
        for width in shared
    ]
    if stated is None:
        return candidates[0]
    return min(candidates, key=lambda model: round(abs(model.parameters / (stated * 1e9) - 1.0), 3))


def _likely_gates(run: MeasuredRun) -> tuple[bool, ...]:
    """Gated or not, the likelier first: a width of four times the hidden size speaks for a plain block."""
    plain = not run.text("ffn") or run.size("ffn") == 4 * run.size("hidden")
    return (False, True) if plain else (True, False)
