"""Bias, dark, flat, gains, binned copies, thumbnails and stacks."""

from __future__ import annotations

import numpy as np

from isrflow.calibs.bias import Bias
from isrflow.calibs.dark import Dark
from isrflow.calibs.flat import Flat
from isrflow.calibs.illumination import Illumination
from isrflow.errors import GeometryError
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.frame.matching import match_size
from isrflow.frame.obs import Observation
from isrflow.kernels.arithmetic import divide_by, multiply_by
from isrflow.kernels.combine import StackControl, combine_stack
from isrflow.steps.bias import BiasConfig, subtract_bias
from isrflow.steps.binned import bin_exposure
from isrflow.steps.dark import DarkConfig, subtract_dark
from isrflow.steps.flat import FlatConfig, divide_by_flat
from isrflow.steps.gains import multiply_amplifiers
from isrflow.steps.illumination import IlluminationConfig, correct_illumination
from isrflow.steps.thumbnail import ThumbnailConfig, draw_thumbnail
from tests.vectors.geometry import exposure, planes
from tests.vectors.harness import Outputs, Vector, covers


def _raw_and_calib(vector: Vector, **obs):
    raw = exposure(vector, in_detector=False, prefix="in_raw_", obs=Observation(**obs))
    return raw, exposure(vector, in_detector=False, prefix="in_calib_")


@covers("isrFunctions.biasCorrection(*")
def bias(vector: Vector) -> Outputs:
    raw, calib = _raw_and_calib(vector)
    subtract_bias(raw, BiasConfig(trim_to_fit=vector.params["trimToFit"]), bias=Bias(exposure=calib))
    return Outputs(**planes(raw, vector))


@covers("isrFunctions.darkCorrection(*")
def dark(vector: Vector) -> Outputs:
    params = vector.params
    raw, calib = _raw_and_calib(vector, dark_time_s=params["expScale"])
    calib.obs = Observation(dark_time_s=params["darkScale"])
    config = DarkConfig(trim_to_fit=params["trimToFit"])
    subtract_dark(raw, config, dark=Dark(exposure=calib), invert=params["invert"])
    return Outputs(**planes(raw, vector))


@covers("isrFunctions.flatCorrection(*")
def flat(vector: Vector) -> Outputs:
    params = vector.params
    raw, calib = _raw_and_calib(vector)
    config = FlatConfig(scaling=params["scalingType"], user_scale=params["userScale"], trim_to_fit=params["trimToFit"])
    divide_by_flat(raw, config, flat=Flat(exposure=calib), invert=params["invert"])
    return Outputs(**planes(raw, vector))


@covers("isrFunctions.illuminationCorrection(*")
def illumination(vector: Vector) -> Outputs:
    params = vector.params
    raw, calib = _raw_and_calib(vector, physical_filter="r")
    config = IlluminationConfig(filters=("r",), scale=params["illumScale"], trim_to_fit=params["trimToFit"])
    correct_illumination(raw, config, illumination=Illumination(exposure=calib))
    return Outputs(**planes(raw, vector))


@covers("isrFunctions.trimToMatchCalibBBox(raw, calib)")
def trimmed_to_match(vector: Vector) -> Outputs:
    raw = exposure(vector, in_detector=False)
    width, height = vector.params["calib"]
    calib = Exposure(np.zeros((height, width), np.float32))
    part = match_size(raw, calib, "calibration", trim_to_fit=True)
    box = part.box
    return Outputs(scalars={"bbox": [box.x0, box.y0, box.width, box.height]}, **planes(part, vector))


@covers("isrFunctions.applyGains(*")
def gains(vector: Vector) -> Outputs:
    picture, normalize = exposure(vector), vector.params["normalizeGains"]
    spoiled = normalize and not np.isfinite(picture.image).all()
    multiply_amplifiers(picture, vector.params.get("ptcGains") or None, normalize=normalize)
    found = planes(picture, vector)
    heading = "Amplifiers with pixels that are not numbers, when gains are normalised"
    return Outputs(differs=dict.fromkeys(found if spoiled else (), heading), **found)


@covers("with isrFunctions.gainContext(*")
def gain_context(vector: Vector) -> Outputs:
    picture = exposure(vector)
    there, back = (divide_by, multiply_by) if vector.params.get("invert") else (multiply_by, divide_by)
    given = vector.params.get("gains") or {amp.name: amp.gain_electron_per_adu for amp in picture.detector.amplifiers}
    missing = [amp.name for amp in picture.detector.amplifiers if amp.name not in given]
    if missing:
        raise GeometryError(f"no gain of amplifiers {', '.join(missing)}")
    region = "data" if vector.params.get("isTrimmed", picture.is_trimmed) else "raw"
    apply = vector.params.get("apply", "apply=False" not in vector.function)
    amplifiers = picture.detector.amplifiers if apply else ()
    parts = [(picture.amp(amp, region).image, given[amp.name]) for amp in amplifiers]
    for image, gain in parts:
        there(image, None, gain)
    inside = picture.image.copy()
    for image, gain in parts:
        back(image, None, gain)
    return Outputs(out_inside=inside, out_after=picture.image)


@covers("binImageData(exposure, binFactor)")
def binned(vector: Vector) -> Outputs:
    picture = exposure(vector, in_detector=False)
    return Outputs(**planes(bin_exposure(picture, vector.params["binFactor"]), vector))


@covers("isrQa.makeThumbnail(exposure, isrQaConfig)")
def thumbnail(vector: Vector) -> Outputs:
    params = vector.params
    config = ThumbnailConfig(
        binning=params["thumbnailBinning"],
        low_sigma=params["thumbnailStdev"],
        span=params["thumbnailRange"],
        softening=params["thumbnailQ"],
        saturated_border_px=params["thumbnailSatBorder"],
    )
    return Outputs(out_rgb=draw_thumbnail(exposure(vector, in_detector=False), config))


@covers("lsst.afw.math.statisticsStack(list of MaskedImageF)")
def stack(vector: Vector) -> Outputs:
    params = vector.params
    control = StackControl(
        params["statistic"],
        n_sigma=params["numSigmaClip"],
        n_iterations=params["numIter"],
        exclude_bits=vector.bits(params["andMask"]),
        empty_bits=mask_bits("NO_DATA"),
        error_from_variance=params.get("calcErrorFromInputVariance", False),
    )
    inputs = tuple(vector.array(f"in_{name}") for name in ("image", "mask", "variance"))
    image, mask, variance = combine_stack(inputs, control, weights=params.get("weights"))
    return Outputs(out_image=image, out_mask=mask, out_variance=variance)
