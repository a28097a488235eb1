"""Verification finds what is gone, changed, left over or contradictory; and says what to do."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import text

from registry.errors import ConflictError, MissingDataset
from registry.refs import DataId, Match, Policy, QuantumSpec
from registry.timespan import ALL_TIME
from tests.registry.conftest import NIGHT

D0, D1 = DataId("lupine", detector=0), DataId("lupine", detector=1)


@pytest.fixture
def refs(butler):
    return [butler.put({"level": n}, "bias", d, "calibs/1") for n, d in enumerate((D0, D1))]


def path_of(butler, ref):
    return butler.root / "datastore" / ref.path


def as_vandal(butler, *statements):
    """Change rows with guards and foreign keys switched off."""
    with butler._repository.reading() as connection:
        dialect = connection.dialect.name
    if dialect == "postgresql":
        with butler._repository.writing() as connection:
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
            for statement in statements:
                connection.exec_driver_sql(statement)
        return
    with closing(sqlite3.connect(butler.root / "registry.sqlite3", isolation_level=None)) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)


def only(report):
    (finding,) = report.findings
    assert not report.ok
    return finding


def test_a_sound_repository_is_sound(butler, refs):
    report = butler.verify(rehash=True)
    assert (report.ok, report.n_files, report.n_bytes) == (True, 2, sum(ref.size for ref in refs))
    assert report.render() == "2 file(s) hashed, 0 event(s) in the log: all as registered"


def test_a_flipped_byte_is_found_by_hashing_and_only_so(butler, refs):
    path = path_of(butler, refs[0])
    data = bytearray(path.read_bytes())
    data[3] ^= 1
    path.write_bytes(data)
    assert butler.verify().ok
    finding = only(butler.verify(rehash=True))
    assert (finding.kind, finding.what) == ("changed file", str(refs[0]))
    assert f"instead of {refs[0].sha256[:12]}" in finding.detail


def test_a_cut_file_is_found_without_hashing(butler, refs):
    path_of(butler, refs[0]).write_bytes(b"{")
    assert f"has 1 bytes instead of {refs[0].size}" in only(butler.verify()).detail


def test_a_file_that_is_gone_makes_its_dataset_missing_and_its_return_live_again(butler, refs):
    path = path_of(butler, refs[0])
    content = path.read_bytes()
    path.unlink()
    finding = only(butler.verify())
    assert (finding.kind, finding.what) == ("missing file", str(refs[0]))
    assert refs[0] not in butler.datasets()
    assert butler.find("bias", D0, ["calibs/1"]) is None
    with pytest.raises(MissingDataset, match="cannot be used: it is MISSING"):
        butler.get(refs[0].id)
    path.write_bytes(content)
    assert butler.verify(rehash=True).ok
    assert butler.get(refs[0].id) == {"level": 0}


def test_a_missing_dataset_can_be_made_again_with_the_same_content_only(butler, refs):
    path_of(butler, refs[0]).unlink()
    butler.verify()
    with pytest.raises(ConflictError, match="NOT REPRODUCED: made again, because the file was lost"):
        butler.put({"level": 7}, "bias", D0, "calibs/1")
    again = butler.put({"level": 0}, "bias", D0, "calibs/1")
    assert (again.id, again.content_sha256) == (refs[0].id, refs[0].content_sha256)
    assert butler.verify(rehash=True).ok


def test_a_reader_only_reports_what_is_missing(butler, refs, make_butler):
    path_of(butler, refs[0]).unlink()
    assert only(make_butler(read_only=True).verify()).kind == "missing file"
    assert refs[0] in butler.datasets()


@pytest.mark.parametrize(
    ("name", "says"),
    [("stray.json", "a file that no dataset has"), (".tmp-0000-x.json", "a temporary file that nobody is writing")],
)
def test_orphans_are_listed_and_never_deleted(butler, refs, name, says):
    stray = butler.root / "datastore/calibs/1" / name
    stray.write_text("{}")
    finding = only(butler.verify())
    assert (finding.kind, finding.what, finding.detail) == ("orphan", f"calibs/1/{name}", says)
    assert stray.exists()


def test_files_in_place_are_checked_too(butler, tmp_path):
    from registry.butler import IngestItem

    path = tmp_path / "raw.json"
    path.write_text('{"value": 1}')
    butler.ingest([IngestItem(path, "raw", DataId("lupine", 20260301000, 0))], "raw/lupine", "direct")
    assert butler.verify(rehash=True).ok
    path.write_text('{"value": 2}')
    assert only(butler.verify(rehash=True)).kind == "changed file"
    path.unlink()
    assert only(butler.verify()).kind == "missing file"


def test_rows_that_contradict_each_other_are_found(butler, refs):
    with butler._repository.writing() as connection:
        connection.execute(text("DELETE FROM artifact WHERE dataset_id = 1"))
        connection.execute(text("UPDATE dataset SET status = 'STAGED' WHERE id = 2"))
    problems = {finding.detail for finding in butler.verify().findings if finding.kind == "dangling row"}
    assert problems == {"LIVE without a record of its file", "STAGED, but nobody is writing it"}


def test_an_altered_log_is_found(butler, refs):
    butler.certify("calibs", refs, ALL_TIME, reason="honest")
    assert butler.verify().ok
    as_vandal(butler, "UPDATE registry_event SET reason = 'forged'")
    finding = only(butler.verify())
    assert finding.kind == "broken log"
    assert "was changed after it was written" in finding.detail
    assert finding.detail in butler.verify().render()
    assert butler.verify().to_dict()["ok"] is False


def test_what_is_missing_and_what_is_back_is_kept_in_the_log(butler, refs):
    path = path_of(butler, refs[0])
    content = path.read_bytes()
    path.unlink()
    butler.verify()
    butler.verify()
    path.write_bytes(content)
    butler.verify()
    events = [(event.kind, event.payload["datasets"]) for event in reversed(butler.events(None))]
    assert events == [("missing", [str(refs[0].id)]), ("found", [str(refs[0].id)])]


def test_without_the_folder_of_the_files_nothing_is_called_missing(butler, refs):
    from registry.errors import UnavailableError

    (butler.root / "datastore").rename(butler.root / "elsewhere")
    with pytest.raises(UnavailableError, match="no dataset was marked missing"):
        butler.verify()
    assert butler.datasets() == list(refs)


def test_a_link_that_leads_out_of_the_repository_is_found(butler, refs, tmp_path):
    inside = path_of(butler, refs[0])
    outside = tmp_path / "elsewhere.json"
    inside.rename(outside)
    inside.symlink_to(outside)
    finding = only(butler.verify(rehash=True))
    assert (finding.kind, finding.what, finding.where) == ("outside", str(refs[0]), refs[0].path)
    assert f"leads out of the repository, to {outside}" in finding.detail


def test_a_loop_of_links_and_a_folder_in_the_place_of_a_file_are_told_apart_from_loss(butler, refs):
    path_of(butler, refs[0]).unlink()
    path_of(butler, refs[0]).symlink_to(path_of(butler, refs[0]).name)
    path_of(butler, refs[1]).unlink()
    path_of(butler, refs[1]).mkdir()
    kinds = {finding.what: finding.kind for finding in butler.verify().findings}
    assert kinds == {str(refs[0]): "unreadable file", str(refs[1]): "changed file"}
    assert set(butler.datasets()) == set(refs)  # neither is called missing


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_says_so(butler, refs):
    path_of(butler, refs[0]).chmod(0)
    finding = only(butler.verify(rehash=True))
    assert (finding.kind, "Permission denied" in finding.detail) == ("unreadable file", True)


def test_a_subset_is_checked_alone(butler, refs):
    for ref in refs:
        path_of(butler, ref).unlink()
    (butler.root / "datastore/calibs/1/stray.json").write_text("{}")
    report = butler.verify(where="detector = 1")
    assert only(report).what == str(refs[1])
    assert "only those where detector = 1" in report.headline
    assert refs[0] in butler.datasets()


def test_findings_are_handed_on_as_they_come_and_progress_is_told(butler, refs):
    path_of(butler, refs[0]).unlink()
    found, steps = [], []
    report = butler.verify(on_finding=found.append, on_progress=lambda *step: steps.append(step))
    assert found == list(report.findings)
    assert steps == [(2, 2, 1)]


def test_rows_whose_parents_are_gone_are_found(butler, refs):
    as_vandal(butler, "DELETE FROM dataset WHERE id = 1")
    findings = [f for f in butler.verify().findings if f.kind == "dangling row"]
    assert [(f.what, f.detail) for f in findings] == [
        ("1 row(s) of artifact", "artifact.dataset_id names no row of dataset (such as 1)")
    ]


def test_validity_rows_that_nobody_certified_are_found(butler, refs):
    butler.certify("calibs", refs, ALL_TIME, reason="honest")
    assert butler.verify().ok
    as_vandal(butler, "UPDATE calib_validity SET end_ns = end_ns - 1 WHERE id = 1")
    assert only(butler.verify()).detail == "the validity rows of event 1 (certify) are not those it recorded"


def test_a_validity_row_stamped_with_an_event_that_certified_nothing_is_found(butler, refs):
    butler.certify("calibs", refs[:1], ALL_TIME)
    butler.mark(refs[1:], "bad", reason="streaks")
    as_vandal(butler, "UPDATE calib_validity SET certified_at = 2")
    details = [finding.detail for finding in butler.verify().findings]
    assert "validity rows speak of event 2, which certified nothing" in details


def test_a_mark_moved_to_another_dataset_and_one_of_no_event_are_found(butler, refs):
    butler.mark(refs[:1], "bad", reason="streaks")
    assert butler.verify().ok
    as_vandal(butler, "UPDATE dataset_mark SET dataset_id = 2, removed_at = 77")
    assert [finding.detail for finding in butler.verify().findings] == [
        "row 1 of dataset_mark speaks of event 77 (removed_at), which never happened",
        f"row 1 of dataset_mark (bad, {refs[1].id}) is not what event 1 recorded",
    ]


@pytest.fixture
def eventful(butler, refs):
    """A repository in which everything that can be recorded was."""
    raw = butler.put({"counts": 1}, "raw", DataId("lupine", NIGHT * 1000 + 4, 0), "raw/lupine")
    for name, kind in (("other", "CALIBRATION"), ("best", "TAGGED"), ("done", "RUN")):
        butler.register_collection(name, kind)
    diff = butler.certify("calibs", refs[:1], ALL_TIME)
    butler.mark(refs[1:], "bad", reason="streaks")
    butler.tag("best", refs[:1])
    butler.set_flag([raw.data_id], "suspect", reason="satellite")
    butler.correct_headers([raw.data_id], "OBJECT", "M 31", reason="typo")
    butler.set_policy("bias", Policy("skip"), reason="trial")
    butler.set_chain("search", ["calibs", "best"])
    butler.freeze_context("dr1", ["calibs"])
    butler.freeze("done", reason="published")
    match = Match(refs[0], diff.added[0].id, "calibs")
    spec = QuantumSpec("isr", raw.data_id, (("raw", raw.id),), (("bias", match),), "key")
    (row,) = butler.plan("night/1", [spec], config={"clip": 3}, software={"python": "3"})
    butler.lease([row.id])
    butler.publish(row.id, {"post_isr": {"n": 1}}, run="night/1", data_id=raw.data_id)
    return butler


CHANGED = {
    "UPDATE config_blob SET canonical = '{\"clip\":5}'": "of config_blob is not what it was",
    "UPDATE software_env SET canonical = '{}'": "of software_env is not what it was",
    "UPDATE calib_set_member SET dataset_id = 2": "is not the one that its validity row certified",
    "UPDATE calib_validity SET collection_id = (SELECT id FROM collection WHERE name = 'other')": "rows of event 1",
    "UPDATE context SET event_seq = 1": "context dr1 is not what was frozen",
    "UPDATE calib_policy SET on_missing = 'optional'": "the policy of event 6 is not",
    "UPDATE collection SET frozen = 0": "collection done was frozen by event 9, and is not any more",
}
GONE = {
    "UPDATE calib_validity SET end_ns = 9223372036854775807": "rows of event 1",
    "DELETE FROM context": "context dr1, which event 8 froze, is gone",
    "DELETE FROM dataset_mark": "event 2 (mark) wrote 1 row",
    "DELETE FROM dataset_tag": "event 3 (tag) wrote 1 row",
    "DELETE FROM quality_flag": "event 4 (flag) wrote 1 row",
    "DELETE FROM header_correction": "event 5 (header-correct) wrote 1 row",
    "DELETE FROM calib_policy": "event 6 (policy) wrote 1 row",
    "DELETE FROM collection_chain WHERE position = 1": "chain search is not what event 7 made it",
}


@pytest.mark.parametrize("vandalism", [CHANGED, GONE], ids=["changed", "gone"])
def test_what_somebody_did_to_the_database_is_found(eventful, vandalism):
    assert eventful.verify(rehash=True).findings == ()
    as_vandal(eventful, *vandalism)
    details = [finding.detail for finding in eventful.verify().findings]
    assert {told for told in vandalism.values() if not any(told in detail for detail in details)} == set()
    assert len(details) == len(vandalism)
