"""Names of subtasks that both tasks have, for the rows of the recipe they go to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from isrflow.lsst_names.names import (
    AT_LEAST_ONE,
    AT_LEAST_TWO,
    FRACTION,
    NOT_NEGATIVE,
    ODD_OR_ZERO,
    POSITIVE,
    Name,
    Values,
    idle,
    one_of,
    refused,
    to,
    under,
)

OVERSCAN_FITS = (
    "MEAN",
    "MEANCLIP",
    "MEDIAN",
    "MEDIAN_PER_ROW",
    "MEAN_PER_ROW",
    "POLY",
    "CHEB",
    "LEG",
    "NATURAL_SPLINE",
    "CUBIC_SPLINE",
    "AKIMA_SPLINE",
)


def everywhere(rows: tuple[str, ...], setting: str) -> tuple[str, ...]:
    """Name a setting in several rows."""
    return tuple(f"{row}.{setting}" for row in rows)


def assembly_names(row: str = "assembly") -> tuple[Name, ...]:
    """Return the names of AssembleCcdTask."""
    return under(
        "assembleCcd",
        to("doTrim", True, f"{row}.trim"),
        to("keysToRemove", (), f"{row}.keys_to_remove"),
    )


def crosstalk_names(*rows: str) -> tuple[Name, ...]:
    """Return the names of CrosstalkTask; of its coefficients only those of a calibration are used."""
    why = "coefficients come from a crosstalk calibration: make isrflow.calibs.crosstalk.Crosstalk of them"
    return under(
        "crosstalk",
        to("minPixelToMask", 45000.0, *everywhere(rows, "min_pixel_to_mask")),
        to("crosstalkMaskPlane", "CROSSTALK", *everywhere(rows, "plane")),
        to("doSubtrahendMasking", False, *everywhere(rows, "mask_subtrahend")),
        to(
            "crosstalkBackgroundMethod",
            "None",
            *everywhere(rows, "background"),
            limit=one_of("None", "AMP", "DETECTOR"),
        ),
        refused("useConfigCoefficients", False, why),
        idle("crosstalkValues", (0.0,), "useConfigCoefficients is off", kind="numbers"),
        idle("crosstalkShape", (1,), "useConfigCoefficients is off", kind="numbers"),
        to("doQuadraticCrosstalkCorrection", False, *everywhere(rows, "quadratic")),
    )


def deferred_charge_names(row: str = "deferred_charge") -> tuple[Name, ...]:
    """Return the names of DeferredChargeTask."""
    return under(
        "deferredChargeCorrection",
        to("nPixelOffsetCorrection", 15, f"{row}.n_pixel_offset", limit=AT_LEAST_ONE),
        to("nPixelTrapCorrection", 6, f"{row}.n_pixel_trap", limit=AT_LEAST_ONE),
        to("zeroUnusedPixels", True, f"{row}.zero_unused_pixels"),
    )


def binning_names() -> tuple[Name, ...]:
    """Return the names of BinImageDataTask, which the tasks call with factors of their own."""
    why = "binFactor1 and binFactor2 say what is made"
    return under(
        "binning",
        idle("inputDimensions", ("detector", "exposure", "instrument"), why),
        idle("inputStorageClass", "ExposureF", why),
        idle("binFactor", 8, why, kind="int"),
        idle("saveLogOutput", True, why),
        idle("connections.*", None, why),
    )


def framework_names() -> tuple[Name, ...]:
    """Return the names every LSST task has."""
    return (
        idle("saveLogOutput", True, "logs are Python's"),
        idle("connections.*", None, "dataset types are those of the registry"),
    )


def isr_statistics_names(transfer_from: str, overscans_from: str = "kept_overscan.enabled") -> tuple[Name, ...]:
    """Return the names of IsrStatisticsTask, given the rows that keep what its statistics are measured on."""
    row = "isr_statistics"
    return under(
        "isrStats",
        to("doCtiStatistics", False, f"{row}.charge_transfer", transfer_from),
        idle("doApplyGainsForCtiStatistics", True, "deprecated there; gains are applied"),
        to("doBandingStatistics", False, f"{row}.banding", overscans_from),
        to("bandingKernelSize", 3, f"{row}.banding_rows", limit=ODD_OR_ZERO, note="0 is 1 here"),
        to("bandingFractionLow", 0.1, f"{row}.banding_low", limit=FRACTION),
        to("bandingFractionHigh", 0.9, f"{row}.banding_high", limit=FRACTION),
        to("bandingUseHalfDetector", True, f"{row}.banding_half_detector", kind="any", limit=one_of(True, False)),
        to("doProjectionStatistics", False, f"{row}.projections"),
        to("projectionKernelSize", 0, f"{row}.projection_px", limit=ODD_OR_ZERO),
        to("doProjectionFft", False, f"{row}.projection_spectra"),
        to(
            "projectionFftWindow",
            "HAMMING",
            f"{row}.spectrum_window",
            limit=one_of("HAMMING", "HANN", "GAUSSIAN", "NONE"),
        ),
        to("doDivisaderoStatistics", False, f"{row}.divisadero"),
        to("divisaderoEdgePixels", 25, f"{row}.divisadero_edge_px", limit=NOT_NEGATIVE),
        to("divisaderoNumImpactPixels", 2, f"{row}.divisadero_impact_px", limit=AT_LEAST_ONE),
        to("divisaderoProjectionMinimum", 10, f"{row}.divisadero_first_row", limit=NOT_NEGATIVE),
        to("divisaderoProjectionMaximum", 210, f"{row}.divisadero_last_row", limit=POSITIVE),
        to("doCopyCalibDistributionStatistics", False, f"{row}.calibration_distributions"),
        to(
            "expectedDistributionLevels",
            (0.0, 5.0, 16.0, 50.0, 84.0, 95.0, 100.0),
            f"{row}.distribution_percentiles",
        ),
        to("doBiasShiftStatistics", False, f"{row}.bias_shifts", overscans_from),
        to("biasShiftFilterOrder", 5, f"{row}.shift_filter_order", limit=AT_LEAST_ONE),
        to("biasShiftCutoff", 1.0 / 15.0, f"{row}.shift_cutoff", limit=POSITIVE),
        to("biasShiftWindow", 30, f"{row}.shift_window_rows", limit=AT_LEAST_TWO),
        to("biasShiftThreshold", 3.0, f"{row}.shift_threshold", limit=POSITIVE),
        to("biasShiftRowSkip", 30, f"{row}.shift_skip_rows", limit=NOT_NEGATIVE),
        to("biasShiftColumnSkip", 3, f"{row}.shift_skip_columns", limit=NOT_NEGATIVE),
        to("doAmplifierCorrelationStatistics", False, f"{row}.amplifier_correlations", overscans_from),
        to("stat", "MEANCLIP", f"{row}.statistic", limit=one_of("MEANCLIP", "MEDIAN", "MEAN")),
        to("nSigmaClip", 3.0, f"{row}.clip_sigma", limit=POSITIVE),
        to("nIter", 3, f"{row}.clip_iterations", limit=AT_LEAST_ONE),
        idle("badMask", ("BAD", "INTRP", "SAT"), "masks are not used there either", kind="texts"),
    )


def isr_statistics_rules() -> dict[str, Callable[[Values], Any]]:
    """Return the rules for settings of IsrStatisticsTask that are written otherwise here."""
    return {
        "isr_statistics.banding_rows": lambda v: max(1, v["isrStats.bandingKernelSize"]),
        "isr_statistics.banding_half_detector": lambda v: bool(v["isrStats.bandingUseHalfDetector"]),
    }


def wants_overscans(values: Values) -> bool:
    """Tell whether statistics are asked for that are measured on overscans."""
    asked = ("doBandingStatistics", "doBiasShiftStatistics", "doAmplifierCorrelationStatistics")
    return values["doCalculateStatistics"] and any(values[f"isrStats.{name}"] for name in asked)


DETECTION_PLANES = ("BAD", "SAT", "INTRP", "CR", "EDGE", "DETECTED", "DETECTED_NEGATIVE", "SUSPECT", "NO_DATA")


def amp_offset_names(row: str = "amp_offsets") -> tuple[Name, ...]:
    """Return the names of AmpOffsetTask."""
    return under(
        "ampOffset",
        to("ampEdgeInset", 5, f"{row}.edge_inset_px", limit=NOT_NEGATIVE),
        to("ampEdgeWidth", 64, f"{row}.edge_width_px", limit=AT_LEAST_ONE),
        to("ampEdgeMinFrac", 0.5, f"{row}.edge_min_fraction", limit=FRACTION),
        to("ampEdgeMaxOffset", 5.0, f"{row}.edge_max_step", limit=NOT_NEGATIVE),
        to("doWindowSmoothing", True, f"{row}.smooth"),
        to("ampEdgeWindowFrac", 512.0 / 4176.0, f"{row}.window_fraction", limit=FRACTION),
        to("doBackground", True, f"{row}.subtract_background"),
        to("backgroundFractionSample", 1.0, f"{row}.cell_fraction", limit=POSITIVE),
        to("doDetection", True, f"{row}.detect_sources"),
        to("applyWeights", True, f"{row}.weigh"),
        to("doApplyAmpOffset", False, f"{row}.apply"),
        *under("background", *background_names(False, 128, DETECTION_PLANES, f"{row}.ignored_planes")),
        *under("detection", *detection_names(f"{row}.detection_threshold")),
    )


def background_names(use_approx: bool, bin_size_px: int, planes: tuple[str, ...], *ours: str) -> tuple[Name, ...]:
    """Return the names of SubtractBackgroundTask; only the planes may be changed, where there is a setting."""
    why = "this part of the background is fixed"
    ignored = to("ignoredPixelMask", planes, *ours) if ours else refused("ignoredPixelMask", planes, why)
    fixed = {
        "statisticsProperty": "MEANCLIP",
        "undersampleStyle": "REDUCE_INTERP_ORDER",
        "binSize": bin_size_px,
        "binSizeX": 0,
        "binSizeY": 0,
        "algorithm": "AKIMA_SPLINE",
        "isNanSafe": False,
        "useApprox": use_approx,
        "approxOrderX": 6,
        "approxOrderY": -1,
        "weighting": True,
        "doApplyFlatBackgroundRatio": False,
        "doFilterSuperPixels": False,
        "superPixelFilterSize": 3,
    }
    return (ignored, *(refused(name, default, why) for name, default in fixed.items()))


def detection_names(threshold: str) -> tuple[Name, ...]:
    """Return the names of SourceDetectionTask, of which only the threshold may be changed."""
    why = "this part of the detection is fixed"
    fixed = {
        "minPixels": 1,
        "isotropicGrow": True,
        "combinedGrow": True,
        "nSigmaToGrow": 2.4,
        "returnOriginalFootprints": False,
        "includeThresholdMultiplier": 1.0,
        "thresholdType": "stdev",
        "thresholdPolarity": "positive",
        "adjustBackground": 0.0,
        "reEstimateBackground": False,
        "doApplyFlatBackgroundRatio": False,
        "doTempLocalBackground": True,
        "doTempWideBackground": False,
        "nPeaksMaxSimple": 1,
        "nSigmaForKernel": 7.0,
        "statsMask": ("BAD", "SAT", "EDGE", "NO_DATA"),
        "excludeMaskPlanes": (),
    }
    planes = ("BAD", "EDGE", "DETECTED", "DETECTED_NEGATIVE", "NO_DATA")
    return (
        to("thresholdValue", 5.0, threshold, limit=POSITIVE),
        *(refused(name, default, why) for name, default in fixed.items()),
        *under("background", *background_names(True, 128, planes)),
        *under("tempLocalBackground", *background_names(False, 64, planes)),
        *under("tempWideBackground", *background_names(False, 512, ("BAD", "EDGE", "NO_DATA"))),
    )
