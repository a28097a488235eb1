"""Marks of datasets."""

from __future__ import annotations

from uuid import uuid4

import pytest
from sqlalchemy import select

from registry.errors import UnknownName, UserError
from registry.sql import tables as t
from registry.sql.events import events, newest_seq
from registry.sql.notes import mark, marked, marks_of, unmark

SAID = {"actor": "ada", "reason": "light leak"}


def marked_ids(world, as_of=None, **options):
    with world.read() as connection:
        query = select(t.dataset.c.uuid).where(marked(as_of, **options)).order_by(t.dataset.c.id)
        return list(connection.scalars(query))


def test_a_mark_is_an_event_with_actor_and_reason_and_counts_from_then_on(world):
    one, two = world.calib("run/1"), world.calib("run/1", detector=1)
    with world.write() as connection:
        done = mark(connection, [one, two.id], "bad", **SAID)
    assert (done.changed, done.unchanged) == ((one.id, two.id), ())
    with world.read() as connection:
        (event,) = events(connection, kind="mark")
        rows = marks_of(connection)
    assert (event.seq, event.actor, event.reason) == (done.seq, "ada", "light leak")
    assert event.payload == {"kind": "bad", "datasets": [str(one.id), str(two.id)]}
    assert [(row.ref.id, row.kind, row.actor, row.reason, row.removed_at) for row in rows] == [
        (one.id, "bad", "ada", "light leak", None),
        (two.id, "bad", "ada", "light leak", None),
    ]
    assert marked_ids(world) == [one.id, two.id]
    assert marked_ids(world, done.seq - 1) == []
    assert marked_ids(world, kinds=("deleted",)) == []


def test_marking_again_writes_nothing_and_says_so(world):
    one, two = world.calib("run/1"), world.calib("run/1", detector=1)
    with world.write() as connection:
        mark(connection, [one], "bad", **SAID)
        before = newest_seq(connection)
        again = mark(connection, [one], "bad", **SAID)
        assert (again.seq, again.changed, again.unchanged) == (None, (), (one.id,))
        assert again.render("marked bad") == "1 was already"
        assert newest_seq(connection) == before
        both = mark(connection, [one, two, two], "bad", **SAID)
        assert (both.changed, both.unchanged) == ((two.id,), (one.id,))
        assert both.render("marked bad") == f"1 marked bad, 1 was already (event {both.seq})"


def test_a_mark_taken_back_is_still_there_as_of_before(world):
    one = world.calib("run/1")
    with world.write() as connection:
        first = mark(connection, [one], "bad", **SAID).seq
        back = unmark(connection, [one], "bad", actor="bob", reason="it was the lamp").seq
        again = mark(connection, [one], "bad", **SAID).seq
        assert unmark(connection, [one], "deleted", **SAID).unchanged == (one.id,)
        assert [(row.added_at, row.removed_at) for row in marks_of(connection, [one], history=True)] == [
            (first, back),
            (again, None),
        ]
        assert [row.added_at for row in marks_of(connection, as_of=back - 1)] == [first]
        assert marks_of(connection, as_of=back) == []
    assert [bool(marked_ids(world, seq)) for seq in (first - 1, first, back, again)] == [False, True, False, True]


def test_kinds_of_marks_stand_beside_each_other(world):
    one = world.calib("run/1")
    with world.write() as connection:
        mark(connection, [one], "bad", **SAID)
        mark(connection, [one], "deleted", **SAID)
        unmark(connection, [one], "bad", **SAID)
    assert marked_ids(world) == [one.id]
    assert marked_ids(world, kinds=("bad", "missing")) == []


def test_a_dry_run_of_a_mark_changes_nothing(world):
    one = world.calib("run/1")
    with world.read() as connection:
        wanted = mark(connection, [one], "bad", **SAID, dry_run=True)
        assert (wanted.seq, wanted.changed) == (None, (one.id,))
        assert marks_of(connection) == []


def test_unknown_datasets_and_marks_without_a_reason_are_refused_whole(world):
    one, lost = world.calib("run/1"), [uuid4(), uuid4()]
    with world.write() as connection:
        with pytest.raises(UnknownName, match=r"2 dataset\(s\) are not registered here; nothing was done") as caught:
            mark(connection, [one, *lost], "bad", **SAID)
        assert all(str(id_) in str(caught.value) for id_ in lost)
        with pytest.raises(UserError, match="'awful' is not a mark of datasets; there is bad, missing, deleted"):
            mark(connection, [one], "awful", **SAID)
        with pytest.raises(UserError, match="a mark 'bad' wants a reason"):
            mark(connection, [one], "bad", actor="ada", reason=" ")
        assert marks_of(connection) == []
