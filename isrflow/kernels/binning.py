"""Pictures at lower resolution: means over square blocks."""

from __future__ import annotations

import numpy as np
from numba import prange

from isrflow.kernels.layout import Float32, Int32, Planes, rows_of
from isrflow.kernels.threads import parallel_njit


def bin_planes(planes: Planes, factor: int) -> Planes:
    """Average over blocks of `factor` by `factor` pixels.

    Masked and non-finite pixels are not left out: the mask, in which every bit of the block is kept, tells where.

    Parameters
    ----------
    planes
        Image, mask and variance, (ny, nx).
    factor
        Pixels of a block along x and along y; incomplete blocks at the high end are dropped.

    Returns
    -------
    tuple of ndarray
        New planes of shape (ny // factor, nx // factor): mean, OR of the masks, variance of the mean.

    Raises
    ------
    TypeError
        If the factor is not an integer.
    ValueError
        If it is not positive.
    """
    if not isinstance(factor, int | np.integer) or isinstance(factor, bool):
        raise TypeError(f"the binning factor must be an integer, not {factor!r}")
    if factor < 1:
        raise ValueError(f"the binning factor must be at least 1, not {factor}")
    shape = (planes[0].shape[0] // factor, planes[0].shape[1] // factor)
    binned = np.empty(shape, np.float32), np.empty(shape, np.int32), np.empty(shape, np.float32)
    _bin(*rows_of(planes), int(factor), *binned)
    return binned


@parallel_njit()
def _bin(
    image: Float32,
    mask: Int32,
    variance: Float32,
    factor: int,
    binned: Float32,
    binned_mask: Int32,
    binned_variance: Float32,
) -> None:
    per_pixel = np.float32(1.0 / factor**2)
    per_variance = np.float32(1.0 / factor**4)
    for y in prange(binned.shape[0]):
        for x in range(binned.shape[1]):
            total, total_variance, bits = np.float32(0), np.float32(0), np.int32(0)
            for j in range(y * factor, (y + 1) * factor):
                # Row sums first, in float32: the order fixes the last bit.
                row, row_variance = np.float32(0), np.float32(0)
                for i in range(x * factor, (x + 1) * factor):
                    row += image[j, i]
                    row_variance += variance[j, i]
                    bits |= mask[j, i]
                total += row
                total_variance += row_variance
            binned[y, x] = total * per_pixel
            binned_variance[y, x] = total_variance * per_variance
            binned_mask[y, x] = bits
