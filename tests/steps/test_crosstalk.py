"""Crosstalk of exposures: regions, units, masks, other detectors."""

import numpy as np
import pytest

from isrflow.calibs.crosstalk import Crosstalk
from isrflow.errors import CalibrationError, CalibrationMismatch
from isrflow.frame.camera import load_camera
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.steps.byproducts import BadAmplifiers, EffectivePtc
from isrflow.steps.crosstalk import CrosstalkConfig, subtract_crosstalk

TINY = load_camera("tiny").detector("A")
LEFT, RIGHT = TINY.amplifiers
MARK = mask_bits("CROSSTALK")
FROM_LEFT = np.array([[0.0, 0.01], [0.0, 0.0]])


def exposure(level=0.0, *, raw=False, **fields) -> Exposure:
    shape = (TINY.raw_box if raw else TINY.box).shape
    planes = np.full(shape, level, np.float32), np.zeros(shape, np.int32), np.ones(shape, np.float32)
    return Exposure(*planes, detector=TINY, **fields)


def test_a_star_is_taken_out_of_the_mirrored_place_of_the_other_amplifier() -> None:
    picture = exposure()
    picture.image[7, 3] = 50000
    subtract_crosstalk(picture, CrosstalkConfig(), crosstalk=Crosstalk(coefficients=FROM_LEFT))
    assert picture.image[7, 60] == -500
    assert np.count_nonzero(picture.image) == 2
    assert np.argwhere(picture.mask == MARK).tolist() == [[7, 60]]
    assert picture.header["LSST ISR CROSSTALK APPLIED"] is True


def test_in_the_raw_mosaic_the_same_pixels_are_found_in_readout_order() -> None:
    # The right amplifier's raw columns run backwards, so both corners are to the left of their segments.
    picture = exposure(raw=True)
    picture.image[7, 5] = 50000  # third light-sensitive column
    subtract_crosstalk(picture, CrosstalkConfig(), crosstalk=Crosstalk(coefficients=FROM_LEFT))
    assert np.argwhere(picture.image == -500).tolist() == [[7, 45]]


def test_whole_segments_include_the_overscan() -> None:
    coupling = Crosstalk(coefficients=FROM_LEFT)
    light, whole = exposure(100, raw=True), exposure(100, raw=True)
    subtract_crosstalk(light, CrosstalkConfig(), crosstalk=coupling)
    subtract_crosstalk(whole, CrosstalkConfig(full_amplifier=True), crosstalk=coupling)
    assert np.count_nonzero(light.image == 99) == RIGHT.raw_data.area
    assert np.count_nonzero(whole.image == 99) == RIGHT.raw.area


@pytest.mark.parametrize(("background", "left"), [("None", 99), ("AMP", 100), ("DETECTOR", 99.75)])
def test_a_background_does_not_cross_over(background, left) -> None:
    picture = exposure(100)
    picture.image[RIGHT.box.slices()] = 200
    ratios = np.array([[0.0, 0.0], [0.005, 0.0]])
    subtract_crosstalk(picture, CrosstalkConfig(background=background), crosstalk=Crosstalk(coefficients=ratios))
    assert picture.image[0, 0] == pytest.approx(left, rel=1e-6)


def test_bad_and_invalid_amplifiers_neither_give_nor_receive() -> None:
    both = np.array([[0.0, 0.01], [0.01, 0.0]])
    picture = exposure(100)
    subtract_crosstalk(
        picture,
        CrosstalkConfig(),
        crosstalk=Crosstalk(coefficients=both),
        bad_amplifiers=BadAmplifiers(frozenset({"R"})),
    )
    assert np.all(picture.image == 100)
    valid = np.array([[True, False], [True, True]])
    subtract_crosstalk(picture, CrosstalkConfig(), crosstalk=Crosstalk(coefficients=both, valid=valid))
    assert np.all(picture.image[RIGHT.box.slices()] == 100)
    assert np.all(picture.image[LEFT.box.slices()] == 99)


def test_ratios_of_electrons_are_applied_to_electrons() -> None:
    picture = exposure(100)
    gains = EffectivePtc({"L": 2.0, "R": 4.0}, {}, {})
    coupling = Crosstalk(coefficients=FROM_LEFT, units="electron")
    subtract_crosstalk(picture, CrosstalkConfig(), crosstalk=coupling, effective_ptc=gains)
    assert np.all(picture.image[LEFT.box.slices()] == 100)
    assert np.all(picture.image[RIGHT.box.slices()] == 99.5)  # 0.01 * 200 e / 4
    assert picture.unit == "adu"


def test_gains_of_the_calibration_serve_and_bad_ones_take_the_median() -> None:
    picture = exposure(100, unit="electron")
    coupling = Crosstalk(coefficients=FROM_LEFT, units="adu", fit_gains=np.array([2.0, np.nan]))
    subtract_crosstalk(picture, CrosstalkConfig(), crosstalk=coupling)
    assert np.all(picture.image[RIGHT.box.slices()] == 99)


def test_units_that_cannot_be_converted_are_refused() -> None:
    coupling = Crosstalk(coefficients=FROM_LEFT, units="electron")
    with pytest.raises(CalibrationError, match="no gains to convert with"):
        subtract_crosstalk(exposure(), CrosstalkConfig(), crosstalk=coupling)


def test_other_detectors_leave_their_light_as_well() -> None:
    picture, other = exposure(100), exposure(1000)
    coupling = Crosstalk(coefficients=np.zeros((2, 2)), inter_chip={"B": FROM_LEFT, "C": FROM_LEFT})
    subtract_crosstalk(picture, CrosstalkConfig(), crosstalk=coupling, sources={"B": other})
    assert np.all(picture.image[RIGHT.box.slices()] == 90)
    assert picture.header["ISRFLOW CROSSTALK MISSING"] == "C"
    unlike = (
        r"covers \[1:64,1:48\] in adu, its sources of crosstalk B \[1:80,1:52\] in adu, C \[1:64,1:48\] in electron"
    )
    others = {"B": exposure(raw=True), "C": exposure(unit="electron")}
    with pytest.raises(CalibrationMismatch, match=unlike):
        subtract_crosstalk(picture, CrosstalkConfig(), crosstalk=coupling, sources=others)


def test_other_detectors_can_be_left_alone() -> None:
    picture, other = exposure(100), exposure(1000)
    coupling = Crosstalk(coefficients=np.zeros((2, 2)), inter_chip={"B": FROM_LEFT})
    config = CrosstalkConfig(between_detectors=False)
    subtract_crosstalk(picture, config, crosstalk=coupling, sources={"B": other})
    assert np.all(picture.image == 100)
    assert not config.wants_sources()


@pytest.mark.parametrize(
    ("config", "calib", "why"),
    [
        ({}, {"has_crosstalk": False}, "has no ratios"),
        ({"quadratic": True}, {}, "has no quadratic ratios"),
        ({"full_amplifier": True, "background": "AMP"}, {}, "cannot be freed of a background"),
    ],
)
def test_contradictions_are_refused(config, calib, why) -> None:
    with pytest.raises(CalibrationError, match=why):
        subtract_crosstalk(exposure(), CrosstalkConfig(**config), crosstalk=Crosstalk(coefficients=FROM_LEFT, **calib))


def test_another_number_of_amplifiers_is_refused() -> None:
    with pytest.raises(CalibrationMismatch, match="is of 3 amplifiers, exposure detector A of 2"):
        subtract_crosstalk(exposure(), CrosstalkConfig(), crosstalk=Crosstalk(coefficients=np.zeros((3, 3))))


def test_marks_may_follow_what_is_subtracted() -> None:
    picture = exposure(100)
    picture.image[7, 3] = 1000
    config = CrosstalkConfig(mask_subtrahend=True, min_pixel_to_mask=5, ignore_variance=True)
    subtract_crosstalk(picture, config, crosstalk=Crosstalk(coefficients=FROM_LEFT))
    assert np.argwhere(picture.mask == MARK).tolist() == [[7, 60]]
    assert np.all(picture.variance == 1)


def test_a_pixel_that_is_no_number_spoils_the_pixel_it_reaches_and_no_other() -> None:
    picture = exposure(100)
    picture.image[7, 3] = np.nan
    config = CrosstalkConfig(mask_subtrahend=True, min_pixel_to_mask=10)
    subtract_crosstalk(picture, config, crosstalk=Crosstalk(coefficients=FROM_LEFT))
    assert np.argwhere(np.isnan(picture.image)).tolist() == [[7, 3], [7, 60]]
    assert picture.image[0, 60] == 99
    assert not picture.mask.any()
