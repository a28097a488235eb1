"""Whole runs of the classic task, with the snapshots taken on the way."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np

from isrflow.calibs.base import Calibration
from isrflow.calibs.bfk import BrighterFatterKernel
from isrflow.calibs.bias import Bias
from isrflow.calibs.crosstalk import Crosstalk
from isrflow.calibs.dark import Dark
from isrflow.calibs.defects import Defects
from isrflow.calibs.flat import Flat
from isrflow.calibs.linearizer import Linearizer
from isrflow.calibs.ptc import PhotonTransferCurve
from isrflow.frame.box import Box
from isrflow.frame.camera import Detector
from isrflow.frame.exposure import Exposure
from isrflow.frame.obs import Observation
from isrflow.recipe import IsrConfig
from isrflow.run import run_isr
from tests.vectors.adapters_overscan import CLASSIC, NONFINITE, classic_regions
from tests.vectors.geometry import detector
from tests.vectors.harness import Outputs, Vector, Where, covers, number_or_none

NOT_BUILT = (
    "doDeferredCharge",
    "doStrayLight",
    "doVignette",
    "doAttachTransmissionCurve",
    "doIlluminationCorrection",
    "doAmpOffset",
    "doMeasureBackground",
    "doCalculateStatistics",
    "doSaveInterpPixels",
    "cameraKeywordsToCompare",
)
SNAPSHOTS = {
    "overscan": "overscan",
    "assemble": "assembly",
    "bias": "bias",
    "maskNegativeVariance": "variance",
    "linearize": "linearity",
    "crosstalk": "crosstalk",
    "maskDefects": "defects",
    "maskNan": "nonfinite",
    "dark": "dark",
    "flat": "flat",
    "setBadRegions": "bad_regions",
    "interpolate": "interpolation",
}
"""Name of a snapshot in a vector, and the row after which it was taken."""


def is_built(params: dict[str, Any]) -> bool:
    """Whether every feature that is switched on has a row in our recipe."""
    config = params["config_full"]
    fringe = config["doFringe"] and config["fringe"]["filters"]
    return not any(config[key] for key in NOT_BUILT) and not fringe and config["useLegacyInterp"]


def recipe_of(config: dict[str, Any], *, linear: bool) -> IsrConfig:
    """The recipe of a configuration of the classic task."""
    late, early = config["doCrosstalk"] and not config["doCrosstalkBeforeAssemble"], config["doCrosstalkBeforeAssemble"]
    bias_early = config["doBiasBeforeOverscan"]
    trim = {"trim_to_fit": config["doTrimToMatchCalib"]}
    coupling = {
        "background": config["crosstalk"]["crosstalkBackgroundMethod"],
        "quadratic": config["crosstalk"]["doQuadraticCrosstalkCorrection"],
        "min_pixel_to_mask": config["crosstalk"]["minPixelToMask"],
        "mask_subtrahend": config["crosstalk"]["doSubtrahendMasking"],
        "plane": config["crosstalk"]["crosstalkMaskPlane"],
    }
    overscan = {ours: config["overscan"][theirs] for theirs, ours in CLASSIC.items() if theirs in config["overscan"]}
    return IsrConfig.layered(
        {
            "convert": {"enabled": config["doConvertIntToFloat"]},
            "bias_raw": {"enabled": config["doBias"] and bias_early, **trim},
            "saturation": {
                "mask_saturated": config["doSaturation"],
                "plane": config["saturatedMaskName"],
                "level_adu": number_or_none(config["saturation"]),
                "mask_suspect": config["doSuspect"],
                "suspect_plane": config["suspectMaskName"],
            },
            "overscan": {"enabled": config["doOverscan"], **overscan},
            "effective_ptc": {
                "use_ptc_gains": config["usePtcGains"],
                "use_ptc_noise": config["usePtcReadNoise"],
                "empirical_read_noise": config["doEmpiricalReadNoise"],
            },
            "crosstalk_raw": {"enabled": config["doCrosstalk"] and early, **coupling},
            "assembly": {"enabled": config["doAssembleCcd"], "trim": config["assembleCcd"]["doTrim"]},
            "bias": {"enabled": config["doBias"] and not bias_early, **trim},
            "variance": {
                "enabled": config["doVariance"],
                "mask_nonpositive": config["maskNegativeVariance"],
                "plane": config["negativeVarianceMaskName"],
            },
            "linearity": {"enabled": config["doLinearize"] and not linear},
            "crosstalk": {"enabled": late, **coupling},
            "defects": {"enabled": config["doDefect"]},
            "edges": {
                "enabled": config["doDefect"] and config["numEdgeSuspect"] > 0,
                "width_px": config["numEdgeSuspect"],
                "level": config["edgeMaskLevel"],
            },
            "nonfinite": {"enabled": config["doNanMasking"]},
            "trails": {"enabled": config["doWidenSaturationTrails"]},
            "brighter_fatter": {
                "enabled": config["doBrighterFatter"],
                "flux_conserving": config["doFluxConservingBrighterFatterCorrection"],
                "max_iterations": config["brighterFatterMaxIter"],
                "threshold_electron": config["brighterFatterThreshold"],
                "apply_gain": config["brighterFatterApplyGain"],
                "planes": config["brighterFatterMaskListToInterpolate"],
                "grow_saturated_px": config["growSaturationFootprintSize"],
                "grow_px": config["brighterFatterMaskGrowSize"],
                "apply_dark": config["doDark"],
                "apply_flat": config["doFlat"],
                **trim,
            },
            "dark": {"enabled": config["doDark"], **trim},
            "flat": {
                "enabled": config["doFlat"],
                "scaling": config["flatScalingType"],
                "user_scale": config["flatUserScale"],
                **trim,
            },
            "gains": {"enabled": config["doApplyGains"], "normalize": config["normalizeGains"]},
            "bad_regions": {"enabled": config["doSetBadRegions"]},
            "interpolation": {
                "enabled": config["doInterpolate"],
                "planes": interpolated_planes(config),
                "grow_saturated_px": config["growSaturationFootprintSize"],
            },
            "statistics": {"enabled": config["doStandardStatistics"], "saturated_plane": config["saturatedMaskName"]},
        }
    )


def interpolated_planes(config: dict[str, Any]) -> tuple[str, ...]:
    planes = [*config["maskListToInterpolate"]]
    saturated = config["saturatedMaskName"]
    if config["doSaturationInterpolation"] and saturated not in planes:
        planes.append(saturated)
    if not config["doSaturationInterpolation"]:
        planes = [name for name in planes if name != saturated]
    if config["doNanInterpolation"] and "UNMASKEDNAN" not in planes:
        planes.append("UNMASKEDNAN")
    return tuple(planes)


@covers(
    "lsst.ip.isr.IsrTask(config).run(raw, ...)",
    when=is_built,
    arrays_when=lambda names: "in_interchip_coeffs" not in names,
)
def classic_run(vector: Vector) -> Outputs:
    params = vector.params
    described = linear_detector(params)
    linear = described.amplifiers[0].linearity_type == "None"
    recipe = recipe_of(params["config_full"], linear=linear)
    snapshots: dict[str, dict[str, np.ndarray]] = {}

    def keep(row: str, exposure: Exposure) -> None:
        snapshots[row] = {plane: np.copy(getattr(exposure, plane)) for plane in ("image", "mask", "variance")}

    raw = raw_of(vector, described)
    calibs = calibrations_of(vector, described)
    if recipe.brighter_fatter.enabled:
        kernel = vector.shared["bf_kernel"].astype(np.float64)
        kernels = {described.name: kernel}
        calibs["bfk"] = BrighterFatterKernel(level="DETECTOR", size_px=len(kernel), detector_kernels=kernels)
    result = run_isr(raw, calibs, recipe, on_step=keep)
    arrays = {f"out_final_{plane}": getattr(result.exposure, plane) for plane in ("image", "mask", "variance")}
    for name in vector.entry["arrays"]:
        found = re.fullmatch(r"out_step\d+_(\w+)_(image|mask|variance)", name)
        if found and SNAPSHOTS.get(found[1]) in snapshots:
            arrays[name] = snapshots[SNAPSHOTS[found[1]]][found[2]]
    # "steps" is a legend of the snapshots, not a result
    scalars = {"metadata": result.exposure.header, "steps": vector.scalars.get("steps")}
    return Outputs(scalars=scalars, differs=differences(raw, recipe), **arrays)


def differences(raw: Exposure, recipe: IsrConfig) -> dict[str, Where]:
    """The rows of the picture whose serial overscan holds pixels that are not finite."""
    rows = np.zeros(raw.detector.box.shape, bool)
    for amp in raw.detector.amplifiers:
        region = classic_regions(amp, recipe.overscan, 1.0)[0]
        lines, _ = region.nonfinite_matters(raw.image, raw.mask)
        turned = lines[: amp.box.height][::-1] if amp.raw_flip_y else lines[: amp.box.height]
        rows[amp.box.slices()][turned] = True
    return {f"out_final_{plane}": Where(NONFINITE, rows) for plane in ("image", "variance")} if rows.any() else {}


def linear_detector(params: dict[str, Any]) -> Detector:
    """The detector of a run; its amplifiers ask for linearisation if the run was given a linearizer."""
    given = params.get("linearizer")
    kind = given["type"] if given else "None"
    whole = detector(params)
    amplifiers = tuple(amp.model_copy(update={"linearity_type": kind}) for amp in whole.amplifiers)
    return whole.model_copy(update={"amplifiers": amplifiers})


def raw_of(vector: Vector, described: Detector) -> Exposure:
    shared, params = vector.shared, vector.params
    image = vector.array("in_raw_image_used") if "in_raw_image_used" in vector.arrays else shared["raw_image"]
    info = params.get("INFO", {})
    mask = vector.in_our_bits("mask", shared["raw_mask"]).copy()
    variance = np.full(image.shape, params.get("raw_variance", 0.0), np.float32)
    if np.dtype(info.get("raw_dtype", "float32")).kind in "iu":
        limits = np.iinfo(info["raw_dtype"])
        image = np.clip(np.rint(image), limits.min, limits.max).astype(info["raw_dtype"])
    obs = Observation(
        exposure_id=params.get("exposureId"),
        exposure_time_s=params["exposureTime"],
        dark_time_s=params["darkTime"],
        physical_filter=(params.get("filterLabel") or {}).get("physical"),
    )
    return Exposure(image=image.copy(), mask=mask, variance=variance, detector=described, obs=obs)


def calibrations_of(vector: Vector, described: Detector) -> dict[str, Calibration]:
    params = vector.params
    dark = picture_of(vector, "dark")
    calibs: dict[str, Calibration] = {
        "bias": Bias(exposure=picture_of(vector, "bias")),
        "dark": Dark(exposure=replace(dark, obs=Observation(dark_time_s=params["dark_darkTime"]))),
        "flat": Flat(exposure=picture_of(vector, "flat")),
        "defects": Defects(boxes=tuple(Box(*numbers) for numbers in params["defects"])),
    }
    if "crosstalk_coeffs" in vector.shared:
        ratios = vector.shared["crosstalk_coeffs"].astype(np.float64)
        calibs["crosstalk"] = Crosstalk(coefficients=ratios, units=params.get("crosstalkUnits", "adu"))
    if params.get("linearizer"):
        names = tuple(amp.name for amp in described.amplifiers)
        calibs["linearizer"] = Linearizer(
            amp_names=names,
            linearity_type=dict.fromkeys(names, params["linearizer"]["type"]),
            coefficients={name: np.array(params["linearizer"]["coeffs"]) for name in names},
            units=params.get("linearityUnits", "adu"),
        )
    if params.get("ptc"):
        numbers = params["ptc"]
        ours = {"gain": "gain", "noise": "noise", "ptcTurnoff": "turnoff"}
        fields = {
            mine: {amp: number_or_none(each[theirs]) for amp, each in numbers.items() if theirs in each}
            for theirs, mine in ours.items()
        }
        calibs["ptc"] = PhotonTransferCurve(amp_names=tuple(numbers), **fields)
    return calibs


def picture_of(vector: Vector, kind: str) -> Exposure:
    """A calibration picture; the notes say which of its pixels were made NaN after the arrays were stored."""
    shared = vector.shared
    picture = Exposure(
        image=shared[f"{kind}_image"].astype(np.float32),
        mask=vector.in_our_bits("mask", shared[f"{kind}_mask"]).astype(np.int32),
        variance=shared[f"{kind}_variance"].astype(np.float32),
    )
    notes = vector.entry.get("notes", "")
    for plane, y, x in re.findall(rf"{kind} (image|variance)\[(\d+),(\d+)\]=NaN", notes):
        getattr(picture, plane)[int(y), int(x)] = np.nan
    return picture
