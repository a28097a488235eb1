"""Terms of the crosstalk correction, by hand: squares, other detectors, pixels and levels that are not known."""

import numpy as np
import pytest

from isrflow.calibs.crosstalk import Crosstalk
from isrflow.frame.camera import load_camera
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.kernels.coupling import Coupling
from isrflow.steps.crosstalk import CrosstalkConfig, subtract_crosstalk

TINY = load_camera("tiny").detector("A")
LEFT, RIGHT = (amp.box.slices() for amp in TINY.amplifiers)
LINEAR = np.array([[0.0, 0.01], [0.0, 0.0]])
SQUARE = np.array([[0.0, 1e-5], [1e-5, 0.0]])


def picture(left: float = 0.0, right: float = 0.0, variance: float = 1.0) -> Exposure:
    image = np.full(TINY.box.shape, right, np.float32)
    image[LEFT] = left
    return Exposure(image, np.zeros(image.shape, np.int32), np.full(image.shape, variance, np.float32), detector=TINY)


def test_the_squared_signal_is_subtracted_and_its_variance_added() -> None:
    exposure = picture(1000, 500, variance=4)
    calib = Crosstalk(coefficients=LINEAR, quadratic_coefficients=SQUARE)
    subtract_crosstalk(exposure, CrosstalkConfig(quadratic=True), crosstalk=calib)
    assert exposure.image[RIGHT] == pytest.approx(500 - 0.01 * 1000 - 1e-5 * 1000**2)
    # c^2 V + q^2 (2 S^2 V)
    assert exposure.variance[RIGHT] == pytest.approx(4 + 1e-4 * 4 + 1e-10 * 2 * 1000**2 * 4)


def test_without_a_linear_term_there_is_no_squared_one() -> None:
    exposure = picture(1000, 500)
    calib = Crosstalk(coefficients=LINEAR, quadratic_coefficients=SQUARE)
    subtract_crosstalk(exposure, CrosstalkConfig(quadratic=True), crosstalk=calib)
    assert np.all(exposure.image[LEFT] == 1000)


def test_squares_are_left_out_unless_wanted() -> None:
    exposure = picture(1000, 500)
    subtract_crosstalk(
        exposure, CrosstalkConfig(), crosstalk=Crosstalk(coefficients=LINEAR, quadratic_coefficients=SQUARE)
    )
    assert np.all(exposure.image[RIGHT] == 490)


def test_the_background_is_taken_off_before_squaring() -> None:
    exposure = picture(1000, 500)
    exposure.image[5, 3] = 3000
    calib = Crosstalk(coefficients=LINEAR, quadratic_coefficients=SQUARE)
    subtract_crosstalk(exposure, CrosstalkConfig(quadratic=True, background="AMP"), crosstalk=calib)
    assert exposure.image[5, TINY.box.width - 1 - 3] == pytest.approx(500 - 0.01 * 2000 - 1e-5 * 2000**2)
    assert exposure.image[6, TINY.box.width - 1 - 3] == 500


def test_between_detectors_neither_squares_nor_marks_of_validity_count() -> None:
    exposure, other = picture(0, 500), picture(1000)
    calib = Crosstalk(
        coefficients=np.zeros((2, 2)),
        valid=np.zeros((2, 2), bool),
        quadratic_coefficients=SQUARE,
        inter_chip={"B": LINEAR},
    )
    before = other.copy()
    subtract_crosstalk(exposure, CrosstalkConfig(quadratic=True), crosstalk=calib, sources={"B": other})
    assert np.all(exposure.image[RIGHT] == 490)
    assert other.image.tolist() == before.image.tolist()
    assert other.mask.tolist() == before.mask.tolist()


def test_bright_pixels_of_another_detector_mark_what_they_leave_here() -> None:
    exposure, other = picture(0, 500), picture(0)
    other.image[7, 3] = 50000
    calib = Crosstalk(coefficients=np.zeros((2, 2)), inter_chip={"B": LINEAR})
    subtract_crosstalk(exposure, CrosstalkConfig(), crosstalk=calib, sources={"B": other})
    assert np.argwhere(exposure.mask == mask_bits("CROSSTALK")).tolist() == [[7, 60]]
    assert exposure.image[7, 60] == 0


def test_a_pixel_that_is_no_number_spoils_only_what_it_leaves() -> None:
    exposure = picture(1000, 500)
    exposure.image[5, 3] = np.nan
    config = CrosstalkConfig(mask_subtrahend=True, min_pixel_to_mask=5)
    subtract_crosstalk(exposure, config, crosstalk=Crosstalk(coefficients=LINEAR))
    assert np.argwhere(np.isnan(exposure.image)).tolist() == [[5, 3], [5, 60]]
    assert np.all(exposure.image[6:, 32:] == 490)


def test_an_amplifier_without_a_known_level_gives_nothing() -> None:
    exposure = picture(1000, 500)
    exposure.mask[LEFT] = mask_bits("BAD")
    subtract_crosstalk(exposure, CrosstalkConfig(background="AMP"), crosstalk=Crosstalk(coefficients=LINEAR))
    assert np.all(exposure.image[RIGHT] == 500)
    sources, _, _ = Coupling(LINEAR, backgrounds=np.array([np.nan, 1.0])).by_target()
    assert np.all(sources == -1)
