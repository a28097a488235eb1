"""Collections, chains, tags."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from registry.errors import ConflictError, FrozenError, UnknownName, UserError
from registry.sql import tables as t
from registry.sql.collection_edits import edit_chain, freeze, members, untag
from registry.sql.collections import (
    collections,
    flatten,
    refuse_frozen,
    register_collection,
    run_ids,
    set_chain,
    tag,
)
from registry.sql.events import events, newest_seq
from registry.sql.remembered import counts
from tests.registry.world import World


def names(path) -> list[str]:
    return [one.name for one in path]


def test_a_collection_is_registered_once_and_keeps_its_kind(world):
    with world.write() as connection:
        assert register_collection(connection, "a", "RUN") == register_collection(connection, "a", "RUN")
        with pytest.raises(ConflictError, match="collection a exists as RUN, not TAGGED"):
            register_collection(connection, "a", "TAGGED")


@pytest.mark.parametrize("name", ["", " a", "a*", "a'b", "a\nb"])
def test_a_name_that_could_not_be_typed_is_refused(world, name):
    with world.write() as connection, pytest.raises(UserError, match="cannot name a collection"):
        register_collection(connection, name, "RUN")


def test_a_chain_is_searched_in_depth_and_each_collection_once(world):
    with world.write() as connection:
        for name in "abcd":
            register_collection(connection, name, "RUN")
        set_chain(connection, "inner", ["b", "c"])
        set_chain(connection, "outer", ["a", "inner", "c", "d"])
        assert names(flatten(connection, ["outer"])) == ["a", "b", "c", "d"]
        assert names(flatten(connection, ["c", "outer", "a"])) == ["c", "a", "b", "d"]
        set_chain(connection, "outer", ["d", "a"])
        assert names(flatten(connection, ["outer"])) == ["d", "a"]
        assert collections(connection, "out*")[0].children == ("d", "a")


def test_a_chain_that_would_contain_itself_shows_the_way_round(world):
    with world.write() as connection:
        set_chain(connection, "a", [])
        set_chain(connection, "b", ["a"])
        set_chain(connection, "c", ["b"])
        with pytest.raises(ConflictError, match="chain a would contain itself: a -> c -> b -> a"):
            set_chain(connection, "a", ["c"])
        with pytest.raises(ConflictError, match="chain a would contain itself: a -> a"):
            set_chain(connection, "a", ["a"])


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 4), st.lists(st.integers(0, 4), max_size=3, unique=True)), max_size=12))
def test_whatever_is_chained_no_chain_ever_contains_itself(tmp_path_factory, edits):
    with World(tmp_path_factory.mktemp("chains")) as world:
        below: dict[int, list[int]] = {i: [] for i in range(5)}
        with world.write() as connection:
            for i in below:
                set_chain(connection, f"c{i}", [])
            for parent, children in edits:
                wanted = {**below, parent: children}
                cyclic = any(parent in _reachable(wanted, child) for child in children)
                try:
                    set_chain(connection, f"c{parent}", [f"c{child}" for child in children])
                    assert not cyclic
                    below = wanted
                except ConflictError:
                    assert cyclic


def _reachable(below: dict[int, list[int]], start: int) -> set[int]:
    found, todo = set(), [start]
    while todo:
        one = todo.pop()
        if one not in found:
            found.add(one)
            todo += below[one]
    return found


def test_unknown_children_and_repeated_ones_are_refused(world):
    with world.write() as connection:
        register_collection(connection, "raw/all", "RUN")
        with pytest.raises(UnknownName, match="no collection 'raw/al'; did you mean 'raw/all'"):
            set_chain(connection, "chain", ["raw/al"])
        with pytest.raises(ConflictError, match="name a child twice"):
            set_chain(connection, "chain", ["raw/all", "raw/all"])


def test_a_run_is_wanted_where_only_a_run_will_do(world):
    with world.write() as connection:
        register_collection(connection, "calib", "CALIBRATION")
        with pytest.raises(ConflictError, match="calib is CALIBRATION; this needs a RUN"):
            run_ids(connection, ["calib"])


def test_tagging_again_changes_nothing_and_another_of_the_same_is_refused(world):
    one, two, other = world.calib("run/1"), world.calib("run/1", detector=1), world.calib("run/2")
    with world.write() as connection:
        assert tag(connection, "best", [one, two]) == 2
        assert tag(connection, "best", [two]) == 0
        with pytest.raises(ConflictError, match="holds other datasets of the same type and data id"):
            tag(connection, "best", [other])
        assert tag(connection, "others", [other]) == 1


def test_collections_count_what_is_in_them(world):
    refs = [world.calib("run/1", detector=i) for i in range(3)]
    world.certify(refs[:2], 0, 10)
    world.decertify(refs[0], 0, 10)
    with world.write() as connection:
        tag(connection, "best", refs)
        found = {row.name: (row.kind, row.n_datasets) for row in collections(connection)}
    assert found == {"run/1": ("RUN", 3), "calib": ("CALIBRATION", 1), "best": ("TAGGED", 3)}


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("x/../z", "a part begins with a dot"),
        ("./x", "a part begins with a dot"),
        (".hidden", "a part begins with a dot"),
        ("/etc/passwd", "a part between slashes is empty"),
        ("a//b", "a part between slashes is empty"),
        ("a/", "a part between slashes is empty"),
        ("a/ b", "a part has blanks around it"),
        ("a\x07b", "cannot be printed"),
        ("a\u200bb", "cannot be printed"),
        ("x" * 101, "a part has more than 100 characters"),
        ("/".join(["abcdefghi"] * 21), "it has 209 characters, 200 are allowed"),
        ("\uff43alibs", "letters that only look like others"),  # a wide c
        ("c\u0430libs", "mixes letters that look alike: CYRILLIC, LATIN"),
        ("a\\b", "it has one of"),
    ],
)
def test_names_that_would_not_be_found_again_are_refused_with_the_reason(world, name, says):
    with world.write() as connection, pytest.raises(UserError, match=re.escape(says)):
        register_collection(connection, name, "RUN")


def test_letters_of_any_language_are_fine_and_have_one_spelling(world):
    composed, apart = "nuit/\u00e9t\u00e9", "nuit/e\u0301te\u0301"
    with world.write() as connection:
        number = register_collection(connection, apart, "RUN")
        assert register_collection(connection, composed, "RUN") == number
        assert [row.name for row in collections(connection)] == [composed]
        set_chain(connection, "cha\u0302ine", [apart])
        assert names(flatten(connection, ["ch\u00e2ine"])) == [composed]


def test_names_from_before_names_were_checked_go_on_being_used(world):
    world.sql("INSERT INTO collection (id, name, kind, doc, owner, created_ns) VALUES (99, 'x/../z', 'RUN', '', '', 0)")
    with world.write() as connection:
        assert register_collection(connection, "x/../z", "RUN") == 99


def test_an_edit_of_a_chain_is_an_event_that_says_what_was_and_what_is(world):
    with world.write() as connection:
        for name in "abc":
            register_collection(connection, name, "RUN")
        first = edit_chain(connection, "chain", ["a", "b"], actor="ada", reason="new")
        second = edit_chain(connection, "chain", ["c"], "prepend", actor="bob")
        third = edit_chain(connection, "chain", ["c"], "append", actor="bob")
        assert edit_chain(connection, "chain", ["a", "b", "c"], actor="eve").seq is None
        fourth = edit_chain(connection, "chain", ["b", "c"], "remove", actor="bob", reason="old")
        log = [(event.seq, event.actor, event.reason, event.payload) for event in events(connection, kind="chain")]
        assert collections(connection, "chain")[0].children == ("a",)
    edits = [([], "ab"), ("ab", "cab"), ("cab", "abc"), ("abc", "a")]
    assert [entry[3] for entry in reversed(log)] == [
        {"chain": "chain", "was": list(was), "children": list(now)} for was, now in edits
    ]
    assert [entry[0] for entry in reversed(log)] == [edit.seq for edit in (first, second, third, fourth)]
    assert log[0][1:3] == ("bob", "old")


def test_only_what_is_in_a_chain_is_removed_from_it(world):
    with world.write() as connection:
        register_collection(connection, "a", "RUN")
        set_chain(connection, "chain", ["a"])
        with pytest.raises(UnknownName, match="chain chain does not hold b; it holds a"):
            edit_chain(connection, "chain", ["a", "b"], "remove", actor="ada")


def test_a_tag_taken_back_can_be_set_again_or_given_to_another_and_the_past_stays(world):
    one, other = world.calib("run/1"), world.calib("run/2")
    with world.write() as connection:
        tag(connection, "best", [one], actor="ada")
        assert untag(connection, "best", [one, other], actor="bob", reason="old") == 1
        before = newest_seq(connection)
        assert untag(connection, "best", [one], actor="bob") == 0
        assert newest_seq(connection) == before
        assert tag(connection, "best", [other], actor="ada") == 1
        (event,) = events(connection, kind="untag")
        assert (event.actor, event.reason) == ("bob", "old")
        assert event.payload == {"collection": "best", "datasets": [str(one.id)]}
        g = t.dataset_tag.c
        rows = connection.execute(select(g.added_at, g.removed_at).order_by(g.id)).all()
        assert [tuple(row) for row in rows] == [(event.seq - 1, event.seq), (event.seq + 1, t.OPEN_ENDED)]
        assert members(connection, "best") == {"bias": 1}


def test_what_is_frozen_takes_nothing_more(world):
    one, two = world.calib("run/1"), world.calib("run/1", detector=1)
    with world.write() as connection:
        tag(connection, "best", [one])
        set_chain(connection, "chain", ["run/1"])
        with pytest.raises(UserError, match="freezing best wants a reason"):
            freeze(connection, "best", actor="ada", reason="")
        for name in ("best", "chain", "run/1"):
            seq = freeze(connection, name, actor="ada", reason="cited")
            assert seq == newest_seq(connection)
            assert freeze(connection, name, actor="ada", reason="cited") is None
        with pytest.raises(FrozenError, match="collection best is frozen"):
            tag(connection, "best", [two])
        with pytest.raises(FrozenError, match="collection best is frozen"):
            untag(connection, "best", [one], actor="ada")
        with pytest.raises(FrozenError, match="collection chain is frozen"):
            set_chain(connection, "chain", [])
        with pytest.raises(FrozenError, match=r"run/1 is frozen(.|\n)*isrflow reprocess WHERE --out RUN"):
            refuse_frozen(connection, "run/1")
        assert members(connection, "best") == {"bias": 1}
    with pytest.raises(FrozenError, match="frozen"):
        world.calib("run/1", detector=2)


def test_certified_collections_are_frozen_by_contexts(world):
    with world.write() as connection:
        register_collection(connection, "calib", "CALIBRATION")
        with pytest.raises(UserError, match=r"fix: isrflow context freeze NAME --collections calib"):
            freeze(connection, "calib", actor="ada", reason="cited")


def test_members_are_counted_by_type(world):
    refs = [world.calib("run/1", detector=i) for i in range(3)] + [world.calib("run/1", "camera")]
    world.certify(refs[:2], 0, 10)
    with world.write() as connection:
        set_chain(connection, "chain", ["run/1"])
        assert members(connection, "run/1") == {"bias": 3, "camera": 1}
        assert members(connection, "calib") == {"bias": 2}
        assert members(connection, "chain") == {}


STEPS = st.tuples(st.booleans(), st.lists(st.integers(0, 3), min_size=1, max_size=3, unique=True))


@settings(max_examples=8, deadline=None)
@given(st.lists(STEPS, max_size=12))
def test_tags_as_of_any_event_are_what_replaying_the_events_gives(tmp_path_factory, engine_kind, steps):
    """The oracle: a set of datasets, changed by what the events say and nothing else."""
    with World(tmp_path_factory.mktemp("tags"), engine_kind) as world:
        refs = [world.calib("run/1", detector=i % 3, kind="bias" if i < 3 else "camera") for i in range(4)]
        for is_set, chosen in steps:
            some = [refs[i] for i in chosen]
            with world.write() as connection:
                if is_set or not collections(connection, "best"):
                    tag(connection, "best", some)
                else:
                    untag(connection, "best", some, actor="ada")
        with world.read() as connection:
            held: set[str] = set()
            for event in sorted(events(connection, limit=None), key=lambda one: one.seq):
                told = set(event.payload["datasets"])
                held = held | told if event.kind == "tag" else held - told
                g = t.dataset_tag.c
                query = select(t.dataset.c.uuid).join_from(t.dataset, t.dataset_tag, g.dataset_id == t.dataset.c.id)
                found = connection.scalars(query.where(counts(t.dataset_tag, event.seq)))
                assert {str(uuid) for uuid in found} == held
