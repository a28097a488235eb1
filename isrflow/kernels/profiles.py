"""Profiles of a picture along its rows and columns: projections, their spectra, and the strength of bands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Profile = NDArray[np.float64]
Window = Literal["HAMMING", "HANN", "GAUSSIAN", "NONE"]

_GAUSSIAN_HALF_WIDTH_SIGMA = 3.0
"""The Gaussian window ends at three standard deviations, where it has fallen to one percent."""


@dataclass(frozen=True, slots=True)
class Projection:
    """Mean row (one value a column) and mean column of an image, and their Fourier transforms if wanted."""

    horizontal: NDArray[Any]
    vertical: NDArray[Any]
    horizontal_spectrum: NDArray[np.complex128] | None = None
    vertical_spectrum: NDArray[np.complex128] | None = None


@dataclass(frozen=True, slots=True)
class Banding:
    """Spread of the row levels of overscans."""

    amplifiers: Mapping[str, float]
    """By name; NaN for an amplifier without overscan."""
    detector: float
    """Median over amplifiers; NaN if none has an overscan."""


def project(image: NDArray[Any], width: int, window: Window | None = None) -> Projection:
    """Average an image over its rows and over its columns.

    Parameters
    ----------
    image
        Shape (ny, nx).
    width
        Pixels of the running mean along the profiles.
    window
        Transform the profiles under this window. They then keep their length when they are smoothed.
    """
    keep = window is not None
    rows, columns = (smooth(image.mean(axis=axis), width, keep_length=keep) for axis in (0, 1))
    if window is None:
        return Projection(rows, columns)
    return Projection(rows, columns, spectrum(rows, window), spectrum(columns, window))


def summarize_banding(amplifiers: Mapping[str, float], *, first_half: bool) -> Banding:
    """Take the median over all amplifiers, or over the first half of them."""
    values = np.array(list(amplifiers.values()))
    values = values[: len(values) // 2] if first_half else values
    known = values[np.isfinite(values)]
    return Banding(amplifiers, float(np.median(known)) if known.size else float("nan"))


def smooth(profile: ArrayLike, width: int, *, keep_length: bool = False) -> NDArray[Any]:
    """Average a profile over a running window.

    Parameters
    ----------
    profile
        Shape (n,).
    width
        Of the window; 0 and 1 leave the profile as it is.
    keep_length
        Return n values, those near the ends as if there were zeros beyond, and not only the n - width + 1 whole ones.

    Raises
    ------
    ValueError
        If the window is longer than the profile.
    """
    profile = np.asarray(profile)
    if width > profile.size:
        raise ValueError(f"a window of {width} pixels is longer than the profile, which has {profile.size}")
    if width <= 1:
        return profile
    return np.convolve(profile, np.full(width, 1.0 / width), "same" if keep_length else "valid")


def banding_amplitude(overscan: NDArray[Any], width: int, low: float, high: float) -> float:
    """Measure how far the levels of rows spread: the distance of two quantiles of the smoothed row means.

    Parameters
    ----------
    overscan
        Pixels of the overscan before a model was subtracted, (rows, n).
    width
        Rows that are averaged.
    low, high
        The quantiles, between 0 and 1.
    """
    levels = smooth(overscan.mean(axis=1), width)
    at_low, at_high = np.quantile(levels, [low, high])
    return float(at_high - at_low)


def spectrum(profile: ArrayLike, window: Window) -> NDArray[np.complex128]:
    """Return the Fourier transform of a real profile under a window, at the n // 2 + 1 frequencies from zero up."""
    profile = np.asarray(profile)
    return np.asarray(np.fft.rfft(profile * window_of(window, profile.size)))


def window_of(kind: Window, length: int) -> Profile:
    """Return a symmetric window of some length."""
    if kind == "HAMMING":
        return np.asarray(np.hamming(length))
    if kind == "HANN":
        return np.asarray(np.hanning(length))
    if kind == "GAUSSIAN":
        steps = np.linspace(-_GAUSSIAN_HALF_WIDTH_SIGMA, _GAUSSIAN_HALF_WIDTH_SIGMA, length) if length > 1 else 0.0
        return np.asarray(np.exp(-0.5 * np.square(steps)) * np.ones(length))
    return np.ones(length)
