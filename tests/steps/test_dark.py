"""Dark subtraction: its scale, and what happens when a time is not known."""

import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isrflow.calibs.dark import Dark
from isrflow.errors import CalibrationError, HeaderError
from isrflow.frame.exposure import Exposure
from isrflow.frame.obs import Observation
from isrflow.steps.dark import DarkConfig, subtract_dark


def picture(image, variance, **times) -> Exposure:
    planes = np.full((2, 3), image, np.float32), np.zeros((2, 3), np.int32), np.full((2, 3), variance, np.float32)
    return Exposure(*planes, obs=Observation(**times))


def test_the_dark_is_scaled_by_the_ratio_of_dark_times() -> None:
    exposure = picture(1000, 10, dark_time_s=30.0, exposure_time_s=20.0)
    subtract_dark(exposure, DarkConfig(), dark=Dark(exposure=picture(50, 100, dark_time_s=300.0)))
    assert np.all(exposure.image == 995)
    assert exposure.variance[0, 0] == pytest.approx(11, rel=1e-7)
    assert exposure.header["LSST ISR DARK APPLIED"] is True


def test_exposure_time_may_serve_instead() -> None:
    exposure = picture(1000, 10, dark_time_s=30.0, exposure_time_s=20.0)
    subtract_dark(exposure, DarkConfig(use_dark_time=False), dark=Dark(exposure=picture(50, 0, dark_time_s=1.0)))
    assert np.all(exposure.image == 0)


@given(st.floats(0.1, 1e4), st.floats(0.1, 1e3), st.floats(-100, 100))
def test_inverting_restores_the_image_and_adds_the_variance_again(exposure_s, dark_s, level) -> None:
    exposure = picture(1000, 0, dark_time_s=exposure_s)
    dark = Dark(exposure=picture(level, 4, dark_time_s=dark_s))
    subtract_dark(exposure, DarkConfig(), dark=dark)
    subtract_dark(exposure, DarkConfig(), dark=dark, invert=True)
    scale = exposure_s / dark_s
    largest = 1000 + abs(level) * scale
    assert exposure.image[0, 0] == pytest.approx(1000, abs=2e-7 * largest)
    assert exposure.variance[0, 0] == pytest.approx(8 * scale**2, rel=1e-6)


def test_an_unknown_dark_time_of_the_exposure_is_an_error() -> None:
    with pytest.raises(HeaderError, match=r"dark time is not known.*\n.*instrument's YAML"):
        subtract_dark(picture(0, 0), DarkConfig(), dark=Dark(exposure=picture(0, 0, dark_time_s=1.0)))


def test_an_unknown_dark_time_of_the_dark_is_one_second_and_a_warning(caplog) -> None:
    exposure = picture(100, 0, dark_time_s=30.0)
    with caplog.at_level(logging.WARNING):
        subtract_dark(exposure, DarkConfig(), dark=Dark(exposure=picture(2, 0)))
    assert np.all(exposure.image == 40)
    assert "does not state its dark time" in caplog.text


def test_a_dark_of_no_time_cannot_be_scaled() -> None:
    with pytest.raises(CalibrationError, match="dark time of the dark is 0 s"):
        subtract_dark(picture(0, 0, dark_time_s=1.0), DarkConfig(), dark=Dark(exposure=picture(0, 0, dark_time_s=0.0)))
