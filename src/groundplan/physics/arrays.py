"""The one type of every law's argument: a number, or an array that broadcasts."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

Floats = float | NDArray[Any]
