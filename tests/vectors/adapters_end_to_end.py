"""Whole runs of the classic task, with the snapshots taken on the way."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from isrflow.calibs.base import Calibration
from isrflow.calibs.bias import Bias
from isrflow.calibs.crosstalk import Crosstalk
from isrflow.calibs.dark import Dark
from isrflow.calibs.defects import Defects
from isrflow.calibs.flat import Flat
from isrflow.calibs.linearizer import Linearizer
from isrflow.calibs.ptc import PhotonTransferCurve
from isrflow.errors import ConfigError
from isrflow.frame.box import Box
from isrflow.frame.camera import Amplifier, Detector
from isrflow.frame.exposure import Exposure
from isrflow.frame.obs import Observation
from isrflow.frame.transmission import TransmissionCurve
from isrflow.recipe import IsrConfig
from isrflow.task.base import Struct
from isrflow.task.isr_task import IsrTask
from tests.vectors.adapters_deferred_charge import late_charge
from tests.vectors.adapters_end_to_end_lsst import INTEGERS, Differences
from tests.vectors.adapters_overscan import NONFINITE, SQUARE, classic_regions
from tests.vectors.adapters_vignette import OUTSIDE, closed, placed_detector
from tests.vectors.geometry import detector
from tests.vectors.harness import Outputs, Vector, Where, covers, number_or_none

EDGES = "Edges without defects"
SNAPSHOTS = {
    "overscan": "overscan",
    "assemble": "assembly",
    "bias": "bias",
    "maskNegativeVariance": "variance",
    "linearize": "linearity",
    "crosstalk": "crosstalk",
    "maskDefects": "defects",
    "maskNan": "nonfinite",
    "fringe": "fringe",
    "dark": "dark",
    "flat": "flat",
    "setBadRegions": "bad_regions",
    "interpolate": "interpolation",
    "deferredCharge": "deferred_charge",
    "cti": "deferred_charge",
    "convertIntToFloat": "convert",
    "widenSaturationTrails": "trails",
    "maskEdges": "edges",
    "applyGains": "gains",
    "vignette": "vignette",
    "illuminationCorrection": "illumination",
    "ampOffset": "amp_offsets",
}
"""Name of a snapshot in a vector, and the row after which it was taken."""


class RecordingTask(IsrTask):
    """Keeps the planes after each row."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.snapshots: dict[str, dict[str, np.ndarray]] = {}
        self.differences = Differences(self.config)

    def _show_step(self, row: str, exposure: Exposure) -> None:
        super()._show_step(row, exposure)
        planes = {plane: np.copy(getattr(exposure, plane)) for plane in ("image", "mask", "variance")}
        self.snapshots[row.removesuffix("_raw").removesuffix("_before_flat")] = planes
        self.differences.after(row, exposure, self.snapshots)


def is_built(params: dict[str, Any]) -> bool:
    """Whether we can do what is asked for, or refuse it for the same reason as the reference's validation."""
    try:
        IsrConfig.from_lsst(params["config_full"])
    except ConfigError as error:
        return "exclude each other" in str(error) or "needs doAmpOffset" in str(error)
    return True


@covers("lsst.ip.isr.IsrTask(config).run(raw, ...)", when=is_built)
def classic_run(vector: Vector) -> Outputs:
    described = linear_detector(vector.params)
    task = RecordingTask(config=IsrConfig.from_lsst(vector.params["config_full"]))
    raw, inputs = raw_of(vector, described), inputs_of(vector, described)
    # Cards of the inputs are told in the notes alone.
    for owner, card, value in re.findall(r"(raw|bias|dark|flat) ([A-Z]+)=(\w+)", vector.entry.get("notes", "")):
        header = raw.header if owner == "raw" else inputs[owner].exposure.header
        header[card] = value
    where = edges_without_defects(raw, vector.params["config_full"]) | differences(
        raw, task.config, vector.entry["arrays"]
    )
    result = task.run(raw, **inputs)
    where = task.differences.found | where
    arrays = {f"out_final_{plane}": getattr(result.exposure, plane) for plane in ("image", "mask", "variance")}
    arrays |= snapshots_of(vector, task.snapshots) | others_of(vector, result)
    scalars = {
        "metadata": result.exposure.header,
        "steps": vector.scalars.get("steps"),  # a legend of the snapshots, not a result
        "outputStatistics": result.outputStatistics,
    }
    if "transmission" in vector.scalars:
        scalars |= transmission_of(vector, result.exposure)
    return Outputs(scalars=scalars, differs=where, **arrays)


def snapshots_of(vector: Vector, snapshots: dict[str, dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The snapshots of a vector; of several of one name only the last is that of a row, the others are within one."""
    legend = [step.split()[0] for step in vector.scalars.get("steps", [])]
    last = {step.partition("_")[2]: step for step in legend}
    arrays = {}
    for name in vector.entry["arrays"]:
        found = re.fullmatch(r"out_(step\d+_(\w+))_(image|mask|variance)", name)
        if found and SNAPSHOTS.get(found[2]) in snapshots and last.get(found[2], found[1]) == found[1]:
            arrays[name] = snapshots[SNAPSHOTS[found[2]]][found[3]]
    return arrays


def others_of(vector: Vector, result: Struct) -> dict[str, np.ndarray]:
    """What comes back beside the exposure, by the names of the result's fields, perhaps shortened."""
    fields = {"preinterp": "preInterpExposure", "bin1": "outputBin1Exposure", "bin2": "outputBin2Exposure"}
    arrays = {}
    for name in vector.entry["arrays"]:
        found = re.fullmatch(r"(?i)out_(?:output)?(preInterp|bin1|bin2)(?:Exposure)?_(image|mask|variance)", name)
        thumbnail = getattr(result, name.removeprefix("out_"), None)
        if found:
            arrays[name] = getattr(getattr(result, fields[found[1].lower()]), found[2])
        elif isinstance(thumbnail, np.ndarray):
            arrays[name] = thumbnail
    return arrays


def curves_of(vector: Vector) -> dict[str, TransmissionCurve]:
    """The curves of a run; one stands for all parts of the light's way that its name holds."""
    found = {}
    for names, table in vector.scalars.get("curves", {}).items():
        curve = TransmissionCurve.constant(table["wavelengths"], table["throughput"])
        found |= {f"{part}Transmission": curve for part in names.split("_")}
    return found


def transmission_of(vector: Vector, exposure: Exposure) -> dict[str, Any]:
    """What was attached, sampled as in the vector; the curves are inputs, told beside the outputs."""
    wavelengths = vector.scalars["transmission_wavelengths"]
    middle = [[(exposure.box.width - 1) / 2, (exposure.box.height - 1) / 2]]
    return {
        "curves": vector.scalars["curves"],
        "transmission_wavelengths": wavelengths,
        "transmission": exposure.transmission.sample_at(middle, wavelengths)[0],
    }


@covers("IsrTask(config).run(raw) with doVignette", arrays_when=lambda names: "in_image" in names)
def vignetted_run(vector: Vector) -> Outputs:
    params = vector.params
    place = {key: params[key] for key in ("pixelSize_mm", "refPixel", "fpPosition", "yaw_deg") if key in params}
    described = placed_detector({**params["geometry"], **place}, detector(params).amplifiers)
    image, mask = vector.array("in_image"), vector.array("in_mask")
    raw = Exposure(image, mask, np.zeros(image.shape, np.float32), detector=described)
    product = IsrTask(config=IsrConfig.from_lsst(params["config_full"])).run(raw).exposure
    polygon = closed(product.valid_polygon, like=vector.scalars.get("validPolygon"))
    planes = {f"out_{plane}": getattr(product, plane) for plane in ("image", "mask", "variance")}
    differs = dict.fromkeys((*planes, "validPolygon"), OUTSIDE) if product.valid_polygon.is_empty else {}
    return Outputs(scalars={"validPolygon": polygon}, differs=differs, **planes)


def differences(raw: Exposure, recipe: IsrConfig, arrays: Iterable[str] = ()) -> dict[str, str | Where]:
    """The pixels, and the cards, of which an overscan holds pixels that are not finite or is square."""
    integers = raw.image.dtype.kind in "iu" and not recipe.variance.enabled
    found: dict[str, str | Where] = {"out_final_variance": INTEGERS} if integers else {}
    pixels = np.zeros(raw.detector.box.shape, bool)
    for amp in raw.detector.amplifiers if recipe.overscan.enabled else ():
        touched, square = _touched(raw, amp, recipe)
        place = touched[amp.raw_data.slices()]
        turned = slice(None, None, -1 if amp.raw_flip_y else 1), slice(None, None, -1 if amp.raw_flip_x else 1)
        pixels[amp.box.slices()] = place[turned]
        kinds = ("SERIAL", "PARALLEL") if touched.any() else ("PARALLEL",) if square else ()
        names = [f"OVERSCAN {rest}{kind}" for kind in kinds for rest in ("RESIDUAL ", "") if rest or touched.any()]
        names += ["FINAL"] if touched.any() else []
        heading = NONFINITE if touched.any() else SQUARE
        found |= {f"metadata.LSST ISR {n} {s} {amp.name}": heading for n in names for s in ("MEAN", "MEDIAN", "STDEV")}
        if touched.any():
            cards = (f"LSST ISR LEVEL {amp.name}", f"LSST ISR READNOISE {amp.name}", f"LSST READNOISE {amp.name}")
            found |= {f"metadata.{card}": NONFINITE for card in cards}
    evened = recipe.amp_offsets.enabled and recipe.amp_offsets.apply
    if pixels.any() and (recipe.crosstalk.enabled or recipe.brighter_fatter.enabled or evened):
        pixels[...] = True  # by way of other pixels
    names = [name for name in arrays if name.startswith("out_step")] if pixels.any() else []
    planes = ("image", "variance") if pixels.any() else ()
    return (
        {f"out_final_{plane}": Where(NONFINITE, pixels) for plane in planes} | dict.fromkeys(names, NONFINITE) | found
    )


def _touched(raw: Exposure, amp: Amplifier, recipe: IsrConfig) -> tuple[np.ndarray, bool]:
    """Which pixels of the raw mosaic models differ in, and whether residuals do because the overscan is square."""
    touched, square = np.zeros(raw.image.shape, bool), False
    for region in classic_regions(amp, recipe.overscan, 1.0):
        lines, _ = region.nonfinite_matters(raw.image, raw.mask)
        lines = lines | touched.any()  # what the serial model leaves, the parallel one is fitted to
        touched[region.picture.slices()][(slice(None), lines) if region.columns else lines] = True
        square |= region.is_square()
    return touched, square


def edges_without_defects(raw: Exposure, config: dict[str, Any]) -> dict[str, Where]:
    """The pixels near edges, where these are asked for and defects are not masked."""
    width = config["numEdgeSuspect"]
    if config["doDefect"] or width <= 0:
        return {}
    whole = raw.detector.box
    boxes = [whole] if config["edgeMaskLevel"] == "DETECTOR" else [amp.box for amp in raw.detector.amplifiers]
    edges = np.zeros(whole.shape, bool)
    for box in boxes:
        edges[box.slices()] = True
        edges[box.grown(-width).slices()] = False
    return {f"out_final_{plane}": Where(EDGES, edges) for plane in ("image", "mask", "variance")}


def linear_detector(params: dict[str, Any]) -> Detector:
    """The detector of a run; its amplifiers ask for linearisation if the run was given a linearizer."""
    given = params.get("linearizer")
    whole = detector(params)
    kinds = {
        amp.name: given["type"] if given and "type" in given else (given or {}).get(amp.name, {}).get("type", "None")
        for amp in whole.amplifiers
    }
    amplifiers = tuple(amp.model_copy(update={"linearity_type": kinds[amp.name]}) for amp in whole.amplifiers)
    return whole.model_copy(update={"amplifiers": amplifiers})


SIMULATOR = {"filterLabel": {"physical": "FILTER", "band": "y"}, "exposureId": 777}
"""What vectors that do not state it have in common with those that do: all were made by one simulator."""


def raw_of(vector: Vector, described: Detector) -> Exposure:
    params = {**SIMULATOR, **vector.params}
    image, mask = plane_of(vector, "raw", "image"), plane_of(vector, "raw", "mask")
    dtype = np.dtype(params.get("INFO", {}).get("raw_dtype", "float32"))
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        image = np.clip(np.rint(image), limits.min, limits.max).astype(dtype)
    if not params.get("INFO", {}).get("raw_class", "Exposure").startswith(("Exposure", "MaskedImage")):
        mask[...] = 0  # bare images have none
    label = params["filterLabel"] or {}
    obs = Observation(
        exposure_id=params["exposureId"],
        exposure_time_s=params["exposureTime"],
        dark_time_s=params["darkTime"],
        physical_filter=label.get("physical"),
        band=label.get("band"),
    )
    variance = np.full(image.shape, params.get("raw_variance", 0.0), np.float32)
    return Exposure(image=image, mask=mask, variance=variance, detector=described, obs=obs)


def plane_of(vector: Vector, kind: str, plane: str) -> np.ndarray:
    """A plane of an input: its own, where the vector holds one, else that of the shared file."""
    own = next((name for name in (f"in_{kind}_{plane}_used", f"in_{kind}_{plane}") if name in vector.arrays), None)
    found = vector.arrays[own] if own else vector.shared[f"{kind}_{plane}"]
    return vector.in_our_bits(plane, found).copy()


def inputs_of(vector: Vector, described: Detector) -> dict[str, Any]:
    """What the run was given, under the names of the task."""
    params, inputs = vector.params, dict[str, Any](calibrations_of(vector, described))
    inputs["bfKernel"] = vector.shared["bf_kernel"].astype(np.float64)
    inputs["bfGains"] = params.get("bfGains")
    inputs["fringes"] = Struct(fringes=picture_of(vector, "fringe"), seed=params.get("fringe_seed"))
    inputs |= curves_of(vector)
    if "illum_image" in vector.shared:
        inputs["illumMaskedImage"] = picture_of(vector, "illum")
    if "straylight_image" in vector.shared:
        inputs["strayLightData"] = picture_of(vector, "straylight")
    if params.get("cti"):
        inputs["deferredChargeCalib"] = late_charge(params["cti"])
    if "in_interchip_coeffs" in vector.arrays:
        matrices = {"other": vector.array("in_interchip_coeffs").astype(np.float64)}
        inputs["crosstalk"] = replace(inputs["crosstalk"], inter_chip=matrices)
        pixels = vector.array("in_interchip_source_image")
        other = described.model_copy(update={"name": "other"})
        inputs["crosstalkSources"] = [
            Exposure(pixels, np.zeros(pixels.shape, np.int32), np.zeros_like(pixels), detector=other)
        ]
    return inputs


def calibrations_of(vector: Vector, described: Detector) -> dict[str, Calibration]:
    """Calibrations by kind, which is also their keyword."""
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
        given = params["linearizer"]
        by_amp = dict.fromkeys(names, given) if "type" in given else given
        calibs["linearizer"] = Linearizer(
            amp_names=names,
            linearity_type={name: by_amp[name]["type"] for name in names},
            coefficients={name: np.array(by_amp[name]["coeffs"]) for name in names},
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
    image = plane_of(vector, kind, "image").astype(np.float32)
    others = {plane: plane_of(vector, kind, plane) for plane in ("mask", "variance")}
    for plane, pixels in others.items():
        if pixels.shape != image.shape:  # only the image was replaced by one of another size
            others[plane] = np.zeros_like(pixels, shape=image.shape)
    picture = Exposure(image, others["mask"].astype(np.int32), others["variance"].astype(np.float32))
    notes = vector.entry.get("notes", "")
    for plane, y, x in re.findall(rf"{kind} (image|variance)\[(\d+),(\d+)\]=NaN", notes):
        getattr(picture, plane)[int(y), int(x)] = np.nan
    return picture
