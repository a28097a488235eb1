from __future__ import annotations

import numpy as np
import pytest

from flows.calibrate import build_calibs
from flows.imports import import_calib
from flows.night import run_night
from flows.repo import open_repo
from isrflow.errors import CalibrationError, ConfigError, NotBuiltError
from registry.errors import ConflictError, UnknownName, UserError
from registry.timespan import ALL_TIME
from tests.flows.conftest import NIGHT

RUN = f"calibs/{NIGHT}"
FILTERS = {"g_01", "r_01"}


@pytest.fixture
def raw_repo(a_copy, raw_dir, night_files):
    """A repository with raws, and the linearizers that flats need."""
    with open_repo(a_copy(raw_dir)) as repo:
        refs = import_calib(repo, "linearizer", night_files.tables["linearizer"]).refs
        repo.butler.certify("calibs", refs, ALL_TIME)
        yield repo


def made(repo, kind, run=RUN):
    return repo.butler.datasets("", type=kind, collections=[run])


def test_a_whole_set_is_made_in_order_and_a_night_can_use_it_once_it_is_certified(raw_repo):
    report = build_calibs(raw_repo, ["defects", "flat", "dark", "bias"], NIGHT, engine="direct")
    assert (report.exit_code, report.n_done) == (0, 2 + 2 + 4 + 2), report.render()
    assert report.next_steps[0] == f"isrflow calibs certify {RUN} --begin {NIGHT}"
    assert {ref.data_id.detector for ref in made(raw_repo, "bias")} == {0, 1}
    assert {(ref.data_id.detector, ref.data_id.physical_filter) for ref in made(raw_repo, "flat")} == {
        (detector, name) for detector in (0, 1) for name in FILTERS
    }
    assert run_night(raw_repo, NIGHT, engine="direct").exit_code == 3  # made, but not certified
    for kind in ("bias", "dark", "flat", "defects"):
        raw_repo.butler.certify("calibs", made(raw_repo, kind), ALL_TIME)
    assert run_night(raw_repo, NIGHT, engine="direct").exit_code == 0


def test_masters_know_their_raws_and_the_masters_made_before_them(raw_repo):
    build_calibs(raw_repo, ["bias", "dark", "flat", "defects"], NIGHT, engine="direct")
    flat = next(ref for ref in made(raw_repo, "flat") if ref.data_id.physical_filter == "g_01")
    inputs = raw_repo.butler.provenance(flat).inputs
    assert len(inputs.data) == 3
    assert all(ref.type == "raw" and ref.data_id.detector == flat.data_id.detector for ref in inputs.data.values())
    assert inputs.calibs["bias"] in made(raw_repo, "bias")
    assert inputs.calibs["dark"] in made(raw_repo, "dark")
    defects = made(raw_repo, "defects")[0]
    assert {"camera", "dark", "flat:g_01", "flat:r_01"} == set(raw_repo.butler.provenance(defects).inputs.calibs)
    header = raw_repo.butler.get(flat).exposure.header
    assert header["ISRFLOW DATASET"] == str(flat.id)
    raws = [inputs.data[f"raw:{ref.data_id.exposure}"] for ref in inputs.data.values()]
    assert all(header[f"ISRFLOW RAW {raw.data_id.exposure} ID"] == str(raw.id) for raw in raws)


def test_a_master_bias_is_near_the_truth(raw_repo, night_files):
    from isrflow.calibs.files import read_calibration

    build_calibs(raw_repo, ["bias"], NIGHT, engine="direct")
    for ref in made(raw_repo, "bias"):
        name = raw_repo.camera.detector(ref.data_id.detector).name
        truth = read_calibration("bias", next(path for path in night_files.truths["bias"] if f"_{name}" in path.name))
        difference = raw_repo.butler.get(ref).exposure.image - truth.exposure.image
        # read noise 5.4 electron / 1.45 electron per adu / sqrt(3 frames) = 2.2 adu a pixel, over 3072 pixels
        assert abs(np.median(difference)) < 0.5


def test_building_again_changes_nothing(raw_repo):
    build_calibs(raw_repo, ["bias", "dark"], NIGHT, engine="direct")
    before = made(raw_repo, "bias")
    report = build_calibs(raw_repo, ["bias", "dark"], NIGHT, engine="direct")
    assert (report.exit_code, report.n_done, report.n_already_done) == (0, 4, 4)
    assert made(raw_repo, "bias") == before


def test_a_run_holds_masters_of_one_setting_only(raw_repo):
    build_calibs(raw_repo, ["bias"], NIGHT, engine="direct")
    with pytest.raises(ConflictError, match="another content") as caught:
        build_calibs(raw_repo, ["bias"], NIGHT, engine="direct", settings={"maker.n_sigma": 2.0})
    assert f"isrflow calibs build bias --night {NIGHT} --out calibs/{NIGHT}-2" in caught.value.fix
    report = build_calibs(raw_repo, ["bias"], NIGHT, "u/two", engine="direct", settings={"maker.n_sigma": 2.0})
    assert report.exit_code == 0


def test_masters_that_lack_what_comes_before_them_are_skipped_and_it_says_what(raw_repo):
    report = build_calibs(raw_repo, ["dark"], NIGHT, engine="direct")
    assert (report.exit_code, report.n_skipped) == (3, 2)
    assert "bias" in report.missing


def test_a_master_that_cannot_be_made_is_named_with_the_reason(raw_repo):
    report = build_calibs(raw_repo, ["bias", "dark"], NIGHT, engine="direct", settings={"maker.min_inputs": 9})
    assert (report.exit_code, report.n_failed, report.n_skipped) == (3, 2, 2)
    assert all("at least 9 exposures" in item.message for item in report.failures)


def test_what_cannot_be_asked_for_is_refused_before_anything_is_done(raw_repo):
    with pytest.raises(UnknownName, match="did you mean 'bias'"):
        build_calibs(raw_repo, ["biass"], NIGHT)
    with pytest.raises(NotBuiltError, match="isrflow calibs import ptc"):
        build_calibs(raw_repo, ["bias", "ptc"], NIGHT)
    with pytest.raises(UserError, match=r"20260101 has no raws to make bias, flat of \(it has no exposures at all\)"):
        build_calibs(raw_repo, ["bias", "flat"], 20260101)
    with pytest.raises(ConfigError, match=r"did you mean maker\.n_sigma"):
        build_calibs(raw_repo, ["bias"], NIGHT, engine="direct", settings={"maker.n_sigm": 3})
    assert raw_repo.butler.collections("calibs/*") == []


def test_imports_are_refused_all_at_once_with_reasons(raw_repo, night_files, tmp_path):
    good = night_files.truths["bias"][0]
    damaged = tmp_path / "damaged.fits"
    content = bytearray(good.read_bytes())
    content[-3000] ^= 1
    damaged.write_bytes(content)
    files = [good, damaged, night_files.truths["dark"][0], tmp_path / "absent.fits"]
    with pytest.raises(CalibrationError, match="3 of 4 files") as caught:
        import_calib(raw_repo, "bias", files)
    for word in ("damaged.fits", "this is a dark", "absent.fits"):
        assert word in str(caught.value)
    assert raw_repo.butler.collections("imported/bias") == []


def test_an_import_for_another_detector_or_filter_than_the_file_says_is_refused(raw_repo, night_files):
    bias = next(path for path in night_files.truths["bias"] if "_A" in path.name)
    with pytest.raises(CalibrationError, match="says it is for detector 0, A, TINY-A, not 1"):
        import_calib(raw_repo, "bias", [bias], detector=1)
    with pytest.raises(CalibrationError, match="has no detector '7'"):
        import_calib(raw_repo, "bias", [bias], detector="7")
    flat = next(path for path in night_files.truths["flat"] if "g_01" in path.name)
    with pytest.raises(CalibrationError, match="says it is for filter g_01, not r_01"):
        import_calib(raw_repo, "flat", [flat], physical_filter="r_01")
    with pytest.raises(CalibrationError, match="is a bias for"):
        import_calib(raw_repo, "bias", [bias, bias])


def test_progress_counts_on_from_kind_to_kind(raw_repo):
    seen = []
    build_calibs(raw_repo, ["bias", "dark"], NIGHT, engine="direct", on_progress=seen.append)
    assert (seen[-1].done, seen[-1].total) == (4, 4)
