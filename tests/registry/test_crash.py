"""Killed (-9) in every phase of publication: what is left is explained and mended, and a re-run always succeeds."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest
from sqlalchemy import update

from registry.butler import Butler
from registry.errors import ConflictError
from registry.outputs import outputs_of
from registry.owner import process_token
from registry.publish import Work, claim, move, seal, settle
from registry.refs import DataId, QuantumSpec
from registry.sql import journal
from registry.sql import tables as t
from registry.times import now_ns

RUN = "night/1"
DATA_ID = DataId("lupine", 20260301005, 1)
VALUES = {"post_isr": [1, 2, 3], "statistics": {"mean": 2}}
METRICS = {"seconds": 1.5, "frames": 1}


def plan(butler):
    raw = butler.put("raw", "raw", DATA_ID, "raw/lupine")
    spec = QuantumSpec("isr", DATA_ID, (("raw", raw.id),), (), "key")
    return butler.plan(RUN, [spec], config={}, software={})[0].id


def killed(work):
    """Do work in a process of its own, which then kills itself, if the work has not done so already."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os.kill(os.getpid(), signal.SIGKILL)
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGKILL


class Dies:
    """A format whose second file kills the process half way."""

    extension = ".json"

    def __init__(self, formatter):
        self.formatter = formatter

    def write(self, value, path):
        if value == VALUES["statistics"]:
            path.write_text("half of")
            os.kill(os.getpid(), signal.SIGKILL)
        return self.formatter.write(value, path)


def crash(butler, point, quantum_id=None):
    """Leave the repository as a process does that is killed at a point of publication."""

    def work():
        own = Butler(butler.root, formatters=butler._repository.formatters, actor="victim")
        lease = None
        if quantum_id is not None:
            assert own.lease([quantum_id]) == [quantum_id]
            lease = Work(quantum_id, process_token(), METRICS)
        if point == "writing":
            dying = {"json": Dies(own._repository.formatters["json"])}
            Butler(butler.root, formatters=dying).publish(quantum_id, VALUES, run=RUN, data_id=DATA_ID, metrics=METRICS)
        elif point != "leased":
            publish_until(own._repository, point, lease)

    killed(work)


def publish_until(repository, point, work):
    """Do the phases of publication in order, and stop at a point."""
    outputs = outputs_of(repository, VALUES, RUN, DATA_ID)
    entries = claim(repository, outputs, work)
    if point == "announced":
        return
    entries = seal(repository, entries, outputs, work)
    if point == "sealed":
        return
    store, one = repository.store, entries[0]
    if point == "between the files":
        store.publish({one.tmp_path: one.final_path})
        return
    if point == "linked":
        (store.root / one.final_path).parent.mkdir(parents=True, exist_ok=True)
        (store.root / one.final_path).hardlink_to(store.root / one.tmp_path)
        return
    move(store, entries)
    if point == "moved":
        return
    settle(repository, entries, work)


POINTS = ["leased", "announced", "writing", "sealed", "linked", "between the files", "moved", "settled"]
COMPLETED = {"sealed", "linked", "between the files", "moved"}


def publish(butler, quantum_id):
    assert butler.lease([quantum_id]) == [quantum_id]
    return butler.publish(quantum_id, VALUES, run=RUN, data_id=DATA_ID, metrics=METRICS)


def is_whole(butler, quantum_id=None):
    """All is as after an undisturbed publication, and nothing else is there."""
    refs = {ref.type: ref for ref in butler.datasets(f"run = '{RUN}'")}
    assert {name: butler.get(ref) for name, ref in refs.items()} == VALUES
    assert butler.datasets("status = 'staged'") == []
    assert butler.verify(rehash=True).findings == ()
    assert butler.stats()["unfinished writes"] == 0
    if quantum_id is not None:
        (row,) = butler.quanta(RUN)
        assert (row.state, row.seconds) == ("done", 1.5)
        assert {edge.role for edge in butler.lineage(refs["post_isr"]).edges} == {"raw"}
    return True


@pytest.mark.parametrize("point", POINTS)
def test_recovery_completes_or_clears_and_the_re_run_does_the_rest(butler, point):
    quantum_id = plan(butler)
    crash(butler, point, quantum_id)
    report = butler.recover()
    assert butler.datasets("status = 'staged'") == []
    assert butler.verify(rehash=True).findings == ()
    state = butler.quanta(RUN)[0].state
    if point in COMPLETED or point == "settled":
        assert state == "done"
    else:
        assert state == "planned"
        publish(butler, quantum_id)
    assert is_whole(butler, quantum_id)
    assert butler.recover().render() == "nothing to recover"
    assert len(report.leftovers) == {"settled": 0, "leased": 1}.get(point, 2 if point in COMPLETED else 3)


@pytest.mark.parametrize(
    ("point", "says"),
    [
        (
            "leased",
            r"quantum [0-9a-f]{8} isr lupine exposure=20260301005 detector=1: planned again\n    pid \d+ on .* is dead",
        ),
        ("announced", r"removed\n    pid \d+ on \S+ died before writing the file; it will be made again"),
        ("writing", r"removed\n    pid \d+ on \S+ died while writing the file; it will be made again"),
        ("sealed", r"published\n    pid \d+ on \S+ died after the file was complete, before it was registered"),
        ("moved", r"published\n    pid \d+ on \S+ died after the file was complete, before it was registered"),
    ],
)
def test_every_leftover_is_explained(butler, point, says):
    crash(butler, point, plan(butler))
    foreseen = butler.recover(dry_run=True)
    assert "would be" in foreseen.render()
    report = butler.recover()
    assert report.leftovers == foreseen.leftovers, "a dry run foresees what is done, and does nothing"
    assert re.search(says, report.render()), report.render()
    assert report.to_dict()["leftovers"][0]["explanation"] in report.render()


@pytest.mark.parametrize("point", POINTS[1:])
def test_a_re_run_without_recovery_succeeds_whatever_was_left(butler, point):
    crash(butler, point)
    refs = butler.publish(None, VALUES, run=RUN, data_id=DATA_ID)
    assert [ref.type for ref in refs] == list(VALUES)
    assert is_whole(butler)


def test_recovery_does_not_complete_what_another_worker_has_taken_over(butler):
    quantum_id = plan(butler)
    crash(butler, "moved", quantum_id)
    with butler._repository.writing() as connection:
        connection.execute(
            update(t.quantum).values(worker=process_token("somebody else"), lease_until_ns=now_ns() + 10**12)
        )
    report = butler.recover()
    assert {leftover.action for leftover in report.leftovers} == {"removed"}
    assert butler.quanta(RUN)[0].state == "leased"
    butler.publish(quantum_id, VALUES, run=RUN, data_id=DATA_ID, worker=process_token("somebody else"), metrics=METRICS)
    assert is_whole(butler, quantum_id)


def test_a_foreign_file_at_the_final_name_is_set_aside_by_recovery(butler):
    crash(butler, "sealed")
    with butler._repository.reading() as connection:
        entry = journal.entries(connection)[0]
    final = butler.root / "datastore" / entry.final_path
    final.parent.mkdir(parents=True, exist_ok=True)
    final.write_text("not ours")
    report = butler.recover()
    assert [leftover.kind for leftover in report.leftovers] == ["foreign file", "written", "written"]
    assert [finding.kind for finding in butler.verify().findings] == ["quarantined"]
    assert (butler.root / "datastore/.quarantine" / entry.final_path).read_text() == "not ours"
    assert {name: butler.get(ref) for ref in butler.datasets() for name in [ref.type]} == VALUES


@pytest.mark.parametrize("content", ["same", "other"])
def test_an_orphan_at_the_final_name_does_not_stop_a_publication(butler, content):
    """A power cut can take the journal and leave the file."""
    crash(butler, "moved")
    with butler._repository.writing() as connection:
        journal.drop_entries(connection, journal.entries(connection))
    orphans = list((butler.root / "datastore").rglob("*.json"))
    assert len(orphans) == 2
    if content == "other":
        orphans[0].write_text("not ours")
    assert {finding.kind for finding in butler.verify().findings} == {"orphan"}
    butler.publish(None, VALUES, run=RUN, data_id=DATA_ID)
    kinds = {finding.kind for finding in butler.verify(rehash=True).findings}
    assert kinds <= {"quarantined"}
    assert {ref.type: butler.get(ref) for ref in butler.datasets()} == VALUES


def test_a_living_process_is_left_alone(butler):
    quantum_id = plan(butler)
    ready, go = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            own = Butler(butler.root, formatters=butler._repository.formatters)
            own.lease([quantum_id])
            outputs = outputs_of(own._repository, VALUES, RUN, DATA_ID)
            claim(own._repository, outputs, Work(quantum_id, process_token(), {}))
            os.write(ready[1], b"!")
            os.read(go[0], 1)
        finally:
            os.kill(os.getpid(), signal.SIGKILL)
    os.read(ready[0], 1)
    report = butler.recover()
    assert (report.leftovers, report.left_alone) == ((), 3)
    with pytest.raises(
        ConflictError, match=rf"being written by another process:\n  post_isr [0-9a-f]+ by pid {pid} on"
    ):
        butler.put(VALUES["post_isr"], "post_isr", DATA_ID, RUN)
    os.write(go[1], b"!")
    os.waitpid(pid, 0)
    assert len(butler.recover().leftovers) == 3
    publish(butler, quantum_id)
    assert is_whole(butler, quantum_id)
    for end in (*ready, *go):
        os.close(end)


def test_a_process_on_another_machine_is_believed_until_its_lease_is_over(butler):
    crash(butler, "announced")
    with butler._repository.writing() as connection:
        connection.execute(update(t.journal).values(owner="elsewhere/b/n/1/1"))
    assert butler.recover().left_alone == 2
    with butler._repository.writing() as connection:
        connection.execute(update(t.journal).values(lease_until_ns=now_ns() - 1))
    assert "pid 1 on elsewhere gave no sign of life any more before writing the file" in butler.recover().render()


def test_only_one_of_two_recoveries_takes_an_entry_over(butler):
    crash(butler, "announced")
    with butler._repository.writing() as connection:
        seen = journal.entries(connection)
        assert journal.take_over(connection, seen, "first", 1)
        assert not journal.take_over(connection, seen, "second", 1)


def test_who_lost_his_claim_publishes_nothing_and_leaves_nothing(butler):
    """A worker so slow that another one has done its work meanwhile."""
    repository = butler._repository
    outputs = outputs_of(repository, VALUES, RUN, DATA_ID)
    slow = claim(repository, outputs)
    butler.publish(None, VALUES, run=RUN, data_id=DATA_ID)  # takes over what this very process had claimed
    with pytest.raises(ConflictError, match=r"another process took over 2 file\(s\) while they were being written"):
        seal(repository, slow, outputs)
    for entry in slow:
        Path(repository.store.root / entry.tmp_path).unlink()
    assert is_whole(butler)


def test_a_quantum_that_is_not_leased_any_more_publishes_nothing(butler):
    quantum_id = plan(butler)
    with pytest.raises(ConflictError, match=r"is not leased by pid .*: it is planned"):
        butler.publish(quantum_id, VALUES, run=RUN, data_id=DATA_ID)
    butler.lease([quantum_id])
    repository = butler._repository
    outputs = outputs_of(repository, VALUES, RUN, DATA_ID)
    work = Work(quantum_id, process_token(), METRICS)
    entries = seal(repository, claim(repository, outputs, work), outputs, work)
    move(repository.store, entries)
    with repository.writing() as connection:
        connection.execute(update(t.quantum).values(worker="thief"))
    with pytest.raises(ConflictError, match="leased by thief"):
        settle(repository, entries, work)
    assert butler.datasets(f"run = '{RUN}'") == []


def test_an_interrupted_publication_tidies_up_after_itself(butler, formatters):
    def interrupted(value, path):
        path.write_text("half")
        raise KeyboardInterrupt

    written = formatters["json"].write
    formatters["json"].write = lambda value, path: (interrupted if value == VALUES["statistics"] else written)(
        value, path
    )
    with pytest.raises(KeyboardInterrupt):
        butler.publish(None, VALUES, run=RUN, data_id=DATA_ID)
    formatters["json"].write = written
    assert butler.datasets("status in ('live', 'staged')") == []
    assert butler.verify().findings == ()
    assert butler.recover().leftovers == ()
