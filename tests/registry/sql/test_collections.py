"""Collections, chains, tags."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.errors import ConflictError, UnknownName, UserError
from registry.sql.collections import collections, flatten, register_collection, run_ids, set_chain, tag
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
