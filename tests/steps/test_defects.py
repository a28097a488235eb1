"""Defect masks."""

import numpy as np

from isrflow.calibs.defects import Defects
from isrflow.frame.box import Box
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.steps.defects import DefectsConfig, mask_defects


def test_boxes_are_cut_at_the_image_and_other_bits_are_kept() -> None:
    shape = (4, 6)
    exposure = Exposure(np.zeros(shape, np.float32), np.full(shape, 2, np.int32), np.zeros(shape, np.float32))
    boxes = (Box(-1, -1, 2, 2), Box(4, 3, 9, 9), Box(2, 1, 1, 2), Box(20, 20, 3, 3))
    mask_defects(exposure, DefectsConfig(), defects=Defects(boxes=boxes))
    assert {tuple(yx) for yx in np.argwhere(exposure.mask == 3)} == {(0, 0), (3, 4), (3, 5), (1, 2), (2, 2)}
    assert exposure.header["LSST ISR DEFECTS APPLIED"] is True


def test_boxes_speak_the_coordinates_of_the_detector() -> None:
    shape = (4, 6)
    part = Exposure(np.zeros(shape, np.float32), np.zeros(shape, np.int32), np.zeros(shape, np.float32), xy0=(10, 20))
    mask_defects(part, DefectsConfig(plane="SUSPECT"), defects=Defects(boxes=(Box(11, 22, 1, 1),)))
    assert np.argwhere(part.mask == mask_bits("SUSPECT")).tolist() == [[2, 1]]
