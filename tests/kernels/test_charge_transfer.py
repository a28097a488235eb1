"""Levels of outer lines and overscans."""

from __future__ import annotations

import math

import numpy as np
import pytest

from isrflow.kernels.charge_transfer import OuterLines, outer_lines, overscan_lines
from isrflow.kernels.level import LevelRule

MEAN = LevelRule("MEAN")
PICTURE = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 9.0]])


@pytest.mark.parametrize(
    ("right", "top", "expected"),
    [
        (False, False, OuterLines(2.5, 6.0, 2.0, 6.0)),
        (True, False, OuterLines(6.0, 2.5, 2.0, 6.0)),
        (False, True, OuterLines(2.5, 6.0, 6.0, 2.0)),
        (True, True, OuterLines(6.0, 2.5, 6.0, 2.0)),
    ],
)
def test_the_line_read_first_is_the_first(right, top, expected) -> None:
    assert outer_lines(PICTURE, MEAN, from_right=right, from_top=top) == expected


def test_overscan_lines_begin_beside_the_picture() -> None:
    found = overscan_lines(PICTURE, MEAN, reverse=True)
    assert (found.index, found.values) == ((2, 1, 0), (6.0, 3.5, 2.5))
    assert overscan_lines(PICTURE.T, MEAN, reverse=False).values == (2.0, 6.0)


def test_rules_say_how_a_level_is_taken() -> None:
    pixels = np.array([1.0] * 10 + [2.0] * 10 + [1000.0])
    assert LevelRule("MEDIAN").of(pixels) == 2.0
    assert LevelRule("MEANCLIP").of(pixels) == 1.5
    assert LevelRule("MEAN").of(pixels) == pytest.approx(1030 / 21)
    assert math.isnan(LevelRule().of(np.zeros(0)))
