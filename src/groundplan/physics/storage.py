"""What storage must deliver, and what a product of a size delivers."""

from __future__ import annotations

import numpy as np

from groundplan.physics.arrays import Floats

TIB = 2.0**40


def read_bytes_per_s(devices: Floats, samples_per_s: Floats, sample_bytes: Floats) -> Floats:
    """Rate at which training reads: devices x samples/s of each x stored bytes of a sample [bytes/s].

    >>> read_bytes_per_s(64, 1040.0, 4.0)
    266240.0
    """
    return devices * samples_per_s * sample_bytes


def requests_in_flight(rate_bytes_per_s: Floats, request_bytes: Floats, latency_s: Floats) -> Floats:
    """Requests that must be open at once (Little's law): ``rate / request size x latency``.

    >>> requests_in_flight(8e9, 8e6, 0.15)
    150.0
    """
    return rate_bytes_per_s / request_bytes * latency_s


def cache_hit_rate(cached_fraction: Floats, pinned: Floats) -> Floats:
    """Share of reads a cache serves when every epoch reads everything once in a fresh random order.

    Notes
    -----
    A pinned cache serves what it holds, c. Least-recently-used eviction throws out what comes next:
    ``c + (1 - c) ln(1 - c)``, so half of the data cached serves 15 % of the reads.

    >>> round(float(cache_hit_rate(0.5, False)), 3), float(cache_hit_rate(0.5, True))
    (0.153, 0.5)
    """
    c = np.clip(cached_fraction, 0.0, 1.0)
    rest = np.maximum(1.0 - c, np.finfo(float).tiny)
    return np.where(pinned, c, c + rest * np.log(rest))


def coupled_capacity_bytes(
    data_bytes: Floats, usable_fraction: Floats, rate_bytes_per_s: Floats, rate_per_tib: Floats, least_bytes: Floats
) -> Floats:
    """Capacity to provision where throughput is sold with capacity [bytes].

    ``max(data / usable, rate / (rate per TiB) TiB, least size)``.

    >>> float(coupled_capacity_bytes(1e12, 0.8, 10e9, 125e6, 0.0)) / TIB
    80.0
    """
    return np.maximum(np.maximum(data_bytes / usable_fraction, rate_bytes_per_s / rate_per_tib * TIB), least_bytes)
