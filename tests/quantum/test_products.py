"""Which by-products become datasets."""

from __future__ import annotations

import json

import numpy as np
import pytest

from isrflow.quantum.products import products_of
from isrflow.quantum.types import dataset_types
from isrflow.run import IsrResult
from isrflow.steps.byproducts import KeptOverscan, OverscanPixels
from isrflow.steps.copies import CopyConfig, keep_before_interpolation
from isrflow.steps.isr_statistics import IsrStatisticsConfig, measure_isr_statistics
from isrflow.steps.statistics import StatisticsConfig, measure_statistics
from tests.steps.tinyraw import trimmed

ALL = {"charge_transfer": True, "banding": True, "projections": True, "projection_spectra": True}
MORE = {"amplifier_correlations": True, "divisadero": True, "divisadero_edge_px": 0, "divisadero_last_row": 4}
FEW = {"bias_shifts": True, "shift_window_rows": 2, "shift_filter_order": 1, "shift_skip_rows": 0}


def result(*given) -> IsrResult:
    return IsrResult(trimmed(), {type(each): each for each in given})


def test_one_dataset_holds_the_numbers_of_both_rows_that_measure() -> None:
    picture = trimmed(10.0)
    picture.header["MJD"] = 60000.5
    pixels = KeptOverscan(np.arange(16, dtype=np.float32).reshape(8, 2) ** 2, 0.0)
    settings = IsrStatisticsConfig(**ALL, **MORE, **FEW, shift_skip_columns=0, divisadero_first_row=0)
    readout = measure_isr_statistics(picture, settings, overscan=OverscanPixels({"L": pixels}))
    standard = measure_statistics(picture, StatisticsConfig())
    values = products_of(result(standard, readout))["isr_statistics"]
    again = json.loads(json.dumps(values, allow_nan=False))
    assert again == values
    assert values["amplifiers"]["L"]["mean"] == 10.0
    assert values["MJD"] == 60000.5
    assert values["CTI"]["L"]["OVERSCAN_COLUMNS"] == [0, 1]
    assert values["BANDING"]["AMP_BANDING"][1] is None  # NaN
    assert values["PROJECTION"]["AMP_HFFT_REAL"]["L"][0] == pytest.approx(11.6)  # window 0.08, 1, 0.08
    assert {(row["ampName"], row["ampComp"]) for row in values["AMPCORR"]} == {("L", "L"), ("L", "R"), ("R", "L")}
    assert values["DIVISADERO"]["L"]["DIVISADERO_PROFILE"] == pytest.approx([1.0, 1.0, 1.0])
    assert values["BIASSHIFT"]["R"] == {"LOCAL_NOISE": 0.0, "BIAS_SHIFTS": []}
    assert values["CALIBDIST"] is None


def test_either_row_alone_gives_the_dataset() -> None:
    standard = measure_statistics(trimmed(), StatisticsConfig())
    assert set(products_of(result(standard))["isr_statistics"]) == {"amplifiers"}
    readout = measure_isr_statistics(trimmed(), IsrStatisticsConfig())
    assert "amplifiers" not in products_of(result(readout))["isr_statistics"]
    assert "isr_statistics" not in products_of(result())


def test_the_picture_before_interpolation_is_a_dataset() -> None:
    before = keep_before_interpolation(trimmed(3.0), CopyConfig())
    assert products_of(result(before))["pre_interp"].image.max() == 3.0
    assert {"pre_interp", "isr_statistics"} <= {each.name for each in dataset_types()}
