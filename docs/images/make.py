"""Draws docs/images/plan.svg: the first screen of the README's example, as the terminal shows it.

python docs/images/make.py
"""

from __future__ import annotations

import datetime
import re
from pathlib import Path

from rich.console import Console
from rich.text import Text

from groundplan.catalog.catalog import load_catalog
from groundplan.render import render
from groundplan.tasks.plan import plan
from groundplan.workload.brief import read_brief

ROOT = Path(__file__).resolve().parents[2]
LINES = 62

catalog = load_catalog([])
brief = read_brief(ROOT / "examples/llm-20b/brief.yaml", catalog, as_of=datetime.date(2026, 11, 23))
screen = render(plan(brief, catalog).to_dict(), "table", colour=True).splitlines()[:LINES]
console = Console(record=True, width=100, file=open("/dev/null", "w"), force_terminal=True)  # noqa: SIM115
console.print(Text.from_ansi("\n".join(screen)))
svg = console.export_svg(title="groundplan plan examples/llm-20b/brief.yaml")
# A page must not fetch fonts: the viewer's own monospace face serves.
svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.S)
svg = re.sub(r"<!-- Generated.*?-->", "", svg)
(ROOT / "docs/images/plan.svg").write_text(svg, encoding="utf-8")
