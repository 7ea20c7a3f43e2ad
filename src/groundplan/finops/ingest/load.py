"""Bring a file into the lake: once, whole, every row accounted for."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from groundplan import __version__
from groundplan.errors import GroundplanError, InputError
from groundplan.finops.ingest.files import content_of, sha256_of
from groundplan.finops.ingest.formats import importer_of
from groundplan.finops.ingest.head import Head, look
from groundplan.finops.ingest.importer import Importer
from groundplan.finops.lake.datasets import PROBLEM, RAW, Dataset, datasets
from groundplan.finops.lake.engine import IMPORT, connect, literal, quoted, rows
from groundplan.finops.lake.folder import filesystem_of
from groundplan.finops.lake.lake import Lake
from groundplan.finops.lake.manifest import Commit, Part, Source, append, now

EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of one file. `read` rows are `kept`, `already` in the lake, or `quarantined`."""

    file: str
    format: str
    datasets: tuple[str, ...]
    read: int
    kept: int
    already: int
    quarantined: int
    sums: dict[str, dict[str, str]]
    problems: tuple[str, ...]  # the first few, with their reason
    same_file: bool  # the lake held this very content


def load(lake: Lake, path: Path) -> Imported:
    """Import one file.

    The lake changes at one instant, when the commit appears; before it nothing is seen, after it everything is.
    Content that the lake holds already changes nothing. Of rows in a time span that the lake covers, those it holds
    are left out: of n equal rows in a file, as many as the lake lacks are added.

    Raises
    ------
    InputError
        The file cannot be read, or is of no known format.
    GroundplanError
        The disk is full, or another import keeps interfering.
    """
    head = look(path)
    importer = importer_of(head)
    size = sum(file.stat().st_size for file in content_of(path))
    with lake.folder.lock() as work, ThreadPoolExecutor(1) as beside:
        lake.refresh()
        digest = beside.submit(sha256_of, path)  # while the file is staged, unless it may be one that is held
        alike = {commit.source.sha256: commit for commit in lake.commits if commit.source.bytes == size}
        if alike and digest.result() in alike:
            return _unchanged(path, alike[digest.result()])
        staged = _stage(lake, head, importer, work)
        source = Source(path.name, digest.result(), size, importer.name)
        version = len(lake.commits) + 1
        commit = Commit(version, now(), __version__, source, staged.parts, staged.read, staged.already, staged.sums)
        if not append(lake.folder, commit):
            raise GroundplanError("another import wrote to the lake at the same instant", "import the file again")
        lake.refresh()
    return _imported(path, commit, staged.problems)


@dataclass(frozen=True, slots=True)
class _Staged:
    """The parts of a file, in the lake's folder but in no commit yet, and how its rows reconcile."""

    parts: tuple[Part, ...]
    read: int
    already: int
    sums: dict[str, dict[str, str]]
    problems: tuple[str, ...]


def _stage(lake: Lake, head: Head, importer: Importer, work: Path) -> _Staged:
    """Write the parts of a file; they count once a commit names them."""
    import duckdb

    connection = connect(work)
    filesystem = filesystem_of(lake.folder)
    if filesystem is not None:
        connection.register_filesystem(filesystem)
    version = len(lake.commits) + 1
    parts: list[Part] = []
    problems: list[str] = []
    read = already = 0
    sums: dict[str, dict[str, str]] = {}
    try:
        for name, sql in importer.selects(connection, head).items():
            dataset = datasets()[name]
            staged = _write(connection, f"SELECT *, {version} AS {IMPORT} FROM ({sql})", work)
            rejected = _rejected(connection, dataset, version)
            if rejected:
                extra = _write(connection, rejected, work)
                staged = _write(connection, _union(dataset, staged, extra), work)
            fresh = _without_held(connection, lake, dataset, staged, work)
            whole, kept = _count(connection, dataset, staged), _count(connection, dataset, fresh)
            read += whole["rows"] + whole["quarantined"]
            already += whole["rows"] - kept["rows"]
            problems += _examples(connection, staged)
            sums |= _sums(dataset, whole, kept)
            if kept["rows"] or kept["quarantined"]:
                target = f"data/{name}/{version:08d}-{uuid.uuid4().hex[:12]}.parquet"
                lake.folder.publish(fresh, target)
                span = kept["first"], kept["last"]
                partial = importer.partial and bool(dataset.merge)
                parts.append(Part(name, target, kept["rows"], kept["quarantined"], *span, partial))
    except duckdb.Error as error:
        raise _in_words(error, head.path) from None
    return _Staged(tuple(parts), read, already, sums, tuple(problems[:EXAMPLES]))


def _write(connection: Any, sql: str, work: Path) -> Path:
    target = work / f"{uuid.uuid4().hex}.parquet"
    connection.execute(f"COPY ({sql}) TO {literal(str(target))} (FORMAT parquet, COMPRESSION zstd)")
    return target


def _rejected(connection: Any, dataset: Dataset, version: int) -> str | None:
    """Return a SELECT of the lines whose cells did not fit the header, as quarantined rows; None without any."""
    known = connection.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'reject_errors'").fetchone()[0]
    if not known or not connection.execute("SELECT count(*) FROM reject_errors").fetchone()[0]:
        return None
    empty = ", ".join(f"CAST(NULL AS {dataset.sql_type(name)}) AS {quoted(name)}" for name in dataset.columns)
    reason = "'line ' || line || ': ' || replace(lower(CAST(any_value(error_type) AS VARCHAR)), '_', ' ')"
    return (
        f"SELECT {empty}, {reason} AS {PROBLEM}, CAST(to_json(any_value(csv_line)) AS VARCHAR) AS {RAW}, "
        f"{version} AS {IMPORT} FROM reject_errors GROUP BY line"  # one file, which a query may read twice
    )


def _union(dataset: Dataset, *files: Path) -> str:
    listed = ", ".join(literal(str(file)) for file in files)
    return f"SELECT * FROM read_parquet([{listed}], union_by_name = true)"


def _without_held(connection: Any, lake: Lake, dataset: Dataset, staged: Path, work: Path) -> Path:
    """Return the staged rows less those that the lake holds: bag difference over the spans that overlap."""
    span = _count(connection, dataset, staged)
    if span["first"] is None:
        return staged
    overlapping = [
        part
        for part in lake.parts(dataset.name)
        if part.first is not None
        and part.last is not None
        and part.first <= span["last"]
        and span["first"] <= part.last
    ]
    if not overlapping:
        return staged
    columns = ", ".join(quoted(column) for column in dataset.columns)
    held = lake.parts_sql(dataset, overlapping)
    identity = f"hash({columns})"
    sql = f"""
        WITH held AS (SELECT {identity} AS row_hash, count(*) AS copies FROM {held}
                      WHERE {PROBLEM} IS NULL GROUP BY row_hash),
             fresh AS (SELECT *, {identity} AS row_hash, row_number() OVER (PARTITION BY {identity}) AS copy
                       FROM read_parquet({literal(str(staged))}))
        SELECT fresh.* EXCLUDE (row_hash, copy) FROM fresh LEFT JOIN held USING (row_hash)
        WHERE {PROBLEM} IS NOT NULL OR held.copies IS NULL OR fresh.copy > held.copies
    """
    return _write(connection, sql, work)


def _count(connection: Any, dataset: Dataset, file: Path) -> dict[str, Any]:
    """Return good and bad rows, the first and last instant, and the sums of money of good and bad rows."""
    time = quoted(dataset.time)
    money = "".join(
        f", sum({quoted(name)}) FILTER ({PROBLEM} IS NULL) AS {quoted('good ' + name)}"
        f", sum({quoted(name)}) FILTER ({PROBLEM} IS NOT NULL) AS {quoted('bad ' + name)}"
        for name in dataset.money
    )
    sql = f"""SELECT count(*) FILTER ({PROBLEM} IS NULL) AS rows,
        count(*) FILTER ({PROBLEM} IS NOT NULL) AS quarantined,
        CAST(min({time}) FILTER ({PROBLEM} IS NULL) AS VARCHAR) AS first,
        CAST(max({time}) FILTER ({PROBLEM} IS NULL) AS VARCHAR) AS last {money} FROM read_parquet(?)"""
    return rows(connection, sql, [str(file)])[0]


def _sums(dataset: Dataset, whole: dict[str, Any], kept: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Return, for each money column, what was read and where it went: kept + already + quarantined = read."""
    found = {}
    for name in dataset.money:
        good, bad, fresh = (Decimal(value or 0) for value in (
            whole[f"good {name}"], whole[f"bad {name}"], kept[f"good {name}"]
        ))  # fmt: skip
        parts = {"read": good + bad, "kept": fresh, "already": good - fresh, "quarantined": bad}
        found[name] = {where: format(amount.normalize(), "f") for where, amount in parts.items()}
    return found


def _examples(connection: Any, file: Path) -> list[str]:
    sql = (
        f"SELECT {PROBLEM}, count(*) FROM read_parquet(?) WHERE {PROBLEM} IS NOT NULL GROUP BY ALL ORDER BY ALL LIMIT ?"
    )
    return [
        reason if count == 1 else f"{reason} ({count} rows)"
        for reason, count in connection.execute(sql, [str(file), EXAMPLES]).fetchall()
    ]


def _imported(path: Path, commit: Commit, problems: tuple[str, ...]) -> Imported:
    return Imported(
        file=str(path),
        format=commit.source.importer,
        datasets=tuple(part.dataset for part in commit.parts),
        read=commit.read,
        kept=sum(part.rows for part in commit.parts),
        already=commit.already,
        quarantined=sum(part.quarantined for part in commit.parts),
        sums=commit.sums,
        problems=problems,
        same_file=False,
    )


def _unchanged(path: Path, held: Commit) -> Imported:
    """Return the report of a file that changes nothing."""
    sums = {
        name: {"read": sums["read"], "kept": "0", "already": sums["read"], "quarantined": "0"}
        for name, sums in held.sums.items()
    }
    names = tuple(part.dataset for part in held.parts)
    return Imported(str(path), held.source.importer, names, held.read, 0, held.read, 0, sums, (), True)


def _in_words(error: Exception, path: Path) -> GroundplanError:
    """Return a DuckDB error as one line that says what to do."""
    first = str(error).strip().partition("\n")[0]
    if "No space left" in first or "disk" in first.lower():
        return GroundplanError(
            f"the disk of the lake is full; {path} was not imported", "make room and import it again"
        )
    if "memory" in first.lower():
        return GroundplanError(f"{path} needs more memory than the lake may use", "set GROUNDPLAN_LAKE_MEMORY=6GB")
    return InputError(f"{path} cannot be imported: {first}", "is it whole? export it again")
