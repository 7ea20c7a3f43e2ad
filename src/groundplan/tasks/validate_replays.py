"""Task: put measured replays through the simulator, and hold what it says against what was measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from groundplan.catalog.catalog import Catalog
from groundplan.errors import InputError
from groundplan.estimate.serving import replica_of, serving_setting
from groundplan.estimate.serving_intervals import serving_interval
from groundplan.progress import over
from groundplan.simulate.fleet import Fleet, simulate_service
from groundplan.simulate.pool import Pool
from groundplan.simulate.requests import make_requests
from groundplan.simulate.results import ServiceResult
from groundplan.simulate.routing import Routing
from groundplan.tasks.serve import CACHE_SPREAD
from groundplan.validation.measured import Unpredictable
from groundplan.validation.predict import Array
from groundplan.validation.replays import Replay, read_replay_case
from groundplan.validation.score import Figure, Label
from groundplan.validation.serving_reading import ServingCase

MILLISECONDS = 1e3
PERCENTILES = (50, 95)


def replay_figures(replays: Sequence[Replay], catalog: Catalog) -> tuple[list[Figure], list[Unpredictable]]:
    """Return every figure of the replays, measured and simulated, and the replays without a prediction.

    A replay has the mean of `ttft_ms` and `tpot_ms` over its requests, their percentiles (`ttft_ms_p50`, ...), its
    output tokens per second (`tokens_per_s_total`), and the tokens of its cache (`kv_tokens`) where the engine told.
    """
    figures: list[Figure] = []
    unpredictable: list[Unpredictable] = []
    for replay in over(replays, "replays"):
        try:
            case = read_replay_case(replay, catalog)
            figures += _figures(replay, case, catalog)
        except InputError as error:
            unpredictable.append(Unpredictable(replay.run.id, replay.run.text("source"), error.what, error.mend))
    return figures, unpredictable


def simulate_replay(replay: Replay, case: ServingCase, catalog: Catalog) -> tuple[ServiceResult, int]:
    """Return what the simulator makes of a replay's requests, and the tokens of an engine's cache.

    Raises
    ------
    InputError
        The model does not fit, or a request is longer than the cache.
    """
    context = float(np.mean(replay.prompt_tokens + replay.output_tokens))
    setting = serving_setting(case.model, case.deployment, case.engine, case.cluster.accelerator, context, catalog)
    longest = int(np.max(replay.prompt_tokens + replay.output_tokens))
    if setting.pool.tokens < longest:
        raise InputError(
            f"{max(setting.pool.tokens, 0.0):,.0f} tokens of cache are left, its longest request has {longest:,}",
            "correct the number format or the devices",
        )
    replica = replica_of(setting, context, None)
    requests = make_requests(replay.arrival_s, replay.prompt_tokens, replay.output_tokens)
    service = simulate_service(requests, Fleet(Pool(replica, case.replicas, Routing.LEAST_OUTSTANDING)))
    return service, replica.kv_tokens


def _figures(replay: Replay, case: ServingCase, catalog: Catalog) -> Iterator[Figure]:
    service, kv_tokens = simulate_replay(replay, case, catalog)
    yield from latency_figures(replay, case, service, np.arange(len(replay.arrival_s)))
    name = "tokens_per_s_total"
    factors = serving_interval(case.engine.id, case.sparse)[name]
    yield _figure(replay, case, name, name, (replay.tokens_per_s, service.summary().output_tokens_per_s), factors)
    if replay.kv_tokens:
        name = "kv_tokens"
        yield _figure(replay, case, name, name, (replay.kv_tokens, float(kv_tokens)), CACHE_SPREAD)


def latency_figures(
    replay: Replay, case: ServingCase, service: ServiceResult, places: NDArray[np.integer]
) -> Iterator[Figure]:
    """Yield mean and percentiles of the latencies of some requests, measured and simulated."""
    spread = serving_interval(case.engine.id, case.sparse)
    for name, measured_s, simulated_s in (
        ("ttft_ms", replay.ttft_s, service.requests.ttft_s),
        ("tpot_ms", replay.tpot_s, service.requests.tpot_s),
    ):
        for quantity, pair in _latencies(name, measured_s[places], simulated_s[places]).items():
            yield _figure(replay, case, name, quantity, pair, spread[name])


def _figure(
    replay: Replay,
    case: ServingCase,
    of: str,
    quantity: str,
    pair: tuple[float, float],
    factors: tuple[float, float],
) -> Figure:
    measured, predicted = pair
    kind = "MoE" if case.sparse else "dense"
    place = f"{case.engine.id} / {case.cluster.accelerator.architecture} / {kind} / replay / {of}"
    what = (
        f"{case.run.text('model')}, {case.replicas * case.deployment.devices} x {case.cluster.accelerator.id}, "
        f"{case.deployment.weights}, {len(replay.arrival_s):,} requests, {quantity}"
    )
    label = Label(replay.run.id, what, case.assumed, quantity)
    return Figure(place, label, measured, predicted, predicted * factors[0], predicted * factors[1])


def _latencies(name: str, measured_s: Array, simulated_s: Array) -> dict[str, tuple[float, float]]:
    """Return mean and percentiles of the requests that have a latency, measured and simulated [ms]."""
    pair = [MILLISECONDS * seconds[np.isfinite(seconds)] for seconds in (measured_s, simulated_s)]
    if not all(seconds.size for seconds in pair):
        return {}
    mean = float(np.mean(pair[0])), float(np.mean(pair[1]))
    tails = {
        f"{name}_p{at}": (float(np.percentile(pair[0], at)), float(np.percentile(pair[1], at))) for at in PERCENTILES
    }
    return {name: mean, **tails}
