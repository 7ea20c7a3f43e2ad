"""The command line: read the request, call one task, render. Imports nothing heavy until a command runs."""

from __future__ import annotations

from groundplan.cli.entry import main

__all__ = ["main"]
