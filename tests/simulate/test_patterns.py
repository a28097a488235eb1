"""Patterns of light and level."""

from __future__ import annotations

import numpy as np
import pytest

from isrflow.frame.camera import load_camera
from isrflow.simulate.patterns import amplifier_steps, fringe_pattern, lamp_pattern, stray_pattern

DETECTOR = load_camera("lupine").detectors[2]


def test_fringes_have_mean_zero_and_spread_one():
    pattern = fringe_pattern(DETECTOR, 1)
    assert abs(pattern.mean(dtype=np.float64)) < 1e-6
    assert pattern.std(dtype=np.float64) == pytest.approx(1, abs=1e-6)
    assert np.count_nonzero(np.diff(np.sign(pattern[500]))) > 10  # they are fringes, not a slope


def test_stray_light_is_light():
    pattern = stray_pattern(DETECTOR, 1)
    assert pattern.min() >= 0
    assert 0.3 < pattern.max() <= 1


def test_a_lamp_is_uneven_about_zero():
    assert abs(lamp_pattern(DETECTOR, 1).mean(dtype=np.float64)) < 1e-6


def test_steps_differ_from_exposure_to_exposure_and_sum_to_zero():
    first, second = (amplifier_steps(DETECTOR, 1, exposure) for exposure in (1, 2))
    assert sum(first.values()) == pytest.approx(0, abs=1e-12)
    assert first != second
    assert first == amplifier_steps(DETECTOR, 1, 1)


@pytest.mark.parametrize("pattern", [fringe_pattern, stray_pattern, lamp_pattern])
def test_detectors_differ_and_the_same_seed_gives_the_same_pattern(pattern):
    other = load_camera("lupine").detectors[3]
    assert np.array_equal(pattern(DETECTOR, 1), pattern(DETECTOR, 1))
    assert not np.array_equal(pattern(DETECTOR, 1), pattern(other, 1))
