"""The names of IsrTaskConfig, in the order in which it declares them, and what becomes of them in `IsrConfig`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from isrflow.lsst_names.names import (
    ABOVE_ONE,
    AT_LEAST_ONE,
    AT_LEAST_THREE,
    AT_LEAST_TWO,
    NOT_NEGATIVE,
    POSITIVE,
    Name,
    Values,
    idle,
    one_of,
    refused,
    to,
    under,
)
from isrflow.lsst_names.shared import (
    OVERSCAN_FITS,
    amp_offset_names,
    assembly_names,
    binning_names,
    crosstalk_names,
    deferred_charge_names,
    everywhere,
    framework_names,
    isr_statistics_names,
    isr_statistics_rules,
    wants_overscans,
)
from isrflow.lsst_names.translate import NameTable

NO_EFFECT = "it has none there either"
DATASETS = "dataset types are those of the registry"
FAKE = "describe the detector instead: a camera YAML, or Detector.from_header"
CROSSTALK = ("crosstalk_raw", "crosstalk")
BIAS = ("bias_raw", "bias")
FRINGES = ("fringe_before_flat", "fringe")
STATISTICS = {4: "MEAN", 32: "MEDIAN", 128: "MEANCLIP", "MEAN": "MEAN", "MEDIAN": "MEDIAN", "MEANCLIP": "MEANCLIP"}
"""Statistics by the number or name LSST gives them."""
THUMBNAILS = ("thumbnail_overscan", "thumbnail_flattened")
TRIMMED = (*BIAS, "brighter_fatter", "dark", "stray_light", "flat", "illumination")
"""Rows that lay a calibration over the exposure."""

QA = under(
    "qa",
    idle("saveStats", True, "IsrTask alone heeds it", kind="bool"),
    *under(
        "flatness",
        to("meshX", 256, "background.mesh_x_px", limit=AT_LEAST_TWO),
        to("meshY", 256, "background.mesh_y_px", limit=AT_LEAST_TWO),
        to("doClip", True, "background.clip"),
        to("clipSigma", 3.0, "background.clip_sigma", limit=POSITIVE),
        to("nIter", 3, "background.clip_iterations", limit=AT_LEAST_ONE),
    ),
    idle("doWriteOss", False, NO_EFFECT, kind="bool"),
    to("doThumbnailOss", False, "thumbnail_overscan.enabled"),
    idle("doWriteFlattened", False, NO_EFFECT, kind="bool"),
    to("doThumbnailFlattened", False, "thumbnail_flattened.enabled"),
    to("thumbnailBinning", 4, *everywhere(THUMBNAILS, "binning"), limit=AT_LEAST_ONE),
    to("thumbnailStdev", 3.0, *everywhere(THUMBNAILS, "low_sigma")),
    to("thumbnailRange", 5.0, *everywhere(THUMBNAILS, "span"), limit=POSITIVE),
    to("thumbnailQ", 20.0, *everywhere(THUMBNAILS, "softening"), limit=POSITIVE),
    to("thumbnailSatBorder", 2, *everywhere(THUMBNAILS, "saturated_border_px"), limit=NOT_NEGATIVE),
)

OVERSCAN = under(
    "overscan",
    to("fitType", "MEDIAN", "overscan.fit_type", limit=one_of(*OVERSCAN_FITS)),
    to("order", 1, "overscan.order", limit=NOT_NEGATIVE),
    to("numSigmaClip", 3.0, "overscan.clip_sigma", limit=POSITIVE),
    to("maskPlanes", ("BAD", "SAT"), "overscan.ignored_planes"),
    to("overscanIsInt", True, "overscan.as_integers"),
    to("maxDeviation", 1000.0, "overscan.max_deviation_adu", limit=POSITIVE),
    to("doAbsoluteMaxDeviation", True, "overscan.two_sided_deviation"),
    to("doParallelOverscan", False, "overscan.parallel"),
    to("parallelOverscanMaskThreshold", 100000, "overscan.parallel_mask_threshold_adu", kind="float"),
    to("parallelOverscanMaskGrowSize", 7, "overscan.parallel_mask_grow_px", limit=NOT_NEGATIVE),
    to("leadingColumnsToSkip", 0, "overscan.skip_leading_columns", limit=NOT_NEGATIVE),
    to("trailingColumnsToSkip", 0, "overscan.skip_trailing_columns", limit=NOT_NEGATIVE),
    to("leadingRowsToSkip", 0, "overscan.skip_leading_rows", limit=NOT_NEGATIVE),
    to("trailingRowsToSkip", 0, "overscan.skip_trailing_rows", limit=NOT_NEGATIVE),
)

FRINGE = under(
    "fringe",
    to("filters", (), *everywhere(FRINGES, "filters"), note="physical filters or bands"),
    idle("useFilterAliases", False, "deprecated there; give the filters' physical names", kind="bool"),
    to("num", 30000, *everywhere(FRINGES, "n_samples"), limit=AT_LEAST_ONE),
    to("small", 3, *everywhere(FRINGES, "small_px"), limit=AT_LEAST_ONE),
    to("large", 30, *everywhere(FRINGES, "large_px"), limit=AT_LEAST_ONE),
    to("iterations", 20, *everywhere(FRINGES, "n_iterations"), limit=NOT_NEGATIVE),
    to("clip", 3.0, *everywhere(FRINGES, "n_sigma"), limit=POSITIVE),
    to("pedestal", False, *everywhere(FRINGES, "subtract_pedestal")),
    *under(
        "stats",
        to("badMaskPlanes", ("SAT",), *everywhere(FRINGES, "ignored_planes")),
        to("stat", 32, *everywhere(FRINGES, "statistic"), limit=one_of(*STATISTICS), kind="any"),
        to("clip", 3.0, *everywhere(FRINGES, "clip_sigma"), limit=POSITIVE),
        to("iterations", 3, *everywhere(FRINGES, "clip_iterations"), limit=NOT_NEGATIVE),
        to("rngSeedOffset", 0, *everywhere(FRINGES, "seed_offset")),
    ),
)

NAMES: tuple[Name, ...] = (
    *framework_names(),
    idle("datasetType", "raw", NO_EFFECT),
    idle("fallbackFilterName", None, NO_EFFECT),
    idle("useFallbackDate", False, NO_EFFECT, kind="bool"),
    idle("expectWcs", True, "an exposure without sky coordinates is not warned of", kind="bool"),
    idle("fwhm", 1.0, NO_EFFECT, kind="float"),
    *QA,
    idle("doHeaderProvenance", True, "the headers of products always say what made them", kind="bool"),
    to("doRaiseOnCalibMismatch", False, "comparison.refuse", "brighter_fatter.refuse_other_gains"),
    to("cameraKeywordsToCompare", (), "comparison.cards"),
    to("doConvertIntToFloat", True, "convert.enabled"),
    to("doSaturation", True, "saturation.mask_saturated"),
    to("saturatedMaskName", "SAT", "saturation.plane", "statistics.saturated_plane"),
    to("saturation", math.nan, "saturation.level_adu"),
    to(
        "growSaturationFootprintSize",
        1,
        "interpolation.grow_saturated_px",
        "brighter_fatter.grow_saturated_px",
        limit=NOT_NEGATIVE,
        note="only the plane SAT is grown",
    ),
    to("doSuspect", False, "saturation.mask_suspect"),
    to("suspectMaskName", "SUSPECT", "saturation.suspect_plane"),
    to("numEdgeSuspect", 0, "edges.width_px", "edges.enabled", limit=NOT_NEGATIVE, note="on if it is not 0"),
    to("edgeMaskLevel", "DETECTOR", "edges.level", limit=one_of("DETECTOR", "AMP")),
    to("doSetBadRegions", True, "bad_regions.enabled"),
    idle("badStatistic", "MEANCLIP", "the median is used, as there; set bad_regions.statistic"),
    to("doOverscan", True, "overscan.enabled", "kept_overscan.enabled"),
    *OVERSCAN,
    to("doAssembleCcd", True, "assembly.enabled"),
    *assembly_names(),
    refused("doAssembleIsrExposures", False, "fringe frames have to be assembled"),
    to("doTrimToMatchCalib", False, *everywhere(TRIMMED, "trim_to_fit")),
    to("doBias", True, *everywhere(BIAS, "enabled")),
    idle("biasDataProductName", "bias", DATASETS),
    to("doBiasBeforeOverscan", False, *everywhere(BIAS, "enabled")),
    to("doDeferredCharge", False, "deferred_charge.enabled"),
    *deferred_charge_names(),
    to("doVariance", True, "variance.enabled"),
    refused("gain", math.nan, FAKE),
    refused("readNoise", 0.0, FAKE),
    to("doEmpiricalReadNoise", False, "effective_ptc.empirical_read_noise"),
    to("usePtcReadNoise", False, "effective_ptc.use_ptc_noise"),
    to("maskNegativeVariance", True, "variance.mask_nonpositive"),
    to("negativeVarianceMaskName", "BAD", "variance.plane"),
    to("doLinearize", True, "linearity.enabled"),
    to("doCrosstalk", False, *everywhere(CROSSTALK, "enabled")),
    to("doCrosstalkBeforeAssemble", False, *everywhere(CROSSTALK, "enabled")),
    *crosstalk_names(*CROSSTALK),
    to("doDefect", True, "defects.enabled"),
    to("doNanMasking", True, "nonfinite.enabled"),
    to("doWidenSaturationTrails", True, "trails.enabled"),
    to("doBrighterFatter", False, "brighter_fatter.enabled"),
    to("doFluxConservingBrighterFatterCorrection", False, "brighter_fatter.flux_conserving"),
    refused("brighterFatterLevel", "DETECTOR", "kernels of amplifiers are averaged to that of the detector"),
    to("brighterFatterMaxIter", 10, "brighter_fatter.max_iterations", limit=AT_LEAST_ONE),
    to("brighterFatterThreshold", 1000.0, "brighter_fatter.threshold_electron"),
    to("brighterFatterApplyGain", True, "brighter_fatter.apply_gain"),
    to("brighterFatterMaskListToInterpolate", ("SAT", "BAD", "NO_DATA", "UNMASKEDNAN"), "brighter_fatter.planes"),
    to("brighterFatterMaskGrowSize", 0, "brighter_fatter.grow_px", limit=NOT_NEGATIVE),
    to("doDark", True, "dark.enabled", "brighter_fatter.apply_dark"),
    idle("darkDataProductName", "dark", DATASETS),
    to("doStrayLight", False, "stray_light.enabled", note="for the filters listed"),
    to("strayLight.doRotatorAngleCorrection", False, "stray_light.use_rotator_angle"),
    to("strayLight.filters", (), "stray_light.filters"),
    to("doFlat", True, "flat.enabled", "brighter_fatter.apply_flat"),
    idle("flatDataProductName", "flat", DATASETS),
    to("flatScalingType", "USER", "flat.scaling", limit=one_of("USER", "MEAN", "MEDIAN")),
    to("flatUserScale", 1.0, "flat.user_scale"),
    idle("doTweakFlat", False, NO_EFFECT, kind="bool"),
    to("doApplyGains", False, "gains.enabled"),
    to("usePtcGains", False, "effective_ptc.use_ptc_gains"),
    to("normalizeGains", False, "gains.normalize"),
    to("doFringe", True, *everywhere(FRINGES, "enabled")),
    *FRINGE,
    to("fringeAfterFlat", True, *everywhere(FRINGES, "enabled")),
    to("doAmpOffset", False, "amp_offsets.enabled"),
    *amp_offset_names(),
    to("doMeasureBackground", False, "background.enabled"),
    to("doCameraSpecificMasking", False, "camera_masks.enabled", note="there a place for a task of one's own"),
    idle("masking.doSpecificMasking", False, NO_EFFECT, kind="bool"),
    to("doInterpolate", True, "interpolation.enabled"),
    to("doSaturationInterpolation", True, "interpolation.planes", note="puts saturatedMaskName in or takes it out"),
    to("doNanInterpolation", True, "interpolation.planes", note="puts UNMASKEDNAN in"),
    idle("doNanInterpAfterFlat", False, NO_EFFECT, kind="bool"),
    to("maskListToInterpolate", ("SAT", "BAD"), "interpolation.planes"),
    to("doSaveInterpPixels", False, "before_interpolation.enabled"),
    to("useLegacyInterp", True, "interpolation.method", note="row, else gaussian_process"),
    to("fluxMag0T1", {"Unknown": 10 ** (0.4 * 28.0)}, "zero_point.counts_per_s_at_mag0"),
    to("defaultFluxMag0T1", 10 ** (0.4 * 28.0), "zero_point.default_counts_per_s_at_mag0", limit=POSITIVE),
    to("doVignette", False, "vignette.enabled"),
    to("doMaskVignettePolygon", True, "vignette.mask"),
    to("vignetteValue", None, "vignette.fill_value", kind="float"),
    *under(
        "vignette",
        to("xCenter", 0.0, "vignette.x_mm"),
        to("yCenter", 0.0, "vignette.y_mm"),
        to("radius", 100.0, "vignette.radius_mm", limit=NOT_NEGATIVE),
        to("numPolygonPoints", 100, "vignette.n_vertices", limit=AT_LEAST_THREE),
    ),
    to("doAttachTransmissionCurve", False, "transmission.enabled"),
    to("doUseOpticsTransmission", True, "transmission.use_optics"),
    to("doUseFilterTransmission", True, "transmission.use_filter"),
    to("doUseSensorTransmission", True, "transmission.use_sensor"),
    to("doUseAtmosphereTransmission", True, "transmission.use_atmosphere"),
    to("doIlluminationCorrection", False, "illumination.enabled"),
    idle("illuminationCorrectionDataProductName", "illumcor", DATASETS),
    to("illumScale", 1.0, "illumination.scale", limit=POSITIVE),
    to("illumFilters", (), "illumination.filters"),
    to("doStandardStatistics", True, "statistics.enabled"),
    to("doCalculateStatistics", False, "isr_statistics.enabled", "kept_overscan.enabled"),
    *isr_statistics_names("kept_overscan.enabled"),
    to("doBinnedExposures", False, "binned.enabled"),
    *binning_names(),
    to("binFactor1", 8, "binned.factor1", limit=ABOVE_ONE),
    to("binFactor2", 64, "binned.factor2", limit=ABOVE_ONE),
    idle("doWrite", True, "who runs the recipe decides what is written", kind="bool"),
)


def interpolated_planes(values: Values) -> tuple[str, ...]:
    """Return the planes that are interpolated after LSST's validation has edited their list."""
    saturated = values["saturatedMaskName"]
    planes = [
        name for name in values["maskListToInterpolate"] if values["doSaturationInterpolation"] or name != saturated
    ]
    wanted = [saturated] if values["doSaturationInterpolation"] else []
    wanted += ["UNMASKEDNAN"] if values["doNanInterpolation"] else []
    return tuple(dict.fromkeys([*planes, *wanted]))


def _keeps_overscans(values: Values) -> bool:
    """Tell whether overscans are kept: charge transfer is measured on them too, in this order."""
    transfer = values["doCalculateStatistics"] and values["isrStats.doCtiStatistics"]
    return values["doOverscan"] and (transfer or wants_overscans(values))


RULES: Mapping[str, Callable[[Values], Any]] = {
    "bias_raw.enabled": lambda v: v["doBias"] and v["doBiasBeforeOverscan"],
    "bias.enabled": lambda v: v["doBias"] and not v["doBiasBeforeOverscan"],
    "crosstalk_raw.enabled": lambda v: v["doCrosstalk"] and v["doCrosstalkBeforeAssemble"],
    "crosstalk.enabled": lambda v: v["doCrosstalk"] and not v["doCrosstalkBeforeAssemble"],
    "fringe_before_flat.enabled": lambda v: v["doFringe"] and not v["fringeAfterFlat"],
    "fringe.enabled": lambda v: v["doFringe"] and v["fringeAfterFlat"],
    **{f"{row}.statistic": lambda v: STATISTICS[v["fringe.stats.stat"]] for row in FRINGES},
    "kept_overscan.enabled": _keeps_overscans,
    **isr_statistics_rules(),
    "edges.enabled": lambda v: v["numEdgeSuspect"] > 0,
    "interpolation.planes": interpolated_planes,
    "interpolation.method": lambda v: "row" if v["useLegacyInterp"] else "gaussian_process",
}


def _flat_or_gains(values: Values) -> str | None:
    both = values["doFlat"] and values["doApplyGains"]
    return "doFlat and doApplyGains exclude each other: a flat holds the gains" if both else None


def _early_bias_or_trim(values: Values) -> str | None:
    both = values["doBiasBeforeOverscan"] and values["doTrimToMatchCalib"]
    return "doBiasBeforeOverscan and doTrimToMatchCalib exclude each other" if both else None


def _boxes_in_order(values: Values) -> str | None:
    wrong = values["fringe.small"] > values["fringe.large"]
    return "fringe.small must not be greater than fringe.large" if wrong else None


def _offsets_measured(values: Values) -> str | None:
    missing = values["ampOffset.doApplyAmpOffset"] and not values["doAmpOffset"]
    return "ampOffset.doApplyAmpOffset needs doAmpOffset" if missing else None


CLASSIC = NameTable(
    "IsrTaskConfig", NAMES, RULES, (_flat_or_gains, _early_bias_or_trim, _boxes_in_order, _offsets_measured)
)
"""IsrTaskConfig -> IsrConfig."""
