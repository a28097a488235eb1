"""Settings with which steps of both orders do what the newer one needs."""

import math

import numpy as np
import pytest

from isrflow.calibs.crosstalk import Crosstalk
from isrflow.calibs.defects import Defects
from isrflow.calibs.deferred_charge import DeferredCharge
from isrflow.calibs.flat import Flat
from isrflow.calibs.linearizer import Linearizer
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.steps.byproducts import EffectivePtc
from isrflow.steps.crosstalk import CrosstalkConfig, subtract_crosstalk
from isrflow.steps.defects import DefectsConfig, mask_defects
from isrflow.steps.deferred_charge import DeferredChargeConfig, correct_deferred_charge
from isrflow.steps.flat import FlatConfig, divide_by_flat
from isrflow.steps.gains import GainsConfig, apply_gains
from isrflow.steps.header import HeaderConfig, begin_record
from isrflow.steps.linearity import LinearityConfig, linearize
from isrflow.steps.statistics import StatisticsConfig, measure_statistics
from isrflow.steps.variance import VarianceConfig, build_variance
from tests.steps.tinyraw import raw, tiny_detector, trimmed


def curve(**fields) -> EffectivePtc:
    usual = {
        "gain_electron_per_adu": {"L": 2.0, "R": 4.0},
        "noise_electron": {"L": 6.0, "R": 8.0},
        "turnoff_adu": {"L": 100.0, "R": 200.0},
    }
    return EffectivePtc(**{**usual, **fields})


def test_the_record_names_corrections_and_checks() -> None:
    exposure = raw()
    begin_record(exposure, HeaderConfig(corrections=("BIAS",), checks=("NOISE",)))
    assert exposure.header == {"LSST ISR UNITS": "adu", "LSST ISR BIAS APPLIED": False, "LSST ISR NOISE CHECKED": False}


def test_gains_take_the_levels_of_the_header_along() -> None:
    exposure = raw(10.0)
    exposure.header |= {"LSST ISR SATURATION LEVEL L": 100.0, "LSST ISR SUSPECT LEVEL R": 50.0}
    apply_gains(exposure, GainsConfig(), effective_ptc=curve())
    assert exposure.header["LSST ISR SATURATION LEVEL L"] == 200.0
    assert exposure.header["LSST ISR SUSPECT LEVEL R"] == 200.0
    assert np.all(exposure.image[:, :6] == 20.0)
    assert np.all(exposure.image[:, 6:] == 40.0)


def test_a_variance_that_is_kept_is_added_to() -> None:
    exposure = trimmed(100.0)
    exposure.unit = "electron"
    exposure.variance[...] = 3.0
    build_variance(exposure, VarianceConfig(keep=True), effective_ptc=curve())
    assert np.all(exposure.variance[:, :3] == 3 + 100 + 36)
    assert np.all(exposure.variance[:, 3:] == 3 + 100 + 64)
    in_adu = trimmed(100.0)
    in_adu.variance[...] = 4.0
    build_variance(in_adu, VarianceConfig(keep=True), effective_ptc=curve())
    assert np.all(in_adu.variance[:, :3] == (100 + 4) / 2 + (6 / 2) ** 2)


def flat_of(level: float, **fields) -> Flat:
    shape = (4, 6)
    planes = np.full(shape, level, np.float32), np.zeros(shape, np.int32), np.zeros(shape, np.float32)
    return Flat(exposure=Exposure(*planes, **fields))


def test_pixels_without_data_of_a_flat_with_a_polygon_get_no_weight() -> None:
    exposure, flat = trimmed(10.0), flat_of(2.0, valid_polygon="polygon", header={"FLATSRC": "DOME"})
    flat.exposure.mask[1, 2] = mask_bits("NO_DATA")
    divide_by_flat(exposure, FlatConfig(no_data_variance=1e10, note_source=True), flat=flat)
    assert (exposure.image[1, 2], exposure.variance[1, 2]) == (0.0, np.float32(1e10))
    assert exposure.image[0, 0] == 5.0
    assert exposure.valid_polygon == "polygon"
    assert exposure.header["LSST ISR FLAT SOURCE"] == "DOME"


def test_without_a_polygon_pixels_without_data_are_left_and_the_source_may_be_unknown() -> None:
    exposure, flat = trimmed(10.0), flat_of(2.0)
    flat.exposure.mask[1, 2] = mask_bits("NO_DATA")
    divide_by_flat(exposure, FlatConfig(no_data_variance=1e10, note_source=True), flat=flat)
    assert exposure.image[1, 2] == 5.0
    assert exposure.header["LSST ISR FLAT SOURCE"] == "UNKNOWN"
    plain = trimmed(10.0)
    divide_by_flat(plain, FlatConfig(), flat=flat)
    assert "LSST ISR FLAT SOURCE" not in plain.header


def test_suspect_pixels_are_counted_if_asked_for() -> None:
    exposure = trimmed(1.0)
    exposure.mask[0, :2] = mask_bits("SUSPECT")
    assert measure_statistics(exposure, StatisticsConfig()).amplifiers["L"].n_suspect is None
    assert "LSST ISR MASK SUSPECT L" not in exposure.header
    measure_statistics(exposure, StatisticsConfig(count_suspect=True))
    assert exposure.header["LSST ISR MASK SUSPECT L"] == 2


def test_amplifiers_may_be_marked_bad_by_name() -> None:
    exposure = trimmed()
    mask_defects(exposure, DefectsConfig(bad_amplifiers=("T_R", "U_L")), defects=Defects())
    assert np.all(exposure.mask[:, 3:] == mask_bits("BAD"))
    assert np.all(exposure.mask[:, :3] == 0)


def test_a_linearizer_is_demanded_of_linear_detectors_if_it_is_required() -> None:
    assert LinearityConfig().demands(tiny_detector()) == set()
    assert LinearityConfig(required=True).demands(tiny_detector()) == {"linearizer"}


@pytest.mark.parametrize("units", ["adu", "electron"])
def test_coefficients_in_adu_act_on_adu_also_where_the_image_is_in_electrons(units) -> None:
    exposure = raw(1000.0)
    exposure.unit = "electron"
    given = Linearizer(
        linearity_type={"L": "Squared", "R": "Squared"},
        coefficients={"L": np.array([1e-4]), "R": np.array([1e-4])},
        units=units,
    )
    linearize(exposure, LinearityConfig(), linearizer=given, effective_ptc=curve())
    # 1000 electrons are 500 adu, which become 500 (1 + 0.05) adu, in L; 250 adu in R
    expected = (1050.0, 1025.0) if units == "adu" else (1100.0, 1100.0)
    assert exposure.image[0, 0] == pytest.approx(expected[0], rel=1e-6)
    assert exposure.image[0, 6] == pytest.approx(expected[1], rel=1e-6)


def test_gains_that_stand_for_none_give_way_to_those_of_the_calibration() -> None:
    ones = curve(gain_electron_per_adu={"L": 1.0, "R": 1.0}, is_placeholder=True)
    ratios = np.array([[0.0, 0.0], [0.5, 0.0]])  # from R to L
    exposure = raw(8.0)
    crosstalk = Crosstalk(coefficients=ratios, units="electron", fit_gains=np.array([2.0, 4.0]))
    subtract_crosstalk(exposure, CrosstalkConfig(full_amplifier=True), crosstalk=crosstalk, effective_ptc=ones)
    # L has 16 electrons, R 32: half of it goes, and nothing is left
    assert np.all(exposure.image[:, :6] == 0.0)
    exposure = raw(8.0)
    without = Crosstalk(coefficients=ratios, units="electron", fit_gains=np.zeros(2))
    subtract_crosstalk(exposure, CrosstalkConfig(full_amplifier=True), crosstalk=without, effective_ptc=ones)
    assert np.all(exposure.image[:, :6] == 4.0)


def late_charge(**fields) -> DeferredCharge:
    names = ("L", "R")
    return DeferredCharge(amp_names=names, drift_scale=dict.fromkeys(names, 1e-3), **fields)


def test_late_charge_is_followed_in_electrons_of_the_calibration_before_there_are_gains(caplog) -> None:
    ones = curve(gain_electron_per_adu={"L": 1.0, "R": 1.0}, is_placeholder=True)
    pictures = []
    for ptc, calib in (
        (curve(), late_charge()),
        (ones, late_charge(input_gain={"L": 2.0, "R": 4.0})),
        (ones, late_charge(input_gain={"L": math.nan, "R": math.nan})),
    ):
        exposure = raw(0.0)
        exposure.image += np.arange(12, dtype=np.float32) * 100
        correct_deferred_charge(exposure, DeferredChargeConfig(), deferred_charge=calib, effective_ptc=ptc)
        pictures.append(exposure.image)
    assert np.array_equal(pictures[0], pictures[1])
    assert "does not say with which gains it was made" in caplog.text
