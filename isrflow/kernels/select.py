"""Order statistics of many float32 values in two passes, without sorting them.

The bits of a float32, read as an integer with the sign taken care of, are in the order of the values. The first pass
counts these keys in 65536 bins, spread over the range where a sample of the values says most of them are; a wanted rank
then lies in a known bin. The second pass collects the few values of that bin, and partial sorting finds the rank among
them. Counts are integers, so the result is exact and independent of the number of threads.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

WORTHWHILE = 1 << 23
"""Below this many values the partial sorting of numpy, which is vectorised, takes less time on one thread than this on
two."""

_BINS = 1 << 16
_BLOCKS = 4
_LANES = (
    4  # neighbours are often alike; counting them in turn in four tables keeps additions from waiting on each other
)
_SAMPLE = 4096
_TAIL = 0.002  # of the sample, on each side, is left to the outermost bins


def order_statistics(values: NDArray[np.float32], ranks: Sequence[int]) -> list[float]:
    """Find the values of given ranks (0 is the smallest).

    Parameters
    ----------
    values
        One-dimensional, contiguous, without NaN; left untouched.
    ranks
        Non-negative, less than ``values.size``.

    Returns
    -------
    list of float
        In the order of `ranks`.
    """
    bits = values.view(np.uint32)
    lowest, shift = _spread(bits)
    counts = _count(bits, lowest, shift)
    upto = np.cumsum(counts.sum(axis=0))
    bins = [int(np.searchsorted(upto, rank, side="right")) for rank in ranks]
    wanted = list(dict.fromkeys(bins))
    slot_of = np.full(_BINS, -1, np.int8)
    slot_of[wanted] = range(len(wanted))
    collected = _collect(bits, lowest, shift, slot_of, np.ascontiguousarray(counts[:, wanted]))
    ends = np.cumsum([int(counts[:, bin_].sum()) for bin_ in wanted])
    found = []
    for rank, bin_ in zip(ranks, bins, strict=True):
        end = int(ends[wanted.index(bin_)])
        members = collected[end - int(counts[:, bin_].sum()) : end]
        inside = rank - (int(upto[bin_ - 1]) if bin_ else 0)
        members.partition(inside)
        found.append(float(_values_of(members[inside : inside + 1])[0]))
    return found


def _spread(bits: NDArray[np.uint32]) -> tuple[np.uint32, np.uint32]:
    """Choose the key of the first inner bin, and the width of bins as a power of two, from a sample."""
    sample = np.sort(_keys_of(bits[:: max(1, bits.size // _SAMPLE)].copy()))
    tail = int(_TAIL * sample.size)
    low, high = int(sample[tail]), int(sample[-1 - tail])
    shift = 0
    while (high - low) >> shift > _BINS - 3:
        shift += 1
    return np.uint32(low), np.uint32(shift)


def _keys_of(bits: NDArray[np.uint32]) -> NDArray[np.uint32]:
    sign = np.uint32(0x80000000)
    return np.where(bits & sign, ~bits, bits | sign)


def _values_of(keys: NDArray[np.uint32]) -> NDArray[np.float32]:
    sign = np.uint32(0x80000000)
    return np.where(keys & sign, keys ^ sign, ~keys).astype(np.uint32).view(np.float32)


@njit(cache=True, nogil=True, inline="always")
def _bin_of(bits: np.uint32, lowest: np.uint32, shift: np.uint32) -> np.uint32:
    """Find the bin of a value; the outermost bins hold the tails."""
    key = ~bits if bits >> np.uint32(31) else bits | np.uint32(0x80000000)
    if key < lowest:
        return np.uint32(0)
    return min(((key - lowest) >> shift) + np.uint32(1), np.uint32(_BINS - 1))


@njit(cache=True, nogil=True, parallel=True)
def _count(bits: NDArray[np.uint32], lowest: np.uint32, shift: np.uint32) -> NDArray[np.int64]:
    """Count the values by block and bin."""
    counts = np.zeros((_BLOCKS, _LANES, _BINS), np.int32)
    step = -(-bits.size // _BLOCKS)
    for block in prange(_BLOCKS):
        first, second, third, fourth = counts[block, 0], counts[block, 1], counts[block, 2], counts[block, 3]
        start, stop = block * step, min((block + 1) * step, bits.size)
        whole = start + (stop - start) // _LANES * _LANES
        for i in range(start, whole, _LANES):
            first[_bin_of(bits[i], lowest, shift)] += 1
            second[_bin_of(bits[i + 1], lowest, shift)] += 1
            third[_bin_of(bits[i + 2], lowest, shift)] += 1
            fourth[_bin_of(bits[i + 3], lowest, shift)] += 1
        for i in range(max(whole, start), stop):
            first[_bin_of(bits[i], lowest, shift)] += 1
    by_block: NDArray[np.int64] = counts.sum(axis=1)
    return by_block


@njit(cache=True, nogil=True, parallel=True)
def _collect(
    bits: NDArray[np.uint32],
    lowest: np.uint32,
    shift: np.uint32,
    slot_of: NDArray[np.int8],
    counts: NDArray[np.int64],
) -> NDArray[np.uint32]:
    """Gather the keys of the chosen bins, bin after bin; `counts` is (block, chosen bin)."""
    n_slots = counts.shape[1]
    places = np.zeros((_BLOCKS, n_slots), np.int64)
    total = 0
    for slot in range(n_slots):
        for block in range(_BLOCKS):
            places[block, slot] = total
            total += counts[block, slot]
    keys = np.empty(total, np.uint32)
    step = -(-bits.size // _BLOCKS)
    for block in prange(_BLOCKS):
        place = places[block]
        for i in range(block * step, min((block + 1) * step, bits.size)):
            slot = slot_of[_bin_of(bits[i], lowest, shift)]
            if slot >= 0:
                keys[place[slot]] = ~bits[i] if bits[i] >> np.uint32(31) else bits[i] | np.uint32(0x80000000)
                place[slot] += 1
    return keys
