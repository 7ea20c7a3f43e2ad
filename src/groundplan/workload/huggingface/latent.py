"""Multi-head latent attention, as DeepSeek's configs describe it."""

from __future__ import annotations

from groundplan.workload.huggingface.config import Config
from groundplan.workload.model import Attention, AttentionKind


def latent_attention(config: Config, heads: int) -> Attention:
    """Return the block; `q_lora_rank` null (DeepSeek-V2-Lite) means that queries have no latent."""
    rope = config.size("qk_rope_head_dim")
    bias = config.flag("attention_bias", False)
    return Attention(
        AttentionKind.MLA,
        heads=heads,
        kv_heads=heads,
        head_dim=config.size("qk_nope_head_dim") + rope,
        value_head_dim=config.size("v_head_dim"),
        qkv_bias=bias,
        output_bias=bias,
        q_lora_rank=config.size("q_lora_rank", default=0, minimum=0),
        kv_lora_rank=config.size("kv_lora_rank"),
        rope_head_dim=rope,
    )
