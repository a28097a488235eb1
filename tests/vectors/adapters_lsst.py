"""The methods of the newer task: its checks, masks by level, dithering, variance, and what it says of its inputs."""

from __future__ import annotations

import math
import re
from types import SimpleNamespace
from typing import Any

import numpy as np
from pydantic import ValidationError

from isrflow.calibs.defects import Defects
from isrflow.errors import IsrflowError, UnprocessableError
from isrflow.frame.box import Box
from isrflow.frame.exposure import Exposure
from isrflow.frame.obs import Observation
from isrflow.kernels.overscan import OverscanFit
from isrflow.steps.amplifier_noise import AmplifierNoiseConfig, check_amplifier_noise
from isrflow.steps.byproducts import AmplifierOverscan, BadAmplifiers, EffectivePtc, OverscanFits
from isrflow.steps.dither import DitherConfig, dither_counts
from isrflow.steps.full_amplifiers import FullAmplifiersConfig, mask_full_amplifiers
from isrflow.steps.overscan_level import OverscanLevelConfig, check_overscan_levels
from isrflow.steps.saturation_levels import SaturationLevelsConfig, mask_above_levels
from isrflow.steps.variance import VarianceConfig, build_variance
from isrflow.task.isr_task_lsst import KINDS, IsrTaskLSST
from tests.vectors.geometry import detector, exposure, planes
from tests.vectors.harness import Outputs, Vector, covers, number_or_none

WORDING = "Wording of messages"
SOONER = "Calibrations that are missed sooner"
BOOTSTRAP = "Bootstrapping with turnoffs"
SETTINGS = "Settings that cannot be"


def blank(vector: Vector) -> Exposure:
    """A picture of zeros as large as the mask that comes out; what is refused without one is a trimmed picture."""
    described = detector(vector.params)
    shape = vector.arrays["out_mask"].shape if "out_mask" in vector.arrays else described.box.shape
    image, mask, variance = np.zeros(shape, np.float32), np.zeros(shape, np.int32), np.zeros(shape, np.float32)
    return Exposure(image=image, mask=mask, variance=variance, detector=described)


def names_of(picture: Exposure) -> list[str]:
    return [amp.name for amp in picture.detector.amplifiers]


def dict_of(picture: Exposure, bad: BadAmplifiers) -> dict[str, bool]:
    return {name: name in bad.names for name in names_of(picture)}


def curve(names: list[str], **fields: Any) -> EffectivePtc:
    """What steps know of gains, with the same harmless numbers for all amplifiers unless stated otherwise."""
    usual = {"gain_electron_per_adu": 1.0, "noise_electron": 0.0, "turnoff_adu": math.inf}
    return EffectivePtc(**{**{name: dict.fromkeys(names, value) for name, value in usual.items()}, **fields})


def fits(**residuals_or_medians: tuple[float, float]) -> OverscanFits:
    """Serial fits by amplifier: (median, residual sigma)."""
    made = {
        name: AmplifierOverscan(OverscanFit(0.0, median, median, 0.0, 0.0, 0.0, sigma))
        for name, (median, sigma) in residuals_or_medians.items()
    }
    return OverscanFits(made)


@covers("IsrTaskLSST.maskFullAmplifiers(ccdExposure, detector, defects, gains)")
def full_amplifiers(vector: Vector) -> Outputs:
    picture, gains = blank(vector), vector.params["gains"]
    given = None if gains is None else {name: number_or_none(gain) for name, gain in gains.items()}
    ptc = None if given is None else curve(names_of(picture), gain_electron_per_adu=given)
    defects = Defects(boxes=tuple(Box(*numbers) for numbers in vector.params["defects"])).normalised()
    config = FullAmplifiersConfig(refuse_all_bad=False)
    bad = mask_full_amplifiers(picture, config, defects=defects, effective_ptc=ptc)
    return Outputs(scalars={"badAmpDict": dict_of(picture, bad)}, out_mask=picture.mask)


@covers("IsrTaskLSST.checkAllBadAmps(badAmpDict, detector)")
def all_bad(vector: Vector) -> Outputs:
    differs, cases = {}, []
    for i, case in enumerate(vector.scalars["cases"]):
        names = [f"A{n}" for n in range(len(case["bad"]))]
        amplifiers = [SimpleNamespace(name=name) for name in names]
        bad = dict(zip(names, case["bad"], strict=True))
        try:
            IsrTaskLSST().checkAllBadAmps(bad, SimpleNamespace(name="det0", amplifiers=amplifiers))
            outcome: dict[str, Any] = {"returned": None}
        except UnprocessableError as error:
            outcome = {"raised": "UnprocessableDataError", "message": str(error)}  # what the reference calls it
            differs[f"cases[{i}].outcome.message"] = WORDING
        cases.append({**case, "outcome": outcome})
    return Outputs(scalars={"cases": cases}, differs=differs)


@covers("IsrTaskLSST.checkAmpOverscanLevel(badAmpDict, exposure, ptc)")
def overscan_level(vector: Vector) -> Outputs:
    picture, params = blank(vector), vector.params
    names = names_of(picture)
    usual, spread = (
        value if isinstance(value, dict) else dict.fromkeys(names, value)
        for value in (params["ptc_overscanMedian"], params["ptc_overscanMedianSigma"])
    )
    ptc = curve(
        names,
        overscan_median_adu={name: number_or_none(usual[name]) for name in names},
        overscan_median_sigma_adu={name: number_or_none(spread[name]) for name in names},
    )
    medians = {name: number_or_none(value) for name, value in params["serialMedian"].items() if value is not None}
    threshold = number_or_none(params["config"]["serialOverscanMedianShiftSigmaThreshold"])
    config = OverscanLevelConfig(threshold_sigma=threshold, refuse_all_bad=False)
    overscan = fits(**{name: (median, 0.0) for name, median in medians.items()})
    bad = dict_of(picture, check_overscan_levels(picture, config, effective_ptc=ptc, overscan=overscan))
    scalars = {"returned": bad, "badAmpDict": bad, "log": []}
    return Outputs(scalars=scalars, differs={"log": WORDING}, out_mask=picture.mask)


@covers("IsrTaskLSST.checkAmpNoise(badAmpDict, exposure, ptc)")
def amplifier_noise(vector: Vector) -> Outputs:
    picture, params = blank(vector), vector.params
    names, gain = names_of(picture), params["gain"]
    noise = {**dict.fromkeys(names, 0.0), names[1]: number_or_none(params["ptc_noise_amp1"])}
    ptc = curve(names, noise_electron=noise, gain_electron_per_adu=dict.fromkeys(names, gain))
    present = number_or_none(params["overscan_noise_amp2_electron"])
    config = AmplifierNoiseConfig(threshold_electron=number_or_none(params["ampNoiseThreshold"]), refuse_all_bad=False)
    overscan = fits(**{names[2]: (0.0, present / gain)})
    bad = dict_of(picture, check_amplifier_noise(picture, config, effective_ptc=ptc, overscan=overscan))
    return Outputs(scalars={"returned": bad, "badAmpDict": bad}, out_mask=picture.mask)


def levels_of_amplifiers(params: dict[str, Any]) -> dict[str, dict[str, float]]:
    """The levels that rules of amplifiers state."""
    found: dict[str, dict[str, float]] = {}
    for theirs, ours in (("saturation", "level_adu"), ("suspectLevel", "suspect_level_adu")):
        stated = params.get(theirs)
        for name, level in stated.items() if isinstance(stated, dict) else ():
            found.setdefault(f"*/{name}", {})[ours] = number_or_none(level)
    return found


@covers("IsrTaskLSST.maskSaturatedPixels(badAmpDict, ccdExposure, detector, detectorConfig, ptc)")
def saturation_levels(vector: Vector) -> Outputs:
    params, picture = vector.params, exposure(vector)
    config = SaturationLevelsConfig(
        mask_saturated=params.get("doSaturation", True),
        mask_suspect=params.get("doSuspect", True),
        source=params["defaultSaturationSource"],
        suspect_source=params["defaultSuspectSource"],
        exceptions=levels_of_amplifiers(params),
        refuse_all_bad=False,
    )
    given = params.get("ptcTurnoff")
    known = BadAmplifiers(frozenset(name for name, is_bad in params["badAmpDict_in"].items() if is_bad))
    turnoffs = {name: number_or_none(value) for name, value in (given or {}).items()}
    ptc = None if given is None else curve(names_of(picture), turnoff_adu=turnoffs)
    bad = mask_above_levels(picture, config, effective_ptc=ptc, bad_amplifiers=known)
    scalars = {"returned": dict_of(picture, bad), "metadata": picture.header}
    return Outputs(scalars=scalars, **planes(picture, vector))


@covers("IsrTaskLSST.ditherCounts(exposure, detectorConfig)")
def dither(vector: Vector) -> Outputs:
    picture = exposure(vector, in_detector=False)
    picture.obs = Observation(exposure_id=vector.params["exposureId"])
    try:
        config = DitherConfig(mode=vector.params["integerDitherMode"])
    except ValidationError:
        return Outputs(differs={"raised": SETTINGS})
    dither_counts(picture, config)
    return Outputs(out_image=picture.image)


@covers("IsrTaskLSST.addVariancePlane(exposure, detector)")
def variance(vector: Vector) -> Outputs:
    params, picture = vector.params, exposure(vector, unit=vector.params["units"])
    names = names_of(picture)
    gains, noises = (dict(zip(names, params[key], strict=True)) for key in ("gains", "readNoises"))
    config = VarianceConfig(keep=True, mask_nonpositive=params["maskNegativeVariance"])
    build_variance(picture, config, effective_ptc=curve(names, gain_electron_per_adu=gains, noise_electron=noises))
    return Outputs(**planes(picture, vector))


@covers("IsrTaskLSST.validateInput(inputs) with one input None")
def missing_inputs(vector: Vector) -> Outputs:
    differs, cases = {}, []
    for i, case in enumerate(vector.scalars["cases"]):
        inputs = {**dict.fromkeys(KINDS, object()), case["missing"]: None}
        try:
            IsrTaskLSST(config=case["overrides"]).validateInput(inputs)
            outcome: dict[str, Any] = {"returned": None}
        except IsrflowError as error:
            outcome = {"raised": "RuntimeError" if isinstance(error, RuntimeError) else "", "message": str(error)}
        where = f"cases[{i}].outcome"
        differs[f"{where}.message"] = WORDING
        overrides, heading = case["overrides"], ""
        if overrides.get("doBootstrap") and "PTCTURNOFF" in level_sources(overrides):
            heading = BOOTSTRAP
        elif is_missed_sooner(case["missing"], overrides):
            heading = SOONER
        if heading:
            differs |= {f"{where}.{name}": heading for name in ("returned", "raised")}
        cases.append({**case, "outcome": outcome})
    return Outputs(scalars={"cases": cases}, differs=differs)


def level_sources(overrides: dict[str, Any]) -> set[str]:
    """Where levels come from, of those that are masked."""
    pairs = (("doSaturation", "defaultSaturationSource"), ("doSuspect", "defaultSuspectSource"))
    return {overrides.get(source, "PTCTURNOFF") for is_on, source in pairs if overrides.get(is_on, True)}


def is_missed_sooner(missing: str, overrides: dict[str, Any]) -> bool:
    by_filter = overrides.get("brighterFatterCorrectionMethod", "").endswith("+FILTERCORRECTION")
    from_ptc = overrides.get("useGainsFrom", "PTC") == "PTC"
    return {
        "flat": overrides.get("doFlat", True),
        "ptc": not overrides.get("doApplyGains", True) and from_ptc,
        "electroBfDistortionMatrix": by_filter,
    }.get(missing, False)


class _OnlyTheHeader(IsrTaskLSST):
    """Stands still where the vector's task did."""

    def validateInput(self, inputs: Any) -> None:
        pass

    def run(self, ccdExposure: Any, **given: Any) -> Any:  # noqa: N803
        self.given = {"ccdExposure": ccdExposure, **given}
        return self.given


@covers("IsrTaskLSST.runQuantum(butlerQC, inputRefs, outputRefs) up to run()")
def provenance(vector: Vector) -> Outputs:
    refs = {name: SimpleNamespace(**ref) for name, ref in vector.params["refs"].items()}
    inputs: dict[str, Any] = {"camera": None}
    for name in refs:
        text = vector.params.get(name, "")
        stem, day, time = re.fullmatch(r"(?:(CALIB_CREAT\w+)_DATE=(\S+) TIME=(\S+))?.*", text).groups()
        cards = {f"{stem}_DATE": day, f"{stem}_TIME": time} if stem else {}
        inputs[name] = Exposure(np.zeros((1, 1), np.float32), header=cards)
    told: list[Any] = []
    butler = SimpleNamespace(
        get=lambda _: inputs,
        put=lambda *_: None,
        add_additional_provenance=lambda ref, values: told.append([ref.run, values]),
    )
    task = _OnlyTheHeader()
    task.runQuantum(butler, SimpleNamespace(**refs), SimpleNamespace())
    scalars = {
        "returned": None,
        "header_at_run": task.given["ccdExposure"].header,
        "additional_provenance": told,
        "run_kwargs": sorted(task.given),
    }
    return Outputs(scalars=scalars)
