"""Whole runs of the newer task, with the snapshots taken on the way."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np

from isrflow.calibs.base import CalibInfo, Calibration
from isrflow.calibs.bfk import BrighterFatterKernel
from isrflow.calibs.bias import Bias
from isrflow.calibs.crosstalk import Crosstalk
from isrflow.calibs.dark import Dark
from isrflow.calibs.defects import Defects
from isrflow.calibs.deferred_charge import DeferredCharge
from isrflow.calibs.electrostatic import Electrostatic
from isrflow.calibs.flat import Flat
from isrflow.calibs.gain_correction import GainCorrection
from isrflow.calibs.linearizer import Linearizer
from isrflow.calibs.ptc import PhotonTransferCurve
from isrflow.frame.box import Box
from isrflow.frame.camera import Detector
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.frame.obs import Observation
from isrflow.frame.polygon import Polygon
from isrflow.kernels.masks import grow_mask
from isrflow.quantum.statistics_layout import lsst_statistics
from isrflow.recipe_lsst import IsrLsstConfig
from isrflow.run import run_isr
from isrflow.steps.isr_statistics import IsrStatistics
from tests.vectors.adapters_amp_offsets import TRUNCATED, truncated_by_reference
from tests.vectors.adapters_interpolation import differences as interpolated_otherwise
from tests.vectors.adapters_overscan import NONFINITE, SQUARE
from tests.vectors.adapters_signal import in_electrons_without_nodes
from tests.vectors.geometry import detector
from tests.vectors.harness import Outputs, Vector, Where, covers, number_or_none

INTEGERS = "Integer raw exposures"
ADU_COEFFICIENTS = "Coefficients in adu and images in electrons"
PLANES = ("image", "mask", "variance")
SNAPSHOTS = {
    "maskFullAmplifiers": "full_amplifiers",
    "ditherCounts": "dither",
    "overscan_SERIAL": "overscan_serial",
    "maskSaturatedPixels": "saturation",
    "applyGains": "electrons",
    "crosstalk": "crosstalk",
    "overscan_PARALLEL": "overscan_parallel",
    "linearize": "linearity",
    "deferredCharge": "deferred_charge",
    "assemble": "assembly",
    "bias": "bias",
    "dark": "dark",
    "maskDefects": "defects",
    "maskNan": "nonfinite",
    "brighterFatter_COULTON18": "brighter_fatter",
    "brighterFatter_COULTON18_FLUX_CONSERVING": "brighter_fatter",
    "brighterFatter_ASTIER23": "electrostatic",
    "variance": "variance",
    "flat": "flat",
    "setBadRegions": "bad_regions",
    "interpolate": "interpolation",
}
"""Name of a snapshot in a vector, and the row after which it was taken."""
RAW_HEADER = {"FILTER": "r_57", "BSSVBS": 50.0, "HVBIAS": "ON"}
"""Cards of raws of vectors that do not state them; all of the group were made by one simulator."""


@covers("lsst.ip.isr.IsrTaskLSST(config).run(raw, ...)")
def newer_run(vector: Vector) -> Outputs:
    recipe = IsrLsstConfig.from_lsst(vector.params["config_full"])
    described = detector_of(vector.params)
    snapshots: dict[str, dict[str, np.ndarray]] = {}
    where = Differences(recipe)

    def keep(row: str, exposure: Exposure) -> None:
        snapshots[row] = {plane: np.copy(getattr(exposure, plane)) for plane in PLANES}
        where.after(row, exposure, snapshots)

    raw, calibs = raw_of(vector, described), calibrations_of(vector, described)
    raw.header["MJD"] = (vector.scalars.get("outputStatistics") or {}).get("MJD")  # told among the results alone
    note_cards(vector, raw, calibs)
    where.before(raw, calibs, vector)
    result = run_isr(raw, calibs, recipe, on_step=keep)
    arrays = {f"out_final_{plane}": getattr(result.exposure, plane) for plane in PLANES}
    for name in vector.entry["arrays"]:
        found = re.fullmatch(r"out_step\d+_(\w+)_(image|mask|variance)", name)
        if found and SNAPSHOTS.get(found[1]) in snapshots:
            arrays[name] = snapshots[SNAPSHOTS[found[1]]][found[2]]
    measured = result.get(IsrStatistics)
    scalars = {
        "metadata": result.exposure.header,
        "steps": vector.scalars.get("steps"),  # a legend of the snapshots, not a result
        "outputStatistics": measured and lsst_statistics(measured, described.id),
    }
    return Outputs(scalars=scalars, differs=where.found, **arrays)


class Differences:
    """Where a run differs on purpose, found from its inputs and from what the steps leave."""

    def __init__(self, recipe: IsrLsstConfig) -> None:
        self.recipe = recipe
        self.found: dict[str, str | Where] = {}

    def before(self, raw: Exposure, calibs: dict[str, Calibration], vector: Vector) -> None:
        """Look at the raw exposure: one difference in its levels reaches every pixel, by way of crosstalk."""
        heading = INTEGERS if raw.image.dtype.kind in "iu" else ""
        boxes = [box for amp in raw.detector.amplifiers for box in (amp.raw_serial_overscan, amp.raw_parallel_overscan)]
        if not heading and not all(np.isfinite(raw.image[box.slices()]).all() for box in boxes):
            heading = NONFINITE
        electrons = self.recipe.electrons.enabled and self.recipe.linearity.enabled
        if not heading and electrons and in_electrons_without_nodes(calibs["linearizer"], gains=True):
            heading = ADU_COEFFICIENTS
        if heading:
            names = [*vector.entry["arrays"], *(f"metadata.{card}" for card in vector.scalars["metadata"])]
            self.found |= dict.fromkeys(names, heading)
        for amp in raw.detector.amplifiers:
            if amp.raw_parallel_overscan.width == amp.raw_parallel_overscan.height:
                start = "metadata.LSST ISR OVERSCAN RESIDUAL PARALLEL"
                self.found |= {f"{start} {name} {amp.name}": SQUARE for name in ("MEAN", "MEDIAN", "STDEV")}

    def after(self, row: str, exposure: Exposure, snapshots: dict[str, dict[str, np.ndarray]]) -> None:
        """Look at what interpolation was given, and at the interfaces of amplifiers before they are evened out."""
        if row == "interpolation":
            before = list(snapshots.values())[-2]["mask"]
            for name, pixels in interpolated_otherwise(self._bad(before), exposure).items():
                self._note_final(name.removeprefix("out_"), pixels, exposure)
        following = "interpolation" if self.recipe.interpolation.enabled else "bad_regions"
        if row == following and self.recipe.amp_offsets.enabled:
            pairs = truncated_by_reference(exposure, self.recipe.amp_offsets)
            cards = [f"INTERFACEOFFSET {pair}" for pair in pairs]
            cards += [f"PEDESTAL {amp.name}" for amp in exposure.detector.amplifiers if pairs]
            self.found |= {f"metadata.LSST ISR AMPOFFSET {card}": TRUNCATED for card in cards}
            if pairs and self.recipe.amp_offsets.apply:
                self._note_final("image", Where(TRUNCATED, np.ones(exposure.image.shape, bool)), exposure)

    def _bad(self, mask: np.ndarray) -> np.ndarray:
        config, grown = self.recipe.interpolation, mask.copy()
        saturated = mask_bits("SAT")
        if "SAT" in config.planes:
            grow_mask(grown, config.grow_saturated_px, saturated, saturated)
        return (grown & mask_bits(config.planes)) != 0

    def _note_final(self, plane: str, where: Where, exposure: Exposure) -> None:
        self.found.setdefault(f"out_final_{plane}", where)
        touched = [amp.name for amp in exposure.detector.amplifiers if where.pixels[amp.box.slices()].any()]
        cards = [
            f"{card} {name}" for name in touched for card in ("FINAL MEAN", "FINAL MEDIAN", "FINAL STDEV", "LEVEL")
        ]
        for card in cards if plane == "image" else ():
            self.found.setdefault(f"metadata.LSST ISR {card}", where.heading)


def detector_of(params: dict[str, Any]) -> Detector:
    update = {
        "name": params["trimmedDetectorName"],
        "physical_type": params.get("physicalType", "CCD"),
        "id": params.get("detectorId", 20),
        "serial": params.get("detectorSerial", ""),
    }
    return detector(params).model_copy(update=update)


def raw_of(vector: Vector, described: Detector) -> Exposure:
    params = vector.params
    image = vector.shared["raw_image"].copy()
    dtype = np.dtype(params.get("raw_dtype", "float32"))
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        image = np.clip(np.rint(image.astype(np.float64)), limits.min, limits.max).astype(dtype)
    mask = vector.in_our_bits("mask", vector.shared["raw_mask"]) if "raw_mask" in vector.shared else None
    return Exposure(
        image=image,
        mask=np.zeros(image.shape, np.int32) if mask is None else mask.copy(),
        variance=np.full(image.shape, params.get("raw_variance", 0.0), np.float32),
        detector=described,
        obs=Observation(
            exposure_id=params.get("exposureId"),
            exposure_time_s=params["exposureTime"],
            dark_time_s=params["darkTime"],
        ),
        header=dict(params.get("rawHeader", RAW_HEADER)),
    )


def calibrations_of(vector: Vector, described: Detector) -> dict[str, Calibration]:
    params, shared = vector.params, vector.shared
    names = tuple(amp.name for amp in described.amplifiers)
    dark_time = Observation(dark_time_s=params["dark_darkTime"], exposure_time_s=params.get("dark_expTime", np.nan))
    calibs: dict[str, Calibration] = {
        "bias": Bias(exposure=picture_of(vector, "bias")),
        "dark": Dark(exposure=replace(picture_of(vector, "dark"), obs=dark_time)),
        "flat": Flat(exposure=picture_of(vector, "flat")),
        "defects": Defects(boxes=tuple(Box(*numbers) for numbers in params["defects"])).normalised(),
        "crosstalk": Crosstalk(
            coefficients=shared["crosstalk_coeffs"].astype(np.float64),
            **quadratic_of(shared),
            units=params["crosstalkUnits"],
            fit_gains=np.array([number_or_none(gain) for gain in params["crosstalkFitGains"]], np.float64),
        ),
        "bfk": BrighterFatterKernel(
            level="DETECTOR",
            size_px=len(shared["bf_kernel"]),
            detector_kernels={described.name: shared["bf_kernel"].astype(np.float64)},
            amp_names=names,
            gain=numbers_of(params["bfk"]["gain"]),
        ),
    }
    if "ebf_aN" in shared:
        calibs["electrostatic"] = matrices_of(vector)
    if params.get("ptc"):
        calibs["ptc"] = curve_of(params["ptc"])
    if params.get("linearizer"):
        given = params["linearizer"]
        calibs["linearizer"] = Linearizer(
            amp_names=tuple(given),
            linearity_type={name: amp["type"] for name, amp in given.items()},
            coefficients={name: np.array(amp["coeffs"]) for name, amp in given.items()},
            units=params.get("linearityUnits", "adu"),
            input_gain=inputs_of(params, "inputGain", "NaN"),
            input_turnoff=inputs_of(params, "inputTurnoff", "Infinity"),
        )
    if params.get("cti"):
        calibs["deferred_charge"] = late_charge_of(params["cti"])
    if params.get("gainCorrection"):
        calibs["gain_correction"] = GainCorrection(adjustments=numbers_of(params["gainCorrection"]))
    return calibs


def inputs_of(params: dict[str, Any], key: str, unknown: str) -> dict[str, float]:
    """What the linearizer was made with, told amplifier by amplifier or beside it."""
    beside = params.get(f"linearizer_{key}") or params.get(f"linearizer{key[0].upper()}{key[1:]}") or {}
    return numbers_of({name: amp.get(key, beside.get(name, unknown)) for name, amp in params["linearizer"].items()})


def quadratic_of(shared: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    found = next((name for name in shared if name.startswith("crosstalk_coeffs") and name != "crosstalk_coeffs"), None)
    return {} if found is None else {"quadratic_coefficients": shared[found].astype(np.float64)}


SIDES = {"N": "north", "S": "south", "E": "east", "W": "west"}


def matrices_of(vector: Vector) -> Electrostatic:
    """The general matrices, and those of filters under names such as ``ebf_aN_r_57``."""
    shared, gain = vector.shared, numbers_of(vector.params["ebf"]["gain"])
    by_filter: dict[str, dict[str, np.ndarray]] = {f"{side}_by_filter": {} for side in SIDES.values()}
    for name in shared:
        found = re.fullmatch(r"(?:ebf_)?a([NSEW])_?(?:[bB]yFilter_?)?(\w+)", name)
        if found:
            by_filter[f"{SIDES[found[1]]}_by_filter"][found[2]] = shared[name].astype(np.float64)
    general = {side: shared[f"ebf_a{letter}"].astype(np.float64) for letter, side in SIDES.items()}
    filters = tuple(by_filter["north_by_filter"])
    return Electrostatic(amp_names=tuple(gain), gain=gain, filters=filters, **general, **by_filter)


def numbers_of(values: dict[str, Any]) -> dict[str, float]:
    return {name: number_or_none(value) for name, value in values.items()}


def curve_of(given: dict[str, Any]) -> PhotonTransferCurve:
    ours = {
        "gain": "gain",
        "noise": "noise",
        "ptcTurnoff": "turnoff",
        "overscanMedian": "overscan_median",
        "overscanMedianSigma": "overscan_median_sigma",
    }
    fields = {
        mine: {amp: number_or_none(each[theirs]) for amp, each in given.items() if theirs in each}
        for theirs, mine in ours.items()
    }
    return PhotonTransferCurve(amp_names=tuple(given), **fields)


def late_charge_of(given: dict[str, Any]) -> DeferredCharge:
    traps = {name: amp["trap"] for name, amp in given.items()}
    return DeferredCharge(
        amp_names=tuple(given),
        drift_scale={name: amp["driftScale"] for name, amp in given.items()},
        decay_time={name: amp["decayTime"] for name, amp in given.items()},
        global_cti={name: amp["globalCti"] for name, amp in given.items()},
        input_gain={name: number_or_none(amp.get("inputGain", "NaN")) for name, amp in given.items()},
        trap_size={name: trap["size"] for name, trap in traps.items()},
        trap_emission_time={name: trap["emission_time"] for name, trap in traps.items()},
        trap_pixel={name: trap["pixel"] for name, trap in traps.items()},
        trap_type={name: trap["trap_type"] for name, trap in traps.items()},
        trap_coefficients={name: np.array(trap["coeffs"]) for name, trap in traps.items()},
    )


def picture_of(vector: Vector, kind: str) -> Exposure:
    shared = vector.shared
    image = shared[f"{kind}_image"].astype(np.float32)
    mask = vector.in_our_bits("mask", shared[f"{kind}_mask"]) if f"{kind}_mask" in shared else None
    lit = kind == "flat" and vector.params.get("flatHasValidPolygon", False)
    return Exposure(
        image=image,
        mask=np.zeros(image.shape, np.int32) if mask is None else mask.astype(np.int32),
        variance=shared[f"{kind}_variance"].astype(np.float32),
        unit=vector.params.get("calibUnits", "electron"),
        valid_polygon=Polygon(np.array([[0, 0], [1, 0], [0, 1]], np.float64)) if lit else None,  # that there is one
    )


def note_cards(vector: Vector, raw: Exposure, calibs: dict[str, Calibration]) -> None:
    """Write the cards of the inputs, which are told in the notes alone: ``raw SEQNAME=a SEQFILE=b; bias SEQNAME=c``."""
    for clause in re.split(r"[;:,]", vector.entry.get("notes") or ""):
        owner = re.search(r"\b(raw|bias|dark|flat|crosstalk)\b(?: metadata)? ((?:[A-Z0-9_]+=[\w-]+ ?)+)", clause)
        if owner is None:
            continue
        cards = dict(pair.split("=") for pair in owner[2].split())
        if owner[1] == "raw":
            raw.header |= cards
        elif owner[1] in ("bias", "dark", "flat"):
            calibs[owner[1]].exposure.header |= cards
        else:
            calib = calibs[owner[1]]
            calibs[owner[1]] = replace(calib, info=replace(calib.info or CalibInfo(), metadata=cards))
