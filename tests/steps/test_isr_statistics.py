"""Statistics of the readout, on a detector small enough to calculate by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from isrflow.calibs.base import CalibInfo
from isrflow.calibs.bias import Bias
from isrflow.calibs.defects import Defects
from isrflow.errors import ConfigError, GeometryError
from isrflow.frame.exposure import Exposure
from isrflow.steps.byproducts import EffectivePtc, KeptOverscan, OverscanPixels, UntrimmedCopy
from isrflow.steps.isr_statistics import IsrStatisticsConfig, measure_isr_statistics
from tests.steps.tinyraw import raw, trimmed


def kept(**levels) -> OverscanPixels:
    """Serial overscans of four rows of two pixels."""
    return OverscanPixels(
        {name: KeptOverscan(np.array(rows, np.float32), 0.0) for name, rows in levels.items()},
    )


ROWS = [[1, 1], [2, 4], [3, 3], [8, 8]]


def test_nothing_is_measured_unless_it_is_switched_on() -> None:
    found = measure_isr_statistics(trimmed(), IsrStatisticsConfig())
    assert found.mjd is None
    assert found.banding is None
    assert found.charge_transfer is None


def test_charge_transfer_is_told_by_the_outer_lines_in_electrons() -> None:
    mosaic = raw()
    mosaic.image[:4, 1:4] = [[1, 2, 3], [1, 2, 3], [1, 2, 3], [1, 2, 9]]  # L: read from its left
    mosaic.image[:4, 7:10] = [[1, 2, 3]] * 4  # R: mirrored in the file, so read from the left there too
    mosaic.image[:4, 4:6], mosaic.image[4, 1:4] = [7, 5], 4
    picture = trimmed(10.0)
    config = IsrStatisticsConfig(charge_transfer=True, statistic="MEAN")
    found = measure_isr_statistics(picture, config, untrimmed=UntrimmedCopy(mosaic)).charge_transfer
    left = found["L"]
    assert (left.gain_electron_per_adu, left.image_mean) == (2.0, 20.0)
    assert (left.outer.first_column, left.outer.last_column) == (2.0, 9.0)
    assert (left.outer.first_row, left.outer.last_row) == (4.0, 8.0)
    assert (left.serial_overscan.index, left.serial_overscan.values) == ((0, 1), (14.0, 10.0))
    assert (left.parallel_overscan.index, left.parallel_overscan.values) == ((0,), (8.0,))
    assert math.isnan(left.turnoff_electron)
    assert (found["R"].outer.first_column, found["R"].outer.last_column) == (2.0, 6.0)


def test_gains_and_turnoffs_come_from_the_effective_ptc() -> None:
    both = {"L": 3.0, "R": 5.0}
    ptc = EffectivePtc(both, both, {"L": 1000.0, "R": 2e19})
    picture = trimmed(10.0)
    config = IsrStatisticsConfig(charge_transfer=True)
    found = measure_isr_statistics(picture, config, overscan=kept(L=ROWS, R=ROWS), effective_ptc=ptc).charge_transfer
    assert found["L"].image_mean == 30.0
    assert found["L"].turnoff_electron == 3000.0
    assert math.isnan(found["R"].turnoff_electron)


def test_without_the_raw_mosaic_columns_come_from_picture_and_overscan() -> None:
    picture = trimmed()
    picture.image[:, :3], picture.image[:, 3:] = [1, 2, 3], [4, 5, 6]
    config = IsrStatisticsConfig(charge_transfer=True, statistic="MEAN")
    found = measure_isr_statistics(picture, config, overscan=kept(L=ROWS)).charge_transfer
    assert (found["L"].outer.first_column, found["L"].outer.last_column) == (2.0, 6.0)
    assert (found["R"].outer.first_column, found["R"].outer.last_column) == (12.0, 8.0)  # read from the right
    assert found["L"].serial_overscan.values == (7.0, 8.0)
    assert found["L"].parallel_overscan is None
    assert found["R"].serial_overscan.values == ()  # it had no overscan


def test_electrons_are_not_multiplied_again() -> None:
    picture = trimmed(10.0)
    picture.unit = "electron"
    found = measure_isr_statistics(picture, IsrStatisticsConfig(charge_transfer=True), overscan=kept(L=ROWS))
    assert found.charge_transfer["L"].image_mean == 10.0


def test_bands_of_the_first_half_count_for_the_detector() -> None:
    config = IsrStatisticsConfig(banding=True, banding_rows=1, banding_low=0.0, banding_high=1.0)
    found = measure_isr_statistics(trimmed(), config, overscan=kept(L=ROWS)).banding
    assert found.amplifiers["L"] == 7.0
    assert math.isnan(found.amplifiers["R"])
    assert found.detector == 7.0


def test_what_was_not_kept_cannot_be_measured() -> None:
    with pytest.raises(ConfigError, match="pixels of the serial overscans, which were not kept"):
        measure_isr_statistics(trimmed(), IsrStatisticsConfig(banding=True))


def test_projections_and_their_spectra() -> None:
    picture = trimmed()
    picture.image[:, :3] = [1, 2, 6]
    found = measure_isr_statistics(picture, IsrStatisticsConfig(projections=True)).projections["L"]
    assert found.horizontal.tolist() == [1, 2, 6]
    assert found.vertical.tolist() == [3, 3, 3, 3]
    config = IsrStatisticsConfig(projections=True, projection_spectra=True, spectrum_window="NONE")
    found = measure_isr_statistics(picture, config).projections["L"]
    assert found.vertical_spectrum.tolist() == [12, 0, 0]
    assert found.horizontal_spectrum[0] == 9


def test_percentiles_and_counts_are_copied_from_headers() -> None:
    card = "LSST CALIB BIAS L DISTRIBUTION 50.0-PCT"
    bias = Bias(exposure=Exposure(np.zeros((1, 1), np.float32), header={card: 5}))
    counts = {"LSST CALIB DEFECTS L N_HOT": 3, "LSST CALIB DEFECTS R N_HOT": 4, "OTHER": 1}
    config = IsrStatisticsConfig(calibration_distributions=True, distribution_percentiles=(16.0, 50.0))
    found = measure_isr_statistics(trimmed(), config, bias=bias, defects=Defects(info=CalibInfo(metadata=counts)))
    copied = found.calibration_distributions
    assert copied["L"][card] == 5.0
    assert math.isnan(copied["L"]["LSST CALIB BIAS L DISTRIBUTION 16.0-PCT"])
    assert copied["L"]["LSST CALIB DEFECTS L N_HOT"] == 3.0
    assert len(copied["R"]) == 3


def test_shifts_are_looked_for_behind_the_first_columns() -> None:
    rows = np.zeros((8, 3))
    rows[:, 0] = np.arange(8) * 100  # left out
    rows[4:, 1:] = 8
    config = IsrStatisticsConfig(
        bias_shifts=True, shift_window_rows=3, shift_skip_rows=0, shift_skip_columns=1, shift_filter_order=1
    )
    found = measure_isr_statistics(trimmed(), config, overscan=kept(L=rows)).bias_shifts
    assert [(shift.row, round(shift.size, 6)) for shift in found["L"].shifts] == [(4, 8.0)]
    assert (found["R"].noise, found["R"].shifts) == (0.0, ())


def test_correlations_of_pixels_and_overscans() -> None:
    picture = trimmed()
    picture.image[:, :3] = np.arange(12).reshape(4, 3)
    picture.image[:, 3:] = -2 * np.arange(12).reshape(4, 3)
    config = IsrStatisticsConfig(amplifier_correlations=True)
    found = measure_isr_statistics(picture, config, overscan=kept(L=ROWS, R=ROWS)).correlations
    assert found.image[0, 1] == pytest.approx(-1)
    assert found.overscan[1, 0] == pytest.approx(1)
    found = measure_isr_statistics(picture, config, overscan=kept(L=ROWS)).correlations
    assert np.isnan(found.image[0, 1])
    assert found.present == {0}


def test_borders_between_amplifiers() -> None:
    picture = trimmed(100.0)
    picture.image[:, 2] = 105.0
    config = IsrStatisticsConfig(
        divisadero=True, divisadero_edge_px=0, divisadero_impact_px=1, divisadero_first_row=1, divisadero_last_row=3
    )
    found = measure_isr_statistics(picture, config).divisadero
    # responses 1, 1, 1.05 over the line 1 + 1/60 + (x - 1) / 40 that fits them best
    assert found["L"].left == pytest.approx(1 / (1 + 1 / 60 - 1 / 40) - 1, rel=1e-5)
    assert found["L"].right == pytest.approx(1.05 / (1 + 1 / 60 + 1 / 40) - 1, rel=1e-5)
    assert found["R"].left == pytest.approx(0.0, abs=1e-7)
    assert found["L"].at_borders == found["R"].at_borders == max(found["L"].right, found["R"].left)


def test_a_raw_mosaic_is_not_finished() -> None:
    with pytest.raises(GeometryError, match="is not assembled"):
        measure_isr_statistics(raw(), IsrStatisticsConfig())
