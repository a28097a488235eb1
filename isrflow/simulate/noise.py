"""Random numbers: one stream for each thing that is drawn, so that the same seed always gives the same sky."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

_EXACT_BELOW = 40.0
"""Means below this are drawn from the Poisson law itself; above, its normal limit is close enough."""


def stream(seed: int, *keys: int | str) -> np.random.Generator:
    """Return the generator of (seed, keys): always the same numbers for the same keys, unrelated for others."""
    words = [zlib.crc32(key.encode()) if isinstance(key, str) else key for key in keys]
    return np.random.default_rng([seed, *words])


def draw_counts(mean: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw Poisson counts.

    Parameters
    ----------
    mean
        Expected counts, any shape, not negative.
    rng
        Generator.

    Returns
    -------
    ndarray of float32
        Counts; where the mean is large they are drawn from the normal limit, which is four times as fast.
    """
    few = mean < _EXACT_BELOW
    if few.all():
        return rng.poisson(mean).astype(np.float32)
    counts = rng.standard_normal(mean.shape, np.float32)
    counts *= np.sqrt(mean)
    counts += mean
    counts[few] = rng.poisson(mean[few])
    return counts
