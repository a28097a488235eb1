"""Bringing in calibrations that belong to a filter, an exposure or the whole instrument, not to a detector."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from flows.imports import import_calib
from flows.repo import open_repo
from isrflow.calibs.files import write_calibration
from isrflow.calibs.kinds import KINDS
from isrflow.errors import CalibrationError
from tests.flows.conftest import NIGHT


@pytest.fixture
def repo(a_copy, raw_dir):
    with open_repo(a_copy(raw_dir)) as opened:
        yield opened


@pytest.fixture
def a_file(repo, tmp_path):
    """Write the example of a kind, with some other identity, and return its path."""

    def write(kind: str, name: str = "c.fits", **info):
        example = KINDS[kind].example(repo.camera.detectors[0], np.random.default_rng(1))
        write_calibration(replace(example, info=replace(example.info, **info)), tmp_path / name)
        return tmp_path / name

    return write


def test_a_correction_of_gains_belongs_to_its_detector(repo, a_file):
    (ref,) = import_calib(repo, "gain_correction", [a_file("gain_correction")]).refs
    assert (ref.data_id.detector, ref.data_id.physical_filter) == (0, None)
    assert repo.butler.get(ref).info.detector_name == "A"


def test_amplifiers_of_another_detector_are_named(repo, tmp_path):
    path = tmp_path / "g.ecsv"
    path.write_text(
        "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: AMP_NAME, datatype: string}\n"
        "# - {name: GAIN_ADJUSTMENT, datatype: float64}\n# schema: astropy-2.0\n"
        "AMP_NAME GAIN_ADJUSTMENT\nL 1.0\nC02 1.1\n"
    )
    with pytest.raises(CalibrationError, match="gain_correction is about C02; detector A has amplifiers L, R"):
        import_calib(repo, "gain_correction", [path], detector=0)


def test_a_gradient_belongs_to_its_filter_and_serves_all_detectors(repo, a_file):
    path = a_file("flat_gradient", physical_filter="")
    with pytest.raises(CalibrationError, match="does not say which filter it is for; name it: --filter F"):
        import_calib(repo, "flat_gradient", [path])
    with pytest.raises(CalibrationError, match="serves all detectors; leave out --detector"):
        import_calib(repo, "flat_gradient", [path], physical_filter="r_01", detector=0)
    report = import_calib(repo, "flat_gradient", [path], physical_filter="r_01")
    assert (report.refs[0].data_id.detector, report.refs[0].data_id.physical_filter) == (None, "r_01")
    assert "certify" in report.next_steps[0]


def test_a_correction_of_photodiodes_belongs_to_the_instrument(repo, a_file):
    (ref,) = import_calib(repo, "photodiode_correction", [a_file("photodiode_correction")]).refs
    assert ref.data_id.dimensions == ("instrument",)


def test_what_was_taken_with_an_exposure_finds_it_by_day_and_number_and_is_not_certified(repo, a_file):
    exposure = repo.butler.exposures("seq_num = 2")[0]
    path = a_file("photodiode", metadata={"DAY_OBS": NIGHT, "SEQ_NUM": 2})
    report = import_calib(repo, "photodiode", [path])
    assert report.refs[0].data_id.exposure == exposure.id
    assert "certify" not in report.next_steps[0]
    assert repo.butler.get(report.refs[0]).charge_coulomb() > 0


def test_an_exposure_that_is_not_said_or_not_there_is_asked_for(repo, a_file):
    with pytest.raises(CalibrationError, match=r"does not say which exposure .*; name it: --exposure N"):
        import_calib(repo, "photodiode", [a_file("photodiode")])
    with pytest.raises(
        CalibrationError, match="was taken with day_obs 20250526, seq_num 95; the repository has no such"
    ):
        import_calib(repo, "shutter_motion", [a_file("shutter_motion")])
    with pytest.raises(CalibrationError, match="serves many exposures; leave out --exposure"):
        import_calib(repo, "gain_correction", [a_file("gain_correction")], exposure=1)


def test_both_blades_of_an_exposure_are_brought_in_together(repo, tmp_path):
    exposure = repo.butler.exposures("seq_num = 1")[0].id
    opening = KINDS["shutter_motion"].example(None, np.random.default_rng(1))
    write_calibration(opening, tmp_path / "open.fits")
    write_calibration(replace(opening, is_open=False), tmp_path / "close.fits")
    files = [tmp_path / "open.fits", tmp_path / "close.fits"]
    refs = import_calib(repo, "shutter_motion", files, exposure=exposure).refs
    assert [ref.run for ref in refs] == ["imported/shutter_motion/opening", "imported/shutter_motion/closing"]
    assert [repo.butler.get(ref).is_open for ref in refs] == [True, False]
    with pytest.raises(CalibrationError, match=r"and so is .*open\.fits; bring one into another run: --out"):
        import_calib(repo, "shutter_motion", files, exposure=exposure, run="shutter")
