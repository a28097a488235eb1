"""Where saturated regions spill on sensors of certain makes: which rows and columns become useless, from arrays alone.

Everything is found in array indices; rows of an edge are counted from that edge inward.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isrflow.kernels.regions import Region
from isrflow.kernels.runs import runs_of
from isrflow.kernels.select import select_quantiles

Image = NDArray[np.float32]
Columns = tuple[int, int]
"""First column and the one after the last."""

EDGE_ROWS = 200
"""How far from an edge a bleed is looked for and masked."""
_DETECTION_ROWS, _DETECTION_HALF_WIDTH = 50, 5
_WIDTH_ROWS, _WIDTH_HALF = 100, 250
_FRACTION_OF_SATURATION = 0.45
_SAG_FRACTION = 5
_CORE_MARGIN_ROWS = 100


@dataclass(frozen=True, slots=True)
class Core:
    """The middle of a bright source in a saturated region."""

    x: int
    width: int
    """Saturated pixels in its widest row."""


@dataclass(frozen=True, slots=True)
class DipModel:
    """What makes a saturated column dip the columns beside it."""

    min_height: int
    min_width: int
    max_width: int
    width_scale: float
    background_fraction: float
    min_background_noise_fraction: float


def dip_columns(region: Region, background: float, model: DipModel, n_columns: int) -> Columns | None:
    """Find the columns that a saturated region pulls down, or None if its dip drowns in the noise."""
    heights = np.count_nonzero(region.pixels, axis=0)
    width = int(np.count_nonzero(heights > model.min_height))
    if width < model.min_width:
        return None
    width = min(width, model.max_width)
    depth = model.background_fraction * background * width
    if depth < model.min_background_noise_fraction * np.sqrt(max(background, 0.0)):
        return None
    x, reach = region.centroid[0], model.width_scale * width / 2
    return max(int(x - reach), 0), min(int(x + reach) + 1, n_columns)


def sagging_columns(region: Region) -> NDArray[np.int64]:
    """Return the columns in which more than a fifth of the region's height is saturated."""
    heights = np.count_nonzero(region.pixels, axis=0)
    return np.flatnonzero(heights > region.pixels.shape[0] / _SAG_FRACTION) + region.x0


def find_cores(region: Region, min_area: int, max_area: float) -> list[Core] | None:
    """Find the one or two sources of a saturated region; None if there are more than two.

    A region that is cut twice by the row through its centroid is taken as two sources side by side; each half counts if
    ``min_area < area < max_area``.
    """
    x, y = region.centroid
    row = region.pixels[int(y) - region.y0]
    runs = runs_of(row)
    if len(runs) > 2:
        return None
    if len(runs) < 2:
        return [Core(int(x), int(np.count_nonzero(row)))]
    split = (runs[0][1] + runs[1][0]) // 2
    halves = ((region.pixels[:, :split], region.x0), (region.pixels[:, split:], region.x0 + split))
    return [_core_of_half(half, x0) for half, x0 in halves if min_area < np.count_nonzero(half) < max_area]


def _core_of_half(half: NDArray[np.bool_], x0: int) -> Core:
    widths = np.count_nonzero(half, axis=1)
    if half.shape[0] > 2 * _CORE_MARGIN_ROWS:
        widths = widths[_CORE_MARGIN_ROWS:-_CORE_MARGIN_ROWS]
    return Core(int(np.argmax(np.count_nonzero(half, axis=0))) + x0, int(widths.max()))


def bleeds_at_edge(edge: Image, x: int, level: float) -> bool:
    """Tell whether the rows at an edge (the edge first) are brighter than a level around a column."""
    columns = edge[:_DETECTION_ROWS, max(x - _DETECTION_HALF_WIDTH, 0) : x + _DETECTION_HALF_WIDTH]
    return finite_median(np.ascontiguousarray(columns)) > level


def edge_bleed(edge: Image, core: Core, saturation: float, decay_per_row: float) -> Iterator[tuple[int, Columns]]:
    """Yield what a bleed covers of the rows at an edge (the edge first): (row, columns).

    It is as wide as the bright pixels near the edge, narrows exponentially inward, and never gets narrower than its
    source.
    """
    near = edge[:_WIDTH_ROWS, max(core.x - _WIDTH_HALF, 0) : core.x + _WIDTH_HALF]
    bright = np.count_nonzero(near > _FRACTION_OF_SATURATION * saturation, axis=1)
    widest = int(bright.max(initial=0))
    for y in range(edge.shape[0]):
        half = int((widest * np.exp(-decay_per_row * y) + core.width) / 2)
        yield y, (max(core.x - half, 0), max(core.x + half, 0))


def finite_median(pixels: Image) -> float:
    """Return the median of the finite pixels; NaN if there are none."""
    return select_quantiles(pixels, [0.5])[0]
