"""Zero points, and their way through FITS."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isrflow.frame.exposure import Exposure
from isrflow.frame.fits import read_exposure, write_exposure
from isrflow.frame.zero_point import ZeroPoint, zero_point_cards, zero_point_of


def test_magnitude_and_flux_of_a_count() -> None:
    zero_point = ZeroPoint(10**11.2 * 30)
    assert zero_point.magnitude == pytest.approx(31.69, abs=5e-3)
    assert zero_point.njy_per_count * zero_point.counts_at_mag0 == pytest.approx(3.6307805477010024e12)


@given(st.floats(1e-300, 1e300), st.floats(0, 1e10))
def test_cards_say_it_exactly(counts, error) -> None:
    zero_point = ZeroPoint(counts, error)
    assert zero_point_of(zero_point_cards(zero_point)) == zero_point


@pytest.mark.parametrize("zero_point", [None, ZeroPoint(10**11.2 * 29.7), ZeroPoint(1 / 3, 0.1 + 0.2)])
def test_it_comes_back_exactly_from_a_file(zero_point, tmp_path) -> None:
    header = {"FLUXMAG0": 5.0, "OTHER": 1}  # what a raw file may have said does not count
    exposure = Exposure(np.ones((2, 2), np.float32), header=header, zero_point=zero_point)
    write_exposure(exposure, tmp_path / "a.fits")
    again = read_exposure(tmp_path / "a.fits")
    assert again.zero_point == zero_point
    assert "FLUXMAG0" not in again.header
    assert again.header["OTHER"] == 1


@pytest.mark.parametrize("card", [None, "x", True, 0.0, -1.0, float("nan")])
def test_cards_without_a_positive_number_state_none(card) -> None:
    assert zero_point_of({"FLUXMAG0": card}) is None
