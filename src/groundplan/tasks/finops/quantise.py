"""What narrower weights would save of services that the accounts know: the serving calculator, asked twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from groundplan.catalog.catalog import Catalog
from groundplan.errors import GroundplanError
from groundplan.finops.recommend.rows import NotJudged, Recommendation
from groundplan.tasks.serve import serve
from groundplan.tasks.serve_request import ServeRequest

WIDE = "bf16"
NARROW = ("fp8", "int8")  # the first that the accelerator and the engine know
NEEDS = "services' counters with model, tokens and node, and telemetry that names their accelerators"


def quantise(
    services: Sequence[Mapping[str, Any]], hardware: Sequence[Mapping[str, Any]], catalog: Catalog, per_month: float
) -> tuple[list[Recommendation], list[NotJudged]]:
    """Return services of which fewer accelerators would do with weights of 8 bits.

    Parameters
    ----------
    services : sequence of mapping
        service, model, requests, input_tokens, output_tokens, cost. [USD]
    hardware : sequence of mapping
        service, accelerator: as telemetry names it.
    catalog : Catalog
    per_month : float
        Months in the bill, inverted.
    """
    accelerators = {row["service"]: row["accelerator"] for row in hardware}
    found, judged = [], False
    for row in services:
        gain = _gain(row, accelerators.get(row["service"]), catalog)
        if gain is None or row["cost"] is None:
            continue
        judged = True
        narrow, times = gain
        cost = float(row["cost"])
        if times > 1.0:
            found.append(
                Recommendation(
                    "quantise",
                    f"service {row['service']}: weights of {row['model']} in {narrow}",
                    0.0,
                    cost * (1.0 - 1.0 / times) * per_month,
                    f"at full load an accelerator gives {times:.2f} times the tokens of {WIDE}; it costs ${cost:,.2f}",
                    "answers may get worse: measure them first; nothing is saved where the weights are narrow already",
                    f"groundplan serve --model {row['model']} --precision {narrow}",
                )
            )
    return found, [] if judged else [NotJudged("quantise", NEEDS)]


def _gain(row: Mapping[str, Any], accelerator: str | None, catalog: Catalog) -> tuple[str, float] | None:
    """Return the narrower precision, and how many times the tokens an accelerator gives; None where nobody knows."""
    if not row["model"] or not accelerator or not row["requests"]:
        return None
    prompt, output = (
        max(1, round(float(row[key] or 0) / row["requests"])) for key in ("input_tokens", "output_tokens")
    )
    try:
        device = catalog.find("accelerators", accelerator)
        wide = _tokens_per_device(ServeRequest(row["model"], device, prompt=prompt, output=output), catalog)
    except GroundplanError:
        return None
    for narrow in NARROW:
        asked = ServeRequest(row["model"], device, precision=narrow, prompt=prompt, output=output)
        try:
            return narrow, _tokens_per_device(asked, catalog) / wide
        except GroundplanError:
            continue
    return None


def _tokens_per_device(asked: ServeRequest, catalog: Catalog) -> float:
    answer = serve(asked, catalog).to_dict()
    return float(answer["output_tokens_per_s"]["value"]) / float(answer["devices"])
