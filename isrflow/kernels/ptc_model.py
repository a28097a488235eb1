"""Models of the photon transfer curve: the variance, and the covariances, of flats of a given mean.

References
----------
Astier, P. et al., 2019, Astronomy & Astrophysics 629, A36: equation 16 (`variance_exponential`) and equation 20
(`covariances`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.signal import fftconvolve

Array = NDArray[np.float64]


def variance_polynomial(mean_adu: ArrayLike, coefficients: ArrayLike) -> Array:
    """Return the variance (adu^2) as a polynomial of the mean, lowest power first."""
    powers = np.asarray(coefficients, np.float64)
    return np.asarray(np.polynomial.polynomial.polyval(np.asarray(mean_adu, np.float64), powers), np.float64)


def variance_exponential(mean_adu: ArrayLike, a00: float, gain: float, noise_squared: float) -> Array:
    """Return the variance (adu^2) of the exponential approximation.

    Parameters
    ----------
    mean_adu
        Means, of any shape.
    a00
        1/electron; negative, as the brighter-fatter effect is.
    gain
        electron/adu.
    noise_squared
        electron^2.
    """
    mean = np.asarray(mean_adu, np.float64)
    noise = noise_squared / gain**2
    if a00 == 0:
        return np.asarray(mean / gain + noise, np.float64)
    return np.asarray((np.exp(2 * a00 * mean * gain) - 1) / (2 * a00 * gain**2) + noise, np.float64)


def covariances(mean_adu: ArrayLike, a: Array, b: Array | None, noise: Array, gain: float) -> Array:
    """Return the covariances (adu^2) of flats at lags 0 to r - 1.

    Parameters
    ----------
    mean_adu
        (n,) means.
    a, b
        (r, r) 1/electron, indexed [lag in x, lag in y]; no `b` is a model without it.
    noise
        (r, r) electron^2.
    gain
        electron/adu.

    Returns
    -------
    ndarray
        (n, r, r), indexed [mean, lag in x, lag in y].
    """
    mean = np.asarray(mean_adu, np.float64)
    side = a.shape[0]
    c = np.zeros_like(a) if b is None else a * b
    whole_a, whole_c = _four_quadrants(a), _four_quadrants(c)
    once = fftconvolve(whole_a, whole_a, mode="same")
    centre = np.unravel_index(np.abs(whole_a).argmax(), whole_a.shape)
    quadrant = tuple(slice(int(middle), int(middle) + side) for middle in centre)
    aa, aaa = once[quadrant], fftconvolve(whole_a, once, mode="same")[quadrant]
    ac = fftconvolve(whole_a, whole_c, mode="same")[quadrant]
    m = (mean * gain)[:, None, None]  # electron
    series = a * m + 2.0 / 3.0 * (aa + c) * m**2 + (aaa / 3.0 + 5.0 / 6.0 * ac) * m**3
    result = m / gain**2 * series + noise / gain**2
    result[:, 0, 0] += mean / gain
    return np.asarray(result, np.float64)


def _four_quadrants(first: Array) -> Array:
    """Mirror the first quadrant of a matrix to the others, with zeros around."""
    n = int(1.5 * first.shape[0]) + 1
    padded = np.zeros((n, n))
    padded[: first.shape[0], : first.shape[1]] = first
    half = np.concatenate([padded[:0:-1], padded])
    return np.concatenate([half[:, :0:-1], half], axis=1)
