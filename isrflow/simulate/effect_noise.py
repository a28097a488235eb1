"""What theory says noise alone leaves in a pair of exposures, effect by effect.

Variances are per pixel of the pair (n,), in adu squared of the product; errors of a strength are relative.
"""

from __future__ import annotations

import numpy as np

from isrflow.simulate.exposure import Truth
from isrflow.simulate.light import expected_charge, fringes_of, stray_light_of
from isrflow.simulate.pairs import Pair, Plane, per_adu

_TWO_ROUNDINGS_ADU2 = 2 / 12
"""Variance of the difference of two numbers that were rounded to whole adu."""


def rounding(pair: Pair) -> Plane:
    """Return the variance of two raws that were rounded."""
    return _TWO_ROUNDINGS_ADU2 * per_adu(pair.truth, pair.good) ** 2


def fringe_variance(pair: Pair) -> Plane:
    """Return the variance of light that was drawn with fringes and without."""
    truth = pair.truth
    fringes = fringes_of(truth.shot, truth.signature) * truth.signature.response(truth.shot.obs.physical_filter)
    return _added_light(pair, fringes[pair.good].astype(np.float64))


def fringe_strength_error(pair: Pair) -> float:
    """Return the relative error of the strength: a fit of the pattern to means of small boxes that tile the image."""
    truth = pair.truth
    noise = np.sqrt(np.median(expected_charge(truth.shot, truth.signature, truth.scene_electron)))
    sky = truth.shot.sky_electron_s * truth.shot.obs.exposure_time_s
    return float(noise / (truth.signature.flaws.fringe * sky * np.sqrt(pair.good.size)))


def stray_light_variance(pair: Pair) -> Plane:
    """Return the variance of light that was drawn with scattered light and without."""
    return _added_light(pair, stray_light_of(pair.truth.shot, pair.truth.signature)[pair.good].astype(np.float64))


def steps_variance(pair: Pair) -> Plane:
    """Return the variance of two raws that were rounded, and of the measured pedestals."""
    return rounding(pair) + _pedestal_variance(pair.truth)


def steps_error(pair: Pair) -> float:
    """Return the error of the leak: four pedestals with errors of their own, fitted with four steps."""
    n_amplifiers = len(pair.truth.signature.detector.amplifiers)
    return float(np.sqrt(_pedestal_variance(pair.truth) / (n_amplifiers * np.mean(pair.effect**2))))


def float_rounding(pair: Pair) -> Plane:
    """Return the variance of two flats, the correction and three divisions, each rounded to single precision."""
    truth = pair.truth
    image = expected_charge(truth.shot, truth.signature, truth.scene_electron) / truth.gain
    relative = 6 * (2.0**-24) ** 2 / 3
    return relative * (image[pair.good].astype(np.float64) * per_adu(truth, pair.good)) ** 2


def _added_light(pair: Pair, added_electron: Plane) -> Plane:
    """Return the variance of a pair of exposures one of which holds more light.

    Counts are drawn as ``m + sqrt(m) z`` with the same z: those of ``m + a`` differ by ``a + z a / (2 sqrt(m))``.
    """
    signature, shot = pair.truth.signature, pair.truth.shot
    charge = expected_charge(shot, signature, pair.truth.scene_electron)[pair.good]
    noise = added_electron**2 / (4 * charge) / pair.truth.gain[pair.good].astype(np.float64) ** 2
    return rounding(pair) + noise * per_adu(pair.truth, pair.good) ** 2


def _pedestal_variance(truth: Truth) -> float:
    """Return the variance of a pedestal: four amplifiers in a square, levels from medians along strips of 64 pixels.

    A step has 2 (pi/2) sigma^2 / (64 L) for an interface of L pixels; the pseudo-inverse of the square's graph makes
    5/16 of it the variance of each pedestal.
    """
    amp = truth.signature.detector.amplifiers[0]
    charge = np.median(expected_charge(truth.shot, truth.signature, truth.scene_electron))
    sigma2 = (charge + amp.read_noise_electron**2) / amp.gain_electron_per_adu**2
    return float(5 / 16 * np.pi * sigma2 / (64 * amp.box.width))
