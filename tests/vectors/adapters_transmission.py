"""Transmission curves: products, and what is attached to an exposure."""

from __future__ import annotations

from typing import Any

import numpy as np

from isrflow.calibs.transmission import (
    Transmission,
    TransmissionAtmosphere,
    TransmissionFilter,
    TransmissionOptics,
    TransmissionSensor,
)
from isrflow.frame.exposure import Exposure
from isrflow.frame.transmission import TransmissionCurve
from isrflow.steps.transmission import TransmissionConfig, attach_transmission
from tests.vectors.adapters_vignette import placed_detector
from tests.vectors.harness import Outputs, Vector, covers

KINDS: dict[str, type[Transmission]] = {
    "atmosphereTransmission": TransmissionAtmosphere,
    "opticsTransmission": TransmissionOptics,
    "filterTransmission": TransmissionFilter,
    "sensorTransmission": TransmissionSensor,
}


@covers("isrFunctions.attachTransmissionCurve(*")
def attached(vector: Vector) -> Outputs:
    params = vector.params
    detector = placed_detector(params["geometry"])
    picture = Exposure(np.zeros(detector.box.shape, np.float32), detector=detector)
    calibrations = {
        KINDS[name].kind: KINDS[name](curve=curve(params["curves"][name.removesuffix("Transmission")]))
        for name in params["used"]
    }
    attach_transmission(picture, TransmissionConfig(), **calibrations)
    sampled = sample(vector, picture.transmission)
    # the reference samples what it returns and what it attaches
    return Outputs(
        scalars=bounds(picture.transmission),
        double=True,
        out_throughput=sampled,
        out_throughput_from_exposure=sampled,
    )


@covers("TransmissionCurve.__mul__ then sampleAt")
def product(vector: Vector) -> Outputs:
    names = {**vector.params["names"]}
    operands = vector.name.partition("product_")[2].split("_times_")
    curves = [curve(vector.params["curves"].get(names[letter])) for letter in operands]
    result = curves[0]
    for other in curves[1:]:
        result = result * other
    return Outputs(scalars=bounds(result), double=True, out_throughput=sample(vector, result))


def curve(stated: dict[str, Any] | None) -> TransmissionCurve:
    """The curve a vector describes; one that is not described is the identity."""
    if stated is None or "wavelengths" not in stated:
        return TransmissionCurve()
    limits = {"below": stated.get("throughputAtMin", 0.0), "above": stated.get("throughputAtMax", 0.0)}
    if "radii" in stated:
        return TransmissionCurve.radial(stated["wavelengths"], stated["radii"], stated["throughput"], **limits)
    return TransmissionCurve.constant(stated["wavelengths"], stated["throughput"], **limits)


def sample(vector: Vector, curve: TransmissionCurve) -> np.ndarray:
    return curve.sample_at(vector.array("in_points"), vector.array("in_wavelengths"))


def bounds(curve: TransmissionCurve) -> dict[str, list[float]]:
    return {"wavelengthBounds": list(curve.wavelength_bounds), "throughputAtBounds": list(curve.throughput_at_bounds)}
