"""Many at once: nothing is lost, exactly one wins, losers are told who won; whatever is cut off can be done again."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

import pytest
from sqlalchemy import update

from registry.butler import Butler
from registry.errors import ConflictError, RegistryError, UnavailableError, ValidityOverlap
from registry.outputs import outputs_of
from registry.owner import process_token
from registry.publish import Work, claim, move, seal, settle
from registry.refs import DataId, QuantumSpec
from registry.sql import tables as t
from registry.timespan import Timespan
from tests.postgres import server

pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # Python 3.12 warns of forks

BIAS = DataId("lupine", detector=0)
RUN = "night/1"
EXPOSURE = 20260301005
VALUES = {"post_isr": [1, 2, 3], "statistics": {"mean": 2}}


def at_once(butler, number: int, work: Callable[[Butler, int], str]) -> list[str]:
    """Let processes of their own do something at the same moment; return what each says."""
    ready, go = os.pipe(), os.pipe()
    pipes, children = [], []
    for n in range(number):
        answer = os.pipe()
        pid = os.fork()
        if pid == 0:
            told = "it died"
            try:
                with Butler(butler.root, formatters=butler._repository.formatters, actor=f"worker {n}") as own:
                    os.write(ready[1], b"!")
                    os.read(go[0], 1)
                    told = work(own, n)
            except RegistryError as error:
                told = f"{type(error).__name__}: {error}"
            finally:
                os.write(answer[1], f"{told}\n".encode())
                os._exit(0)
        pipes.append(answer)
        children.append(pid)
    for _ in children:
        os.read(ready[0], 1)
    os.write(go[1], b"!" * number)
    answers = [os.read(answer[0], 10_000).decode().strip() for answer in pipes]
    for pid in children:
        os.waitpid(pid, 0)
    for end in (*ready, *go, *(end for answer in pipes for end in answer)):
        os.close(end)
    return answers


def test_of_many_who_certify_one_wins_and_the_losers_are_told_who(butler):
    for n in range(3):
        butler.register_collection(f"calibs/{n}", "RUN")
    refs = [butler.put([n], "bias", BIAS, f"calibs/{n}") for n in range(3)]

    def work(own: Butler, n: int) -> str:
        own.certify("calibs", [refs[n]], Timespan(0, 10))
        return f"worker {n} won"

    answers = at_once(butler, 3, work)
    (winner,) = [answer for answer in answers if answer.endswith("won")]
    for loser in set(answers) - {winner}:
        assert loser.startswith(ValidityOverlap.__name__)
        assert f"certified by {winner.removesuffix(' won')}" in loser
    assert len(butler.validity("calibs")) == 1
    assert butler.verify().findings == ()


def test_of_many_who_put_the_same_thing_nobody_does_harm(butler):
    def work(own: Butler, _n: int) -> str:
        return str(own.put([1, 2], "bias", BIAS, "calibs/1").id)

    answers = at_once(butler, 3, work)
    (ref,) = butler.datasets("type = 'bias'")
    assert all(answer == str(ref.id) or "being written by another process" in answer for answer in answers)
    assert butler.get(ref) == [1, 2]
    assert butler.verify(rehash=True).findings == ()


def test_of_many_who_put_different_things_under_one_name_one_wins(butler):
    def work(own: Butler, n: int) -> str:
        own.put([n], "bias", BIAS, "calibs/1")
        return f"won {n}"

    answers = at_once(butler, 3, work)
    (winner,) = [answer for answer in answers if answer.startswith("won")]
    assert all(answer == winner or answer.startswith(ConflictError.__name__) for answer in answers), answers
    (ref,) = butler.datasets("type = 'bias'")
    assert butler.get(ref) == [int(winner.removeprefix("won "))]
    assert butler.verify(rehash=True).findings == ()


def test_of_many_who_put_and_register_everything_of_all_arrives(butler):
    def work(own: Butler, n: int) -> str:
        for one in range(4):
            own.register_collection(f"calibs/{one}", "RUN")  # the same ones for all
            own.register_collection(f"own/{n}/{one}", "RUN")
            own.put([n, one], "bias", BIAS, f"own/{n}/{one}", source="race")
        return "done"

    assert at_once(butler, 3, work) == ["done"] * 3
    assert len(butler.datasets("type = 'bias'")) == 12
    events = [event.seq for event in butler.events(limit=None)]
    assert events == list(range(len(events), 0, -1))
    assert butler.verify(rehash=True).findings == ()


def plan(butler, number: int = 6) -> list[int]:
    specs = []
    for n in range(number):
        data_id = DataId("lupine", 20260301000 + n, 1)
        raw = butler.put(n, "raw", data_id, "raw/lupine")
        specs.append(QuantumSpec("isr", data_id, (("raw", raw.id),), (), f"key {n}"))
    return [row.id for row in butler.plan(RUN, specs, config={}, software={})]


def test_of_many_who_lease_each_quantum_goes_to_one(butler):
    ids = plan(butler)

    def work(own: Butler, n: int) -> str:
        return ",".join(str(won) for one in ids for won in own.lease([one], worker=f"w{n}"))

    won = [int(one) for answer in at_once(butler, 3, work) for one in answer.split(",") if one]
    assert sorted(won) == sorted(ids)
    assert {row.state for row in butler.quanta(RUN)} == {"leased"}


def test_of_many_workers_every_quantum_is_done_once_and_all_that_they_made_is_there(butler):
    ids = plan(butler)

    def work(own: Butler, n: int) -> str:
        done = []
        for one in ids:
            if own.lease([one], worker=f"w{n}"):
                data_id = own.inputs(one).quantum.data_id
                own.publish(one, VALUES, run=RUN, data_id=data_id, worker=f"w{n}")
                done.append(str(one))
        return ",".join(done)

    done = [int(one) for answer in at_once(butler, 3, work) for one in answer.split(",") if one]
    assert sorted(done) == sorted(ids)
    assert {row.state for row in butler.quanta(RUN)} == {"done"}
    assert len(butler.datasets(f"run = '{RUN}'")) == 2 * len(ids)
    assert butler.verify(rehash=True).findings == ()


def test_a_plan_does_not_take_a_quantum_from_the_worker_who_just_leased_it(butler):
    ids = plan(butler)
    data_id = DataId("lupine", 20260301000, 1)
    raw = butler.datasets("type = 'raw' and exposure = 20260301000")[0]

    def work(own: Butler, n: int) -> str:
        if n:
            return ",".join(map(str, own.lease([ids[0]], worker="w")))
        own.plan(RUN, [QuantumSpec("isr", data_id, (("raw", raw.id),), (), "another key")], config={}, software={})
        return "planned"

    planned, leased = at_once(butler, 2, work)
    (row,) = [row for row in butler.quanta(RUN) if row.id == ids[0]]
    assert leased == str(ids[0])
    assert row.state == "leased"
    assert row.content_key == ("another key" if planned == "planned" else "key 0"), "planned first, or refused"


def test_who_resolves_while_chains_change_sees_one_of_them_whole(butler):
    for name in ("calibs/1", "calibs/2"):
        butler.register_collection(name, "RUN")
        for detector in range(2):
            butler.put([name], "bias", DataId("lupine", detector=detector), name)
    butler.set_chain("best", ["calibs/1"])
    data_ids = [DataId("lupine", EXPOSURE, detector) for detector in range(2)]
    stop = threading.Event()

    def edit() -> None:
        with Butler(butler.root, formatters=butler._repository.formatters) as other:
            n = 0
            while not stop.is_set():
                n += 1
                other.set_chain("best", ["calibs/2", "calibs/1"] if n % 2 else ["calibs/1"])

    editor = threading.Thread(target=edit)
    editor.start()
    seen = set()
    for _ in range(25):
        found = butler.resolve(data_ids, {"bias": True}, ["best"])
        assert not found.missing
        runs = {found.matches[one]["bias"].ref.run for one in data_ids}
        assert len(runs) == 1, "half of one chain, half of the other"
        seen |= runs
    stop.set()
    editor.join()
    assert seen <= {"calibs/1", "calibs/2"}


PHASES = ["claimed", "sealed", "moved", "settling"]


@pytest.mark.parametrize("phase", PHASES)
def test_a_connection_that_is_cut_in_publication_leaves_nothing_that_recovery_does_not_mend(
    make_butler, phase, engine_kind
):
    if engine_kind == "sqlite":
        return  # there is nothing to cut
    butler = make_butler()
    (quantum,) = plan(butler, 1)
    data_id = DataId("lupine", 20260301000, 1)
    assert butler.lease([quantum]) == [quantum]
    repository, work = butler._repository, Work(quantum, process_token(), {"seconds": 1.0})
    outputs = outputs_of(repository, VALUES, RUN, data_id)

    def publish_until_cut() -> None:
        entries = claim(repository, outputs, work)
        if phase == "claimed":
            cut_all(butler)
        entries = seal(repository, entries, outputs, work)
        if phase == "sealed":
            cut_all(butler)
        move(repository.store, entries)
        if phase == "moved":
            cut_all(butler)
        if phase == "settling":
            with repository.writing() as connection:
                connection.execute(update(t.dataset).values(status="LIVE"))
                cut_all(butler)
        settle(repository, entries, work)

    with pytest.raises(UnavailableError, match=r"cut the connection[\s\S]*run the same command again"):
        publish_until_cut()
    assert [ref.status for ref in butler.datasets("status = 'live'", type="post_isr")] == []
    butler.publish(quantum, VALUES, run=RUN, data_id=data_id, metrics={"seconds": 1.0})
    butler.recover()
    assert {ref.type: butler.get(ref) for ref in butler.datasets(f"run = '{RUN}'")} == VALUES
    assert butler.quanta(RUN)[0].state == "done"
    kinds = {finding.kind for finding in butler.verify(rehash=True).findings}
    assert kinds <= {"quarantined"}, "a file that was moved before, with another date of writing, is set aside"


def cut_all(butler) -> None:
    """End every connection of a repository, as a restarted server does."""
    name = butler._repository.engine.url.database
    server().execute("SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity WHERE datname = %s", name)
