"""Crosstalk between amplifiers, by hand and against a slow sum over whole sections."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isrflow.kernels.coupling import AmplifierGrid, Coupling
from isrflow.kernels.crosstalk import (
    subtract_crosstalk,
    subtract_crosstalk_marking_subtrahend,
)

BIT = 1 << 11
LOWER, UPPER = slice(0, 2), slice(2, 4)
LEFT, RIGHT = slice(0, 3), slice(3, 6)
SECTIONS = [(LOWER, LEFT), (LOWER, RIGHT), (UPPER, LEFT), (UPPER, RIGHT)]
FLIPS = [(False, False), (False, True), (True, False), (True, True)]
GRID = AmplifierGrid(SECTIONS, FLIPS)


def picture(level=0.0):
    return np.full((4, 6), level, np.float32), np.zeros((4, 6), np.int32), np.ones((4, 6), np.float32)


def towards_corner(section, flips):
    return section[:: -1 if flips[0] else 1, :: -1 if flips[1] else 1]


def test_a_star_is_seen_at_the_same_distance_from_the_other_readout_corners() -> None:
    image, mask, variance = planes = picture()
    image[0, 1] = 50000
    coupling = np.zeros((4, 4))
    coupling[0, 1:] = [2**-10, 2**-9, 2**-8]
    subtract_crosstalk(planes, GRID, Coupling(coupling), bit=BIT, threshold=45000)
    expected = np.zeros((4, 6), np.float32)
    expected[0, 1] = 50000
    expected[0, 4], expected[3, 1], expected[3, 4] = -50000 / 1024, -50000 / 512, -50000 / 256
    assert np.array_equal(image, expected)
    assert np.argwhere(mask & BIT).tolist() == [[0, 4], [3, 1], [3, 4]]
    assert variance[2:, :3] == pytest.approx(np.full((2, 3), 1 + 2**-18))


def test_the_background_does_not_cross_and_the_square_may() -> None:
    image, *_ = planes = picture(100)
    image[LOWER, LEFT] = 300
    coupling, square = np.zeros((4, 4)), np.zeros((4, 4))
    coupling[0, 1], square[0, 1] = 0.5, 0.01
    subtract_crosstalk(planes, GRID, Coupling(coupling, square, np.full(4, 100.0)), bit=BIT, threshold=np.inf)
    assert np.all(image[LOWER, RIGHT] == 100 - 0.5 * 200 - np.float32(0.01) * 200**2)
    assert np.all(image[UPPER] == 100)


def test_pairs_with_a_linear_coefficient_of_zero_or_nan_do_not_couple_at_all() -> None:
    image, *_ = planes = picture(100)
    image[0, 0] = np.nan
    coupling = np.zeros((4, 4))
    coupling[0, 1] = np.nan
    subtract_crosstalk(planes, GRID, Coupling(coupling, np.ones((4, 4))), bit=BIT, threshold=np.inf)
    assert np.count_nonzero(image == 100) == 23


def test_bits_set_before_move_from_the_source_to_what_received_from_it() -> None:
    image, mask, variance = picture(1)
    mask[3, 5] = BIT | 2
    coupling = np.zeros((4, 4))
    coupling[3, 0] = 1e-6
    subtract_crosstalk((image, mask, variance), GRID, Coupling(coupling), bit=BIT, threshold=np.inf)
    assert np.argwhere(mask & BIT).tolist() == [[0, 0]]
    assert mask[3, 5] == 2


def test_pixels_of_no_amplifier_are_left_alone_and_lose_the_bit() -> None:
    image, mask, variance = picture(10)
    mask[:] = BIT
    grid = AmplifierGrid([(LOWER, slice(0, 2)), (LOWER, slice(4, 6))], FLIPS[:2])
    subtract_crosstalk((image, mask, variance), grid, Coupling(np.array([[0, 0.1], [0, 0]])), bit=BIT, threshold=np.inf)
    assert np.array_equal(np.unique(np.argwhere(mask & BIT)[:, 1]), [4, 5])
    assert np.all(image[2:] == 10)


def test_another_detector_as_source_is_left_untouched() -> None:
    target, source = picture(10), picture(1000)
    before = [plane.copy() for plane in source]
    subtract_crosstalk(target, GRID, Coupling(np.full((4, 4), 1e-3)), bit=BIT, threshold=500, source=source)
    assert all(np.array_equal(a, b) for a, b in zip(source, before, strict=True))
    assert target[0] == pytest.approx(np.full((4, 6), 6))
    assert np.all(target[1] == BIT)


@given(st.integers(0, 2**32 - 1), st.booleans())
def test_one_pass_over_rows_equals_the_sum_over_sections(seed, square) -> None:
    rng = np.random.default_rng(seed)
    image, _, _ = planes = picture()
    image[:] = rng.normal(1000, 300, image.shape)
    linear = rng.normal(0, 1e-2, (4, 4)) * (rng.random((4, 4)) < 0.7)
    quadratic = rng.normal(0, 1e-6, (4, 4)) if square else None
    found = image.astype(float)
    for t in range(4):
        for s in range(4):
            signal = towards_corner(towards_corner(image[SECTIONS[s]].astype(float), FLIPS[s]), FLIPS[t])
            found[SECTIONS[t]] -= linear[s, t] * signal
            if square and linear[s, t]:
                found[SECTIONS[t]] -= quadratic[s, t] * signal**2
    subtract_crosstalk(planes, GRID, Coupling(linear, quadratic), bit=BIT, threshold=np.inf)
    np.testing.assert_allclose(image, found, rtol=1e-5)  # float32 sums of up to eight terms


def test_marking_by_what_is_subtracted_allows_for_the_median_and_keeps_the_variance_when_told() -> None:
    image, mask, variance = planes = picture(1000)
    image[0, 0] = 3000
    coupling = np.zeros((4, 4))
    coupling[0, 1] = 0.01
    subtract_crosstalk_marking_subtrahend(
        planes, GRID, Coupling(coupling), bit=BIT, threshold=5, levels=SECTIONS, with_variance=False
    )
    assert np.argwhere(mask & BIT).tolist() == [[0, 5]]
    assert image[0, 5] == 970
    assert image[1, 5] == 990
    assert np.all(variance == 1)


def test_amplifiers_of_different_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"one size.*\(2, 2\), \(2, 3\)"):
        AmplifierGrid([(LOWER, LEFT), (LOWER, slice(3, 5))], FLIPS[:2])
