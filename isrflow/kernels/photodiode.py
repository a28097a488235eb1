"""The charge a photodiode collected, from samples of its current."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Vector = NDArray[np.float64]
Method = Literal["DIRECT_SUM", "TRIMMED_SUM", "CHARGE_SUM", "MEAN"]
METHODS: tuple[Method, ...] = ("DIRECT_SUM", "TRIMMED_SUM", "CHARGE_SUM", "MEAN")
_N_SIGMA, _N_CLIPS = 3.0, 5
_N_BESIDE = 2
"""Samples on both sides of the light that belong neither to it nor to the background."""


def integrate(
    time_s: ArrayLike,
    current_ampere: ArrayLike,
    method: Method = "DIRECT_SUM",
    *,
    scale: float = 1.0,
    exposure_time_s: float | None = None,
) -> float:
    """Return the charge (coulomb) of a record of currents.

    Parameters
    ----------
    time_s, current_ampere
        (n,) samples. For CHARGE_SUM the second holds charges (coulomb), each of the interval before its time.
    method
        DIRECT_SUM: trapezoids, whatever `scale`. TRIMMED_SUM: trapezoids above the clipped mean of the samples in the
        lowest fifth of the range. CHARGE_SUM: the sum of charges less a background rate, measured where the current is
        in the lowest twentieth of its range. MEAN: the mean times the exposure time.
    scale
        Factor on the current; -1 where an electrometer counts the other way.
    exposure_time_s
        Needed by MEAN alone.

    Raises
    ------
    ValueError
        If the method is unknown, there are fewer than two samples, lists differ in length, or MEAN lacks a time.
    """
    time, current = np.asarray(time_s, np.float64), np.asarray(current_ampere, np.float64)
    if time.ndim != 1 or time.shape != current.shape or time.size < 2:
        raise ValueError(f"photodiode samples are two equal lists of at least two: {time.shape} and {current.shape}")
    if method == "MEAN":
        if exposure_time_s is None:
            raise ValueError("MEAN needs the exposure time: pass exposure_time_s")
        return float((scale * current).mean() * exposure_time_s)
    sums: dict[str, Callable[[], float]] = {
        "DIRECT_SUM": lambda: _trapezoids(current, time),
        "TRIMMED_SUM": lambda: _above_baseline(scale * current, time),
        "CHARGE_SUM": lambda: _charges(scale * current, time),
    }
    if method not in sums:
        raise ValueError(f"no integration method {method!r}: choose one of {', '.join(METHODS)}")
    return sums[method]()


def _trapezoids(current: Vector, time: Vector) -> float:
    return float((0.5 * (current[1:] + current[:-1]) * np.diff(time)).sum())


def _above_baseline(current: Vector, time: Vector) -> float:
    low, high = current.min(), current.max()
    dark = current[current < low + (high - low) / 5.0]
    return _trapezoids(current - _clipped_mean(dark), time)


def _clipped_mean(sample: Vector) -> float:
    """Average what lies within three standard deviations of the median, clipping until nothing more is clipped."""
    for _ in range(_N_CLIPS):
        if sample.size == 0:
            break
        inside = sample[np.abs(sample - np.median(sample)) <= _N_SIGMA * sample.std()]
        if inside.size == sample.size:
            break
        sample = inside
    return float(sample.mean()) if sample.size else 0.0


def _charges(charge: Vector, time: Vector) -> float:
    interval, charge = np.diff(time), charge[1:]
    current = charge / interval
    lit = np.flatnonzero(current > current.min() + (current.max() - current.min()) / 20.0)
    if lit.size == 0:
        return 0.0
    first, last = max(lit[0] - _N_BESIDE, 0), lit[-1] + _N_BESIDE
    dark = np.ones(charge.size, np.bool_)
    dark[first:last] = False
    rate = charge[dark].sum() / interval[dark].sum() if dark.any() else 0.0
    return float((charge - rate * interval).sum())
