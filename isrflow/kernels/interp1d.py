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
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Vector = NDArray[np.float64]
Kind = Literal["CONSTANT", "LINEAR", "NATURAL_SPLINE", "CUBIC_SPLINE", "AKIMA_SPLINE"]
FEWEST_KNOTS = {"CONSTANT": 1, "LINEAR": 2, "NATURAL_SPLINE": 3, "CUBIC_SPLINE": 3, "AKIMA_SPLINE": 5}


class Pieces(NamedTuple):
    """A curve as polynomials, or many curves with the same knots."""

    breaks: Vector
    """(n - 1,) increasing; a break belongs to the piece above it."""
    origins: Vector
    """(n,) where each piece's polynomial counts from."""
    coefficients: Vector
    """(..., n, 4) of the powers 0 to 3 of the distance from the origin."""


def interpolate(knots: ArrayLike, values: ArrayLike, points: ArrayLike, kind: Kind) -> Vector:
    """Interpolate `values` given at increasing `knots` to `points`; errors as for `pieces_of`."""
    at = np.asarray(points, np.float64)
    breaks, origins, coefficients = pieces_of(knots, values, kind)
    piece = np.searchsorted(breaks, at, side="right")
    d, c = at - origins[piece], coefficients[piece]
    return np.asarray(c[..., 0] + d * (c[..., 1] + d * (c[..., 2] + d * c[..., 3])), np.float64)


def pieces_of(knots: ArrayLike, values: ArrayLike, kind: Kind) -> Pieces:
    """Find the polynomials that `interpolate` follows.

    Parameters
    ----------
    knots
        (n,) increasing.
    values
        (..., n): one curve, or many with the same knots.
    kind
        As listed at the top of this module.

    Raises
    ------
    ValueError
        If the kind is unknown, there are too few knots for it, or they do not increase.
    """
    x, y = (np.asarray(each, np.float64) for each in (knots, values))
    if kind not in FEWEST_KNOTS:
        raise ValueError(f"no interpolation named {kind!r}: choose one of {', '.join(FEWEST_KNOTS)}")
    if x.size < FEWEST_KNOTS[kind]:
        raise ValueError(f"{kind} needs at least {FEWEST_KNOTS[kind]} knots, got {x.size}")
    if np.any(np.diff(x) <= 0):
        raise ValueError(f"{kind}: knots must increase, got {x}")
    return _METHODS[kind](x, y)


def _constant(x: Vector, y: Vector) -> Pieces:
    levels = np.concatenate([y[..., :1], 0.5 * (y[..., :-1] + y[..., 1:])], axis=-1)
    return Pieces(0.5 * (x[:-1] + x[1:]), np.zeros(x.size), _powers(levels))


def _linear(x: Vector, y: Vector) -> Pieces:
    return Pieces(x[1:-1], x[:-1], _powers(y[..., :-1], np.diff(y) / np.diff(x)))


def _natural(x: Vector, y: Vector) -> Pieces:
    width, slope = np.diff(x), np.diff(y) / np.diff(x)
    second = np.zeros_like(y)  # second derivatives at the knots; none at the ends
    matrix = np.diag(2 * (width[:-1] + width[1:])) + np.diag(width[1:-1], 1) + np.diag(width[1:-1], -1)
    second[..., 1:-1] = np.linalg.solve(matrix, 6 * np.diff(slope)[..., None])[..., 0]
    start = slope - width * (2 * second[..., :-1] + second[..., 1:]) / 6
    inside = _powers(y[..., :-1], start, second[..., :-1] / 2, np.diff(second) / width / 6)
    end = slope[..., -1:] + width[-1] * second[..., -2:-1] / 6
    return _between(x, _powers(y[..., :1], start[..., :1]), inside, _powers(y[..., -1:], end))


def _akima(x: Vector, y: Vector) -> Pieces:
    # Segment i runs from knot i to i + 1; its polynomial serves beyond the ends up to second order only.
    slope, left, right = _akima_slopes(x, y)
    width = np.diff(x)
    second = (3 * slope - 2 * left - right) / width
    third = (left + right - 2 * slope) / width**2
    inside = _powers(y[..., :-1], left, second, third)
    before = _powers(y[..., :1], left[..., :1], second[..., :1])
    curvature = 2 * second[..., -1:] + 6 * third[..., -1:] * width[-1]
    return _between(x, before, inside, _powers(y[..., -1:], right[..., -1:], 0.5 * curvature))


def _akima_slopes(x: Vector, y: Vector) -> tuple[Vector, Vector, Vector]:
    """Return the slope of each segment and of the curve at its left and right knot."""
    m = np.diff(y) / np.diff(x)
    low, high = 2 * m[..., :1] - m[..., 1:2], 2 * m[..., -1:] - m[..., -2:-1]
    m = np.concatenate([2 * low - m[..., :1], low, m, high, 2 * high - m[..., -1:]], axis=-1)
    before, after = np.abs(np.diff(m))[..., :-2], np.abs(np.diff(m))[..., 2:]
    total = before + after
    flat = total == 0
    at_knot = (after * m[..., 1:-2] + before * m[..., 2:-1]) / np.where(flat, 1.0, total)
    slope = m[..., 2:-2]
    # Where the weights vanish the slope is that of the segment itself, and a segment that starts so is straight.
    left = np.where(flat[..., :-1], slope, at_knot[..., :-1])
    right = np.where(flat[..., :-1] | flat[..., 1:], slope, at_knot[..., 1:])
    return slope, left, right


def _powers(*coefficients: Vector) -> Vector:
    """Stack coefficients, lowest power first, as polynomials of third degree."""
    missing = [np.zeros_like(coefficients[0])] * (4 - len(coefficients))
    return np.stack([*coefficients, *missing], axis=-1)


def _between(x: Vector, before: Vector, inside: Vector, after: Vector) -> Pieces:
    """Put the curve between the knots together with what it does before the first and after the last."""
    origins = np.concatenate([x[:1], x])
    return Pieces(x, origins, np.concatenate([before, inside, after], axis=-2))


_METHODS: dict[str, Callable[[Vector, Vector], Pieces]] = {
    "CONSTANT": _constant,
    "LINEAR": _linear,
    "NATURAL_SPLINE": _natural,
    "CUBIC_SPLINE": _natural,
    "AKIMA_SPLINE": _akima,
}
