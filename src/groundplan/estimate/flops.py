"""The work of one token of a model, in named parts."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from groundplan.estimate.blocks import Matmul, attention_matmuls, feed_forward_matmuls, linear_matmuls
from groundplan.evidence import Result
from groundplan.physics.arrays import Floats
from groundplan.physics.flops import attention_flops_per_token, matmul_flops_per_token, training_flops
from groundplan.physics.linear_attention import recurrence_flops_per_token
from groundplan.workload.job import Method, TrainingJob
from groundplan.workload.model import Model, SampleModel, TransformerModel


@dataclass(frozen=True, slots=True)
class FlopCount(Result):
    """Forward FLOPs of one token, all layers; the parts sum to `total`."""

    projections: Floats  # queries, keys, values and attention output; those of linear attention
    attention: Floats  # scores and weighted values; the states and convolutions of linear attention
    feed_forward: Floats  # dense blocks
    experts: Floats  # the experts a token visits, shared ones among them, and the router
    logits: Floats  # output head
    patches: Floats  # image patches to hidden

    @property
    def total(self) -> Floats:
        """Sum of the parts."""
        return self.projections + self.attention + self.feed_forward + self.experts + self.logits + self.patches


def forward_flops_per_token(model: TransformerModel, sequence: Floats) -> FlopCount:
    """Forward FLOPs of one token in a sequence of `sequence` tokens (or an array of lengths).

    Embedding look-ups, norms, activations and softmax are left out, as in the literature; mixtures count the experts
    a token visits; causal attention counts the half it needs, windowed layers their window, linear ones their state.
    """
    hidden, block = model.hidden, model.attention
    width = model.embedding_width or hidden
    head = model.vocabulary * width + (2 * width * hidden if width != hidden else 0)
    dense = _elements(feed_forward_matmuls(hidden, model.feed_forward.width, model.feed_forward.gated))
    core = [
        layers
        * attention_flops_per_token(
            sequence, block.heads, block.head_dim, block.value_head_dim, causal=block.causal, window=window
        )
        for layers, window in (
            (model.attention_layers - block.windowed_layers, 0),
            (block.windowed_layers, block.window),
        )
    ]
    return FlopCount(
        projections=matmul_flops_per_token(
            model.attention_layers * _elements(attention_matmuls(model))
            + model.linear_layers * _elements(linear_matmuls(model))
        ),
        attention=core[0] + core[1] + _recurrence_flops(model),
        feed_forward=matmul_flops_per_token(model.feed_forward_layers * dense),
        experts=matmul_flops_per_token(_visited_expert_elements(model)),
        logits=matmul_flops_per_token(float(head)),
        patches=matmul_flops_per_token(float(model.patch_inputs * hidden)),
    )


def model_flops_per_token(model: Model, sequence: int) -> float:
    """Model FLOPs of training on one token (one sample of a `SampleModel`): what MFU counts, without recomputation.

    Against the rule 6 N: the rule counts the embedding table as a matrix and attention not at all. For GPT-3 175B at
    2,048 tokens the two differ by 2 %; for small models with large vocabularies and for long sequences by far more.
    NaN where no source states the work of a sample.
    """
    if isinstance(model, SampleModel):
        forward = model.forward_flops_per_sample
        return math.nan if forward is None else float(training_flops(forward, 0.0))
    return float(training_flops(forward_flops_per_token(model, float(sequence)).total, 0.0))


def training_flops_per_token(job: TrainingJob) -> float:
    """Model FLOPs that a job spends on one token (or sample), without recomputation.

    Forward, input gradients and weight gradients; adapters leave out the weight gradients of the frozen matrices.
    """
    model = job.model
    whole = model_flops_per_token(model, job.document_length)
    if job.method not in (Method.LORA, Method.QLORA) or isinstance(model, SampleModel):
        return whole
    forward = forward_flops_per_token(model, float(job.document_length))
    return whole - float(forward.total - forward.attention)


def _recurrence_flops(model: TransformerModel) -> Floats:
    """Forward FLOPs of one token through the states and convolutions of all linear layers."""
    block = model.linear
    if block is None:
        return 0.0
    states = recurrence_flops_per_token(block.heads, block.qk_dim, block.value_dim, block.corrects)
    return block.layers * (states + matmul_flops_per_token(1.0 * block.kernel * block.convolved))


def _visited_expert_elements(model: TransformerModel) -> float:
    experts = model.experts
    if experts is None:
        return 0.0
    routed = experts.top_k * _elements(feed_forward_matmuls(model.hidden, experts.width, experts.gated))
    shared = _elements(feed_forward_matmuls(model.hidden, experts.shared_width, experts.gated))
    router = float(model.hidden * (experts.count + experts.shared_gate))
    return experts.layers * (routed + shared + router)


def _elements(matmuls: Iterable[Matmul]) -> float:
    return sum(matmul.inputs * matmul.outputs for matmul in matmuls)
