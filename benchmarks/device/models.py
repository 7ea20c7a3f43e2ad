"""A decoder in plain PyTorch, in the two common styles: GPT-2's and Llama's. Needs PyTorch."""

from __future__ import annotations

import torch
from cases import Shape
from torch import Tensor, nn
from torch.nn import functional

ROTARY_BASE = 10_000.0
INITIAL_STD = 0.02


class Decoder(nn.Module):
    """Embedding, blocks, final norm and head; `forward` returns the mean cross-entropy of the next tokens."""

    def __init__(self, shape: Shape, sequence: int) -> None:
        super().__init__()
        gpt = shape.style == "gpt"
        self.embedding = nn.Embedding(shape.vocab, shape.hidden)
        self.positions = nn.Embedding(sequence, shape.hidden) if gpt else None
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = _norm(shape)
        self.head = nn.Linear(shape.hidden, shape.vocab, bias=False)
        self.apply(_initialize)
        if gpt:
            self.head.weight = self.embedding.weight
        cosine, sine = rotations(sequence, shape.head_dim)
        self.register_buffer("cosine", cosine, persistent=False)
        self.register_buffer("sine", sine, persistent=False)

    def forward(self, tokens: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of `tokens` and `targets`, both `[batch, sequence]`."""
        state = self.embedding(tokens)
        if self.positions is not None:
            state = state + self.positions.weight[: tokens.shape[1]]
        for block in self.blocks:
            state = block(state, self.cosine, self.sine)
        logits = self.head(self.norm(state))
        return functional.cross_entropy(logits.flatten(0, 1), targets.flatten())


class Block(nn.Module):
    """One layer: attention and feed-forward, each behind a norm and beside a residual."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.attention_norm = _norm(shape)
        self.attention = Attention(shape)
        self.feed_norm = _norm(shape)
        self.feed = Gelu(shape) if shape.style == "gpt" else SwiGlu(shape)

    def forward(self, state: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        """Return the next state `[batch, sequence, hidden]`."""
        state = state + self.attention(self.attention_norm(state), cosine, sine)
        return state + self.feed(self.feed_norm(state))


class Attention(nn.Module):
    """Causal self-attention; keys and values may have fewer heads than queries."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        bias = shape.style == "gpt"
        self.widths = [heads * shape.head_dim for heads in (shape.heads, shape.kv_heads, shape.kv_heads)]
        self.inward = nn.Linear(shape.hidden, sum(self.widths), bias=bias)
        self.outward = nn.Linear(shape.heads * shape.head_dim, shape.hidden, bias=bias)

    def forward(self, state: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        """Return what the heads read, `[batch, sequence, hidden]`."""
        batch, sequence, _ = state.shape
        projected = self.inward(state).split(self.widths, dim=-1)
        query, key, value = (part.view(batch, sequence, -1, self.shape.head_dim).transpose(1, 2) for part in projected)
        if self.shape.style == "llama":
            query, key = rotate(query, cosine, sine), rotate(key, cosine, sine)
        grouped = self.shape.kv_heads != self.shape.heads
        read = functional.scaled_dot_product_attention(query, key, value, is_causal=True, enable_gqa=grouped)
        return self.outward(read.transpose(1, 2).reshape(batch, sequence, -1))


class Gelu(nn.Module):
    """GPT-2's feed-forward block."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.up = nn.Linear(shape.hidden, shape.ffn)
        self.down = nn.Linear(shape.ffn, shape.hidden)

    def forward(self, state: Tensor) -> Tensor:
        """Return `[batch, sequence, hidden]`."""
        return self.down(functional.gelu(self.up(state), approximate="tanh"))


class SwiGlu(nn.Module):
    """Llama's gated feed-forward block, gate and up projection in one product."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.gate_and_up = nn.Linear(shape.hidden, 2 * shape.ffn, bias=False)
        self.down = nn.Linear(shape.ffn, shape.hidden, bias=False)

    def forward(self, state: Tensor) -> Tensor:
        """Return `[batch, sequence, hidden]`."""
        gate, up = self.gate_and_up(state).chunk(2, dim=-1)
        return self.down(functional.silu(gate) * up)


def rotations(sequence: int, head_dim: int) -> tuple[Tensor, Tensor]:
    """Return cosines and sines of the rotary angles, each `[sequence, head_dim / 2]`."""
    rates = ROTARY_BASE ** (-torch.arange(0, head_dim, 2, dtype=torch.float32) / head_dim)
    angles = torch.outer(torch.arange(sequence, dtype=torch.float32), rates)
    return angles.cos(), angles.sin()


def rotate(heads: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Return `[batch, heads, sequence, head_dim]` with each pair of halves turned by its position's angle."""
    low, high = heads.chunk(2, dim=-1)
    turned = torch.cat((low * cosine - high * sine, high * cosine + low * sine), dim=-1)
    return turned.to(heads.dtype)


def _norm(shape: Shape) -> nn.Module:
    return nn.LayerNorm(shape.hidden) if shape.style == "gpt" else nn.RMSNorm(shape.hidden)


def _initialize(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=INITIAL_STD)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
