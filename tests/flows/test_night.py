from __future__ import annotations

import json
import math

import pytest

from flows.engine import EngineChoice
from flows.night import night, plan_night, resolve_day, run_night
from flows.outcome import RunReport
from flows.repo import open_repo
from flows.reprocess import plan_reprocess, run_reprocess
from isrflow.errors import ConfigError
from registry.errors import ConflictError, QuerySyntaxError, UserError
from registry.timespan import ALL_TIME
from tests.flows.conftest import CALIBS, N_SCIENCE, NIGHT, certify

ALL = 2 * N_SCIENCE


def products(repo, run, kind="post_isr"):
    return {ref.data_id: ref for ref in repo.butler.datasets("", type=kind, collections=[run])}


def test_a_night_with_all_calibrations_is_done_and_says_so(repo):
    report = run_night(repo, NIGHT, engine="direct")
    assert (report.exit_code, report.n_done, report.n_failed, report.n_skipped) == (0, ALL, 0, 0)
    assert len(products(repo, f"night/{NIGHT}")) == ALL
    assert len(products(repo, f"night/{NIGHT}", "isr_statistics")) == ALL
    assert report.headline.startswith(f"night/{NIGHT}: {ALL} of {ALL} done")
    assert f"isrflow report {NIGHT}" in report.render()


def test_a_second_run_finds_everything_done_and_changes_nothing(repo):
    run_night(repo, NIGHT, engine="direct")
    before = products(repo, f"night/{NIGHT}")
    attempts = [row.attempt for row in repo.butler.quanta(f"night/{NIGHT}")]
    report = run_night(repo, "last", engine="direct")
    assert (report.exit_code, report.n_done, report.n_already_done) == (0, ALL, ALL)
    assert products(repo, f"night/{NIGHT}") == before
    assert [row.attempt for row in repo.butler.quanta(f"night/{NIGHT}")] == attempts


def test_without_any_calibration_nothing_succeeds_and_one_report_says_what_is_missing(imported_repo):
    report = run_night(imported_repo, NIGHT, engine="direct")
    assert (report.exit_code, report.n_done, report.n_skipped) == (3, 0, ALL)
    for kind in CALIBS:
        assert kind in report.missing
    assert "isrflow explain" in report.missing
    assert all(item.kind == "skipped" and "no bias" in item.message for item in report.skipped)


def test_what_lacks_a_calibration_is_skipped_and_the_others_go_on_until_it_is_there(imported_repo):
    certify(imported_repo, *CALIBS, detectors=(0,))
    certify(imported_repo, "bias", "flat", "defects", "linearizer", detectors=(1,))
    first = run_night(imported_repo, NIGHT, engine="direct")
    assert (first.exit_code, first.n_done, first.n_skipped) == (2, N_SCIENCE, N_SCIENCE)
    assert {"detector=1" in item.what and "no dark" in item.message for item in first.skipped} == {True}

    certify(imported_repo, "dark", detectors=(1,))
    second = run_night(imported_repo, NIGHT, engine="direct")
    assert (second.exit_code, second.n_done, second.n_already_done, second.missing) == (0, ALL, N_SCIENCE, "")


def test_a_dry_run_writes_nothing_and_lists_what_would_be_done(repo):
    events = len(repo.butler.events(None))
    plan = plan_night(repo, "last")
    assert (plan.n_quanta, plan.n_ready, plan.n_skipped, plan.exit_code) == (ALL, ALL, 0, 0)
    assert f"{ALL} to run" in plan.render()
    assert json.loads(json.dumps(plan.to_dict()))["n_ready"] == ALL
    assert repo.butler.collections("night/*") == []
    assert len(repo.butler.events(None)) == events


def test_products_say_in_their_headers_what_they_were_made_of(repo):
    run_night(repo, NIGHT, engine="direct", where="detector = 0", settings={"overscan.order": 0})
    ref = next(iter(products(repo, f"night/{NIGHT}").values()))
    record = repo.butler.provenance(ref)
    header = repo.butler.get(ref).header
    assert header["ISRFLOW DATASET"] == str(ref.id)
    assert header["ISRFLOW QUANTUM"] == str(record.inputs.quantum.uuid)
    assert header["ISRFLOW CONFIG"] == record.inputs.config_sha256
    assert header["ISRFLOW CALIBSET"] == record.inputs.calib_set_sha256
    assert set(record.inputs.calibs) == {"camera", *CALIBS}
    for role, used in {**record.inputs.data, **record.inputs.calibs}.items():
        assert header[f"ISRFLOW {role.upper()} ID"] == str(used.id)
        assert header[f"ISRFLOW {role.upper()} SHA256"] == used.sha256


def test_statistics_are_plain_numbers_per_amplifier(repo):
    run_night(repo, NIGHT, engine="direct", where="detector = 0")
    ref = next(iter(products(repo, f"night/{NIGHT}", "isr_statistics").values()))
    amplifiers = repo.butler.get(ref)["amplifiers"]
    assert set(amplifiers) == {"L", "R"}
    assert math.isfinite(amplifiers["L"]["mean"])


def test_binned_pictures_and_thumbnails_are_products_when_their_rows_are_switched_on(repo):
    settings = {
        "binned.enabled": True,
        "binned.factor2": 16,
        "thumbnail_overscan.enabled": True,
        "thumbnail_flattened.enabled": True,
    }
    report = run_reprocess(
        repo, "obs_type = 'science' and detector = 1", "u/thumbs", settings=settings, engine="direct"
    )
    assert report.exit_code == 0, report.render()
    for kind in ("post_isr_bin8", "post_isr_bin64", "oss_thumb", "flat_thumb"):
        assert len(products(repo, "u/thumbs", kind)) == N_SCIENCE
    thumb = repo.butler.get(next(iter(products(repo, "u/thumbs", "oss_thumb").values())))
    assert thumb.shape == (12, 16, 3)
    small = repo.butler.get(next(iter(products(repo, "u/thumbs", "post_isr_bin8").values())))
    assert small.image.shape == (6, 8)


def test_settings_are_laid_over_and_an_unknown_one_is_refused_with_the_nearest_name(repo):
    assert plan_night(repo, NIGHT, settings={"dark.enabled": False}).changes["dark.enabled"] is False
    with pytest.raises(ConfigError, match="did you mean 'overscan'"):
        plan_night(repo, NIGHT, settings={"overscann.order": 3})


def test_the_same_run_with_other_settings_is_refused_and_nothing_is_touched(repo):
    run_night(repo, NIGHT, engine="direct")
    before = products(repo, f"night/{NIGHT}")
    plan = plan_night(repo, NIGHT, settings={"dark.enabled": False})
    assert (plan.n_stale, plan.n_ready) == (ALL, 0)
    with pytest.raises(ConflictError, match="another content"):
        run_night(repo, NIGHT, engine="direct", settings={"dark.enabled": False})
    assert products(repo, f"night/{NIGHT}") == before


def test_reprocessing_into_a_run_of_its_own_gives_the_same_content(repo):
    run_night(repo, NIGHT, engine="direct")
    report = run_reprocess(repo, "obs_type = 'science' and detector = 0", "u/me/again", engine="direct")
    assert (report.exit_code, report.n_done) == (0, N_SCIENCE)
    again, first = products(repo, "u/me/again"), products(repo, f"night/{NIGHT}")
    assert {key: ref.content_sha256 for key, ref in again.items()} == {key: first[key].content_sha256 for key in again}
    assert all(again[key].id != first[key].id for key in again)


def test_a_selection_of_nothing_or_a_crooked_query_is_an_error_that_helps(repo):
    with pytest.raises(UserError, match="no raw exposures"):
        plan_reprocess(repo, "day_obs = 20200101", "u/x")
    with pytest.raises(QuerySyntaxError):
        plan_reprocess(repo, "day_obs == 20260301", "u/x")
    with pytest.raises(UserError, match="no raw exposures") as caught:
        plan_night(repo, 20200101)
    assert str(NIGHT) in str(caught.value)


def test_a_lost_product_is_planned_made_again_and_named(repo):
    run_night(repo, NIGHT, engine="direct")
    lost = next(iter(products(repo, f"night/{NIGHT}").values()))
    repo.butler.path(lost).unlink()
    plan = plan_night(repo, NIGHT)
    assert (plan.n_lost, plan.n_ready, plan.n_done_before) == (1, 1, ALL - 1)
    assert "1 to run (1 of them again: files are gone)" in plan.render()
    report = run_night(repo, NIGHT, engine="direct")
    assert (report.exit_code, report.n_done, report.n_already_done) == (0, ALL, ALL - 1)
    assert f"isr of {lost.data_id}: made again: the file is gone of post_isr {lost.short}" in report.render()
    assert "1 of them made again" in report.headline
    assert repo.butler.exists(lost)
    assert RunReport.from_dict(json.loads(json.dumps(report.to_dict()))).remade == report.remade
    assert run_night(repo, NIGHT, engine="direct").remade == []


def test_a_plan_that_would_be_refused_says_so_and_exits_as_the_run_would(repo):
    run_night(repo, NIGHT, engine="direct")
    plan = plan_night(repo, NIGHT, settings={"dark.enabled": False})
    assert plan.exit_code == 1
    assert "this would be refused" in plan.render()


def test_products_are_kept_out_of_the_runs_of_raws_and_camera(repo):
    for run in ("raw/tiny", "camera/tiny"):
        with pytest.raises(UserError, match="takes no products"):
            run_reprocess(repo, "obs_type = 'science'", run, engine="direct")


def test_where_nothing_was_done_no_report_is_offered(imported_repo):
    assert run_night(imported_repo, NIGHT, engine="direct").next_steps == ()


def test_what_another_process_has_is_unfinished_and_not_failed(repo):
    def somebody_else_takes_it(quanta, on_done):
        repo.butler.lease([row.id for row in quanta[:1]], worker="somebody else")

    direct = EngineChoice("direct", "asked for")
    report = night(repo, somebody_else_takes_it, direct, None, day=str(NIGHT))
    assert report.n_unfinished == ALL
    assert f"{ALL} unfinished" in report.headline
    assert "failed" not in report.render()


def test_last_is_the_last_day_with_science_exposures(repo):
    assert resolve_day(repo, "last") == NIGHT
    assert resolve_day(repo, str(NIGHT)) == NIGHT


def test_an_empty_repository_has_no_last_night(empty_repo):
    with pytest.raises(UserError, match="no science exposures"):
        resolve_day(empty_repo, "last")


def test_a_failing_quantum_is_named_with_its_step_and_tried_again_only_when_asked(repo):
    raw = repo.butler.datasets("obs_type = 'science' and detector = 0", type="raw")[0]
    path = repo.butler.path(raw)
    content = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(content[:-1000] + bytes(10) + content[-990:])  # damaged after it was stored
    report = run_night(repo, NIGHT, engine="direct")
    assert (report.exit_code, report.n_done, report.n_failed) == (2, ALL - 1, 1)
    assert str(raw.data_id) in report.failures[0].what
    assert report.failures[0].kind == "RawFileError"

    path.write_bytes(content)
    kept = run_night(repo, NIGHT, engine="direct", retry_failed=False)
    assert (kept.exit_code, kept.n_failed) == (2, 1)
    mended = run_night(repo, NIGHT, engine="direct")
    assert (mended.exit_code, mended.n_done, mended.n_already_done) == (0, ALL, ALL - 1)


def test_a_calibration_for_another_detector_is_refused_by_the_quantum(imported_repo):
    wrong = imported_repo.butler.datasets("detector = 1", type="bias")[0]
    value = imported_repo.butler.get(wrong)
    right = imported_repo.butler.datasets("detector = 0", type="bias")[0]
    imported_repo.butler.register_collection("wrong/bias", "RUN")
    planted = imported_repo.butler.put(value, "bias", right.data_id, "wrong/bias")
    certify(imported_repo, "dark", "flat", "defects", "linearizer")
    certify(imported_repo, "bias", detectors=(1,))
    imported_repo.butler.certify("calibs", [planted], ALL_TIME)
    report = run_night(imported_repo, NIGHT, engine="direct")
    assert (report.n_done, report.n_failed) == (N_SCIENCE, N_SCIENCE)
    assert {item.kind for item in report.failures} == {"CalibrationMismatch"}


def test_reports_survive_json(repo):
    report = run_night(repo, NIGHT, engine="direct", where="detector = 0")
    text = json.dumps(report.to_dict())
    assert json.dumps(RunReport.from_dict(json.loads(text)).to_dict()) == text


def test_calibrations_kept_between_quanta_give_what_fresh_ones_give(repo, monkeypatch):
    run_reprocess(repo, "obs_type = 'science'", "u/kept", engine="direct")
    monkeypatch.setenv("ISRFLOW_CACHE_MB", "0")
    with open_repo(repo.root) as other:
        run_reprocess(other, "obs_type = 'science'", "u/fresh", engine="direct")
    kept, fresh = products(repo, "u/kept"), products(repo, "u/fresh")
    assert {key: ref.content_sha256 for key, ref in kept.items()} == {
        key: ref.content_sha256 for key, ref in fresh.items()
    }
