"""The architecture of a model, as the laws need it: frozen dataclasses without behaviour."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from groundplan.errors import InputError


class AttentionKind(StrEnum):
    """How keys and values are formed."""

    GQA = "gqa"  # multi-head (kv_heads == heads), grouped-query and multi-query
    MLA = "mla"  # DeepSeek's multi-head latent attention


@dataclass(frozen=True, slots=True)
class Attention:
    """One self-attention block.

    For MLA `head_dim` is the query/key width (nope + rope) and `value_head_dim` the value width.
    `window` is the sliding-window length in tokens (0 = full attention) used by `windowed_layers` layers.
    """

    kind: AttentionKind
    heads: int
    kv_heads: int
    head_dim: int
    value_head_dim: int
    qkv_bias: bool = False
    output_bias: bool = False
    qk_norm: bool = False  # one gain of head_dim each for queries and keys
    sinks: bool = False  # one learned sink logit per head (gpt_oss)
    causal: bool = True
    window: int = 0
    windowed_layers: int = 0
    q_lora_rank: int = 0
    kv_lora_rank: int = 0
    rope_head_dim: int = 0


@dataclass(frozen=True, slots=True)
class FeedForward:
    """A dense multilayer perceptron; `gated` has a second up-projection (SwiGLU, GeGLU)."""

    width: int
    gated: bool
    bias: bool = False


@dataclass(frozen=True, slots=True)
class Experts:
    """A mixture of experts that replaces the feed-forward block in the last `layers` layers."""

    count: int
    top_k: int
    width: int
    gated: bool
    layers: int
    shared_width: int = 0  # total width of the experts every token visits
    shared_gate: bool = False  # a learned scalar gate on the shared expert (qwen2_moe)
    bias: bool = False
    router_bias: bool = False


@dataclass(frozen=True, slots=True)
class TransformerModel:
    """A decoder-only language model or an encoder over patches (vision transformer).

    `parameters` and `active_parameters` are exact counts by the laws of `physics.parameters`,
    filled by the reader. The dense feed-forward block serves the layers that have no experts.
    """

    id: str
    name: str
    family: str
    layers: int
    hidden: int
    attention: Attention
    feed_forward: FeedForward
    experts: Experts | None
    vocabulary: int
    tied_embeddings: bool
    learned_positions: int  # rows of a learned position table; 0 for rotary or ALiBi
    norm_parameters: int  # parameters of one normalisation: hidden (RMS) or 2 x hidden (LayerNorm)
    norms_per_layer: int
    parallel_block: bool  # attention and feed-forward read the same input (neox, falcon, phi)
    max_sequence: int
    parameters: int
    active_parameters: int
    embedding_parameters: int  # token and position tables, and the output head where it is not tied
    source: str
    domain: str = "text"  # text | image
    other_parameters: int = 0  # final and embedding norms, embedding projections, biases of the head, patch embedding
    embedding_width: int = 0  # of the token table where it is not `hidden` (opt-350m); 0 = hidden
    patch_inputs: int = 0  # values in one image patch, projected to `hidden`; 0 for text

    @property
    def dense_layers(self) -> int:
        """Layers whose feed-forward block is dense."""
        return self.layers - (self.experts.layers if self.experts else 0)


@dataclass(frozen=True, slots=True)
class Accuracy:
    """A published score of a trained model: the metric, a share of 1, on what data, and who published it."""

    metric: str  # mAP50-95, top-1
    value: float
    data: str
    source: str


@dataclass(frozen=True, slots=True)
class SampleModel:
    """A model known by its published totals per sample (CNN, diffusion, recommender).

    `forward_flops_per_sample` counts a multiply-add as two; None when no source states it.
    """

    id: str
    name: str
    family: str
    parameters: int
    forward_flops_per_sample: float | None
    activation_elements_per_sample: float | None
    source: str
    domain: str = "image"
    input_side: int | None = None  # pixels on a side of the square input that FLOPs and accuracy are of
    accuracy: Accuracy | None = None


def known_activations(model: SampleModel) -> float:
    """Return the activation elements of one sample.

    Raises
    ------
    InputError
        No source states them: peak memory is unknown.
    """
    if model.activation_elements_per_sample is None:
        raise InputError(
            f"no source states the activations of {model.id}, without which nobody knows whether it fits",
            f"state activation_elements in models/{model.id}.json of your own catalog folder, or choose another model",
        )
    return model.activation_elements_per_sample


Model = TransformerModel | SampleModel
