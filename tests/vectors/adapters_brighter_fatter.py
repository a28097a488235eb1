"""The brighter-fatter corrections on bare images."""

from __future__ import annotations

import numpy as np

from isrflow.kernels.brighter_fatter import Convergence, correct_brighter_fatter, correct_conserving_charge
from isrflow.steps.brighter_fatter import gains_applied
from tests.vectors.geometry import exposure
from tests.vectors.harness import Outputs, Vector, covers

MODULE = "lsst.ip.isr.brighterFatterKernel."
ARGUMENTS = "(exposure, kernel, maxIter, threshold, applyGain)"


@covers(f"{MODULE}brighterFatterCorrection{ARGUMENTS}")
def diverging(vector: Vector) -> Outputs:
    return corrected(vector, correct_brighter_fatter)


@covers(f"{MODULE}fluxConservingBrighterFatterCorrection{ARGUMENTS}")
def conserving(vector: Vector) -> Outputs:
    return corrected(vector, correct_conserving_charge)


def corrected(vector: Vector, correct) -> Outputs:
    params, picture = vector.params, exposure(vector)
    amplifiers = picture.detector.amplifiers if params["applyGain"] else ()
    gains = {amp.name: amp.gain_electron_per_adu for amp in amplifiers}
    with gains_applied(picture, gains):
        found: Convergence = correct(
            picture.image,
            vector.array("in_kernel").astype(np.float64),
            max_iterations=params["maxIter"],
            threshold=params["threshold"],
        )
    scalars = {"diff": found.difference, "iteration": found.last_iteration}
    return Outputs(scalars=scalars, out_image=picture.image)
