"""From pixels to grey levels: the one stretch that all pictures share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SOFTENING = 0.1
"""Where the asinh stretch turns from linear to logarithmic, as a fraction of the range."""
REACH = 5.0
"""The stretch goes so many times as far as zscale's, so that the sky is dark grey and stars keep their cores."""


def limits(image: NDArray[np.floating] | NDArray[np.integer]) -> tuple[float, float]:
    """Return the (low, high) levels of the stretch, after zscale of the finite pixels; (0, 1) if there is none."""
    from astropy.visualization import ZScaleInterval

    finite = np.asarray(image, np.float32)
    finite = finite[np.isfinite(finite)]
    if finite.size == 0:
        return 0.0, 1.0
    low, high = (float(level) for level in ZScaleInterval(n_samples=4000).get_limits(finite))
    return (low, low + REACH * (high - low)) if high > low else (low - 0.5, low + 0.5)


def grey(image: NDArray[np.floating] | NDArray[np.integer], low: float, high: float) -> NDArray[np.float32]:
    """Return the image between 0 and 1, asinh-stretched from `low` to `high`; NaN stays NaN."""
    fraction = np.clip((np.asarray(image, np.float32) - np.float32(low)) / np.float32(high - low), 0.0, 1.0)
    return np.asarray(np.arcsinh(fraction / SOFTENING) / np.arcsinh(1.0 / SOFTENING), np.float32)


def shrink(image: NDArray[np.floating] | NDArray[np.integer], factor: int) -> NDArray[np.float32]:
    """Return the mean of the finite pixels in blocks of `factor` x `factor`; a rest at the far edges is left out."""
    if factor <= 1:
        return np.asarray(image, np.float32)
    blocks = _blocks(np.asarray(image, np.float32), factor)
    good = np.isfinite(blocks)
    count = good.sum(axis=(1, 3))
    total = np.where(good, blocks, 0.0).sum(axis=(1, 3), dtype=np.float64)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan), np.float32)


def shrink_mask(mask: NDArray[np.integer], factor: int) -> NDArray[np.integer]:
    """Return the OR of the bits in blocks of `factor` x `factor`."""
    if factor <= 1:
        return mask
    return np.asarray(np.bitwise_or.reduce(np.bitwise_or.reduce(_blocks(mask, factor), axis=3), axis=1))


def shrink_factor(shape: tuple[int, ...], largest_px: int) -> int:
    """Return by how much an image must shrink so that no side is longer than `largest_px`."""
    return max(1, -(-max(shape) // largest_px))


def _blocks(image: NDArray[np.generic], factor: int) -> NDArray[np.generic]:
    ny, nx = image.shape[0] // factor, image.shape[1] // factor
    return image[: ny * factor, : nx * factor].reshape(ny, factor, nx, factor)
