"""Spark as the lake uses it: the same queries, put into its dialect by SQLGlot, over the same Parquet.

What SQLGlot cannot know is put right here: variables become literals of their type, a list of paths into a JSON object
a list of its values, temporary tables cached views. Times are without a zone, as the lake keeps them, and UTC.
"""

from __future__ import annotations

import logging
import os
import shutil
import socket
import tempfile
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from groundplan.errors import GroundplanError, InputError, MissingExtra
from groundplan.finops.lake.datasets import PROBLEM, SQL_TYPES, Dataset
from groundplan.finops.lake.engine import IMPORT

SCHEME = "spark://"
ANSWER_S = 5.0  # of a master, before it counts as gone
TASK_ROWS = 500_000  # that a task of a shuffle has at least; Spark's usual 200 tasks take minutes over a small lake
TEXTS = '["VARCHAR"]'  # what DuckDB's from_json calls a list of texts
EXECUTOR_S = 60.0  # of a cluster, to give the first executor


class SparkCursor:
    """Rows of a statement, read as from a DB-API cursor."""

    def __init__(self, names: Sequence[str], found: Sequence[tuple[Any, ...]]) -> None:
        self.description = [(name,) for name in names]
        self._left = iter(found)

    def fetchone(self) -> tuple[Any, ...] | None:
        """Return the next row; None after the last."""
        return next(self._left, None)

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Return the rows that are left."""
        return list(self._left)


class SparkEngine:
    """A Spark cluster that answers the queries of the lake.

    Parameters
    ----------
    master : str
        ``spark://HOST:PORT`` of a standalone master.
    rows : int
        That the lake holds.

    Raises
    ------
    InputError
        That is no such address, or nothing answers there.
    MissingExtra
        pyspark or SQLGlot is not installed.
    GroundplanError
        There is no Java here, or the cluster gives no executor.
    """

    def __init__(self, master: str, rows: int) -> None:
        self._session = _session(master)
        tasks = max(self._session.sparkContext.defaultParallelism, rows // TASK_ROWS)
        self._session.conf.set("spark.sql.shuffle.partitions", tasks)
        self._values: dict[str, Any] = {}
        self._scans = 0
        weakref.finalize(self, self._session.stop)  # the cluster has its cores back

    def execute(self, sql: str, values: Sequence[Any] | None = None) -> SparkCursor:
        """Run the statements of a query; return the rows of the last. A bound value is that of SET VARIABLE."""
        import sqlglot
        from sqlglot import expressions as exp

        cursor = SparkCursor((), ())
        for statement in filter(None, sqlglot.parse(sql, read="duckdb")):
            if isinstance(statement, exp.Set):
                (item,) = statement.expressions
                (self._values[item.this.this.name],) = values or ()
                continue
            with _in_words():
                cursor = self._run(portable(statement, self._values))
        return cursor

    def scan(self, dataset: Dataset, addresses: Sequence[str]) -> str:
        """Make a view of Parquet files and return its name; columns that a file lacks are NULL."""
        types = [(name, dataset.sql_type(name)) for name in dataset.columns]
        types += [(PROBLEM, SQL_TYPES["text"]), (IMPORT, "INTEGER")]
        schema = ", ".join(f"`{name}` {_spark_type(kind)}" for name, kind in types)
        files = [address if "://" in address else f"file://{os.path.abspath(address)}" for address in addresses]
        self._scans += 1
        name = f"scan_{self._scans}"
        with _in_words():
            self._session.read.schema(schema).parquet(*files).createOrReplaceTempView(name)
        return name

    def _run(self, statement: Any) -> SparkCursor:
        from pyspark.sql.functions import col
        from sqlglot import expressions as exp

        if isinstance(statement, exp.Create):
            frame = self._session.sql(statement.expression.sql("spark"))
            if statement.kind == "TABLE":
                frame = frame.cache()  # computed once, as a table is
            frame.createOrReplaceTempView(statement.this.name)
            return SparkCursor((), ())
        frame = self._session.sql(statement.sql("spark"))
        zoned = [name for name, kind in frame.dtypes if kind == "timestamp"]
        for name in zoned:  # which would come as local time of this machine
            frame = frame.withColumn(name, col(f"`{name}`").cast("timestamp_ntz"))
        return SparkCursor(frame.columns, [tuple(row) for row in frame.collect()])


def portable(statement: Any, values: dict[str, Any]) -> Any:
    """Return a statement, as SQLGlot read it in DuckDB's dialect, without what Spark does not know.

    Parameters
    ----------
    statement : sqlglot.Expression
    values : dict
        Values of the variables that it reads.
    """
    from sqlglot import expressions as exp

    def replaced(node: Any) -> Any:
        if isinstance(node, exp.JSONExtractScalar) and isinstance(node.expression, exp.Array):
            return _json_values(node.this, [path.this for path in node.expression.expressions])
        if isinstance(node, exp.Anonymous) and node.name.lower() == "getvariable":
            return _typed(values[node.expressions[0].name])
        if isinstance(node, exp.TimeToUnix):  # Spark's own counts whole seconds
            return exp.Div(this=_call("unix_micros", exp.cast(node.this, "timestamptz")), expression=_typed(1e6))
        if isinstance(node, exp.Literal) and node.this == TEXTS:
            return exp.Literal.string("array<string>")
        if isinstance(node, exp.Bracket):  # Spark's own fails beyond the end
            return _call("get", node.this, *node.expressions)
        return node

    for node in reversed(list(statement.bfs())):  # from within
        other = replaced(node)
        if other is not node:
            node.replace(other)
    return statement


def _typed(value: Any) -> Any:
    """Return a value as a literal of its type."""
    from sqlglot import expressions as exp

    if isinstance(value, datetime):
        return exp.cast(exp.Literal.string(value.isoformat(" ")), "timestampntz")
    if isinstance(value, float):
        return exp.cast(exp.Literal.number(repr(value)), "double")
    if isinstance(value, list):
        return exp.Array(expressions=[_typed(one) for one in value])
    return exp.Literal.string(str(value))


def _json_values(document: Any, paths: Sequence[str]) -> Any:
    """Return the list of values at paths ``$."key"`` of a JSON object."""
    from sqlglot import expressions as exp

    keys = [path[3:-1].replace('\\"', '"') for path in paths]
    entries = _call("from_json", document, exp.Literal.string("map<string,string>"))
    found = [_call("element_at", entries.copy(), exp.Literal.string(key)) for key in keys]
    return exp.cast(exp.Array(expressions=found), "array<string>")


def _call(function: str, *arguments: Any) -> Any:
    from sqlglot import expressions as exp

    return exp.Anonymous(this=function, expressions=list(arguments))


def _spark_type(sql_type: str) -> str:
    from sqlglot import expressions as exp

    return exp.DataType.build(sql_type, dialect="duckdb").sql("spark")


def _session(master: str) -> Any:
    places = [place.rpartition(":") for place in master.removeprefix(SCHEME).split(",")]
    if not (master.startswith(SCHEME) and all(host and port.isdigit() for host, _, port in places)):
        raise InputError(f"{master} is no engine", "write duckdb, or spark://HOST:PORT")
    try:
        import sqlglot  # noqa: F401 - asked for before the cluster is
        from pyspark.sql import SparkSession
    except ImportError:
        raise MissingExtra("the accounts on Spark", "spark") from None
    here = _address_towards([(host, int(port)) for host, _, port in places])
    if not (os.environ.get("JAVA_HOME") or shutil.which("java")):
        raise GroundplanError("Spark needs Java, and there is none here", "install Java 17 or set JAVA_HOME")
    settings: dict[str, bool | float | int | str | None] = {
        "spark.driver.host": here,  # where the cluster reaches us
        "spark.driver.bindAddress": here,
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
        "spark.sql.ansi.enabled": "true",  # money that overflows is an error, not NULL
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.timestampType": "TIMESTAMP_NTZ",
        "spark.sql.warehouse.dir": tempfile.gettempdir(),  # nothing is kept; the working folder stays clean
    }
    builder = SparkSession.builder.master(master).appName("groundplan")
    logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL)  # errors are told once, by us
    with _in_words():
        session = builder.config(map=settings).getOrCreate()
    deadline = time.monotonic() + EXECUTOR_S
    while session.sparkContext._jsc.sc().getExecutorMemoryStatus().size() < 2:  # the driver is one
        if time.monotonic() > deadline:
            session.stop()
            raise GroundplanError(
                f"{master} gave no executor in {EXECUTOR_S:.0f} s", "start a worker with free cores and 1 GB"
            )
        time.sleep(0.1)
    return session


def _address_towards(masters: Sequence[tuple[str, int]]) -> str:
    """Return the address of this machine on the way to the first of the masters that answers."""
    reasons = []
    for host, port in masters:
        try:
            with socket.create_connection((host, port), ANSWER_S) as probe:
                return str(probe.getsockname()[0])
        except (OSError, OverflowError) as error:
            reasons.append(f"{host}:{port}: {error}")
    raise InputError(f"no Spark master answers at {'; '.join(reasons)}", "start it, or correct the address")


@contextmanager
def _in_words() -> Iterator[None]:
    """Turn what Spark says into one line."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        yield
    except (PySparkException, Py4JError) as error:
        first = str(error).strip().partition("\n")[0]
        raise GroundplanError(f"Spark could not answer: {first}", "see the log of its master and workers") from None
