"""What the words of a cell mean: the usual spellings, and a question where a word is none of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from groundplan.design.layout import Recompute
from groundplan.errors import InputError, nearest_names
from groundplan.validation.measured import shown

OPEN = ("", "unknown", "unstated", "not stated", "n/a", "na", "nan", "null", "?", "-", "default", "auto")
"""Cells by which a source leaves something open."""
TRUE = ("yes", "true", "on", "y", "t", "1", "1.0", "enabled")
FALSE = ("no", "false", "off", "n", "f", "0", "0.0", "none", "disabled")
RECOMPUTE: Mapping[str, Recompute] = {
    **dict.fromkeys(FALSE, Recompute.NONE),
    "selective": Recompute.SELECTIVE,
    "full": Recompute.FULL,
    "uniform": Recompute.FULL,
    "all": Recompute.FULL,
    **dict.fromkeys(TRUE, Recompute.FULL),
}
PART = (
    *("block", "partial", "some", "custom", "mixed", "activation", "checkpointing", "gradient"),
    *("mlp", "attention", "attn", "core_attn", "layernorm", "moe", "moe_act", "mla_up_proj", "shared_experts"),
)
"""Words for recomputation of some layers or modules, which do not say how much."""
NOTHING_SHARDED = re.compile(r"\b(ddp|[dtp]p|3d|(data|tensor|pipeline)[- ]parallel\w*|replicat\w*|no[- ]shard\w*)\b")
STAGES: Sequence[tuple[int, re.Pattern[str]]] = (
    (
        1,
        re.compile(
            r"\bzero[-_ ]?(stage)?[-_ ]?1\b|distributed[-_ ]optimizer|dist[-_ ]?opt"
            r"|shard\w*[-_ ]optim|optim\w*[-_ ](states?[-_ ])?shard"
        ),
    ),
    (2, re.compile(r"\bzero[-_ ]?(stage)?[-_ ]?2\b|grad_op")),
    (3, re.compile(r"\bzero[-_ ]?(stage)?[-_ ]?3\b|fsdp|full[-_ ]?shard|hybrid[-_ ]?shard|hsdp|fully[-_ ]sharded")),
    (0, re.compile(r"\bzero[-_ ]?(stage)?[-_ ]?0\b")),
)
"""ZeRO stages, in the order in which they are looked for: FSDP with another word is that word's stage."""
BARE_STAGE = re.compile(r"(?:stage[-_ ]?)?([0-3])(?:\.0)?")
SHARDING_WORDS = ("none", "DDP", "ZeRO-1", "ZeRO-2", "ZeRO-3", "FSDP", "FULL_SHARD", "SHARD_GRAD_OP", "HSDP")
HYBRID = re.compile(r"hsdp|hybrid[-_ ]?shard")
"""Sharding inside a node, replicas between nodes."""


def read_flag(cell: str, column: str) -> bool | None:
    """Return yes or no as usually spelt; None where the source leaves it open.

    >>> read_flag("True", "seq_parallel"), read_flag("no", "seq_parallel"), read_flag("", "seq_parallel")
    (True, False, None)
    """
    word = cell.strip().lower()
    if word in OPEN:
        return None
    if word not in TRUE + FALSE:
        raise InputError(f"{column} is {shown(cell)}", "write yes or no, or leave the cell empty")
    return word in TRUE


def read_recompute(cell: str) -> Recompute | None:
    """Return the mode a source states; None where it leaves it open, or says that it is a part of the layers.

    >>> read_recompute("Selective (core attention)").name, read_recompute("unknown")
    ('SELECTIVE', None)
    """
    text = cell.strip().lower()
    word = re.split(r"[\s,(;:/]", text)[0]
    if text in OPEN or word in OPEN or word in PART:
        return None
    if word not in RECOMPUTE:
        raise InputError(f"recompute is {shown(cell)}", _question(word, ("none", "selective", "full")))
    return RECOMPUTE[word]


def read_stage(cell: str) -> int | None:
    """Return the ZeRO stage of a description of sharding; None where the source leaves it open.

    >>> read_stage("ZeRO3"), read_stage("FULL_SHARD"), read_stage("FSDP SHARD_GRAD_OP (ZeRO-2)"), read_stage("DDP")
    (3, 3, 2, 0)
    """
    text = cell.strip().lower()
    if text in OPEN or text == "zero":
        return None
    if text in FALSE and text not in ("0", "0.0"):
        return 0
    bare = BARE_STAGE.fullmatch(text)
    if bare:
        return int(bare[1])
    stage = next((stage for stage, words in STAGES if words.search(text)), None)
    if stage is None and NOTHING_SHARDED.search(text):
        return 0
    if stage is None:
        raise InputError(f"zero_or_fsdp is {shown(cell)}", _question(text, SHARDING_WORDS))
    return stage


def _question(word: str, valid: Sequence[str]) -> str:
    """Return the nearest valid words, or all of them."""
    nearest = nearest_names(word, valid)
    return f"did you mean {' or '.join(nearest)}?" if nearest else f"write {', '.join(valid)}, or leave it empty"
