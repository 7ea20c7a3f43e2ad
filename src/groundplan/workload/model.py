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
    output_gate: bool = False  # a projection as wide as the context scales it before the output (qwen3_next)
    causal: bool = True
    window: int = 0
    windowed_layers: int = 0
    q_lora_rank: int = 0
    kv_lora_rank: int = 0
    rope_head_dim: int = 0


@dataclass(frozen=True, slots=True)
class Projection:
    """A matrix of a linear attention block; tensor parallelism splits its columns, its rows or not at all."""

    name: str
    inputs: int
    outputs: int
    split: str  # column | row | none


@dataclass(frozen=True, slots=True)
class LinearAttention:
    """A block that keeps a state of fixed size of a sequence: gated delta rule, Mamba, lightning attention.

    Each of `heads` holds a matrix of `qk_dim` x `value_dim` in elements of `state_bytes`, and a convolution over the
    last `kernel` tokens of `convolved` channels keeps those at 16 bits.
    """

    layers: int
    heads: int
    qk_dim: int
    value_dim: int
    projections: tuple[Projection, ...]
    vectors: int  # parameters that are no matrix: convolution, decays, biases, norms
    convolved: int
    kernel: int
    corrects: bool  # the delta rule: what the state answers to a key is taken off the value before it is written
    chunk: int  # tokens that prefill computes together; 0 = one after another
    state_bytes: int


@dataclass(frozen=True, slots=True)
class FeedForward:
    """A dense multilayer perceptron; `gated` has a second up-projection (SwiGLU, GeGLU)."""

    width: int
    gated: bool
    bias: bool = False


@dataclass(frozen=True, slots=True)
class Experts:
    """A mixture of experts that is the feed-forward block of the last `layers` layers."""

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
    filled by the reader. The dense feed-forward block serves the layers that have no experts. Every layer has the
    attention block, and no linear one, unless `linear` and the two counts of layers that lack a block say otherwise:
    hybrids put one in place of the other, side by side, or give each block a layer of its own.
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
    linear: LinearAttention | None = None
    layers_without_attention: int = 0
    layers_without_feed_forward: int = 0
    released_in: str = "bf16"  # format of the weights that its maker published

    @property
    def dense_layers(self) -> int:
        """Layers without experts."""
        return self.layers - (self.experts.layers if self.experts else 0)

    @property
    def feed_forward_layers(self) -> int:
        """Layers with the dense feed-forward block."""
        return self.dense_layers - self.layers_without_feed_forward

    @property
    def attention_layers(self) -> int:
        """Layers with the attention block, and so with keys and values to cache."""
        return self.layers - self.layers_without_attention

    @property
    def linear_layers(self) -> int:
        """Layers with the linear attention block."""
        return self.linear.layers if self.linear else 0

    @property
    def block_pairs(self) -> float:
        """Blocks of all kinds over two: the layers of a transformer, as which kernels are counted."""
        return (self.attention_layers + self.linear_layers + self.layers - self.layers_without_feed_forward) / 2


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
