"""Tasks: bring files into the lake, add it up, look at what did not fit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from groundplan import __version__
from groundplan.errors import InputError
from groundplan.evidence import Result
from groundplan.finops.ingest.files import files_of
from groundplan.finops.ingest.load import Imported, load
from groundplan.finops.lake.engine import DUCKDB, query_text, rows
from groundplan.finops.lake.lake import Lake
from groundplan.finops.money import BILLED, charges, money_text
from groundplan.progress import over


@dataclass(frozen=True, slots=True)
class ImportedFile(Result):
    """What became of one file; `read` = `kept` + `already` + `quarantined`, in rows and in each column of `sums`."""

    file: str
    format: str
    datasets: tuple[str, ...]
    read: int
    kept: int
    already: int
    quarantined: int
    sums: dict[str, dict[str, str]]
    problems: tuple[str, ...]
    same_file: bool


@dataclass(frozen=True, slots=True)
class RefusedFile(Result):
    """A file that could not be imported at all, and why."""

    file: str
    what: str
    mend: str


@dataclass(frozen=True, slots=True)
class ImportResult(Result):
    """What became of every file."""

    schema: str
    tool_version: str
    lake: str
    read: int
    kept: int
    already: int
    quarantined: int
    files: tuple[ImportedFile, ...]
    refused: tuple[RefusedFile, ...]

    @property
    def problems(self) -> tuple[RefusedFile, ...]:
        """Return what makes the answer no."""
        return self.refused


@dataclass(frozen=True, slots=True)
class ProviderTotal(Result):
    """Charges of one provider."""

    provider: str
    cost: str
    charges: int


@dataclass(frozen=True, slots=True)
class TotalResult(Result):
    """The sum of a money column, exact; `quarantined` rows are not in it."""

    schema: str
    tool_version: str
    lake: str
    column: str
    currency: str
    total: str
    rows: int
    quarantined: int
    by_provider: tuple[ProviderTotal, ...]


@dataclass(frozen=True, slots=True)
class QuarantinedRow(Result):
    """One row that did not fit."""

    file: str
    dataset: str
    problem: str
    raw: str


@dataclass(frozen=True, slots=True)
class QuarantineResult(Result):
    """Every row that did not fit, as it came, with the reason."""

    schema: str
    tool_version: str
    lake: str
    rows: tuple[QuarantinedRow, ...]


def import_files(location: str, paths: Iterable[Path]) -> ImportResult:
    """Import files into a lake, made where there is none; a file that is refused does not keep the next one out.

    Raises
    ------
    InputError
        The place is no lake, a named path does not exist, or not one file could be imported.
    """
    files = files_of(paths)
    lake = Lake(location, create=True)
    done: list[Imported] = []
    refused: list[RefusedFile] = []
    for path in over(files, "files"):
        try:
            done.append(load(lake, path))
        except InputError as error:
            if len(files) == 1:
                raise
            refused.append(RefusedFile(str(path), error.what, error.mend))
    if not done:
        first = refused[0]
        raise InputError(f"none of {len(files)} files could be imported; first: {first.what}", first.mend)
    imported = tuple(ImportedFile(**{name: getattr(row, name) for name in ImportedFile.__slots__}) for row in done)
    sums = {name: sum(getattr(row, name) for row in done) for name in ("read", "kept", "already", "quarantined")}
    return ImportResult(
        "groundplan/finops-import/1", __version__, location, files=imported, refused=tuple(refused), **sums
    )


def total(location: str, column: str = BILLED, currency: str | None = None, engine: str = DUCKDB) -> TotalResult:
    """Return the sum of a money column over all charges of a lake.

    Raises
    ------
    InputError, UnknownName
        No lake, no charges, no such column, or currencies that no rate converts.
    """
    lake = Lake(location)
    connection = lake.connect(engine)
    into = charges(lake, connection, column, currency)
    found = rows(connection, query_text("total"))
    whole = sum((row["cost"] or Decimal(0) for row in found), Decimal(0))
    return TotalResult(
        schema="groundplan/finops-total/1",
        tool_version=__version__,
        lake=location,
        column=column,
        currency=into,
        total=money_text(whole),
        rows=sum(row["charges"] for row in found),
        quarantined=sum(part.quarantined for part in lake.parts("billing")),
        by_provider=tuple(ProviderTotal(row["provider"], money_text(row["cost"]), row["charges"]) for row in found),
    )


def quarantine(location: str) -> QuarantineResult:
    """Return the rows of a lake that did not fit, as they came, each with its reason.

    Raises
    ------
    InputError
        No lake there.
    """
    found = tuple(QuarantinedRow(**row) for row in Lake(location).quarantine())
    return QuarantineResult("groundplan/finops-quarantine/1", __version__, location, found)
