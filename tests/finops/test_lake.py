"""The lake: every row accounted for, nothing twice, whole at every instant."""

from __future__ import annotations

import csv
import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from groundplan.errors import InputError, UnknownName
from groundplan.finops.lake.lake import Lake
from groundplan.tasks.finops.lake import import_files, quarantine, total

from .conftest import COLUMNS, charge

SAMPLES = Path(__file__).parents[3] / "shared/samples/focus"
Bill = Callable[..., Path]


def test_total_is_the_exact_sum_of_what_was_written(tmp_path: Path, bill: Bill) -> None:
    costs = ["0.1", "0.2", "-0.25", "0", "1e-9", "123456789.123456789012345"]
    lake = str(tmp_path / "lake")
    report = import_files(lake, [bill("a.csv", [charge(cost, day) for day, cost in enumerate(costs, 1)])])
    assert (report.read, report.kept, report.quarantined) == (6, 6, 0)
    assert Decimal(total(lake).total) == sum(map(Decimal, costs))


def test_the_same_file_twice_changes_nothing(tmp_path: Path, bill: Bill) -> None:
    lake, path = str(tmp_path / "lake"), bill("a.csv", [charge("1"), charge("1"), charge("2")])
    import_files(lake, [path])
    before = sorted((tmp_path / "lake").rglob("*"))
    again = import_files(lake, [path])
    assert again.files[0].same_file and (again.kept, again.already) == (0, 3)
    assert sorted((tmp_path / "lake").rglob("*")) == before
    assert total(lake).total == "4"


def test_equal_rows_of_one_file_all_count_and_overlapping_exports_count_once(tmp_path: Path, bill: Bill) -> None:
    lake = str(tmp_path / "lake")
    import_files(lake, [bill("early.csv", [charge("1"), charge("1"), charge("5", 2)])])
    report = import_files(
        lake, [bill("month.csv", [charge("1"), charge("1"), charge("1"), charge("5", 2), charge("7", 3)])]
    )
    assert (report.kept, report.already) == (2, 3)  # one more of three equal rows, and the third day
    assert total(lake).total == "15"
    assert report.files[0].sums["BilledCost"] == {"read": "15", "kept": "8", "already": "7", "quarantined": "0"}


def test_a_duplicated_export_in_another_form_counts_once(tmp_path: Path, bill: Bill) -> None:
    lake, path = str(tmp_path / "lake"), bill("a.csv", [charge("1.5"), charge("2.5", 2)])
    zipped = tmp_path / "copy.csv.gz"
    zipped.write_bytes(gzip.compress(path.read_bytes()))
    turned = bill("turned.csv", [tuple(reversed(charge("2.5", 2))), tuple(reversed(charge("1.5")))], COLUMNS[::-1])
    assert import_files(lake, [path, zipped, turned]).already == 4
    assert total(lake).total == "4"


def test_rows_that_do_not_fit_are_kept_apart_with_their_reason(tmp_path: Path, bill: Bill) -> None:
    lake = str(tmp_path / "lake")
    rows = [
        charge("1"),
        charge("abc"),
        charge(""),
        charge("2", currency=""),
        ("3", "3", "USD", "yesterday", "2026-05-02", "i-1", ""),
        ("4", "4", "USD", "2026-05-03", "2026-05-02", "i-1", ""),
        (*charge("5"), "one", "cell", "too many"),
    ]
    report = import_files(lake, [bill("a.csv", rows)])
    assert (report.read, report.kept, report.quarantined) == (7, 1, 6)
    assert total(lake).total == "1" and total(lake).quarantined == 6
    problems = " | ".join(sorted(row.problem for row in quarantine(lake).rows))
    for reason in ("BilledCost abc is no number", "BilledCost is missing", "BillingCurrency is missing",
                   "ChargePeriodStart yesterday is no time", "ChargePeriodEnd lies before", "line 8"):  # fmt: skip
        assert reason in problems
    assert any(json.loads(row.raw)["BilledCost"] == "abc" for row in quarantine(lake).rows if "abc" in row.problem)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_encodings_and_separators_of_spreadsheets(tmp_path: Path, bill: Bill, encoding: str, delimiter: str) -> None:
    lake = str(tmp_path / "lake")
    path = bill("a.csv", [charge("1", tags='{"team": "résumé"}')], encoding=encoding, delimiter=delimiter)
    import_files(lake, [path])
    assert Lake(lake).connect().execute("SELECT Tags, BilledCost FROM billing").fetchall() == [
        ('{"team": "résumé"}', Decimal(1))
    ]


def test_times_with_an_offset_become_utc_and_null_words_are_nothing(tmp_path: Path, bill: Bill) -> None:
    lake = str(tmp_path / "lake")
    row = ("1", "NULL", "usd", "2026-03-29T01:30:00+01:00", "2026-03-29T03:30:00+02:00", "NULL", "NULL")
    import_files(lake, [bill("a.csv", [row])])
    sql = (
        "SELECT EffectiveCost, BillingCurrency, ChargePeriodStart::VARCHAR, ChargePeriodEnd::VARCHAR, Tags FROM billing"
    )
    assert Lake(lake).connect().execute(sql).fetchall() == [
        (None, "USD", "2026-03-29 00:30:00", "2026-03-29 01:30:00", None)
    ]


def test_parquet_with_typed_columns(tmp_path: Path) -> None:
    path = tmp_path / "bill.parquet"
    duckdb.execute(f"""COPY (SELECT 1.25::DECIMAL(18, 6) AS BilledCost, 2.5::DOUBLE AS EffectiveCost,
        'USD' AS BillingCurrency, TIMESTAMPTZ '2026-05-01 00:00:00+00' AS ChargePeriodStart,
        TIMESTAMP '2026-05-02' AS ChargePeriodEnd, MAP {{'team': 'vision'}} AS Tags) TO '{path}'""")
    lake = str(tmp_path / "lake")
    import_files(lake, [path])
    found = Lake(lake).connect().execute("SELECT BilledCost, EffectiveCost, Tags FROM billing").fetchall()
    assert found == [(Decimal("1.25"), Decimal("2.5"), '{"team":"vision"}')]


def test_stray_columns_are_kept(tmp_path: Path, bill: Bill) -> None:
    lake = str(tmp_path / "lake")
    import_files(lake, [bill("a.csv", [(*charge("1"), "11472", "c3")], (*COLUMNS, "Id", "x_Cluster"))])
    (extras,) = Lake(lake).connect().execute("SELECT x_extras FROM billing").fetchone()
    assert json.loads(extras) == {"Id": "11472", "x_Cluster": "c3"}


def test_currencies_are_converted_at_a_dated_rate_or_not_at_all(tmp_path: Path, bill: Bill) -> None:
    lake = str(tmp_path / "lake")
    import_files(
        lake, [bill("a.csv", [charge("10"), charge("10", 3, currency="EUR"), charge("10", 9, currency="EUR")])]
    )
    with pytest.raises(InputError, match=r"EUR, USD.*no dated rate into USD for EUR from 2026-05-03"):
        total(lake)
    dated = [("2026-05-02", "EUR", "USD", "1.10", "ECB"), ("2026-05-08", "EUR", "USD", "1.20", "ECB")]
    rates = bill("rates.csv", dated, ("date", "currency", "into", "rate", "source"))
    import_files(lake, [rates])
    assert Decimal(total(lake).total) == Decimal("33")  # 10 + 10 x 1.10 + 10 x 1.20
    with pytest.raises(InputError, match="no dated rate into GBP"):
        total(lake, currency="GBP")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"just words\n", "of no known format"),
        (b"a,b\n1,2\n", "of no known format"),
        (b"BilledCost,BilledCost,BillingCurrency,ChargePeriodStart\n", "column BilledCost twice"),
        (b"PAR1 cut off", "no whole Parquet"),
    ],
)
def test_files_that_are_refused_say_why_and_leave_no_lake(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words):
        import_files(str(tmp_path / "lake"), [path])
    with pytest.raises(InputError, match="no lake at"):
        total(str(tmp_path / "lake"))


def test_a_cut_off_gzip_is_refused(tmp_path: Path, bill: Bill) -> None:
    whole = gzip.compress(
        bill("a.csv", [charge(str(n), resource=os.urandom(40).hex()) for n in range(20_000)]).read_bytes()
    )
    path = tmp_path / "half.csv.gz"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"half\.csv\.gz"):
        import_files(str(tmp_path / "lake"), [path])


def test_names_with_quotes_are_names(tmp_path: Path, bill: Bill) -> None:
    lake = str(tmp_path / "o'lake")
    path = bill("it's; DROP TABLE billing.csv", [charge("1"), (*charge("2")[:5], "'; DROP TABLE x", "")])
    import_files(lake, [path])
    assert total(lake).total == "3"


def test_a_folder_that_is_no_lake_stays_as_it_is(tmp_path: Path, bill: Bill) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/cat.jpg").write_bytes(b"meow")
    with pytest.raises(InputError, match="no lake and not empty"):
        import_files(str(tmp_path / "photos"), [bill("a.csv", [charge("1")])])


def test_columns_that_hold_no_money_are_named(tmp_path: Path, bill: Bill) -> None:
    import_files(str(tmp_path / "lake"), [bill("a.csv", [charge("1")])])
    with pytest.raises(UnknownName, match="BilledCost"):
        total(str(tmp_path / "lake"), "BilledCosts")


def test_a_lake_behind_a_url(bill: Bill) -> None:
    pytest.importorskip("fsspec")
    path = bill("a.csv", [charge("1"), charge("2", 2)])
    lake = "memory://accounts/lake"
    assert import_files(lake, [path]).kept == 2
    assert import_files(lake, [bill("b.csv", [charge("2", 2), charge("3", 3)])]).already == 1
    assert total(lake).total == "6"


KILLED = """
import sys, pathlib
from groundplan.finops.ingest import load
from groundplan.finops.lake.lake import Lake
day = "1,USD,2026-05-{:02},2026-05-{:02}"
for n in range(1000):
    path = pathlib.Path(sys.argv[2]) / f"{n}.csv"
    lines = ["BilledCost,BillingCurrency,ChargePeriodStart,ChargePeriodEnd"]
    lines += [day.format(d, d + 1) for d in range(1, 21)] + [f"{n},USD,2027-01-01,2027-01-02"]
    path.write_text("\\n".join(lines))
    load.load(Lake(sys.argv[1], create=True), path)
    print(n, flush=True)
"""


def test_a_lake_whose_import_is_killed_is_whole(tmp_path: Path) -> None:
    lake = str(tmp_path / "lake")
    with subprocess.Popen([sys.executable, "-c", KILLED, lake, str(tmp_path)], stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        for _ in range(3):
            worker.stdout.readline()
        time.sleep(0.03)
        worker.send_signal(signal.SIGKILL)
    committed = len(Lake(lake).commits)
    expected = 20 + sum(range(committed))
    assert Decimal(total(lake).total) == expected
    again = import_files(lake, sorted(tmp_path.glob("*.csv"), key=lambda path: int(path.stem))[:committed])
    assert again.kept == 0 and Decimal(total(lake).total) == expected
    assert not (tmp_path / "lake/work").exists()


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the sample bills are not here")
@pytest.mark.parametrize("name", ["focus_1.0_sample_1000.csv", "focus_1.2_generated_aws_10000_seed1202.csv.gz",
                                  "focus_1_3_cost_and_usage_aws.csv"])  # fmt: skip
@pytest.mark.parametrize("column", ["BilledCost", "EffectiveCost", "ListCost", "ContractedCost"])
def test_sample_bills_add_up_to_their_raw_cells(tmp_path: Path, name: str, column: str) -> None:
    path = SAMPLES / name
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        cells = [row[column].replace("NULL", "0") for row in csv.DictReader(file)]
    report = import_files(str(tmp_path / "lake"), [path])
    assert (report.read, report.kept, report.quarantined) == (len(cells), len(cells), 0)
    assert Decimal(total(str(tmp_path / "lake"), column).total) == sum(map(Decimal, cells))


def test_a_lake_written_before_a_column_existed_is_read_and_added_to(tmp_path: Path, bill: Bill) -> None:
    lake = str(tmp_path / "lake")
    import_files(lake, [bill("a.csv", [charge("1"), charge("2", 2)])])
    (part,) = Lake(lake).parts("billing")
    path = tmp_path / "lake" / part.path
    duckdb.execute(f"COPY (SELECT * EXCLUDE (SkuMeter) FROM '{path}') TO '{tmp_path / 'old.parquet'}'")
    os.replace(tmp_path / "old.parquet", path)
    assert import_files(lake, [bill("b.csv", [charge("2", 2), charge("3", 3)])]).already == 1
    assert total(lake).total == "6"
