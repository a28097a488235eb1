"""Marked pixels found in rows, and what is built on that."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from isrflow.kernels.footprints import grow
from isrflow.kernels.masks import grow_mask
from isrflow.kernels.runs import next_marked, runs_of


@given(st.integers(1, 300), st.sets(st.integers(0, 299), max_size=4), st.integers(0, 299))
def test_the_next_marked_pixel_is_the_first_from_the_start(size, marked, start) -> None:
    row = np.ones(size, np.int32)  # another bit, that does not count
    row[[x for x in marked if x < size]] = 6
    expected = min((x for x in marked if start <= x < size), default=max(size, start))
    assert next_marked(row, start, np.int32(4)) == expected


@given(st.integers(1, 12), st.integers(1, 90), st.integers(0, 6), st.integers(0, 2**32 - 1))
def test_growing_a_mask_sets_the_diamonds_around_its_marks_once(ny, nx, radius, seed) -> None:
    rng = np.random.default_rng(seed)
    mask = (rng.integers(1, 8, (ny, nx)) * (rng.random((ny, nx)) < 0.05)).astype(np.int32)
    expected = mask | (2 * grow((mask & 3) != 0, radius) if radius else 0)
    grow_mask(mask, radius, 3, 2)
    np.testing.assert_array_equal(mask, expected)


def test_runs_are_given_by_their_first_element_and_the_one_after_the_last() -> None:
    assert runs_of(np.array([1, 1, 0, 1, 0, 0, 1], bool)) == [(0, 2), (3, 4), (6, 7)]
    assert runs_of(np.ones(3, bool)) == [(0, 3)]
    assert runs_of(np.zeros(3, bool)) == runs_of(np.zeros(0, bool)) == []
