"""One-dimensional interpolation through a few knots, with defined behaviour beyond them.

- ``CONSTANT``: steps at the middle between neighbouring knots; below the first step the first value, above each step
the
  average of the knots on both of its sides.
- ``LINEAR``: straight lines, the end ones prolonged.
- ``NATURAL_SPLINE``, ``CUBIC_SPLINE``: the cubic spline without curvature at its ends; beyond them straight lines.
- ``AKIMA_SPLINE``: Akima (1970, J. ACM 17, 589). Beyond the ends a parabola with the end's slope and curvature.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Vector = NDArray[np.float64]
Kind = Literal["CONSTANT", "LINEAR", "NATURAL_SPLINE", "CUBIC_SPLINE", "AKIMA_SPLINE"]
FEWEST_KNOTS = {"CONSTANT": 1, "LINEAR": 2, "NATURAL_SPLINE": 3, "CUBIC_SPLINE": 3, "AKIMA_SPLINE": 5}


def interpolate(knots: ArrayLike, values: ArrayLike, points: ArrayLike, kind: Kind) -> Vector:
    """Interpolate `values` given at increasing `knots` to `points`.

    Raises
    ------
    ValueError
        If the kind is unknown, there are too few knots for it, or they do not increase.
    """
    x, y, at = (np.asarray(each, np.float64) for each in (knots, values, points))
    if kind not in FEWEST_KNOTS:
        raise ValueError(f"no interpolation named {kind!r}: choose one of {', '.join(FEWEST_KNOTS)}")
    if x.size < FEWEST_KNOTS[kind]:
        raise ValueError(f"{kind} needs at least {FEWEST_KNOTS[kind]} knots, got {x.size}")
    if np.any(np.diff(x) <= 0):
        raise ValueError(f"{kind}: knots must increase, got {x}")
    return _METHODS[kind](x, y, at)


def _constant(x: Vector, y: Vector, at: Vector) -> Vector:
    breaks = 0.5 * (x[:-1] + x[1:])
    levels = np.concatenate([y[:1], 0.5 * (y[:-1] + y[1:])])
    return np.asarray(levels[np.searchsorted(breaks, at, side="right")], np.float64)


def _linear(x: Vector, y: Vector, at: Vector) -> Vector:
    segment = _segment(x, at)
    slope = np.diff(y) / np.diff(x)
    return y[segment] + slope[segment] * (at - x[segment])


def _natural(x: Vector, y: Vector, at: Vector) -> Vector:
    width, slope = np.diff(x), np.diff(y) / np.diff(x)
    second = np.zeros_like(y)  # second derivatives at the knots; none at the ends
    matrix = np.diag(2 * (width[:-1] + width[1:])) + np.diag(width[1:-1], 1) + np.diag(width[1:-1], -1)
    second[1:-1] = np.linalg.solve(matrix, 6 * np.diff(slope))
    i = _segment(x, at)
    d = np.clip(at, x[0], x[-1]) - x[i]
    start = slope - width * (2 * second[:-1] + second[1:]) / 6
    inside = y[i] + d * (start[i] + d * (second[i] / 2 + d * (np.diff(second) / width / 6)[i]))
    end = slope[-1] + width[-1] * second[-2] / 6
    outside = start[0] * np.minimum(at - x[0], 0.0) + end * np.maximum(at - x[-1], 0.0)
    return np.asarray(inside + outside, np.float64)


def _akima(x: Vector, y: Vector, at: Vector) -> Vector:
    # Segment i runs from knot i to i + 1; its polynomial serves beyond the ends up to second order only.
    slope, left, right = _akima_slopes(x, y)
    width = np.diff(x)
    second = (3 * slope - 2 * left - right) / width
    third = (left + right - 2 * slope) / width**2
    i = _segment(x, at)
    d = at - x[i]
    inside = y[i] + d * (left[i] + d * (second[i] + d * third[i]))
    above = at - x[-1]
    curvature = 2 * second[-1] + 6 * third[-1] * width[-1]
    beyond = y[-1] + above * (right[-1] + 0.5 * curvature * above)
    before = y[0] + (at - x[0]) * (left[0] + second[0] * (at - x[0]))
    return np.where(at > x[-1], beyond, np.where(at < x[0], before, inside))


def _akima_slopes(x: Vector, y: Vector) -> tuple[Vector, Vector, Vector]:
    """Return the slope of each segment and of the curve at its left and right knot."""
    m = np.diff(y) / np.diff(x)
    low, high = 2 * m[0] - m[1], 2 * m[-1] - m[-2]
    m = np.concatenate([[2 * low - m[0], low], m, [high, 2 * high - m[-1]]])
    before, after = np.abs(np.diff(m))[:-2], np.abs(np.diff(m))[2:]
    total = before + after
    flat = total == 0
    at_knot = (after * m[1:-2] + before * m[2:-1]) / np.where(flat, 1.0, total)
    slope = m[2:-2]
    # Where the weights vanish the slope is that of the segment itself, and a segment that starts so is straight.
    left = np.where(flat[:-1], slope, at_knot[:-1])
    right = np.where(flat[:-1] | flat[1:], slope, at_knot[1:])
    return slope, left, right


def _segment(x: Vector, at: Vector) -> NDArray[np.intp]:
    """Find the segment each point lies in; points beyond the ends belong to the end segments."""
    return np.clip(np.searchsorted(x, at, side="right") - 1, 0, x.size - 2)


_METHODS: dict[str, Callable[[Vector, Vector, Vector], Vector]] = {
    "CONSTANT": _constant,
    "LINEAR": _linear,
    "NATURAL_SPLINE": _natural,
    "CUBIC_SPLINE": _natural,
    "AKIMA_SPLINE": _akima,
}
