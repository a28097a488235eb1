"""Sudden steps of the bias level in the rows of an overscan.

A ramp that is antisymmetric about its jump is laid over the row levels: it answers to a step with a peak of the
step's size. What stands above the noise is a candidate; it is believed if the levels before and after it are flat, so
that a drift is not taken for a step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from isrflow.kernels.runs import runs_of

Levels = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ShiftRules:
    """What counts as a step."""

    filter_order: int = 5
    """Of the Butterworth filter that leaves the noise."""
    cutoff: float = 1.0 / 15.0
    """Its lower end, as a fraction of the Nyquist frequency."""
    window: int = 30
    """Rows on either side of a step that are looked at."""
    threshold: float = 3.0
    """Smallest answer, in units of the noise."""
    skip_rows: int = 30
    """First rows in which no step is looked for."""


class Shift(NamedTuple):
    """One step: its size, the row of the largest answer, and the rows [start, stop) above the threshold."""

    size: float
    row: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class BiasShifts:
    """The steps of one amplifier, and the noise of its row levels that they are measured by."""

    noise: float = 0.0
    shifts: tuple[Shift, ...] = ()


def find_bias_shifts(levels: NDArray[Any], rules: ShiftRules) -> BiasShifts:
    """Find steps in the levels of rows.

    Parameters
    ----------
    levels
        Shape (rows,): the mean of each row of the overscan before a model was subtracted.
    rules
        What counts as a step.

    Raises
    ------
    ValueError
        If there are fewer rows than the windows on both sides of a step, or the filter, need.
    """
    needed = max(2 * rules.window, 3 * (rules.filter_order + 1) + 1)
    if len(levels) < needed:
        raise ValueError(f"{len(levels)} rows are too few to find steps in: window and filter need {needed}")
    noise = float(np.std(_high_passed(levels, rules)))
    answer = _answer(levels, rules.window)
    above = np.abs(answer) > rules.threshold * noise
    above[: rules.skip_rows] = False
    found = (_largest(answer, start, stop) for start, stop in runs_of(above))
    return BiasShifts(noise, tuple(shift for shift in found if _stands_between_flats(levels, shift, rules.window)))


def _high_passed(levels: Levels, rules: ShiftRules) -> Levels:
    """Take slow variations out, forwards and backwards, so that nothing is displaced."""
    from scipy import signal  # a third of a second, and rarely needed

    numerator, denominator = signal.butter(rules.filter_order, rules.cutoff, btype="high")
    return np.asarray(signal.filtfilt(numerator, denominator, levels))


def _answer(levels: Levels, window: int) -> Levels:
    """Convolve with the antisymmetric ramp; rows without a whole window on both sides answer zero."""
    ramp = np.arange(window, dtype=np.float64)
    kernel = np.concatenate([ramp, -ramp[::-1]]) / ramp.sum()
    return np.pad(np.convolve(levels, kernel, "valid"), (window, window - 1))


def _largest(answer: Levels, start: int, stop: int) -> Shift:
    row = start + int(np.argmax(np.abs(answer[start:stop])))
    return Shift(float(answer[row]), row, start, stop)


def _stands_between_flats(levels: Levels, shift: Shift, window: int) -> bool:
    """Tell whether straight lines through the rows before and after rise by less than half the step."""
    sides = levels[max(shift.row - window, 0) : shift.row], levels[shift.row : shift.row + window]
    rises = [2.0 * _slope(side) * window for side in sides]
    return all(rise < shift.size for rise in rises) if shift.size > 0 else all(rise > shift.size for rise in rises)


def _slope(levels: Levels) -> float:
    return float(np.polynomial.polynomial.polyfit(np.arange(len(levels)), levels, 1)[1])
