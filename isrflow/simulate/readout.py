"""How a detector is read: each amplifier's charge, in order, through its electronics into the raw mosaic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from isrflow.frame.box import Box
from isrflow.frame.camera import Amplifier, Detector
from isrflow.simulate.electronics import add_crosstalk, delinearized
from isrflow.simulate.signature import Signature, in_readout_order

S = TypeVar("S", bound=np.generic)
_MEMORY_ROWS = 50.0
"""How many rows the electronic level remembers where it was."""


def read_out(
    charge: NDArray[np.float32],
    signature: Signature,
    rng: np.random.Generator,
    *,
    heard_adu: Sequence[NDArray[np.float32]] = (),
    steps_adu: Mapping[str, float] | None = None,
    late_electron: Mapping[str, NDArray[np.float32]] | None = None,
) -> tuple[NDArray[np.uint16 | np.int32], dict[str, NDArray[np.float32]]]:
    """Turn charge into a raw mosaic.

    Parameters
    ----------
    charge
        (ny, nx) electrons, assembled.
    signature
        The detector's.
    rng
        Of this exposure's read noise and drift.
    heard_adu
        What each amplifier hears of other detectors, in order of readout; empty if nothing.
    steps_adu
        By amplifier, what is added to its pixels but not to its overscan.
    late_electron
        By amplifier, charge that arrives in its serial overscan (rows of light, columns), in order of readout.

    Returns
    -------
    mosaic
        (raw ny, raw nx) adu: uint16, or int32 if the camera's saturation levels need it.
    levels
        Electronic level in adu of each raw row of each amplifier.
    """
    detector = signature.detector
    mosaic = rng.standard_normal(detector.raw_box.shape, np.float32)
    levels: dict[str, NDArray[np.float32]] = {}
    for amp, signal in zip(detector.amplifiers, measured_signals(charge, signature, heard_adu), strict=True):
        levels[amp.name] = _levels(amp, signature, rng)
        segment = mosaic[amp.raw.slices()]
        segment *= np.float32(signature.flaws.read_noise * amp.read_noise_electron / amp.gain_electron_per_adu)
        segment += levels[amp.name][:, np.newaxis]
        data = in_readout_order(signal, amp) + signature.bias_adu[amp.box.slices()]
        data += np.float32((steps_adu or {}).get(amp.name, 0.0))
        mosaic[amp.raw_data.slices()] += in_raw_order(data, amp)
        _add_columns(mosaic, amp, signature)
        if late_electron:
            _add_late_charge(mosaic, amp, late_electron[amp.name])
    return _digitized(mosaic, detector), levels


def measured_signals(
    charge: NDArray[np.float32], signature: Signature, heard_adu: Sequence[NDArray[np.float32]] = ()
) -> list[NDArray[np.float32]]:
    """Return what the electronics make of each amplifier's charge, in adu and in order of readout, without noise."""
    amps = signature.detector.amplifiers
    heard = add_crosstalk(signals_of(charge, signature.detector), signature.crosstalk)
    if heard_adu:
        heard = [own + others for own, others in zip(heard, heard_adu, strict=True)]
    if not signature.flaws.nonlinearity:
        return heard
    return [delinearized(block, amp) for amp, block in zip(amps, heard, strict=True)]


def signals_of(charge: NDArray[np.float32], detector: Detector) -> list[NDArray[np.float32]]:
    """Return each amplifier's charge in adu and in order of readout, before anything is heard from others."""
    return [
        in_readout_order(charge[amp.box.slices()], amp) * np.float32(1 / amp.gain_electron_per_adu)
        for amp in detector.amplifiers
    ]


def in_raw_order(block: NDArray[S], amp: Amplifier) -> NDArray[S]:
    """Turn an assembled block the way it lies in the raw mosaic, or back."""
    block = block[:, ::-1] if amp.raw_flip_x else block
    return block[::-1] if amp.raw_flip_y else block


def _levels(amp: Amplifier, signature: Signature, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return the electronic level of each row: a random walk that is pulled back to the mean."""
    pull = np.exp(-1 / _MEMORY_ROWS)
    kicks = rng.standard_normal(amp.raw.height)
    kicks[0] /= np.sqrt(1 - pull**2)  # so that the first row is as far from the mean as any other
    walk = lfilter([np.sqrt(1 - pull**2)], [1.0, -pull], kicks)
    level = signature.level_adu[amp.name] + signature.flaws.level_rms_adu * rng.standard_normal()
    rows: NDArray[np.float32] = (level + signature.flaws.drift_rms_adu * walk).astype(np.float32)
    return rows


def _add_columns(mosaic: NDArray[np.float32], amp: Amplifier, signature: Signature) -> None:
    """Add the column pattern of the bias to the parallel overscan, which is read through the same columns."""
    box = amp.raw_parallel_overscan
    if box.x0 == amp.raw_data.x0 and box.width == amp.raw_data.width:
        columns = in_readout_order(signature.column_adu[amp.name][np.newaxis, :], amp)
        mosaic[box.slices()] += in_raw_order(columns, amp)


def _add_late_charge(mosaic: NDArray[np.float32], amp: Amplifier, late_electron: NDArray[np.float32]) -> None:
    """Add charge that arrives after the last column to the serial overscan, in the rows of light."""
    light, overscan = amp.raw_data, amp.raw_serial_overscan
    rows = Box(overscan.x0, light.y0, overscan.width, light.height)
    late_adu = in_readout_order(late_electron / np.float32(amp.gain_electron_per_adu), amp)
    mosaic[rows.slices()] += in_raw_order(late_adu, amp)


def _digitized(mosaic: NDArray[np.float32], detector: Detector) -> NDArray[np.uint16 | np.int32]:
    deep = any(amp.saturation_adu > 65535 for amp in detector.amplifiers)
    np.rint(mosaic, out=mosaic)
    np.clip(mosaic, 0, 2**18 - 1 if deep else 65535, out=mosaic)
    return mosaic.astype(np.int32 if deep else np.uint16)
