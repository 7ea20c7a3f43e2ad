"""Tables of other tools that become rows column by column, as `tables.yaml` says."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from groundplan.finops.ingest.head import Head
from groundplan.finops.ingest.importer import Importer
from groundplan.finops.ingest.staging import cell, select_rows, stage_table, unreadable
from groundplan.finops.lake.datasets import datasets
from groundplan.finops.lake.engine import literal, quoted

PLAIN_NAMES = (
    "vms",
    "catalog",
    "prices",
    "data",
)  # files that are named after their content, in a folder of the provider


@cache
def tables() -> tuple[Importer, ...]:
    """Return one importer a table of `tables.yaml`."""
    written = yaml.safe_load(Path(__file__).with_name("tables.yaml").read_text(encoding="utf-8"))
    return tuple(_importer(table) for table in written)


def _importer(table: Mapping[str, Any]) -> Importer:
    def recognises(head: Head) -> bool:
        known = {name.lower() for name in head.columns}
        return all(name.lower() in known for name in table["needs"])

    def selects(connection: Any, head: Head) -> dict[str, str]:
        stage_table(connection, head)
        dataset = datasets()[table["into"]]
        types = {name.lower(): kind for name, kind in head.columns.items()}  # names are the same in any case, as in SQL
        absent = [name for name in table.get("maybe", ()) if name.lower() not in types]
        nothing = "".join(f", CAST(NULL AS VARCHAR) AS {quoted(name)}" for name in absent)
        connection.execute(f"CREATE OR REPLACE TEMP VIEW whole AS SELECT *{nothing} FROM raw")
        columns, problems = {}, []
        for name, said in table["columns"].items():
            kind, _, source = said.partition(" ")
            if kind in ("text", "number", "money", "time"):
                if source.lower() not in types:
                    continue
                columns[name] = cell(source, kind, types[source.lower()])
                if kind == "text":
                    columns[name] = f"nullif(trim(CAST({columns[name]} AS VARCHAR)), '')"
                else:
                    problems.append(unreadable(source, kind, types[source.lower()]))
            else:
                columns[name] = _placed(said.removeprefix("= "), head)
        problems += [(condition, literal(reason)) for condition, reason in table.get("bad", ())]
        return {dataset.name: select_rows(dataset, columns, problems, source="whole")}

    return Importer(table["name"], recognises, selects)


def _placed(sql: str, head: Head) -> str:
    """Return SQL with what only the file itself says in its place."""
    stem = head.path.name.partition(".")[0]
    place = head.path.parent.name if stem.lower() in PLAIN_NAMES else stem
    day = datetime.fromtimestamp(head.path.stat().st_mtime).date().isoformat()
    return sql.replace("@place", literal(place.lower())).replace("@day", f"TIMESTAMP {literal(day)}")
