"""Background, rough zero point, filters by name, small arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from isrflow.frame.exposure import Exposure
from isrflow.frame.obs import Observation
from isrflow.kernels.patterns import gaussian_psf, mirror_quadrant
from isrflow.lsst_names.classic import CLASSIC
from isrflow.steps.background import BackgroundConfig, measure_background
from isrflow.steps.zero_point import ZeroPointConfig, set_zero_point
from tests.vectors.geometry import exposure
from tests.vectors.harness import Outputs, Vector, covers, number_or_none

OUTSIDE = "Cells of the flatness mesh that reach outside the image"
NO_BAND = "Filters without a band"
CARDS = ("SKYLEVEL", "SKYSIGMA", "FLATNESS_PP", "FLATNESS_RMS", "FLATNESS_NGRIDS", "FLATNESS_MESHX", "FLATNESS_MESHY")


def reaches_outside(size: int, mesh: int) -> bool:
    """Whether the last cell of a mesh ends outside the image."""
    half = mesh // 2
    n = (size + half) // mesh
    return n > 0 and (n - 1) * mesh + 2 * half > size


@covers("IsrTask.measureBackground(*")
def background(vector: Vector) -> Outputs:
    mesh, picture = vector.params["flatness"], exposure(vector, in_detector=False)
    config = BackgroundConfig(
        mesh_x_px=mesh["meshX"],
        mesh_y_px=mesh["meshY"],
        clip=mesh["doClip"],
        clip_sigma=mesh["clipSigma"],
        clip_iterations=mesh["nIter"],
    )
    measure_background(picture, config)
    ny, nx = picture.image.shape
    outside = reaches_outside(nx, mesh["meshX"]) or reaches_outside(ny, mesh["meshY"])
    return Outputs(
        scalars={"metadata": {card: picture.header[card] for card in CARDS}, "returned": None},
        differs={"raised": OUTSIDE} if outside else {},
    )


def _calibration(picture: Exposure) -> dict[str, Any] | None:
    zero_point = picture.zero_point
    if zero_point is None:
        return None
    return {
        "calibrationMean": zero_point.njy_per_count,
        "calibrationErr": zero_point.error,
        "instFluxAtZeroMagnitude": zero_point.counts_at_mag0,
        "isConstant": True,
    }


@covers("IsrTask.roughZeroPoint(*")
def zero_point(vector: Vector) -> Outputs:
    params, cases = vector.params, []
    config = ZeroPointConfig(
        counts_per_s_at_mag0=params["fluxMag0T1"], default_counts_per_s_at_mag0=params["defaultFluxMag0T1"]
    )
    for case in vector.scalars["cases"]:
        seconds = number_or_none(case["exposureTime"])
        obs = Observation(physical_filter=case["physicalFilter"], exposure_time_s=seconds)
        picture = exposure_of(obs)
        set_zero_point(picture, config)
        cases.append({**case, "outcome": {"returned": None}, "photoCalib": _calibration(picture)})
    return Outputs(scalars={"cases": cases}, double=True)


def exposure_of(obs: Observation) -> Exposure:
    return Exposure(np.zeros((1, 1), np.float32), obs=obs)


@covers("IsrTaskConfig defaults")
def defaults(vector: Vector) -> Outputs:
    config = ZeroPointConfig()
    rates = {"fluxMag0T1": config.counts_per_s_at_mag0, "defaultFluxMag0T1": config.default_counts_per_s_at_mag0}
    tree: dict[str, Any] = {}
    for name, default in CLASSIC.defaults.items():
        *parts, last = name.split(".")
        branch = tree
        for part in parts:
            branch = branch.setdefault(part, {})
        branch[last] = default
    return Outputs(scalars=tree | rates, double=True)


@covers("isrFunctions.checkFilter(*")
def filters(vector: Vector) -> Outputs:
    cases, differs = [], {}
    for i, case in enumerate(vector.scalars["cases"]):
        band, physical = case["label"] or (None, None)
        obs = Observation(physical_filter=physical, band=band)
        listed = obs.is_through(case["filters"])
        found = {"checkFilter": {"returned": listed}, "getPhysicalFilter": {"returned": obs.filter_name}}
        if physical is not None and band is None and case["filters"] and physical not in case["filters"]:
            differs |= {f"cases[{i}].checkFilter.{part}": NO_BAND for part in ("raised", "message")}
        cases.append({**case, **found})
    return Outputs(scalars={"cases": cases}, differs=differs)


@covers("isrFunctions.createPsf(fwhm).computeKernelImage")
def psf(vector: Vector) -> Outputs:
    return Outputs(out_kernel=gaussian_psf(vector.params["fwhm"]), double=True)


@covers("isrFunctions.symmetrize(inputArray)")
def symmetrized(vector: Vector) -> Outputs:
    return Outputs(out_sym=mirror_quadrant(vector.array("in_a")), double=True)
