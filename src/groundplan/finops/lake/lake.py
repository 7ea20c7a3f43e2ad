"""The lake: open it, know its parts, ask it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from groundplan.errors import InputError, UnknownName
from groundplan.finops.lake.datasets import PROBLEM, RAW, Dataset, datasets
from groundplan.finops.lake.engine import DUCKDB, IMPORT, Engine, connect, literal, quoted, rows
from groundplan.finops.lake.folder import Folder, LocalFolder, RemoteFolder, filesystem_of, folder_at
from groundplan.finops.lake.manifest import FOLDER, Commit, Part, commits

Scan = Callable[[Dataset, Iterable[Part]], str]  # what reads parts of a dataset


class Lake:
    """A folder of Parquet with a manifest, at a path or URL.

    Parameters
    ----------
    location : str
        A folder or fsspec URL.
    create : bool
        Whether a folder without a manifest may become a lake.

    Raises
    ------
    InputError
        No lake there; a folder that holds something else.
    """

    def __init__(self, location: str, create: bool = False) -> None:
        self.location = location
        self.folder: Folder = folder_at(location)
        self.commits: tuple[Commit, ...] = commits(self.folder)
        if not self.commits and not create:
            raise InputError(f"there is no lake at {location}", "groundplan finops import --lake LAKE FILE makes one")
        if not self.commits and _holds_something_else(self.folder):
            raise InputError(f"{location} is no lake and not empty", "name a new or an empty folder")

    def refresh(self) -> None:
        """Read the manifest again: another import may have added to it."""
        self.commits = commits(self.folder)

    def parts(self, dataset: str) -> tuple[Part, ...]:
        """Return the Parquet files of a dataset, oldest import first."""
        return tuple(part for commit in self.commits for part in commit.parts if part.dataset == dataset)

    def holds(self, dataset: str) -> bool:
        """Say whether a dataset has rows."""
        return any(part.rows for part in self.parts(dataset))

    def need(self, dataset: str, what: str) -> None:
        """Refuse a question whose rows were never imported.

        Raises
        ------
        InputError
            The dataset is empty.
        """
        if not self.holds(dataset):
            raise InputError(f"the lake has no {dataset}", f"import {what} first: groundplan finops import")

    def connect(self, engine: str = DUCKDB) -> Any:
        """Return an engine with one view a dataset; keyed rows in their last version, bad rows left out.

        Parameters
        ----------
        engine : str
            ``duckdb``, whose engine is a connection, or ``spark://HOST:PORT``.
        """
        opened, scan = self._duckdb() if engine == DUCKDB else self._spark(engine)
        for dataset in datasets().values():
            opened.execute(f"CREATE OR REPLACE TEMP VIEW {dataset.name} AS {self._view_sql(dataset, scan)}")
        return opened

    def _duckdb(self) -> tuple[Engine, Scan]:
        connection = connect()
        filesystem = filesystem_of(self.folder)
        if filesystem is not None:
            connection.register_filesystem(filesystem)
        return connection, self.parts_sql

    def _spark(self, master: str) -> tuple[Engine, Scan]:
        from groundplan.finops.lake.spark import SparkEngine

        engine = SparkEngine(master, sum(part.rows for commit in self.commits for part in commit.parts))
        return engine, lambda dataset, parts: engine.scan(dataset, [self.folder.address(part.path) for part in parts])

    def _view_sql(self, dataset: Dataset, scan: Scan) -> str:
        parts = self.parts(dataset.name)
        if not parts:
            return f"SELECT {_nothing(dataset)} WHERE false"
        whole, partial = ([part for part in parts if part.partial is kind] for kind in (False, True))
        sql = " UNION ALL ".join(
            [_rows_sql(dataset, scan(dataset, whole))] * bool(whole)
            + [_merged_sql(dataset, scan(dataset, partial))] * bool(partial)
        )
        if dataset.key:
            key = ", ".join(quoted(column) for column in dataset.key)
            sql += f" QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY {IMPORT} DESC) = 1"
        return sql

    def parts_sql(self, dataset: Dataset, parts: Iterable[Part]) -> str:
        """Return what reads parts of a dataset; columns that came to it after a part was written are NULL."""
        files = ", ".join(literal(self.folder.address(part.path)) for part in parts)
        written = f"SELECT * FROM read_parquet([{files}], union_by_name = true)"
        return f"({written} UNION ALL BY NAME SELECT {_nothing(dataset)} WHERE false)"

    def quarantine(self) -> list[dict[str, Any]]:
        """Return every quarantined row: the file it came in, why it is there, and the row as it came."""
        found: list[dict[str, Any]] = []
        for commit in self.commits:
            for part in commit.parts:
                if part.quarantined:
                    found += self._quarantined(commit, part)
        return found

    def _quarantined(self, commit: Commit, part: Part) -> Iterable[dict[str, Any]]:
        connection = connect()
        filesystem = filesystem_of(self.folder)
        if filesystem is not None:
            connection.register_filesystem(filesystem)
        sql = f"SELECT {PROBLEM} AS problem, {RAW} AS raw FROM read_parquet(?) WHERE {PROBLEM} IS NOT NULL ORDER BY ALL"
        named = {"file": commit.source.name, "dataset": part.dataset}
        return [named | row for row in rows(connection, sql, [self.folder.address(part.path)])]


def dataset_named(name: str) -> Dataset:
    """Return a dataset by its name.

    Raises
    ------
    UnknownName
        No dataset has it.
    """
    if name not in datasets():
        raise UnknownName("dataset", name, datasets())
    return datasets()[name]


def _rows_sql(dataset: Dataset, scanned: str) -> str:
    columns = ", ".join(quoted(column) for column in dataset.columns)
    return f"SELECT {columns} FROM {scanned} WHERE {PROBLEM} IS NULL"


def _merged_sql(dataset: Dataset, scanned: str) -> str:
    """Return the SELECT of rows whose columns came in several files."""
    columns = ", ".join(
        quoted(column) if column in dataset.merge else f"max({quoted(column)}) AS {quoted(column)}"
        for column in dataset.columns
    )
    same = ", ".join(map(quoted, dataset.merge))
    return f"SELECT {columns} FROM ({_rows_sql(dataset, scanned)}) GROUP BY {same}"


def _nothing(dataset: Dataset) -> str:
    return ", ".join(f"CAST(NULL AS {dataset.sql_type(column)}) AS {quoted(column)}" for column in dataset.columns)


def _holds_something_else(folder: Folder) -> bool:
    if isinstance(folder, LocalFolder) and folder.root.is_dir():
        ours = {FOLDER, "data", "work", ".lock"}
        return any(path.name not in ours for path in folder.root.iterdir())
    return isinstance(folder, RemoteFolder) and bool(folder.names(""))
