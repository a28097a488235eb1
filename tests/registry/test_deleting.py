"""Deletion: refused while anything depends on it, with every reason; restartable; a tombstone that can be revived."""

from __future__ import annotations

import os
import signal

import pytest
from sqlalchemy import update

from registry.butler import Butler, IngestItem
from registry.delete import announce, bury, delete, unlink
from registry.errors import ConflictError, DeletionRefused, MissingDataset, TransferError, UserError
from registry.refs import DataId, Match, QuantumSpec
from registry.sql import tables as t
from registry.sql.collections import tag
from registry.sql.contexts import freeze_context
from registry.times import now_ns
from registry.timespan import ALL_TIME

RUN = "night/1"
D0 = DataId("lupine", detector=0)
DATA_ID = DataId("lupine", 20260301005, 0)
VALUES = {"post_isr": [1, 2, 3], "statistics": {"mean": 2}}
WHY = {"reason": "the dome was closed"}


@pytest.fixture
def bias(butler):
    return butler.put({"level": 100}, "bias", D0, "calibs/1")


@pytest.fixture
def raw(butler):
    return butler.put("raw", "raw", DATA_ID, "raw/lupine")


def plan(butler, raw, bias=None):
    calibs = () if bias is None else (("bias", Match(bias, None, "calibs/1")),)
    spec = QuantumSpec("isr", DATA_ID, (("raw", raw.id),), calibs, "key")
    return butler.plan(RUN, [spec], config={}, software={})[0]


def make(butler, raw, bias=None):
    """Make the products of a quantum."""
    row = plan(butler, raw, bias)
    butler.lease([row.id])
    refs = butler.publish(row.id, VALUES, run=RUN, data_id=DATA_ID, metrics={"seconds": 1.0})
    return {ref.type: ref for ref in refs}


def kinds(refusal) -> list[str]:
    return sorted(blocker.kind for blocker in refusal.value.blockers)


def is_untouched(butler, *refs):
    return all(butler.exists(ref) and butler.resolve_id(str(ref.id)).status == "LIVE" for ref in refs)


def test_what_nothing_needs_goes_and_leaves_a_tombstone(butler, raw):
    refs = make(butler, raw)
    report = butler.delete([refs["post_isr"]], **WHY)
    gone = butler.resolve_id(str(refs["post_isr"].id))
    assert gone.status == "PURGED"
    assert (gone.sha256, gone.content_sha256, gone.size) == (
        refs["post_isr"].sha256,
        refs["post_isr"].content_sha256,
        refs["post_isr"].size,
    )
    assert not (butler.root / "datastore" / gone.path).exists()
    assert report.n_bytes == gone.size
    assert f"1 dataset(s) deleted, {gone.size} bytes" in report.render()
    assert {edge.source for edge in butler.lineage(gone).edges} == {raw.id}, "how it was made is still known"
    assert butler.verify(rehash=True).findings == ()
    assert is_untouched(butler, refs["statistics"], raw)
    with pytest.raises(MissingDataset, match=r"it is PURGED, deleted by tester at .* \(the dome was closed\)"):
        butler.get(gone.id)


def test_who_deleted_it_and_why_is_on_record(butler, raw):
    butler.delete([raw], **WHY)
    (mark,) = butler.marks([raw])
    assert (mark.kind, mark.actor, mark.reason) == ("deleted", "tester", "the dome was closed")
    (event,) = [event for event in butler.events() if event.kind == "delete"]
    assert (event.actor, event.reason, event.payload["datasets"]) == ("tester", "the dome was closed", 1)
    assert event.payload["bytes"] == raw.size


def test_a_dry_run_says_what_would_go_and_does_nothing(butler, raw):
    report = butler.delete([raw], dry_run=True, **WHY)
    assert f"1 dataset(s) would be deleted, {raw.size} bytes" in report.render()
    assert report.to_dict()["deleted"][0]["id"] == str(raw.id)
    assert is_untouched(butler, raw)
    assert [event.kind for event in butler.events()].count("delete") == 0


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_certified_calibration_stays_and_it_is_said_who_certified_it(butler, bias, dry_run):
    butler.certify("calibs", [bias], ALL_TIME, reason="first light")
    with pytest.raises(DeletionRefused, match=r"certified in calibs .* by tester at .*\(first light\)") as refusal:
        butler.delete([bias], dry_run=dry_run, **WHY)
    assert kinds(refusal) == ["certified"]
    assert f"isrflow calibs decertify {bias.short} --collection calibs" in str(refusal.value)
    assert is_untouched(butler, bias)
    butler.decertify("calibs", [bias], ALL_TIME, reason="wrong lamp")
    butler.delete([bias], **WHY)


def test_what_products_were_made_of_stays_until_they_go(butler, raw, bias):
    refs = make(butler, raw, bias)
    for source in (raw, bias):
        with pytest.raises(DeletionRefused, match=r"2 product\(s\) that were made of it are there") as refusal:
            butler.delete([source], **WHY)
        assert kinds(refusal) == ["used"]
    with pytest.raises(DeletionRefused, match=r"1 product\(s\) that were made of it"):
        butler.delete([raw, refs["post_isr"]], **WHY)
    assert is_untouched(butler, raw, bias, *refs.values())
    butler.delete([bias, raw, *refs.values()], **WHY)
    assert butler.datasets() == []


def test_work_that_is_planned_keeps_its_inputs(butler, raw):
    plan(butler, raw)
    with pytest.raises(DeletionRefused, match=r"1 quanta of run night/1 that are not done want it") as refusal:
        butler.delete([raw], **WHY)
    assert kinds(refusal) == ["planned"]


def test_tags_frozen_runs_and_contexts_keep_what_they_hold(butler, raw, bias):
    butler.certify("calibs", [bias], ALL_TIME, reason="first light")
    with butler._repository.writing() as connection:
        tag(connection, "best", [bias], actor="ada", reason="for the paper")
        freeze_context(connection, "dr1", ["calibs"], actor="ada", doc="")
    butler.freeze("calibs/1", reason="final")
    butler.decertify("calibs", [bias], ALL_TIME, reason="wrong lamp")
    with pytest.raises(DeletionRefused) as refusal:
        butler.delete([bias, raw], **WHY)
    assert kinds(refusal) == ["cited", "frozen", "tagged"], "all reasons at once"
    said = str(refusal.value)
    assert "1 of 2 dataset(s) are needed; nothing was deleted" in said
    assert "tagged in best by ada" in said
    assert "context dr1, frozen" in said
    assert "its run calibs/1 is frozen" in said
    assert is_untouched(butler, raw)


def test_a_calibration_certified_after_a_context_was_frozen_is_not_cited_by_it(butler, bias, raw):
    butler.delete([raw], **WHY)
    with butler._repository.writing() as connection:
        freeze_context(connection, "dr1", ["calibs"], actor="ada", doc="")
    butler.certify("calibs", [bias], ALL_TIME)
    butler.decertify("calibs", [bias], ALL_TIME, reason="wrong lamp")
    butler.delete([bias], **WHY)


def test_a_reason_is_wanted(butler, raw):
    with pytest.raises(UserError, match="a deletion wants a reason"):
        butler.delete([raw], reason=" ")


def test_deleting_again_is_harmless(butler, raw):
    butler.delete([raw], **WHY)
    report = butler.delete([raw], **WHY)
    assert (report.refs, [ref.id for ref in report.already]) == ((), [raw.id])
    assert [event.kind for event in butler.events()].count("delete") == 1


def test_a_deleted_product_is_made_again_by_the_same_work_under_the_same_id(butler, raw):
    refs = make(butler, raw)
    butler.delete([refs["post_isr"]], **WHY)
    row = plan(butler, raw)
    assert row.state == "planned"
    assert row.reason == f"made again: the file is gone of post_isr {refs['post_isr'].short} (it was deleted)"
    again = make(butler, raw)
    assert again["post_isr"].id == refs["post_isr"].id
    assert again["post_isr"].content_sha256 == refs["post_isr"].content_sha256
    assert butler.get(again["post_isr"]) == VALUES["post_isr"]
    assert butler.marks([raw, again["post_isr"]]) == []
    (mark,) = butler.marks([again["post_isr"]], history=True)
    assert mark.removed_at is not None
    assert butler.verify(rehash=True).findings == ()


def test_a_deleted_dataset_that_would_say_something_else_is_told(butler, raw):
    butler.delete([raw], **WHY)
    with pytest.raises(ConflictError, match="NOT REPRODUCED: made again, because the file was deleted"):
        butler.put("another", "raw", DATA_ID, "raw/lupine")
    assert butler.resolve_id(str(raw.id)).status == "PURGED"
    assert butler.verify(rehash=True).findings == ()
    butler.put("raw", "raw", DATA_ID, "raw/lupine")
    assert is_untouched(butler, raw)


@pytest.mark.parametrize("transfer", ["copy", "direct"])
def test_raws_that_were_left_in_place_stay_there_and_can_be_brought_back(butler, tmp_path, transfer):
    file = tmp_path / "raw.json"
    file.write_text('{"written": 0, "value": 7}')
    item = IngestItem(file, "raw", DATA_ID)
    (ref,) = butler.ingest([item], "raw/lupine", "direct").refs
    report = butler.delete([ref], **WHY)
    assert file.exists()
    assert report.n_bytes == 0
    assert f"{file} stays where it is: it was never in the datastore" in report.render()
    (again,) = butler.ingest([item], "raw/lupine", transfer).refs
    assert (again.id, butler.get(again.id)) == (ref.id, 7)
    assert butler.marks([ref]) == []


def test_a_file_that_is_not_what_was_stored_is_set_aside(butler, raw):
    (butler.root / "datastore" / raw.path).write_text("somebody's notes")
    report = butler.delete([raw], **WHY)
    assert report.set_aside == ((raw.path, f".quarantine/{raw.path}"),)
    assert "was not what had been stored, and is set aside" in report.render()
    assert (butler.root / "datastore/.quarantine" / raw.path).read_text() == "somebody's notes"


def test_a_file_that_is_gone_already_is_no_obstacle(butler, raw):
    (butler.root / "datastore" / raw.path).unlink()
    butler.delete([raw], **WHY)
    assert butler.resolve_id(str(raw.id)).status == "PURGED"


POINTS = ["announced", "between the files", "unlinked", "buried"]


def delete_until(repository, refs, point):
    going, _ = announce(repository, refs, **WHY)
    if point == "announced":
        return
    unlink(repository, going[:1])
    if point == "between the files":
        return
    unlink(repository, going)
    if point == "buried":
        bury(repository, going)


def crash(butler, refs, point):
    pid = os.fork()
    if pid == 0:
        try:
            own = Butler(butler.root, formatters=butler._repository.formatters, actor="victim")
            delete_until(own._repository, refs, point)
        finally:
            os.kill(os.getpid(), signal.SIGKILL)
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGKILL


@pytest.mark.parametrize("again", ["recover", "delete"])
@pytest.mark.parametrize("point", POINTS)
def test_killed_at_any_point_a_deletion_is_finished_by_recovery_or_by_repeating_it(butler, raw, point, again):
    refs = list(make(butler, raw).values())
    crash(butler, refs, point)
    n_left = 0 if point == "buried" else 2
    assert butler.stats()["unfinished writes"] == n_left
    if again == "recover":
        foreseen = butler.recover(dry_run=True)
        report = butler.recover()
        assert report.leftovers == foreseen.leftovers
        assert [leftover.kind for leftover in report.leftovers] == ["deletion"] * n_left
        assert n_left == 0 or "died while deleting it" in report.render()
    else:
        butler.delete(refs, **WHY)
    assert [butler.resolve_id(str(ref.id)).status for ref in refs] == ["PURGED"] * 2
    assert butler.verify(rehash=True).findings == ()
    assert butler.stats()["unfinished writes"] == 0
    assert [event.kind for event in butler.events()].count("delete") == 1
    assert make(butler, raw)["post_isr"].id == refs[0].id


def test_what_is_being_deleted_is_not_made_again_meanwhile(butler, raw):
    refs = make(butler, raw)
    crash(butler, list(refs.values()), "announced")
    with pytest.raises(ConflictError, match=r"being deleted:\n  post_isr"):
        butler.put(VALUES["post_isr"], "post_isr", DATA_ID, RUN)
    butler.recover()
    butler.put(VALUES["post_isr"], "post_isr", DATA_ID, RUN)


def test_the_deletion_of_a_living_process_is_left_to_it(butler, raw):
    crash(butler, [raw], "announced")
    with butler._repository.writing() as connection:
        connection.execute(update(t.journal).values(owner="elsewhere/b/n/1/1", lease_until_ns=now_ns() + 10**12))
    assert (butler.recover().leftovers, butler.recover().left_alone) == ((), 1)
    with pytest.raises(ConflictError, match=r"being deleted by another process:\n  raw .* by pid 1 on elsewhere"):
        butler.delete([raw], **WHY)
    with butler._repository.writing() as connection:
        connection.execute(update(t.journal).values(lease_until_ns=now_ns() - 1))
    assert "gave no sign of life any more while deleting it" in butler.recover().render()


def test_a_disk_that_lets_nothing_go_stops_it_and_it_goes_on_later(butler, raw, monkeypatch):
    store = type(butler._repository.store)

    def refuse(self, path):
        raise PermissionError(30, "Read-only file system", path)

    with monkeypatch.context() as patch:
        patch.setattr(store, "delete", refuse)
        with pytest.raises(TransferError, match=r"cannot be removed: .*Read-only file system.*stays unusable until"):
            butler.delete([raw], **WHY)
    assert butler.resolve_id(str(raw.id)).status == "DELETING"
    butler.delete([raw], **WHY)
    assert butler.resolve_id(str(raw.id)).status == "PURGED"


def test_a_certification_that_comes_first_wins(butler, bias):
    """Between the look and the deed nobody can come: both are in one transaction."""
    foreseen = delete(butler._repository, [bias], dry_run=True, **WHY)
    assert foreseen.refs
    butler.certify("calibs", [bias], ALL_TIME)
    with pytest.raises(DeletionRefused):
        delete(butler._repository, [bias], **WHY)
    butler.decertify("calibs", [bias], ALL_TIME, reason="wrong lamp")
    butler.delete([bias], **WHY)
    with pytest.raises((ConflictError, MissingDataset, UserError)):
        butler.certify("calibs", [bias], ALL_TIME)


def _race(root, formatters, detector, deed, gate):
    """Do one of two things that exclude each other, as soon as the gate opens; exit 0 if it was allowed."""
    code = 2
    try:
        own = Butler(root, formatters=formatters, actor=deed)
        ref = own.find("bias", DataId("lupine", detector=detector), ["calibs/1"])
        os.read(gate, 1)
        try:
            if deed == "delete":
                own.delete([ref], **WHY)
            else:
                own.certify("calibs", [ref], ALL_TIME)
            code = 0
        except (DeletionRefused, ConflictError, MissingDataset, UserError):
            code = 1
    finally:
        os._exit(code)


@pytest.mark.parametrize("round_", range(3))
def test_of_a_certification_and_a_deletion_at_once_one_wins(butler, formatters, round_):
    butler.register_collection("calibs/1", "RUN")
    (ref,) = [butler.put({"level": round_}, "bias", D0, "calibs/1")]
    gate, key = os.pipe()
    children = []
    for deed in ("delete", "certify", "delete", "certify"):
        pid = os.fork()
        if pid == 0:
            _race(butler.root, formatters, 0, deed, gate)
        children.append((deed, pid))
    os.write(key, b"!!!!")
    won = [deed for deed, pid in children if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0]
    os.close(gate)
    os.close(key)
    status = butler.resolve_id(str(ref.id)).status
    certified = [row for row in butler.validity("calibs") if row.revoked is None]
    assert len(set(won)) == 1, "who came second was refused"
    assert (status, len(certified)) == (("PURGED", 0) if won[0] == "delete" else ("LIVE", 1))
    assert butler.verify(rehash=True).findings == ()
