"""What is attached to an exposure."""

from __future__ import annotations

import numpy as np
import pytest

from isrflow.calibs.transmission import (
    TransmissionAtmosphere,
    TransmissionFilter,
    TransmissionFilterDetector,
    TransmissionOptics,
    TransmissionSensor,
)
from isrflow.errors import GeometryError
from isrflow.frame.camera import Amplifier, Detector
from isrflow.frame.exposure import Exposure
from isrflow.frame.transmission import TransmissionCurve
from isrflow.recipe import IsrConfig
from isrflow.steps.transmission import TransmissionConfig, attach_transmission

AT = [4000.0, 5000.0]
FLAT = TransmissionCurve.constant(AT, [0.5, 0.5])
RADIAL = TransmissionCurve.radial(AT, [0.0, 10.0], [[1.0, 0.0], [1.0, 0.0]])
INPUTS = {
    "transmission_atmosphere": TransmissionAtmosphere(curve=FLAT),
    "transmission_optics": TransmissionOptics(curve=RADIAL),
    "transmission_filter": TransmissionFilter(curve=TransmissionCurve.constant(AT, [0.8, 0.8])),
    "transmission_sensor": TransmissionSensor(curve=RADIAL),
}


def exposure() -> Exposure:
    """11 x 11 pixels of 0.5 mm, the centre (5, 5) at (3, 4) mm: 5 mm from the axis."""
    box = (0, 0, 11, 11)
    amp = Amplifier(name="A", box=box, raw=box, raw_data=box)
    place = {"focal_plane_x_mm": 3.0, "focal_plane_y_mm": 4.0, "pixel_size_mm": 0.5}
    return Exposure(
        np.zeros((11, 11), np.float32), detector=Detector(id=1, name="D", box=box, amplifiers=(amp,), **place)
    )


def test_curves_are_taken_in_millimetres_but_that_of_the_sensor_in_pixels() -> None:
    picture = exposure()
    attach_transmission(picture, TransmissionConfig(), **INPUTS)
    # at pixel (5, 5): 5 mm from the axis, 0.5; sqrt(50) pixels from the corner, 1 - sqrt(50)/10
    expected = 0.5 * 0.5 * 0.8 * (1 - np.sqrt(50) / 10)
    assert picture.transmission.sample_at([5, 5], 4500.0) == pytest.approx(expected, rel=1e-12)
    assert picture.transmission.sample_at([0, 0], 4500.0) == pytest.approx(0.5 * (1 - np.hypot(0.5, 1.5) / 10) * 0.8)


def test_what_is_not_given_or_not_wanted_lets_all_light_through() -> None:
    picture = exposure()
    attach_transmission(picture, TransmissionConfig())
    assert picture.transmission == TransmissionCurve()
    attach_transmission(picture, TransmissionConfig(use_optics=False, use_sensor=False, use_filter=False), **INPUTS)
    assert picture.transmission == FLAT


def test_a_filter_measured_above_each_detector_goes_before_the_filter_as_a_whole() -> None:
    picture = exposure()
    above = TransmissionFilterDetector(curve=RADIAL)
    given = {"transmission_filter": INPUTS["transmission_filter"], "transmission_filter_detector": above}
    attach_transmission(picture, TransmissionConfig(), **given)
    assert picture.transmission == RADIAL  # in pixels, as a sensor's
    attach_transmission(picture, TransmissionConfig(use_filter=False), **given)
    assert picture.transmission == TransmissionCurve()


def test_no_pixel_is_changed() -> None:
    picture = exposure()
    attach_transmission(picture, TransmissionConfig(), **INPUTS)
    assert not picture.image.any()


def test_a_curve_by_place_needs_a_detector() -> None:
    bare = Exposure(np.zeros((11, 11), np.float32))
    attach_transmission(bare, TransmissionConfig(), transmission_atmosphere=INPUTS["transmission_atmosphere"])
    with pytest.raises(GeometryError, match="has no detector"):
        attach_transmission(bare, TransmissionConfig(), transmission_optics=INPUTS["transmission_optics"])


def test_the_row_is_off_and_demands_nothing_when_on() -> None:
    assert not IsrConfig().transmission.enabled
    needs = IsrConfig.layered({"transmission.enabled": True}).needs()
    kinds = [kind for kind in needs if kind.startswith("transmission_")]
    assert len(kinds) == 5
    assert not any(needs[kind] for kind in kinds)
