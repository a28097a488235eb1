"""Crosstalk between the detectors of a camera, from raws to products, through a repository."""

from __future__ import annotations

import json

import numpy as np
import pytest

from flows.corrections import plan_corrections
from flows.imports import import_calib
from flows.ingest import ingest_paths
from flows.mend import correct_headers, flag_exposures
from flows.night import plan_night, run_night
from flows.repo import create_repo, open_repo
from flows.reprocess import run_reprocess
from flows.server import down, up
from isrflow.errors import ConfigError
from isrflow.frame.camera import load_camera
from isrflow.quantum.pre_crosstalk import recipe_of_sources
from isrflow.recipe import IsrConfig
from isrflow.simulate.flaws import Flaws
from isrflow.simulate.night import simulate_night
from registry.errors import ConflictError
from registry.refs import DataId
from tests.flows.conftest import NIGHT, certify

KINDS = ("bias", "dark", "flat", "defects", "linearizer", "crosstalk")
SETTINGS = {"crosstalk.enabled": True}
N_SCIENCE = 2
STRENGTH = 0.02  # a hundred times what cameras have, so that a few pixels are enough to see it
COUPLED, ALONE = Flaws(inter_detector=STRENGTH), Flaws()


def simulated(folder, flaws):
    return simulate_night(
        load_camera("tiny"), folder, NIGHT, n_science=N_SCIENCE, calibrations=False, seed=5, flaws=flaws
    )


@pytest.fixture(scope="module")
def coupled_files(tmp_path_factory):
    return simulated(tmp_path_factory.mktemp("coupled"), COUPLED)


def repository(root, files, *, raws=None):
    """Make a repository with raws and all true calibrations."""
    repo = create_repo(root, "tiny")
    ingest_paths(repo, files.raws if raws is None else raws)
    for kind in KINDS:
        import_calib(repo, kind, (files.truths | files.tables)[kind])
    certify(repo, *KINDS)
    repo.close()
    return open_repo(root)  # with the settings of the environment: quanta run in this process


@pytest.fixture
def repo(tmp_path, coupled_files):
    with repository(tmp_path / "repo", coupled_files) as opened:
        yield opened


def of(repo, kind, run=f"night/{NIGHT}"):
    return {ref.data_id: ref for ref in repo.butler.datasets("", type=kind, collections=[run])}


def test_what_other_detectors_left_is_taken_out_again(repo, tmp_path):
    report = run_night(repo, NIGHT, settings=SETTINGS, engine="direct")
    assert (report.exit_code, report.n_done) == (0, 4 * N_SCIENCE), report.render()  # each detector is also a source
    kept = run_reprocess(
        repo,
        "obs_type = 'science'",
        "u/kept",
        settings=SETTINGS | {"crosstalk.between_detectors": False},
        engine="direct",
    )
    assert kept.n_done == 2 * N_SCIENCE  # and no source is prepared for nothing
    with repository(tmp_path / "alone", simulated(tmp_path, ALONE)) as alone:
        run_night(alone, NIGHT, settings=SETTINGS, engine="direct")
        for data_id, ref in of(alone, "post_isr").items():
            never = alone.butler.get(ref)
            corrected, left = (repo.butler.get(of(repo, "post_isr", run)[data_id]) for run in (report.run, "u/kept"))
            good = (never.mask == 0) & (corrected.mask == 0) & (left.mask == 0)
            sky = float(np.median(never.image[good]))
            # Same noise in both simulations, so that what differs is what was left; its noise is STRENGTH times that
            # of the source. Raws are rounded to whole adu, saturated stars of the source cannot be taken out exactly.
            assert np.median(np.abs(left.image - never.image)[good]) > 0.3 * STRENGTH * sky
            assert np.median(np.abs(corrected.image - never.image)[good]) < 0.6


def test_a_product_names_the_exposures_it_was_freed_of(repo):
    run_night(repo, NIGHT, settings=SETTINGS, engine="direct", where="detector = 0")
    products, prepared = of(repo, "post_isr"), of(repo, "pre_crosstalk")
    assert {data_id.detector for data_id in products} == {0}
    assert {data_id.detector for data_id in prepared} == {1}
    for data_id, ref in products.items():
        record = repo.butler.provenance(ref)
        source = record.inputs.data["source:B"]
        assert (source.type, source.data_id.exposure, source.data_id.detector) == ("pre_crosstalk", data_id.exposure, 1)
        header = repo.butler.get(ref).header
        assert header["ISRFLOW SOURCE B ID"] == str(source.id)
        assert header["ISRFLOW SOURCE B SHA256"] == source.sha256
        assert header["ISRFLOW CONTENT SOURCE B"] == source.content_sha256
        assert "ISRFLOW CROSSTALK MISSING" not in header
        ancestors = repo.butler.lineage(ref).nodes.keys()
        assert source.id in ancestors
        raws = {raw.id for raw in repo.butler.datasets("", type="raw") if raw.data_id.exposure == data_id.exposure}
        assert raws <= ancestors
    one = repo.butler.get(next(iter(prepared.values())))
    assert [entry.step for entry in one.history][-1] == "linearity"
    assert one.header["ISRFLOW TASK"] == "pre_crosstalk"


def test_a_source_that_is_flagged_bad_counts_as_absent_and_one_with_a_corrected_header_is_another(repo):
    first, second = sorted(record.id for record in repo.butler.exposures("obs_type = 'science'"))
    flag_exposures(repo, [DataId("tiny", first, 1)], "bad", reason="light leak")
    report = run_night(repo, NIGHT, settings=SETTINGS, engine="direct", where="detector = 0")
    assert (report.exit_code, report.n_done) == (0, N_SCIENCE + 1)
    assert (
        f"detector B, whose raw is flagged bad; what it left stays in tiny exposure={first} detector=0"
        in report.missing
    )
    assert {data_id.exposure for data_id in of(repo, "pre_crosstalk")} == {second}
    header = repo.butler.get(of(repo, "post_isr")[DataId("tiny", first, 0)]).header
    assert header["ISRFLOW CROSSTALK MISSING"] == "B"

    correct_headers(repo, [DataId("tiny", second, 1)], "OBSERVER", "Ada", reason="night log")  # of the source alone
    plan = plan_night(repo, NIGHT, settings=SETTINGS, where="detector = 0")
    assert (plan.n_stale, plan.n_done_before) == (1, 1)


def test_a_second_run_does_only_what_is_missing(repo):
    first = run_night(repo, NIGHT, settings=SETTINGS, engine="direct", where="detector = 0")
    assert first.n_done == 2 * N_SCIENCE
    plan = plan_night(repo, NIGHT, settings=SETTINGS)
    assert (plan.n_done_before, plan.n_ready) == (N_SCIENCE, N_SCIENCE)
    assert (plan.sources.n_ready, plan.sources.n_done_before) == (N_SCIENCE, 0)  # those of detector 0 need no more
    second = run_night(repo, NIGHT, settings=SETTINGS, engine="direct")
    assert (second.exit_code, second.n_done, second.n_already_done) == (0, 3 * N_SCIENCE, N_SCIENCE)
    third = run_night(repo, NIGHT, settings=SETTINGS, engine="direct")
    assert (third.n_done, third.n_already_done) == (2 * N_SCIENCE, 2 * N_SCIENCE)
    assert {row.attempt for row in repo.butler.quanta(third.run)} == {1}


def test_a_product_that_was_lost_is_made_again_of_sources_that_were_lost(repo):
    run = run_night(repo, NIGHT, settings=SETTINGS, engine="direct").run
    before = of(repo, "post_isr")
    lost = min(before)
    repo.butler.path(before[lost]).unlink()
    for ref in of(repo, "pre_crosstalk").values():
        repo.butler.path(ref).unlink()
    report = run_night(repo, NIGHT, settings=SETTINGS, engine="direct")
    assert report.exit_code == 0, report.render()
    assert len(report.remade) == 2  # the product, and the one source that it needs
    assert of(repo, "post_isr", run)[lost].content_sha256 == before[lost].content_sha256


def test_a_dry_run_tells_of_the_sources_and_writes_nothing(repo):
    plan = plan_night(repo, NIGHT, settings=SETTINGS)
    assert f"before them, sources of crosstalk: {2 * N_SCIENCE} to run" in plan.render()
    assert json.loads(json.dumps(plan.to_dict()))["sources"]["n_ready"] == 2 * N_SCIENCE
    assert repo.butler.collections("night/*") == []
    assert plan_night(repo, NIGHT).sources is None  # the row is off


def test_a_source_without_raw_is_reported_and_what_it_left_stays(tmp_path, coupled_files, caplog):
    only_a = [path for path in coupled_files.raws if path.stem.endswith("_A")]
    with repository(tmp_path / "repo", coupled_files, raws=only_a) as repo:
        report = run_night(repo, NIGHT, settings=SETTINGS, engine="direct")
        assert (report.exit_code, report.n_done) == (0, N_SCIENCE)
        assert "source of crosstalk missing: detector B, of which there is no raw" in report.missing
        assert "what it left stays in tiny exposures" in report.render()
        assert "no exposure of detector B, its crosstalk stays" in caplog.text
        header = repo.butler.get(next(iter(of(repo, "post_isr").values()))).header
        assert header["ISRFLOW CROSSTALK MISSING"] == "B"

        ingest_paths(repo, coupled_files.raws)  # now there is one, and the products are not what they should be
        assert plan_night(repo, NIGHT, settings=SETTINGS, where="detector = 0").n_stale == N_SCIENCE
        with pytest.raises(ConflictError, match=r"source:B none ->"):
            run_night(repo, NIGHT, settings=SETTINGS, engine="direct")
        assert of(repo, "pre_crosstalk") == {}


def test_a_source_that_lacks_a_calibration_keeps_only_those_waiting_that_need_it(repo):
    refs = [ref for ref in repo.butler.datasets("", type="bias", collections=["calibs"]) if ref.data_id.detector == 1]
    repo.butler.decertify("calibs", refs, reason="to see what happens")
    report = run_night(repo, NIGHT, settings=SETTINGS, engine="direct", where="detector = 0")
    assert (report.exit_code, report.n_done, report.n_skipped) == (3, 0, 2 * N_SCIENCE)
    assert "bias" in report.missing
    assert any("its source of crosstalk tiny exposure=" in item.message for item in report.skipped)
    certify(repo, "bias")
    report = run_night(repo, NIGHT, settings=SETTINGS, engine="direct", where="detector = 0")
    assert (report.exit_code, report.n_done) == (0, 2 * N_SCIENCE)


def test_a_source_that_fails_keeps_those_waiting_that_need_it(repo):
    for ref in repo.butler.datasets("detector = 1", type="raw"):
        repo.butler.path(ref).write_bytes(b"not what it was")
    report = run_night(repo, NIGHT, settings=SETTINGS, engine="direct", where="detector = 0")
    assert (report.exit_code, report.n_failed, report.n_skipped) == (3, N_SCIENCE, N_SCIENCE)
    assert all(
        "pre_crosstalk of tiny exposure=" in item.message and "is failed" in item.message for item in report.skipped
    )


def test_another_run_gives_the_same_content(repo):
    run_night(repo, NIGHT, settings=SETTINGS, engine="direct", where="detector = 0")
    again = run_reprocess(repo, "obs_type = 'science' and detector = 0", "u/again", settings=SETTINGS, engine="direct")
    for kind in ("post_isr", "pre_crosstalk"):
        first, second = of(repo, kind), of(repo, kind, again.run)
        assert {key: ref.content_sha256 for key, ref in first.items()} == {
            key: ref.content_sha256 for key, ref in second.items()
        }


@pytest.mark.prefect
@pytest.mark.slow
def test_sources_are_prepared_under_prefect_too(repo):
    up(repo.root)
    try:
        report = run_night(repo, NIGHT, settings=SETTINGS, engine="prefect", where="detector = 1", workers=1)
    finally:
        down(repo.root)
    assert (report.engine, report.exit_code, report.n_done) == ("prefect", 0, 2 * N_SCIENCE), report.render()
    inline = run_reprocess(repo, "obs_type = 'science' and detector = 1", "u/x", settings=SETTINGS, engine="direct")
    theirs, ours = of(repo, "post_isr"), of(repo, "post_isr", inline.run)
    assert {key: ref.content_sha256 for key, ref in theirs.items()} == {
        key: ref.content_sha256 for key, ref in ours.items()
    }


def test_a_recipe_with_two_steps_that_take_sources_is_refused():
    assert recipe_of_sources(IsrConfig()) is None
    both = IsrConfig.layered({"crosstalk.enabled": True, "crosstalk_raw.enabled": True})
    with pytest.raises(ConfigError, match="crosstalk_raw and crosstalk would both subtract"):
        recipe_of_sources(both)
    assert recipe_of_sources(both.override({"crosstalk_raw.between_detectors": False})).crosstalk_raw.enabled


def test_however_many_raws_there_are_planning_asks_the_registry_as_often(repo):
    from sqlalchemy import event

    statements = []
    event.listen(repo.butler._repository.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    counts = []
    plan_corrections(repo, repo.butler.datasets("detector = 0", type="raw"), "u/x", SETTINGS)  # opens and caches things
    for where in ("detector = 0 and exposure = :one", "detector = 0"):
        raws = repo.butler.datasets(where.replace(":one", str(min(of(repo, "raw", "raw/tiny")).exposure)), type="raw")
        statements.clear()
        plan_corrections(repo, raws, "u/x", SETTINGS)
        counts.append(len(statements))
    assert counts[0] == counts[1]
