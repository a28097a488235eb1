"""Steps of the bias level."""

from __future__ import annotations

import numpy as np
import pytest

from isrflow.kernels.bias_shift import BiasShifts, ShiftRules, find_bias_shifts


def levels(n: int = 300, step: float = 0.0, at: int = 150, slope: float = 0.0) -> np.ndarray:
    found = np.random.default_rng(3).normal(1000.0, 1.0, n) + slope * np.arange(n)
    found[at:] += step
    return found


@pytest.mark.parametrize("step", [20.0, -20.0])
def test_a_step_is_found_with_its_size_and_row(step) -> None:
    found = find_bias_shifts(levels(step=step), ShiftRules())
    (shift,) = found.shifts
    # the ramp gives rows close to the step most weight: an error of sqrt(2 * sum(i**2)) / sum(i) = 0.3
    assert shift.size == pytest.approx(step, abs=1.5)
    assert abs(shift.row - 150) <= 1
    assert shift.start <= shift.row < shift.stop


def test_noise_alone_has_no_steps() -> None:
    found = find_bias_shifts(levels(3000), ShiftRules())
    assert found.shifts == ()
    # what passes the filter is white noise without its lowest fifteenth; 3000 values tell it to 2 percent
    assert found.noise == pytest.approx(np.sqrt(14 / 15), rel=0.05)


def test_a_noiseless_step_answers_with_its_size() -> None:
    clean = np.zeros(200)
    clean[100:] = 8.0
    (shift,) = find_bias_shifts(clean, ShiftRules()).shifts
    assert shift.size == pytest.approx(8.0)
    assert shift.row == 100


def test_a_drift_is_not_a_step() -> None:
    found = find_bias_shifts(levels(slope=0.5), ShiftRules())
    assert found.shifts == ()  # the ramp answers with more than ten times the noise, but nothing is flat


def test_the_first_rows_are_skipped() -> None:
    assert find_bias_shifts(levels(step=30.0, at=60), ShiftRules(skip_rows=120)).shifts == ()


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="50 rows are too few to find steps in: window and filter need 60"):
        find_bias_shifts(np.zeros(50), ShiftRules())


def test_nothing_is_found_of_nothing() -> None:
    assert BiasShifts() == BiasShifts(0.0, ())
