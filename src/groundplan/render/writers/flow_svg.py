"""What flows through a design, as one SVG picture: stations in a row, arrows between them, the limiting one marked."""

from __future__ import annotations

from groundplan.render.document import Flow, Stage
from groundplan.render.writers.escaping import escaped

BOX, GAP, LINE, PAD = 168, 100, 17, 14
LETTERS = 23  # of a line in a box
ARROW_LETTERS = 15  # of a line over an arrow


def write(flow: Flow) -> str:
    """Return the picture; styles are those of the page, by class."""
    boxes = [[part for line in stage.lines for part in wrapped(line, LETTERS)] for stage in flow.stages]
    labels = [wrapped(arrow, ARROW_LETTERS) for arrow in flow.arrows]
    height = max(PAD * 2 + LINE * (1 + max(map(len, boxes))), LINE * (2 + 2 * max(map(len, labels), default=0)))
    width = len(boxes) * BOX + (len(boxes) - 1) * GAP
    parts = []
    for index, (stage, lines) in enumerate(zip(flow.stages, boxes, strict=True)):
        left = index * (BOX + GAP)
        parts.append(_box(stage, lines, left, height))
        if index < len(labels):
            parts.append(_arrow(labels[index], left + BOX, height))
    told = "; ".join(f"{stage.name}: {', '.join(stage.lines)}" for stage in flow.stages)
    return (
        f'<div class="scroll" tabindex="0"><svg class="flow" role="img" aria-label="{escaped(told)}" '
        f'viewBox="-2 -2 {width + 4} {height + 4}" width="{width}" height="{height}">{"".join(parts)}</svg></div>'
    )


def wrapped(text: str, letters: int) -> list[str]:
    """Return text in lines of at most so many letters, broken between words; a longer word is a line.

    >>> wrapped("saves 112 GB every 17 min", 12)
    ['saves 112 GB', 'every 17 min']
    """
    lines: list[str] = []
    for word in text.split():
        if lines and len(lines[-1]) + 1 + len(word) <= letters:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _box(stage: Stage, lines: list[str], left: int, height: int) -> str:
    kind = "stage limits" if stage.limits else "stage"
    texts = "".join(
        f'<text x="{left + PAD}" y="{PAD + LINE * (row + 2) - 6}">{escaped(line)}</text>'
        for row, line in enumerate(lines)
    )
    name = f'<text class="name" x="{left + PAD}" y="{PAD + LINE - 6}">{escaped(stage.name)}</text>'
    return f'<g class="{kind}"><rect x="{left}" y="0" width="{BOX}" height="{height}" rx="6"/>{name}{texts}</g>'


def _arrow(lines: list[str], left: int, height: int) -> str:
    middle, end = height // 2, left + GAP
    line = f'<path d="M{left + 6} {middle}H{end - 8}m-6 -5l6 5l-6 5"/>'
    texts = "".join(
        f'<text x="{left + GAP // 2}" y="{middle - 8 - LINE * (len(lines) - 1 - row)}">{escaped(text)}</text>'
        for row, text in enumerate(lines)
    )
    return f'<g class="arrow">{line}{texts}</g>'
