"""What single effects truly are: images in adu of the raw, from the truth without and with each."""

from __future__ import annotations

import numpy as np

from isrflow.simulate.calibrations import true_illumination
from isrflow.simulate.exposure import Truth
from isrflow.simulate.light import expected_charge, fringes_of, steps_of, stray_light_of
from isrflow.simulate.pairs import Plane
from isrflow.simulate.registers import through_registers


def amplifier_steps(clean: Truth, marred: Truth) -> Plane:
    """Return the steps, in adu of the raw (ny, nx)."""
    after, before = (each.per_pixel(steps_of(each.shot, each.signature)) for each in (marred, clean))
    return (after - before).astype(np.float64)


def scattered_light(clean: Truth, marred: Truth) -> Plane:  # noqa: ARG001
    """Return scattered light in adu of the raw (ny, nx)."""
    light: Plane = stray_light_of(marred.shot, marred.signature).astype(np.float64) / marred.gain
    return light


def fringes(clean: Truth, marred: Truth) -> Plane:  # noqa: ARG001
    """Return the light of the fringes in adu of the raw (ny, nx)."""
    response = marred.signature.response(marred.shot.obs.physical_filter)
    light: Plane = fringes_of(marred.shot, marred.signature).astype(np.float64) * response / marred.gain
    return light


def uneven_lamp(clean: Truth, marred: Truth) -> Plane:
    """Return what the flat of an uneven lamp does to the light, in adu of the raw (ny, nx)."""
    shot, signature = marred.shot, marred.signature
    lamp = true_illumination(signature, shot.obs.physical_filter).exposure.image.astype(np.float64)
    return (lamp - 1) * expected_charge(shot, clean.signature, clean.scene_electron) / clean.gain


def late_charge(clean: Truth, marred: Truth) -> Plane:  # noqa: ARG001
    """Return what is missing from its pixel, or in another's, in adu of the raw (ny, nx)."""
    arrived, _ = through_registers(marred.charge_electron, marred.signature)
    late: Plane = (arrived.astype(np.float64) - marred.charge_electron) / marred.gain
    return late
