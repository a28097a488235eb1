"""The effects whose corrections are judged in pairs, and what theory says must be left of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from isrflow.calibs.base import Calibration
from isrflow.simulate.calibrations import true_fringe, true_illumination, true_kernel, true_stray_light
from isrflow.simulate.exposure import Truth
from isrflow.simulate.light import expected_charge, fringes_of, steps_of, stray_light_of
from isrflow.simulate.pairs import Effect, Pair, Plane, per_adu
from isrflow.simulate.registers import through_registers, true_deferred_charge
from isrflow.simulate.shots import Shot
from isrflow.simulate.signature import Signature

_TWO_ROUNDINGS_ADU2 = 2 / 12
"""Variance of the difference of two numbers that were rounded to whole adu."""


def _rounding(pair: Pair) -> Plane:
    """Both raws were rounded."""
    return _TWO_ROUNDINGS_ADU2 * per_adu(pair.truth, pair.good) ** 2


def _added_light(pair: Pair, added_electron: Plane) -> Plane:
    """Return the variance of a pair of exposures one of which holds more light.

    Counts are drawn as ``m + sqrt(m) z`` with the same z: those of ``m + a`` differ by ``a + z a / (2 sqrt(m))``.
    """
    signature, shot = pair.truth.signature, pair.truth.shot
    charge = expected_charge(shot, signature, pair.truth.scene_electron)[pair.good]
    noise = added_electron**2 / (4 * charge) / pair.truth.gain[pair.good].astype(np.float64) ** 2
    return _rounding(pair) + noise * per_adu(pair.truth, pair.good) ** 2


def _fringe_variance(pair: Pair) -> Plane:
    truth = pair.truth
    fringes = fringes_of(truth.shot, truth.signature) * truth.signature.response(truth.shot.obs.physical_filter)
    return _added_light(pair, fringes[pair.good].astype(np.float64))


def _fringe_common(pair: Pair) -> float:
    """Return the relative error of the strength: a fit of the pattern to means of small boxes that tile the image."""
    truth = pair.truth
    noise = np.sqrt(np.median(expected_charge(truth.shot, truth.signature, truth.scene_electron)))
    sky = truth.shot.sky_electron_s * truth.shot.obs.exposure_time_s
    return float(noise / (truth.signature.flaws.fringe * sky * np.sqrt(pair.good.size)))


def _stray_variance(pair: Pair) -> Plane:
    return _added_light(pair, stray_light_of(pair.truth.shot, pair.truth.signature)[pair.good].astype(np.float64))


def _pedestal_variance(truth: Truth) -> float:
    """Return the variance of a pedestal: four amplifiers in a square, levels from medians along strips of 64 pixels.

    A step has 2 (pi/2) sigma^2 / (64 L) for an interface of L pixels; the pseudo-inverse of the square's graph makes
    5/16 of it the variance of each pedestal.
    """
    amp = truth.signature.detector.amplifiers[0]
    charge = np.median(expected_charge(truth.shot, truth.signature, truth.scene_electron))
    sigma2 = (charge + amp.read_noise_electron**2) / amp.gain_electron_per_adu**2
    return float(5 / 16 * np.pi * sigma2 / (64 * amp.box.width))


def _steps_variance(pair: Pair) -> Plane:
    return _rounding(pair) + _pedestal_variance(pair.truth)


def _steps_common(pair: Pair) -> float:
    """Return the error of the leak: four pedestals with errors of their own, fitted with four steps."""
    n_amplifiers = len(pair.truth.signature.detector.amplifiers)
    return float(np.sqrt(_pedestal_variance(pair.truth) / (n_amplifiers * np.mean(pair.effect**2))))


def _steps(clean: Truth, marred: Truth) -> Plane:
    """Return the steps, in adu of the raw (ny, nx)."""
    after, before = (each.per_pixel(steps_of(each.shot, each.signature)) for each in (marred, clean))
    return (after - before).astype(np.float64)


def _stray_light(signature: Signature, shot: Shot) -> Mapping[str, Calibration]:
    return {"stray_light": true_stray_light(signature, shot.obs.physical_filter, shot.obs.exposure_time_s)}


def _scattered(clean: Truth, marred: Truth) -> Plane:  # noqa: ARG001
    """Return scattered light in adu of the raw (ny, nx)."""
    light: Plane = stray_light_of(marred.shot, marred.signature).astype(np.float64) / marred.gain
    return light


def _fringes(clean: Truth, marred: Truth) -> Plane:  # noqa: ARG001
    """Return the light of the fringes in adu of the raw (ny, nx)."""
    response = marred.signature.response(marred.shot.obs.physical_filter)
    light: Plane = fringes_of(marred.shot, marred.signature).astype(np.float64) * response / marred.gain
    return light


def _uneven_lamp(clean: Truth, marred: Truth) -> Plane:
    """Return what the flat of an uneven lamp does to the light, in adu of the raw (ny, nx)."""
    shot, signature = marred.shot, marred.signature
    lamp = true_illumination(signature, shot.obs.physical_filter).exposure.image.astype(np.float64)
    return (lamp - 1) * expected_charge(shot, clean.signature, clean.scene_electron) / clean.gain


def _late_charge(clean: Truth, marred: Truth) -> Plane:  # noqa: ARG001
    """Return what is missing from its pixel, or in another's, in adu of the raw (ny, nx)."""
    arrived, _ = through_registers(marred.charge_electron, marred.signature)
    late: Plane = (arrived.astype(np.float64) - marred.charge_electron) / marred.gain
    return late


def _registers(signature: Signature, shot: Shot) -> Mapping[str, Calibration]:  # noqa: ARG001
    return {"deferred_charge": true_deferred_charge(signature)}


def _float_rounding(pair: Pair) -> Plane:
    """Two flats, the correction and three divisions are rounded to single precision."""
    truth = pair.truth
    image = expected_charge(truth.shot, truth.signature, truth.scene_electron) / truth.gain
    relative = 6 * (2.0**-24) ** 2 / 3
    return relative * (image[pair.good].astype(np.float64) * per_adu(truth, pair.good)) ** 2


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


def effects_of(shot: Shot) -> tuple[Effect, ...]:
    """Return the effects that can be judged on a shot."""
    return (
        Effect(
            "deferred_charge",
            "late charge",
            {"deferred_charge": 1.0},
            {"enabled": True},
            _registers,
            _rounding,
            "2/12 (both raws are rounded), over flat^2",
            put_in=_late_charge,
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
            _rounding,
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
            _fringe_variance,
            "2/12 + f^2/(4 m) (light drawn twice); strength: sigma/(f sqrt(n))",
            _fringe_common,
            put_in=_fringes,
            shown_on=_without_stars,  # means of boxes, which unlike medians have no bias, take stars as they are
        ),
        Effect(
            "stray_light",
            "scattered light",
            {"stray_light_electron_s": 3.0},
            {"enabled": True, "filters": (shot.obs.physical_filter,)},
            _stray_light,
            _stray_variance,
            "2/12 + s^2/(4 m) (light drawn twice), over flat^2",
            put_in=_scattered,
        ),
        Effect(
            "illumination",
            "uneven lamp",
            {"lamp": 0.05},
            {"enabled": True, "filters": (shot.obs.physical_filter,)},
            _illumination,
            _float_rounding,
            "six roundings to float32 (flats, correction, divisions), each up to 2^-24 I",
            put_in=_uneven_lamp,
            shown_on=_without_stars,
        ),
        Effect(
            "amp_offsets",
            "amplifier steps",
            {"amplifier_steps_adu": 1.5},
            {"enabled": True, "apply": True, "subtract_background": False, "detect_sources": False},
            _nothing,
            _steps_variance,
            "2/12 and pedestals: (5/16) pi sigma^2/(64 L), L the length of an interface",
            _steps_common,
            put_in=_steps,
            shown_on=_without_stars,
        ),
    )
