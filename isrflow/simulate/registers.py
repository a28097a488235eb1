"""Reading a detector through its serial registers: some charge arrives late, the last of it in the overscan."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isrflow.calibs.deferred_charge import DeferredCharge
from isrflow.calibs.identity import info_of
from isrflow.simulate.serial_register import Register, shift_out
from isrflow.simulate.signature import Signature, in_readout_order

_DRIFT, _DECAY_PX = 2e-4, 2.5
_TRAP_ELECTRON, _TRAP_PX = 5.0, 0.5
"""Of a good sensor; no charge is left behind by all transfers alike, because the correction does not undo that."""


def true_deferred_charge(signature: Signature) -> DeferredCharge:
    """Return what makes charge late, the same in all amplifiers."""
    strength, amps = signature.flaws.deferred_charge, signature.detector.amplifiers
    names = [amp.name for amp in amps]
    return DeferredCharge(
        info=info_of(signature.detector, instrument=signature.camera.name),
        drift_scale=dict.fromkeys(names, strength * _DRIFT),
        decay_time=dict.fromkeys(names, _DECAY_PX),
        trap_size=dict.fromkeys(names, strength * _TRAP_ELECTRON),
        trap_emission_time=dict.fromkeys(names, _TRAP_PX),
        trap_coefficients=dict.fromkeys(names, np.array([1e-3])),
        input_gain={amp.name: amp.gain_electron_per_adu for amp in amps},
    )


def through_registers(
    charge: NDArray[np.float32], signature: Signature
) -> tuple[NDArray[np.float32], dict[str, NDArray[np.float32]]]:
    """Read all amplifiers' rows.

    Returns
    -------
    charge
        (ny, nx) electrons, assembled, as they arrive in the columns of light; the very array if nothing is late.
    late
        By amplifier, (rows of light, columns of overscan) electrons in order of readout; empty if nothing is late.
    """
    if not signature.flaws.deferred_charge:
        return charge, {}
    calibration, arrived, late = true_deferred_charge(signature), charge.copy(), {}
    for amp in signature.detector.amplifiers:
        register = Register.of_amplifier(calibration, amp.name, amp.raw_serial_prescan.width)
        block = in_readout_order(charge[amp.box.slices()], amp)
        rows = shift_out(block, register, n_overscan=amp.raw_serial_overscan.width).astype(np.float32)
        light = slice(register.n_prescan, register.n_prescan + block.shape[1])
        arrived[amp.box.slices()] = in_readout_order(rows[:, light], amp)
        late[amp.name] = rows[:, light.stop :]
    return arrived, late
