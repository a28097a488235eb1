"""Defects: forms, normal form, and the pixels they cover."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from hypothesis import given
from hypothesis import strategies as st

from isrflow.calibs.defects import Defects, normalise
from isrflow.calibs.files import read_calibration, write_calibration
from isrflow.errors import CalibrationError, CalibrationFileError, ConfigError
from isrflow.frame.box import Box

boxes = st.builds(Box, st.integers(-5, 15), st.integers(-5, 15), st.integers(1, 6), st.integers(1, 6))


@given(st.lists(boxes, max_size=8))
def test_normalised_boxes_are_disjoint_and_cover_the_same_pixels(given_boxes) -> None:
    shifted = [box.shifted(5, 5) for box in given_boxes]
    result = Defects(boxes=tuple(shifted)).normalised()
    np.testing.assert_array_equal(result.mask((30, 30)), Defects(boxes=tuple(shifted)).mask((30, 30)))
    assert sum(box.area for box in result.boxes) == np.count_nonzero(result.mask((30, 30)))
    assert normalise(result.boxes) == result.boxes


def test_overlapping_boxes_are_cut_bottom_up() -> None:
    # a 3x2 box with a 2x3 box on its upper right corner: the lowest row is one run of 3, the third row a run of 2
    assert normalise([Box(0, 0, 3, 2), Box(1, 1, 2, 3)]) == (Box(0, 0, 3, 2), Box(1, 2, 2, 2))


def test_defects_outside_the_image_are_cut_off() -> None:
    mask = Defects(boxes=(Box(-1, -1, 3, 2), Box(8, 8, 1, 1))).mask((4, 4))
    assert np.argwhere(mask).tolist() == [[0, 0], [0, 1]]


def test_regions_count_from_one_and_round_toward_zero(tmp_path) -> None:
    table = Table(
        {
            "X": [5.0, 5.5, 6.0, 3.0],
            "Y": [7.0, 7.5, 7.0, 3.0],
            "SHAPE": ["POINT", "BOX", "rotbox", "ROTBOX"],
            "R": [[0.0, 0.0], [2.0, 4.0], [4.0, 2.0], [4.0, 2.0]],
            "ROTANG": [0.0, 0.0, 90.0, 45.0],
        }
    )
    fits.HDUList([fits.PrimaryHDU(), fits.table_to_hdu(table)]).writeto(tmp_path / "regions.fits")
    # BOX: centre (4.5, 6.5) in zero-based pixels, so x0 = trunc(4.5 - 1 + 0.5) = 4, y0 = trunc(6.5 - 2 + 0.5) = 5
    # turned by 90 degrees 4 x 2 is 2 x 4: centre (5, 6): x0 = trunc(5 - 1 + 0.5) = 4, y0 = trunc(6 - 2 + 0.5) = 4
    expected = (Box(4, 6, 1, 1), Box(4, 5, 2, 4), Box(4, 4, 2, 4))
    assert read_calibration("defects", tmp_path / "regions.fits").boxes == expected


def test_plain_text_is_four_columns(tmp_path) -> None:
    (tmp_path / "d.txt").write_text("# x0 y0 w h\n1 2 3 4\n\n5 6 1 1  # hot\n")
    assert read_calibration("defects", tmp_path / "d.txt").boxes == (Box(1, 2, 3, 4), Box(5, 6, 1, 1))
    (tmp_path / "d.txt").write_text("1 2 3\n1 2 3 x\n")
    with pytest.raises(CalibrationFileError, match=r"d\.txt.*line 1: '1 2 3'; line 2: '1 2 3 x'"):
        read_calibration("defects", tmp_path / "d.txt")


def test_no_defects_is_a_valid_list(tmp_path) -> None:
    for suffix in (".fits", ".ecsv", ".yaml"):
        write_calibration(Defects(), tmp_path / f"d{suffix}")
        assert read_calibration("defects", tmp_path / f"d{suffix}").boxes == ()


def test_an_empty_box_is_refused_by_place() -> None:
    with pytest.raises(CalibrationError, match=r"box 1 at \(3, 4\)"):
        Defects(boxes=(Box(0, 0, 1, 1), Box(3, 4, 0, 1))).check()


def test_a_table_of_something_else_says_what_is_missing(tmp_path) -> None:
    Table({"x0": [1], "y": [2]}).write(tmp_path / "d.ecsv", format="ascii.ecsv")
    with pytest.raises(CalibrationFileError, match="missing y0, width, height; the table has x0, y"):
        read_calibration("defects", tmp_path / "d.ecsv")


def test_a_form_that_cannot_hold_it_is_refused(tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be written as d\.png"):
        write_calibration(Defects(), tmp_path / "d.png")


@given(st.lists(boxes, max_size=6))
def test_transposed_boxes_cover_the_transposed_pixels(given_boxes) -> None:
    defects = Defects(boxes=tuple(box.shifted(5, 5) for box in given_boxes))
    np.testing.assert_array_equal(defects.transposed().mask((30, 30)), defects.mask((30, 30)).T)


def test_a_region_table_is_read_back_as_the_same_boxes(tmp_path) -> None:
    defects = Defects(boxes=(Box(4, 6, 1, 1), Box(4, 5, 2, 4), Box(0, 0, 3, 1)))
    table = defects.to_regions()
    assert [str(shape) for shape in table["SHAPE"]] == ["POINT", "BOX", "BOX"]
    # the box of 2 x 4 from (4, 5): its centre (4.5, 6.5) is (5.5, 7.5) where pixels count from one
    assert (table["X"][1], table["Y"][1], table["R"][1].tolist()) == (5.5, 7.5, [2.0, 4.0])
    table.meta = {"EXTNAME": "REGION"}
    fits.HDUList([fits.PrimaryHDU(), fits.table_to_hdu(table)]).writeto(tmp_path / "r.fits")
    assert read_calibration("defects", tmp_path / "r.fits").boxes == defects.boxes
    assert len(Defects().to_regions()) == 0
