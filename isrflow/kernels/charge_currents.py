"""Undoing, or simulating, the brighter-fatter effect by currents between pixels: what one gains another loses.

The potential is that of the uncorrected image and is not updated (the reference does not either). Charge flows along
its steps, in proportion to what the giving pixel holds; that is known better with every pass. As in
`isrflow.kernels.brighter_fatter`, what is kept is the correction, and images are in electrons.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit, prange

from isrflow.kernels.brighter_fatter import Convergence, checked_size, magnitude, sufficient_precision, without_nan
from isrflow.kernels.layout import Float32, Float64
from isrflow.kernels.stencil import TILE_HEIGHT, Real, correlate
from isrflow.kernels.threads import parallel_njit


def correct_conserving_charge(
    image: Float32,
    kernel: Float64,
    *,
    max_iterations: int = 10,
    threshold: float = 1000.0,
    simulate: bool = False,
) -> Convergence:
    """Put charge back where it was headed, in place, as currents between pixels.

    Pixels nearer than half the kernel to the low edges exchange nothing. Not-a-numbers stay, and count as the mean for
    their neighbours.

    Parameters
    ----------
    image
        (ny, nx), float32, in electrons; changed in place.
    kernel
        (k, k), float64, in 1/electron.
    max_iterations
        At least one. The first change is not judged: two iterations are the least that is done, if this allows.
    threshold
        The iteration ends when the sum of absolute changes is less, in electrons.
    simulate
        Let charge flow the other way, as it does in a detector.

    Raises
    ------
    ValueError
        If the kernel is not square or no iteration is allowed.
    """
    size = checked_size(kernel, max_iterations)
    base = without_nan(image)
    n_good = image.size if base is image else int(np.count_nonzero(~np.isnan(image)))
    if n_good == 0:
        return Convergence(math.nan, 0)
    precision = sufficient_precision(threshold, image.size)
    mean = float(base.sum(dtype=np.float64) / n_good)
    signal = np.ascontiguousarray(image)
    potential = _potential_of(signal, mean, np.ascontiguousarray(kernel, precision), size)
    gained, updated = np.zeros(image.shape, precision), np.empty(image.shape, precision)
    difference = math.nan
    for iteration in range(max_iterations):
        change = _pass(potential, signal, mean, gained, simulate, updated)
        gained, updated = updated, gained
        if iteration == 1:  # by rule the first change that is judged is that from zero
            enough = math.inf if iteration == max_iterations - 1 else threshold
            change = magnitude(signal, gained, enough, pivot=mean)
        if iteration > 0:
            difference = change
            if difference < threshold:
                break
    np.add(image, gained, out=image, casting="same_kind")
    return Convergence(difference, iteration)


def transfer_charge(potential: Real, signal: Real, *, simulate: bool = False) -> Real:
    """Return what each pixel gains by the currents a potential drives, less what it loses.

    Parameters
    ----------
    potential
        (ny, nx), float32 or float64; nothing flows from or to pixels where it is not a number.
    signal
        (ny, nx), of the same type, in electrons. Not-a-numbers hold nothing and gain nothing.
    simulate
        Let charge flow the other way, as it does in a detector.
    """
    gained = np.empty(potential.shape, potential.dtype)
    _pass(potential, signal, 0.0, np.zeros_like(gained), simulate, gained)
    return gained


def _potential_of(signal: Real, mean: float, kernel: Real, size: int) -> Real:
    """Correlate with a kernel centred on (size - 1) // 2; zeros follow the image, what precedes it is not a number."""
    centre = (size - 1) // 2
    potential = correlate(signal, kernel, (centre, centre), pivot=mean)
    potential[:centre] = potential[:, :centre] = np.nan
    return potential


def _pass(potential: Real, signal: Real, mean: float, gained: Real, simulate: bool, updated: Real) -> float:
    """Find the next correction; return the sum of absolute changes."""
    changes = np.zeros(-(-signal.shape[0] // TILE_HEIGHT))
    number = potential.dtype.type
    _let_flow(potential, signal, number(mean), gained, number(0.5 if simulate else -0.5), updated, changes)
    return float(changes.sum())


@parallel_njit()
def _let_flow(
    potential: Real, signal: Real, mean: Any, gained: Real, share: Any, updated: Real, changes: Float64
) -> None:
    ny, nx = signal.shape
    for band in prange(changes.size):
        first, end = band * TILE_HEIGHT, min((band + 1) * TILE_HEIGHT, ny)
        change = np.zeros(nx)
        held, held_above = np.empty(nx, gained.dtype), np.empty(nx, gained.dtype)
        along, up, from_below = np.zeros(nx + 1, gained.dtype), np.zeros(nx, gained.dtype), np.zeros(nx, gained.dtype)
        if first > 0:
            _hold(signal[first - 1], mean, gained[first - 1], held_above)
        _hold(signal[first], mean, gained[first], held)
        if first > 0:
            _flow(potential[first - 1], potential[first], held_above, held, share, from_below)
        for y in range(first, end):
            _flow(potential[y, : nx - 1], potential[y, 1:], held[: nx - 1], held[1:], share, along[1:nx])
            if y + 1 < ny:
                _hold(signal[y + 1], mean, gained[y + 1], held_above)
                _flow(potential[y], potential[y + 1], held, held_above, share, up)
            else:
                up[:] = 0
            _gain(signal[y], gained[y], from_below, up, along, updated[y], change)
            held, held_above = held_above, held
            from_below, up = up, from_below
        changes[band] = change.sum()


@njit(cache=True, nogil=True)
def _hold(signal: Real, mean: Any, gained: Real, held: Real) -> None:
    for x in range(held.size):
        held[x] = signal[x] - mean + gained[x] if not np.isnan(signal[x]) else np.float32(0)


@njit(cache=True, nogil=True)
def _flow(potential: Real, following: Real, held: Real, held_there: Real, share: Any, flow: Real) -> None:
    """Find the charge that each pixel gives to the one that follows; none where a potential is not a number."""
    for x in range(flow.size):
        step = following[x] - potential[x]
        flow[x] = share * step * (held[x] if step > 0 else held_there[x]) if not np.isnan(step) else np.float32(0)


@njit(cache=True, nogil=True)
def _gain(signal: Real, gained: Real, from_below: Real, up: Real, along: Real, updated: Real, change: Float64) -> None:
    after = along[1:]
    for x in range(updated.size):
        gain = (from_below[x] - up[x]) + (along[x] - after[x])
        updated[x] = gain if not np.isnan(signal[x]) else np.float32(0)
        change[x] += abs(updated[x] - gained[x])
