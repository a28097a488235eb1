"""Spans behave like sets of instants: compared here with sets of small integers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.timespan import ALL_TIME, BEGINNING_NS, FOREVER_NS, Timespan

spans = st.tuples(st.integers(-20, 20), st.integers(1, 20)).map(lambda pair: Timespan(pair[0], sum(pair)))


def instants(*some: Timespan) -> set[int]:
    return {instant for span in some for instant in range(span.begin_ns, span.end_ns)}


@given(spans, st.integers(-45, 45))
def test_a_span_contains_the_instants_from_begin_up_to_but_not_at_end(span, instant):
    assert span.contains(instant) == (instant in instants(span))


@given(spans, spans)
def test_the_algebra_of_spans_is_that_of_sets(one, other):
    shared = one.intersection(other)
    assert instants(*([shared] if shared else [])) == instants(one) & instants(other)
    assert one.overlaps(other) == bool(instants(one) & instants(other))
    assert one.contains(other) == (instants(one) >= instants(other))


@given(spans, spans)
def test_the_difference_is_disjoint_ordered_and_complete(one, other):
    pieces = one.difference(other)
    assert instants(*pieces) == instants(one) - instants(other)
    assert sum(len(instants(piece)) for piece in pieces) == len(instants(*pieces))
    assert pieces == sorted(pieces)
    assert len(pieces) <= 2


@given(spans)
def test_all_time_contains_every_span_and_leaves_nothing(span):
    assert ALL_TIME.contains(span)
    assert span.difference(ALL_TIME) == []


@pytest.mark.parametrize("ends", [(3, 3), (4, 3), (BEGINNING_NS - 1, 0), (0, FOREVER_NS + 1)])
def test_an_empty_span_or_one_beyond_the_sentinels_is_refused(ends):
    with pytest.raises(ValueError, match="must begin before it ends"):
        Timespan(*ends)


def test_a_span_reads_in_utc():
    assert str(Timespan(BEGINNING_NS, 1_772_323_237_000_000_000)) == "[the beginning, 2026-03-01T00:00:00.000 UTC)"
    assert str(ALL_TIME) == "[the beginning, forever)"
