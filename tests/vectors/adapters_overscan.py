"""Overscan correction: the classic step, the serial and parallel tasks of the newer order, and statistics of lines."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.signal import medfilt

from isrflow.frame.box import Box
from isrflow.frame.camera import Amplifier
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.kernels.footprints import grow
from isrflow.kernels.masks import grow_mask, mask_at_least
from isrflow.kernels.overscan import CONSTANTS, OverscanFit, OverscanRules, correct_overscan
from isrflow.kernels.overscan_fit import exclude_outliers, line_means, line_medians
from isrflow.steps.overscan import OverscanConfig, mask_parallel_overscan, subtract_overscan_amp
from tests.vectors.geometry import exposure
from tests.vectors.harness import Outputs, Vector, Where, covers

SQUARE = "A square parallel overscan"
SHARED = "Marks shared between parallel overscans"
NONFINITE = "Overscan pixels that are not finite"
EMPTY = "Empty overscan lines near other empty lines"

CLASSIC = {
    "fitType": "fit_type",
    "order": "order",
    "numSigmaClip": "clip_sigma",
    "maskPlanes": "ignored_planes",
    "overscanIsInt": "as_integers",
    "maxDeviation": "max_deviation_adu",
    "doAbsoluteMaxDeviation": "two_sided_deviation",
    "doParallelOverscan": "parallel",
    "parallelOverscanMaskThreshold": "parallel_mask_threshold_adu",
    "parallelOverscanMaskGrowSize": "parallel_mask_grow_px",
    "leadingColumnsToSkip": "skip_leading_columns",
    "trailingColumnsToSkip": "skip_trailing_columns",
    "leadingRowsToSkip": "skip_leading_rows",
    "trailingRowsToSkip": "skip_trailing_rows",
}


def classic_config(settings: dict[str, Any]) -> OverscanConfig:
    return OverscanConfig(**{ours: settings[theirs] for theirs, ours in CLASSIC.items() if theirs in settings})


@dataclass
class Region:
    """One overscan and what it corrects, as the reference sees it, to say where we differ on purpose."""

    picture: Box
    overscan: Box
    columns: bool
    """Whether the model has one value a column."""
    used: slice
    """Pixels of a line that are fitted."""
    fit_type: str
    max_deviation: float
    reject_bits: int
    clip_sigma: float = 3.0
    smoothing: bool = False

    def lines(self, plane: np.ndarray) -> np.ndarray:
        part = plane[self.overscan.slices()]
        return (part.T if self.columns else part)[:, self.used]

    def is_square(self) -> bool:
        return self.columns and self.overscan.width == self.overscan.height and self.fit_type not in CONSTANTS

    def nonfinite_matters(
        self, image: np.ndarray, mask: np.ndarray, *, rejection: bool = True
    ) -> tuple[np.ndarray, bool]:
        """Lines whose model is changed by pixels that are not finite, and whether the mask may be, by `rejection`."""
        pixels, free = self.lines(image), (self.lines(mask) & self.reject_bits) == 0
        strange = ~np.isfinite(pixels)  # quartiles of lines and smoothed profiles do not look at the mask
        nothing, everything = np.zeros(len(pixels), bool), np.ones(len(pixels), bool)
        if not strange.any():
            return nothing, False
        finite = pixels[free & ~strange]
        far = bool(finite.size) and bool(np.any(np.abs(finite - np.median(finite)) > self.max_deviation))
        outliers = far and bool((free & strange).any())
        if rejection and (outliers or self.smoothing):
            return everything, True
        if self.fit_type in CONSTANTS:
            return nothing, False
        if not self.fit_type.endswith("_PER_ROW"):
            return everything, False
        # Each line stands alone, but for the noisy ones, whose noise is limited by that of the others.
        some = np.isfinite(pixels).any(axis=1)
        width = np.full(len(pixels), np.inf)
        width[some] = np.ptp(np.nanpercentile(np.where(np.isfinite(pixels), pixels, np.nan)[some], (25, 75), axis=1), 0)
        return strange.any(axis=1) | (width > 2.0 * np.median(width[some])), False

    def empty_lines(self, image: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Lines without any pixel to fit, which are filled from their neighbours."""
        masked = (self.lines(mask) & self.reject_bits) != 0
        return exclude_outliers(self.lines(image), masked, self.clip_sigma).all(axis=1)

    def filling_matters(self, image: np.ndarray, mask: np.ndarray) -> bool:
        """Whether an empty line is filled from lines of which some are empty themselves."""
        if self.fit_type in CONSTANTS:
            return False
        empty = self.empty_lines(image, mask)
        steps = np.diff(np.concatenate([[False], empty, [False]]).astype(int))
        for start, stop in zip(np.nonzero(steps == 1)[0], np.nonzero(steps == -1)[0], strict=True):
            after = empty[stop : stop + 5] if stop < empty.size - 5 else empty[:0]
            alone = after.all() and start <= 5 if self.fit_type.endswith("_PER_ROW") else after.any()
            if after.size and alone:
                return True
        return False


class Differences:
    """Collects where our outputs differ on purpose, overscan after overscan."""

    def __init__(self, image: str, mask: str, shape: tuple[int, ...]) -> None:
        self.image, self.mask, self.shape = image, mask, shape
        self.found: dict[str, str | Where] = {}
        self.model_heading = ""
        self.lines = np.zeros(0, bool)
        self.rejected: np.ndarray | None = None

    def before(self, region: Region, exposure: Exposure, rejected: np.ndarray | None = None) -> None:
        """Look at the inputs of one overscan's correction, just before it, and at the mask the reference makes of them.

        Where that mask is not known, it may differ wherever pixels are not finite.
        """
        self.rejected = rejected
        self.lines, mask = region.nonfinite_matters(exposure.image, exposure.mask, rejection=rejected is None)
        if self.model_heading:  # an earlier model differs, so what this one is fitted to does
            self.lines = np.ones_like(self.lines)
        if self.lines.any():
            self.model_heading = NONFINITE
        infinite = np.zeros(self.shape, bool)
        box = region.overscan.slices()
        infinite[box] = np.isinf(exposure.image[box])
        if mask:
            self.found[self.mask] = NONFINITE
        elif infinite.any() and rejected is None:
            earlier = self.found.get(self.mask, Where(NONFINITE, infinite))
            if isinstance(earlier, Where):
                self.found[self.mask] = Where(NONFINITE, earlier.pixels | infinite)

    def after(self, region: Region, exposure: Exposure) -> None:
        """Look at the rejection's result, just after it."""
        if self.rejected is not None and (self.rejected != exposure.mask).any():
            self.found[self.mask] = Where(NONFINITE, self.rejected != exposure.mask)
            self.model_heading, self.lines = NONFINITE, np.ones_like(self.lines)
        if self.lines.any():
            self.lines = self.lines | region.empty_lines(exposure.image, exposure.mask)
        if region.filling_matters(exposure.image, exposure.mask):
            self.model_heading = self.model_heading or EMPTY
            self.lines = np.ones_like(self.lines)
        if region.is_square():
            self._leave_out(region.overscan, slice(None), SQUARE)
        if self.lines.any():
            lines = (slice(None), self.lines) if region.columns else self.lines
            self._leave_out(region.overscan, lines, self.model_heading)
            self._leave_out(region.picture, lines, self.model_heading)

    def spread(self, region: Region, box: Box) -> Where:
        """Say where a model spread over a box differs."""
        pixels = np.broadcast_to(self.lines if region.columns else self.lines[:, np.newaxis], box.shape)
        return Where(self.model_heading, pixels)

    def _leave_out(self, box: Box, lines: Any, heading: str) -> None:
        before = self.found.get(self.image)
        pixels = before.pixels.copy() if isinstance(before, Where) else np.zeros(self.shape, bool)
        pixels[box.slices()][lines] = True
        self.found[self.image] = Where(heading, pixels)


MODEL_SCALARS = ("imageFit", "overscanFit", "parallelOverscanFit", "overscanMean", "overscanMedian", "overscanSigma")
RESIDUALS = ("residualMean", "residualMedian", "residualSigma")


def fit_scalars(fits: list[OverscanFit], names: Any) -> dict[str, Any]:
    """The scalars of one fit, or of a serial and a parallel one as pairs."""
    paths = {
        "overscanMean": "mean",
        "overscanMedian": "median",
        "overscanSigma": "sigma",
        "residualMean": "residual_mean",
        "residualMedian": "residual_median",
        "residualSigma": "residual_sigma",
    }
    found: dict[str, Any] = {}
    for name, attribute in paths.items():
        values = [getattr(fit, attribute) for fit in fits]
        found[name] = values[0] if len(values) == 1 else values
    found["imageFit"] = found["overscanFit"] = fits[0].model
    found["parallelOverscanFit"] = fits[1].model if len(fits) > 1 else None
    found["overscanBadRowsOrColumns"] = fits[-1].bad_lines.tolist() if "overscanBadRowsOrColumns" in names else None
    return found


# --- the classic step --------------------------------------------------------------------------------------------


def _is_classic(params: dict[str, Any]) -> bool:
    return len(params["geometry"]["amps"]) == 1


@covers(
    "lsst.ip.isr.overscan.OverscanCorrectionTask.run(exposure, amp, isTransposed=False)",
    "OverscanCorrectionTask.run(exposure, amp)",
    "OverscanCorrectionTask.run(exposure, amp, isTransposed=True)",
    when=_is_classic,
)
def classic_overscan(vector: Vector) -> Outputs:
    settings = vector.params.get("config") or vector.params.get("config_full") or vector.params
    cards = _cards(vector.params.get("units_metadata", ""))
    picture = exposure(vector, unit=cards.get("LSST ISR UNITS", "adu"), header=dict(cards))
    amp, config = picture.detector.amplifiers[0], classic_config(settings)
    prefix = "out_exposure_" if "out_exposure_image" in vector.arrays else "out_"
    gain = float(cards.get(f"LSST ISR GAIN {amp.name}", 1.0)) if picture.unit == "electron" else 1.0
    regions = classic_regions(amp, config, gain)
    differences = Differences(f"{prefix}image", f"{prefix}mask", picture.image.shape)
    fits = _run_classic(picture, amp, config, regions, differences)
    nested = "result" in vector.scalars
    scalars: dict[str, Any] = fit_scalars(fits, vector.scalars.get("result", vector.scalars))
    differs = {**differences.found, **_scalar_differences(differences, regions, "result." if nested else "", fits)}
    arrays = _fit_arrays(fits, regions)
    differs |= _fit_differences(differences, regions, arrays)
    return Outputs(
        scalars={"result": scalars, "metadata": cards} if nested else scalars,
        differs=differs,
        **{f"{prefix}image": picture.image, f"{prefix}mask": picture.mask},
        **arrays,
    )


def _run_classic(
    picture: Exposure, amp: Amplifier, config: OverscanConfig, regions: list[Region], differences: Differences
) -> list[OverscanFit]:
    before = picture.copy()
    differences.before(regions[0], before)
    result = subtract_overscan_amp(picture, amp, config)
    differences.after(regions[0], picture)
    if result.parallel is None:
        return [result.serial]
    differences.before(regions[1], before)
    differences.after(regions[1], picture)
    return [result.serial, result.parallel]


def classic_regions(amp: Amplifier, config: OverscanConfig, gain: float) -> list[Region]:
    data, serial, parallel = amp.raw_data, amp.raw_serial_overscan, amp.raw_parallel_overscan
    turned = serial.y0 >= data.y1 or serial.y1 <= data.y0
    common = {
        "fit_type": config.fit_type,
        "max_deviation": gain * config.max_deviation_adu,
        "reject_bits": mask_bits(config.ignored_planes),
        "clip_sigma": config.clip_sigma,
    }
    picture, overscan = data, serial
    if config.parallel:
        picture = data.union(parallel)
        overscan = (
            Box(picture.x0, serial.y0, picture.width, serial.height)
            if turned
            else Box(serial.x0, picture.y0, serial.width, picture.height)
        )
    skips = config.skip_leading_columns, config.skip_trailing_columns
    regions = [Region(picture, overscan, turned, _used(picture, overscan, turned, skips), **common)]
    if config.parallel:
        skips = config.skip_leading_rows, config.skip_trailing_rows
        regions.append(Region(data, parallel, not turned, _used(data, parallel, not turned, skips), **common))
    return regions


def _used(picture: Box, overscan: Box, columns: bool, skips: tuple[int, int]) -> slice:
    size = overscan.height if columns else overscan.width
    leads = picture.y0 < overscan.y0 if columns else picture.x0 < overscan.x0
    first, last = skips if leads else skips[::-1]
    return slice(first, size - last)


def _scalar_differences(
    differences: Differences, regions: list[Region], prefix: str, fits: list[OverscanFit]
) -> dict[str, str]:
    names = {}
    if differences.model_heading:
        names |= {f"{prefix}{name}": differences.model_heading for name in (*MODEL_SCALARS, *RESIDUALS)}
    elif regions[-1].is_square():
        place = f"[{len(fits) - 1}]" if len(fits) > 1 else ""
        names |= {f"{prefix}{name}{place}": SQUARE for name in RESIDUALS}
    return names


def _fit_arrays(fits: list[OverscanFit], regions: list[Region]) -> dict[str, Any]:
    """The models as the vectors hold them: one value a line, or spread over the boxes."""
    arrays: dict[str, Any] = {}
    model, region = fits[0].model, regions[0]
    if isinstance(model, float):
        arrays |= dict.fromkeys(("out_imageFit", "out_overscanFit"), model)
    else:
        arrays |= dict.fromkeys(("out_imageFit_perRow", "out_overscanFit_perRow"), model)
        arrays |= dict.fromkeys(("out_imageFit_perColumn", "out_overscanFit_perColumn"), model)
        spread = model if region.columns else model[:, np.newaxis]
        arrays["out_imageFit"] = np.broadcast_to(spread, region.picture.shape).astype(np.float32)
        arrays["out_overscanFit"] = np.broadcast_to(spread, region.overscan.shape).astype(np.float32)
    if len(fits) > 1:
        arrays["out_parallelOverscanFit_perColumn"] = fits[1].model
    return arrays


def _fit_differences(differences: Differences, regions: list[Region], arrays: dict[str, Any]) -> dict[str, str | Where]:
    """Say where the models of `_fit_arrays` differ on purpose."""
    found: dict[str, str | Where] = {}
    if differences.model_heading:
        found |= {name: differences.model_heading for name in arrays if "Fit" in name}
        if len(regions) == 1 and not differences.lines.all():
            found["out_imageFit"] = differences.spread(regions[0], regions[0].picture)
            found["out_overscanFit"] = differences.spread(regions[0], regions[0].overscan)
    if regions[0].is_square():
        found["out_overscanFit"] = SQUARE
    return found


def _cards(text: str) -> dict[str, Any]:
    """Read 'LSST ISR UNITS=electron, LSST ISR GAIN A=1.5'."""
    pairs = [part.split("=") for part in text.split(", ") if "=" in part]
    return {key: float(value) if re.fullmatch(r"[0-9.e+-]+", value) else value for key, value in pairs}


@covers("OverscanCorrectionTask.maskParallelOverscan(exposure, detector)")
def parallel_mask(vector: Vector) -> Outputs:
    picture, marks = exposure(vector), 0
    others = np.zeros(picture.mask.shape, bool)
    for amp in picture.detector.amplifiers:
        box = amp.raw_parallel_overscan.slices()
        others[box], marks = True, marks | int(np.bitwise_or.reduce(picture.mask[box], axis=None))
    mask_parallel_overscan(picture, picture.detector.amplifiers, classic_config(vector.params))
    shared = {"out_mask": Where(SHARED, others)} if marks & ~mask_bits("SAT") else {}
    return Outputs(differs=shared, out_image=picture.image, out_mask=picture.mask)


# --- the tasks of the newer order --------------------------------------------------------------------------------


@covers(
    "lsst.ip.isr.overscan.SerialOverscanCorrectionTask.run(exposure, amp, isTransposed=False)",
    "SerialOverscanCorrectionTask(config).run(exposure, amp)",
    "lsst.ip.isr.overscan.ParallelOverscanCorrectionTask.run(exposure, amp, isTransposed=False)",
    "ParallelOverscanCorrectionTask(config).run(exposure, amp) after maskParallelOverscanAmp*",
)
def newer_overscan(vector: Vector) -> Outputs:
    settings = vector.params.get("config") or vector.params["config_full"]
    parallel = "ParallelOverscanCorrectionTask" in vector.function
    cards = vector.params.get("metadata") or {}
    picture = exposure(vector)
    amp = picture.detector.amplifiers[0]
    gain = cards.get(f"LSST ISR GAIN {amp.name}", 1.0) if cards.get("LSST ISR UNITS") == "electron" else 1.0
    arrays: dict[str, Any] = {}
    level = re.search(r"saturationLevel=([0-9.]+)", vector.function)
    if level and settings.get("doParallelOverscanSaturation", True):
        _mask_overscan(picture, amp, float(level[1]), settings["parallelOverscanMaskGrowSize"])
    arrays["out_mask_after_maskParallelOverscanAmp"] = picture.mask.copy()
    region = _newer_region(amp, settings, gain, parallel=parallel)
    prefix = "out_exposure_" if "out_exposure_image" in vector.arrays else "out_"
    differences = Differences(f"{prefix}image", f"{prefix}mask", picture.image.shape)
    rules = _newer_rules(settings, gain, parallel=parallel)
    strange = not np.isfinite(picture.image[region.overscan.slices()]).all()
    differences.before(region, picture, rejected_by_reference(picture, region, rules) if strange else None)
    fit = _correct(picture, region, rules)
    differences.after(region, picture)
    arrays |= _fit_arrays([fit], [region])
    differs = {**differences.found, **_scalar_differences(differences, [region], "", [fit])}
    differs |= _fit_differences(differences, [region], arrays)
    bad_lines = "overscanBadRowsOrColumns"
    arrays |= dict.fromkeys(("out_overscanBadRowsOrColumns", "out_badRowsOrColumns"), fit.bad_lines)
    scalars = fit_scalars([fit], vector.scalars)
    if vector.scalars.get(bad_lines, []) is None:
        scalars[bad_lines] = None  # this task does not say
    if f"{prefix}mask" in differences.found:
        differs |= dict.fromkeys((bad_lines, "out_overscanBadRowsOrColumns", "out_badRowsOrColumns"), NONFINITE)
    return Outputs(
        scalars=scalars,
        differs=differs,
        **{f"{prefix}image": picture.image, f"{prefix}mask": picture.mask},
        **arrays,
    )


def rejected_by_reference(picture: Exposure, region: Region, rules: OverscanRules) -> np.ndarray:
    """The mask after a rejection in which one pixel that is not a number makes every median of it one that is none."""
    found = picture.mask.copy()
    lines, whole = found[region.overscan.slices()], picture.image[region.overscan.slices()]
    lines, whole = (lines.T, whole.T) if region.columns else (lines, whole)
    pixels, bits = whole[:, region.used], lines[:, region.used]
    free = (bits & rules.reject_bits) == 0
    level, sky = np.nanmedian(pixels), np.nanmedian(picture.image[region.picture.slices()])
    if not free.any() or (level / sky > rules.flood_fraction and sky > rules.flood_level):
        return found
    with np.errstate(invalid="ignore"):
        deviation = pixels - np.median(pixels[free])
        far = (np.abs(deviation) if rules.two_sided else deviation) > rules.max_deviation
        profile = np.median(pixels, axis=1).astype(np.float32)
    bits[far & free] |= rules.bad_bit
    bad = (far & free).all(axis=1)
    if (n := rules.smoothing_kernel) > 0:
        high = profile - medfilt(profile, n) >= rules.smoothing_threshold
        bad[n:-n] |= high[n:-n]
    if bad.any():
        spoiled = np.broadcast_to(bad[:, np.newaxis], lines.shape) | (whole >= 1e30)
        lines[grow(spoiled, rules.grow_bad_lines)] |= rules.bad_bit
    return found


def _correct(picture: Exposure, region: Region, rules: OverscanRules) -> OverscanFit:
    image = picture.image[region.picture.slices()]
    pixels, mask = picture.image[region.overscan.slices()], picture.mask[region.overscan.slices()]
    if region.columns:
        image, pixels, mask = image.T, pixels.T, mask.T
    return correct_overscan(image, pixels, mask, rules, region.used)


def _newer_region(amp: Amplifier, settings: dict[str, Any], gain: float, *, parallel: bool) -> Region:
    picture, overscan = amp.raw_data, amp.raw_parallel_overscan
    if not parallel:
        picture = amp.raw_data.union(amp.raw_parallel_overscan)
        serial = amp.raw_serial_overscan
        overscan = Box(serial.x0, picture.y0, serial.width, picture.height)
    skips = settings["leadingToSkip"], settings["trailingToSkip"]
    return Region(
        picture,
        overscan,
        parallel,
        _used(amp.raw_data, overscan, parallel, skips),
        fit_type=settings["fitType"],
        max_deviation=gain * settings["maxDeviation"],
        reject_bits=mask_bits(settings["maskPlanes"]),
        clip_sigma=settings["numSigmaClip"],
        smoothing=settings.get("doMedianSmoothingOutlierRejection", False),
    )


def _newer_rules(settings: dict[str, Any], gain: float, *, parallel: bool) -> OverscanRules:
    smooth = parallel and settings["doMedianSmoothingOutlierRejection"]
    return OverscanRules(
        kind=settings["fitType"],
        order=settings["order"],
        n_sigma=settings["numSigmaClip"],
        as_integers=settings["overscanIsInt"],
        reject_bits=mask_bits(settings["maskPlanes"]),
        bad_bit=mask_bits("BAD"),
        max_deviation=gain * settings["maxDeviation"],
        two_sided=settings["doAbsoluteMaxDeviation"],
        smoothing_kernel=settings["medianSmoothingKernel"] if smooth else 0,
        smoothing_threshold=gain * settings["medianSmoothingOutlierThreshold"] if smooth else np.inf,
        grow_bad_lines=settings.get("parallelOverscanMaskedColumnGrowSize", 0),
        flood_fraction=settings.get("parallelOverscanFraction", 1.0),
        flood_level=settings.get("parallelOverscanImageThreshold", np.inf),
    )


def _mask_overscan(picture: Exposure, amp: Amplifier, level: float, grow: int) -> None:
    image, mask, _ = picture.amp(amp, "parallel_overscan").planes()
    mask_at_least(image, level, mask, mask_bits("SAT"))
    grow_mask(mask, grow, mask_bits("SAT"), mask_bits("SAT"))


@covers("ParallelOverscanCorrectionTask.maskParallelOverscanAmp(exposure, amp, saturationLevel) for every amp")
def parallel_mask_of_every_amplifier(vector: Vector) -> Outputs:
    picture = exposure(vector)
    for amp in picture.detector.amplifiers:
        grow = vector.params["parallelOverscanMaskGrowSize"]
        _mask_overscan(picture, amp, vector.params["saturationLevel"], grow)
    return Outputs(out_image=picture.image, out_mask=picture.mask)


# --- statistics of lines -----------------------------------------------------------------------------------------


@covers("lsst.ip.isr.isr.fitOverscanImage(*", "lsst.ip.isr.isr.fitOverscanImageMean(*")
def lines(vector: Vector) -> Outputs:
    image, mask = vector.array("in_image"), vector.array("in_mask")
    if vector.params["isTransposed"]:
        image, mask = image.T, mask.T
    statistic = line_means if "fitOverscanImageMean(" in vector.function else line_medians
    excluded = (mask & vector.bits(vector.params["badPixelMask"])) != 0
    return Outputs(double=True, out_vector=statistic(image, excluded))
