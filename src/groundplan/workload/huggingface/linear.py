"""Linear attention and state-space blocks, and which layers of a hybrid have them, as configs describe both."""

from __future__ import annotations

from collections.abc import Callable

from groundplan.workload.huggingface.config import Config
from groundplan.workload.model import LinearAttention, Projection

LINEAR = ("linear_attention", "kda_attention", "mamba", "mamba2")
FULL = ("full_attention", "attention")
DELTA_CHUNK = (
    64  # tokens of a chunk of flash-linear-attention's delta rules (github.com/fla-org/flash-linear-attention)
)
LIGHTNING_BLOCK = 256  # of lightning attention (block_size of the published minimax configs)
STATE_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}


def listed_kinds(config: Config, layers: int, known: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return the kind of each layer, or None where the config lists none; a kind not in `known` is an error."""
    for key in ("layer_types", "layers_block_type"):
        listed = config.members(key)
        if listed is None:
            continue
        if len(listed) != layers:
            raise config.wrong(key, f"lists {len(listed)} layers of {layers}", "list one kind per layer")
        for kind in listed:
            if kind not in known:
                raise config.wrong(key, f"holds the kind {str(kind)[:40]!r}", f"known here: {', '.join(known)}")
        return tuple(listed)
    return None


def count_linear(config: Config, layers: int) -> int:
    """Return how many layers have the linear block in place of attention, in whichever way the family says it."""
    kinds = listed_kinds(config, layers, LINEAR + FULL)
    if kinds is not None:
        return sum(kind in LINEAR for kind in kinds)
    types = config.members("attn_type_list")
    if types is not None:  # MiniMax: 0 lightning, 1 softmax
        if len(types) != layers or any(kind not in (0, 1) for kind in types):
            raise config.wrong("attn_type_list", f"is not {layers} times 0 or 1", "list one per layer")
        return types.count(0)
    if config.keys.get("linear_attn_config") is not None:
        section = config.section("linear_attn_config")
        full, linear = section.members("full_attn_layers") or (), section.members("kda_layers") or ()
        if len(full) + len(linear) != layers:
            raise section.wrong("layers", f"are {len(full) + len(linear)} of {layers}", "list every layer once")
        return len(linear)
    if config.keys.get("attn_layer_period") is not None:
        period, offset = config.size("attn_layer_period"), config.size("attn_layer_offset", minimum=0)
        if offset >= period:
            raise config.wrong("attn_layer_offset", f"{offset} is not below the period {period}", "correct one")
        return layers - len(range(offset, layers, period))
    indices = config.members("attn_layer_indices")
    if indices is not None:
        return layers - len({one for one in indices if isinstance(one, int) and 0 <= one < layers})
    return layers - layers // config.size("full_attention_interval")


def gated_delta(config: Config, layers: int) -> LinearAttention:
    """Gated DeltaNet of Qwen3-Next and Qwen3.5."""
    hidden, kernel = config.size("hidden_size"), config.size("linear_conv_kernel_dim")
    heads, groups = config.size("linear_num_value_heads"), config.size("linear_num_key_heads")
    qk_dim, value_dim = config.size("linear_key_head_dim"), config.size("linear_value_head_dim")
    if heads % groups:
        raise config.wrong("linear_num_value_heads", f"{heads} is not divisible by {groups} key heads", "correct one")
    inner, convolved = heads * value_dim, 2 * groups * qk_dim + heads * value_dim
    return LinearAttention(
        layers=count_linear(config, layers),
        heads=heads,
        qk_dim=qk_dim,
        value_dim=value_dim,
        projections=(
            Projection("linear_in", hidden, convolved + inner + 2 * heads, "column"),
            Projection("linear_output", inner, hidden, "row"),
        ),
        vectors=kernel * convolved + 2 * heads + value_dim,
        convolved=convolved,
        kernel=kernel,
        corrects=True,
        chunk=DELTA_CHUNK,
        state_bytes=_state_bytes(config),
    )


def kimi_delta(config: Config, layers: int) -> LinearAttention:
    """Kimi Delta Attention: a decay for each channel, and an output gate, each through a bottleneck of one head."""
    hidden, section = config.size("hidden_size"), config.section("linear_attn_config")
    heads, width, kernel = (section.size(key) for key in ("num_heads", "head_dim", "short_conv_kernel_size"))
    inner = heads * width
    return LinearAttention(
        layers=count_linear(config, layers),
        heads=heads,
        qk_dim=width,
        value_dim=width,
        projections=(
            Projection("linear_in", hidden, 3 * inner + heads, "column"),
            Projection("gates_down", hidden, 2 * width, "none"),
            Projection("gates_up", width, 2 * inner, "column"),
            Projection("linear_output", inner, hidden, "row"),
        ),
        vectors=kernel * 3 * inner + heads + inner + width,
        convolved=3 * inner,
        kernel=kernel,
        corrects=True,
        chunk=DELTA_CHUNK,
        state_bytes=_state_bytes(config),
    )


def mamba2(config: Config, layers: int, count: int | None = None, gated_norm: bool = True) -> LinearAttention:
    """Mamba-2 of Nemotron-H, Granite 4, Bamba and Falcon-H1; in `count` layers where the caller knows it."""
    hidden, heads = config.size("hidden_size"), config.size("mamba_num_heads", "mamba_n_heads")
    expanded = config.size("mamba_d_ssm", default=0) or hidden * config.size("mamba_expand", "expand", default=2)
    auto = config.keys.get("mamba_d_head") == "auto"
    width = expanded // heads if auto else config.size("mamba_head_dim", "mamba_d_head")
    state, groups = config.size("ssm_state_size", "mamba_d_state"), config.size("n_groups", "mamba_n_groups")
    kernel, inner = config.size("conv_kernel", "mamba_d_conv"), heads * width
    conv_bias = "use_conv_bias" if "use_conv_bias" in config.keys else "mamba_conv_bias"
    bias = config.flag("mamba_proj_bias", config.flag("use_bias", False))
    convolved = inner + 2 * groups * state
    projected = inner + convolved + heads
    return LinearAttention(
        layers=count_linear(config, layers) if count is None else count,
        heads=heads,
        qk_dim=state,
        value_dim=width,
        projections=(
            Projection("linear_in", hidden, projected, "column"),
            Projection("linear_output", inner, hidden, "row"),
        ),
        vectors=(kernel + config.flag(conv_bias, True)) * convolved
        + 3 * heads
        + gated_norm * inner
        + bias * (projected + hidden),
        convolved=convolved,
        kernel=kernel,
        corrects=False,
        chunk=config.size("chunk_size", "mamba_chunk_size", default=256),
        state_bytes=_state_bytes(config),
    )


def mamba2_beside(config: Config, layers: int) -> LinearAttention:
    """Falcon-H1's Mamba-2, beside attention in every layer."""
    return mamba2(config, layers, count=layers, gated_norm=config.flag("mamba_rms_norm", True))


def mamba(config: Config, layers: int) -> LinearAttention:
    """Jamba's Mamba: one state of `mamba_d_state` for each channel, and norms of what makes the step."""
    hidden, state, kernel = config.size("hidden_size"), config.size("mamba_d_state"), config.size("mamba_d_conv")
    inner = hidden * config.size("mamba_expand")
    rank = -(-hidden // 16) if config.keys.get("mamba_dt_rank") == "auto" else config.size("mamba_dt_rank")
    bias = config.flag("mamba_proj_bias", False)
    convolution = (kernel + config.flag("mamba_conv_bias", True)) * inner
    return LinearAttention(
        layers=count_linear(config, layers),
        heads=inner,
        qk_dim=state,
        value_dim=1,
        projections=(
            Projection("linear_in", hidden, 2 * inner, "column"),
            Projection("step_down", inner, rank + 2 * state, "row"),
            Projection("step_up", rank, inner, "column"),
            Projection("linear_output", inner, hidden, "row"),
        ),
        vectors=convolution + inner * (state + 2) + rank + 2 * state + bias * (2 * inner + hidden),
        convolved=inner,
        kernel=kernel,
        corrects=False,
        chunk=0,
        state_bytes=_state_bytes(config),
    )


def lightning(config: Config, layers: int) -> LinearAttention:
    """MiniMax's lightning attention: decays are fixed, the output is normalised and gated."""
    hidden, heads, width = config.size("hidden_size"), config.size("num_attention_heads"), config.size("head_dim")
    inner = heads * width
    return LinearAttention(
        layers=count_linear(config, layers),
        heads=heads,
        qk_dim=width,
        value_dim=width,
        projections=(
            Projection("linear_in", hidden, 4 * inner, "column"),
            Projection("linear_output", inner, hidden, "row"),
        ),
        vectors=inner,
        convolved=0,
        kernel=0,
        corrects=False,
        chunk=config.size("block_size", default=LIGHTNING_BLOCK),
        state_bytes=_state_bytes(config),
    )


def _state_bytes(config: Config) -> int:
    """Width of an element of the state as engines keep it: fp32 unless the config says otherwise."""
    for key in ("mamba_ssm_cache_dtype", "mamba_ssm_dtype"):
        kind = config.keys.get(key)
        if kind is None:
            continue
        if str(kind) not in STATE_BYTES:
            raise config.wrong(key, f"is {str(kind)[:40]!r}", f"known: {', '.join(STATE_BYTES)}")
        return STATE_BYTES[str(kind)]
    return STATE_BYTES["float32"]


LinearReader = Callable[[Config, int], LinearAttention]
