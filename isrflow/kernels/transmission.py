"""Throughput between its tabulated wavelengths and radii."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Limits:
    """Throughput beyond the tabulated wavelengths."""

    below: float = 0.0
    above: float = 0.0


def sample_constant(wavelengths: Array, throughput: Array, limits: Limits, at: Array) -> Array:
    """Interpolate linearly at wavelengths (n,); the first and the last tabulated one belong to the table."""
    return np.interp(at, wavelengths, throughput, left=limits.below, right=limits.above)


def sample_radial(grid: tuple[Array, Array], throughput: Array, limits: Limits, radius: Array, at: Array) -> Array:
    """Interpolate bilinearly at every radius (m,) and wavelength (n,).

    Parameters
    ----------
    grid
        Wavelengths and radii of the table, both growing.
    throughput
        (wavelengths, radii).
    radius
        Beyond the radii of the table, the nearest of them counts.

    Returns
    -------
    ndarray of float64
        (m, n).
    """
    wavelengths, radii = grid
    place = np.interp(radius, radii, np.arange(radii.size))
    inner = np.minimum(place.astype(np.int64), max(radii.size - 2, 0))
    outer = np.minimum(inner + 1, radii.size - 1)
    part = (place - inner)[:, None]
    at_radius = throughput.T[inner] * (1 - part) + throughput.T[outer] * part
    sampled = [sample_constant(wavelengths, curve, limits, at) for curve in at_radius]
    return np.array(sampled).reshape(radius.size, at.size)
