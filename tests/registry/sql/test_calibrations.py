"""Certifying and decertifying."""

from __future__ import annotations

import pytest

from registry.errors import ConflictError, UnknownName, UserError, ValidityOverlap
from registry.refs import DataId
from registry.sql.validity_rows import validity_rows
from registry.timespan import Timespan


def held(world, *, as_of=None) -> list[tuple[str, int, int]]:
    with world.read() as connection:
        return [(row.run, row.span.begin_ns, row.span.end_ns) for row in validity_rows(connection, as_of=as_of)]


@pytest.fixture
def two(world):
    world.one, world.other = world.calib("run/1"), world.calib("run/2")
    world.certify(world.one, 0, 10, reason="first")
    return world


def test_touching_ranges_do_not_overlap(two):
    two.certify(two.other, 10, 20)
    assert held(two) == [("run/1", 0, 10), ("run/2", 10, 20)]


def test_the_same_again_is_no_change_and_no_event(two):
    diff = two.certify(two.one, 2, 5)
    assert (diff.added, diff.closed, diff.event_seq) == ((), (), None)
    assert [(row.short, row.span) for row in diff.unchanged] == [(two.one.short, Timespan(0, 10))]
    assert held(two) == [("run/1", 0, 10)]


def test_the_same_dataset_may_be_extended(two):
    diff = two.certify(two.one, 5, 15)
    assert [row.span for row in diff.added] == [Timespan(10, 15)]


def test_an_overlap_lists_every_row_in_the_way_with_who_and_when(two):
    two.certify(two.other, 10, 20)
    third = two.calib("run/3")
    who = r"certified by ada at .*\(first\)"
    pattern = rf"(?s)2 calibrations are already valid within \[.*{two.one.short}.*{who}.*{two.other.short}"
    with pytest.raises(ValidityOverlap, match=pattern) as caught:
        two.certify(third, 5, 15)
    assert [row.span for row in caught.value.conflicts] == [Timespan(0, 10), Timespan(10, 20)]
    assert "--mode replace" in caught.value.fix
    assert held(two) == [("run/1", 0, 10), ("run/2", 10, 20)]


def test_strict_refuses_even_the_same(two):
    with pytest.raises(ValidityOverlap):
        two.certify(two.one, 0, 10, mode="strict")


def test_nothing_is_certified_if_one_of_many_is_in_the_way(two):
    free = two.calib("run/2", detector=1)
    with pytest.raises(ValidityOverlap, match="1 calibrations"):
        two.certify([two.other, free], 5, 15)
    assert held(two) == [("run/1", 0, 10)]


def test_replacing_keeps_what_sticks_out_and_the_past(two):
    diff = two.certify(two.other, 3, 6, mode="replace", actor="bob")
    assert held(two) == [("run/1", 0, 3), ("run/2", 3, 6), ("run/1", 6, 10)]
    assert [row.revoked.actor for row in diff.closed] == ["bob"]
    assert held(two, as_of=1) == [("run/1", 0, 10)]
    assert held(two, as_of=0) == []


def test_filling_gaps_touches_nothing_that_is_there(two):
    two.certify(two.other, 15, 18)
    third = two.calib("run/3")
    two.certify(third, 0, 20, mode="fill-gaps")
    assert held(two) == [("run/1", 0, 10), ("run/3", 10, 15), ("run/2", 15, 18), ("run/3", 18, 20)]


def test_decertifying_the_middle_leaves_both_ends(two):
    diff = two.decertify(two.one, 4, 6, reason="light leak")
    assert held(two) == [("run/1", 0, 4), ("run/1", 6, 10)]
    assert (len(diff.added), len(diff.closed), diff.event_seq) == (2, 1, 2)
    assert str(diff.closed[0].revoked).endswith("(light leak)")
    assert two.decertify(two.one, 4, 6).event_seq is None


@pytest.mark.parametrize("mode", ["replace", "fill-gaps"])
def test_a_dry_run_says_exactly_what_would_happen_and_does_nothing(two, mode):
    def outline(diff):
        return [sorted((row.run, row.span) for row in rows) for rows in (diff.added, diff.closed, diff.unchanged)]

    before = held(two)
    dry = two.certify(two.other, 5, 15, mode=mode, dry_run=True)
    assert held(two) == before
    assert dry.event_seq is None
    assert "dry run" in dry.render()
    assert outline(dry) == outline(two.certify(two.other, 5, 15, mode=mode))


def test_all_that_cannot_be_certified_is_listed_at_once(world):
    exposed = world.expose(5, 0, 10)
    raw = world.dataset("run/1", "raw", exposed)
    staged = world.dataset("run/1", "bias", DataId("lupine", None, 1), status="STAGED")
    twice = [world.calib("run/1"), world.calib("run/2")]
    with pytest.raises(ConflictError, match="nothing was certified") as caught:
        world.certify([raw, staged, *twice], 0, 10)
    text = str(caught.value)
    assert f"raw {raw.short} is not a calibration" in text
    assert f"bias {staged.short} is STAGED, not LIVE" in text
    assert "are the same calibration twice" in text
    assert len(caught.value.conflicts) == 3


def test_requests_that_make_no_sense_are_refused(two):
    with pytest.raises(UserError, match="no datasets were given"):
        two.certify([], 0, 10)
    with pytest.raises(UnknownName, match="no mode of certification 'replac'; did you mean 'replace'"):
        two.certify(two.one, 0, 10, mode="replac")
    with pytest.raises(ConflictError, match="run/1 is RUN; this needs a CALIBRATION collection"):
        two.decertify(two.one, 0, 10, collection="run/1")
    with two.read() as connection, pytest.raises(UnknownName, match="no dataset type 'bais'; did you mean 'bias'"):
        validity_rows(connection, "calib", "bais")


def test_a_certified_calibration_cannot_be_forgotten(two):
    with pytest.raises(ConflictError):
        two.sql("DELETE FROM dataset")
    assert held(two) == [("run/1", 0, 10)]


def test_detectors_in_the_same_way_are_told_in_one_line(world):
    old = [world.calib("run/1", detector=i) for i in range(3)]
    new = [world.calib("run/2", detector=i) for i in range(3)]
    diff = world.certify(old, 0, 10)
    assert diff.render().splitlines()[0].startswith("+ 3 bias: lupine detectors 0-2 (run run/1) valid [")
    with pytest.raises(
        ValidityOverlap,
        match=(
            r"3 calibrations are already[^\n]*\n  3 bias: [^\n]*by ada[^\n]*\n"
            r"free for all [^\n]*: nothing of that range\n  fix: isrflow calibs certify [^\n]*--mode replace"
        ),
    ):
        world.certify(new, 0, 10)
    with pytest.raises(ValidityOverlap) as caught:
        world.certify(new, 0, 10)
    assert len(caught.value.conflicts) == 3
