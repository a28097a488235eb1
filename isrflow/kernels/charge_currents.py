"""Undoing, or simulating, the brighter-fatter effect by currents between pixels: what one gains another loses.

The potential is that of the uncorrected image and is not updated (the reference does not either). Charge flows along
its steps, in proportion to what the giving pixel holds; that is known better with every pass. As in
`isrflow.kernels.brighter_fatter`, what is kept is the correction, and images are in electrons.
"""

from __future__ import annotations

import math

import numpy as np

from isrflow.kernels.bands import BAND, add_to, over_bands
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
    potential = _potential_of(signal, mean, np.ascontiguousarray(kernel / 2, precision), size)
    gained = np.zeros(image.shape, precision)
    difference = math.nan
    for iteration in range(max_iterations):
        change = _pass(potential, signal, mean, gained, simulate)
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
    gained = np.zeros(potential.shape, potential.dtype)
    _pass(potential / 2, signal, 0.0, gained, simulate)
    return gained


def _potential_of(signal: Real, mean: float, kernel: Real, size: int) -> Real:
    """Correlate with a kernel centred on (size - 1) // 2; zeros follow the image, what precedes it is not a number."""
    centre = (size - 1) // 2
    potential = correlate(signal, kernel, (centre, centre), pivot=mean)
    potential[:centre] = potential[:, :centre] = np.nan
    return potential


def _pass(potential: Real, signal: Real, mean: float, gained: Real, simulate: bool) -> float:
    """Improve the correction `gained`, in place, with half the potential; return the sum of absolute changes."""
    lowest, highest = gained[::BAND].copy(), gained[BAND - 1 :: BAND].copy()  # what bands see of each other
    take, give = (np.subtract, np.add) if simulate else (np.add, np.subtract)

    def work(y: int, end: int) -> float:
        below, above = int(y > 0), int(end < len(signal))  # whether there are rows before and after
        rows, own = slice(y - below, end + above), slice(below, below + end - y)
        held = np.subtract(signal[rows], mean, dtype=potential.dtype)
        held[own] += gained[y:end]
        if below:
            held[0] += highest[y // BAND - 1]
        if above:
            held[-1] += lowest[y // BAND + 1]
        missing = np.isnan(held) if np.isnan(held.min()) else None
        if missing is not None:
            held[missing] = 0
        result = np.zeros((end - y, signal.shape[1]), potential.dtype)
        slope = potential[rows]
        up = _current(slope[:-1], slope[1:], held[:-1], held[1:])
        here, there = result[: len(result) - 1 + above], result[1 - below :]
        take(here, up[below:], out=here)
        give(there, up[: len(there)], out=there)
        slope, held = slope[own], held[own]
        along = _current(slope[:, :-1], slope[:, 1:], held[:, :-1], held[:, 1:])
        take(result[:, :-1], along, out=result[:, :-1])
        give(result[:, 1:], along, out=result[:, 1:])
        if missing is not None:
            result[missing[own]] = 0
        change = np.subtract(result, gained[y:end])
        gained[y:end] = result
        return float(np.abs(change, out=change).sum(dtype=np.float64))

    return math.fsum(over_bands(work, 0, len(signal)))


def _current(potential: Real, potential_there: Real, held: Real, held_there: Real) -> Real:
    """Return the charge that goes back from the next pixels to these, less what goes the other way.

    What goes is in proportion to what the pixel of lower potential holds; nothing where one is not a number.
    """
    step = potential_there - potential
    back: Real = np.fmax(step, 0)
    back *= held
    np.fmin(step, 0, out=step)
    step *= held_there
    back += step
    return back
