"""Connected regions of a bit plane that is mostly empty, found run by run so that the empty part costs nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from isrflow.kernels.masks import list_runs


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """Pixels that touch at a side or a corner, as a boolean picture of their bounding box."""

    x0: int
    """Column of the first pixel of `pixels`."""
    y0: int
    """Row of the first pixel of `pixels`."""
    pixels: NDArray[np.bool_]

    @property
    def area(self) -> int:
        """Number of pixels."""
        return int(np.count_nonzero(self.pixels))

    @property
    def centroid(self) -> tuple[float, float]:
        """Mean (x, y) of the pixels, as array indices."""
        y, x = np.nonzero(self.pixels)
        return float(x.mean()) + self.x0, float(y.mean()) + self.y0


def find_regions(
    mask: NDArray[np.int32], bits: int, *, min_area: int = 1, max_area: float = np.inf, min_height: int = 1
) -> Iterator[Region]:
    """Find the regions of pixels with any of `bits`, of ``min_area <= area < max_area`` and at least `min_height` rows.

    They come in the order of their first pixels (rows upward, left to right).
    """
    runs = list_runs(mask, bits)
    if not len(runs):
        return
    owner = _components(runs)
    area = np.bincount(owner, runs[:, 2] - runs[:, 1] + 1)
    bottom, top = np.full(area.size, mask.shape[0]), np.full(area.size, -1)
    np.minimum.at(bottom, owner, runs[:, 0])
    np.maximum.at(top, owner, runs[:, 0])
    wanted = (area >= min_area) & (area < max_area) & (top - bottom + 1 >= min_height)
    for number in np.flatnonzero(wanted):
        yield _region(runs[owner == number])


def _components(runs: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return the number of the region each run (row, first, last) belongs to, in the order of their first runs."""
    rows, first, last = runs.T
    width = int(last.max()) + 3
    # Keys that grow in reading order. A run touches those of the next row that end at or behind first - 1 and begin
    # at or before last + 1; in a row both ends are sorted, so these follow each other.
    low = np.searchsorted(rows * width + last, (rows + 1) * width + first - 1, side="left")
    high = np.searchsorted(rows * width + first, (rows + 1) * width + last + 1, side="right")
    counts = np.maximum(high - low, 0)
    below = np.repeat(np.arange(len(runs)), counts)
    above = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(low, counts)
    graph = coo_array((np.ones(below.size, np.int8), (below, above)), shape=(len(runs), len(runs)))
    number: NDArray[np.int32] = connected_components(graph, directed=False)[1]
    _, begins = np.unique(number, return_index=True)
    rank = np.empty(begins.size, np.int32)
    rank[np.argsort(begins)] = np.arange(begins.size)
    return rank[number]


def _region(runs: NDArray[np.int64]) -> Region:
    rows, first, last = runs.T
    x0, y0 = int(first.min()), int(rows.min())
    pixels = np.zeros((int(rows.max()) - y0 + 1, int(last.max()) - x0 + 1), bool)
    for row, begin, end in (runs - (y0, x0, x0)).tolist():
        pixels[row, begin : end + 1] = True
    return Region(x0, y0, pixels)
