"""Undoing the brighter-fatter effect by the sides of pixels: charge moves them, and light falls on the other side.

The light that fell on the strip by which a side was moved is the mean brightness at the side times its shift; half of
the shift counts, as the charge that causes it grew during the exposure (Astier & Regnault 2023, A&A 670, A118). Only
the upper and right sides are dealt with: they are the lower and left ones of the next pixels, which gain what is lost.
The sums are those of stencils in single precision, of which only a small part acts on a pixel.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, prange

from isrflow.kernels.layout import Float32, Float64
from isrflow.kernels.stencil import TILE_HEIGHT, TILE_WIDTH, copy_around, is_symmetric, sum_weighed
from isrflow.kernels.threads import parallel_njit


class Shifts(NamedTuple):
    """Kernels by which an image is convolved to find half the shift of sides of its pixels, (2n - 1, 2n - 1) each."""

    upper: Float64
    right: Float64


def shifts_of(north: Float64, south: Float64, east: Float64, west: Float64) -> Shifts:
    """Lay out matrices of one quadrant, (n, n) by distance in x and y, as kernels with rows along y.

    What lies on the far side of a charge moves away from it as much as the opposite side on the near side does.
    """
    n = north.shape[0]
    middle = n - 1
    upper, right = np.empty((2 * n - 1, 2 * n - 1)), np.empty((2 * n - 1, 2 * n - 1))
    for quarter, positive, negative in ((upper, north, south), (right, east.T, west.T)):
        # Both have the crossed side along their second axis here.
        quarter[middle:, middle:], quarter[:n, middle:] = positive, positive[::-1]
        quarter[middle:, :n], quarter[:n, :n] = negative[:, ::-1], negative[::-1, ::-1]
        quarter[:, 0] = -quarter[:, -1]  # the side that faces the last one is the same side
    return Shifts(np.ascontiguousarray(upper.T) / 4, right / 4)


def correct_electrostatic(image: Float32, shifts: Shifts) -> None:
    """Put charge back on the side of the pixel border it was headed for, in place.

    Beyond the edges there is no charge. Not-a-numbers stay, and count as zero for their neighbours.

    Parameters
    ----------
    image
        (ny, nx), float32, in electrons; changed in place.
    shifts
        From `shifts_of`, in pixels per electron.
    """
    up, right = (np.ascontiguousarray(kernel[::-1, ::-1], np.float32) for kernel in shifts)
    corrected = np.empty(image.shape, np.float32)
    _correct(np.ascontiguousarray(image), up, right, is_symmetric(up), is_symmetric(right), corrected)
    image[...] = corrected


@parallel_njit(fastmath={"contract"})
def _correct(
    image: Float32, up: Float32, right: Float32, up_is_symmetric: bool, right_is_symmetric: bool, corrected: Float32
) -> None:
    height, width = image.shape
    reach = up.shape[0] // 2
    n_across = (width + TILE_WIDTH - 1) // TILE_WIDTH
    n_tiles = (height + TILE_HEIGHT - 1) // TILE_HEIGHT * n_across
    for tile in prange(n_tiles):
        y, x = tile // n_across * TILE_HEIGHT, tile % n_across * TILE_WIDTH
        ny, nx = min(TILE_HEIGHT, height - y), min(TILE_WIDTH, width - x)
        # A border of one more: the upper sides of pixels below and the right ones of those to the left count too.
        around = np.zeros((ny + 2 * reach + 2, nx + 2 * reach + 2), np.float32)
        copy_around(image, np.float32(0), y - reach - 1, x - reach - 1, around)
        above, beside = np.empty((ny + 1, nx), np.float32), np.empty((ny, nx + 1), np.float32)
        sum_weighed(around, 0, 1, up, up_is_symmetric, above)
        sum_weighed(around, 1, 0, right, right_is_symmetric, beside)
        for i in range(ny + 1):
            _cross(above[i], around[reach + i, reach + 1 :], around[reach + i + 1, reach + 1 :])
        if y == 0:
            above[0] = 0
        if y + ny == height:
            above[ny] = 0
        for i in range(ny):
            _cross(beside[i], around[reach + i + 1, reach:], around[reach + i + 1, reach + 1 :])
            if x == 0:
                beside[i, 0] = 0
            if x + nx == width:
                beside[i, nx] = 0
            _settle(image[y + i, x : x + nx], above[i], above[i + 1], beside[i], corrected[y + i, x : x + nx])


@njit(cache=True, nogil=True)
def _cross(charge: Float32, here: Float32, there: Float32) -> None:
    """Turn half the shifts of sides into the charge that crosses them."""
    for x in range(charge.size):
        charge[x] *= there[x] + here[x]


@njit(cache=True, nogil=True)
def _settle(pixels: Float32, below: Float32, above: Float32, beside: Float32, corrected: Float32) -> None:
    """Take off what crossed the upper and right sides, and add what crossed the lower and left ones."""
    right = beside[1:]
    for x in range(pixels.size):
        corrected[x] = pixels[x] - (((above[x] - below[x]) + right[x]) - beside[x])
