"""The step around the background's level and flatness."""

from __future__ import annotations

import math

import numpy as np
import pytest

from isrflow.errors import MaskPlaneError
from isrflow.frame.mask import mask_bits
from isrflow.steps.background import BackgroundConfig, measure_background
from tests.steps.tinyraw import trimmed


def test_the_numbers_stand_in_the_header() -> None:
    exposure = trimmed(50.0)
    exposure.image[:, :2] = 60.0
    exposure.image[0, 0], exposure.mask[0, 0] = 1e6, mask_bits("SAT")
    before = exposure.image.copy()
    found = measure_background(exposure, BackgroundConfig(mesh_x_px=2, mesh_y_px=2)).flatness
    np.testing.assert_array_equal(exposure.image, before)
    assert exposure.header["SKYLEVEL"] == 50.0
    assert exposure.header["FLATNESS_NGRIDS"] == "3x2"
    assert (exposure.header["FLATNESS_MESHX"], exposure.header["FLATNESS_MESHY"]) == (2, 2)
    assert exposure.header["FLATNESS_PP"] == pytest.approx(0.2)
    assert exposure.header["FLATNESS_RMS"] == pytest.approx(np.std([0.2, 0, 0, 0.2, 0, 0]))
    assert found.cells.tolist() == [[60, 50, 50], [60, 50, 50]]


def test_a_picture_that_is_all_bad_has_no_flatness(caplog) -> None:
    exposure = trimmed(50.0)
    exposure.mask[:] = mask_bits("BAD")
    measure_background(exposure, BackgroundConfig(mesh_x_px=2, mesh_y_px=2))
    assert math.isnan(exposure.header["FLATNESS_RMS"])
    assert "no cell of the background has a usable pixel" in caplog.text


def test_a_plane_nobody_made_is_refused() -> None:
    with pytest.raises(MaskPlaneError, match="NOWHERE"):
        measure_background(trimmed(), BackgroundConfig(ignored_planes=("NOWHERE",)))
