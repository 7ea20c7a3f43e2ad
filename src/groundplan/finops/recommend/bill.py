"""Waste that charges alone show: data kept dear that is hardly read, data that moves between zones and regions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from shlex import quote
from typing import Any

from groundplan.finops.recommend.rows import MOST, Judged, NotJudged, Recommendation

READ_SHARE = 0.01  # of what keeping costs, that requests and data may cost of what is hardly read (assumed)
BACK_SHARE = 0.1  # of the data, that the low end takes back each month (assumed)
LEAST_USD = 1.0  # a month; less is not worth a line
PROVIDERS = {"aws": "aws", "amazon": "aws", "google": "google", "gcp": "google", "microsoft": "azure", "azure": "azure"}
TIERS = {"aws": "Intelligent-Tiering", "google": "Coldline", "azure": "Cool"}
Rows = Sequence[Mapping[str, Any]]


def storage_tiers(buckets: Rows, tiers: Rows, per_month: float) -> Judged:
    """Return buckets that are hardly read, in a tier for that.

    Parameters
    ----------
    buckets : rows of what is stored, with what requests and data of the bucket cost
    tiers : rows by provider: the tier's price and that of getting data back, as parts of the first tier's
    per_month : float
        30 days over those of the bill.
    """
    if not buckets:
        needs = "storage charges by bucket, with a quantity in GB-months"
        return [], [NotJudged("storage-tier", needs)]
    prices = {row["provider"]: row for row in tiers}
    known = [(row, prices[place]) for row in buckets if (place := provider_of(row["provider"])) in prices]
    if not known:
        return [], [NotJudged("storage-tier", "prices of storage tiers: import a list of storage and egress prices")]
    counted = [(row, tier) for row, tier in known if row["service_counts"] and row["bucket"]]
    if not counted:
        return [], [NotJudged("storage-tier", "how often buckets are read: a bill with their requests, by bucket")]
    made = []
    for row, tier in counted:
        cost = row["cost"] * per_month
        saved = cost * (1.0 - tier["share"])
        if row["read_cost"] > READ_SHARE * row["cost"] or saved < LEAST_USD:
            continue
        place = provider_of(row["provider"])
        made.append(
            Recommendation(
                "storage-tier",
                f"{row['bucket']}: {row['gb_months'] * per_month:,.0f} GB into {TIERS[place]}",
                saved - cost * tier["back"] * BACK_SHARE,
                saved,
                f"keeping costs ${cost:,.0f} a month, requests and data {row['read_cost'] / row['cost']:.2%} of that; "
                f"the tier is {tier['share']:.0%} of the price",
                f"the low end takes {BACK_SHARE:.0%} back each month; small objects and early deletion cost extra",
                _tier_command(place, row["bucket"]),
                frozenset([f"charge:storage/{row['provider']}/{row['bucket']}"]),
            )
        )
    return made[:MOST], []


def transfers(found: Rows, per_month: float) -> list[Recommendation]:
    """Return what moves between zones and regions; low: the dearest resource alone is put where its data is."""
    return [
        Recommendation(
            "transfer",
            f"{row['kind']} transfer of {row['provider']} in {row['region'] or 'no region'}: put together what talks",
            row["dearest_cost"] * per_month,
            row["cost"] * per_month,
            (f"{row['gb'] * per_month:,.0f} GB a month" if row["gb"] else "an unknown amount")
            + f" of {row['resources']} resources"
            + (f"; the dearest is {row['dearest']}" if row["dearest"] else ""),
            "replicas in several zones may be meant: what must survive the loss of a zone stays apart"
            if row["kind"] == "inter-zone"
            else "a copy in each region costs storage; law may say where data lies",
            _transfer_command(row["kind"], provider_of(row["provider"])),
            frozenset([f"charge:transfer/{row['provider']}/{row['region']}/{row['kind']}"]),
        )
        for row in found
        if row["cost"] * per_month >= LEAST_USD
    ][:MOST]


def formats() -> NotJudged:
    """Say what judging CSV and JSON in place of Parquet would need: nothing in a lake tells what is read in which."""
    return NotJudged("format", "which files are read in which format: scan logs, which no importer reads yet")


def provider_of(name: str | None) -> str:
    """Return the short name of a provider, or its own.

    >>> provider_of("Amazon Web Services")
    'aws'
    """
    said = (name or "").lower()
    return next((short for word, short in PROVIDERS.items() if word in said), said)


def _tier_command(provider: str, bucket: str) -> str:
    name = quote(bucket.rsplit("/", 1)[-1].rsplit(":", 1)[-1])
    if provider == "aws":
        move = {"Days": 0, "StorageClass": "INTELLIGENT_TIERING"}
        rules = {"Rules": [{"ID": "tier", "Status": "Enabled", "Filter": {}, "Transitions": [move]}]}
        return (
            f"aws s3api put-bucket-lifecycle-configuration --bucket {name} "
            f"--lifecycle-configuration '{json.dumps(rules, separators=(',', ':'))}'"
        )
    if provider == "google":
        return f"gcloud storage objects update gs://{name}/'**' --storage-class=COLDLINE"
    return f"az storage account update --name {name} --access-tier Cool"


def _transfer_command(kind: str, provider: str) -> str:
    if kind == "inter-zone":
        return "kubectl annotate service SERVICE service.kubernetes.io/topology-mode=Auto"
    if provider == "aws":
        return "aws s3 sync s3://SOURCE s3://COPY --source-region THERE --region HERE"
    if provider == "google":
        return "gcloud storage buckets relocate gs://BUCKET --location=HERE"
    return "azcopy copy https://SOURCE https://COPY --recursive"
