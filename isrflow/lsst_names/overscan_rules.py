"""The names of OverscanCameraConfig: settings that differ by detector and amplifier, made into exceptions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from isrflow.lsst_names.names import NOT_NEGATIVE, ODD, POSITIVE, Name, Values, idle, one_of, plain, same, to, under
from isrflow.lsst_names.shared import OVERSCAN_FITS

ROWS_BY_AMPLIFIER = ("overscan_serial", "overscan_parallel", "saturation", "gain_source")
ROWS_BY_DETECTOR = ("dither", "itl_dip")
DEFAULT = "overscanCamera.defaultDetectorConfig"
RULES_OF_DETECTORS, RULES_OF_AMPLIFIERS = "overscanCamera.detectorRules", f"{DEFAULT}.ampRules"
KEYS = {"NAME": "name", "SERIAL": "serial", "ID": "id"}


def _fit_names(row: str, max_deviation: float, two_sided: bool) -> tuple[Name, ...]:
    return (
        to("fitType", "MEDIAN_PER_ROW", f"{row}.fit_type", limit=one_of(*OVERSCAN_FITS)),
        to("order", 1, f"{row}.order", limit=NOT_NEGATIVE),
        to("numSigmaClip", 3.0, f"{row}.clip_sigma", limit=POSITIVE),
        to("maskPlanes", ("BAD", "SAT"), f"{row}.ignored_planes"),
        to("overscanIsInt", False, f"{row}.as_integers"),
        to("maxDeviation", max_deviation, f"{row}.max_deviation_adu", limit=POSITIVE),
        to("doAbsoluteMaxDeviation", two_sided, f"{row}.two_sided_deviation"),
        to("leadingToSkip", 3, f"{row}.skip_leading", limit=NOT_NEGATIVE),
        to("trailingToSkip", 3, f"{row}.skip_trailing", limit=NOT_NEGATIVE),
    )


_PARALLEL = "overscan_parallel"
AMPLIFIER: tuple[Name, ...] = (
    to("doSerialOverscan", True, "overscan_serial.use", "overscan_serial.enabled"),
    *under("serialOverscanConfig", *_fit_names("overscan_serial", 1000.0, True)),
    idle("doParallelOverscanCrosstalk", True, "deprecated there, without effect", kind="bool"),
    to("doParallelOverscan", True, f"{_PARALLEL}.use", f"{_PARALLEL}.enabled"),
    *under(
        "parallelOverscanConfig",
        *_fit_names(_PARALLEL, 100.0, False),
        to("doParallelOverscanSaturation", True, f"{_PARALLEL}.mask_saturated"),
        to("parallelOverscanSaturationLevel", 20000.0, f"{_PARALLEL}.saturation_level_adu"),
        to("parallelOverscanSaturationLevelAdjustmentFactor", 0.75, f"{_PARALLEL}.saturation_factor"),
        to("parallelOverscanMaskGrowSize", 7, f"{_PARALLEL}.grow_saturated_px", limit=NOT_NEGATIVE),
        to("parallelOverscanMaskedColumnGrowSize", 2, f"{_PARALLEL}.grow_bad_columns_px", limit=NOT_NEGATIVE),
        to("parallelOverscanFraction", 0.5, f"{_PARALLEL}.flood_fraction"),
        to("parallelOverscanImageThreshold", 10000.0, f"{_PARALLEL}.flood_level"),
        to("doMedianSmoothingOutlierRejection", True, f"{_PARALLEL}.reject_bright_columns"),
        to("medianSmoothingKernel", 5, f"{_PARALLEL}.smoothing_columns", limit=ODD),
        to("medianSmoothingOutlierThreshold", 5.0, f"{_PARALLEL}.smoothing_threshold_adu", limit=POSITIVE),
    ),
    to("saturation", math.nan, "saturation.level_adu"),
    to("suspectLevel", math.nan, "saturation.suspect_level_adu"),
    to("gain", math.nan, "gain_source.gain_electron_per_adu"),
)
"""OverscanAmpConfig."""

DETECTOR: tuple[Name, ...] = (
    to("integerDitherMode", "SYMMETRIC", "dither.mode", limit=one_of("SYMMETRIC", "POSITIVE", "NEGATIVE", "NONE")),
    to("itlDipMinHeight", 50, "itl_dip.min_height_px"),
    to("itlDipMinWidth", 15, "itl_dip.min_width_px"),
    to("itlDipMaxWidth", 50, "itl_dip.max_width_px"),
    to("itlDipWidthScale", 1.5, "itl_dip.width_scale"),
    to("itlDipBackgroundFraction", 0.0, "itl_dip.background_fraction"),
    to("itlDipMinBackgroundNoiseFraction", 0.5, "itl_dip.min_background_noise_fraction"),
    to("itlDipMaxColsPerImage", 500, "itl_dip.max_columns"),
)
"""OverscanDetectorConfig, its amplifiers apart."""


def _exceptions_of(rows: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{row}.exceptions" for row in rows)


CAMERA: tuple[Name, ...] = under(
    "overscanCamera",
    to("detectorRules", {}, *_exceptions_of(ROWS_BY_AMPLIFIER + ROWS_BY_DETECTOR), kind="mapping"),
    *under(
        "defaultDetectorConfig",
        to("ampRules", {}, *_exceptions_of(ROWS_BY_AMPLIFIER), kind="mapping"),
        *under("defaultAmpConfig", *AMPLIFIER),
        *DETECTOR,
    ),
    to(
        "detectorRuleKeyType",
        "NAME",
        *(f"{row}.detector_key" for row in ROWS_BY_AMPLIFIER + ROWS_BY_DETECTOR),
        limit=one_of(*KEYS),
    ),
)
"""OverscanCameraConfig. A rule is a whole configuration: what it leaves out has LSST's default."""


def camera_rules() -> dict[str, Callable[[Values], Any]]:
    """Return how settings of ours follow from the rules."""
    rules: dict[str, Callable[[Values], Any]] = {
        "overscan_serial.enabled": lambda v: _anywhere(v, "overscan_serial"),
        "overscan_parallel.enabled": lambda v: _anywhere(v, "overscan_parallel"),
    }
    for row in ROWS_BY_AMPLIFIER + ROWS_BY_DETECTOR:
        rules[f"{row}.exceptions"] = partial(exceptions, row=row)
        rules[f"{row}.detector_key"] = lambda v: KEYS[v["overscanCamera.detectorRuleKeyType"]]
    return rules


def wrong_rules(values: Values) -> str | None:
    """Say what is wrong inside the rules, or None."""
    problems = []
    for where, names, rule in _rules(values):
        flat = dict(_flatten(rule))
        known = {name.lsst: name for name in names}
        problems += [f"there is no {where}.{name}" for name in flat if name not in known]
        found = (known[name].problem(value) for name, value in flat.items() if name in known)
        problems += [f"{where}.{problem}" for problem in found if problem]
    return "; ".join(problems) or None


def exceptions(values: Values, row: str) -> dict[str, dict[str, Any]]:
    """Return the exceptions of a row: what each rule says otherwise than what it would get without."""
    usual = _of_default(values, row)
    found = {
        f"*/{amp}": _changed(_settings(AMPLIFIER, rule, row), usual)
        for amp, rule in values[RULES_OF_AMPLIFIERS].items()
    }
    ruled = {setting for settings in found.values() for setting in settings}
    for key, rule in values[RULES_OF_DETECTORS].items():
        own = _settings(AMPLIFIER, rule.get("defaultAmpConfig", {}), row) | _settings(DETECTOR, rule, row)
        # A detector with a rule of its own follows none of the amplifiers of all detectors.
        found[str(key)] = _changed(own, usual) | {name: own[name] for name in ruled}
        for amp, amp_rule in rule.get("ampRules", {}).items():
            found[f"{key}/{amp}"] = _changed(_settings(AMPLIFIER, amp_rule, row), own)
    return {place: settings for place, settings in found.items() if settings}


def _anywhere(values: Values, row: str) -> bool:
    """Tell whether any rule, the default one among them, switches a row on."""
    amp_rules = [rule for _, names, rule in _rules(values) if names is AMPLIFIER]
    return bool(_of_default(values, row)["use"]) or any(_settings(AMPLIFIER, rule, row)["use"] for rule in amp_rules)


def _rules(values: Values) -> Iterator[tuple[str, tuple[Name, ...], Mapping[str, Any]]]:
    """Yield every rule: where it stands, the names it may have, and itself."""
    for amp, rule in values[RULES_OF_AMPLIFIERS].items():
        yield f"{RULES_OF_AMPLIFIERS}[{amp}]", AMPLIFIER, rule
    for key, rule in values[RULES_OF_DETECTORS].items():
        where = f"{RULES_OF_DETECTORS}[{key}]"
        of_detector = {name: value for name, value in rule.items() if name not in ("defaultAmpConfig", "ampRules")}
        yield where, DETECTOR, of_detector
        yield f"{where}.defaultAmpConfig", AMPLIFIER, rule.get("defaultAmpConfig", {})
        for amp, amp_rule in rule.get("ampRules", {}).items():
            yield f"{where}.ampRules[{amp}]", AMPLIFIER, amp_rule


def _of_default(values: Values, row: str) -> dict[str, Any]:
    named = [(name, f"{DEFAULT}.defaultAmpConfig.{name.lsst}") for name in AMPLIFIER]
    named += [(name, f"{DEFAULT}.{name.lsst}") for name in DETECTOR]
    return {setting: values[where] for name, where in named for setting in _in_row(name, row)}


def _settings(names: tuple[Name, ...], rule: Mapping[str, Any], row: str) -> dict[str, Any]:
    """Return all settings of a row under a rule."""
    flat = dict(_flatten(rule))
    return {setting: flat.get(name.lsst, name.default) for name in names for setting in _in_row(name, row)}


def _in_row(name: Name, row: str) -> list[str]:
    settings = [ours.partition(".")[2] for ours in name.ours if ours.startswith(f"{row}.")]
    return [setting for setting in settings if setting != "enabled"]  # that is the row's, as a whole


def _changed(settings: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if not same(value, usual[name])}


def _flatten(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", plain(value)
