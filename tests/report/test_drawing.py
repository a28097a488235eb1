from __future__ import annotations

import base64
import io
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from flows.report.layout import focal_plane
from flows.report.maps import amplifier_map, colour_bar
from flows.report.mosaic import assembled_raw, draw_mosaic, png_uri
from flows.report.scale import DIVERGING, Scale
from flows.report.trends import LINES, Series, trend
from isrflow.frame.camera import load_camera
from isrflow.frame.exposure import Exposure

TINY = load_camera("tiny")


def test_the_ends_of_a_scale_have_the_ends_of_its_ramp_and_zero_is_grey_when_centred() -> None:
    scale = Scale.centred([-2.0, 1.0])
    assert (scale.low, scale.high) == (-2.0, 2.0)
    assert (scale.colour(-2.0), scale.colour(2.0)) == (DIVERGING[0], DIVERGING[-1])
    assert scale.colour(0.0) == "#eeeeee"
    assert scale.colour(99.0) == scale.colour(2.0)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.floats(-1e7, 1e7))
def test_every_value_has_a_colour(values: list[float], value: float) -> None:
    for scale in (Scale.even(values), Scale.centred(values)):
        assert len(scale.colour(value)) == 7
        assert scale.ink(value) in {"#111", "#fff"}


def test_a_map_has_an_amplifier_each_with_its_value_and_marks_those_without() -> None:
    values = {(0, "L"): 1.0, (0, "R"): 2.0, (1, "L"): 3.0}
    svg = ET.fromstring(amplifier_map(focal_plane(TINY), values, Scale.even([1.0, 3.0]), 1))
    titles = [item.text for item in svg.iter("title")]
    assert titles == ["A L: 1.0", "A R: 2.0", "B L: 3.0", "B R: no value"]
    assert [item.text for item in svg.iter("text")] == ["1.0", "2.0", "3.0"]


def test_amplifiers_of_a_map_lie_in_their_detector() -> None:
    svg = ET.fromstring(amplifier_map(focal_plane(TINY), {(0, "L"): 1.0}, Scale.even([1.0]), 0))
    left, right = list(svg.iter("rect"))[:2]
    assert float(left.get("x")) == pytest.approx(-0.48)  # half of 64 px of 0.015 mm to the left of the centre
    assert float(right.get("x")) == pytest.approx(0.0)


def test_the_key_of_a_constant_quantity_says_everywhere() -> None:
    assert "5.0 adu everywhere" in colour_bar(Scale.even([5.0, 5.0]), "adu", 1)


def test_a_trend_names_the_lines_that_move_most_and_is_empty_when_nothing_moves() -> None:
    quiet = [Series(f"q{number}", (1.0, 1.01, 1.0)) for number in range(5)]
    loud = Series("loud & clear", (1.0, None, 9.0))
    svg = ET.fromstring(trend([*quiet, loud], ["a", "b", "c"], 1))
    names = [item.text for item in svg.iter("text") if "name" in item.get("class", "")]
    assert "loud & clear" in names
    assert len(names) == 3
    assert trend([Series("still", (2.0, 2.0))], ["a", "b"], 1) == ""
    assert trend([Series("unknown", (None, None))], ["a", "b"], 1) == ""


def test_very_many_lines_become_a_band() -> None:
    many = [Series(str(number), (float(number), float(number) + 1)) for number in range(LINES + 1)]
    svg = ET.fromstring(trend(many, ["a", "b"], 0))
    assert len(list(svg.iter("polygon"))) == 1
    assert len(list(svg.iter("g"))) == 3


def test_a_picture_is_written_upright() -> None:
    levels = np.zeros((2, 3), np.float32)
    levels[0, 0] = 1.0  # the first row is the lowest
    data = base64.b64decode(png_uri(levels).partition(",")[2])
    pixels = np.asarray(Image.open(io.BytesIO(data)))
    assert pixels.tolist() == [[0, 0, 0], [255, 0, 0]]


def test_a_raw_is_put_together_with_its_flips_and_nothing_else() -> None:
    detector = TINY.detectors[0]
    raw = Exposure(np.zeros(detector.raw_box.shape, np.uint16), detector=detector)
    right = detector.amplifier("R")
    raw.image[right.raw_data.y0, right.raw_data.x0] = 700  # the first pixel read is the rightmost of the detector
    whole = assembled_raw(raw)
    assert whole.shape == (48, 64)
    assert whole[0, 63] == 700
    assert whole.sum() == 700


def test_a_detector_without_picture_is_an_outline() -> None:
    mosaic = draw_mosaic(focal_plane(TINY), {0: np.ones((4, 4), np.float32)})
    svg = ET.fromstring(mosaic.svg)
    assert len(list(svg.iter("image"))) == 1
    assert [item.get("class") for item in svg.iter("rect")] == ["none"]
    assert mosaic.low < 1.0 < mosaic.high
