"""Statistics of samples and one-dimensional interpolation."""

from __future__ import annotations

import numpy as np

from isrflow.kernels.interp1d import interpolate
from isrflow.kernels.statistics import describe, usable
from tests.vectors.harness import Outputs, Vector, covers


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


@covers(
    "lsst.afw.math.makeStatistics(MaskedImageF)",
    when=lambda p: p["nanSafe"] and not p["weighted"] and not p["calcErrorFromInputVariance"],
)
def statistics_of_a_masked_image(vector: Vector) -> Outputs:
    exclude = (vector.array("in_mask") & vector.bits(vector.params["andMask"])) != 0
    return Outputs(double=True, scalars=_scalars(vector.array("in_image"), exclude, vector.params))


@covers("lsst.afw.math.makeStatistics(ImageF)", "lsst.afw.math.makeStatistics(ImageI)")
def statistics_of_an_image(vector: Vector) -> Outputs:
    return Outputs(double=True, scalars=_scalars(vector.array("in_image"), None, vector.params))


@covers("lsst.afw.math.makeStatistics(list of double)")
def statistics_of_a_list(vector: Vector) -> Outputs:
    return Outputs(double=True, scalars=_scalars(vector.array("in_values"), None, vector.params))


@covers("lsst.afw.math.makeInterpolate(x, y, style).interpolate(xi)")
def interpolation(vector: Vector) -> Outputs:
    knots, values, points = (vector.array(name) for name in ("in_x", "in_y", "in_xi"))
    return Outputs(double=True, out_yi=interpolate(knots, values, points, vector.params["style"]))
