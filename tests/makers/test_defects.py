"""Defects found in masters whose bad pixels were put in by hand."""

from __future__ import annotations

import numpy as np
import pytest

from isrflow.calibs.base import CalibInfo
from isrflow.calibs.dark import Dark
from isrflow.calibs.flat import Flat
from isrflow.errors import UnprocessableError
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.frame.obs import Observation
from isrflow.makers.defects import DefectsConfig, make_defects
from tests.makers.conftest import NX, NY, the_detector

SHAPE = (NY, 2 * NX)


def a_master(kind, image, *, variance=1e-4, mask=None, **obs):
    planes = image.astype(np.float32), np.zeros(SHAPE, np.int32) if mask is None else mask
    exposure = Exposure(*planes, np.full(SHAPE, variance, np.float32), detector=the_detector(), obs=Observation(**obs))
    return kind(exposure=exposure, info=CalibInfo(detector_name="S01"))


def pixels(defects) -> set[tuple[int, int]]:
    return {(int(x), int(y)) for y, x in np.argwhere(defects.mask(SHAPE))}


def test_hot_pixels_are_above_the_threshold_in_electrons_per_second() -> None:
    image = np.full(SHAPE, 0.1)
    image[3, 5] = 0.1 + 2.6  # 5.2 electron/s at 2 electron/adu
    image[4, 6] = 0.1 + 2.4  # 4.8 electron/s
    dark = a_master(Dark, image, dark_time_s=1.0)
    assert pixels(make_defects(the_detector(), dark=dark)) == {(5, 3)}
    slower = a_master(Dark, image, dark_time_s=0.9)  # the same excess in less time
    assert pixels(make_defects(the_detector(), dark=slower)) == {(5, 3), (6, 4)}


def test_noise_is_not_hot() -> None:
    image = np.full(SHAPE, 0.1)
    image[3, 5] = 5.0
    noisy = a_master(Dark, image, variance=4.0, dark_time_s=1.0)  # 4.9 / 2 is no 4.8 sigma
    assert pixels(make_defects(the_detector(), dark=noisy)) == set()


def test_dead_and_bright_pixels_are_judged_by_their_own_amplifier() -> None:
    image = np.ones(SHAPE)
    image[:, NX:] = 0.7  # an amplifier of low gain is no defect
    image[2, 2], image[7, 20] = 0.79, 0.7 * 1.26
    image[8, 3], image[9, 21] = 0.81, 0.7 * 1.24
    defects = make_defects(the_detector(), flats=[a_master(Flat, image)])
    assert pixels(defects) == {(2, 2), (20, 7)}
    assert defects.info.metadata["LSST CALIB DEFECTS L N_COLD"] == 1
    assert defects.info.metadata["LSST CALIB DEFECTS R N_HOT"] == 1


def test_a_pixel_bad_in_any_master_is_a_defect() -> None:
    one, two, mask = np.ones(SHAPE), np.ones(SHAPE), np.zeros(SHAPE, np.int32)
    one[1, 1], two[2, 2] = 0.1, 0.1
    mask[3, 3], mask[4, 4] = mask_bits("BAD"), mask_bits("SAT")
    flats = [a_master(Flat, one), a_master(Flat, two, mask=mask)]
    assert pixels(make_defects(the_detector(), flats=flats)) == {(1, 1), (2, 2), (3, 3)}
    without = make_defects(the_detector(), flats=flats, config=DefectsConfig(include_masked=False))
    assert pixels(without) == {(1, 1), (2, 2)}


def test_gaps_of_a_bad_column_are_closed_but_not_its_long_good_stretches() -> None:
    image = np.ones(SHAPE)
    image[[0, 1, 3, 4, 15, 17], 6] = 0.0
    image[[0, 4], 7] = 0.0
    config = DefectsConfig(column_pixels=6, column_gap_px=5)
    found = pixels(make_defects(the_detector(), flats=[a_master(Flat, image)], config=config))
    assert found == {(6, y) for y in (0, 1, 2, 3, 4, 15, 16, 17)} | {(7, 0), (7, 4)}


def test_a_column_that_is_mostly_bad_is_bad_throughout() -> None:
    image = np.ones(SHAPE)
    image[5:17, 6] = 0.0
    config = DefectsConfig(full_column_pixels=12)
    defects = make_defects(the_detector(), flats=[a_master(Flat, image)], config=config)
    assert [(box.x0, box.y0, box.width, box.height) for box in defects.boxes] == [(6, 0, 1, NY)]
    assert defects.info.metadata["LSST CALIB DEFECTS N_BAD_COLUMNS"] == 1


def test_nothing_to_look_at_and_masters_of_others_are_refused() -> None:
    with pytest.raises(UnprocessableError, match="none is given"):
        make_defects(the_detector())
    stranger = a_master(Flat, np.ones(SHAPE))
    with pytest.raises(UnprocessableError, match="the flat is of detector S01"):
        make_defects(the_detector(2), flats=[stranger])
