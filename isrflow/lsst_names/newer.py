"""The names of IsrTaskLSSTConfig, in the order in which it declares them, and what becomes of them here."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from isrflow.lsst_names.names import (
    ABOVE_ONE,
    AT_LEAST_ONE,
    NOT_NEGATIVE,
    Name,
    Values,
    idle,
    one_of,
    to,
    under,
)
from isrflow.lsst_names.overscan_rules import CAMERA, camera_rules, wrong_rules
from isrflow.lsst_names.shared import (
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
CHECKED_ROWS = ("full_amplifiers", "saturation", "overscan_level", "amplifier_noise")
LEVELS = ("NONE", "CAMERAMODEL", "PTCTURNOFF")
COULTON, CONSERVING = "COULTON18", "COULTON18_FLUX_CONSERVING"
ASTIER, BY_FILTER = "ASTIER23", "+FILTERCORRECTION"
METHODS = (COULTON, CONSERVING, ASTIER, ASTIER + BY_FILTER)
BRIGHTER_FATTER = ("brighter_fatter", "electrostatic")
QA = under(
    "qa",
    idle("saveStats", True, "statistics are always noted", kind="bool"),
    *under(
        "flatness",
        idle("meshX", 256, NO_EFFECT),
        idle("meshY", 256, NO_EFFECT),
        idle("doClip", True, NO_EFFECT),
        idle("clipSigma", 3.0, NO_EFFECT),
        idle("nIter", 3, NO_EFFECT),
    ),
    idle("doWriteOss", False, NO_EFFECT),
    idle("doThumbnailOss", False, NO_EFFECT),
    idle("doWriteFlattened", False, NO_EFFECT),
    idle("doThumbnailFlattened", False, NO_EFFECT),
    idle("thumbnailBinning", 4, NO_EFFECT),
    idle("thumbnailStdev", 3.0, NO_EFFECT),
    idle("thumbnailRange", 5.0, NO_EFFECT),
    idle("thumbnailQ", 20.0, NO_EFFECT),
    idle("thumbnailSatBorder", 2, NO_EFFECT),
)

NAMES: tuple[Name, ...] = (
    *framework_names(),
    idle("expectWcs", True, "an exposure without sky coordinates is not warned of", kind="bool"),
    *QA,
    idle("doHeaderProvenance", True, "the headers of products always say what made them", kind="bool"),
    to("doRaiseOnCalibMismatch", False, "comparison.refuse", *everywhere(BRIGHTER_FATTER, "refuse_other_gains")),
    to("cameraKeywordsToCompare", (), "comparison.cards"),
    idle("doDiffNonLinearCorrection", False, "a place kept free there: nothing is done", kind="bool"),
    to("doBootstrap", False, "gain_source.bootstrap"),
    to(
        "doCheckUnprocessableData",
        True,
        "bias_voltage.enabled",
        *(f"{row}.refuse_all_bad" for row in CHECKED_ROWS),
    ),
    *CAMERA,
    to(
        "serialOverscanMedianShiftSigmaThreshold",
        math.inf,
        "overscan_level.enabled",
        "overscan_level.threshold_sigma",
        note="off if it is infinite",
    ),
    to(
        "ampNoiseThreshold",
        25.0,
        "amplifier_noise.enabled",
        "amplifier_noise.threshold_electron",
        note="off if it is infinite",
    ),
    to("bssVoltageMinimum", 5.0, "bias_voltage.minimum_v"),
    to("bssVoltageKeyword", "BSSVBS", "bias_voltage.voltage_card"),
    to("hvBiasKeyword", "HVBIAS", "bias_voltage.supply_card"),
    to("doAssembleCcd", True, "assembly.enabled"),
    *assembly_names(),
    to("doBias", True, "bias.enabled"),
    to("doDeferredCharge", True, "deferred_charge.enabled"),
    *deferred_charge_names(),
    to("doLinearize", True, "linearity.enabled"),
    to("doCorrectGains", True, "gain_correction.enabled"),
    to("doApplyGains", True, "electrons.enabled", "full_amplifiers.without_gain", "comparison.unit"),
    to("useGainsFrom", "PTC", "gain_source.source", limit=one_of("PTC", "LINEARIZER")),
    to("doVariance", True, "variance.enabled"),
    to("maskNegativeVariance", True, "variance.mask_nonpositive"),
    to("negativeVarianceMaskName", "BAD", "variance.plane"),
    to("doSaturation", True, "saturation.mask_saturated"),
    to("saturatedMaskName", "SAT", "saturation.plane", "statistics.saturated_plane"),
    to("defaultSaturationSource", "PTCTURNOFF", "saturation.source", limit=one_of(*LEVELS)),
    to("doSuspect", True, "saturation.mask_suspect"),
    to("suspectMaskName", "SUSPECT", "saturation.suspect_plane"),
    to("defaultSuspectSource", "PTCTURNOFF", "saturation.suspect_source", limit=one_of(*LEVELS)),
    to("doCrosstalk", True, "crosstalk.enabled"),
    *crosstalk_names("crosstalk"),
    to("doITLDipMask", True, "itl_dip.enabled"),
    to("itlDipMaskPlanes", ("SUSPECT", "ITL_DIP"), "itl_dip.planes"),
    to("doDefect", True, "defects.enabled"),
    to("badAmps", (), "defects.bad_amplifiers"),
    to("doNanMasking", True, "nonfinite.enabled"),
    to("doWidenSaturationTrails", False, "trails.enabled"),
    idle("masking.doSpecificMasking", False, NO_EFFECT, kind="bool"),
    to("doE2VEdgeBleedMask", True, "e2v_edge_bleed.enabled"),
    to("e2vEdgeBleedSatMinArea", 10000, "e2v_edge_bleed.min_area_px"),
    to("e2vEdgeBleedSatMaxArea", 100000, "e2v_edge_bleed.max_area_px"),
    to("e2vEdgeBleedYMax", 350, "e2v_edge_bleed.height_px"),
    to("doITLEdgeBleedMask", True, "itl_saturation.mask_edge_bleed", "itl_saturation.enabled"),
    to("doITLSatSagMask", True, "itl_saturation.mask_sag", "itl_saturation.enabled"),
    to("itlEdgeBleedSatMinArea", 10000, "itl_saturation.min_area_px"),
    to("itlEdgeBleedSatMaxArea", 100000, "itl_saturation.max_area_px"),
    to("itlEdgeBleedThreshold", 5000.0, "itl_saturation.threshold"),
    to("itlEdgeBleedModelConstant", 0.02, "itl_saturation.decay_per_row"),
    to("doInterpolate", True, "interpolation.enabled"),
    to("maskListToInterpolate", ("SAT", "BAD", "UNMASKEDNAN"), "interpolation.planes"),
    to("doSaveInterpPixels", False, "before_interpolation.enabled"),
    to("useLegacyInterp", True, "interpolation.method", note="row, else gaussian_process"),
    to("doAmpOffset", False, "amp_offsets.enabled"),
    *amp_offset_names(),
    to("doSetBadRegions", True, "bad_regions.enabled"),
    to("doBrighterFatter", True, "brighter_fatter.enabled", "electrostatic.enabled"),
    to(
        "brighterFatterCorrectionMethod",
        COULTON,
        "brighter_fatter.enabled",
        "brighter_fatter.flux_conserving",
        "electrostatic.enabled",
        "electrostatic.by_filter",
        limit=one_of(*METHODS),
    ),
    idle("brighterFatterLevel", "DETECTOR", NO_EFFECT),
    to("brighterFatterMaxIter", 10, "brighter_fatter.max_iterations", limit=AT_LEAST_ONE),
    to("brighterFatterThreshold", 1000.0, "brighter_fatter.threshold_electron"),
    to(
        "brighterFatterMaskListToInterpolate",
        ("SAT", "BAD", "NO_DATA", "UNMASKEDNAN"),
        *everywhere(BRIGHTER_FATTER, "planes"),
    ),
    to("brighterFatterMaskGrowSize", 2, *everywhere(BRIGHTER_FATTER, "grow_px"), limit=NOT_NEGATIVE),
    idle("brighterFatterFwhmForInterpolation", 1.0, NO_EFFECT, kind="float"),
    to(
        "growSaturationFootprintSize",
        1,
        "interpolation.grow_saturated_px",
        *everywhere(BRIGHTER_FATTER, "grow_saturated_px"),
        limit=NOT_NEGATIVE,
        note="only the plane SAT is grown",
    ),
    to("doDark", True, "dark.enabled"),
    to("doFlat", True, "flat.enabled"),
    to("flatScalingType", "USER", "flat.scaling", limit=one_of("USER", "MEAN", "MEDIAN")),
    to("flatUserScale", 1.0, "flat.user_scale"),
    to("noDataVariance", 1e10, "flat.no_data_variance"),
    to("doStandardStatistics", True, "statistics.enabled"),
    to("doCalculateStatistics", True, "isr_statistics.enabled", "kept_overscan.enabled", "untrimmed.enabled"),
    *isr_statistics_names("untrimmed.enabled"),
    to("doBinnedExposures", False, "binned.enabled"),
    *binning_names(),
    to("binFactor1", 8, "binned.factor1", limit=ABOVE_ONE),
    to("binFactor2", 64, "binned.factor2", limit=ABOVE_ONE),
)

RULES: Mapping[str, Callable[[Values], Any]] = {
    **camera_rules(),
    "overscan_level.enabled": lambda v: math.isfinite(v["serialOverscanMedianShiftSigmaThreshold"]),
    "overscan_level.threshold_sigma": lambda v: _finite(v["serialOverscanMedianShiftSigmaThreshold"], 5.0),
    "amplifier_noise.enabled": lambda v: math.isfinite(v["ampNoiseThreshold"]),
    "amplifier_noise.threshold_electron": lambda v: _finite(v["ampNoiseThreshold"], 25.0),
    "comparison.unit": lambda v: "electron" if v["doApplyGains"] else "adu",
    "itl_saturation.enabled": lambda v: v["doITLEdgeBleedMask"] or v["doITLSatSagMask"],
    "kept_overscan.enabled": wants_overscans,
    "untrimmed.enabled": lambda v: v["doCalculateStatistics"] and v["isrStats.doCtiStatistics"],
    **isr_statistics_rules(),
    "interpolation.method": lambda v: "row" if v["useLegacyInterp"] else "gaussian_process",
    "brighter_fatter.enabled": lambda v: v["doBrighterFatter"] and _method(v).startswith(COULTON),
    "brighter_fatter.flux_conserving": lambda v: _method(v) == CONSERVING,
    "electrostatic.enabled": lambda v: v["doBrighterFatter"] and _method(v).startswith(ASTIER),
    "electrostatic.by_filter": lambda v: _method(v).endswith(BY_FILTER),
}


def _finite(value: float, otherwise: float) -> float:
    """Return a threshold of a check that is on; of one that is off, ours."""
    return value if math.isfinite(value) else otherwise


def _method(values: Values) -> str:
    return str(values["brighterFatterCorrectionMethod"])


NEWER = NameTable("IsrTaskLSSTConfig", NAMES, RULES, (wrong_rules,))
"""IsrTaskLSSTConfig -> IsrLsstConfig."""
