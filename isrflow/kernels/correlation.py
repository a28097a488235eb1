"""How alike amplifiers behave: correlation of their pixels, place by place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_COLUMNS_AT_ONCE = 1 << 16


def correlate(samples: Sequence[NDArray[Any] | None]) -> NDArray[np.float64]:
    """Return Pearson's correlation coefficients of all pairs of samples.

    Parameters
    ----------
    samples
        One an amplifier, all of the same shape; None where there is nothing. Never modified.

    Returns
    -------
    array
        (n, n), symmetric: 1 on the diagonal, NaN for what is missing or constant.

    Raises
    ------
    ValueError
        If shapes differ.
    """
    present = [i for i, sample in enumerate(samples) if sample is not None]
    flat = [sample.reshape(-1) for sample in samples if sample is not None]
    if len({sample.shape for sample in samples if sample is not None}) > 1:
        raise ValueError("samples of different shapes cannot be correlated pixel by pixel")
    result = np.full((len(samples), len(samples)), np.nan)
    if not flat:
        return result
    with np.errstate(invalid="ignore", divide="ignore"):  # a constant or infinite sample has no correlation
        covariance = _covariance(flat)
        scale = np.sqrt(np.diagonal(covariance))
        found = np.clip(covariance / np.outer(scale, scale), -1.0, 1.0)
    found[np.diag_indices_from(found)] = np.where(scale > 0, 1.0, np.nan)
    result[np.ix_(present, present)] = found
    return result


def _covariance(samples: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
    """Sum the products of deviations from the means, in double precision and a block at a time to spare memory."""
    means = np.array([sample.mean(dtype=np.float64) for sample in samples])
    total = np.zeros((len(samples), len(samples)))
    for start in range(0, samples[0].size, _COLUMNS_AT_ONCE):
        block = np.array([sample[start : start + _COLUMNS_AT_ONCE] for sample in samples], np.float64)
        block -= means[:, np.newaxis]
        total += np.einsum("ik,jk->ij", block, block)  # not BLAS, whose order of sums may depend on its threads
    return total
