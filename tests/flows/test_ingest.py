from __future__ import annotations

import shutil

import pytest
from astropy.io import fits

from flows.ingest import IngestRefused, ingest_paths
from isrflow.frame.camera import load_camera
from isrflow.simulate.night import simulate_night
from registry.errors import ConflictError, UserError
from tests.flows.conftest import N_SCIENCE, NIGHT

N_FILES = 2 * (3 + 3 + 2 * 3 + N_SCIENCE)


def counts(repo):
    return (len(repo.butler.exposures()), len(repo.butler.datasets("", type="raw")))


def test_a_folder_is_ingested_with_its_nights_and_the_next_commands(empty_repo, night_files):
    report = ingest_paths(empty_repo, [night_files.raws[0].parent])
    assert (report.n_ingested, report.n_already_there, report.exit_code) == (N_FILES, 0, 0)
    assert list(report.nights) == [NIGHT]
    assert report.next_steps == (
        f"isrflow calibs build bias dark flat defects --night {NIGHT} --out calibs/{NIGHT}",
        f"isrflow calibs certify calibs/{NIGHT} --begin {NIGHT}",
        f"isrflow night {NIGHT}",
    )
    assert counts(empty_repo) == (N_FILES // 2, N_FILES)
    raw = empty_repo.butler.datasets("obs_type = 'science' and detector = 1", type="raw")[0]
    exposure = empty_repo.butler.get(raw)
    assert (exposure.detector.name, exposure.obs.exposure_id) == ("B", raw.data_id.exposure)


def test_ingesting_again_finds_everything_there(empty_repo, night_files):
    ingest_paths(empty_repo, night_files.raws)
    report = ingest_paths(empty_repo, night_files.raws)
    assert (report.n_ingested, report.n_already_there, report.exit_code) == (0, N_FILES, 0)


@pytest.mark.parametrize("transfer", ["link", "direct"])
def test_files_can_be_linked_or_left_where_they_are(empty_repo, night_files, tmp_path, transfer):
    mine = tmp_path / "mine.fits"
    shutil.copy(night_files.raws[0], mine)
    ingest_paths(empty_repo, [mine], transfer=transfer)
    (ref,) = empty_repo.butler.datasets("", type="raw")
    stored = empty_repo.butler.path(ref)
    assert stored.samefile(mine)
    assert (stored == mine) == (transfer == "direct")


def damaged(folder, night_files, tmp_path):
    """Five good files and seven bad ones, each bad in its own way."""
    raws = [path for path in night_files.raws if "_A" in path.name]
    for path in raws[:5]:
        shutil.copy(path, folder)
    content = raws[5].read_bytes()
    (folder / "truncated.fits").write_bytes(content[: len(content) // 2])
    (folder / "flipped.fits").write_bytes(content[:-1000] + bytes([content[-1000] ^ 4]) + content[-999:])
    (folder / "not_fits.fits").write_bytes(b"hello")
    with fits.open(raws[6]) as hdus:
        image = hdus[0].data if hdus[0].data is not None else hdus[1].data
        header = (hdus[0].header + hdus[1].header) if hdus[0].data is None else hdus[0].header
    wrong = header.copy()
    for card in ("CHECKSUM", "DATASUM"):
        wrong.remove(card, ignore_missing=True)
    fits.PrimaryHDU(image[:-3], wrong).writeto(folder / "geometry.fits")
    for name, card in (("no_time.fits", "EXPTIME"), ("no_detector.fits", "DETID")):
        lacking = wrong.copy()
        lacking.remove(card)
        fits.PrimaryHDU(image, lacking).writeto(folder / name)
    other = wrong.copy()
    other["INSTRUME"] = "SOMECAM"
    fits.PrimaryHDU(image, other).writeto(folder / "other.fits")
    return {
        "truncated.fits": "RawFileError",
        "flipped.fits": "RawFileError",
        "not_fits.fits": "RawFileError",
        "geometry.fits": "GeometryError",
        "no_time.fits": "HeaderError",
        "no_detector.fits": "HeaderError",
        "other.fits": "HeaderError",
    }


def test_bad_files_are_refused_all_at_once_and_nothing_is_stored(empty_repo, night_files, tmp_path):
    folder = tmp_path / "mixed"
    folder.mkdir()
    expected = damaged(folder, night_files, tmp_path)
    with pytest.raises(IngestRefused, match=f"{len(expected)} of {len(expected) + 5} files") as caught:
        ingest_paths(empty_repo, [folder])
    assert {item.path.name: item.kind for item in caught.value.refused} == expected
    assert all(item.path.name in item.reason for item in caught.value.refused)
    assert counts(empty_repo) == (0, 0)
    assert not list((empty_repo.root / "datastore").rglob("*raw*.fits"))


def test_good_files_are_taken_when_bad_ones_may_be_skipped(empty_repo, night_files, tmp_path):
    folder = tmp_path / "mixed"
    folder.mkdir()
    expected = damaged(folder, night_files, tmp_path)
    report = ingest_paths(empty_repo, [folder], skip_bad=True)
    assert (report.n_ingested, len(report.refused), report.exit_code) == (5, len(expected), 2)
    assert "other.fits" in report.render()
    assert report.to_dict()["exit_code"] == 2


def test_a_file_that_claims_to_be_a_stored_exposure_with_other_pixels_is_refused(empty_repo, night_files, tmp_path):
    other = simulate_night(load_camera("tiny"), tmp_path, NIGHT, n_science=1, n_bias=1, n_dark=1, n_flat=1, seed=99)
    ingest_paths(empty_repo, night_files.raws[:2])
    before = counts(empty_repo)
    with pytest.raises(ConflictError):
        ingest_paths(empty_repo, other.raws[:4])
    assert counts(empty_repo) == before


def test_two_different_files_of_one_exposure_are_both_refused_and_two_equal_ones_are_one(
    empty_repo, night_files, tmp_path
):
    other = simulate_night(
        load_camera("tiny"), tmp_path / "o", NIGHT, n_science=1, n_bias=1, n_dark=1, n_flat=1, seed=99
    )
    with pytest.raises(IngestRefused, match="several different files"):
        ingest_paths(empty_repo, [night_files.raws[0], other.raws[0]])
    copy = tmp_path / "copy.fits"
    shutil.copy(night_files.raws[0], copy)
    assert ingest_paths(empty_repo, [night_files.raws[0], copy]).n_ingested == 1


def test_paths_that_do_not_exist_or_hold_no_fits_are_user_errors(empty_repo, tmp_path):
    with pytest.raises(UserError, match=r"(?s)no such file.*nope.*neither"):
        ingest_paths(empty_repo, [tmp_path / "nope", tmp_path / "neither"])
    with pytest.raises(UserError, match="no FITS files"):
        ingest_paths(empty_repo, [tmp_path])


def test_every_file_looked_at_is_told(empty_repo, night_files):
    seen = []
    ingest_paths(empty_repo, night_files.raws[:3], on_progress=seen.append)
    assert [(item.done, item.total) for item in seen] == [(1, 3), (2, 3), (3, 3)]
