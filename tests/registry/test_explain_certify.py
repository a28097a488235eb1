"""What is in the way of a certification, who put it there, and what each mode would make of it."""

from __future__ import annotations

import json
import shlex

import pytest

from registry.errors import ConflictError, ValidityOverlap
from registry.explain_certify import explain_certify
from registry.sql.certify_words import certify_command, free_pieces
from registry.times import parse_time
from registry.timespan import ALL_TIME, Timespan


def ask(world, refs, begin, end):
    with world.read() as connection:
        return explain_certify(connection, "calib", refs, Timespan(begin, end))


def test_conflicts_are_told_with_who_and_every_mode_with_what_it_would_do(world):
    old, new = world.calib("run/old"), world.calib("run/new")
    world.certify(old, 10, 30, reason="first try")
    answer = ask(world, [new], 0, 100)
    assert [row.dataset for row in answer.conflicts] == [old.id]
    counts = {mode: diff and (len(diff.added), len(diff.closed)) for mode, diff in answer.modes.items()}
    assert counts == {"strict": None, "idempotent": None, "replace": (1, 1), "fill-gaps": (2, 0)}
    assert [row.span for row in answer.modes["fill-gaps"].added] == [Timespan(0, 10), Timespan(30, 100)]
    text = answer.render()
    assert "certified by ada at " in text
    assert "(first try)" in text
    assert "--mode strict: refused" in text
    assert text.splitlines()[-2].startswith(f"fix: isrflow calibs certify {new.short} --begin ")
    plain = json.loads(json.dumps(answer.to_dict()))
    assert plain["modes"]["strict"] is None
    with world.read() as connection:  # and nothing was changed
        assert explain_certify(connection, "calib", [new], Timespan(0, 100)).conflicts == answer.conflicts


def test_where_nothing_is_in_the_way_it_says_so(world):
    new = world.calib("run/new")
    world.certify(new, 10, 30)
    answer = ask(world, [new], 0, 100)
    assert "nothing is in the way" in answer.render()
    assert (answer.modes["strict"], list(answer.commands)) == (None, ["idempotent"])
    assert len(answer.modes["idempotent"].added) == 2


def test_what_cannot_be_certified_at_all_is_refused_as_by_certification_itself(world):
    twins = [world.calib(f"run/{i}") for i in range(2)]
    world.certify(twins[0], 0, 1)
    with pytest.raises(ConflictError, match="are the same calibration twice; choose one"):
        ask(world, twins, 0, 100)


def test_the_loser_of_a_race_is_told_who_won_when_what_is_free_and_the_command(world):
    winner, loser = world.calib("run/a"), world.calib("run/b")
    begin, end = parse_time("2026-03-01"), parse_time("2026-04-01")
    world.certify(winner, begin, parse_time("2026-03-10"), actor="bob")
    with pytest.raises(ValidityOverlap) as caught:
        world.certify(loser, begin, end)
    text = str(caught.value)
    assert "certified by bob at 20" in text
    free = "[2026-03-10T00:00:00.000 UTC, 2026-04-01T00:00:00.000 UTC)"
    free += " = [2026-03-10T00:00:37.000 TAI, 2026-04-01T00:00:37.000 TAI)"
    assert f"free for all of these calibrations: {free}" in text
    command = f"isrflow calibs certify {loser.short} --begin 2026-03-01 --end 2026-04-01"
    assert f"fix: {command} --collection calib --mode fill-gaps" in text


def test_the_command_names_few_by_their_ids_and_many_by_their_run(world):
    refs = [world.calib("run/1", kind, detector) for kind in ("bias",) for detector in range(3)]
    refs += [world.calib("run/1", "flat", detector, f) for detector in range(3) for f in ("r", "g")]
    words = shlex.split(certify_command(refs, ALL_TIME, "calib", "replace"))
    assert words[3:6] == ["run/1", "--begin", "the beginning"]
    assert certify_command(refs[:2], Timespan(0, 1), "calib", "strict").split()[3:5] == [one.short for one in refs[:2]]


def test_free_pieces_are_what_is_left():
    taken = [Timespan(2, 3), Timespan(5, 20), Timespan(-5, 1)]
    assert free_pieces(Timespan(0, 10), taken) == [Timespan(1, 2), Timespan(3, 5)]
