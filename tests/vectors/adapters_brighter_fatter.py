"""The brighter-fatter corrections on bare images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import numpy as np

from isrflow.kernels.brighter_fatter import Convergence, correct_brighter_fatter
from isrflow.kernels.charge_currents import correct_conserving_charge, transfer_charge
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


@covers("fluxConservingBrighterFatterCorrection(correctionMode=*")
def simulated_or_not(vector: Vector) -> Outputs:
    simulate = not vector.params["correctionMode"]
    return corrected(vector, partial(correct_conserving_charge, simulate=simulate))


@covers("transferFlux(cFunc, fStep, correctionMode)")
def one_transfer(vector: Vector) -> Outputs:
    given = vector.array("in_cFunc"), vector.array("in_fStep")
    moved = transfer_charge(*given, simulate=not vector.params["correctionMode"])
    return Outputs(double=True, out_corr=moved)


def corrected(vector: Vector, correct) -> Outputs:
    params = vector.params
    with in_electrons(vector, params["applyGain"]) as image:
        found: Convergence = correct(
            image,
            vector.array("in_kernel").astype(np.float64),
            max_iterations=params["maxIter"],
            threshold=params["threshold"],
        )
    scalars = {"diff": found.difference, "iteration": found.last_iteration}
    return Outputs(scalars=scalars, out_image=image)


@contextmanager
def in_electrons(vector: Vector, apply_gain: bool, gains: Mapping[str, float] | None = None) -> Iterator[np.ndarray]:
    """Yield the image, multiplied by gains (else those of the geometry) and divided again afterwards if asked."""
    if not apply_gain:
        yield vector.array("in_image")
        return
    picture = exposure(vector)
    described = {amp.name: amp.gain_electron_per_adu for amp in picture.detector.amplifiers}
    with gains_applied(picture, gains or described):
        yield picture.image
