"""Finding what stands out of a picture: smooth with a Gaussian, compare with the noise, grow what was found."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isrflow.kernels.bands import over_bands
from isrflow.kernels.layout import Float32, Float64, Int32, whole_rows
from isrflow.kernels.statistics import clip

Marks = NDArray[np.uint8]

GROWTH_SIGMA = 2.4
"""Detections grow by so many sigmas of the smoothing."""


def detect_positive(
    image: Float32, mask: Int32, unreliable_bits: int, *, sigma_px: float = 2.0, threshold: float = 5.0
) -> tuple[NDArray[np.bool_], int]:
    """Find pixels that belong to something brighter than its surroundings.

    The picture is smoothed with a Gaussian, the noise is the clipped standard deviation of the result, and pixels at
    or above `threshold` times the noise, with a disc about each, are detected.

    Parameters
    ----------
    image
        (ny, nx) float32, background subtracted, left untouched.
    mask
        (ny, nx) int32, left untouched. Where one of `unreliable_bits` enters the smoothing, the result does not count
        for the noise.
    sigma_px
        Of the Gaussian.
    threshold
        In standard deviations.

    Returns
    -------
    detected
        (ny, nx) boolean; nothing where the noise is not positive.
    border
        Width of the edge the Gaussian does not reach, in which nothing is searched for.
    """
    weights = gaussian_weights(sigma_px)
    border = weights.size // 2
    detected = np.zeros(image.shape, np.uint8)
    inner_shape = image.shape[0] - 2 * border, image.shape[1] - 2 * border
    if min(inner_shape) <= 0:
        return detected.view(np.bool_), border
    smooth, unreliable = np.empty(inner_shape, np.float32), np.empty(inner_shape, np.uint8)
    bits = np.int32(unreliable_bits)
    source = whole_rows(image), whole_rows(mask), bits, weights, image.shape[1]
    over_bands(lambda first, end: _smooth(*source, smooth, unreliable, first, end), 0, len(smooth))
    noise = clip(smooth[unreliable == 0]).stdev if not unreliable.all() else math.nan
    if noise > 0:
        radius = int(GROWTH_SIGMA * sigma_px + 0.5)
        reaches = np.array([math.isqrt(radius**2 - dy**2) for dy in range(radius + 1)])
        _mark_discs(smooth, np.float64(threshold * noise), border, reaches, detected)
    return detected.view(np.bool_), border


def gaussian_weights(sigma_px: float) -> Float64:
    """Return a Gaussian of sum one on an odd number of pixels, seven sigmas wide."""
    half = int(7 * sigma_px + 0.5) // 2
    weights = np.exp(-0.5 * (np.arange(-half, half + 1) / sigma_px) ** 2)
    return np.asarray(weights / weights.sum(), np.float64)


@njit(cache=True, nogil=True)
def _smooth(
    image: Float32,
    mask: Int32,
    bits: np.int32,
    weights: Float64,
    width: int,
    smooth: Float32,
    unreliable: Marks,
    first: int,
    end: int,
) -> None:
    """Convolve some rows where the kernel fits, along y and then along x, and note where any of the bits entered."""
    size, half = weights.size, weights.size // 2
    column, marks, total = np.empty(width), np.empty(width, np.int32), np.empty(smooth.shape[1])
    for y in range(first, end):
        marks[:] = 0
        for x in range(width):
            column[x] = weights[half] * image[y + half, x]
        for i in range(half):
            weight = weights[i]
            below, above = image[y + i], image[y + size - 1 - i]
            for x in range(width):
                column[x] += weight * (np.float64(below[x]) + np.float64(above[x]))
        for i in range(size):
            row = mask[y + i]
            for x in range(width):
                marks[x] |= row[x] & bits
        for x in range(total.size):
            total[x] = weights[half] * column[x + half]
        for i in range(half):
            weight, last = weights[i], size - 1 - i
            for x in range(total.size):
                total[x] += weight * (column[x + i] + column[x + last])
        for x in range(total.size):
            smooth[y, x] = total[x]
        seen = -size
        for x in range(width):
            if marks[x] != 0:
                seen = x
            if x >= size - 1:
                unreliable[y, x - size + 1] = seen > x - size


@njit(cache=True, nogil=True)
def _mark_discs(smooth: Float32, level: float, border: int, reaches: NDArray[np.int64], detected: Marks) -> None:
    """Mark the disc about every pixel that is high enough, run by run."""
    ny, nx = detected.shape
    radius = reaches.size - 1
    width = smooth.shape[1]
    for y in range(smooth.shape[0]):
        n = np.int32(0)
        for x in range(width):
            n += np.int32(smooth[y, x] >= level)
        if n == 0:
            continue
        x = 0
        while x < width:
            if not smooth[y, x] >= level:
                x += 1
                continue
            first = x
            while x < width and smooth[y, x] >= level:
                x += 1
            for dy in range(-radius, radius + 1):
                to, reach = y + border + dy, reaches[abs(dy)]
                if 0 <= to < ny:
                    detected[to, max(first + border - reach, 0) : min(x + border + reach, nx)] = 1
