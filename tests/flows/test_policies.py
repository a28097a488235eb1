"""Policies and contexts in a night: what is taken instead, done without, or left, and that everybody is told."""

from __future__ import annotations

import json

import pytest

from flows.certify import list_calibs, match_modes, parse_mode
from flows.explain import explain_certification, explain_choice
from flows.night import plan_night, run_night
from flows.policies import list_policies, set_policy
from flows.reprocess import run_reprocess
from registry.errors import ConflictError, UserError
from registry.presence import look, record
from registry.times import parse_time
from registry.timespan import FOREVER_NS, Timespan
from tests.flows.conftest import CALIBS, N_SCIENCE, NIGHT, certify

ALL = 2 * N_SCIENCE
LATER = Timespan(parse_time("2026-03-05"), FOREVER_NS)


def masters(repo, kind):
    return repo.butler.datasets(type=kind)


def products(repo, run):
    return [repo.butler.get(ref).header for ref in repo.butler.datasets("", type="post_isr", collections=[run])]


@pytest.fixture
def late_darks(imported_repo):
    """All calibrations, but darks that are valid only later."""
    certify(imported_repo, *(kind for kind in CALIBS if kind != "dark"))
    imported_repo.butler.certify("calibs", masters(imported_repo, "dark"), LATER, reason="taken after the clouds")
    return imported_repo


def test_the_nearest_is_used_counted_warned_of_recorded_and_written_to_the_product(late_darks):
    repo = late_darks
    assert plan_night(repo, NIGHT).exit_code == 3
    set_policy(repo, "dark", "nearest", "7d", reason="clouds")
    plan = plan_night(repo, NIGHT)
    assert (plan.exit_code, plan.n_ready, plan.n_fallbacks) == (0, ALL, ALL)
    assert f"{ALL} calibrations are fallbacks" in plan.render()
    assert "fallback: dark of " in plan.render()
    assert json.loads(json.dumps(plan.to_dict()))["n_fallbacks"] == ALL
    report = run_night(repo, NIGHT, engine="direct")
    assert (report.exit_code, report.n_done, report.n_fallbacks) == (0, ALL, ALL)
    assert "not valid but the nearest, 3 d" in report.render()
    (row, *_) = repo.butler.quanta(f"night/{NIGHT}")
    match = repo.butler.inputs(row.id).matches["dark"]
    assert match.kind == "nearest"
    assert 3 * 86_400e9 < match.gap_ns < 4 * 86_400e9
    assert match.warning.startswith("NEAREST: none is valid at mid-exposure")
    header = products(repo, f"night/{NIGHT}")[0]
    assert (header["ISRFLOW DARK MATCH"], header["ISRFLOW BIAS MATCH"]) == ("nearest", "valid")
    assert float(header["ISRFLOW DARK GAP"].split()[0]) > 3 * 86_400
    answer = explain_choice(repo, [str(row.data_id.exposure), "0", "dark"])
    assert "CHOSEN: the nearest, 3 d" in answer.render()


def test_optional_does_without_and_the_product_says_so(late_darks):
    repo = late_darks
    set_policy(repo, "dark", "optional", reason="short exposures")
    plan = plan_night(repo, NIGHT)
    assert "done without: " in plan.render()
    report = run_night(repo, NIGHT, engine="direct")
    assert (report.exit_code, report.n_done) == (0, ALL)
    assert "lack dark: none is valid at mid-exposure (policy optional)" in report.render()
    header = products(repo, f"night/{NIGHT}")[0]
    assert header["ISRFLOW WITHOUT"] == "dark"
    assert "ISRFLOW DARK ID" not in header


def test_skip_leaves_quanta_undone_quietly_with_the_reason_kept(late_darks):
    repo = late_darks
    set_policy(repo, "dark", "skip", reason="they come later")
    plan = plan_night(repo, NIGHT)
    assert (plan.exit_code, plan.n_skipped, plan.missing) == (0, ALL, "")
    assert "(policy skip)" in plan.render()
    report = run_night(repo, NIGHT, engine="direct")
    assert (report.exit_code, report.n_done, report.n_skipped, report.missing) == (0, 0, ALL, "")
    assert {row.reason for row in repo.butler.quanta(f"night/{NIGHT}")} == {
        "by policy: no dark: none is valid at mid-exposure"
    }
    set_policy(repo, "dark", "nearest", "30d", reason="they came")
    assert run_night(repo, NIGHT, engine="direct").n_done == ALL


def test_a_context_is_written_down_and_kept_to(late_darks):
    repo = late_darks
    set_policy(repo, "dark", "nearest", "7d", reason="clouds")
    row = repo.butler.freeze_context("dr1", repo.settings.collections, doc="first release")
    set_policy(repo, "dark", "error", reason="no more clouds")
    run = f"night/{NIGHT}"
    report = run_night(repo, NIGHT, engine="direct", where="detector = 0", context="dr1")
    assert (report.n_done, report.n_fallbacks) == (N_SCIENCE, N_SCIENCE)
    header = products(repo, run)[0]
    assert (header["ISRFLOW CONTEXT"], header["ISRFLOW CONTEXT SHA256"]) == ("dr1", row.sha256)
    with pytest.raises(ConflictError, match=f"run {run} was begun with context dr1; it cannot go on with no context"):
        plan_night(repo, NIGHT)
    report = run_reprocess(repo, "detector = 1 and obs_type = 'science'", "try/1", engine="direct", context="dr1")
    assert report.n_done == N_SCIENCE
    with pytest.raises(UserError, match="context dr1 is frozen"):
        explain_choice(repo, [str(repo.butler.quanta(run)[0].data_id.exposure), "0", "dark"], ["calibs"], context="dr1")


def test_a_calibration_whose_file_is_gone_keeps_its_quanta_waiting_and_says_why(repo):
    repo.butler.freeze_context("dr1", repo.settings.collections)
    (bias, *_) = masters(repo, "bias")
    (repo.root / "datastore" / bias.path).unlink()
    record(repo.butler._repository, look(repo.butler._repository, [bias]))
    plan = plan_night(repo, NIGHT, context="dr1")
    assert plan.n_skipped == N_SCIENCE
    assert f"no bias: the file of {bias.short} is gone (MISSING)" in plan.missing


def test_masters_in_another_unit_than_the_recipe_works_in_are_told_in_the_dry_run(repo):
    assert plan_night(repo, NIGHT).warnings == ()
    for kind in ("ptc", "crosstalk"):
        set_policy(repo, kind, "optional", reason="test")
    settings = {"recipe": "lsst", "saturation.source": "CAMERAMODEL", "saturation.suspect_source": "CAMERAMODEL"}
    told = "bias of imported/bias is in adu, this recipe works in electron: build it with the same --recipe"
    assert f"warning: {told}" in plan_night(repo, NIGHT, settings=settings).render()


def test_what_other_steps_depend_on_cannot_be_done_without(repo):
    for kind in ("ptc", "crosstalk"):
        set_policy(repo, kind, "optional", reason="test")
    plan = plan_night(repo, NIGHT, settings={"recipe": "lsst"})
    assert (plan.specs, plan.n_skipped) == ((), ALL)
    assert "this recipe cannot do without crosstalk, ptc: " in plan.missing
    assert "set saturation.source=CAMERAMODEL" in plan.missing


def test_words_that_make_no_policy_are_refused(repo):
    with pytest.raises(UserError, match="nearest needs --max-gap"):
        set_policy(repo, "dark", "nearest", reason="x")
    with pytest.raises(UserError, match="nothing can be corrected without a camera"):
        set_policy(repo, "camera", "optional", reason="x")
    assert {row["type"]: row["policy"] for row in list_policies(repo)}["dark"] == "error"
    with pytest.raises(UserError, match="is not a policy; there is error, skip, optional, nearest"):
        set_policy(repo, "dark", "never", reason="x")


def test_calibrations_are_listed_as_of_then_in_both_scales(imported_repo):
    repo = imported_repo
    before = repo.butler.events(1)[0].seq
    certify(repo, "bias")
    rows = list_calibs(repo, kind="bias")
    assert (len(rows), list_calibs(repo, kind="bias", as_of=str(before))) == (2, [])
    repo.butler.certify("calibs", masters(repo, "dark"), LATER, reason="x")
    assert list_calibs(repo, kind="dark")[0]["valid_tai"] == "[2026-03-05T00:00:37.000 TAI, forever)"


def test_conflicts_of_a_certification_are_explained(repo):
    answer = explain_certification(repo, [masters(repo, "bias")[0].run], "20260301")
    assert "nothing is in the way" in answer.render()
    with pytest.raises(UserError, match="say what shall be certified, and from when"):
        explain_certification(repo, [], None)
    with pytest.raises(UserError, match="explain takes an exposure, a detector and a type"):
        explain_choice(repo, ["1", "2"])


def test_readout_modes_are_written_as_people_do(empty_repo):
    assert parse_mode("speed=fast, binning=2") == {"speed": "fast", "binning": 2}
    with pytest.raises(UserError, match="'fast' says nothing of a readout mode"):
        parse_mode("fast")
    with pytest.raises(UserError, match="say why"):
        match_modes(empty_repo, ["bias"], reason="")
    assert match_modes(empty_repo, ["bias"], reason="two speeds")["bias"] is not None
    empty_repo.furnish()  # a later version registers its types again
    assert match_modes(empty_repo, ["bias"], reason="two speeds") == {"bias": None}
