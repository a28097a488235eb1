"""Calibrations that are not applied to pixels: curves, gradients, photodiodes, shutters, and boxes of defects."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from isrflow.calibs.defects import Defects
from isrflow.calibs.flat_gradient import FlatGradient
from isrflow.calibs.photodiode import Photodiode
from isrflow.calibs.ptc import PhotonTransferCurve
from isrflow.calibs.shutter_header import ShutterMotions, motion_of_header
from isrflow.calibs.shutter_motion import ShutterFit, ShutterMotion
from isrflow.frame.box import Box
from isrflow.frame.exposure import Exposure
from tests.vectors.harness import KINDS_OF_ERROR, Outputs, Vector, covers, number_or_none

_GRADIENT = {
    "itl_ratio": "itlRatio",
    "centroid_x_mm": "centroidX",
    "centroid_y_mm": "centroidY",
    "centroid_delta_x_mm": "centroidDeltaX",
    "centroid_delta_y_mm": "centroidDeltaY",
    "gradient_x_per_mm": "gradientX",
    "gradient_y_per_mm": "gradientY",
    "normalization_factor": "normalizationFactor",
}


def tried(wanted: Any, call: Callable[[], Any]) -> dict[str, Any]:
    """Return what a call returned or raised, in the words of the manifest; errors are judged by their kind."""
    import builtins

    try:
        return {"returned": call()}
    except Exception as error:
        expected = wanted.get("raised", "") if isinstance(wanted, dict) else ""
        kind = KINDS_OF_ERROR.get(expected) or getattr(builtins, expected, None)
        same = kind is not None and isinstance(error, kind)
        # wording is not compared, so an error of the right kind has the reference's own
        return {"raised": expected, "message": wanted.get("message")} if same else {"raised": type(error).__name__}


@covers("FlatGradient.*")
def flat_gradient(vector: Vector) -> Outputs:
    params = vector.params
    nodes = params["nodes"] if "nodes" in params else vector.array("in_nodes")
    values = params["values"] if "values" in params else vector.array("in_values")
    gradient = FlatGradient(
        radial_nodes_mm=np.array(nodes, np.float64),
        radial_values=np.array(values, np.float64),
        **{name: params[key] for name, key in _GRADIENT.items() if key in params},
    )
    gradient.check()
    arrays = vector.arrays
    if "in_x" not in arrays:
        return Outputs(out_radial=gradient.radial(vector.array("in_radius")), double=True)
    x, y = vector.array("in_x"), vector.array("in_y")
    radial = gradient.radial(vector.array("in_radius")) if "in_radius" in arrays else gradient.radial_at(x, y)
    full = gradient.model_at(x, y, vector.array("in_is_itl") if "in_is_itl" in arrays else False)
    return Outputs(
        out_model=full,
        out_full=full,
        out_radial=radial,
        out_radialXY=gradient.radial_at(x, y),
        out_gradient=gradient.gradient_at(x, y),
        double=True,
    )


@covers("PhotodiodeCalib.integrate*")
def photodiode(vector: Vector) -> Outputs:
    record = Photodiode(time_s=vector.array("in_time"), current_ampere=vector.array("in_current"))
    scale, exposure_time = vector.params.get("currentScale", 1.0), vector.params.get("exposureTime")
    charges = {}
    for method, wanted in vector.scalars["charge"].items():
        name, *_ = method.partition("_noexptime")
        time = None if method.endswith("_noexptime") else exposure_time
        charges[method] = tried(
            wanted, lambda name=name, time=time: record.charge_coulomb(name, scale=scale, exposure_time_s=time)
        )
    default = {"default_integrationMethod": record.integration_method}
    return Outputs(scalars={"charge": charges, **default}, double=True, largest=1e-9)


@covers("ShutterMotionProfile.calculateMidpoint*")
def shutter_midpoints(vector: Vector) -> Outputs:
    params = vector.params
    names = ("start_time", "pivot1", "pivot2", "jerk0", "jerk1", "jerk2")
    motion = ShutterMotion(
        is_open=bool(params.get("metadata", {}).get("isOpen", True)),
        fits={name: ShutterFit(*(fit[key] for key in names)) for name, fit in params["fits"].items()},
        start_position_mm=params["startPosition"],
        end_position_mm=params["endPosition"],
    )
    midpoints = {
        fit: {
            skip: tried(wanted, lambda fit=fit, skip=skip: list(motion.midpoints_s(fit, skip_position=skip == "True")))
            for skip, wanted in by_skip.items()
        }
        for fit, by_skip in vector.scalars["midpoints"].items()
    }
    facts = {
        "n": vector.arrays["in_position"].size if "in_position" in vector.arrays else None,
        "time_tai_first": vector.scalars.get("time_tai_first"),
    }
    return Outputs(scalars={"midpoints": midpoints, **facts}, double=True)


@covers("ShutterMotionProfileFull.fromExposure*")
def shutter_of_an_exposure(vector: Vector) -> Outputs:
    header, wanted = vector.params["header"], vector.scalars
    exposure = Exposure(np.zeros((2, 2), np.float32), header=header)

    def profile(direction: str) -> dict[str, Any]:
        outcome = tried(wanted.get(f"{direction}_profile"), lambda: _facts(motion_of_header(header, direction)))
        return outcome | outcome.get("returned", {})

    found = {
        "midpoints_open_close": tried(
            wanted.get("midpoints_open_close"), lambda: _as_wanted(wanted, ShutterMotions.of_exposure(exposure))
        ),
        "open_profile": profile("open"),
        "close_profile": profile("close"),
        "bad_direction": tried(wanted.get("bad_direction"), lambda: motion_of_header(header, "sideways")),
    }
    return Outputs(scalars=found, double=True)


def _as_wanted(wanted: dict[str, Any], motions: ShutterMotions) -> list[Any]:
    """Return the two midpoints, each with that of the position, which is unknown, where the manifest has both."""
    stated = (wanted.get("midpoints_open_close") or {}).get("returned")
    both = isinstance(stated, list) and stated and isinstance(stated[0], list)
    return [[time, math.nan] if both else time for time in motions.midpoints_s()]


def _facts(motion: ShutterMotion) -> dict[str, Any]:
    """Return a profile of a header under the reference's names."""
    fits = list(motion.fits.items())
    columns = {
        "fit_start_time": "start_s",
        "fit_pivot1": "pivot1_s",
        "fit_pivot2": "pivot2_s",
        "fit_jerk0": "jerk0",
        "fit_jerk1": "jerk1",
        "fit_jerk2": "jerk2",
    }
    return {
        "fit_name": [name for name, _ in fits],
        "fit_model": motion.fit_model,
        **{key: [getattr(fit, name) for _, fit in fits] for key, name in columns.items()},
        "side": motion.side,
        "isOpen": motion.is_open,
        "startTime_tai": motion.start_tai,
        "startTime_mjd": motion.start_mjd,
        "midpoint": list(motion.midpoints_s(skip_position=True)),
    }


@covers("PhotonTransferCurveDataset.evalPtcModel(mu)")
def ptc_model(vector: Vector) -> Outputs:
    params = vector.params
    names = list(params["gain"])
    matrices = {
        field: {n: vector.array(f"in_{key}_{n}") for n in names if f"in_{key}_{n}" in vector.arrays}
        for field, key in (("a_matrix", "aMatrix"), ("b_matrix", "bMatrix"), ("noise_matrix", "noiseMatrix"))
    }
    sides = {matrix.shape[0] for by_amp in matrices.values() for matrix in by_amp.values()} or {1}
    curve = PhotonTransferCurve(
        gain=params["gain"],
        noise=params.get("noise", {}),
        fit_type=params["ptcFitType"],
        fit_parameters={name: np.array(values, np.float64) for name, values in params["ptcFitPars"].items()},
        covariance_side=max(sides),
        fitted_covariance_side=max(sides),
        **matrices,
    )
    found = curve.model(vector.array("in_mu"))
    return Outputs(**{f"out_{name}": values for name, values in found.items()}, double=True)


@covers("PhotonTransferCurveDataset.validateGainNoiseTurnoffValues(ampName)")
def usable_ptc_values(vector: Vector) -> Outputs:
    cases = []
    for case in vector.scalars["cases"]:
        given = {key: number_or_none(case[key]) for key in ("gain", "noise", "ptcTurnoff")}
        curve = PhotonTransferCurve(
            gain={"A": given["gain"]}, noise={"A": given["noise"]}, turnoff={"A": given["ptcTurnoff"]}
        ).with_usable_values("A")
        after = {"gain": curve.gain["A"], "noise": curve.noise["A"], "ptcTurnoff": curve.turnoff["A"]}
        cases.append({**given, "outcome": {"returned": None}, "after": after})
    return Outputs(scalars={"cases": cases}, double=True)


@covers("Defects(boxes) normalised; transpose(); toFitsRegionTable()")
def defects(vector: Vector) -> Outputs:
    given = Defects(boxes=tuple(Box(*box) for box in vector.params["boxes"]))
    normal = given.normalised()
    rows = [
        {name: row[name].tolist() if name == "R" else row[name] for name in ("X", "Y", "SHAPE", "R", "ROTANG")}
        for row in normal.to_regions()
    ]
    empty = {"fitsRegion": "Region tables of no defects"} if not given.boxes else {}
    differs = {f"fitsRegion.{key}": heading for heading in empty.values() for key in ("raised", "message")}
    scalars = {
        "normalized": _lists(normal),
        "not_normalized": _lists(given),
        "transposed": _lists(normal.transposed()),
        "fitsRegion": {"returned": rows},
    }
    return Outputs(scalars=scalars, differs=differs)


def _lists(defects: Defects) -> list[list[int]]:
    return [[box.x0, box.y0, box.width, box.height] for box in defects.boxes]
