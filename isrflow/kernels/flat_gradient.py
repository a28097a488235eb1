"""The illumination of a focal plane: a radial profile divided by a plane."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isrflow.kernels.linearity import akima_pieces

Vector = NDArray[np.float64]


def radial_profile(nodes: ArrayLike, values: ArrayLike, radius: ArrayLike) -> Vector:
    """Evaluate an Akima spline at radii, which are moved to the nearest node where they lie beyond the last.

    Parameters
    ----------
    nodes, values
        (n,) increasing radii and the profile there.
    radius
        Radii, of any shape, in the unit of the nodes.

    Raises
    ------
    ValueError
        If the nodes do not increase.
    """
    x, y = np.asarray(nodes, np.float64), np.asarray(values, np.float64)
    pieces = akima_pieces(x, y)
    at = np.clip(np.asarray(radius, np.float64), x[0], x[-1])
    segment = np.clip(np.searchsorted(x, at, side="right") - 1, 0, x.size - 2)
    d = at - x[segment]
    constant, linear, square, cube = (pieces[segment, power] for power in range(4))
    return np.asarray(constant + d * (linear + d * (square + d * cube)), np.float64)


def plane(x: ArrayLike, y: ArrayLike, centre: tuple[float, float], gradient: tuple[float, float]) -> Vector:
    """Evaluate a plane that is 1 at `centre` and rises by `gradient` per unit of x and y."""
    dx, dy = np.asarray(x, np.float64) - centre[0], np.asarray(y, np.float64) - centre[1]
    return np.asarray(1.0 + gradient[0] * dx + gradient[1] * dy, np.float64)
