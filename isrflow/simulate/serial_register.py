"""How a serial register is read: charge is left behind and trapped on its way, and the output's offset drifts.

This is the forward model of what `isrflow.steps.deferred_charge` undoes. A row of charge lies in the register, the
prescan nearest the output; at each step its traps fill, the first pixel is measured, all charge moves on by one pixel,
but for a fraction (the inefficiency) that stays, and the traps let go of some. Rows do not know of each other.

References
----------
Snyder & Roodman 2021, JATIS 7, 048002.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isrflow.calibs.deferred_charge import DeferredCharge
from isrflow.kernels.deferred_charge import Drift, Trap, captured_charge
from isrflow.kernels.threads import map_in_threads

Float64 = NDArray[np.float64]
_ROWS = 64
"""Rows dealt with at a time: their registers stay in the cache."""


class SerialTrap:
    """A trap at one pixel of the register, and what it holds of each row.

    Parameters
    ----------
    trap
        Capture and emission.
    pixel
        Where it lies, counted from the output, prescan included.
    """

    def __init__(self, trap: Trap, pixel: int) -> None:
        self.trap = trap
        self.pixel = pixel
        self.held_electron: Float64 = np.zeros(0)
        """(rows,)"""

    def empty(self, n_rows: int) -> None:
        """Forget what is held, and prepare for so many rows."""
        self.held_electron = np.zeros(n_rows)

    def capture(self, charge: Float64) -> Float64:
        """Hold what it can of the charge at its pixel, (rows,) electrons, and return how much more than before."""
        wanted = np.minimum(np.maximum(captured_charge(self.trap, charge), self.held_electron), self.trap.size)
        taken = wanted - self.held_electron
        self.held_electron = wanted
        return taken

    def release(self) -> Float64:
        """Let go of what does not stay for a pixel's time, (rows,) electrons, and return it."""
        released = self.held_electron * (1 - np.exp(-1 / self.trap.emission_time))
        self.held_electron = self.held_electron - released
        return np.asarray(released, np.float64)


@dataclass(frozen=True, slots=True)
class Register:
    """What a serial register and its output do to charge."""

    drift: Drift | None = None
    """Of the output's offset."""
    cti: float = 0.0
    """Share of charge left behind by each transfer."""
    traps: tuple[tuple[Trap, int], ...] = ()
    """Traps and their pixels."""
    n_prescan: int = 0
    """Pixels between the first column of light and the output."""

    @classmethod
    def of_amplifier(cls, deferred_charge: DeferredCharge, amp_name: str, n_prescan: int = 0) -> Register:
        """Return the register that a calibration describes."""
        trap = deferred_charge.trap(amp_name), int(deferred_charge.trap_pixel[amp_name])
        cti = float(deferred_charge.global_cti[amp_name])
        return cls(deferred_charge.drift(amp_name), cti, (trap,), n_prescan)


def shift_out(
    charge: NDArray[np.floating],
    register: Register,
    *,
    n_overscan: int = 0,
    n_parallel: int = 0,
    offset: float = 0.0,
    noise: float = 0.0,
    rng: np.random.Generator | None = None,
) -> Float64:
    """Read the rows of an amplifier through its serial register.

    Parameters
    ----------
    charge
        (ny, nx) electrons, in order of readout: the first column is nearest the output.
    register
        What happens on the way.
    n_overscan
        Pixels read after the last column.
    n_parallel
        Rows without charge that follow.
    offset, noise
        Mean and standard deviation, in electrons, of what the output adds to all pixels.
    rng
        Of the noise; needed if there is any.

    Returns
    -------
    ndarray
        (ny + n_parallel, n_prescan + nx + n_overscan) float64, electrons.

    Raises
    ------
    ValueError
        If a trap lies outside of the register, or there is noise and no generator.
    """
    length = register.n_prescan + charge.shape[1]
    if outside := [pixel for _, pixel in register.traps if not 0 <= pixel < length]:
        raise ValueError(f"traps at pixels {outside}: the register has {length}")
    if noise and rng is None:
        raise ValueError("noise needs a generator of random numbers: give rng")
    result = np.zeros((charge.shape[0] + n_parallel, length + n_overscan))
    bands = [(charge[y : y + _ROWS], result[: charge.shape[0]][y : y + _ROWS]) for y in range(0, len(charge), _ROWS)]
    map_in_threads(lambda band: _shift_band(*band, register), bands)
    result += offset
    if rng is not None and noise:
        result += rng.normal(0.0, noise, result.shape)
    return result


def expected_overscan(
    signal: ArrayLike, columns: Sequence[int] | NDArray[np.intp], register: Register, n_transfers: int
) -> Float64:
    """Return what overscan pixels hold after an even light, to first order, without simulating every step.

    Parameters
    ----------
    signal
        (n,) electrons in the last pixels of light.
    columns
        (m,) which overscan pixels, the first being 1.
    register
        Its traps must be linear.
    n_transfers
        How often charge of the last column is moved.

    Returns
    -------
    ndarray
        (n, m) electrons.

    Raises
    ------
    ValueError
        If a trap is not linear.
    """
    levels, x = np.asarray(signal, np.float64)[:, np.newaxis], np.asarray(columns, np.float64)
    result = levels * n_transfers * register.cti**x
    for trap, _ in register.traps:
        if trap.capture != "linear":
            raise ValueError(f"a {trap.capture} trap has no such formula: simulate it with shift_out")
        held = np.minimum(trap.size, trap.coefficients[0] * levels)
        result = result + held * np.expm1(1 / trap.emission_time) * np.exp(-x / trap.emission_time)
    if register.drift is not None:
        result = result + register.drift.scale * levels * np.exp(-x / register.drift.decay_time)
    return np.asarray(result, np.float64)


def _shift_band(charge: NDArray[np.floating], result: Float64, register: Register) -> None:
    """Read some rows; the register lies along the first axis here, so that its pixels are contiguous over rows."""
    content = np.zeros((register.n_prescan + charge.shape[1], len(charge)))
    content[register.n_prescan :] = charge.T
    traps = [SerialTrap(trap, pixel) for trap, pixel in register.traps]
    for trap in traps:
        trap.empty(len(charge))
    scale, keeps = (0.0, 0.0) if register.drift is None else _drift(register.drift)
    level, late = np.zeros(len(charge)), np.empty_like(content)
    for step in range(result.shape[1]):
        for trap in traps:
            content[trap.pixel] -= trap.capture(content[trap.pixel])
        np.multiply(content, register.cti, out=late)
        content *= 1 - register.cti
        level = np.maximum(scale * content[0], level * keeps)
        result[:, step] = content[0] + level
        late[:-1] += content[1:]
        content, late = late, content
        for trap in traps:
            content[trap.pixel] += trap.release()


def _drift(drift: Drift) -> tuple[float, float]:
    return drift.scale, float(np.exp(-1 / drift.decay_time))
