"""Undoing the brighter-fatter effect by the sides of pixels: charge moves them, and light falls on the other side.

The light that fell on the strip by which a side was moved is the mean brightness at the side times its shift; half of
the shift counts, as the charge that causes it grew during the exposure (Astier & Regnault 2023, A&A 670, A118). Only
the upper and right sides are dealt with: they are the lower and left ones of the next pixels, which gain what is lost.
The sums are those of stencils in single precision, of which only a small part acts on a pixel.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from isrflow.kernels.bands import over_bands
from isrflow.kernels.layout import Float32, Float64
from isrflow.kernels.stencil import cut_out, is_symmetric, sum_weighed


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
    symmetric = is_symmetric(up), is_symmetric(right)
    (ny, nx), reach = image.shape, len(up) // 2

    def work(first: int, end: int) -> None:
        # A border of one more: the upper sides of pixels below and the right ones of those to the left count too.
        n, corner = end - first, (first - reach - 1, -reach - 1)
        around = cut_out(image, corner, (n + 2 * reach + 2, nx + 2 * reach + 2), np.float32)
        signal = around[reach:-reach, reach:-reach]
        above, beside = np.empty((n + 1, nx), np.float32), np.empty((n, nx + 1), np.float32)
        sum_weighed(around, 0, 1, up, symmetric[0], above)
        sum_weighed(around, 1, 0, right, symmetric[1], beside)
        above *= signal[1:, 1:-1] + signal[:-1, 1:-1]
        beside *= signal[1:-1, 1:] + signal[1:-1, :-1]
        if first == 0:
            above[0] = 0
        if end == ny:
            above[-1] = 0
        beside[:, 0] = beside[:, -1] = 0
        lost = above[1:] - above[:-1]
        lost += beside[:, 1:]
        lost -= beside[:, :-1]
        np.subtract(image[first:end], lost, out=corrected[first:end])

    over_bands(work, 0, ny)
    over_bands(lambda first, end: np.copyto(image[first:end], corrected[first:end]), 0, ny)
