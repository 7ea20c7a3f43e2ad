"""Traces: public ones are read whole, broken ones are refused in one line, synthetic ones are as asked."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from groundplan.errors import InputError
from groundplan.simulate.arrivals import DAY_S, diurnal_arrivals, gamma_arrivals, poisson_arrivals
from groundplan.simulate.requests import make_requests
from groundplan.simulate.traces import read_requests

PLAIN = "arrival_s,prompt_tokens,output_tokens\n"
AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens\n"


@pytest.mark.parametrize(
    ("file", "requests", "span_s", "prompt", "output"),
    [
        ("AzureLLMInferenceTrace_conv.csv", 19_366, 3501.7, 1154.7, 211.1),
        ("AzureLLMInferenceTrace_code.csv", 8_819, 3435.9, 2047.8, 27.9),
        ("mooncake_conversation_trace.jsonl.gz", 12_031, 3537.0, 12_035.1, 342.6),
    ],
)
def test_public_traces_are_read_whole(
    shared: Path, file: str, requests: int, span_s: float, prompt: float, output: float
) -> None:
    trace = read_requests(shared / "samples" / "requests" / file)
    assert len(trace) == requests
    assert trace.arrival_s[-1] == pytest.approx(span_s, abs=0.05)
    assert trace.prompt_tokens.mean() == pytest.approx(prompt, abs=0.05)
    assert trace.output_tokens.mean() == pytest.approx(output, abs=0.05)


def test_three_forms_of_one_trace_are_one(tmp_path: Path) -> None:
    plain, azure, mooncake = tmp_path / "p.csv", tmp_path / "a.csv", tmp_path / "m.jsonl.gz"
    plain.write_text(PLAIN + "0,700,5\n1.25,30,9\n")
    azure.write_text(AZURE + "2024-02-28 23:59:59.5000000,700,5\n2024-02-29 01:00:00.750000+01:00,30,9")
    lines = (
        '{"timestamp": 0, "input_length": 700, "output_length": 5, "hash_ids": [1, 2]}\n'
        '{"timestamp": 1250, "input_length": 30, "output_length": 9, "hash_ids": [3]}\n'
    )
    mooncake.write_bytes(gzip.compress(lines.encode()))
    for path in (plain, azure, mooncake):
        trace = read_requests(path)
        assert trace.arrival_s.tolist() == pytest.approx([0.0, 1.25])
        assert trace.prompt_tokens.tolist() == [700, 30]
        assert trace.output_tokens.tolist() == [5, 9]
    assert read_requests(mooncake).prefix_hashes == [(1, 2), (3,)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no request"),
        (PLAIN, "no request"),
        ("time,tokens\n1,2\n", "no trace of requests"),
        (PLAIN + "0,ten,5\n", "line 2: prompt_tokens is 'ten'"),
        (PLAIN + "0,10\n", "line 2: 2 values for 3 columns"),
        (PLAIN + "0,10,5\n\n-1,10,5\n", "request 2 has arrival_s -1"),
        (PLAIN + "0,10,-5\n", "request 1 has output_tokens -5"),
        (PLAIN + "0,10,0\n", "request 1 has output_tokens 0"),
        (PLAIN + "0,1.5,5\n", "request 1 has prompt_tokens 1.5"),
        (PLAIN + "nan,1,5\n", "request 1 has arrival_s nan"),
        (PLAIN + "0,inf,5\n", "request 1 has prompt_tokens inf"),
        (PLAIN + "0,1e300,5\n", "request 1 has prompt_tokens 1e+300"),
        (PLAIN + "0,1," + "9" * 200_000 + "\n", "no sound CSV"),
        (PLAIN + "5,10,5\n4,10,5\n", "request 2 arrives 1 s before"),
        (AZURE + "yesterday,10,5\n", "line 2: TIMESTAMP is 'yesterday'"),
        (AZURE + "2024-02-28 10:00:05.1,10,5\n2024-02-28 10:00:01.1,10,5\n", "request 2 arrives 4 s before"),
        ('{"timestamp": 0, "input_length": 7}\n', "line 1: output_length is missing"),
        ('{"timestamp": 0, "input_length": "7", "output_length": 1}\n', "line 1: input_length is '7'"),
        ('{"timestamp": 0, "input_length": 7, "output_length": 1, "hash_ids": 3}\n', "line 1: hash_ids"),
        ('{"timestamp": 0, "input_length": 7, "output_length": 1}\n{oops\n', "line 2: this is no JSON object"),
    ],
)
def test_a_broken_trace_is_refused_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "trace.txt"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_requests(path)
    assert said in caught.value.what
    assert str(path) in caught.value.what
    assert caught.value.mend
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(b"not packed")
    (tmp_path / "b.gz").write_bytes(gzip.compress(PLAIN.encode())[:-9])
    (tmp_path / "c.csv").write_bytes(b"\xff\xfe\x00")
    packed = bytearray(gzip.compress(PLAIN.encode() * 50))
    packed[20] ^= 0xFF
    (tmp_path / "d.gz").write_bytes(packed)
    for name in ("a.gz", "b.gz", "c.csv", "d.gz", "missing.csv"):
        with pytest.raises(InputError, match=name):
            read_requests(tmp_path / name)


def test_columns_that_differ_in_length_are_refused() -> None:
    with pytest.raises(InputError, match="2 values of prompt_tokens for 1 requests"):
        make_requests([0.0], [1, 2], [1])
    with pytest.raises(InputError, match="prefix hashes"):
        make_requests([0.0], [1], [1], [(), ()], 512)


@pytest.mark.parametrize("variation", [0.3, 1.0, 4.0])
def test_gaps_have_the_rate_and_variation_asked_for(variation: float) -> None:
    gaps = np.diff(gamma_arrivals(200_000, 5.0, variation, np.random.default_rng(0)))
    assert gaps.mean() == pytest.approx(0.2, rel=0.03)
    assert gaps.std() / gaps.mean() == pytest.approx(variation, rel=0.05)


def test_poisson_arrivals_have_a_variance_that_is_their_mean() -> None:
    counts = np.bincount(poisson_arrivals(100_000, 7.0, np.random.default_rng(1)).astype(int))
    assert counts.var() == pytest.approx(counts.mean(), rel=0.05)


def test_a_day_has_its_peak_at_noon() -> None:
    times = diurnal_arrivals(400_000, 2.0, 0.6, np.random.default_rng(2))
    days = times[times < 2 * DAY_S]
    assert len(days) / (2 * DAY_S) == pytest.approx(2.0, rel=0.02)
    assert np.all(np.diff(times) >= 0)
    hours = np.bincount((days % DAY_S // 3600).astype(int), minlength=24) / 2 / 3600
    assert hours[11:13].mean() == pytest.approx(2.0 * 1.6, rel=0.03)
    assert hours[[0, 23]].mean() == pytest.approx(2.0 * 0.4, rel=0.05)


def test_arrivals_that_cannot_be_are_refused() -> None:
    generator = np.random.default_rng(0)
    for make in (
        lambda: poisson_arrivals(0, 1.0, generator),
        lambda: gamma_arrivals(5, 1.0, -1.0, generator),
        lambda: diurnal_arrivals(5, float("nan"), 0.5, generator),
        lambda: diurnal_arrivals(5, 1.0, 1.5, generator),
    ):
        with pytest.raises(InputError):
            make()


def test_arrivals_follow_from_the_seed() -> None:
    drawn = [gamma_arrivals(50, 1.0, 3.0, np.random.default_rng(9)).tolist() for _ in range(2)]
    assert drawn[0] == drawn[1]
