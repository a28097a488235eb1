"""Statistics of samples and one-dimensional interpolation."""

from __future__ import annotations

import numpy as np

from isrflow.kernels.interp1d import interpolate
from isrflow.kernels.statistics import Clipped, clip, describe, usable
from isrflow.kernels.weighted import WeightedMoments, WeightedStatistics, describe_weighted
from tests.vectors.harness import Outputs, Vector, covers

EQUAL = "The deviation of equal values"
NOT_SAFE = "Values that are not numbers where nobody looks for them"
EXTREMES = "Smallest and largest of a weighted sample"


def _scalars(values: np.ndarray, exclude: np.ndarray | None, params: dict) -> dict[str, float]:
    found = describe(values, exclude=exclude, n_sigma=params["numSigmaClip"], n_iterations=params["numIter"])
    sample = usable(values, exclude)
    return {
        "NPOINT": found.n,
        "NMASKED": found.n_rejected,
        "NCLIPPED": 0.0,  # asked for alone, so nothing had been clipped
        "MEAN": found.mean,
        "STDEV": found.stdev,
        "VARIANCE": found.variance,
        "MEDIAN": found.median,
        "IQRANGE": found.iqr,
        "MEANCLIP": found.clipped.mean,
        "STDEVCLIP": found.clipped.stdev,
        "VARIANCECLIP": found.clipped.variance,
        "MIN": sample.min() if sample.size else np.nan,
        "MAX": sample.max() if sample.size else np.nan,
        "SUM": found.sum,
        "MEANSQUARE": found.mean_square,
        "MEAN_ERROR": found.mean_error,
        "MEDIAN_ERROR": found.median_error,
        "MEANCLIP_ERROR": found.clipped.mean_error,
        "STDEVCLIP_ERROR": found.clipped.stdev_error,
    }


def _equal_of(values: np.ndarray, exclude: np.ndarray | None, params: dict) -> dict[str, str]:
    return _equal(clip(values, exclude=exclude, n_sigma=params["numSigmaClip"], n_iterations=params["numIter"]))


def _equal(clipped: Clipped | WeightedMoments) -> dict[str, str]:
    """What a sample differs in whose kept values are equal but for rounding."""
    equal = clipped.n > 1 and clipped.variance <= (1e-12 * clipped.mean) ** 2
    return dict.fromkeys(("STDEVCLIP", "STDEVCLIP_ERROR", "MEANCLIP_ERROR") if equal else (), EQUAL)


@covers("lsst.afw.math.makeStatistics(MaskedImageF)", when=lambda params: not params.get("weighted"))
def statistics_of_a_masked_image(vector: Vector) -> Outputs:
    params, image, variance = vector.params, vector.array("in_image"), vector.array("in_variance")
    exclude = (vector.array("in_mask") & vector.bits(params.get("andMask", []))) != 0
    scalars = _scalars(image, exclude, params)
    if params.get("calcErrorFromInputVariance"):
        found = _weighted(vector, np.ones(image.shape), variance)
        scalars |= {"MEAN_ERROR": found.whole.mean_error, "MEANCLIP_ERROR": found.clipped.mean_error}
    unsafe = not params.get("nanSafe", True) and not np.isfinite(image[~exclude]).all()
    differs = _equal_of(image, exclude, params) | (dict.fromkeys(scalars, NOT_SAFE) if unsafe else {})
    return Outputs(double=True, scalars=scalars, differs=differs)


def _weighted(vector: Vector, weights: np.ndarray, variance: np.ndarray | None) -> WeightedStatistics:
    params = vector.params
    return describe_weighted(
        vector.array("in_image"),
        weights,
        variance=variance,
        exclude=(vector.array("in_mask") & vector.bits(params.get("andMask", []))) != 0,
        n_sigma=params["numSigmaClip"],
        n_iterations=params["numIter"],
    )


@covers(
    "lsst.afw.math.makeStatistics(MaskedImageF)",
    "lsst.afw.math.makeStatistics(MaskedImageF), weighted by 1/variance",
    when=lambda params: bool(params.get("weighted")),
)
def statistics_weighted_by_variance(vector: Vector) -> Outputs:
    variance = vector.array("in_variance").astype(np.float64)
    weights = np.divide(1.0, variance, out=np.zeros_like(variance), where=variance > 0)
    found = _weighted(vector, weights, variance if vector.params.get("calcErrorFromInputVariance") else None)
    whole, clipped, seed = found.whole, found.clipped, found.sum / max(found.n, 1)
    differs = _equal(clipped) | ({"MIN": EXTREMES} if seed < found.minimum else {})
    scalars = {
        "NPOINT": found.n,
        "NMASKED": found.n_rejected,
        "NCLIPPED": 0.0,  # asked for alone, so nothing had been clipped
        "MEAN": whole.mean,
        "STDEV": whole.stdev,
        "VARIANCE": whole.variance,
        "MEDIAN": found.median,
        "IQRANGE": found.q75 - found.q25,
        "MEANCLIP": clipped.mean,
        "STDEVCLIP": clipped.stdev,
        "VARIANCECLIP": clipped.variance,
        "MIN": found.minimum,
        "MAX": found.maximum,
        "SUM": found.sum,
        "MEANSQUARE": found.mean_square,
        "MEAN_ERROR": whole.mean_error,
        "MEDIAN_ERROR": found.median_error,
        "MEANCLIP_ERROR": clipped.mean_error,
        "STDEVCLIP_ERROR": Clipped(clipped.mean, clipped.variance, clipped.n).stdev_error,
    }
    return Outputs(double=True, scalars=scalars, differs=differs | ({"MAX": EXTREMES} if seed > found.maximum else {}))


@covers("lsst.afw.math.makeStatistics(ImageF)", "lsst.afw.math.makeStatistics(ImageI)")
def statistics_of_an_image(vector: Vector) -> Outputs:
    image, params = vector.array("in_image"), vector.params
    return Outputs(double=True, scalars=_scalars(image, None, params), differs=_equal_of(image, None, params))


@covers("lsst.afw.math.makeStatistics(list of double)")
def statistics_of_a_list(vector: Vector) -> Outputs:
    values, params = vector.array("in_values"), vector.params
    return Outputs(double=True, scalars=_scalars(values, None, params), differs=_equal_of(values, None, params))


@covers("lsst.afw.math.makeInterpolate(x, y, style).interpolate(xi)")
def interpolation(vector: Vector) -> Outputs:
    knots, values, points = (vector.array(name) for name in ("in_x", "in_y", "in_xi"))
    return Outputs(double=True, out_yi=interpolate(knots, values, points, vector.params["style"]))
