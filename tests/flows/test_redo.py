"""Products of a recalled calibration are made again as each was made."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from flows.imports import import_calib
from flows.recall import ask_recall, carry_out_recall
from flows.redo import carry_out_redo, plan_redo
from flows.repo import open_repo
from flows.reprocess import plan_reprocess, run_reprocess
from isrflow.calibs.files import read_calibration, write_calibration
from isrflow.errors import ConfigError
from isrflow.quantum.config import config_of, recipe_for
from registry.canonical import sha256_json
from registry.errors import UserError
from registry.timespan import ALL_TIME
from tests.flows.conftest import N_SCIENCE, NIGHT

WHERE = f"day_obs = {NIGHT} and obs_type = 'science' and detector = 0"
ORDER = {"fit_type": "POLY", "order": 3}


@pytest.fixture(scope="session")
def twice_dir(tmp_path_factory, night_dir, night_files):
    """A night of detector 0 corrected with two choices of settings; another bias is certified for some other place."""
    root = tmp_path_factory.mktemp("twice") / "repo"
    shutil.copytree(night_dir, root)
    (first, *_) = sorted(night_files.truths["bias"])
    bias = read_calibration("bias", first)
    brighter = root.parent / first.name
    write_calibration(_brighter(bias), brighter)
    with open_repo(root) as repo:
        report = run_reprocess(repo, WHERE, "try/poly", settings={"overscan": ORDER}, engine="direct")
        assert report.n_done == N_SCIENCE
        import_calib(repo, "bias", [brighter], run="spare/bias")
        repo.butler.register_collection("spare", "CALIBRATION")
        repo.butler.certify("spare", repo.butler.datasets("", type="bias", collections=["spare/bias"]), ALL_TIME)
    return root


def _brighter(bias):
    exposure = bias.exposure.copy()
    exposure.image[:] += 5.0
    return replace(bias, exposure=exposure)


@pytest.fixture
def twice(a_copy, twice_dir):
    with open_repo(a_copy(twice_dir)) as opened:
        yield opened


def ask(repo):
    (bias,) = repo.butler.datasets("detector = 0", type="bias", collections=["imported/bias"])
    return ask_recall(repo, [str(bias.id)], "glow", collections=["calibs", "spare"])


def do(repo, settings=None):
    answer = ask(repo)
    redo = plan_redo(repo, answer, "redo", settings)
    carry_out_recall(repo, answer, redo.out_runs)
    return carry_out_redo(repo, redo, collections=["calibs", "spare"], engine="direct")


def differences(repo, before, after):
    return {(one.kind, one.what) for one in repo.butler.diff(before, after).differences}


def test_each_is_made_again_with_its_own_settings_so_that_only_the_calibration_differs(twice):
    done = do(twice)
    assert (done.exit_code, [report.n_done for report in done.reports]) == (0, [N_SCIENCE] * 2)
    assert done.redo.out_runs == ("redo", "redo/2")
    assert differences(twice, f"night/{NIGHT}", "redo") == {("calibration", "bias")}
    assert differences(twice, "try/poly", "redo/2") == {("calibration", "bias")}
    for before, after in ((f"night/{NIGHT}", "redo"), ("try/poly", "redo/2")):
        found = twice.butler.diff(before, after)
        assert found.unexplained == ()
        old, new = (
            {ref.data_id: ref.content_sha256 for ref in twice.butler.datasets("", type="post_isr", collections=[run])}
            for run in (before, after)
        )
        assert old.keys() == new.keys()
        assert all(old[one] != new[one] for one in old)  # the spare bias is brighter


def test_the_settings_are_told_before_anything_is_done(twice):
    text = plan_redo(twice, ask(twice), "redo").render()
    assert text.splitlines()[0] == "to be made again as each was made:"
    assert f"{N_SCIENCE} quanta (night/{NIGHT}) with the classic recipe, settings as today: into redo" in text
    assert f"{N_SCIENCE} quanta (try/poly) with the classic recipe, overscan." in text
    assert "overscan.fit_type = POLY (today MEDIAN_PER_ROW)" in text
    assert "overscan.order = 3 (today 1)" in text
    assert ": into redo/2" in text
    assert "2 runs, for some exposures were corrected with more than one choice of settings" in text
    assert twice.butler.collections("redo") == []


def test_what_the_repository_is_set_to_today_makes_no_difference(twice):
    today = replace(twice, settings=twice.settings.model_copy(update={"recipe": {"overscan.order": 7}}))
    redo = plan_redo(today, ask(today), "redo")
    recorded = {one.config_sha256 for one in ask(today).affected}
    assert {sha256_json(lot.config) for lot in redo.lots} == recorded
    assert "overscan.order = 1 (today 7)" in redo.render()


def test_settings_that_are_given_are_laid_over_all_and_said(twice):
    redo = plan_redo(twice, ask(twice), "redo", {"overscan.clip_sigma": 4.0})
    assert redo.render().startswith("to be made again as each was made, but with overscan.clip_sigma = 4.0:")
    assert [lot.config["settings"]["overscan"]["order"] for lot in redo.lots] == [1, 3]
    assert {lot.config["settings"]["overscan"]["clip_sigma"] for lot in redo.lots} == {4.0}


def test_settings_that_make_all_alike_need_one_run_only(twice):
    (lot,) = plan_redo(twice, ask(twice), "redo", {"overscan": {"fit_type": "MEAN", "order": 1}}).lots
    assert lot.made_in == (f"night/{NIGHT}", "try/poly")
    assert (len(lot.data_ids), lot.out_run) == (N_SCIENCE, "redo")


def test_a_wrong_setting_is_refused_before_anything_is_recalled(twice):
    with pytest.raises(ConfigError, match="ordre"):
        plan_redo(twice, ask(twice), "redo", {"overscan.ordre": 3})


def test_settings_that_cannot_be_read_any_more_are_reported_and_the_others_go_on(twice):
    answer = ask(twice)
    night = next(one.config_sha256 for one in answer.affected if one.run.startswith("night/"))
    config = answer.configs[night]
    strange = {**config, "settings": {**config["settings"], "deglow": {"enabled": True}}}
    answer = replace(answer, configs={**answer.configs, night: strange})
    redo = plan_redo(twice, answer, "redo")
    carry_out_recall(twice, answer, redo.out_runs)
    done = carry_out_redo(twice, redo, collections=["calibs", "spare"], engine="direct")
    assert (done.exit_code, [report.run for report in done.reports]) == (2, ["redo/2"])
    assert f"{N_SCIENCE} quanta (night/{NIGHT}) cannot be made again as they were" in done.render()
    assert "deglow" in done.render()


def test_what_was_made_in_the_newer_order_is_made_again_in_it(twice):
    answer = ask(twice)
    config = config_of(recipe_for(twice.camera, {"recipe": "lsst"}))
    answer = replace(answer, configs=dict.fromkeys(answer.configs, config))
    redo = plan_redo(twice, answer, "redo", {"overscan_serial.clip_sigma": 4.0})
    (lot,) = redo.lots
    changed = config["settings"]["overscan_serial"] | {"clip_sigma": 4.0}
    assert lot.config == {**config, "settings": {**config["settings"], "overscan_serial": changed}}
    assert "with the lsst recipe, settings as today: into redo" in redo.render()


def test_products_that_were_rounded_are_not_made_again_unrounded(twice):
    rice = replace(twice, settings=twice.settings.model_copy(update={"product_compression": "rice"}))
    redo = plan_redo(rice, ask(rice), "redo")
    assert redo.possible == ()
    assert "they were stored without rounding, and this repository is set to rice" in redo.render()
    assert "ISRFLOW_PRODUCT_COMPRESSION=mask for these" in redo.render()


def test_an_interrupted_redo_goes_on_and_a_run_with_other_work_is_refused(twice):
    with pytest.raises(UserError, match="night/20260301 exists already"):
        carry_out_recall(twice, ask(twice), ["redo", f"night/{NIGHT}"])
    assert ask(twice).already == ()
    do(twice)
    (mark,) = ask(twice).already
    assert carry_out_recall(twice, ask(twice), ["redo", "redo/2"]).event_seq == mark.added_at  # recalled then, not now
    again = do(twice)
    assert [report.n_already_done for report in again.reports] == [N_SCIENCE] * 2


def test_a_context_frozen_before_the_recall_goes_on_giving_what_was_recalled(twice):
    twice.butler.freeze_context("dr1", ["calibs"])
    answer = ask(twice)
    carry_out_recall(twice, answer)
    (bias,) = answer.recalled
    plan = plan_reprocess(twice, WHERE, "dr1/again", context="dr1")
    assert {dict(spec.calibs)["bias"].ref.id for spec in plan.specs} == {bias.id}
    assert plan_reprocess(twice, WHERE, "redo").specs == ()
    twice.butler.freeze_context("dr2", ["calibs", "spare"])
    plan = plan_reprocess(twice, WHERE, "dr2/again", context="dr2")
    assert bias.id not in {dict(spec.calibs)["bias"].ref.id for spec in plan.specs}
    assert len(plan.specs) == N_SCIENCE
