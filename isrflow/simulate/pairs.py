"""How well corrections of single effects recover the truth: each effect alone, against the same exposure without it.

An exposure is simulated twice with the same noise, once with the effect. What the correction leaves is then the
difference between the corrected exposure and the other one; it is fitted with the effect itself, which is known without
noise. The *leak* is that factor, 0 if nothing is left, 1 if nothing was removed; its floor is its standard error. Noise
that both exposures share drops out: what is left of it is that of the floor's formula.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from isrflow.calibs.base import Calibration
from isrflow.frame.camera import Camera, Detector
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.simulate.calibrations import true_calibrations
from isrflow.simulate.closure import ClosureRow
from isrflow.simulate.exposure import Truth, simulate_exposure
from isrflow.simulate.flaws import Flaws
from isrflow.simulate.shots import Shot
from isrflow.simulate.signature import Signature, make_signature

Plane = NDArray[np.float64]
_SKIP = ("BAD", "SAT", "EDGE", "NO_DATA", "UNMASKEDNAN", "INTRP")
_SHARED_FLAWS = {"level_adu": 1000.0, "read_noise": 1.0, "shot_noise": True, "prnu_rms": 0.01, "vignetting": 0.12}
"""What is on in both exposures: noise and an uneven response."""
_REACH_PX = 30
"""What a full pixel did to pixels this near cannot be known: its charge is not."""
_IDLE_STEPS = ("crosstalk", "defects", "linearity", "bad_regions", "interpolation")
"""Nothing for them to do in these exposures."""
Correct = Callable[[Exposure, Mapping[str, Calibration], Mapping[str, Any]], Exposure]
"""Runs a recipe with settings laid over the camera's, and returns the product: the simulator knows no recipe."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One effect, and what its correction left; pixels are those that all three products hold."""

    effect: Plane
    """(n,) what the effect changes in the product, adu, without noise."""
    left: Plane
    """(n,) what the correction left of it, adu."""
    good: NDArray[np.bool_]
    """(ny, nx) which pixels these are."""
    truth: Truth
    """Of the exposure with the effect."""


def charge_added(clean: Truth, marred: Truth) -> Plane:
    """Return by how much the charge of two exposures differs, in adu of the raw (ny, nx)."""
    added: Plane = (marred.charge_electron.astype(np.float64) - clean.charge_electron) / marred.gain
    return added


@dataclass(frozen=True, slots=True)
class Effect:
    """An effect that one step corrects, and how well it should."""

    step: str
    removes: str
    flaws: Mapping[str, float]
    """What turns it on."""
    settings: Mapping[str, Any]
    """What turns the step on, by its fields."""
    calibrations: Callable[[Signature, Shot], Mapping[str, Calibration]]
    """What the step needs, as it truly is."""
    variance: Callable[[Pair], Plane]
    """Of what is left, from noise alone (n,), adu squared."""
    formula: str
    common: Callable[[Pair], float] = field(default=lambda pair: 0.0)  # noqa: ARG005
    """Standard error of the strength with which the step subtracts, if it is measured on the exposure."""
    systematic: float = 0.0
    """Leak that the method itself leaves."""
    put_in: Callable[[Truth, Truth], Plane] = charge_added
    """What the effect is, in adu of the raw (ny, nx), from the truth without and with it."""
    shared: Mapping[str, Any] = field(default_factory=dict)
    """Settings of all runs, dotted."""
    shown_on: Callable[[Shot], Shot] = field(default=lambda shot: shot)
    """What is exposed for it."""


def judge(
    effect: Effect, correct: Correct, camera: Camera, detector: Detector, shot: Shot, *, seed: int = 1
) -> ClosureRow:
    """Simulate an exposure with and without an effect, correct it, and judge what is left."""
    pair = make_pair(effect, correct, camera, detector, shot, seed=seed)
    variance = effect.variance(pair)
    power = float(np.sum(pair.effect**2 / variance))
    common = effect.common(pair)
    return ClosureRow(
        effect.step,
        effect.removes,
        strength_adu=_rms(pair.effect),
        leak=float(np.sum(pair.effect * pair.left / variance)) / power,
        leak_floor=float(np.sqrt(1 / power + common**2)),
        noise_adu=_rms(pair.left),
        noise_floor_adu=float(np.sqrt(np.mean(variance) + (common * _rms(pair.effect)) ** 2)),
        formula=effect.formula,
    )


def make_pair(
    effect: Effect, correct: Correct, camera: Camera, detector: Detector, shot: Shot, *, seed: int = 1
) -> Pair:
    """Simulate both exposures and run them: that without the effect once, the other without and with the step."""
    shot = effect.shown_on(shot)
    plain = {**{f"{step}.enabled": False for step in _IDLE_STEPS}, **effect.shared}
    corrected = {**plain, **{f"{effect.step}.{name}": value for name, value in effect.settings.items()}}
    products: list[Exposure] = []
    truths: list[Truth] = []
    for flaws, settings in ((_SHARED_FLAWS, [plain]), ({**_SHARED_FLAWS, **effect.flaws}, [plain, corrected])):
        signature = make_signature(camera, detector, Flaws.none(**flaws), seed=seed)
        raw, truth = simulate_exposure(camera, detector, shot, seed=seed, signature=signature)
        truths.append(truth)
        calibs = {
            **true_calibrations(signature, shot.obs.physical_filter),
            **effect.calibrations(signature, shot),
        }
        products += [correct(raw, calibs, each) for each in settings]
    bad = np.zeros(products[0].image.shape, np.bool_)
    for product in products:
        mask = product.planes()[1]
        bad |= (mask & mask_bits(_SKIP)) != 0
        bad |= binary_dilation((mask & mask_bits("SAT")) != 0, iterations=_REACH_PX)
    good = ~bad & ~truths[0].cosmic_rays
    left = products[2].image[good].astype(np.float64) - products[0].image[good]
    return Pair(effect.put_in(*truths)[good] * per_adu(truths[1], good), left, good, truths[1])


def per_adu(truth: Truth, good: NDArray[np.bool_]) -> Plane:
    """Return adu in the product per adu in the raw (n,): one over the flat."""
    response = truth.signature.response(truth.shot.obs.physical_filter) / truth.gain
    flat: Plane = (response / np.median(response)).astype(np.float64)
    return 1 / flat[good]


def _rms(values: Plane) -> float:
    return float(np.sqrt(np.mean(values**2)))
