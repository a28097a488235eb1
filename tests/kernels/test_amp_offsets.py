"""Interfaces, profiles, steps and offsets of amplifiers, by hand and against numpy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isrflow.kernels.amp_offsets import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    Step,
    association_matrices,
    edge_profile,
    find_interfaces,
    measure_step,
    running_mean,
    solve_offsets,
)

LIMITS = {"smallest_fraction": 0.5, "largest_step": 5.0}


def grid(n_rows: int, n_columns: int) -> list[tuple[int, int]]:
    return [(row, column) for row in range(n_rows) for column in range(n_columns)]


def test_neighbours_in_a_grid_meet_at_their_common_side() -> None:
    found = find_interfaces(grid(2, 2), (30, 20))
    assert [(i.first, i.second, i.side, i.length) for i in found] == [
        (0, 1, RIGHT, 30),
        (0, 2, TOP, 20),
        (1, 3, TOP, 20),
        (2, 3, RIGHT, 30),
    ]
    mirrored = find_interfaces([(1, 1), (1, 0), (0, 1)], (30, 20))
    assert [(i.first, i.second, i.side) for i in mirrored] == [(0, 1, LEFT), (0, 2, BOTTOM)]


def test_associations_are_symmetric_and_add_up_to_zero() -> None:
    interfaces = find_interfaces(grid(2, 2), (30, 20))
    associations, sides = association_matrices(4, interfaces)
    assert associations.tolist() == [[50, -30, -20, 0], [-30, 50, 0, -20], [-20, 0, 50, -30], [0, -20, -30, 50]]
    assert sides.tolist() == [[-1, 1, 0, -1], [3, -1, -1, 0], [2, -1, -1, 1], [-1, 2, 3, -1]]
    equal, _ = association_matrices(4, interfaces, weigh=False)
    assert equal.tolist() == [[2, -1, -1, 0], [-1, 2, 0, -1], [-1, 0, 2, -1], [0, -1, -1, 2]]


@given(st.integers(1, 4), st.integers(1, 5), st.integers(0, 2**32 - 1), st.booleans())
def test_offsets_are_recovered_from_their_steps_up_to_a_common_one(n_rows, n_columns, seed, weigh) -> None:
    n = n_rows * n_columns
    offsets = np.random.default_rng(seed).normal(0, 3, n)
    interfaces = find_interfaces(grid(n_rows, n_columns), (30, 20))
    associations, _ = association_matrices(n, interfaces, weigh=weigh)
    steps = [Step(value, value) for each in interfaces for value in [offsets[each.first] - offsets[each.second]]]
    assert solve_offsets(associations, interfaces, steps) == pytest.approx(offsets - offsets.mean(), abs=1e-9)


def test_a_step_that_is_not_trusted_pulls_nothing() -> None:
    interfaces = find_interfaces(grid(1, 3), (30, 20))
    associations, _ = association_matrices(3, interfaces)
    found = solve_offsets(associations, interfaces, [Step(3.0, 3.0), Step(90.0, 0.0)])
    assert found == pytest.approx([2, -1, -1])


@pytest.mark.parametrize("side", [TOP, RIGHT, BOTTOM, LEFT])
@pytest.mark.parametrize("width", [4, 5])
def test_a_profile_is_the_median_across_the_strip_beside_the_side(side, width) -> None:
    rng = np.random.default_rng(side)
    image, mask = rng.normal(100, 5, (40, 50)).astype(np.float32), np.zeros((40, 50), np.int32)
    mask[rng.random(image.shape) < 0.3] = 1
    image[rng.random(image.shape) < 0.1] = np.nan
    mask[10:18, 20:28] = 1  # corners in which strips are masked throughout
    amplifier = np.s_[10:30, 20:45]
    found = edge_profile(image, mask, 1, amplifier, side, inset=2, width=width)
    usable = np.where(mask == 1, np.nan, image)[amplifier]
    strips = {
        TOP: usable[20 - 2 - width : 18],
        BOTTOM: usable[2 : 2 + width],
        RIGHT: usable[:, 25 - 2 - width : 23].T,
        LEFT: usable[:, 2 : 2 + width].T,
    }
    strip = strips[side]
    expected = [np.median(line[~np.isnan(line)]) if (~np.isnan(line)).any() else np.nan for line in strip.T]
    np.testing.assert_array_equal(found, np.array(expected, np.float32))


def test_without_inset_the_strip_begins_at_the_very_edge() -> None:
    image = np.arange(20, dtype=np.float32).reshape(4, 5)
    top = edge_profile(image, np.zeros((4, 5), np.int32), 1, np.s_[:, :], TOP, inset=0, width=1)
    assert top.tolist() == [15, 16, 17, 18, 19]


def test_a_running_mean_uses_what_it_knows() -> None:
    values = np.array([1, 2, np.nan, 4, 5], np.float32)
    np.testing.assert_array_equal(running_mean(values, 3), [1.5, 1.5, np.nan, 4.5, 4.5])
    np.testing.assert_array_equal(running_mean(values, 4), [1.5, 1.5, np.nan, 11 / 3, 4.5])  # k-2 .. k+1
    np.testing.assert_array_equal(running_mean(values, 1), values)


@given(st.lists(st.floats(-100, 100, width=32) | st.just(np.nan), min_size=1, max_size=30), st.integers(1, 40))
def test_a_running_mean_is_that_of_the_definition(values, window) -> None:
    known = np.array(values, np.float32)
    expected = []
    for k, value in enumerate(known):
        part = known[max(k - window // 2, 0) : k + (window - 1) // 2 + 1].astype(float)
        expected.append(np.nan if np.isnan(value) else np.nansum(part) / max(1, np.count_nonzero(~np.isnan(part))))
    np.testing.assert_allclose(running_mean(known, window), expected, atol=1e-9)


def test_a_step_is_the_clipped_mean_of_the_difference() -> None:
    first, second = np.full(40, 12, np.float32), np.full(40, 10, np.float32)
    second[::2] = 9.5
    first[7] = 500  # a star
    assert measure_step(first, second, window=0, **LIMITS) == Step(*[pytest.approx((20 * 2.5 + 19 * 2) / 39)] * 2)


def test_fractions_of_a_count_are_kept_without_smoothing() -> None:
    first = np.full(40, 0.75, np.float32)
    assert measure_step(first, np.zeros(40, np.float32), window=0, **LIMITS).measured == 0.75


def test_steps_that_are_large_or_hardly_measured_are_told_but_not_used() -> None:
    zeros = np.zeros(40, np.float32)
    assert measure_step(zeros + 6, zeros, window=5, **LIMITS) == Step(6.0, 0.0)
    few = np.full(40, np.nan, np.float32)
    few[:19] = 2
    assert measure_step(few, zeros, window=5, **LIMITS) == Step(2.0, 0.0)
    few[19] = 2
    assert measure_step(few, zeros, window=5, **LIMITS) == Step(2.0, 2.0)
    few[:] = np.nan
    assert measure_step(few, zeros, window=5, **LIMITS) == Step(0.0, 0.0)
    few[0], other = 1, np.full(40, np.nan, np.float32)
    other[1] = 1
    assert measure_step(few, other, window=5, **LIMITS) == Step(0.0, 0.0)
