"""One replica: jumps against iterations taken one by one, conservation, and the order of things by hand."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundplan.estimate.replica import Replica
from groundplan.simulate.fleet import Fleet, simulate_service
from groundplan.simulate.pool import Pool
from groundplan.simulate.requests import Requests, make_requests
from groundplan.simulate.results import ServiceResult
from groundplan.simulate.scheduler import Scheduler
from simulate.services import draw_requests, make_replica


def one_replica(requests: Requests, replica: Replica) -> ServiceResult:
    """Simulate one replica, its iterations recorded."""
    return simulate_service(requests, Fleet(Pool(replica)), record=True)


replicas = st.builds(
    make_replica,
    kv_tokens=st.sampled_from([1_200, 2_000, 5_000, 100_000]),
    block_tokens=st.sampled_from([1, 16, 64]),
    max_sequences=st.sampled_from([1, 3, 64]),
    max_batched_tokens=st.sampled_from([64, 300, 2048]),
    chunked_prefill=st.booleans(),
    prefix_caching=st.booleans(),
)


@settings(max_examples=60, deadline=None)
@given(replica=replicas, seed=st.integers(0, 10**6), prefixes=st.booleans(), rate=st.sampled_from([0.5, 4.0, 40.0]))
def test_jumps_are_iterations_taken_one_by_one(replica: Replica, seed: int, prefixes: bool, rate: float) -> None:
    requests = draw_requests(np.random.default_rng(seed), 40, rate, prefixes=prefixes)
    jumped = one_replica(requests, replica)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Scheduler, "_steps_ahead", lambda self: 1)
        walked = one_replica(requests, replica)
    for column in ("start_s", "first_token_s", "end_s"):
        np.testing.assert_allclose(getattr(jumped.requests, column), getattr(walked.requests, column), rtol=1e-9)
    assert jumped.requests.preemptions.tolist() == walked.requests.preemptions.tolist()
    assert sum(span.iterations for span in jumped.spans) == len(walked.spans)
    assert jumped.replicas[0].busy_s == pytest.approx(walked.replicas[0].busy_s)
    assert jumped.replicas[0].batch_s == pytest.approx(walked.replicas[0].batch_s)
    assert jumped.replicas[0].hit_tokens == walked.replicas[0].hit_tokens


@settings(max_examples=40, deadline=None)
@given(replica=replicas, seed=st.integers(0, 10**6), prefixes=st.booleans())
def test_every_request_ends_once_and_every_block_comes_back(replica: Replica, seed: int, prefixes: bool) -> None:
    requests = draw_requests(np.random.default_rng(seed), 40, 10.0, prefixes=prefixes)
    ends: list[int] = []
    schedulers: set[Scheduler] = set()
    end = Scheduler.end

    def watched(self: Scheduler, steps: int) -> object:
        assert 0 <= self.pool.free <= self.pool.blocks
        begun, ended = end(self, steps)
        assert 0 <= self.pool.free <= self.pool.blocks
        ends.extend(sequence.request for sequence in ended)
        schedulers.add(self)
        if not self._running:
            assert self.pool.available == self.pool.blocks
        return begun, ended

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Scheduler, "end", watched)
        result = one_replica(requests, replica)
    times = result.requests
    assert sorted(ends) == np.flatnonzero(times.ended).tolist()
    blocks = -(-(requests.prompt_tokens + requests.output_tokens - 1) // replica.block_tokens)
    assert times.ended.tolist() == (blocks <= replica.kv_tokens // replica.block_tokens).tolist()
    done = times.ended
    assert np.all(times.arrival_s[done] <= times.start_s[done])
    assert np.all(times.start_s[done] < times.first_token_s[done])
    assert np.all(times.first_token_s[done] <= times.end_s[done])
    assert all(a.start_s + a.duration_s <= b.start_s + 1e-9 for a, b in pairwise(result.spans))
    for scheduler in schedulers:
        assert scheduler.pool.available == scheduler.pool.blocks
        assert scheduler.decoding == 0


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), chunked=st.booleans())
def test_tokens_in_are_tokens_out(seed: int, chunked: bool) -> None:
    """Without preemption the iterations hold each prompt token once, and each output token but the first once."""
    requests = draw_requests(np.random.default_rng(seed), 40)
    result = one_replica(requests, make_replica(chunked_prefill=chunked))
    assert sum(span.prefill_tokens for span in result.spans) == requests.prompt_tokens.sum()
    decoded = sum(span.iterations * span.batch for span in result.spans if not span.prefill_tokens)
    assert decoded <= (requests.output_tokens - 1).sum()
    if not chunked:
        assert decoded == (requests.output_tokens - 1).sum()


def test_a_lone_request_takes_what_the_law_says() -> None:
    replica = make_replica()
    times = one_replica(make_requests([2.0], [1000], [50]), replica).requests
    prefill = float(replica.law.seconds(0, 1000, 0, 1000 * 1001 / 2, 1))
    decode = sum(float(replica.law.seconds(1, 0, 1000 + i, 0, 1)) for i in range(1, 50))
    assert times.ttft_s[0] == pytest.approx(prefill, rel=1e-12)
    assert times.tpot_s[0] == pytest.approx(decode / 49, rel=1e-9)


def test_a_long_prompt_is_cut_into_chunks_beside_decoding() -> None:
    result = one_replica(make_requests([0.0, 1.0], [100, 1000], [500, 2]), make_replica(max_batched_tokens=301))
    chunks = [span.prefill_tokens for span in result.spans if span.prefill_tokens]
    assert chunks == [100, 300, 300, 300, 100]


def test_whole_prompts_run_alone_and_first() -> None:
    replica = make_replica(chunked_prefill=False, max_batched_tokens=301)
    result = one_replica(make_requests([0.0, 1.0, 1.0, 1.0], [100, 1000, 150, 150], [500, 2, 2, 2]), replica)
    prompts = [(span.prefill_tokens, span.batch) for span in result.spans if span.prefill_tokens]
    assert prompts == [(100, 1), (1000, 1), (300, 2)]


def test_the_youngest_is_preempted_and_computed_again() -> None:
    """Two sequences of 50 + 60 tokens outgrow ten blocks of 16; the second waits for the end of the first."""
    replica = make_replica(kv_tokens=160)
    result = one_replica(make_requests([0.0, 0.001], [50, 50], [60, 60]), replica)
    assert result.requests.preemptions.tolist() == [0, 1]
    prompts = [span.prefill_tokens for span in result.spans if span.prefill_tokens]
    assert prompts[:2] == [50, 50]
    assert 50 < prompts[2] < 110
    assert result.requests.end_s[0] < result.requests.end_s[1]


def test_a_preempted_sequence_finds_again_what_is_left_of_its_blocks() -> None:
    """As before; the first sequence ends on seven of the ten blocks, so three are left, the first 48 tokens."""
    requests = make_requests([0.0, 0.001], [50, 50], [60, 60])
    computed = []
    for caching in (False, True):
        result = one_replica(requests, make_replica(kv_tokens=160, prefix_caching=caching))
        computed.append([span.prefill_tokens for span in result.spans if span.prefill_tokens][2])
        assert result.replicas[0].hit_tokens == 0
    assert computed[0] - computed[1] == 48


def test_a_shared_prefix_is_computed_once() -> None:
    hashes = [(1, 2, 3, 4), (1, 2, 3, 9), (1, 2, 3, 4)]
    requests = make_requests([0.0, 5.0, 10.0], [256, 256, 256], [4, 4, 4], hashes, 64)
    result = one_replica(requests, make_replica(prefix_caching=True))
    assert [span.prefill_tokens for span in result.spans if span.prefill_tokens] == [256, 64, 64]
    assert result.replicas[0].hit_tokens == 2 * 192
    assert one_replica(requests, make_replica()).replicas[0].hit_tokens == 0


def test_prefixes_unread_for_longest_give_way() -> None:
    """The cache holds two prompts: the third evicts the end of the first, so only the second is found again."""
    hashes = [(1, 2), (3, 4), (5, 6), (3, 4), (1, 2)]
    requests = make_requests(np.arange(5.0), [130] * 5, [1] * 5, hashes, 64)
    result = one_replica(requests, make_replica(kv_tokens=288, prefix_caching=True))
    assert [span.prefill_tokens for span in result.spans] == [130, 130, 130, 2, 130]


def test_drafting_costs_time_however_little_is_accepted():
    from groundplan.catalog.catalog import load_catalog
    from groundplan.simulate.iteration_times import IterationTimes
    from groundplan.tasks.serve_request import ServeRequest, resolve

    catalog = load_catalog([])
    for acceptance in (0.0, 1e-6, 0.5):
        asked = ServeRequest("llama-3.1-8b", "h100-sxm", speculate=3, acceptance=acceptance)
        setting, _ = resolve(asked, catalog)
        one = IterationTimes(setting.law).one(8, 0, 8000, 0.0, 8)
        whole = float(setting.law.seconds(8.0, 0.0, 8000.0, 0.0, 8.0)) / setting.law.yielded
        assert one == pytest.approx(whole, rel=1e-6)
