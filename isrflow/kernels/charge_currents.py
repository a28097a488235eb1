"""Undoing, or simulating, the brighter-fatter effect by currents between pixels: what one gains another loses.

The potential is that of the uncorrected image and is not updated (the reference does not either). Charge flows along
its steps, in proportion to what the giving pixel holds; that is known better with every pass. As in
`isrflow.kernels.brighter_fatter`, what is kept is the correction, and images are in electrons.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from isrflow.kernels.bands import add_to, over_bands
from isrflow.kernels.brighter_fatter import Convergence, checked_size, magnitude, sufficient_precision, without_nan
from isrflow.kernels.layout import Float32, Float64
from isrflow.kernels.stencil import Real, correlate


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
    add_to(image, gained)
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
    share = potential.dtype.type(0.5 if simulate else -0.5)

    def work(y: int, end: int) -> float:
        below, above = y - max(y - 1, 0), min(end + 1, len(signal)) - end  # whether there are rows before and after
        rows = slice(y - below, end + above)
        held = np.subtract(signal[rows], mean, dtype=potential.dtype)
        held += gained[rows]
        missing = np.isnan(held)
        held[missing] = 0
        result = updated[y:end]
        result[:] = 0
        up = _flow(potential[rows], held, share)
        own = slice(below, below + end - y)
        result[1 - below :] += up[: len(result) - 1 + below]
        result[: len(result) - 1 + above] -= up[below:]
        along = _flow(potential[y:end].T, held[own].T, share).T
        result[:, 1:] += along
        result[:, :-1] -= along
        result[missing[own]] = 0
        return float(np.abs(result - gained[y:end]).sum(dtype=np.float64))

    return math.fsum(over_bands(work, 0, len(signal)))


def _flow(potential: Real, held: Real, share: Any) -> Real:
    """Return the charge that each row gives to the next; none where a potential is not a number."""
    step = potential[1:] - potential[:-1]
    giver = np.where(step > 0, held[:-1], held[1:])
    step *= share
    step *= giver
    step[np.isnan(step)] = 0
    return step
