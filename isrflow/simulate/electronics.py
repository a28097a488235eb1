"""How electrons become numbers: full well, gain, crosstalk, non-linearity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from isrflow.errors import ConfigError
from isrflow.frame.camera import Amplifier

F = TypeVar("F", np.float32, np.float64)


def bleed(charge: NDArray[np.float32], full_well: float) -> NDArray[np.bool_]:
    """Let charge beyond full well run along columns, in place: half of it each way, until it finds room or the edge.

    Parameters
    ----------
    charge
        (ny, nx) electrons of one amplifier. Charge that reaches the first or last row with nowhere to go is lost.
    full_well
        Electrons a pixel holds.

    Returns
    -------
    ndarray of bool
        Pixels (ny, nx) that lost or gained charge.
    """
    moved = np.zeros(charge.shape, np.bool_)
    columns = np.flatnonzero((charge > full_well).any(axis=0))
    part = charge[:, columns].astype(np.float64)
    half = np.maximum(part - full_well, 0) / 2
    part = np.minimum(part, full_well)
    for rows in (range(part.shape[0]), range(part.shape[0] - 1, -1, -1)):
        carried = np.zeros(columns.size)
        for row in rows:
            held = part[row] + carried + half[row]
            part[row] = np.minimum(held, full_well)
            carried = held - part[row]
    moved[:, columns] = np.abs(part - charge[:, columns]) > 1e-3
    charge[:, columns] = part
    return moved


def add_crosstalk(blocks: Sequence[NDArray[np.float32]], matrix: NDArray[np.float64]) -> list[NDArray[np.float32]]:
    """Return the signals of all amplifiers with what they hear from each other.

    Parameters
    ----------
    blocks
        Signal of each amplifier in order of readout, all of one shape.
    matrix
        [source, target].
    """
    if not matrix.any() or len({block.shape for block in blocks}) > 1:
        return list(blocks)  # amplifiers of different size are not read out in step
    return [
        block + np.tensordot(matrix[:, target].astype(np.float32), blocks, axes=1)
        for target, block in enumerate(blocks)
    ]


def heard_from(blocks: Sequence[NDArray[np.float32]], matrix: NDArray[np.float64]) -> list[NDArray[np.float32]]:
    """Return what each amplifier hears of the amplifiers of another detector; parameters as for `add_crosstalk`."""
    return [np.tensordot(column.astype(np.float32), blocks, axes=1) for column in matrix.T]


def linearized(signal: NDArray[F], amp: Amplifier) -> NDArray[F]:
    """Return what the pipeline makes of a measured signal: ``u' = u + sum c_k u^(k+2)``.

    Raises
    ------
    ConfigError
        If the amplifier's linearity is not a formula that can be turned round.
    """
    result: NDArray[F] = signal.copy()
    for power, coefficient in enumerate(_coefficients(amp), start=2):
        result += signal.dtype.type(coefficient) * signal**power
    return result


def delinearized(signal: NDArray[F], amp: Amplifier) -> NDArray[F]:
    """Return what non-linear electronics make of a true signal: the inverse of `linearized`.

    Raises
    ------
    ConfigError
        If the amplifier's linearity is not a formula that can be turned round.
    """
    coefficients = _coefficients(amp)
    if not any(coefficients):
        return signal
    first = signal.dtype.type(coefficients[0])
    # The root of u + c u^2 = s, written so that it does not cancel for small c s.
    measured: NDArray[F] = 2 * signal / (1 + np.sqrt(np.maximum(1 + 4 * first * signal, 0)))
    if len(coefficients) == 1:
        return measured
    for _ in range(4):  # Newton from there: the higher terms are small
        value, slope = np.zeros_like(signal), np.ones_like(signal)
        for power, coefficient in enumerate(coefficients, start=2):
            value += signal.dtype.type(coefficient) * measured**power
            slope += signal.dtype.type(power * coefficient) * measured ** (power - 1)
        measured = measured - (measured + value - signal) / slope
    return measured


def _coefficients(amp: Amplifier) -> tuple[float, ...]:
    if amp.linearity_type in {"None", "Proportional"}:
        return ()
    if amp.linearity_type == "Squared":
        return amp.linearity_coefficients[:1]
    if amp.linearity_type == "Polynomial":
        return amp.linearity_coefficients
    raise ConfigError(
        f"amplifier {amp.name}: linearity {amp.linearity_type} cannot be simulated",
        fix="give the amplifier linearity_type None, Squared or Polynomial, or simulate with nonlinearity off",
    )
