"""Linearity and crosstalk."""

from __future__ import annotations

from typing import Any

import numpy as np

from isrflow.calibs.crosstalk import Crosstalk
from isrflow.calibs.linearizer import Linearizer
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.kernels.linearity import correct_by_table
from isrflow.steps.byproducts import BadAmplifiers, EffectivePtc
from isrflow.steps.crosstalk import CrosstalkConfig, subtract_crosstalk
from isrflow.steps.linearity import LinearityConfig, linearize
from tests.vectors.geometry import exposure, planes
from tests.vectors.harness import Outputs, Vector, Where, covers, number_or_none


@covers("Linearizer.applyLinearity(image, detector, gains) type=*")
def linearized(vector: Vector) -> Outputs:
    params, picture = vector.params, exposure(vector)
    coefficients = {name: [number_or_none(c) for c in values] for name, values in params["coeffs"].items()}
    linearizer = Linearizer(
        linearity_type=dict.fromkeys(coefficients, params.get("linearityType", vector.function.rpartition("=")[2])),
        coefficients=coefficients,
        table=next((vector.array(name) for name in vector.arrays if "table" in name.lower()), None),
        units=params.get("linearityUnits", "adu"),
    )
    gains = {name: number_or_none(gain) for name, gain in (params.get("gains") or {}).items()} or None
    found = linearize(picture, LinearityConfig(), linearizer=linearizer, gains=gains)
    counts = {
        "numAmps": found.n_amplifiers,
        "numLinearized": found.n_corrected,
        "numOutOfRange": found.n_outside_table,
    }
    differs = _not_numbers(exposure(vector), linearizer)
    if in_electrons_without_nodes(linearizer, gains):
        differs = dict.fromkeys(("out_image", "numOutOfRange"), "Coefficients in adu and images in electrons")
    return Outputs(scalars=counts, differs=differs, **planes(picture, vector))


def _not_numbers(picture: Exposure, linearizer: Linearizer) -> dict[str, Any]:
    """What coefficients that are not numbers make a difference to, and pixels looked up in a table."""
    kinds, heading = set(linearizer.linearity_type.values()), "Non-linearity coefficients that are not numbers"
    pixels = np.isnan(picture.image) if "LookupTable" in kinds else np.zeros(picture.image.shape, bool)
    first = {amp.name: linearizer.coefficients[amp.name][:2] for amp in picture.detector.amplifiers}
    for amp in picture.detector.amplifiers if "Squared" in kinds else ():
        pixels[amp.box.slices()] |= not np.isfinite(first[amp.name][0])
    if "DoubleSpline" in kinds and not np.isfinite([*first.values()]).all():
        return {"raised": "Double splines of unknown length"}
    names = ("numOutOfRange", "numLinearized") if pixels.any() else ()
    return dict.fromkeys(names, heading) | ({"out_image": Where(heading, pixels)} if names else {})


def in_electrons_without_nodes(linearizer: Linearizer, gains: Any) -> bool:
    """Whether coefficients in adu, and not those of splines, meet an image in electrons."""
    kinds = {kind.upper() for kind in linearizer.linearity_type.values()}
    return bool(gains) and linearizer.units == "adu" and bool(kinds & {"SQUARED", "POLYNOMIAL", "LOOKUPTABLE"})


@covers("lsst.ip.isr.applyLookupTable(ImageF, table, indOffset)")
def looked_up(vector: Vector) -> Outputs:
    image = vector.array("in_image")
    outside = correct_by_table(image, vector.array("in_table"), vector.params["indOffset"])
    return Outputs(scalars={"numOutOfRange": outside}, out_image=image)


def _config(params: dict[str, Any]) -> CrosstalkConfig:
    given = params.get("config") if isinstance(params.get("config"), dict) else {}
    given = {**given, **params.get("kwargs", {})}
    return CrosstalkConfig(
        background=given.get("crosstalkBackgroundMethod", given.get("backgroundMethod", "None")),
        quadratic=given.get("doQuadraticCrosstalkCorrection", given.get("doSqrCrosstalk", False)),
        min_pixel_to_mask=given.get("minPixelToMask", 45000.0),
        mask_subtrahend=given.get("doSubtrahendMasking", False),
        ignore_variance=given.get("ignoreVariance", False),
        full_amplifier=params.get("fullAmplifier", given.get("fullAmplifier", False)),
        plane=given.get("crosstalkMaskPlane", given.get("crosstalkStr", "CROSSTALK")),
    )


def _crosstalk(vector: Vector, coefficients: np.ndarray, **more: Any) -> Crosstalk:
    squares = vector.array("in_coeffsSqr") if "in_coeffsSqr" in vector.arrays else None
    return Crosstalk(coefficients=coefficients, quadratic_coefficients=squares, **more)


def _differs(picture: Exposure, config: CrosstalkConfig) -> dict[str, str]:
    """The planes in which flips, or pixels that are not numbers, make a difference."""
    everything = ("out_image", "out_mask", "out_variance")
    if not picture.is_trimmed and any(amp.raw_flip_x or amp.raw_flip_y for amp in picture.detector.amplifiers):
        return dict.fromkeys(everything, "Crosstalk in raw mosaics whose amplifiers are flipped on assembly")
    bad = (picture.mask & mask_bits("BAD")) != 0
    parts = [amp.box.slices() for amp in picture.detector.amplifiers] if picture.is_trimmed else []
    without_level = (config.background == "AMP" and any(bad[part].all() for part in parts)) or (
        config.background == "DETECTOR" and bad.all()
    )
    if (config.mask_subtrahend and np.isnan(picture.image).any()) or without_level:
        heading = "Crosstalk of pixels that are not numbers"
        return dict.fromkeys(everything, heading)
    return {}


@covers("CrosstalkTask.run(exposure, crosstalk=calib, fullAmplifier)")
def crosstalk(vector: Vector) -> Outputs:
    picture, config = exposure(vector), _config(vector.params)
    differs = _differs(picture, config)
    subtract_crosstalk(picture, config, crosstalk=_crosstalk(vector, vector.array("in_coeffs")))
    return Outputs(differs=differs, **planes(picture, vector))


@covers("CrosstalkCalib.subtractCrosstalk(exposure, crosstalkCoeffs=coeffs, ...)")
def crosstalk_of_some(vector: Vector) -> Outputs:
    picture, given = exposure(vector), vector.params.get("kwargs", {})
    calib = _crosstalk(vector, vector.array("in_coeffs"), valid=given.get("crosstalkCoeffsValid"))
    bad = BadAmplifiers(frozenset(name for name, is_bad in (given.get("badAmpDict") or {}).items() if is_bad))
    config = _config(vector.params)
    differs = _differs(picture, config)
    subtract_crosstalk(picture, config, crosstalk=calib, bad_amplifiers=bad)
    return Outputs(differs=differs, **planes(picture, vector))


@covers("CrosstalkCalib.subtractCrosstalk(exposure, sourceExposure=other)")
def crosstalk_of_another(vector: Vector) -> Outputs:
    picture, other = exposure(vector), exposure(vector, prefix="in_source_")
    matrix = vector.array("in_coeffs")
    calib = _crosstalk(vector, np.zeros_like(matrix), inter_chip={"other": matrix})
    config = _config(vector.params)
    differs = _differs(picture, config) | _differs(other, config)
    subtract_crosstalk(picture, config, crosstalk=calib, sources={"other": other})
    return Outputs(differs=differs, **planes(picture, vector))


@covers("CrosstalkTask.run with unit conversion by gains")
def crosstalk_in_other_units(vector: Vector) -> Outputs:
    params = vector.params
    picture = exposure(vector, unit=params["exposureUnits"])
    fitted = params.get("fitGains", params.get("crosstalkFitGains"))
    more = {"fit_gains": np.array([number_or_none(gain) for gain in fitted], np.float64)} if fitted else {}
    calib = _crosstalk(vector, vector.array("in_coeffs"), units=params["calibUnits"], **more)
    gains = {name: number_or_none(gain) for name, gain in (params.get("gains") or {}).items()}
    config = _config(params)
    differs = _differs(picture, config)
    subtract_crosstalk(picture, config, crosstalk=calib, effective_ptc=EffectivePtc(gains, {}, {}) if gains else None)
    return Outputs(differs=differs, **planes(picture, vector))


@covers("CrosstalkTask(config).run(exposure, crosstalk, crosstalkSources)")
def crosstalk_between_detectors(vector: Vector) -> Outputs:
    params, picture = vector.params, exposure(vector)
    matrices = {name: vector.array(f"in_interChip_{name}") for name in params["interChip_order"]}
    calib = _crosstalk(vector, vector.array("in_coeffs"), inter_chip=matrices, units=params["crosstalkRatiosUnits"])
    sources = {name: _source(vector, name) for name in matrices if f"in_source_{name}_image" in vector.arrays}
    wanted = params["sources"] or []
    if "BAD" in wanted:  # the vectors' name for a source of another size
        small = Exposure(np.zeros((4, 4), np.float32), np.zeros((4, 4), np.int32), np.zeros((4, 4), np.float32))
        sources = dict.fromkeys(matrices, small)
    sources = {name: source for name, source in sources.items() if name in wanted or "BAD" in wanted}
    subtract_crosstalk(picture, _config(params), crosstalk=calib, sources=sources)
    log = {"log": "Wording of messages"}
    return Outputs(scalars={"returned": None}, differs=log, **planes(picture, vector))


def _source(vector: Vector, name: str) -> Exposure:
    return exposure(vector, prefix=f"in_source_{name}_")
