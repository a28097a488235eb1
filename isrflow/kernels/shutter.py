"""The middle of a shutter blade's motion, from a fit of three constant jerks.

The blade accelerates with jerk ``j0`` until the first pivot, then with ``j1`` through the middle until the second.
"""

from __future__ import annotations

import math
from collections.abc import Callable

_N_STEPS, _TOLERANCE_S = 50, 1.48e-8


def midpoint_of_acceleration(pivots_s: tuple[float, float], jerks: tuple[float, float]) -> float:
    """Return the time (s after the fit's start) between the pivots at which the acceleration is zero; NaN if none."""
    acceleration, _, _ = _coefficients(pivots_s[0], jerks)
    start = 0.5 * (pivots_s[0] + pivots_s[1])
    return _root(lambda t: acceleration + jerks[1] * t, lambda _: jerks[1], start)


def midpoint_of_position(
    pivots_s: tuple[float, float], jerks: tuple[float, float], ends_mm: tuple[float, float]
) -> float:
    """Return the time (s after the fit's start) at which the blade is half-way between its ends; NaN if never.

    Parameters
    ----------
    pivots_s
        First and second pivot, after the fit's start.
    jerks
        mm/s^3 before the first and before the second pivot.
    ends_mm
        Positions at start and end.
    """
    start = midpoint_of_acceleration(pivots_s, jerks)
    a, v, s = _coefficients(pivots_s[0], jerks)
    j, middle = jerks[1], 0.5 * (ends_mm[0] + ends_mm[1])
    # The blade moves by j1 t^3 / 6 + a t^2 / 2 + v t + s.
    return _root(
        lambda t: j * t**3 / 6.0 + a * t**2 / 2.0 + v * t + s - middle,
        lambda t: j * t**2 / 2.0 + a * t + v,
        start,
    )


def _coefficients(t1: float, jerks: tuple[float, float]) -> tuple[float, float, float]:
    """Return acceleration, velocity and position that the second piece would have had at the fit's start."""
    j0, j1 = jerks
    a = j0 * t1 - j1 * t1
    v = t1**2 * (j0 - j1) / 2.0 - t1 * a
    s = t1**3 * (j0 - j1) / 6.0 - t1**2 * a / 2.0 - t1 * v
    return a, v, s


def _root(function: Callable[[float], float], slope: Callable[[float], float], start: float) -> float:
    """Follow tangents to a root; NaN where they do not lead to one."""
    at = start
    for _ in range(_N_STEPS):
        if not math.isfinite(at) or slope(at) == 0:
            return math.nan
        step = function(at) / slope(at)
        at -= step
        if abs(step) < _TOLERANCE_S:
            return at
    return math.nan
