"""Keeping what later steps change."""

from __future__ import annotations

import numpy as np
import pytest

from isrflow.errors import GeometryError
from isrflow.steps.byproducts import KeptOverscan, OverscanFits
from isrflow.steps.copies import CopyConfig, keep_before_interpolation, keep_overscan, keep_untrimmed
from isrflow.steps.overscan import OverscanConfig, subtract_overscan
from tests.steps.tinyraw import raw, trimmed


@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize("fit_type", ["MEDIAN", "MEDIAN_PER_ROW"])
def test_the_overscan_as_read_can_be_had_again(fit_type, parallel) -> None:
    exposure = raw()
    exposure.image[:] = np.random.default_rng(1).integers(90, 110, exposure.image.shape)
    before = exposure.image.copy()
    fits = subtract_overscan(exposure, OverscanConfig(fit_type=fit_type, parallel=parallel))
    kept = keep_overscan(exposure, CopyConfig(), overscan=fits).amplifiers
    rows = 5 if parallel and fit_type == "MEDIAN_PER_ROW" else 4  # with the corner, where the model has its rows
    np.testing.assert_array_equal(kept["L"].pixels, before[:rows, 4:6])
    np.testing.assert_array_equal(kept["L"].residual, exposure.image[:rows, 4:6])
    exposure.image[:] = -1  # a copy does not follow
    np.testing.assert_array_equal(kept["L"].pixels, before[:rows, 4:6])


def test_lines_come_first_where_the_overscan_lies_above() -> None:
    # the serial overscan is a row above the picture: three lines (columns) of one pixel
    above = {"raw_serial_overscan": raw().detector.amplifiers[0].raw_parallel_overscan}
    exposure = raw(left=above)
    exposure.image[4, 1:4] = [1, 2, 3]
    fits = subtract_overscan(exposure, OverscanConfig(fit_type="MEAN_PER_ROW"))
    kept = keep_overscan(exposure, CopyConfig(), overscan=fits).amplifiers["L"]
    assert kept.pixels.tolist() == [[1], [2], [3]]
    assert kept.residual.shape == (3, 1)


def test_amplifiers_without_a_fit_are_absent() -> None:
    assert keep_overscan(raw(), CopyConfig(), overscan=OverscanFits({})).amplifiers == {}


def test_an_assembled_picture_has_no_overscan() -> None:
    with pytest.raises(GeometryError, match="is trimmed already"):
        keep_overscan(trimmed(), CopyConfig(), overscan=OverscanFits({}))


def test_copies_do_not_change_with_the_exposure() -> None:
    mosaic, picture = raw(5.0), trimmed(7.0)
    untrimmed, before = keep_untrimmed(mosaic, CopyConfig()), keep_before_interpolation(picture, CopyConfig())
    for exposure in (mosaic, picture):
        exposure.image[:] = 0
        exposure.mask[:] = 1
        exposure.header["X"] = 1
    assert untrimmed.exposure.image.min() == 5
    assert before.exposure.image.min() == 7
    assert before.exposure.mask.max() == 0
    assert "X" not in before.exposure.header


def test_a_constant_model_is_added_to_all_lines() -> None:
    kept = KeptOverscan(np.zeros((2, 2), np.float32), 4.0)
    assert kept.pixels.tolist() == [[4.0, 4.0], [4.0, 4.0]]
