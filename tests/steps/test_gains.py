"""Electrons from adu."""

import numpy as np
import pytest

from isrflow.errors import GeometryError
from isrflow.frame.camera import load_camera
from isrflow.frame.exposure import Exposure
from isrflow.steps.byproducts import EffectivePtc
from isrflow.steps.gains import GainsConfig, apply_gains, multiply_amplifiers

DETECTOR = load_camera("tiny").detector("A")
LEFT, RIGHT = (amp.box.slices() for amp in DETECTOR.amplifiers)


@pytest.fixture
def exposure() -> Exposure:
    shape = DETECTOR.box.shape
    planes = np.full(shape, 100, np.float32), np.zeros(shape, np.int32), np.full(shape, 8, np.float32)
    return Exposure(*planes, detector=DETECTOR)


def test_each_amplifier_has_its_own_gain(exposure) -> None:
    apply_gains(exposure, GainsConfig())
    assert np.all(exposure.image[LEFT] == 150)
    assert np.all(exposure.image[RIGHT] == np.float32(1.6) * np.float32(100))
    assert np.all(exposure.variance[LEFT] == 18)
    assert exposure.unit == "electron"
    assert exposure.header["LSST ISR UNITS"] == "electron"


def test_gains_of_the_photon_transfer_curve_go_before_the_cameras(exposure) -> None:
    apply_gains(exposure, GainsConfig(), effective_ptc=EffectivePtc({"L": 2.0, "R": 4.0}, {}, {}))
    assert np.all(exposure.image[RIGHT] == 400)


def test_normalizing_makes_the_medians_equal_to_their_median(exposure) -> None:
    exposure.image[LEFT] = 10
    apply_gains(exposure, GainsConfig(normalize=True))
    # 15 and 160 have the median 87.5
    np.testing.assert_allclose(exposure.image, 87.5, rtol=1e-6)


def test_whole_segments_of_a_raw_mosaic_are_multiplied() -> None:
    shape = DETECTOR.raw_box.shape
    raw = Exposure(np.ones(shape, np.float32), np.zeros(shape, np.int32), np.ones(shape, np.float32), detector=DETECTOR)
    multiply_amplifiers(raw, {"L": 2.0, "R": 3.0})
    assert np.all(raw.image[:, :40] == 2)
    assert np.all(raw.image[:, 40:] == 3)


def test_electrons_are_not_multiplied_again(exposure) -> None:
    apply_gains(exposure, GainsConfig())
    with pytest.raises(GeometryError, match="in electrons already"):
        apply_gains(exposure, GainsConfig())


def test_amplifiers_without_gain_are_named(exposure) -> None:
    with pytest.raises(GeometryError, match="no gain is given for amplifiers R"):
        multiply_amplifiers(exposure, {"L": 1.0})
    exposure.detector = None
    with pytest.raises(GeometryError, match="has no detector"):
        apply_gains(exposure, GainsConfig())
