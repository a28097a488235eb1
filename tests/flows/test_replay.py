"""Products and masters are made again of what was recorded; what people did since makes no difference."""

from __future__ import annotations

import json

import numpy as np
import pytest
from astropy.io import fits

from flows.calibrate import build_calibs
from flows.capsule import write_capsule
from flows.capsule_replay import replay_capsule
from flows.execute import LocalExecutor
from flows.night import run_night
from flows.provenance import provenance_of
from flows.replay import replay_datasets, replay_sample
from flows.replay_compare import compare_files
from flows.repo import open_repo
from registry.errors import UserError
from registry.timespan import ALL_TIME
from tests.flows.bad_calls import die_on_two
from tests.flows.conftest import NIGHT
from tests.flows.test_between_detectors import COUPLED, SETTINGS, repository, simulated

RUN = f"night/{NIGHT}"


@pytest.fixture
def repo(a_copy, night_dir):
    with open_repo(a_copy(night_dir)) as opened:
        yield opened


def product(repo, kind="post_isr"):
    return repo.butler.datasets("detector = 0", type=kind, collections=[RUN])[0]


def rewrite(path, change):
    """Change a FITS file behind the registry's back, as a careless person would."""
    path.chmod(0o644)
    with fits.open(path, mode="update", memmap=False) as hdus:
        change(hdus)


def one(repo, ref):
    (result,) = replay_datasets(repo, [ref]).results
    return result


def test_products_of_every_kind_are_reproduced_and_the_verdicts_kept(repo):
    report = replay_sample(repo, None, run=RUN)
    assert (report.exit_code, report.rate) == (0, 1.0)
    assert report.counts == {"reproduced": 6, "differs": 0, "impossible": 0}
    rows = repo.butler.replays(run=RUN)
    assert [row.verdict for row in rows] == ["reproduced"] * 6
    assert rows[0].software_sha256 == repo.butler.provenance(rows[0].dataset).inputs.software_sha256
    assert "6 dataset(s) made again, 6 reproduced: 100 % of what could be tried" in report.render()
    assert json.loads(json.dumps(report.to_dict()))["rate"] == 1.0


def test_masters_are_reproduced(repo):
    assert build_calibs(repo, ["bias", "dark"], NIGHT, engine="direct").exit_code == 0
    report = replay_sample(repo, None, run=f"calibs/{NIGHT}")
    assert report.counts["reproduced"] == len(report.results) == 4, report.render()


def test_a_sample_is_chosen_by_chance_and_the_same_seed_makes_the_same_choice(repo):
    first, again = (replay_sample(repo, 1, run=RUN, seed=3) for _ in range(2))
    assert [result.ref for result in first.results] == [result.ref for result in again.results]
    assert (len(first.results), first.of_quanta) == (2, 3)
    assert len(replay_sample(repo, 1, day_obs=NIGHT, seed=3).results) == 2


def test_calibrations_certified_and_withdrawn_since_then_do_not_change_a_replay(repo):
    used = repo.butler.provenance(product(repo)).inputs.calibs["bias"]
    repo.butler.decertify("calibs", [used], ALL_TIME, reason="found a better one")
    assert one(repo, product(repo)).verdict == "reproduced"


def test_a_flag_and_a_mark_made_later_do_not_change_a_replay(repo):
    used = repo.butler.provenance(product(repo)).inputs.calibs["bias"]
    repo.butler.mark([used], "bad", reason="light leak")
    assert one(repo, product(repo)).verdict == "reproduced"


def test_a_product_that_was_made_of_something_else_differs_and_it_is_said_by_how_much(repo):
    ref = product(repo)

    def brighten(hdus):
        hdus["IMAGE"].data[3, 4] += 2.5
        hdus["MASK"].data[0, 0] |= 1
        hdus[0].header["OBJECT"] = "elsewhere"

    rewrite(repo.butler.path(ref), brighten)
    stored = repo.butler.path(ref)
    with repo.butler._repository.writing() as connection:  # as if it had come out so, then
        from sqlalchemy import update

        from isrflow.frame.content import content_sha256
        from registry.datastore.base import file_fingerprint
        from registry.sql import tables as t

        file = file_fingerprint(stored)
        values = {"size": file.size, "sha256": file.sha256, "content_sha256": content_sha256(stored)}
        connection.execute(update(t.artifact).where(t.artifact.c.path == ref.path).values(**values))
    result = one(repo, repo.butler.resolve_id(str(ref.id)))
    assert result.verdict == "differs"
    found = {difference.where: difference for difference in result.differences}
    assert set(found) == {"PRIMARY", "IMAGE", "MASK"}
    assert (found["IMAGE"].n_pixels, found["IMAGE"].max_abs) == (1, pytest.approx(2.5, rel=1e-5))
    assert (found["MASK"].n_pixels, found["MASK"].max_abs) == (1, 1.0)
    assert found["PRIMARY"].cards[0].startswith("OBJECT: 'elsewhere' then, ")
    assert "1 of 3072 values differ, by up to 2.5" in result.render()
    (row,) = repo.butler.replays(ref)
    assert row.verdict == "differs"
    assert {part["where"] for part in row.detail["differences"]} == set(found)


def test_cards_that_say_how_a_calibration_was_found_are_no_difference_where_they_were_not_written_yet(tmp_path):
    """Schema 0001 knew no other way than `valid` and `always`, and its products say nothing of it."""
    pixels = np.arange(6.0, dtype=np.float32).reshape(2, 3)
    for name, cards in {
        "old": {},
        "new": {"ISRFLOW BIAS MATCH": "valid", "ISRFLOW FLAT R MATCH": "always"},
        "near": {"ISRFLOW BIAS MATCH": "nearest"},
    }.items():
        hdu = fits.PrimaryHDU(pixels)
        for key, value in cards.items():
            hdu.header[f"HIERARCH {key}"] = value
        hdu.writeto(tmp_path / f"{name}.fits")
    old, new, near = (tmp_path / f"{name}.fits" for name in ("old", "new", "near"))
    assert compare_files(old, new) == []
    assert [one.cards for one in compare_files(old, near)] == [("ISRFLOW BIAS MATCH: absent then, 'nearest' now",)]
    assert compare_files(new, old)[0].cards == (
        "ISRFLOW BIAS MATCH: 'valid' then, absent now",
        "ISRFLOW FLAT R MATCH: 'always' then, absent now",
    )


def test_a_flipped_pixel_of_a_calibration_makes_it_impossible_and_names_the_file(repo):
    bias = repo.butler.provenance(product(repo)).inputs.calibs["bias"]

    def flip(hdus):
        hdus["IMAGE"].data[0, 0] += 1

    rewrite(repo.butler.path(bias), flip)
    result = one(repo, product(repo))
    assert result.verdict == "impossible"
    assert f"bias: the file of {bias} was changed: its SHA-256 is" in result.reasons[0]


def test_all_inputs_that_are_gone_are_listed(repo):
    inputs = repo.butler.provenance(product(repo)).inputs
    repo.butler.path(inputs.calibs["flat"]).unlink()
    repo.butler.path(inputs.data["raw"]).unlink()
    report = replay_datasets(repo, [product(repo)])
    (result,) = report.results
    assert (result.verdict, report.exit_code, report.rate) == ("impossible", 3, None)
    assert [reason.partition(":")[0] for reason in result.reasons] == ["raw", "flat"]
    assert "is gone" in result.reasons[1]


def test_a_lost_product_is_reproduced_and_its_loss_is_said(repo):
    ref = product(repo)
    repo.butler.path(ref).unlink()
    result = one(repo, ref)
    assert result.verdict == "reproduced"
    assert "is gone" in result.remarks[0]


def test_a_product_changed_behind_our_back_is_told_from_one_that_was_made_otherwise(repo):
    ref = product(repo)

    def brighten(hdus):
        hdus["IMAGE"].data[0, 0] += 1

    rewrite(repo.butler.path(ref), brighten)
    result = one(repo, ref)
    assert result.verdict == "reproduced"
    assert result.remarks[0] == "the file itself was changed since it was registered: isrflow verify --full"


def test_a_recipe_that_this_version_does_not_have_is_impossible(repo):
    ref = product(repo)
    with repo.butler._repository.writing() as connection:
        connection.exec_driver_sql("UPDATE config_blob SET canonical = replace(canonical, 'IsrConfig', 'OldConfig')")
    result = one(repo, ref)
    assert result.verdict == "impossible"
    assert "no recipe 'OldConfig'" in result.reasons[0]


def test_another_software_is_tried_all_the_same_and_said(repo):
    with repo.butler._repository.writing() as connection:
        connection.exec_driver_sql(
            'UPDATE software_env SET canonical = replace(canonical, \'"python":"3\', \'"python":"2\')'
        )
    result = one(repo, product(repo))
    assert result.verdict == "reproduced"
    assert any(remark.startswith("python: 2.") for remark in result.remarks)


def test_raws_were_made_by_nobody(repo):
    raw = repo.butler.datasets("", type="raw")[0]
    with pytest.raises(UserError, match="made by no quantum of this registry"):
        replay_datasets(repo, [raw])
    with pytest.raises(UserError, match="no quantum of run raw/tiny is done"):
        replay_sample(repo, 3, run="raw/tiny")


def test_a_reader_replays_and_keeps_nothing(repo):
    with open_repo(repo.root, read_only=True) as reader:
        assert one(reader, product(reader)).verdict == "reproduced"
    assert repo.butler.replays() == []


def test_many_are_replayed_by_worker_processes(repo, monkeypatch):
    monkeypatch.delenv("ISRFLOW_EXECUTOR")
    assert run_night(repo, NIGHT, engine="direct", where="detector = 1", workers=2).exit_code == 0
    with open_repo(repo.root) as again:
        report = replay_sample(again, None, workers=2)
    assert report.counts["reproduced"] == len(report.results) >= 6, report.render()


def test_cards_corrected_before_are_corrected_again_and_those_corrected_since_are_not(a_copy, ready_dir, tmp_path):
    with open_repo(a_copy(ready_dir)) as repo:
        raw = next(ref for ref in repo.butler.datasets("obs_type = 'science' and detector = 0", type="raw"))
        exposure = f"exposure = {raw.data_id.exposure}"
        repo.butler.correct_headers([raw.data_id], "OBJECT", "M 31", reason="typed wrong")
        report = run_night(repo, NIGHT, engine="direct", where=f"{exposure} and detector = 0")
        assert report.exit_code == 0, report.render()
        repo.butler.correct_headers([raw.data_id], "OBJECT", "M 32", reason="typed wrong again")
        result = one(repo, product(repo))
        assert result.verdict == "reproduced", result.render()
        told = provenance_of(repo, product(repo))
        assert "    card OBJECT corrected: 'M 31'" in told.render()
        assert told.to_dict()["notes"]["headers"]["raw"] == {"OBJECT": "M 31"}
        assert told.header.disagreements == {}
        write_capsule(repo, product(repo), tmp_path / "corrected.zip")
    assert replay_capsule(tmp_path / "corrected.zip").results[0].verdict == "reproduced"


def test_an_input_replaced_by_a_link_out_of_the_repository_is_impossible(repo, tmp_path):
    bias = repo.butler.provenance(product(repo)).inputs.calibs["bias"]
    path = repo.butler.path(bias)
    elsewhere = tmp_path / "elsewhere.fits"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    result = one(repo, product(repo))
    assert (result.verdict, result.reasons[0].partition(":")[0]) == ("impossible", "bias")


def test_a_worker_that_dies_costs_one_thing_alone_and_how_it_died_is_told(repo):
    found = {}
    with LocalExecutor(repo, 1) as executor:
        executor.each(die_on_two, [1, 2, 3], found.__setitem__)
    assert (found[1], found[3]) == ("1 of tiny", "3 of tiny")
    assert found[2].startswith("its worker process was killed by signal 9 (SIGKILL)")


def test_products_that_needed_other_detectors_are_made_again_of_those(tmp_path):
    with repository(tmp_path / "repo", simulated(tmp_path / "sim", COUPLED)) as repo:
        assert run_night(repo, NIGHT, settings=SETTINGS, engine="direct").exit_code == 0
        report = replay_sample(repo, None, workers=1)
        assert report.counts["reproduced"] == len(report.results) > 8, report.render()
        assert {"pre_crosstalk", "post_isr"} <= {result.ref.type for result in report.results}
        ref = product(repo)
        assert any(role.startswith("source:") for role in repo.butler.provenance(ref).inputs.data)
        write_capsule(repo, ref, tmp_path / "coupled.zip")
    assert replay_capsule(tmp_path / "coupled.zip").results[0].verdict == "reproduced"
