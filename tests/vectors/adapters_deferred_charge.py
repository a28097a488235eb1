"""Deferred charge."""

from __future__ import annotations

from typing import Any

import numpy as np

from isrflow.calibs.deferred_charge import DeferredCharge
from isrflow.kernels.deferred_charge import Drift, Trap, correct_deferred_charge
from isrflow.steps import deferred_charge as step
from isrflow.steps.byproducts import EffectivePtc
from tests.vectors.geometry import exposure, planes
from tests.vectors.harness import Outputs, Vector, covers

FLIPPED = "Deferred charge in raw mosaics whose amplifiers are flipped on assembly"


def _trap(given: dict[str, Any]) -> Trap:
    return Trap(given["size"], given["emission_time"], given["trap_type"], np.array(given["coeffs"]))


def late_charge(amps: dict[str, Any]) -> DeferredCharge:
    """The calibration of amplifiers, as vectors tell it."""
    traps = {name: amp["trap"] for name, amp in amps.items()}
    return DeferredCharge(
        drift_scale={name: amp["driftScale"] for name, amp in amps.items()},
        decay_time={name: amp["decayTime"] for name, amp in amps.items()},
        global_cti={name: amp["globalCti"] for name, amp in amps.items()},
        trap_size={name: trap["size"] for name, trap in traps.items()},
        trap_emission_time={name: trap["emission_time"] for name, trap in traps.items()},
        trap_pixel={name: trap["pixel"] for name, trap in traps.items()},
        trap_type={name: trap["trap_type"] for name, trap in traps.items()},
        trap_coefficients={name: np.array(trap["coeffs"]) for name, trap in traps.items()},
    )


@covers("DeferredChargeTask.run(exposure, ctiCalib, gains)")
def whole_detector(vector: Vector) -> Outputs:
    params, given = vector.params, vector.params["config"]
    picture = exposure(vector, unit=params["exposureUnits"])
    config = step.DeferredChargeConfig(
        n_pixel_offset=given["nPixelOffsetCorrection"],
        n_pixel_trap=given["nPixelTrapCorrection"],
        zero_unused_pixels=given["zeroUnusedPixels"],
    )
    calib, ptc = late_charge(params["calib"]), EffectivePtc(params.get("gains") or {}, {}, {})
    calib.check()
    flipped = any(amp.raw_flip_x or amp.raw_flip_y for amp in picture.detector.amplifiers)
    step.correct_deferred_charge(picture, config, deferred_charge=calib, effective_ptc=ptc)
    return Outputs(differs={"out_image": FLIPPED} if flipped else {}, **planes(picture, vector))


@covers("DeferredChargeTask.local_offset_inverse(arr, drift_scale, decay_time, num_previous_pixels)")
def offset_alone(vector: Vector) -> Outputs:
    params, image = vector.params, vector.array("in_image")
    drift = Drift(params["drift_scale"], params["decay_time"])
    correct_deferred_charge(image, drift, None, n_offset=params["num_previous_pixels"])
    return Outputs(double=True, out_image=image)


@covers("DeferredChargeTask.local_trap_inverse(arr, trap, global_cti, num_previous_pixels)")
def trap_alone(vector: Vector) -> Outputs:
    params, image = vector.params, vector.array("in_image")
    n = params["num_previous_pixels"]
    correct_deferred_charge(image, None, _trap(params["trap"]), global_cti=params["global_cti"], n_trap=n)
    return Outputs(double=True, out_image=image)
