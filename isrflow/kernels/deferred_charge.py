"""Charge that arrives late at the output: drift of the output amplifier's offset, and traps in the serial register.

Everything acts along a row, in the order in which its pixels were read, so rows are independent. The product of the
drift scale and the image is rounded as the image is; all that follows is double and is rounded once, at the end. A
pixel that is not a number stays so, and leaves nothing in later ones.

References
----------
Snyder & Roodman 2021, JATIS 7, 048002.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isrflow.kernels.bands import over_bands
from isrflow.kernels.layout import Float64, whole_rows

Capture = Literal["linear", "logistic", "spline"]
_CODES: dict[Capture, int] = {"linear": 1, "logistic": 2, "spline": 3}
_Real = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Drift:
    """The offset of an output amplifier: `scale` times the last signal, decaying over `decay_time` pixels."""

    scale: float
    decay_time: float


@dataclass(frozen=True, slots=True)
class Trap:
    """How much charge a trap takes from a signal, and how fast it gives it back."""

    size: float
    """Largest charge held, in electrons; splines ignore it."""
    emission_time: float
    """In pixels."""
    capture: Capture = "linear"
    coefficients: Float64 = field(default_factory=lambda: np.zeros(1))
    """``linear``: slope; ``logistic``: middle and steepness; ``spline``: signals, then as many captured charges."""

    def knots(self) -> tuple[Float64, Float64]:
        """Return signals and captured charges of a spline, without the pairs in which one is not a number."""
        signals, charges = np.split(np.asarray(self.coefficients, np.float64), 2)
        good = ~(np.isnan(signals) | np.isnan(charges))
        return signals[good], charges[good]


def correct_deferred_charge(
    image: _Real,
    drift: Drift | None,
    trap: Trap | None,
    *,
    global_cti: float = 0.0,
    n_offset: int = 15,
    n_trap: int = 6,
    from_right: bool = False,
) -> None:
    """Take the offset's drift off, then give trapped charge back to the pixel it came from, in place.

    Parameters
    ----------
    image
        (ny, nx) float32 or float64, in electrons, a whole segment with its overscan.
    drift
        None, or a scale of 0, for none.
    trap
        None for none.
    global_cti
        Charge transfer inefficiency; the trap's share is that which is transferred.
    n_offset
        How many pixels, itself included, are searched for the one that set the offset.
    n_trap
        How many earlier pixels are searched for the one that filled the trap.
    from_right
        Whether the last column was read first.
    """
    scale = image.dtype.type(drift.scale if drift is not None else 0.0)
    decay = _decay(drift.decay_time, n_offset) if drift is not None and drift.scale > 0 else np.empty(0)
    code, signals, charges = _tabulated(trap)
    emission = _decay(trap.emission_time, n_trap) if trap is not None else np.empty(0)
    rate = float(np.exp(-1 / trap.emission_time)) if trap is not None else 0.0
    settings = (scale, decay, code, signals, charges, emission, rate, 1 - global_cti)
    rows = whole_rows(image)
    over_bands(lambda first, end: _correct(rows[first:end], image.shape[1], from_right, *settings), 0, len(rows))


def captured_charge(trap: Trap, signal: Float64) -> Float64:
    """Return what an empty trap takes from signals of any shape, in electrons."""
    code, signals, charges = _tabulated(trap)
    flat = np.ascontiguousarray(signal, np.float64).reshape(-1)
    captured = np.empty_like(flat)
    _capture(captured, flat, code, signals, charges)
    return captured.reshape(np.shape(signal))


def _decay(time: float, n: int) -> Float64:
    """Return what is left after 0, 1, ... n-1 pixels."""
    return np.asarray(np.exp(-1 / time) ** np.arange(n), np.float64)


def _tabulated(trap: Trap | None) -> tuple[int, Float64, Float64]:
    """Return a capture function as a code and two arrays."""
    if trap is None:
        return 0, np.empty(0), np.empty(0)
    if trap.capture == "spline":
        return _CODES["spline"], *trap.knots()
    return _CODES[trap.capture], np.asarray(trap.coefficients, np.float64), np.array([trap.size], np.float64)


@njit(cache=True, nogil=True, error_model="numpy")
def _correct(
    image: _Real,
    width: int,
    from_right: bool,
    scale: float,
    decay: Float64,
    code: int,
    signals: Float64,
    charges: Float64,
    emission: Float64,
    rate: float,
    share: float,
) -> None:
    pixels, row = np.empty(width, image.dtype), np.empty(width)
    left, level, held = np.empty(width), np.empty(width), np.empty(width)
    for y in range(image.shape[0]):
        pixels[:] = image[y, :width][::-1] if from_right else image[y, :width]
        row[:] = pixels
        if decay.size > 0:
            for x in range(width):
                left[x] = scale * pixels[x] if pixels[x] > 0 else 0.0
            _raise_to(level, left, decay, 0)
            for x in range(width):
                row[x] -= level[x]
        if code > 0:
            for x in range(width):
                level[x] = row[x] if row[x] > 0 else 0.0
            _capture(left, level, code, signals, charges)
            _raise_to(held, left, emission, 1)
            for x in range(width):
                taken = left[x] - held[x] * rate
                given = held[x] * (1 - rate)
                row[x] -= share * (given - (taken if taken > 0 else 0.0))
        image[y, :width] = row[::-1] if from_right else row


@njit(cache=True, nogil=True)
def _raise_to(level: Float64, source: Float64, factors: Float64, delay: int) -> None:
    """Set each level to the largest of what the pixels before it left there, after `delay` pixels at the earliest."""
    level[:] = 0.0
    for n in range(factors.size):
        factor, first = factors[n], n + delay
        for x in range(max(level.size - first, 0)):
            left = source[x] * factor
            level[first + x] = max(level[first + x], left)


@njit(cache=True, nogil=True, error_model="numpy")
def _capture(captured: Float64, signal: Float64, code: int, abscissae: Float64, ordinates: Float64) -> None:
    if code == 1:
        slope, size = abscissae[0], ordinates[0]
        for x in range(signal.size):
            captured[x] = min(size, slope * signal[x])
    elif code == 2:
        middle, steepness, size = abscissae[0], abscissae[1], ordinates[0]
        for x in range(signal.size):
            captured[x] = size / (1.0 + np.exp(-steepness * (signal[x] - middle)))
    else:
        _interpolate(captured, signal, abscissae, ordinates)


@njit(cache=True, nogil=True, error_model="numpy")
def _interpolate(result: Float64, values: Float64, abscissae: Float64, ordinates: Float64) -> None:
    """Do what `numpy.interp` does, rounding included; numba's takes seconds to compile."""
    last = abscissae.size - 1
    for x in range(values.size):
        value, low, high = values[x], 0, last
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if abscissae[middle] <= value else (low, middle)
        if value <= abscissae[0]:
            result[x] = ordinates[0]
        elif value >= abscissae[last]:
            result[x] = ordinates[last]
        else:
            slope = (ordinates[high] - ordinates[low]) / (abscissae[high] - abscissae[low])
            result[x] = slope * (value - abscissae[low]) + ordinates[low]
