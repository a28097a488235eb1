"""Profiles: projections, spectra, bands."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import signal

from isrflow.kernels.profiles import banding_amplitude, project, smooth, spectrum, summarize_banding, window_of


def test_projections_are_the_mean_row_and_the_mean_column() -> None:
    found = project(np.array([[1.0, 2.0, 3.0], [3.0, 6.0, 3.0]], np.float32), 0)
    assert found.horizontal.tolist() == [2.0, 4.0, 3.0]
    assert found.vertical.tolist() == [2.0, 4.0]
    assert found.horizontal_spectrum is None


def test_smoothing_drops_the_ends_unless_the_length_is_to_be_kept() -> None:
    profile = [3.0, 6.0, 9.0, 0.0]
    assert smooth(profile, 3).tolist() == pytest.approx([6.0, 5.0])
    assert smooth(profile, 3, keep_length=True).tolist() == pytest.approx([3.0, 6.0, 5.0, 3.0])
    assert smooth(profile, 0).tolist() == profile


def test_a_window_longer_than_the_profile_is_refused() -> None:
    with pytest.raises(ValueError, match="a window of 5 pixels is longer than the profile, which has 4"):
        smooth(np.zeros(4), 5)


def test_the_spectrum_of_a_wave_peaks_at_its_frequency() -> None:
    wave = np.cos(2 * np.pi * 8 * np.arange(64) / 64)
    found = spectrum(wave, "NONE")
    assert found.shape == (33,)
    assert found[8] == pytest.approx(32.0)
    assert np.abs(np.delete(found, 8)).max() < 1e-12
    assert np.argmax(np.abs(spectrum(wave, "HAMMING"))) == 8


@pytest.mark.parametrize(
    ("kind", "scipys"),
    [("HAMMING", signal.windows.hamming(33)), ("HANN", signal.windows.hann(33)), ("NONE", np.ones(33))],
)
def test_windows_are_those_of_scipy(kind, scipys) -> None:
    np.testing.assert_allclose(window_of(kind, 33), scipys, atol=1e-15)


def test_the_gaussian_window_ends_at_three_deviations() -> None:
    np.testing.assert_allclose(window_of("GAUSSIAN", 61), signal.windows.gaussian(61, 10.0), atol=1e-15)
    assert window_of("GAUSSIAN", 1).tolist() == [1.0]


def test_bands_spread_the_row_levels() -> None:
    rows = np.repeat(np.arange(101.0), 4).reshape(101, 4)
    assert banding_amplitude(rows, 1, 0.1, 0.9) == pytest.approx(80.0)
    assert banding_amplitude(np.full((50, 4), 7.0), 3, 0.1, 0.9) == pytest.approx(0.0, abs=1e-12)


def test_amplifiers_without_overscan_do_not_count() -> None:
    bands = {"A": 1.0, "B": math.nan, "C": 5.0, "D": 7.0}
    assert summarize_banding(bands, first_half=True).detector == 1.0
    assert summarize_banding(bands, first_half=False).detector == 5.0
    assert math.isnan(summarize_banding({"A": math.nan}, first_half=False).detector)
