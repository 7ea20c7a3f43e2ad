"""Which engines have kernels for which accelerators."""

from __future__ import annotations

from collections.abc import Iterable

from groundplan.catalog.rows import Accelerator, Engine
from groundplan.errors import InputError


def runs_on(engine: Engine, accelerator: Accelerator) -> bool:
    """Say whether an engine has kernels for an accelerator; a row that names no architectures is taken for any."""
    return not engine.runs_on or accelerator.architecture in engine.runs_on


def check_engine(engine: Engine, accelerator: Accelerator, engines: Iterable[Engine]) -> None:
    """Refuse an engine on an accelerator that it has no kernels for.

    Raises
    ------
    InputError
        Names the engines that have.
    """
    if runs_on(engine, accelerator):
        return
    able = ", ".join(one.id for one in engines if runs_on(one, accelerator))
    mend = f"choose {able}" if able else "no engine of the catalog has; add a row with runs_on"
    raise InputError(f"{engine.name} has no kernels for {accelerator.name}", mend)
