"""Boxes and FITS sections."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isrflow.errors import GeometryError
from isrflow.frame.box import Box

boxes = st.builds(Box, st.integers(-50, 50), st.integers(-50, 50), st.integers(0, 40), st.integers(0, 40))


def pixels(box: Box) -> set[tuple[int, int]]:
    return {(x, y) for x in range(box.x0, box.x1) for y in range(box.y0, box.y1)}


def test_a_section_counts_from_one_and_includes_both_ends():
    section = Box.parse("[1:512, 2:2001]")
    assert section.box == Box(0, 1, 512, 2000)
    assert not section.flip_x
    assert not section.flip_y


def test_a_section_may_run_backwards():
    section = Box.parse("[512:1,2001:2]")
    assert section.box == Box(0, 1, 512, 2000)
    assert section.flip_x
    assert section.flip_y


@pytest.mark.parametrize("text", ["", "[1:2]", "1:2,3:4", "[a:b,c:d]", "[1:2,3:4,5:6]"])
def test_what_is_not_a_section_is_refused_with_the_form_to_write(text):
    with pytest.raises(GeometryError, match=r"is not a FITS section\n  try: write it as \[x1:x2,y1:y2\]"):
        Box.parse(text)


@given(st.builds(Box, st.integers(0, 50), st.integers(0, 50), st.integers(1, 40), st.integers(1, 40)))
def test_writing_a_section_and_reading_it_gives_the_box_back(box):
    assert Box.parse(box.section()).box == box


@given(boxes, boxes)
def test_intersection_holds_exactly_the_shared_pixels(a, b):
    assert pixels(a.intersect(b)) == pixels(a) & pixels(b)
    assert a.overlaps(b) == bool(pixels(a) & pixels(b))


@given(boxes, boxes)
def test_union_holds_both_and_contains_agrees_with_the_pixels(a, b):
    assert pixels(a) | pixels(b) <= pixels(a.union(b))
    assert a.contains(b) == (pixels(b) <= pixels(a))


@given(boxes, st.integers(-5, 5), st.integers(-5, 5))
def test_shifting_there_and_back_changes_nothing(box, dx, dy):
    assert box.shifted(dx, dy).shifted(-dx, -dy) == box


def test_slices_are_in_array_order_and_relative_to_the_origin():
    image = np.arange(20).reshape(4, 5)
    assert image[Box(1, 2, 3, 1).slices()].tolist() == [[11, 12, 13]]
    assert image[Box(11, 22, 3, 1).slices(origin=(10, 20))].tolist() == [[11, 12, 13]]


def test_growing_and_shrinking():
    assert Box(2, 3, 4, 5).grown(1) == Box(1, 2, 6, 7)
    assert Box(2, 3, 4, 5).grown(-1) == Box(3, 4, 2, 3)
    assert Box(2, 3, 4, 5).grown(-9).is_empty


def test_a_negative_size_is_refused():
    with pytest.raises(GeometryError, match="negative size: -1 x 4 pixels"):
        Box(0, 0, -1, 4)
