"""Every format that can be imported."""

from __future__ import annotations

from groundplan.errors import InputError
from groundplan.finops.ingest.aws_cur import AWS_CUR
from groundplan.finops.ingest.azure_costs import AZURE_COSTS
from groundplan.finops.ingest.dcgm import DCGM
from groundplan.finops.ingest.focus import FOCUS
from groundplan.finops.ingest.gcp_billing import GCP_BILLING
from groundplan.finops.ingest.head import Head
from groundplan.finops.ingest.importer import Importer
from groundplan.finops.ingest.mlflow import MLFLOW_CSV, MLFLOW_JSON, MLFLOW_STORE
from groundplan.finops.ingest.nvidia_smi import NVIDIA_DMON, NVIDIA_SMI
from groundplan.finops.ingest.opencost import OPENCOST
from groundplan.finops.ingest.opencost_prices import OPENCOST_PRICES
from groundplan.finops.ingest.prometheus import PROMETHEUS
from groundplan.finops.ingest.rates import RATES
from groundplan.finops.ingest.refused import REFUSED
from groundplan.finops.ingest.slurm import SLURM
from groundplan.finops.ingest.slurm_json import SLURM_JSON
from groundplan.finops.ingest.tables import tables
from groundplan.finops.ingest.traces import TRACES

FORMATS: tuple[Importer, ...] = (
    FOCUS,
    SLURM,
    DCGM,
    RATES,
    SLURM_JSON,
    PROMETHEUS,
    NVIDIA_SMI,
    NVIDIA_DMON,
    MLFLOW_STORE,
    MLFLOW_JSON,
    MLFLOW_CSV,
    OPENCOST_PRICES,
    *TRACES,
    AWS_CUR,
    AZURE_COSTS,
    GCP_BILLING,
    OPENCOST,
    *tables(),
)


def importer_of(head: Head) -> Importer:
    """Return the importer of a file.

    Raises
    ------
    InputError
        No importer knows it; says what was seen and what would be known.
    """
    for importer in (*FORMATS, *REFUSED):
        if importer.recognises(head):
            return importer
    seen = f"the columns {', '.join(list(head.columns)[:6])}, ..." if head.columns else f"{head.form} of another shape"
    known = ", ".join(importer.name for importer in FORMATS)
    raise InputError(f"{head.path} is of no known format: it has {seen}", f"known: {known}")
