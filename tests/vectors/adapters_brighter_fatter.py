"""The brighter-fatter corrections on bare images."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import numpy as np

from isrflow.calibs.bfk import BrighterFatterKernel
from isrflow.calibs.electrostatic import Electrostatic
from isrflow.frame.electrons import in_electrons as electrons
from isrflow.frame.exposure import Exposure
from isrflow.kernels.brighter_fatter import Convergence, correct_brighter_fatter
from isrflow.kernels.charge_currents import correct_conserving_charge, transfer_charge
from isrflow.steps.electrostatic import ElectrostaticConfig, correct_pixel_sides
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
    simulate = not vector.params.get("correctionMode", "correctionMode=False" not in vector.function)
    return corrected(vector, partial(correct_conserving_charge, simulate=simulate))


@covers("transferFlux(cFunc, fStep, correctionMode)")
def one_transfer(vector: Vector) -> Outputs:
    given = vector.array("in_cFunc"), vector.array("in_fStep")
    moved = transfer_charge(*given, simulate=not vector.params["correctionMode"])
    return Outputs(double=True, out_corr=moved)


@covers("electrostaticBrighterFatterCorrection(log, exposure, matrix, applyGain, gains*")
def by_pixel_sides(vector: Vector) -> Outputs:
    params = vector.params
    picture = exposure(vector, header={"FILTER": params["FILTER"]} if "FILTER" in params else {})
    config = ElectrostaticConfig(
        planes=(), apply_gain=params["applyGain"], by_filter=params.get("applyFilterCorrection", False)
    )
    with logged("isrflow.steps.electrostatic") as messages:
        correct_pixel_sides(picture, config, electrostatic=matrices_of(vector))
    differs = {"log": "Wording of messages"} if messages else {}
    if not np.isfinite(vector.array("in_image")).all():
        differs["out_image"] = "Pixels that are not numbers in the electrostatic correction"
    return Outputs(scalars={"log": messages}, differs=differs, out_image=picture.image)


def matrices_of(vector: Vector) -> Electrostatic:
    sides = {"north": "aN", "south": "aS", "east": "aE", "west": "aW"}
    filters = tuple(vector.params.get("availableFilters", ()))
    gain = vector.params.get("gains") or {}
    general = {side: vector.array(f"in_{name}") for side, name in sides.items()}
    by_filter = {
        f"{side}_by_filter": {one: vector.array(f"in_{name}_{one}") for one in filters} for side, name in sides.items()
    }
    made = Electrostatic(filters=filters, amp_names=tuple(gain), gain=gain, **general, **by_filter)
    made.check()
    return made


@covers("electrostaticBrighterFatterCorrection without FILTER in metadata")
def without_filter(vector: Vector) -> Outputs:
    planes = np.zeros((9, 9), np.float32), np.zeros((9, 9), np.int32), np.zeros((9, 9), np.float32)
    zeros = np.zeros((2, 2))
    matrices = Electrostatic(north=zeros, south=zeros, east=zeros, west=zeros)
    correct_pixel_sides(Exposure(*planes, unit="electron"), ElectrostaticConfig(planes=()), electrostatic=matrices)
    return Outputs(differs={"raised": "Electrostatic correction of an exposure without filter"})


@covers("BrighterFatterKernel.makeDetectorKernelFromAmpwiseKernels / replaceDetectorKernelWithAmpKernel")
def kernels_of_detectors(vector: Vector) -> Outputs:
    valid = vector.params["valid"]
    kernels = {name: vector.array(f"in_{name}") for name in valid}
    bfk = BrighterFatterKernel(size_px=len(next(iter(kernels.values()))), amplifier_kernels=kernels, valid=valid)
    excluded = {name: name.removeprefix("out_exclude") for name in vector.arrays if name.startswith("out_exclude")}
    means = {name: bfk.mean_kernel(exclude=(amp,)) for name, amp in excluded.items()}
    broken = "replaceDetectorKernelWithAmpKernel_outcome"
    heading = "Detector kernels that are those of an amplifier"
    differs = dict.fromkeys((f"{broken}.raised", f"{broken}.message", broken), heading)
    return Outputs(double=True, differs=differs, out_all=bfk.kernel_of("D"), **means)


@contextmanager
def logged(name: str) -> Iterator[list[str]]:
    """Collect what a logger says at the level of warnings and above."""
    messages: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: messages.append(record.getMessage())
    logging.getLogger(name).addHandler(handler)
    try:
        yield messages
    finally:
        logging.getLogger(name).removeHandler(handler)


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
    once = {"raised": "One iteration"} if params["maxIter"] < 2 else {}
    return Outputs(scalars=scalars, differs=once, out_image=image)


@contextmanager
def in_electrons(vector: Vector, apply_gain: bool, gains: Mapping[str, float] | None = None) -> Iterator[np.ndarray]:
    """Yield the image, multiplied by gains (else those of the geometry) and divided again afterwards if asked."""
    if not apply_gain:
        yield vector.array("in_image")
        return
    picture = exposure(vector)
    described = {amp.name: amp.gain_electron_per_adu for amp in picture.detector.amplifiers}
    with electrons(picture, picture.image, gains or described):
        yield picture.image
