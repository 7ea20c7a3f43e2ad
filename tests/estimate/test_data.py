"""Sizing storage products: a product sized to a need delivers it, and what is not needed may be unknown."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from groundplan.catalog.rows import StorageProduct
from groundplan.estimate.data import StorageDemand, answer_of

COUPLED = StorageProduct(
    "fs", "File system", (), {}, "aws", "parallel", None, None, 1e9, 1e9, 1.3e12, None, None, 0.8, 0.6
)


@given(st.floats(1e9, 1e12), st.floats(0.0, 1e12))
def test_a_product_sized_to_a_need_delivers_it(read: float, write: float) -> None:
    answer = answer_of(COUPLED, StorageDemand(1e9, read, write))
    assert answer.ok, answer.reason


def test_a_write_rate_that_is_not_needed_may_be_unknown() -> None:
    reader = replace(COUPLED, write_bytes_per_s_per_tib=None)
    assert answer_of(reader, StorageDemand(1e12, 1e9, 0.0)).ok
    assert not answer_of(reader, StorageDemand(1e12, 1e9, 1e9)).ok
