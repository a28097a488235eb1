"""The effects whose corrections are judged in pairs: what turns each on, what corrects it, what must be left of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from isrflow.calibs.base import Calibration
from isrflow.simulate import effect_noise as noise
from isrflow.simulate import effect_truth as truth
from isrflow.simulate.calibrations import true_fringe, true_illumination, true_kernel, true_stray_light
from isrflow.simulate.pairs import Effect
from isrflow.simulate.registers import true_deferred_charge
from isrflow.simulate.shots import Shot
from isrflow.simulate.signature import Signature


def effects_of(shot: Shot) -> tuple[Effect, ...]:
    """Return the effects that can be judged on a shot."""
    return (
        Effect(
            "deferred_charge",
            "late charge",
            {"deferred_charge": 1.0},
            {"enabled": True},
            _registers,
            noise.rounding,
            "2/12 (both raws are rounded), over flat^2",
            put_in=truth.late_charge,
            shared={"overscan.skip_leading_columns": 12},  # late charge in the overscan is not its level ...
            systematic=0.002,  # ... nor is what comes later still
            shown_on=_lamp,
        ),
        Effect(
            "brighter_fatter",
            "charge pushed",
            {"brighter_fatter": 1.0},
            {"enabled": True},
            _kernel,
            noise.rounding,
            "2/12 (both raws are rounded), over flat^2",
            systematic=0.01,  # pixels are as small as the noise is: differences are not quite derivatives
            shown_on=_lamp,
        ),
        Effect(
            "fringe",
            "fringes",
            {"fringe": 0.05},
            {"filters": (shot.obs.physical_filter,), "statistic": "MEAN"},
            _fringe,
            noise.fringe_variance,
            "2/12 + f^2/(4 m) (light drawn twice); strength: sigma/(f sqrt(n))",
            noise.fringe_strength_error,
            put_in=truth.fringes,
            shown_on=_without_stars,  # means of boxes, which unlike medians have no bias, take stars as they are
        ),
        Effect(
            "stray_light",
            "scattered light",
            {"stray_light_electron_s": 3.0},
            {"enabled": True, "filters": (shot.obs.physical_filter,)},
            _stray_light,
            noise.stray_light_variance,
            "2/12 + s^2/(4 m) (light drawn twice), over flat^2",
            put_in=truth.scattered_light,
        ),
        Effect(
            "illumination",
            "uneven lamp",
            {"lamp": 0.05},
            {"enabled": True, "filters": (shot.obs.physical_filter,)},
            _illumination,
            noise.float_rounding,
            "six roundings to float32 (flats, correction, divisions), each up to 2^-24 I",
            put_in=truth.uneven_lamp,
            shown_on=_without_stars,
        ),
        Effect(
            "amp_offsets",
            "amplifier steps",
            {"amplifier_steps_adu": 1.5},
            {"enabled": True, "apply": True, "subtract_background": False, "detect_sources": False},
            _nothing,
            noise.steps_variance,
            "2/12 and pedestals: (5/16) pi sigma^2/(64 L), L the length of an interface",
            noise.steps_error,
            put_in=truth.amplifier_steps,
            shown_on=_without_stars,
        ),
    )


def _stray_light(signature: Signature, shot: Shot) -> Mapping[str, Calibration]:
    return {"stray_light": true_stray_light(signature, shot.obs.physical_filter, shot.obs.exposure_time_s)}


def _registers(signature: Signature, shot: Shot) -> Mapping[str, Calibration]:  # noqa: ARG001
    return {"deferred_charge": true_deferred_charge(signature)}


def _illumination(signature: Signature, shot: Shot) -> Mapping[str, Calibration]:
    return {"illumination": true_illumination(signature, shot.obs.physical_filter)}


def _without_stars(shot: Shot) -> Shot:
    return replace(shot, field="")


def _lamp(shot: Shot) -> Shot:
    """Return an even light, bright enough for charge to push charge."""
    return replace(shot, field="", sky_electron_s=0.0, lamp_electron=40_000.0)


def _kernel(signature: Signature, shot: Shot) -> Mapping[str, Calibration]:  # noqa: ARG001
    return {"bfk": true_kernel(signature)}


def _fringe(signature: Signature, shot: Shot) -> Mapping[str, Calibration]:
    return {"fringe": true_fringe(signature, shot.obs.physical_filter)}


def _nothing(signature: Signature, shot: Shot) -> Mapping[str, Calibration]:  # noqa: ARG001
    return {}
