"""Arithmetic of pictures with their variances, in place, with the reference's rounding.

A picture here is its three planes (image, mask, variance). Image arithmetic is float32; a scalar is rounded to float32
before it acts on the image, and its square is rounded once before it acts on a variance. Masks are OR-ed. Rounding
matters because results are compared bit for bit: a division by a scalar, for one, is a product with its reciprocal.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from isrflow.kernels.layout import Float32, Int32, Planes, rows_of, whole_rows
from isrflow.kernels.threads import parallel_njit


def add_scaled(target: Planes, other: Planes, factor: float) -> None:
    """Add ``factor * other`` to `target`, in place; a factor of -1 subtracts. The variance always grows.

    Parameters
    ----------
    target
        Changed in place.
    other
        Same shape, left untouched.
    factor
        Rounded to float32 on the image; its square is rounded to float32 on the variance.
    """
    width = _common_width(target, other)
    _add_scaled(*rows_of(target), *rows_of(other), width, np.float32(factor), np.float32(factor * factor))


def divide_scaled(target: Planes, other: Planes, factor: float) -> None:
    """Divide `target` by ``factor * other``, in place.

    The variance is that of a quotient of independent values, ``(I**2 VR + R**2 V) / (c**2 R**4)`` with the undivided
    image. Zeros in `other` give infinities and NaNs, as IEEE arithmetic does.
    """
    width = _common_width(target, other)
    _divide_scaled(*rows_of(target), *rows_of(other), width, np.float32(factor), float(factor) ** 2)


def multiply_scaled(target: Planes, other: Planes, factor: float) -> None:
    """Multiply `target` by ``factor * other``, in place.

    The variance is that of a product of independent values, ``c**2 (I**2 VR + R**2 V)`` with the unmultiplied image: it
    does not undo that of `divide_scaled`.
    """
    width = _common_width(target, other)
    _multiply_scaled(*rows_of(target), *rows_of(other), width, np.float32(factor), float(factor) ** 2)


def multiply_by(image: Float32, variance: Float32 | None, factor: float) -> None:
    """Multiply a picture by a number, in place: the image by it, the variance (unless None) by its square."""
    scale = np.float32(factor)
    image *= scale
    if variance is not None and (variance.any() or not np.isfinite(scale)):
        variance *= scale * scale  # zeros that nobody has written cost no memory: they are left alone


def divide_by(image: Float32, variance: Float32 | None, divisor: float) -> None:
    """Divide a picture by a number, in place, as a product with the float32 reciprocal."""
    scale = np.float32(divisor)
    with np.errstate(divide="ignore", invalid="ignore"):
        image *= np.float32(1) / scale
        if variance is not None:
            variance *= np.float32(1) / (scale * scale)


def build_photon_variance(
    image: Float32, variance: Float32, *, gain: float, read_noise_electron: float, replace: bool = True
) -> None:
    """Set the variance of an image in adu to that of photons and read noise, in place, on one core.

    Parameters
    ----------
    image
        (ny, nx) in adu, left untouched.
    variance
        (ny, nx), changed in place, in adu squared: ``image / gain + (read_noise / gain)**2``. Not clipped at zero.
    gain
        Electrons per adu; 1 for an image in electrons.
    read_noise_electron
        Standard deviation of one read, in electrons.
    replace
        If false, ``image`` is replaced by ``variance + image`` in the formula.
    """
    reciprocal = np.float32(1) / np.float32(gain)
    floor = np.float32((read_noise_electron / gain) ** 2)
    _photon_variance(whole_rows(image), whole_rows(variance), image.shape[1], replace, reciprocal, floor)


def _common_width(target: Planes, other: Planes) -> int:
    shapes = {plane.shape for plane in (*target, *other)}
    if len(shapes) > 1:
        raise ValueError(f"planes of one shape (ny, nx) are needed, got {sorted(shapes)}")
    return int(target[0].shape[1])


@parallel_njit(error_model="numpy")
def _add_scaled(
    image: Float32,
    mask: Int32,
    variance: Float32,
    other: Float32,
    other_mask: Int32,
    other_variance: Float32,
    width: int,
    factor: np.float32,
    factor_squared: np.float32,
) -> None:
    for y in prange(image.shape[0]):
        for x in range(width):
            image[y, x] += factor * other[y, x]
            variance[y, x] += factor_squared * other_variance[y, x]
            mask[y, x] |= other_mask[y, x]


@parallel_njit(error_model="numpy")
def _divide_scaled(
    image: Float32,
    mask: Int32,
    variance: Float32,
    other: Float32,
    other_mask: Int32,
    other_variance: Float32,
    width: int,
    factor: np.float32,
    factor_squared: float,
) -> None:
    for y in prange(image.shape[0]):
        for x in range(width):
            old, by = image[y, x], other[y, x]
            square = by * by
            numerator = old * old * other_variance[y, x] + square * variance[y, x]
            variance[y, x] = numerator / (factor_squared * square * square)
            image[y, x] = old / (factor * by)
            mask[y, x] |= other_mask[y, x]


@parallel_njit(error_model="numpy")
def _multiply_scaled(
    image: Float32,
    mask: Int32,
    variance: Float32,
    other: Float32,
    other_mask: Int32,
    other_variance: Float32,
    width: int,
    factor: np.float32,
    factor_squared: float,
) -> None:
    for y in prange(image.shape[0]):
        for x in range(width):
            old, by = image[y, x], other[y, x]
            variance[y, x] = factor_squared * (old * old * other_variance[y, x] + by * by * variance[y, x])
            image[y, x] = old * (factor * by)
            mask[y, x] |= other_mask[y, x]


@njit(cache=True, nogil=True, error_model="numpy")
def _photon_variance(
    image: Float32, variance: Float32, width: int, replace: bool, reciprocal_gain: np.float32, floor: np.float32
) -> None:
    for y in range(image.shape[0]):
        for x in range(width):
            signal = image[y, x] if replace else variance[y, x] + image[y, x]
            variance[y, x] = signal * reciprocal_gain + floor
