"""Several people at once: chains edited while they are searched, flags and headers set twice."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from registry.errors import ConflictError
from registry.refs import DataId
from registry.sql.collection_edits import edit_chain
from registry.sql.collections import flatten, register_collection, set_chain
from registry.sql.events import events, verify_chain
from registry.sql.exposures import exposures_by_number
from registry.sql.flags import flag_rows, set_flag
from registry.sql.header_corrections import correct_headers, correction_rows

N = 25


def together(*jobs) -> list[BaseException]:
    """Run jobs side by side and return what they raised."""
    raised: list[BaseException] = []

    def run(job) -> None:
        try:
            job()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def test_a_search_sees_a_chain_before_or_after_an_edit_never_in_between(world):
    whole = [["a", "b", "c"], ["c", "b", "a"], ["b"]]
    with world.write() as connection:
        for name in "abc":
            register_collection(connection, name, "RUN")
        set_chain(connection, "inner", whole[0])
        set_chain(connection, "chain", ["inner"])
    seen, is_over = [], threading.Event()

    def edits() -> None:
        for i in range(N):
            with world.write() as connection:
                set_chain(connection, "inner", whole[(i + 1) % 3], actor="ada")
        is_over.set()

    def searches() -> None:
        while not is_over.is_set():
            with world.read() as connection:
                seen.append([one.name for one in flatten(connection, ["chain"])])

    assert together(edits, searches, searches) == []
    assert seen
    assert all(path in whole for path in seen)


def test_edits_of_a_chain_side_by_side_are_all_kept_and_told_in_order(world):
    names = [f"run/{i}" for i in range(8)]
    with world.write() as connection:
        for name in names:
            register_collection(connection, name, "RUN")

    def prepend(name):
        def job() -> None:
            with world.write() as connection:
                edit_chain(connection, "chain", [name], "prepend", actor=name)

        return job

    assert together(*map(prepend, names)) == []
    with world.read() as connection:
        path = [one.name for one in flatten(connection, ["chain"])]
        told = sorted(events(connection, kind="chain"), key=lambda event: event.seq)
        assert sorted(path) == names
        assert [event.payload["children"][0] for event in told] == path[::-1]
        assert [event.payload["was"] for event in told] == [path[len(path) - i :] for i in range(len(path))]
        assert verify_chain(connection) == []


def test_a_flag_that_several_set_at_once_is_set_once(world):
    world.expose(1, 0, 10)

    def flag(actor):
        def job() -> None:
            with world.write() as connection:
                done.append(set_flag(connection, [DataId("lupine", 1, 0)], "bad", actor=actor, reason="x"))

        return job

    done: list = []
    assert together(*[flag(f"p{i}") for i in range(6)]) == []
    assert sum(one.seq is not None for one in done) == 1
    with world.read() as connection:
        assert len(flag_rows(connection, history=True)) == 1


def test_of_two_corrections_thought_out_at_once_the_second_is_refused(world):
    world.expose(1, 0, 10)
    with world.read() as connection:
        (old,) = exposures_by_number(connection, "lupine", [1])
    news = {"EXPTIME": replace(old, exposure_time_s=12.0), "OBJECT": replace(old, object_name="M 31")}

    def correct(keyword):
        def job() -> None:
            with world.write() as connection:
                change = [(old, news[keyword])]
                correct_headers(connection, [DataId("lupine", 1)], keyword, 1, changes=change, actor="a", reason="x")

        return job

    (error,) = together(*map(correct, news))
    with pytest.raises(
        ConflictError, match=r"somebody else changed these exposures meanwhile(.|\n)*run the command again"
    ):
        raise error
    with world.read() as connection:
        (row,) = correction_rows(connection)
        assert exposures_by_number(connection, "lupine", [1]) == [news[row.keyword]]
