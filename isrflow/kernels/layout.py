"""One memory layout for every compiled kernel.

A view of an amplifier is not contiguous, and numba neither vectorises such arrays nor reuses the code made for
contiguous ones. But its rows are contiguous: seen as the left part of whole rows of its parent, a view and a full plane
are the same thing, and each kernel is compiled once and runs at full speed (a factor of five to eight for light
arithmetic).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

Plane = NDArray[Any]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int32 = NDArray[np.int32]
Planes = tuple[Float32, Int32, Float32]
"""A picture: image, mask and variance of one shape (ny, nx)."""


def whole_rows(plane: Plane) -> Plane:
    """View a plane as C-contiguous rows of which only the first ``plane.shape[1]`` columns may be touched.

    Parameters
    ----------
    plane
        Shape (ny, nx), any dtype; a full plane, or a box or a run of rows of one.

    Returns
    -------
    ndarray
        Shape (ny, pitch) with pitch >= nx, sharing memory. The last row may reach past the end of the parent.

    Raises
    ------
    ValueError
        If the pixels of a row do not lie side by side (a flipped or decimated view).
    """
    if plane.flags.c_contiguous or plane.size == 0:
        return plane
    row, pixel = plane.strides
    if pixel != plane.itemsize or row % pixel or row < 0:
        raise ValueError(
            f"pixels of a row must lie side by side, but the strides are {plane.strides}; copy the plane first"
        )
    pitch = max(row // pixel, plane.shape[1])
    return as_strided(plane, shape=(plane.shape[0], pitch), strides=(pitch * pixel, pixel))


def rows_of(planes: Planes) -> Planes:
    """View the three planes of a picture as whole rows."""
    image, mask, variance = planes
    return whole_rows(image), whole_rows(mask), whole_rows(variance)
