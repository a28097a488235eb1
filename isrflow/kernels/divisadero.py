"""The tearing of thick sensors: columns at the borders of amplifiers that collect too much or too little charge.

In flat light the columns on either side of an amplifier's border differ from a straight line through the rest by up to
a few percent, in opposite directions ("divisadero", after the crooked street).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Response = NDArray[np.float64]

_N_SIGMA = 3.0
_MOST_PASSES = 5


@dataclass(frozen=True, slots=True)
class Divisadero:
    """Column response of one amplifier, and its largest departures from one near its left and right edge."""

    response: Response
    left: float
    right: float
    at_borders: float
    """The largest of those at edges shared with other amplifiers, on either side of them; NaN without any."""


def measure_borders(
    responses: Mapping[str, Response], n: int, borders: Sequence[tuple[str, str]]
) -> dict[str, Divisadero]:
    """Compare the responses at both sides of the borders between amplifiers.

    Parameters
    ----------
    responses
        Of every amplifier, by name.
    n
        Columns on each side that count as the border.
    borders
        Names of amplifiers that touch: the left one, the right one.
    """
    edges = {name: edge_excess(response, n) for name, response in responses.items()}
    largest = dict.fromkeys(edges, math.nan)
    for left, right in borders:
        here = np.fmax(edges[left][1], edges[right][0])
        for name in (left, right):
            largest[name] = float(np.fmax(largest[name], here))
    return {name: Divisadero(responses[name], *edges[name], largest[name]) for name in responses}


def column_response(rows: NDArray[Any], edge: int) -> Response:
    """Return the response of each column relative to a straight line through all but the outer ones.

    Parameters
    ----------
    rows
        Rows of one amplifier that are evenly lit, (n, width).
    edge
        Columns on each side that the line is not fitted to.

    Returns
    -------
    array
        (width,); NaN for a column without a finite pixel, and everywhere if fewer than two others are left.

    Raises
    ------
    ValueError
        If there are no rows, or fewer than two columns are left for the line.
    """
    width = rows.shape[1]
    if rows.shape[0] == 0 or width - 2 * edge < 2:
        raise ValueError(f"{rows.shape[0]} rows of {width} columns, {edge} on either side left out: nothing to fit")
    profile = clipped_column_means(rows)
    columns = np.arange(width)
    fitted = columns[edge : width - edge][np.isfinite(profile[edge : width - edge])]
    if fitted.size < 2:
        return np.full(width, np.nan)
    profile = profile / np.nanmedian(profile)
    line = np.polynomial.Polynomial.fit(fitted, profile[fitted], 1)
    return np.asarray(profile / line(columns))


def clipped_column_means(rows: NDArray[Any]) -> NDArray[Any]:
    """Average columns after clipping at three (population) standard deviations from the median, at most five times.

    Returns
    -------
    array
        (width,), in the dtype of `rows`; NaN for a column without a finite pixel.
    """
    kept = np.array(rows, order="C")
    kept[~np.isfinite(kept)] = np.nan
    alive = np.flatnonzero(np.isfinite(kept).any(axis=0))
    for _ in range(_MOST_PASSES):
        if alive.size == 0:
            break
        some = kept[:, alive].astype(np.float64)
        width = _N_SIGMA * np.nanstd(some, axis=0)
        outside = np.abs(some - np.nanmedian(some, axis=0)) > width  # NaN is never outside
        alive = alive[outside.any(axis=0)]
        kept[:, alive] = np.where(outside[:, outside.any(axis=0)], np.nan, kept[:, alive])
    counts = np.isfinite(kept).sum(axis=0)
    sums = np.nansum(kept, axis=0)
    means = np.full(rows.shape[1], np.nan, rows.dtype)
    np.divide(sums, counts, out=means, where=counts > 0, casting="same_kind")
    return means


def edge_excess(response: Response, n: int) -> tuple[float, float]:
    """Return the largest departure from one among the first and among the last `n` columns."""
    if n < 1 or n > response.size:
        raise ValueError(f"{n} columns are not the edge of {response.size}")
    departure = np.abs(response - 1.0)
    return float(departure[:n].max()), float(departure[-n:].max())
