"""A smooth background: clipped means of a grid of cells, and the surface through them.

Along both axes the surface is an Akima spline if there are at least five cells, else the best curve their number
allows: natural cubic spline, straight line, constant. Cells without any usable pixel are left out, so that every
column of cells, and then all rows, may have fewer.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numba import prange
from numpy.typing import NDArray

from isrflow.kernels.interp1d import FEWEST_KNOTS, Kind, Pieces, interpolate, pieces_of
from isrflow.kernels.layout import Float32, Float64, Int32, whole_rows
from isrflow.kernels.statistics import clip
from isrflow.kernels.threads import map_in_threads, parallel_njit

_KINDS: dict[int, Kind] = {1: "CONSTANT", 2: "LINEAR", 3: "NATURAL_SPLINE", 4: "NATURAL_SPLINE"}


def subtract_surface(image: Float32, mask: Int32, exclude_bits: int, n_cells: tuple[int, int]) -> bool:
    """Subtract the background surface of an image, in place.

    Parameters
    ----------
    image
        (ny, nx) float32.
    mask
        (ny, nx) int32, left untouched; pixels with any of `exclude_bits`, and those that are not finite, do not count.
    n_cells
        Number of cells along x and y.

    Returns
    -------
    bool
        False, and nothing is subtracted, if no pixel counts.
    """
    edges_y, edges_x = (cell_edges(size, n) for size, n in zip(image.shape, n_cells[::-1], strict=True))
    levels = measure_cells(image, mask, exclude_bits, edges_x, edges_y)
    filled = np.flatnonzero(np.isfinite(levels).any(axis=0))
    if filled.size == 0:
        return False
    kind = _kind_for(min(n_cells))
    rows = np.arange(image.shape[0])
    columns = np.stack([_along_y(levels[:, i], edges_y, rows, kind) for i in filled], axis=1)
    along_x = pieces_of(_nodes(edges_x)[filled], columns, _fitting(kind, filled.size))
    _subtract(whole_rows(image), *_on_pixels(along_x, image.shape[1]))
    return True


def cell_edges(size: int, n: int) -> NDArray[np.int64]:
    """Divide `size` pixels into `n` cells as evenly as whole numbers allow: the (n + 1,) edges."""
    ends = (np.arange(1, n + 1) * size + n // 2) // n
    return np.concatenate([[0], np.minimum(ends, size)])


def measure_cells(
    image: Float32, mask: Int32, exclude_bits: int, edges_x: NDArray[np.int64], edges_y: NDArray[np.int64]
) -> Float64:
    """Return the clipped mean of every cell, rounded to float32; NaN where no pixel counts."""

    def level(cell: tuple[slice, slice]) -> float:
        pixels = image[cell]
        if pixels.size == 0:
            return np.nan
        return float(np.float32(clip(pixels, exclude=mask[cell] & exclude_bits != 0).mean))

    spans_y, spans_x = (
        [slice(first, after) for first, after in pairwise(edges.tolist())] for edges in (edges_y, edges_x)
    )
    levels = map_in_threads(level, [(y, x) for y in spans_y for x in spans_x])
    return np.array(levels).reshape(len(spans_y), len(spans_x))


def _kind_for(n: int) -> Kind:
    return _KINDS.get(n, "AKIMA_SPLINE")


def _fitting(kind: Kind, n: int) -> Kind:
    """Return the kind, or the best one that so few nodes allow."""
    return kind if n >= FEWEST_KNOTS[kind] else _kind_for(n)


def _nodes(edges: NDArray[np.int64]) -> Float64:
    return edges[:-1] + np.diff(edges) / 2 - 0.5


def _along_y(levels: Float64, edges: NDArray[np.int64], rows: NDArray[np.int64], kind: Kind) -> Float64:
    """Interpolate one column of cells at every row of pixels."""
    known = np.isfinite(levels)
    return interpolate(_nodes(edges)[known], levels[known], rows, _fitting(kind, int(known.sum())))


def _on_pixels(pieces: Pieces, width: int) -> tuple[NDArray[np.int64], Float64, Float64]:
    """Return the first pixel of each piece (and the width), origins and coefficients."""
    firsts = np.clip(np.ceil(pieces.breaks), 0, width).astype(np.int64)
    return np.concatenate([[0], firsts, [width]]), pieces.origins, np.ascontiguousarray(pieces.coefficients)


@parallel_njit()
def _subtract(image: Float32, firsts: NDArray[np.int64], origins: Float64, coefficients: Float64) -> None:
    for y in prange(image.shape[0]):
        for piece in range(origins.size):
            c0, c1, c2, c3 = coefficients[y, piece]
            first = firsts[piece]
            row = image[y, first : firsts[piece + 1]]
            start = first - origins[piece]
            for i in range(row.size):
                d = start + i
                row[i] -= np.float32(c0 + d * (c1 + d * (c2 + d * c3)))
