"""Decoding of Rice-compressed integers, all tiles of an image at once.

A tile begins with its first pixel as it is; then come, for every block of pixels, a number that says how differences of
neighbours are written: not at all (all are zero), as they are, or split into high bits (as so many zeros and a one) and
low bits. Signed differences are folded onto the even and odd numbers.

References
----------
.. [1] Pence, W. D., et al. 2010, FITS tiled image compression convention; FITS standard 4.0, section 10.4.1.
.. [2] Rice, R. F., Yeh, P.-S., Miller, W. H. 1993, JPL Publication 91-3.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isrflow.kernels.bands import over_bands

_Bytes = NDArray[np.uint8]
_Int64 = NDArray[np.int64]
_LEADING_ZEROS = np.array([8 - number.bit_length() for number in range(256)], np.int64)
_BANDS = 16
_LONGEST_PIXEL = 8
"""Bytes that a pixel takes at most, or is looked for in; broken code is noticed only at the end of a block."""


def decode_rice(
    stored: _Bytes, places: _Int64, boxes: _Int64, shape: tuple[int, int], *, n_bytes: int, block: int = 32
) -> NDArray[np.int32] | None:
    """Decode the tiles of an image.

    Parameters
    ----------
    stored
        The bytes in which the tiles lie.
    places
        (n, 2): where each tile begins, and how many bytes it has.
    boxes
        (n, 4): (y0, y1, x0, x1) of each tile in the image.
    shape
        (ny, nx) of the image.
    n_bytes
        Of a pixel before compression: 1 (unsigned), 2 or 4.
    block
        Pixels that share a number of low bits.

    Returns
    -------
    ndarray or None
        (ny, nx); None if the bytes are no such code.
    """
    image = np.empty(shape, np.int32)
    stored = np.concatenate([stored, np.zeros(_LONGEST_PIXEL * (block + 1), np.uint8)])
    good = np.zeros(len(places), np.bool_)
    given = stored, places, boxes, n_bytes, block, image, good
    over_bands(lambda first, end: _decode(*given, first, end), 0, len(places), height=len(places) // _BANDS + 1)
    return image if good.all() else None


@njit(cache=True, nogil=True)
def _decode(
    stored: _Bytes,
    places: _Int64,
    boxes: _Int64,
    n_bytes: int,
    block: int,
    image: NDArray[np.int32],
    good: NDArray[np.bool_],
    first: int,
    end: int,
) -> None:
    for k in range(first, end):
        y0, y1, x0, x1 = boxes[k]
        start, length = places[k]
        pixels = np.empty((y1 - y0) * (x1 - x0), np.int32)
        good[k] = _decode_tile(stored, start, length, n_bytes, block, pixels)
        i = 0
        for y in range(y0, y1):
            for x in range(x0, x1):
                image[y, x] = pixels[i]
                i += 1


@njit(cache=True, nogil=True)
def _decode_tile(code: _Bytes, start: int, length: int, n_bytes: int, block: int, pixels: NDArray[np.int32]) -> bool:
    """Decode one tile; false if its bytes end too early."""
    for_number = 3 if n_bytes == 1 else 4 if n_bytes == 2 else 5
    as_it_is = 6 if n_bytes == 1 else 14 if n_bytes == 2 else 25
    at, end = 8 * start, 8 * (start + length)  # of bits
    last = np.uint32(_next(code, at) >> np.uint64(64 - 8 * n_bytes))
    at += 8 * n_bytes
    i = 0
    while i < pixels.size:
        low = int(_next(code, at) >> np.uint64(64 - for_number)) - 1
        at += for_number
        stop = min(i + block, pixels.size)
        if low < 0:
            for j in range(i, stop):
                pixels[j] = _signed(last, n_bytes)
        elif low == as_it_is:
            for j in range(i, stop):
                last = _add(last, np.uint32(_next(code, at) >> np.uint64(64 - 8 * n_bytes)))
                pixels[j] = _signed(last, n_bytes)
                at += 8 * n_bytes
        else:
            for j in range(i, stop):
                bits = _next(code, at)
                zeros = int(_LEADING_ZEROS[bits >> np.uint64(56)])
                if zeros == 8:
                    at, zeros = _skip_zeros(code, at, end)
                    bits = _next(code, at)
                    last = _add(last, (np.uint32(zeros) << np.uint32(low)) | _part(bits, 1, low))
                    at += 1 + low
                else:
                    last = _add(last, (np.uint32(zeros) << np.uint32(low)) | _part(bits, zeros + 1, low))
                    at += zeros + 1 + low
                pixels[j] = _signed(last, n_bytes)
        if at > end:
            return False
        i = stop
    return True


@njit(cache=True, nogil=True, inline="always")
def _next(code: _Bytes, at: int) -> np.uint64:
    """Return at least 57 bits from a place on, at the upper end; the compiler makes one load of the eight."""
    k = np.uint64(at >> 3)
    bits = np.uint64(code[k]) << np.uint64(56)
    bits |= np.uint64(code[k + np.uint64(1)]) << np.uint64(48)
    bits |= np.uint64(code[k + np.uint64(2)]) << np.uint64(40)
    bits |= np.uint64(code[k + np.uint64(3)]) << np.uint64(32)
    bits |= np.uint64(code[k + np.uint64(4)]) << np.uint64(24)
    bits |= np.uint64(code[k + np.uint64(5)]) << np.uint64(16)
    bits |= np.uint64(code[k + np.uint64(6)]) << np.uint64(8)
    bits |= np.uint64(code[k + np.uint64(7)])
    return bits << np.uint64(at & 7)


@njit(cache=True, nogil=True, inline="always")
def _part(bits: np.uint64, skipped: int, n: int) -> np.uint32:
    """Return the `n` bits behind the first few."""
    return np.uint32((bits << np.uint64(skipped)) >> np.uint64(1) >> np.uint64(63 - n))  # a shift by 64 is undefined


@njit(cache=True, nogil=True)
def _skip_zeros(code: _Bytes, at: int, end: int) -> tuple[int, int]:
    """Go to the next one, and count the zeros before it; to the end if there is none."""
    begin = min(at, end)
    while at < end and _next(code, at) >> np.uint64(56) == 0:
        at += 8
    if at >= end:
        return end, end - begin
    at += int(_LEADING_ZEROS[_next(code, at) >> np.uint64(56)])
    return at, at - begin


@njit(cache=True, nogil=True, inline="always")
def _add(last: np.uint32, folded: np.uint32) -> np.uint32:
    """Add a difference that was folded onto even and odd numbers."""
    return last + ((folded >> np.uint32(1)) ^ (np.uint32(0) - (folded & np.uint32(1))))


@njit(cache=True, nogil=True, inline="always")
def _signed(value: np.uint32, n_bytes: int) -> np.int32:
    """Read the lower bytes of a sum as the kind of number that was compressed."""
    if n_bytes == 1:
        return np.int32(value & np.uint32(0xFF))
    if n_bytes == 2:
        return np.int32(np.int16(value & np.uint32(0xFFFF)))
    return np.int32(value)
