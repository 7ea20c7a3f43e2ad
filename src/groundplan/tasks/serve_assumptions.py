"""What an answer about a replica says of it: its layout, and what was taken where nothing was asked."""

from __future__ import annotations

from typing import Any

from groundplan.design.deployment import Deployment
from groundplan.estimate.serving import ServingSetting
from groundplan.evidence import Assumption
from groundplan.physics.decode import speculated_tokens
from groundplan.plan.hosting import Bill
from groundplan.tasks.serve_request import ACCEPTANCE, ServeRequest


def deployed(deployment: Deployment) -> dict[str, Any]:
    """Return the layout of a replica, its formats, and what is served beside the model."""
    told = {name: getattr(deployment, name) for name in ("tp", "pp", "dp", "ep", "weights", "kv")}
    speculation, adapters = deployment.speculation, deployment.adapters
    return {
        **told,
        "speculation": None
        if speculation is None
        else {
            "drafted": speculation.drafted,
            "acceptance": speculation.acceptance,
            "tokens_per_iteration": float(speculated_tokens(speculation.drafted, speculation.acceptance)),
        },
        "adapters": None if adapters is None else {"count": adapters.count, "rank": adapters.rank},
    }


def price_told(bill: Bill | None) -> dict[str, Any] | None:
    """Return what hosts cost and who says so; None where no price is known."""
    if bill is None:
        return None
    host, price = bill.rented.host, bill.rented.price
    return {
        "hosts": bill.hosts if host else None,
        "instance": host.id if host else None,
        "provider": host.provider if host else None,
        "option": price.option if price else None,
        "region": price.region if price else None,
        "usd_per_hour": bill.rented.usd_per_hour,  # of one host, or of one accelerator at a price given
        "date": price.date or None if price else None,
        "evidence": price.evidence if price else "given",
        "source": price.source if price else "given with the question",
    }


def assumptions_of(request: ServeRequest, setting: ServingSetting) -> tuple[Assumption, ...]:
    """Return what the request left open and what was taken for it."""
    engine = setting.engine
    settings = (
        ("memory_utilization", engine.memory_utilization, ""),
        ("max_batched_tokens", float(engine.max_batched_tokens), "tokens"),
        ("max_sequences", float(engine.max_sequences), "sequences"),
    )
    rows = [
        Assumption(name, value, unit, "published", f"default of {engine.name}")
        for name, value, unit in settings
        if getattr(request, name) is None
    ]
    speculation = setting.deployment.speculation
    if speculation is not None and request.acceptance == ACCEPTANCE:
        said = "heads trained with the model, 0.6 to 0.8 (EAGLE-2, arXiv 2406.16858); measure yours"
        rows.append(Assumption("acceptance", ACCEPTANCE, "", "assumed", said))
    split = setting.deployment
    if request.tp is None:
        said = "the fewest devices that hold the weights and the requests (--tp)"
        rows.append(Assumption("tp", float(split.tp), "", "derived", said))
    if request.precision is None:
        said = f"the format in which {setting.model.id} was released (--precision)"
        rows.append(Assumption("precision", split.weights, "", "published", said))
    if request.kv_precision is None:
        rows.append(Assumption("kv_precision", split.kv, "", "assumed", "16 bits unless asked (--kv-precision)"))
    return tuple(rows)
