"""Steps between amplifiers: the offset of each that makes neighbours meet.

The level along either side of an interface is a profile, the median across a strip beside it. Their difference gives
the step, and the offsets are the least squares solution of all steps: as many amplifiers as unknowns, and a total of
zero, since a common offset makes no step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isrflow.kernels.layout import Float32, Float64, Int32
from isrflow.kernels.statistics import clip

TOP, RIGHT, BOTTOM, LEFT = range(4)
Matrix = NDArray[np.int64]
Section = tuple[slice, slice]


@dataclass(frozen=True, slots=True)
class Interface:
    """Two amplifiers that meet, by index, and the side of the first at which they do."""

    first: int
    second: int
    side: int
    length: int
    """In pixels."""


@dataclass(frozen=True, slots=True)
class Step:
    """How much higher the first amplifier of an interface is than the second."""

    measured: float
    """Zero where it cannot be measured."""
    used: float
    """The same, or zero where it is not trusted."""


def opposite(side: int) -> int:
    """Return the side of the neighbour that meets this side."""
    return (side + 2) % 4


def find_interfaces(places: Sequence[tuple[int, int]], shape: tuple[int, int]) -> list[Interface]:
    """Find where amplifiers meet, in order of the first, then of the second.

    Parameters
    ----------
    places
        Row and column of each amplifier in their grid; rows count upwards.
    shape
        (ny, nx) of an amplifier.
    """
    height, width = shape
    steps = {(1, 0): (TOP, width), (0, 1): (RIGHT, height), (-1, 0): (BOTTOM, width), (0, -1): (LEFT, height)}
    return [
        Interface(i, j, *steps[row_j - row_i, column_j - column_i])
        for i, (row_i, column_i) in enumerate(places)
        for j, (row_j, column_j) in enumerate(places)
        if i < j and (row_j - row_i, column_j - column_i) in steps
    ]


def association_matrices(n: int, interfaces: Sequence[Interface], *, weigh: bool = True) -> tuple[Matrix, Matrix]:
    """Return how strongly amplifiers are tied to each other, and the side of each at which another lies.

    Parameters
    ----------
    n
        Number of amplifiers.
    weigh
        Whether an interface counts by its length; else all count the same.

    Returns
    -------
    associations
        (n, n): minus the weight of each interface, on the diagonal the sum of an amplifier's weights.
    sides
        (n, n): 0 top, 1 right, 2 bottom, 3 left; -1 for none.
    """
    associations, sides = np.zeros((n, n), np.int64), np.full((n, n), -1, np.int64)
    for each in interfaces:
        i, j, weight = each.first, each.second, each.length if weigh else 1
        associations[i, j] = associations[j, i] = -weight
        associations[i, i] += weight
        associations[j, j] += weight
        sides[i, j], sides[j, i] = each.side, opposite(each.side)
    return associations, sides


def edge_profile(
    image: Float32, mask: Int32, exclude_bits: int, amplifier: Section, side: int, *, inset: int, width: int
) -> Float32:
    """Return the level along a side of an amplifier: the median of the usable pixels across a strip beside it.

    Parameters
    ----------
    image, mask
        (ny, nx) float32 and int32, left untouched; pixels with any of `exclude_bits`, and NaN, are not usable.
    amplifier
        Its place in the image.
    side
        `TOP`, `RIGHT`, `BOTTOM` or `LEFT`.
    inset, width
        Where the strip begins, counted from the side, and how wide it is, in pixels.

    Returns
    -------
    ndarray
        (length,) float32, as long as the side; NaN where no pixel across the strip is usable.
    """
    part_image, part_mask = image[amplifier], mask[amplifier]
    ny, nx = part_image.shape
    strip = {
        TOP: np.s_[ny - inset - width : ny - inset, :],
        RIGHT: np.s_[:, nx - inset - width : nx - inset],
        BOTTOM: np.s_[inset : inset + width, :],
        LEFT: np.s_[:, inset : inset + width],
    }[side]
    usable = np.where(part_mask[strip] & exclude_bits == 0, part_image[strip], np.float32(np.nan))
    return _medians(usable.T if side in (TOP, BOTTOM) else usable)


def measure_step(
    first: Float32, second: Float32, *, window: int, smallest_fraction: float, largest_step: float
) -> Step:
    """Measure how much higher one profile is than the other.

    Parameters
    ----------
    first, second
        (length,) float32 profiles of the two sides of an interface; NaN where there is no level.
    window
        Width of the running mean the difference is smoothed with, in pixels; less than two for none.
    smallest_fraction
        Part of the interface that must have a level on both sides for the step to be used.
    largest_step
        Larger ones are not used: they are rather real structure, or a bad amplifier.
    """
    difference = first - second
    known = ~np.isnan(difference)
    if not known.any():
        return Step(0.0, 0.0)
    values = running_mean(difference, window) if window > 1 else difference
    offset = clip(values).mean
    trusted = known.mean() >= smallest_fraction and abs(offset) <= largest_step
    return Step(offset, offset if trusted else 0.0)


def running_mean(values: Float32, window: int) -> Float64:
    """Average over the known values within a window about each place, cut at the ends; unknown (NaN) ones stay so."""
    known = ~np.isnan(values)
    sums = np.concatenate([[0.0], np.cumsum(np.where(known, values, 0.0), dtype=np.float64)])
    counts = np.concatenate([[0], np.cumsum(known)])
    place = np.arange(values.size)
    first = np.maximum(place - window // 2, 0)
    after = np.minimum(place + (window - 1) // 2 + 1, values.size)
    means = (sums[after] - sums[first]) / np.maximum(counts[after] - counts[first], 1)
    return np.where(known, means, np.nan)


def solve_offsets(associations: Matrix, interfaces: Sequence[Interface], steps: Sequence[Step]) -> Float64:
    """Find the offset of each amplifier, of total zero where all are connected; NaN becomes zero."""
    total = np.zeros(associations.shape[0])
    for each, step in zip(interfaces, steps, strict=True):
        weighted = -associations[each.first, each.second] * step.used
        total[each.first] += weighted
        total[each.second] -= weighted
    solution = np.linalg.lstsq(associations.astype(np.float64), total, rcond=None)[0]
    return np.asarray(np.nan_to_num(solution), np.float64)


def _medians(lines: Float32) -> Float32:
    """Find the median of the numbers of each line, in float32 as numpy does it; NaN where there are none."""
    ranked = np.sort(lines, axis=1)  # NaN come last
    n = np.count_nonzero(~np.isnan(lines), axis=1)
    middle = np.stack([np.maximum(n - 1, 0) // 2, np.minimum(n // 2, lines.shape[1] - 1)], axis=1)
    low, high = np.take_along_axis(ranked, middle, axis=1).T
    return np.asarray((low + high) / np.float32(2), np.float32)
