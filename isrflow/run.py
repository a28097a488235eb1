"""The loop over the recipe: bind, time, record, and name the culprit."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from isrflow.calibs.base import Calibration
from isrflow.errors import (
    CalibrationMismatch,
    ConfigError,
    GeometryError,
    MissingCalibrations,
    NotAnExposureError,
    StepError,
)
from isrflow.frame.camera import Camera
from isrflow.frame.exposure import Exposure
from isrflow.frame.history import HistoryEntry
from isrflow.steps.recipe_base import Recipe, Row, is_same
from isrflow.steps.step import ByProduct, StepConfig

Observer = Callable[[str, Exposure], None]
B = TypeVar("B", bound=ByProduct)


@dataclass(slots=True)
class IsrResult:
    """What came out: the corrected exposure and the by-products of the steps."""

    exposure: Exposure
    by_products: dict[type[ByProduct], ByProduct] = field(default_factory=dict)

    def get(self, kind: type[B]) -> B | None:
        """Return the by-product of this type, or None if no enabled step gave one."""
        value = self.by_products.get(kind)
        return value if isinstance(value, kind) else None


def run_isr(
    raw: Exposure,
    calibs: Mapping[str, Calibration],
    config: Recipe,
    *,
    camera: Camera | None = None,
    sources: Mapping[str, Exposure] | None = None,
    overwrite: bool = False,
    on_step: Observer | None = None,
) -> IsrResult:
    """Remove the instrument signature from one exposure of one detector.

    Parameters
    ----------
    raw
        The exposure as read. Its pixels are left alone unless `overwrite`.
    calibs
        Calibration kind to calibration; those no enabled step takes are ignored.
    config
        The recipe: which steps, in which order, with which settings.
    camera
        Bound to steps that ask for it.
    sources
        Detector name to exposure of the same shot, corrected as far as the step that takes them (crosstalk between
        detectors); they are left untouched.
    overwrite
        Work in the memory of `raw` where its dtype allows (a float32 raw then becomes the product).
    on_step
        Called with (step name, exposure) after each step; it must not keep the exposure.

    Returns
    -------
    IsrResult
        The corrected exposure (owned by the caller) and the by-products.

    Raises
    ------
    NotAnExposureError
        If `raw` is not an exposure, or a calibration not of the class of its kind.
    ConfigError
        If `config` is not a recipe.
    GeometryError
        If the raw holds some of its detector's amplifiers only in part.
    MissingCalibrations
        If enabled steps lack calibrations; all are listed, with the ``--without`` that proceeds.
    CalibrationMismatch
        If calibrations belong to another detector or filter; all are listed.
    StepError
        If a step fails; names step, exposure, detector and amplifier, and chains the cause.
    """
    _refuse_other_types(raw, calibs, config)
    _refuse_misfitting(raw)
    _refuse_missing(raw, calibs, config)
    _refuse_mismatched(raw, calibs, config)
    exposure = raw if overwrite or raw.image.dtype != np.float32 else raw.copy()
    if exposure is raw and not overwrite:
        exposure = raw.view(raw.box)  # same pixels, read only by the conversion; own header and history below
        exposure.header, exposure.history = dict(raw.header), list(raw.history)
    result = IsrResult(exposure)
    needs = config.needs(raw.detector, raw.obs.physical_filter)
    supplies = _Supplies({kind: calibs[kind] for kind in needs if kind in calibs}, camera, sources)
    for row, settings in config.enabled_rows():
        started = time.perf_counter()
        _run_step(row, settings, result, supplies)
        exposure.history.append(_entry(row, settings, calibs, time.perf_counter() - started))
        if on_step is not None:
            on_step(row.name, exposure)
    return result


@dataclass(frozen=True, slots=True)
class _Supplies:
    """What steps are given besides the exposure and what earlier steps gave."""

    calibs: Mapping[str, Calibration]
    """Those enabled steps take."""
    camera: Camera | None
    sources: Mapping[str, Exposure] | None


def _run_step(row: Row, settings: StepConfig, result: IsrResult, supplies: _Supplies) -> None:
    signature, exposure = row.signature, result.exposure
    bound: dict[str, Any] = {need.keyword: supplies.calibs.get(need.kind) for need in signature.needs}
    bound |= {keyword: result.by_products.get(kind) for keyword, kind, _ in signature.takes}
    if signature.wants_camera:
        bound["camera"] = supplies.camera
    if signature.wants_sources:
        bound["sources"] = supplies.sources
    if signature.wants_calibs:
        bound["calibs"] = supplies.calibs
    try:
        given = row.step.function(exposure, settings, **bound)
    except Exception as error:
        amplifier = getattr(error, "amplifier_name", None)
        where = exposure.label + (f" amplifier {amplifier}" if amplifier else "")
        raise StepError(
            f"step {row.name} failed on {where}: {type(error).__name__}: {error}",
            step=row.name,
            exposure=exposure.obs.exposure_id,
            detector=exposure.detector.name if exposure.detector else None,
            amplifier=amplifier,
        ) from error
    if given is not None:
        result.by_products[type(given)] = given


def _refuse_other_types(raw: Any, calibs: Any, config: Any) -> None:
    if not isinstance(raw, Exposure):
        raise NotAnExposureError(
            f"an Exposure is needed, not a {type(raw).__name__}",
            fix="isrflow.frame.raw.read_raw reads one; Exposure(image, detector=...) makes one of an array",
        )
    if raw.unit not in ("adu", "electron"):
        raise NotAnExposureError(f"{raw.label}: its unit is {raw.unit!r}, not adu or electron")
    if not isinstance(config, Recipe):
        raise ConfigError(
            f"a recipe is needed, not a {type(config).__name__}",
            fix="IsrConfig.layered(settings) makes one of settings",
        )
    if not isinstance(calibs, Mapping):
        raise NotAnExposureError(f"{raw.label}: calibrations are a mapping by kind, not a {type(calibs).__name__}")
    if wrong := [
        f"{kind} is a {type(each).__name__}"
        for kind, each in calibs.items()
        if not isinstance(each, Calibration) or each.kind != kind
    ]:
        raise NotAnExposureError(
            f"{raw.label}: calibrations are objects of isrflow.calibs, each under its kind, but {', '.join(wrong)}",
            fix="isrflow.calibs.files.read_calibration reads one; IsrTask takes images and exposures as well",
        )


def _refuse_misfitting(raw: Exposure) -> None:
    """Refuse a raw that holds no amplifier, or some in part: its size, or the camera's description, is wrong."""
    if raw.detector is None or raw.is_trimmed:
        return
    cut = [
        f"{amp.name} ({amp.raw.section()})"
        for amp in raw.detector.amplifiers
        if raw.box.overlaps(amp.raw) and not raw.box.contains(amp.raw)
    ]
    if cut or not any(raw.box.contains(amp.raw) for amp in raw.detector.amplifiers):
        held = f"holds amplifiers only in part: {', '.join(cut)}" if cut else "holds none of the amplifiers"
        size = f"{raw.box.width} x {raw.box.height}"
        expected = f"{raw.detector.raw_box.width} x {raw.detector.raw_box.height}"
        raise GeometryError(
            f"{raw.label}: the image of {size} pixels {held}; "
            f"raws of detector {raw.detector.name} have {expected} pixels",
            fix="give the whole raw mosaic, or describe the detector as it was read (another camera or readout mode)",
        )


def _refuse_missing(raw: Exposure, calibs: Mapping[str, Calibration], config: Recipe) -> None:
    needs = config.needs(raw.detector, raw.obs.physical_filter)
    missing = [
        (step, kind)
        for kind, required in needs.items()
        if required and kind not in calibs
        for step in config.needed_by(kind, raw.detector, raw.obs.physical_filter)
    ]
    if missing:
        kinds = ", ".join(dict.fromkeys(kind for _, kind in missing))
        steps = ",".join(dict.fromkeys(step for step, _ in missing))
        raise MissingCalibrations(
            f"{raw.label}: enabled steps lack their calibrations: {kinds}",
            missing=missing,
            fix=f"give them, or proceed without those steps: --without {steps} (in Python, config.without)",
        )


def _refuse_mismatched(raw: Exposure, calibs: Mapping[str, Calibration], config: Recipe) -> None:
    needs = config.needs(raw.detector, raw.obs.physical_filter)
    reasons = [calibs[kind].mismatch(raw) for kind in needs if kind in calibs]
    if any(reasons):
        raise CalibrationMismatch(f"{raw.label}: " + "; ".join(reason for reason in reasons if reason))


def _entry(row: Row, settings: StepConfig, calibs: Mapping[str, Calibration], seconds: float) -> HistoryEntry:
    default = row.config_type()
    changed = {
        key: value
        for key, value in settings.model_dump(exclude={"enabled"}).items()
        if not is_same(value, getattr(default, key))
    }
    used = {need.kind: calibs[need.kind].info.identity for need in row.signature.needs if need.kind in calibs}
    return HistoryEntry(row.name, seconds, changed, used)
