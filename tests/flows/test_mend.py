"""Flags and corrected headers, from what people say to what products hold."""

from __future__ import annotations

import json

import numpy as np
import pytest

from flows.calibrate import build_calibs
from flows.imports import import_calib
from flows.ingest import ingest_paths
from flows.mend import clear_flags, correct_headers, flag_exposures, restore_headers
from flows.night import plan_night, run_night
from flows.replay import replay_datasets
from flows.repo import open_repo
from flows.reprocess import plan_reprocess, run_reprocess
from flows.selection import select_targets
from flows.status import repo_status
from isrflow.errors import GeometryError, HeaderError
from registry.errors import ConflictError, QuerySyntaxError, UserError
from registry.refs import DataId
from registry.times import format_time
from registry.timespan import ALL_TIME, FOREVER_NS, Timespan
from tests.flows.conftest import N_SCIENCE, NIGHT

ALL = 2 * N_SCIENCE
AFTER_DARK = ("flat", "bad_regions", "interpolation")
NO_MORE = {f"{step}.enabled": False for step in AFTER_DARK}


def science(repo):
    return sorted(record.id for record in repo.butler.exposures("obs_type = 'science'"))


def of_type(repo, kind):
    return sorted(record.id for record in repo.butler.exposures(f"obs_type = '{kind}'"))


def product(repo, run, exposure, detector=0):
    (ref,) = repo.butler.datasets(
        f"exposure = {exposure} and detector = {detector}", type="post_isr", collections=[run]
    )
    return ref


def on(exposure, detector=None):
    return DataId("tiny", exposure, detector)


@pytest.fixture
def raw_repo(a_copy, raw_dir, night_files):
    with open_repo(a_copy(raw_dir)) as repo:
        refs = import_calib(repo, "linearizer", night_files.tables["linearizer"]).refs
        repo.butler.certify("calibs", refs, ALL_TIME)
        yield repo


def test_a_bad_raw_is_left_out_of_a_night_with_who_said_so_until_it_is_cleared(repo):
    first = science(repo)[0]
    report = flag_exposures(repo, [on(first, 1)], "bad", reason="light leak")
    assert report.made == []
    plan = plan_night(repo, NIGHT)
    (left_out,) = plan.skipped
    assert (plan.n_ready, left_out[1], plan.missing) == (ALL - 1, on(first, 1), "")
    assert f"left out: exposure {first} detector 1: flagged bad by" in plan.render()
    done = run_night(repo, NIGHT, engine="direct")
    assert (done.exit_code, done.n_done, done.n_skipped) == (2, ALL - 1, 1)
    assert "light leak" in done.skipped[0].message
    assert "light leak" in done.render()
    assert json.loads(json.dumps(done.to_dict()))["noted"] == done.noted
    assert repo_status(repo).nights[0].flagged == {"bad": 1}
    assert "1 skipped in night" in repo_status(repo).rows()[0]["quanta"]

    clear_flags(repo, [on(first, 1)], "bad", reason="wrong exposure")
    again = run_night(repo, NIGHT, engine="direct")
    assert (again.exit_code, again.n_done, again.n_already_done, again.noted) == (0, ALL, ALL - 1, "")


def test_a_night_of_which_all_is_bad_has_nothing_to_do_and_does_not_ask_for_calibrations(imported_repo):
    flag_exposures(imported_repo, [on(number) for number in science(imported_repo)], "bad", reason="dome shut")
    report = run_night(imported_repo, NIGHT, engine="direct")
    assert (report.exit_code, report.n_skipped, report.missing) == (3, ALL, "")


def test_flagging_names_what_was_made_before(repo):
    first = science(repo)[0]
    run_night(repo, NIGHT, engine="direct", where=f"exposure = {first}")
    report = flag_exposures(repo, [on(first)], "bad", reason="light leak", dry_run=True)
    assert ("post_isr", 2) in [(one.type, one.number) for one in report.made]
    assert f"2 post_isr in night/{NIGHT}" in report.render()
    assert report.render().startswith(f"would be flagged bad: exposure {first}")
    assert repo.butler.flags() == []


def test_what_is_suspect_is_used_and_the_product_says_so_but_is_the_same_otherwise(repo):
    first = science(repo)[0]
    where = f"exposure = {first} and detector = 0"
    run_reprocess(repo, where, "before", engine="direct")
    flag_exposures(repo, [on(first)], "suspect", reason="haze")
    plan = plan_reprocess(repo, where, "after")
    assert f"used, with a warning in the product: exposure {first} detector 0: flagged suspect" in plan.render()
    report = run_reprocess(repo, where, "after", engine="direct")
    assert (report.exit_code, report.n_done) == (0, 1)
    before, after = product(repo, "before", first), product(repo, "after", first)
    assert "ISRFLOW FLAG RAW" not in repo.butler.get(before).header
    assert repo.butler.get(after).header["ISRFLOW FLAG RAW"].endswith(": haze")
    assert before.content_sha256 == after.content_sha256
    assert plan_reprocess(repo, where, "before").n_done_before == 1  # nothing is out of date by it


def test_masters_leave_out_what_is_bad_and_say_how_much(raw_repo):
    first = of_type(raw_repo, "bias")[0]
    flag_exposures(raw_repo, [on(first, 0)], "bad", reason="cosmic ray shower")
    report = build_calibs(raw_repo, ["bias"], NIGHT, engine="direct", settings={"maker.min_inputs": 2})
    assert (report.exit_code, report.n_done) == (0, 2)
    assert f"left out: exposure {first} detector 0: flagged bad" in report.render()
    used = {
        ref.data_id.detector: len(raw_repo.butler.provenance(ref).inputs.data)
        for ref in raw_repo.butler.datasets("", type="bias", collections=[f"calibs/{NIGHT}"])
    }
    assert used == {0: 2, 1: 3}


def test_masters_of_too_few_raws_are_not_made_and_the_report_says_why(raw_repo):
    flag_exposures(raw_repo, [on(of_type(raw_repo, "bias")[0], 0)], "bad", reason="cosmic ray shower")
    report = build_calibs(raw_repo, ["bias"], NIGHT, engine="direct")
    assert (report.exit_code, report.n_done, report.n_skipped) == (2, 1, 1)
    assert "bias of tiny detector=0: 1 of 3 exposures are flagged bad; 2 left, 3 are needed" in report.render()


def test_a_master_made_of_what_was_flagged_bad_only_afterwards_is_named_wherever_it_would_be_used(repo):
    build_calibs(repo, ["bias"], NIGHT, engine="direct")
    masters = repo.butler.datasets("", type="bias", collections=[f"calibs/{NIGHT}"])
    repo.butler.certify("calibs", masters, ALL_TIME, mode="replace")
    assert plan_night(repo, NIGHT).noted == ""
    first = of_type(repo, "bias")[0]
    report = flag_exposures(repo, [on(first, 1)], "bad", reason="lamp was on")
    assert f"isrflow calibs build bias --night {NIGHT} --out calibs/{NIGHT}-mended" in report.render()
    (noted,) = plan_night(repo, NIGHT).noted.splitlines()
    (master,) = [ref for ref in masters if ref.data_id.detector == 1]
    assert noted.startswith(f"warning: bias {master.short} (run calibs/{NIGHT}) was made of 1 raw(s) since flagged bad")
    assert f"exposure {first} detector 1" in noted
    assert "lamp was on" in noted
    assert noted in run_night(repo, NIGHT, engine="direct").render()


def test_a_master_made_with_such_a_master_is_named_too(repo):
    build_calibs(repo, ["bias", "dark"], NIGHT, engine="direct")
    masters = repo.butler.datasets("detector = 0", type=["bias", "dark"], collections=[f"calibs/{NIGHT}"])
    bias, dark = sorted(masters, key=lambda ref: ref.type)
    repo.butler.certify("calibs", [dark], ALL_TIME, mode="replace")  # the bias that it was made with is not used
    first = of_type(repo, "bias")[0]
    flag_exposures(repo, [on(first)], "bad", reason="lamp was on")
    (noted,) = plan_night(repo, NIGHT, where="detector = 0").noted.splitlines()
    assert noted.startswith(
        f"warning: bias {bias.short} (run calibs/{NIGHT}), which dark {dark.short} was made with, was made of 1 raw(s)"
    )


@pytest.mark.parametrize(
    ("card", "named", "uses_dark_time"), [("DARKTIME", "dark_time_s", True), ("EXPTIME", "exposure_time_s", False)]
)
def test_a_wrong_time_is_corrected_and_the_dark_subtracted_by_it(repo, card, named, uses_dark_time):
    """By hand: the dark is that of one second, so 10 s more subtract 10 more of it, and nothing else."""
    settings = NO_MORE | {"dark.use_dark_time": uses_dark_time}
    first = science(repo)[0]
    where = f"exposure = {first}"
    run_reprocess(repo, where, "before", engine="direct", settings=settings)
    old = repo.butler.get(product(repo, "before", first))
    seconds = float(old.header[card])
    report = correct_headers(repo, [on(first)], card.lower(), seconds + 10.0, reason="shutter log")
    assert report.cards == [(on(first, d), seconds, seconds + 10.0) for d in (0, 1)]
    ((was, now),) = report.changes
    assert (getattr(was, named), getattr(now, named)) == (seconds, seconds + 10.0)
    assert "made with the header as it was: " in report.render()
    assert "2 post_isr in before" in report.render()
    assert f'isrflow reprocess "exposure in ({first})" --out before-mended' in report.render()
    assert getattr(repo.butler.exposures(where)[0], named) == seconds + 10.0

    run_reprocess(repo, where, "after", engine="direct", settings=settings)
    new = repo.butler.get(product(repo, "after", first))
    dark = next(ref for ref in repo.butler.datasets("", type="dark") if ref.data_id.detector == 0)
    master = repo.butler.get(dark).exposure
    assert master.obs.dark_time_s == 1.0
    # float32 of some 10^4 adu: two roundings of 1e-3
    np.testing.assert_allclose(old.image - new.image, 10.0 * master.image, atol=2e-3)
    assert np.abs(master.image).max() > 0.01
    assert float(new.header[card]) == seconds + 10.0
    assert new.header[f"ISRFLOW HEADER RAW {card}"] == json.dumps(seconds + 10.0)
    assert repo.butler.provenance(product(repo, "after", first)).inputs.notes == {
        "headers": {"raw": {card: seconds + 10.0}}
    }
    # of what was made since, nothing is out of date
    assert {one.run for one in correct_headers(repo, [on(first)], card, 1.0, reason="x", dry_run=True).done.made}
    assert restore_headers(repo, [on(first)], card, reason="x", dry_run=True).done.made[0].run == "after"


def test_masters_are_made_by_corrected_headers(repo):
    """By hand: a dark is divided by its dark time, so twice the time is half the master."""
    build_calibs(repo, ["dark"], NIGHT, "calibs/before", engine="direct")
    correct_headers(repo, [on(number) for number in of_type(repo, "dark")], "DARKTIME", 2 * 120.0, reason="log")
    seconds = {record.dark_time_s for record in repo.butler.exposures("obs_type = 'dark'")}
    assert seconds == {240.0}
    build_calibs(repo, ["dark"], NIGHT, "calibs/after", engine="direct")
    before, after = (
        repo.butler.get(repo.butler.datasets("detector = 0", type="dark", collections=[run])[0]).exposure
        for run in ("calibs/before", "calibs/after")
    )
    raw = repo.butler.get(repo.butler.datasets("obs_type = 'dark' and detector = 0", type="raw")[0])
    factor = raw.obs.dark_time_s / 240.0  # what the files say, which nobody touched
    np.testing.assert_allclose(after.image, before.image * factor, rtol=1e-5, atol=1e-6)
    assert after.header[f"ISRFLOW HEADER RAW {of_type(repo, 'dark')[0]} DARKTIME"] == "240.0"


def test_a_clock_that_was_wrong_is_set_right_and_the_calibrations_of_the_right_time_are_taken(repo):
    first = science(repo)[0]
    record = repo.butler.exposures(f"exposure = {first}")[0]
    day = 86_400 * 10**9
    biases = repo.butler.datasets("detector = 0", type="bias", collections=["imported/bias"])
    repo.butler.register_collection("other/bias", "RUN")
    other = repo.butler.put(repo.butler.get(biases[0]), "bias", biases[0].data_id, "other/bias")
    span = Timespan(record.begin_ns + day // 2, FOREVER_NS)
    repo.butler.certify("calibs", [other], span, mode="replace")

    def bias():
        (spec,) = plan_reprocess(repo, f"exposure = {first} and detector = 0", "try").specs
        return dict(spec.calibs)["bias"].ref.id

    assert bias() == biases[0].id
    for card in ("DATE-END", "MJD-END"):
        correct_headers(repo, [on(first)], card, None, reason="clock a day slow")
    later = format_time(record.begin_ns + day).removesuffix(" UTC")
    report = correct_headers(repo, [on(first)], "DATE-BEG", later, reason="clock a day slow")
    ((_, now),) = report.changes
    assert now.begin_ns == record.begin_ns + day
    assert now.end_ns == now.begin_ns + 30 * 10**9  # by the exposure time, as nothing else is said
    assert f"begin {format_time(record.begin_ns)} -> {format_time(now.begin_ns)}" in report.render()
    assert bias() == other.id


def test_products_are_out_of_date_after_a_correction_and_up_to_date_again_when_it_is_taken_back(repo):
    first = science(repo)[0]
    where = f"exposure = {first} and detector = 0"
    run_reprocess(repo, where, "try", engine="direct")
    correct_headers(repo, [on(first)], "OBJECT", "M 31", reason="typo")
    assert plan_reprocess(repo, where, "try").n_stale == 1
    with pytest.raises(ConflictError, match=r"header of raw corrected otherwise \(OBJECT\)"):
        run_reprocess(repo, where, "try", engine="direct")
    run_reprocess(repo, where, "other", engine="direct")
    one, other = (repo.butler.get(product(repo, run, first)) for run in ("try", "other"))
    assert np.array_equal(one.image, other.image)  # what an object is called moves no pixel
    assert (one.header["OBJECT"], other.header["OBJECT"]) == ("field Alpha", "M 31")
    restore_headers(repo, [on(first)], "OBJECT", reason="no typo")
    assert plan_reprocess(repo, where, "try").n_done_before == 1
    assert repo.butler.exposures(f"exposure = {first}")[0].object_name == "field Alpha"


def test_what_was_made_before_and_after_a_correction_is_replayed_each_with_its_own_header(repo):
    first = science(repo)[0]
    where = f"exposure = {first} and detector = 0"
    run_reprocess(repo, where, "before", engine="direct")
    correct_headers(repo, [on(first)], "DARKTIME", 64.0, reason="shutter log")
    flag_exposures(repo, [on(first)], "suspect", reason="haze")
    run_reprocess(repo, where, "after", engine="direct")
    restore_headers(repo, [on(first)], "DARKTIME", reason="it was right")
    refs = [product(repo, run, first) for run in ("before", "after")]
    assert refs[0].content_sha256 != refs[1].content_sha256
    assert [one.verdict for one in replay_datasets(repo, refs).results] == ["reproduced"] * 2


def test_a_card_that_is_taken_away_is_gone(repo):
    """Without its card the dark time of an exposure is its exposure time."""
    first = science(repo)[0]
    report = correct_headers(repo, [on(first)], "DARKTIME", None, reason="sensor broken")
    assert report.cards == [(on(first, 0), 32.0, None), (on(first, 1), 32.0, None)]
    assert "DARKTIME 32.0 -> (no card)" in report.render()
    assert repo.butler.exposures(f"exposure = {first}")[0].dark_time_s == 30.0
    run_reprocess(repo, f"exposure = {first}", "try", engine="direct")
    header = repo.butler.get(product(repo, "try", first)).header
    assert (header["DARKTIME"], header["ISRFLOW HEADER RAW DARKTIME"]) == (30.0, "taken away")
    restore_headers(repo, [on(first)], "DARKTIME", reason="it was not")
    assert repo.butler.exposures(f"exposure = {first}")[0].dark_time_s == 32.0


def test_what_corrections_hold_of_raws_holds_at_every_ingestion(empty_repo, night_files):
    ours = [path for path in night_files.raws if "_A" in path.name or path.name.endswith("A.fits")]
    first = ingest_paths(empty_repo, ours)
    assert 0 < first.n_ingested < len(night_files.raws)
    number = science(empty_repo)[0]
    correct_headers(empty_repo, [on(number)], "FILTER", "r_01", reason="wheel log")
    assert empty_repo.butler.exposures(f"exposure = {number}")[0].physical_filter == "r_01"
    again = ingest_paths(empty_repo, night_files.raws)  # the other detectors' files say g_01, and so do those there
    assert (again.n_already_there, again.n_ingested) == (len(ours), len(night_files.raws) - len(ours))
    assert empty_repo.butler.exposures(f"exposure = {number}")[0].physical_filter == "r_01"


@pytest.mark.parametrize(
    ("keyword", "value", "says"),
    [
        ("FILTER", "y_01", r"exposure \d+ detectors 0, 1: it would be taken through filter 'y_01'.*has g_01, r_01"),
        ("EXPTIME", "long", r"exposure_time_s cannot be read from 'long'"),
        ("EXPTIME", None, "exposure_time_s is missing"),
        (
            "DATE-BEG",
            "2026-03-02T23:00:00",
            r"end before it begins .*: isrflow header correct DATE-END --delete; isrflow header correct MJD-END",
        ),
        ("EXPID", 77, "it would become exposure 77: which exposure a raw is cannot be corrected"),
        ("DETID", "B", "it would become another detector's"),
    ],
)
def test_impossible_corrections_are_refused_whole_with_all_offenders(repo, keyword, value, says):
    before = repo.butler.exposures()
    with pytest.raises(ConflictError, match=says) as caught:
        correct_headers(repo, [on(number) for number in science(repo)[:2]], keyword, value, reason="x")
    assert "nothing was changed" in str(caught.value)
    assert repo.butler.header_corrections() == []
    assert repo.butler.exposures() == before


def test_raws_of_one_exposure_must_go_on_saying_the_same(repo):
    with pytest.raises(ConflictError, match=r"would disagree on physical_filter: .*correct it on all detectors"):
        correct_headers(repo, [on(science(repo)[0], 0)], "FILTER", "r_01", reason="x")


@pytest.mark.parametrize(
    ("keyword", "value", "says"),
    [
        ("NAXIS1", 5, "says how the file is laid out"),
        ("EXPOSURE TIME!", 5, "is not a header keyword"),
        ("OBJECT", "Ω", "printable ASCII only"),
        ("EXPTIME", float("nan"), "cannot hold nan"),
        ("OBJECT", 69 * "x", "at most 68 characters"),
    ],
)
def test_what_no_header_can_hold_is_refused(repo, keyword, value, says):
    with pytest.raises(HeaderError, match=says):
        correct_headers(repo, [on(science(repo)[0])], keyword, value, reason="x")


def test_a_dry_run_of_a_correction_changes_nothing_and_says_all(repo):
    first = science(repo)[0]
    events = len(repo.butler.events(None))
    report = correct_headers(repo, [on(first)], "EXPTIME", 12.5, reason="x", dry_run=True)
    assert f"would be corrected in EXPTIME: exposure {first}" in report.render()
    assert f"exposure {first}: exposure_time_s 30.0 -> 12.5" in report.render()
    assert json.loads(json.dumps(report.to_dict()))["exposures"][0]["new"] == 12.5
    assert len(repo.butler.events(None)) == events
    assert repo.butler.exposures(f"exposure = {first}")[0].exposure_time_s == 30.0


def test_the_event_of_a_correction_holds_what_the_exposure_was_and_is(repo):
    first = science(repo)[0]
    done = correct_headers(repo, [on(first)], "EXPTIME", 12.5, reason="shutter log").done
    event = repo.butler.events(1)[0]
    assert (event.seq, event.kind, event.reason) == (done.seq, "header-correct", "shutter log")
    assert event.payload["exposures"] == [
        {"instrument": "tiny", "exposure": first, "old": {"exposure_time_s": 30.0}, "new": {"exposure_time_s": 12.5}}
    ]
    assert repo.butler.corrected_cards([on(first, 1)], as_of=done.seq - 1) == {}
    assert repo.butler.corrected_cards([on(first, 1)]) == {on(first, 1): {"EXPTIME": 12.5}}


def test_what_is_meant_is_said_by_ids_or_by_a_query(repo):
    first, second, *_ = science(repo)
    assert select_targets(repo, [first]) == [on(first)]
    assert select_targets(repo, [first], ["B", "0"]) == [on(first, 1), on(first, 0)]
    assert select_targets(repo, where=f"exposure in ({first}, {second})") == [on(first), on(second)]
    assert set(select_targets(repo, where=f"exposure = {first} and detector in (0, 1)")) == {on(first, 0), on(first, 1)}
    with pytest.raises(UserError, match="one of both"):
        select_targets(repo)
    with pytest.raises(UserError, match="nothing is selected by exposure = 7"):
        select_targets(repo, where="exposure = 7")
    with pytest.raises(UserError, match="named twice"):
        select_targets(repo, detectors=["A"], where="detector = 1")
    with pytest.raises(GeometryError, match="no detector 'Z'"):
        select_targets(repo, [first], ["Z"])
    with pytest.raises(QuerySyntaxError, match="detecter"):
        select_targets(repo, where="detecter = 1")
