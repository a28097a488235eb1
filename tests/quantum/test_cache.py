from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from isrflow.quantum.cache import InputCache
from registry.refs import DataId, DatasetRef

REF = DatasetRef(uuid4(), "bias", "r", DataId("tiny"), size=10)


def test_what_was_read_is_not_read_again():
    reads = []
    cache = InputCache(1000)
    for _ in range(3):
        assert cache.get(REF, lambda ref: reads.append(ref) or "bias") == "bias"
    assert reads == [REF]


def test_a_budget_of_nothing_keeps_nothing_and_what_is_too_large_is_not_kept():
    cache = InputCache(0)
    cache.get(REF, lambda _: "bias")
    assert cache.n_bytes == 0
    cache = InputCache(1000)
    cache.get(replace(REF, size=251), lambda _: "bias")
    cache.get(replace(REF, size=None), lambda _: "bias")
    assert cache.n_bytes == 0
    cache.get(replace(REF, size=250), lambda _: "bias")
    assert cache.n_bytes == 250


def test_the_least_recently_used_goes_first():
    refs = [replace(REF, id=uuid4(), size=250) for _ in range(5)]
    cache = InputCache(1000)
    for ref in [*refs[:4], refs[0], refs[4]]:
        cache.get(ref, str)
    reads = []
    for ref in (refs[0], refs[2], refs[3], refs[4]):
        cache.get(ref, reads.append)
    assert reads == []
    cache.get(refs[1], reads.append)
    assert reads == [refs[1]]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 400)), max_size=50), st.integers(0, 1000))
def test_the_budget_is_kept_whatever_comes(wanted, budget):
    ids = [uuid4() for _ in range(10)]
    cache = InputCache(budget)
    for number, size in wanted:
        assert cache.get(replace(REF, id=ids[number], size=size), lambda ref: ref.id) == ids[number]
        assert cache.n_bytes <= budget
