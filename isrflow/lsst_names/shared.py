"""Names of subtasks that both tasks have, for the rows of the recipe they go to."""

from __future__ import annotations

from isrflow.lsst_names.names import AT_LEAST_ONE, FRACTION, ODD_OR_ZERO, Name, idle, one_of, refused, to, under

NOT_YET = "not built yet"


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


def isr_statistics_names() -> tuple[Name, ...]:
    """Return the names of IsrStatisticsTask."""
    return under(
        "isrStats",
        refused("doCtiStatistics", False, NOT_YET),
        idle("doApplyGainsForCtiStatistics", True, "deprecated there; gains are applied"),
        refused("doBandingStatistics", False, NOT_YET),
        to("bandingKernelSize", 3, limit=ODD_OR_ZERO),
        to("bandingFractionLow", 0.1, limit=FRACTION),
        to("bandingFractionHigh", 0.9, limit=FRACTION),
        to("bandingUseHalfDetector", True, kind="any"),
        refused("doProjectionStatistics", False, NOT_YET),
        to("projectionKernelSize", 0, limit=ODD_OR_ZERO),
        to("doProjectionFft", False),
        to("projectionFftWindow", "HAMMING", limit=one_of("HAMMING", "HANN", "GAUSSIAN", "NONE")),
        refused("doDivisaderoStatistics", False, NOT_YET),
        to("divisaderoEdgePixels", 25),
        to("divisaderoNumImpactPixels", 2),
        to("divisaderoProjectionMinimum", 10),
        to("divisaderoProjectionMaximum", 210),
        refused("doCopyCalibDistributionStatistics", False, NOT_YET),
        to("expectedDistributionLevels", (0.0, 5.0, 16.0, 50.0, 84.0, 95.0, 100.0)),
        refused("doBiasShiftStatistics", False, NOT_YET),
        to("biasShiftFilterOrder", 5),
        to("biasShiftCutoff", 1.0 / 15.0),
        to("biasShiftWindow", 30),
        to("biasShiftThreshold", 3.0),
        to("biasShiftRowSkip", 30),
        to("biasShiftColumnSkip", 3),
        refused("doAmplifierCorrelationStatistics", False, NOT_YET),
        to("stat", "MEANCLIP"),
        to("nSigmaClip", 3.0),
        to("nIter", 3),
        to("badMask", ("BAD", "INTRP", "SAT")),
    )


def amp_offset_names() -> tuple[Name, ...]:
    """Return the names of AmpOffsetTask."""
    return under(
        "ampOffset",
        to("ampEdgeInset", 5),
        to("ampEdgeWidth", 64),
        to("ampEdgeMinFrac", 0.5),
        to("ampEdgeMaxOffset", 5.0),
        to("doWindowSmoothing", True),
        to("ampEdgeWindowFrac", 512.0 / 4176.0, limit=FRACTION),
        to("doBackground", True),
        to("backgroundFractionSample", 1.0),
        to("doDetection", True),
        to("applyWeights", True),
        refused("doApplyAmpOffset", False, NOT_YET),
        *under("background", *background_names(False, 128, DETECTION_PLANES)),
        *under("detection", *detection_names()),
    )


DETECTION_PLANES = (
    "BAD",
    "SAT",
    "INTRP",
    "CR",
    "EDGE",
    "DETECTED",
    "DETECTED_NEGATIVE",
    "SUSPECT",
    "NO_DATA",
)


def background_names(use_approx: bool, bin_size_px: int, planes: tuple[str, ...]) -> tuple[Name, ...]:
    """Return the names of SubtractBackgroundTask, none of which may be changed."""
    why = "this part of the background is fixed"
    fixed = {
        "statisticsProperty": "MEANCLIP",
        "undersampleStyle": "REDUCE_INTERP_ORDER",
        "binSize": bin_size_px,
        "binSizeX": 0,
        "binSizeY": 0,
        "algorithm": "AKIMA_SPLINE",
        "ignoredPixelMask": planes,
        "isNanSafe": False,
        "useApprox": use_approx,
        "approxOrderX": 6,
        "approxOrderY": -1,
        "weighting": True,
        "doApplyFlatBackgroundRatio": False,
        "doFilterSuperPixels": False,
        "superPixelFilterSize": 3,
    }
    return tuple(refused(name, default, why) for name, default in fixed.items())


def detection_names() -> tuple[Name, ...]:
    """Return the names of SourceDetectionTask, none of which may be changed."""
    why = "this part of the detection is fixed"
    fixed = {
        "minPixels": 1,
        "isotropicGrow": True,
        "combinedGrow": True,
        "nSigmaToGrow": 2.4,
        "returnOriginalFootprints": False,
        "thresholdValue": 5.0,
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
        *(refused(name, default, why) for name, default in fixed.items()),
        *under("background", *background_names(True, 128, planes)),
        *under("tempLocalBackground", *background_names(False, 64, planes)),
        *under("tempWideBackground", *background_names(False, 512, ("BAD", "EDGE", "NO_DATA"))),
    )
