"""Edges, non-finite pixels, saturation trails, and the record in the header."""

from __future__ import annotations

import numpy as np
import pytest

from isrflow.errors import GeometryError
from isrflow.frame.mask import mask_bits
from isrflow.steps.edges import EdgesConfig, mask_edges
from isrflow.steps.header import HeaderConfig, begin_record
from isrflow.steps.nonfinite import NonfiniteConfig, mask_nonfinite
from isrflow.steps.trails import TrailsConfig, widen_saturation_trails
from tests.steps.tinyraw import trimmed


def test_edges_of_the_detector_are_marked() -> None:
    exposure = trimmed()
    mask_edges(exposure, EdgesConfig(width_px=1))
    assert (exposure.mask == 0).sum() == 2 * 4
    assert exposure.mask[0, 0] == mask_bits("SUSPECT")


def test_edges_of_amplifiers_meet_inside_the_detector() -> None:
    exposure = trimmed()
    mask_edges(exposure, EdgesConfig(width_px=1, level="AMP", plane="EDGE"))
    assert np.argwhere(exposure.mask == 0).tolist() == [[1, 1], [1, 4], [2, 1], [2, 4]]


def test_amplifier_edges_need_amplifiers() -> None:
    exposure = trimmed()
    exposure.detector = None
    with pytest.raises(GeometryError, match="has no detector"):
        mask_edges(exposure, EdgesConfig(width_px=1, level="AMP"))


def test_pixels_that_are_no_numbers_are_marked_and_counted() -> None:
    exposure = trimmed()
    exposure.image[0, 1], exposure.variance[2, 2] = np.nan, np.inf
    assert mask_nonfinite(exposure, NonfiniteConfig()).count == 2
    assert np.argwhere(exposure.mask == mask_bits("UNMASKEDNAN")).tolist() == [[0, 1], [2, 2]]


def test_trails_grow_in_the_saturation_plane_only() -> None:
    exposure = trimmed()
    exposure.mask[1] = mask_bits("SAT")  # all six columns of the row: nowhere to grow
    exposure.mask[2] = mask_bits("BAD")
    before = exposure.mask.copy()
    widen_saturation_trails(exposure, TrailsConfig())
    assert np.array_equal(exposure.mask, before)


def test_the_record_says_that_nothing_is_applied_yet() -> None:
    exposure = trimmed()
    begin_record(exposure, HeaderConfig())
    assert exposure.header["LSST ISR UNITS"] == "adu"
    applied = {card for card, value in exposure.header.items() if value is False}
    corrections = ("CROSSTALK", "LINEARIZER", "CTI", "BIAS", "DARK", "BF", "FLAT", "DEFECTS")
    assert applied == {f"LSST ISR {name} APPLIED" for name in corrections}
