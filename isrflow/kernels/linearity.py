"""Corrections of a non-linear response, in place on the image of one amplifier.

Polynomial, squared and tabulated corrections are added; splines give what is to be subtracted. Each function tells
whether it could correct. NaN pixels stay NaN. The kernels run on one core: amplifiers are dealt out to threads.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isrflow.kernels.layout import Float32, Float64, whole_rows

SPLINE_MARGIN = 0.1
"""How far below its last node a spline stops being followed, so that the end segment is never extrapolated."""
DOUBLE_SPLINE_MARGIN = 0.01


def correct_squared(image: Float32, coefficient: float) -> bool:
    """Apply ``u * (1 + c u)``; false if the coefficient is zero or not finite.

    Parameters
    ----------
    image
        (ny, nx), changed in place.
    coefficient
        In units of 1 / image unit.
    """
    if coefficient == 0.0 or not np.isfinite(coefficient):
        return False
    _squared(whole_rows(image), image.shape[1], float(coefficient))
    return True


def correct_polynomial(image: Float32, coefficients: Sequence[float] | Float64) -> bool:
    """Apply ``u + c0 u**2 + c1 u**3 + ...``; false if no coefficient is finite or all are zero.

    Parameters
    ----------
    image
        (ny, nx), changed in place.
    coefficients
        From the second order up.
    """
    c = np.asarray(coefficients, np.float64)
    if not np.isfinite(c).any() or not c.any():
        return False
    _polynomial(whole_rows(image), image.shape[1], c)
    return True


def correct_spline(image: Float32, nodes: Float64, values: Float64, *, scale: float = 1.0) -> bool:
    """Subtract an Akima spline of the image; false, and all NaN, if a node or value is not finite.

    Parameters
    ----------
    image
        (ny, nx), changed in place.
    nodes, values
        Levels and what to subtract there. The curve is shifted to begin with zero, and made to begin at level zero.
    scale
        Multiplies nodes and values: the gain, when they are in adu and the image in electrons.
    """
    x, y = np.asarray(nodes, np.float64) * scale, np.asarray(values, np.float64) * scale
    if y[0] != 0.0:
        y = y - y[0]
    if x[0] != 0.0:
        x, y = np.r_[0.0, x], np.r_[0.0, y]
    return _subtract_akima(image, x, y, SPLINE_MARGIN)


def correct_double_spline(image: Float32, coefficients: Sequence[float] | Float64, *, scale: float = 1.0) -> bool:
    """Subtract an amplifier-relative and then an absolute Akima spline; false, and all NaN, if a number is not finite.

    Parameters
    ----------
    image
        (ny, nx), changed in place.
    coefficients
        ``[n1, n2, nodes1, values1, nodes2, values2, padding]``.
    scale
        As for `correct_spline`.
    """
    c = np.asarray(coefficients, np.float64)
    if not np.isfinite(c[:2]).all():
        image[...] = np.nan
        return False
    n1, n2 = int(c[0]), int(c[1])
    start = 2
    for n in (n1, n2):
        x, y = c[start : start + n] * scale, c[start + n : start + 2 * n] * scale
        start += 2 * n
        if n > 0 and not _subtract_akima(image, x, y, DOUBLE_SPLINE_MARGIN):
            return False
    return True


def correct_by_table(image: Float32, table: Float32, offset: float) -> int:
    """Add ``table[int(offset + u)]`` to every pixel, in place.

    Parameters
    ----------
    image
        (ny, nx), changed in place.
    table
        One-dimensional, in the unit of the image.
    offset
        Index of level zero.

    Returns
    -------
    int
        How many pixels lay outside the table: they take its nearest end, and NaN pixels stay as they are.
    """
    outside = np.zeros(image.shape[0], np.int64)
    entries = np.ascontiguousarray(table, np.float32)
    _table(whole_rows(image), image.shape[1], entries, float(offset), outside)
    return int(outside.sum())


def akima_pieces(x: Float64, y: Float64) -> Float64:
    """Find the cubic of each segment of an Akima spline.

    Parameters
    ----------
    x, y
        (n,) strictly increasing nodes, n > 1, and values.

    Returns
    -------
    ndarray
        (n - 1, 4) coefficients of the powers 0, 1, 2, 3 of the distance from the segment's left node.

    Raises
    ------
    ValueError
        If the nodes do not increase.

    References
    ----------
    Akima, H., 1970, Journal of the ACM 17, 589. Where both weights of a node vanish, its slope is the mean of those
    beside it; vanishing means less than 1e-9 of the largest.
    """
    step = np.diff(x)
    if x.size < 2 or not (step > 0).all():
        raise ValueError(f"spline nodes must increase, got {x.tolist()}")
    slopes = np.diff(y) / step
    at_node = np.repeat(slopes, 2) if x.size == 2 else _node_slopes(slopes)
    bend = (at_node[:-1] + at_node[1:] - 2 * slopes) / step
    return np.stack([y[:-1], at_node[:-1], (slopes - at_node[:-1]) / step - bend, bend / step], axis=1)


def _node_slopes(slopes: Float64) -> Float64:
    m = np.empty(slopes.size + 4)
    m[2:-2] = slopes
    m[1], m[0] = _extended(m[2], m[3])
    m[-2], m[-1] = _extended(m[-3], m[-4])
    change = np.abs(np.diff(m))
    right, left = change[2:], change[:-2]
    weight = right + left
    result: Float64 = 0.5 * (m[3:] + m[:-3])
    sure = weight > 1e-9 * weight.max()
    inside = m[1:-2]
    result[sure] = (inside + np.divide(left, weight, out=np.zeros_like(left), where=sure) * (m[2:-1] - inside))[sure]
    return result


def _extended(nearest: float, next_one: float) -> tuple[float, float]:
    """Continue slopes in a straight line: the two beyond an end."""
    first = 2.0 * nearest - next_one
    return first, 2.0 * first - nearest


def _subtract_akima(image: Float32, x: Float64, y: Float64, margin: float) -> bool:
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        image[...] = np.nan
        return False
    _akima(whole_rows(image), image.shape[1], np.ascontiguousarray(x), akima_pieces(x, y), float(x[-1] - margin))
    return True


@njit(cache=True, nogil=True)
def _squared(image: Float32, width: int, coefficient: float) -> None:
    for y in range(image.shape[0]):
        for x in range(width):
            level = np.float64(image[y, x])
            image[y, x] = np.float32(level * (1.0 + coefficient * level))


@njit(cache=True, nogil=True)
def _polynomial(image: Float32, width: int, coefficients: Float64) -> None:
    for y in range(image.shape[0]):
        for x in range(width):
            level = np.float64(image[y, x])
            # Powers and the running correction are rounded to float32, the products are not.
            power, correction = level, np.float32(0)
            for k in range(coefficients.size):
                power *= level
                correction = np.float32(correction + coefficients[k] * np.float64(np.float32(power)))
            image[y, x] += correction


@njit(cache=True, nogil=True)
def _akima(image: Float32, width: int, nodes: Float64, pieces: Float64, highest: float) -> None:
    last = nodes.size - 2
    for y in range(image.shape[0]):
        segment = 0
        for x in range(width):
            level = np.float64(image[y, x])
            at = min(max(level, nodes[0]), highest)
            # Neighbouring pixels mostly lie in one segment, so the search starts where the last one ended.
            while segment < last and at >= nodes[segment + 1]:
                segment += 1
            while segment > 0 and at < nodes[segment]:
                segment -= 1
            step = at - nodes[segment]
            square = step * step
            piece = pieces[segment]
            image[y, x] = np.float32(
                level - (piece[0] + piece[1] * step + piece[2] * square + piece[3] * (square * step))
            )


@njit(cache=True, nogil=True)
def _table(image: Float32, width: int, table: Float32, offset: float, outside: NDArray[np.int64]) -> None:
    top = table.size - 1
    for y in range(image.shape[0]):
        for x in range(width):
            place = offset + np.float64(image[y, x])
            if not place > -1.0:  # also NaN; truncation is toward zero, so everything above -1 has an entry
                outside[y] += 1
                if place <= -1.0:
                    image[y, x] += table[0]
            elif place >= top + 1.0:
                outside[y] += 1
                image[y, x] += table[top]
            else:
                image[y, x] += table[int(place)]
