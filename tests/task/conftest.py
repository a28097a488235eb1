"""A raw exposure of the tiny camera and calibrations for it."""

import numpy as np
import pytest

from isrflow.calibs.bias import Bias
from isrflow.calibs.dark import Dark
from isrflow.calibs.defects import Defects
from isrflow.calibs.flat import Flat
from isrflow.frame.camera import load_camera
from isrflow.frame.exposure import Exposure
from isrflow.frame.obs import Observation


@pytest.fixture(scope="session")
def camera():
    return load_camera("tiny")


@pytest.fixture
def raw(camera):
    detector = camera.detector("A")
    pixels = np.random.default_rng(5).normal(1500, 10, detector.raw_box.shape).astype(np.float32)
    for amp in detector.amplifiers:
        pixels[amp.raw_serial_overscan.slices()] -= 500
    obs = Observation(exposure_id=7, exposure_time_s=30.0, dark_time_s=31.0)
    shape = pixels.shape
    return Exposure(pixels, np.zeros(shape, np.int32), np.zeros(shape, np.float32), detector=detector, obs=obs)


@pytest.fixture
def calibs(camera):
    detector, rng = camera.detector("A"), np.random.default_rng(6)
    return {kind.kind: kind.example(detector, rng) for kind in (Bias, Dark, Flat, Defects)}


@pytest.fixture
def trimmed(camera):
    """A flat trimmed picture of level 1000 with variance 100."""
    detector = camera.detector("A")
    image = np.full(detector.box.shape, 1000, np.float32)
    obs = Observation(exposure_time_s=30.0, dark_time_s=31.0)
    return Exposure(image, np.zeros(image.shape, np.int32), np.full_like(image, 100), detector=detector, obs=obs)
