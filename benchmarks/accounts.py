"""How fast ten million billing rows come in, and how fast a month of them is divided by team.

    python benchmarks/accounts.py [ROWS]

Writes a bill of FOCUS 1.2 rows with 31 columns (own usage, tags, tax, discounts; about 600 bytes a row as CSV) as
Parquet and as CSV into a temporary folder, imports each into a lake of its own in a process of its own, and divides a
month by team. Prints seconds and the most memory that the process took. Needs about 8 GB of disk for ten million rows.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

import duckdb

from groundplan.tasks.finops.allocate import AllocateRequest, allocate
from groundplan.tasks.finops.lake import import_files

ROWS = 10_000_000
DAYS = 92  # from 1 May 2026
BILL = """
SELECT
    'Example Cloud' AS ProviderName, 'Example Cloud' AS PublisherName, 'Example Cloud Inc' AS InvoiceIssuerName,
    'INV-' || i % 400 AS InvoiceId, '10000000000' || i % 10 AS BillingAccountId, 'payer' AS BillingAccountName,
    '20000000' || 1000 + i % 1000 AS SubAccountId, 'account-' || i % 1000 AS SubAccountName,
    strftime(date_trunc('month', start), '%Y-%m-%dT%H:%M:%SZ') AS BillingPeriodStart,
    strftime(date_trunc('month', start) + INTERVAL 1 MONTH, '%Y-%m-%dT%H:%M:%SZ') AS BillingPeriodEnd,
    strftime(start, '%Y-%m-%dT%H:%M:%SZ') AS ChargePeriodStart,
    strftime(start + INTERVAL 1 HOUR, '%Y-%m-%dT%H:%M:%SZ') AS ChargePeriodEnd,
    if(i % 50 = 0, 'Tax', 'Usage') AS ChargeCategory, 'machine hours in region ' || i % 12 AS ChargeDescription,
    'Usage-Based' AS ChargeFrequency,
    CAST((i * 7919 % 1000003) / 10007.0 AS DECIMAL(18, 10)) AS BilledCost,
    CAST((i * 7919 % 1000003) / 11007.0 AS DECIMAL(18, 10)) AS EffectiveCost,
    CAST((i * 7919 % 1000003) / 9007.0 AS DECIMAL(18, 10)) AS ListCost,
    CAST((i * 7919 % 1000003) / 10007.0 AS DECIMAL(18, 10)) AS ContractedCost,
    'USD' AS BillingCurrency, 'Standard' AS PricingCategory, i % 24 AS PricingQuantity, 'Hours' AS PricingUnit,
    i % 24 AS ConsumedQuantity, 'Hours' AS ConsumedUnit, 'Compute of kind ' || i % 7 AS ServiceName,
    'Compute' AS ServiceCategory, 'SKU-' || i % 5000 AS SkuId, 'arn:example:machine/' || md5(CAST(i % 90000 AS VARCHAR))
    AS ResourceId, 'region-' || i % 12 AS RegionId,
    '{"team": "team-' || i % 40 || '", "project": "p' || i % 300 || '"}' AS Tags
FROM (SELECT i, TIMESTAMP '2026-05-01' + to_hours(CAST(i % (24 * ?) AS BIGINT)) AS start FROM range(?) AS t(i))
"""


def main(rows: int) -> None:
    """Write the bills, then time each form in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        for form, options in (("parquet", "FORMAT parquet"), ("csv", "HEADER")):
            bill = Path(folder, f"bill.{form}")
            with duckdb.connect() as connection:
                connection.execute("SET preserve_insertion_order = false")
                connection.execute(f"COPY ({BILL}) TO '{bill}' ({options})", [DAYS, rows])
            print(f"{form}: {rows:,} rows, {bill.stat().st_size / 1e9:.2f} GB", flush=True)
            subprocess.run([sys.executable, __file__, str(bill), str(Path(folder, f"lake-{form}"))], check=True)
            bill.unlink()


def measure(bill: Path, lake: str) -> None:
    """Import one bill and divide a month of it."""
    began = time.perf_counter()
    import_files(lake, [bill])
    imported = time.perf_counter() - began
    print(f"  import {imported:.1f} s, at most {_memory():.2f} GB")
    began = time.perf_counter()
    found = allocate(AllocateRequest(lake, start=datetime(2026, 6, 1), end=datetime(2026, 7, 1)))
    print(f"  {len(found.rows)} teams of a month {time.perf_counter() - began:.1f} s, at most {_memory():.2f} GB")


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


if __name__ == "__main__":
    if len(sys.argv) == 3:
        measure(Path(sys.argv[1]), sys.argv[2])
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS)
