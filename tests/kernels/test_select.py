"""Order statistics without sorting, against sorting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from isrflow.kernels.quantiles import quantile, quartiles
from isrflow.kernels.select import WORTHWHILE, order_statistics

floats = st.floats(width=32, allow_nan=False, allow_infinity=True)


@settings(deadline=None)  # the first call compiles
@given(arrays(np.float32, st.integers(1, 60), elements=floats), st.data())
def test_every_rank_is_that_of_the_sorted_values(values, data):
    ranks = data.draw(st.lists(st.integers(0, values.size - 1), min_size=1, max_size=6))
    assert order_statistics(values, ranks) == [float(np.sort(values)[rank]) for rank in ranks]


@pytest.mark.parametrize("level", [0.0, -3.0, 1e5])
def test_many_values_close_together_are_told_apart(level):
    values = np.random.default_rng(3).normal(level, 2.0, 300_000).astype(np.float32)
    before = values.copy()
    ranks = [0, 75_000, 75_001, 150_000, 299_999]
    assert order_statistics(values, ranks) == np.sort(values)[ranks].tolist()
    assert (values == before).all()


def test_tails_and_ties_are_found_too():
    values = np.concatenate([np.full(200_000, 7, np.float32), np.float32([-1e30, 3, 9, 1e30, np.inf])])
    assert (
        order_statistics(values, [0, 1, 2, 200_001, 200_002, 200_003, 200_004])
        == np.sort(values)[[0, 1, 2, 200_001, 200_002, 200_003, 200_004]].tolist()
    )


def test_medians_and_quartiles_of_large_samples_are_those_of_numpy():
    for size in (WORTHWHILE, WORTHWHILE + 1, WORTHWHILE + 2):
        values = np.random.default_rng(size).normal(50, 9, size).astype(np.float32)
        expected = np.percentile(values.astype(np.float64), [25, 50, 75])
        assert quartiles(values.copy()) == pytest.approx(expected.tolist(), rel=1e-15)
        assert quantile(values.copy(), 0.5) == pytest.approx(expected[1], rel=1e-15)
