"""Gain corrections, flat gradients, photodiodes and shutters: their arithmetic and their checks."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.interpolate import Akima1DInterpolator

from isrflow.calibs.files import read_calibration, write_calibration
from isrflow.calibs.flat_gradient import FlatGradient
from isrflow.calibs.gain_correction import GainCorrection
from isrflow.calibs.photodiode import Photodiode
from isrflow.calibs.photodiode_correction import PhotodiodeCorrection
from isrflow.calibs.shutter_header import ShutterMotions, motion_of_header
from isrflow.calibs.shutter_motion import ShutterFit, ShutterMotion
from isrflow.errors import CalibrationError, CalibrationFileError, CalibrationMismatch, ConfigError
from isrflow.frame.exposure import Exposure
from isrflow.kernels.photodiode import integrate

# -- gains ------------------------------------------------------------------------------------------------------------


def test_gains_are_multiplied_by_their_adjustments_and_others_stay() -> None:
    correction = GainCorrection(adjustments={"A": 1.1, "B": 0.5})
    assert correction.corrected({"A": 2.0, "B": 4.0, "C": 1.5}) == {"A": 2.2, "B": 2.0, "C": 1.5}


def test_adjustments_of_amplifiers_without_gains_are_named() -> None:
    correction = GainCorrection(adjustments={"A": 1.1, "X": 1.0, "Y": 1.0})
    with pytest.raises(CalibrationMismatch, match="adjustments of X, Y, but there are gains of A"):
        correction.corrected({"A": 2.0})


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_impossible_adjustments_are_refused_by_amplifier(value) -> None:
    with pytest.raises(CalibrationError, match="adjustment of amplifier B is"):
        GainCorrection(adjustments={"A": 1.0, "B": value}).check()


# -- gradients --------------------------------------------------------------------------------------------------------


def a_gradient() -> FlatGradient:
    return FlatGradient(
        radial_nodes_mm=np.array([0.0, 100.0, 200.0, 250.0, 300.0]),
        radial_values=np.array([1.0, 1.02, 1.0, 0.9, 0.5]),
        itl_ratio=0.9,
        centroid_x_mm=10.0,
        centroid_delta_x_mm=-2.0,
        gradient_x_per_mm=1e-3,
    )


def test_the_profile_is_scipys_akima_spline_held_at_its_ends() -> None:
    gradient = a_gradient()
    radius = np.linspace(-10.0, 320.0, 34)
    spline = Akima1DInterpolator(gradient.radial_nodes_mm, gradient.radial_values, method="akima")
    np.testing.assert_allclose(gradient.radial(radius), spline(np.clip(radius, 0.0, 300.0)), rtol=1e-14)


def test_the_model_is_the_profile_over_the_plane_and_times_the_ratio_on_itl() -> None:
    gradient = a_gradient()
    # at x = 110 mm: 102 mm from the centre of the profile (8, 0), 100 mm from the centroid (10, 0)
    profile = gradient.radial(102.0)
    np.testing.assert_allclose(gradient.model_at(110.0, 0.0), profile / 1.1, rtol=1e-14)
    np.testing.assert_allclose(gradient.model_at([110.0], [0.0], [True]), [0.9 * profile / 1.1], rtol=1e-14)


def test_nodes_that_do_not_increase_and_values_that_are_missing_are_refused() -> None:
    wrong = replace(a_gradient(), radial_nodes_mm=np.array([0.0, 200.0, 100.0, 250.0, 300.0]), itl_ratio=math.nan)
    with pytest.raises(CalibrationError, match=r"radial_nodes_mm do not increase: \[0.0, 200.0.*itl_ratio is nan"):
        wrong.check()
    with pytest.raises(CalibrationError, match=r"radial_nodes_mm \(5,\) and radial_values \(2,\)"):
        replace(a_gradient(), radial_values=np.ones(2)).check()


# -- photodiodes ------------------------------------------------------------------------------------------------------


def test_a_constant_current_is_integrated_by_every_method() -> None:
    time, current = np.array([0.0, 1.0, 2.0, 4.0]), np.full(4, 2.0)
    assert integrate(time, current) == 8.0
    assert integrate(time, current, "MEAN", scale=-1.0, exposure_time_s=3.0) == -6.0
    assert integrate(time, current, "TRIMMED_SUM", scale=-1.0) == -8.0  # nothing is dark
    assert integrate(np.arange(4.0), current, "CHARGE_SUM") == 0.0  # a rate that never rises is the dark


def test_a_pulse_is_integrated_above_its_baseline() -> None:
    time = np.arange(11.0)
    current = np.where((time >= 4) & (time <= 6), 11.0, 1.0)
    # three samples ten above the baseline, and their flanks: trapezoids of 10 * (2 + 1)
    assert integrate(time, current, "TRIMMED_SUM") == pytest.approx(30.0)
    # charges: three of eleven; the rate of one a second is that of the samples not within two of them
    assert integrate(time, current, "CHARGE_SUM") == pytest.approx(30.0)


def test_unknown_methods_and_missing_times_are_refused() -> None:
    record = Photodiode(time_s=np.arange(3.0), current_ampere=np.ones(3))
    with pytest.raises(CalibrationError, match="no integration method 'SUM', there is DIRECT_SUM, TRIMMED_SUM"):
        record.charge_coulomb("SUM")
    with pytest.raises(ConfigError, match="MEAN needs the exposure time"):
        record.charge_coulomb("MEAN")
    with pytest.raises(CalibrationError, match="current_ampere has 1 samples that are not finite"):
        replace(record, current_ampere=np.array([1.0, math.nan, 1.0])).check()
    with pytest.raises(CalibrationError, match="time_s does not increase at sample 2"):
        replace(record, time_s=np.array([0.0, 1.0, 1.0])).check()


def test_text_of_an_electrometer_is_read_with_its_day_and_number(tmp_path) -> None:
    path = tmp_path / "Photodiode_Readings_20211212_000310.txt"
    path.write_text("0.0 1.2E-13\n0.5 2E-13  # bright\n\n")
    record = read_calibration("photodiode", path)
    assert record.time_s.tolist() == [0.0, 0.5]
    assert record.current_ampere.tolist() == [1.2e-13, 2e-13]
    assert record.info.metadata == {"DAY_OBS": 20211212, "SEQ_NUM": 310}
    path.write_text("0.0 1.2E-13\n0.5\nx y\n")
    with pytest.raises(CalibrationFileError, match=r"lines of time \(s\) and current \(A\); line 2, line 3"):
        read_calibration("photodiode", path)


def test_columns_and_names_of_electrometers_are_understood(tmp_path) -> None:
    from astropy.io import fits
    from astropy.table import Table

    table = Table({"Elapsed Time": [0.0, 0.5, 1.0], "Signal": [1e-12, 2e-12, 1e-12]})
    primary = fits.PrimaryHDU()
    primary.header["INSTRUME"], primary.header["LOCATN"] = "Electrometer_index_201", "AuxTel"
    fits.HDUList([primary, fits.table_to_hdu(table)]).writeto(tmp_path / "e.fits")
    record = read_calibration("photodiode", tmp_path / "e.fits")
    assert record.info.instrument == "LATISS"
    assert record.charge_coulomb() == pytest.approx(1.5e-12)


@pytest.mark.parametrize("key", ["(100, 101)", "100"])
def test_a_correction_is_found_by_both_ids_or_by_the_first(key) -> None:
    correction = PhotodiodeCorrection(corrections={key: 0.5})
    assert correction.of_pair(100, 101) == 0.5
    assert correction.of_pair(102, 103) == 0.0
    with pytest.raises(CalibrationError, match="pair 7 is nan"):
        PhotodiodeCorrection(corrections={"7": math.nan}).check()


def test_a_lookup_table_beside_corrections_is_kept(tmp_path) -> None:
    correction = PhotodiodeCorrection(corrections={"1": 0.5}, table=np.arange(6.0).reshape(2, 3))
    for suffix in (".fits", ".yaml"):
        write_calibration(correction, tmp_path / f"c{suffix}")
        assert read_calibration("photodiode_correction", tmp_path / f"c{suffix}") == correction


# -- shutters ---------------------------------------------------------------------------------------------------------


def test_a_symmetric_motion_is_half_way_in_the_middle() -> None:
    # jerk j for t1, then -j until the speed is highest at 2 t1: the acceleration is j t1 - j (t - t1), zero at 2 t1,
    # where half the way is done, if the whole way is twice j t1^3 (1/6 + 1/2 + 1/2 - 1/6)
    j, t1 = 6.0, 0.5
    way = 2 * j * t1**3
    motion = ShutterMotion(
        is_open=True,
        fits={"hallSensorFit": ShutterFit(0.1, t1, 3 * t1, j, -j, j)},
        start_position_mm=0.0,
        end_position_mm=way,
    )
    assert motion.midpoints_s() == pytest.approx((0.1 + 2 * t1, 0.1 + 2 * t1))
    by_acceleration, by_position = motion.midpoints_s(skip_position=True)
    assert by_acceleration == pytest.approx(1.1)
    assert math.isnan(by_position)


def test_a_fit_without_jerk_has_no_midpoint() -> None:
    motion = ShutterMotion(is_open=True, fits={"hallSensorFit": ShutterFit(0.0, 0.2, 0.6, 1.0, 0.0, 1.0)})
    assert all(math.isnan(time) for time in motion.midpoints_s())


def test_an_unknown_fit_is_refused_with_those_there_are() -> None:
    motion = ShutterMotion(is_open=True, fits={"hallSensorFit": ShutterFit(0.0, 0.2, 0.6, 1.0, -1.0, 1.0)})
    with pytest.raises(CalibrationError, match="no fit 'motorEncoderFit', there is hallSensorFit"):
        motion.midpoints_s("motorEncoderFit")


def a_header(direction: str) -> dict:
    fit = {"MODELSTARTTIME": 0.1, "PIVOTPOINT1": 0.5, "PIVOTPOINT2": 1.5, "JERK0": 6.0, "JERK1": -6.0, "JERK2": 6.0}
    facts = {"STARTTIME TAI ISOT": "2025-12-04T08:46:56.592", "STARTTIME TAI MJD": 61013.36, "SIDE": "PLUSX"}
    facts |= {"MODEL": "ThreeJerksModelv1"} | {f"HALLSENSORFIT {key}": value for key, value in fit.items()}
    return {f"SHUTTER {direction} {key}": value for key, value in facts.items()}


def test_a_header_tells_when_both_blades_were_half_way() -> None:
    exposure = Exposure(np.zeros((2, 2), np.float32), header=a_header("OPEN") | a_header("CLOSE"))
    motions = ShutterMotions.of_exposure(exposure)
    assert motions.midpoints_s() == pytest.approx((1.1, 1.1))
    assert (motions.opening.is_open, motions.closing.is_open) == (True, False)


def test_all_missing_cards_of_a_shutter_are_named() -> None:
    header = a_header("OPEN")
    del header["SHUTTER OPEN HALLSENSORFIT JERK1"], header["SHUTTER OPEN SIDE"]
    with pytest.raises(CalibrationError, match="no SHUTTER OPEN SIDE, no SHUTTER OPEN HALLSENSORFIT JERK1"):
        motion_of_header(header, "open")
    with pytest.raises(CalibrationError, match="no SHUTTER CLOSE STARTTIME"):
        ShutterMotions.of_exposure(Exposure(np.zeros((2, 2), np.float32), header=a_header("OPEN")))
    with pytest.raises(ConfigError, match="no direction 'sideways'"):
        motion_of_header(header, "sideways")


def test_profiles_of_another_kind_or_layout_are_refused() -> None:
    tree = ShutterMotion.example(None, np.random.default_rng(1)).to_tree()
    with pytest.raises(CalibrationFileError, match=r"'shutterMotionProfile' of version 3.0, not"):
        ShutterMotion.from_tree(tree | {"version": 3.0})
    with pytest.raises(CalibrationFileError, match="fileType is 'other'"):
        ShutterMotion.from_tree(tree | {"fileType": "other"})
    with pytest.raises(CalibrationFileError, match="needs motionProfile; there is fileName"):
        ShutterMotion.from_tree({"fileName": "x"})


@pytest.mark.parametrize("layout", [1.0, 2.0])
def test_both_layouts_hold_the_whole_profile(layout, tmp_path) -> None:
    motion = replace(ShutterMotion.example(None, np.random.default_rng(1)), layout=layout)
    write_calibration(motion, tmp_path / "s.yaml")
    assert read_calibration("shutter_motion", tmp_path / "s.yaml") == motion
    assert ("isot:" in (tmp_path / "s.yaml").read_text()) == (layout == 2.0)
