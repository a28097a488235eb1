"""PTC, linearizer, crosstalk and YAML: checks by name, old versions, and nothing unsafe."""

from __future__ import annotations

import math

import numpy as np
import pytest
import yaml

from isrflow.calibs.base import CalibInfo
from isrflow.calibs.crosstalk import Crosstalk
from isrflow.calibs.files import read_calibration, write_calibration
from isrflow.calibs.linearizer import Linearizer
from isrflow.calibs.ptc import PhotonTransferCurve
from isrflow.calibs.yaml_forms import dump_yaml, load_yaml
from isrflow.errors import CalibrationError, CalibrationFileError, ConfigError
from isrflow.frame.box import Box


def test_a_curve_of_gains_and_noises_alone_is_enough() -> None:
    ptc = PhotonTransferCurve(gain={"A": 1.5, "B": 1.6}, noise={"A": 5.0, "B": 6.0})
    ptc.check()
    assert ptc.amp_names == ("A", "B")
    assert math.isnan(ptc.turnoff["A"])
    assert ptc.covariances["A"].shape == (0, 1, 1)


def test_impossible_gains_are_refused_by_amplifier() -> None:
    ptc = PhotonTransferCurve(
        info=CalibInfo(detector_name="S02"),
        gain={"A": -1.5, "B": 1.6, "C": 0.0},
        noise={"B": -6.0},
        bad_amplifiers=("C",),
    )
    with pytest.raises(
        CalibrationError, match=r"detector S02: gain of amplifier A is -1\.5.*noise of amplifier B is -6"
    ):
        ptc.check()


def test_values_of_amplifiers_nobody_named_are_refused() -> None:
    with pytest.raises(CalibrationError, match="noise of X"):
        PhotonTransferCurve(gain={"A": 1.5}, noise={"X": 5.0})


def test_lists_of_pairs_must_agree() -> None:
    ptc = PhotonTransferCurve(gain={"A": 1.5}, raw_means={"A": np.arange(3)}, raw_variances={"A": np.arange(2)})
    with pytest.raises(CalibrationError, match="raw_variances of amplifier A has 2 entries, raw_means 3"):
        ptc.check()
    with pytest.raises(CalibrationError, match=r"covariances of amplifier A has 5 values"):
        PhotonTransferCurve(gain={"A": 1.5}, covariance_side=2, covariances={"A": np.arange(5)})


def an_old_ptc(version: float, **more) -> dict:
    tree = {
        "metadata": {"OBSTYPE": "PTC", "PTC_VERSION": version},
        "ptcFitType": "FULLCOVARIANCE",
        "ampNames": ["A"],
        "badAmps": [],
        "gain": {"A": 2.0},
        "noise": {"A": 25.0},
        "rawMeans": {"A": [1.0, 2.0]},
        "finalMeans": {"A": [1.0, math.nan]},
    }
    return tree | more


@pytest.mark.parametrize(("version", "noise"), [(1.8, 5.0), (1.9, 25.0)])
def test_before_1_9_the_noise_of_full_covariances_was_a_variance(version, noise) -> None:
    assert PhotonTransferCurve.from_tree(an_old_ptc(version)).noise["A"] == noise


def test_what_old_versions_did_not_know_is_filled_in() -> None:
    ptc = PhotonTransferCurve.from_tree(an_old_ptc(1.0))
    assert ptc.turnoff["A"] == 1.0
    assert ptc.gain_unadjusted["A"] == 2.0
    assert np.isnan(ptc.raw_deltas["A"]).tolist() == [True, True]
    assert ptc.used_for_rolloff["A"].tolist() == [False, False]
    assert ptc.ks_p_values["A"].tolist() == [0.0, 0.0]
    assert ptc.n_pixels_of_covariances["A"] == -1


def test_a_wrong_cell_is_named_by_key_and_amplifier() -> None:
    with pytest.raises(CalibrationFileError, match="key gain of amplifier A is 'high', not float"):
        PhotonTransferCurve.from_tree(an_old_ptc(2.6, gain={"A": "high"}))


def test_amplifiers_whose_names_yaml_takes_for_numbers_keep_their_names() -> None:
    text = "amplifiers: {10: {linearityType: Squared, linearityCoeffs: [1.0e-7], linearityBBox: [0, 0, 4, 4]}}"
    linearizer = Linearizer.from_tree(load_yaml(text))
    assert linearizer.amp_names == ("10",)
    assert linearizer.coefficients["10"].tolist() == [1e-7]
    assert linearizer.boxes == {"10": Box(0, 0, 4, 4)}


def test_an_old_linearizer_gets_the_defaults_of_the_reference() -> None:
    linearizer = Linearizer.from_tree({"amplifiers": {"A": {"linearityType": "None", "linearityCoeffs": []}}})
    assert math.isnan(linearizer.input_gain["A"])
    assert linearizer.input_turnoff["A"] == math.inf
    assert linearizer.input_normalization["A"].tolist() == [1.0]
    assert linearizer.override is True


@pytest.mark.parametrize(
    ("linearity_type", "coefficients", "problem"),
    [
        ("Cubic", [1.0], r"linearity_type of amplifier A is 'Cubic', not one of None, Proportional"),
        ("Spline", [1.0, 2.0, 3.0], r"coefficients of amplifier A: Spline needs nodes and as many values, 3"),
        ("DoubleSpline", [2.0, 2.0, 0.0], r"amplifier A: DoubleSpline announces more numbers than the 3 given"),
        ("Polynomial", [], r"amplifier A: Polynomial needs at least one"),
        ("LookupTable", [0.0, 0.0], r"amplifier A: LookupTable needs a table"),
    ],
)
def test_coefficients_that_do_not_suit_their_type_are_refused(linearity_type, coefficients, problem) -> None:
    linearizer = Linearizer(linearity_type={"A": linearity_type}, coefficients={"A": np.array(coefficients)})
    with pytest.raises(CalibrationError, match=problem):
        linearizer.check()


def test_a_row_outside_the_lookup_table_is_refused() -> None:
    linearizer = Linearizer(
        linearity_type={"A": "LookupTable"}, coefficients={"A": np.array([2.0, 0.0])}, table=np.zeros((2, 5))
    )
    with pytest.raises(CalibrationError, match="row 2 of a table with 2 rows"):
        linearizer.check()


def test_lists_of_unequal_length_keep_their_meaning_in_a_table(tmp_path) -> None:
    linearizer = Linearizer(
        linearity_type={"A": "Polynomial", "B": "None"}, coefficients={"A": np.array([1e-7, 2e-12]), "B": np.array([])}
    )
    write_calibration(linearizer, tmp_path / "l.fits")
    again = read_calibration("linearizer", tmp_path / "l.fits")
    assert again.coefficients["A"].tolist() == [1e-7, 2e-12]
    assert again.linearity_type["B"] == "None"


def test_a_linearizer_with_a_table_does_not_fit_into_ecsv(tmp_path) -> None:
    linearizer = Linearizer(
        linearity_type={"A": "LookupTable"}, coefficients={"A": np.array([0.0, 0.0])}, table=np.zeros((2, 5))
    )
    with pytest.raises(ConfigError, match="2 tables does not fit into ECSV"):
        write_calibration(linearizer, tmp_path / "l.ecsv")


def test_crosstalk_matrices_must_be_square_and_alike() -> None:
    with pytest.raises(CalibrationFileError, match="coefficients has 5 values, not 2 x 2"):
        Crosstalk.from_tree({"coeffs": [0.0] * 5})
    wrong = Crosstalk(coefficients=np.zeros((2, 2)), errors=np.zeros((3, 3)), inter_chip={"N1": np.zeros((1, 1))})
    with pytest.raises(CalibrationError, match=r"errors has shape \(3, 3\).*inter_chip matrix of detector N1"):
        wrong.check()


def test_identity_that_contradicts_itself_is_refused() -> None:
    metadata = {"OBSTYPE": "CROSSTALK", "DET_NAME": "S01", "DETECTOR_NAME": "S02"}
    with pytest.raises(CalibrationFileError, match="DET_NAME is 'S01' but DETECTOR_NAME is 'S02'"):
        Crosstalk.from_tree({"coeffs": [0.0], "metadata": metadata})


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['true']",
        "a: !!python/name:os.system ''",
        "a: !!python/object/new:isrflow.frame.box.Box [1, 2, 3, 4]",
        "a: !!python/object/apply:numpy.dtype {args: [O8, false, true], state: !!python/tuple [3, '<', null]}",
        "a: !<lsst.afw.Anything> [1]",
        "a: [1, 2",
    ],
)
def test_yaml_builds_nothing_outside_the_fixed_set(text) -> None:
    with pytest.raises(CalibrationFileError, match="not YAML that a calibration can be read from"):
        load_yaml(text)


def test_yaml_of_the_reference_is_read_and_written_under_its_tags() -> None:
    text = dump_yaml({"metadata": {"A": 1, "B": None, "C": [4, 4], "D": True}, "box": Box(1, 2, 3, 4), "shape": (2, 2)})
    assert "!<lsst.daf.base.PropertyList>" in text
    assert "!!python/object/apply:lsst.geom.Box2I" in text
    assert load_yaml(text) == {
        "metadata": {"A": 1, "B": None, "C": [4, 4], "D": True},
        "box": Box(1, 2, 3, 4),
        "shape": (2, 2),
    }


def test_pickled_arrays_of_numbers_are_read() -> None:
    array = np.array([[1.5, -2.0], [3.0, math.inf]])
    text = yaml.dump({"a": array, "b": np.arange(3, dtype=">i4")}, Dumper=yaml.Dumper)
    loaded = load_yaml(text)
    np.testing.assert_array_equal(loaded["a"], array)
    assert loaded["b"].tolist() == [0, 1, 2]
    assert loaded["b"].dtype.isnative
