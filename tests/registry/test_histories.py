"""Resolution equals a brute-force oracle on random histories, on both engines: now, as of any event, in contexts."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.errors import ConflictError, ValidityOverlap
from registry.refs import DataId, Policy
from registry.resolution import REASONS
from registry.resolve import resolve
from registry.sql.collection_edits import untag
from registry.sql.collections import register_collection, set_chain, tag
from registry.sql.contexts import freeze_context
from registry.sql.datasets import set_status
from registry.sql.events import newest_seq
from registry.sql.notes import mark, unmark
from registry.sql.policies import set_policy
from tests.registry.histories import Ledger
from tests.registry.world import World

LONG = 16
PLACES = [(0, "r"), (0, "r"), (0, "r"), (1, "g"), (1, "g")]
"""Detector and filter of each dataset; the last is made only later."""
HOMES = ["calib", "other"]
NAMES = [*HOMES, "run/0", "run/1", "best", "inner", "outer"]

which = st.integers(0, 3)
spans = st.tuples(st.integers(0, LONG - 3), st.integers(1, 6)).map(lambda pair: (pair[0], min(LONG, sum(pair))))
policies = st.sampled_from(
    [
        Policy("nearest", 0),
        Policy("nearest", 2),
        Policy("nearest", 20),
        Policy("error"),
        Policy("skip"),
        Policy("optional"),
    ]
)
deeds = st.one_of(
    *[
        st.tuples(st.just("certify"), st.sampled_from(HOMES), which, spans, st.sampled_from(mode))
        for mode in (["strict", "idempotent"], ["replace", "fill-gaps"])
    ],
    st.tuples(st.just("decertify"), st.sampled_from(HOMES), which, spans),
    st.tuples(st.sampled_from(["mark", "unmark"]), which, st.sampled_from(["bad", "missing", "deleted"])),
    st.tuples(st.just("chain"), st.just("inner"), st.lists(st.sampled_from(["calib", "run/0", "best"]), unique=True)),
    st.tuples(st.just("chain"), st.just("outer"), st.lists(st.sampled_from(["inner", "other", "run/1"]), unique=True)),
    st.tuples(st.sampled_from(["tag", "untag"]), which),
    st.tuples(st.just("policy"), policies),
    st.tuples(st.just("purge"), which),
    st.tuples(st.just("make")),
    st.tuples(st.just("freeze"), st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True)),
)
exposures = st.lists(
    st.tuples(st.integers(0, LONG - 1), st.integers(0, 4), st.sampled_from([None, "r", "g"])), min_size=1, max_size=4
)
paths = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True)


class Story:
    """A world and its ledger, told the same."""

    def __init__(self, world: World) -> None:
        self.world, self.ledger = world, Ledger(LONG)
        self.refs = [world.calib(f"run/{i}", "flat", *place) for i, place in enumerate(PLACES[:4])]
        self.contexts: list[tuple[str, int, list[str], tuple]] = []
        self.ledger.now.members = {f"run/{i}": {PLACES[i]: i} for i in range(4)} | {"best": {}}
        self.ledger.now.chains = {"inner": [], "outer": []}
        with world.write() as connection:
            for name in HOMES:
                register_collection(connection, name, "CALIBRATION")
            register_collection(connection, "best", "TAGGED")
            for name in ("inner", "outer"):
                register_collection(connection, name, "CHAINED")
        self.note()

    def note(self) -> None:
        with self.world.read() as connection:
            self.ledger.note(newest_seq(connection))

    def tell(self, deed) -> None:
        getattr(self, deed[0])(*deed[1:])
        self.note()

    def certify(self, home, which, span, mode) -> None:
        try:
            self.world.certify(self.refs[which], *span, home, mode=mode)
            accepted = True
        except ValidityOverlap:
            accepted = False
        except ConflictError:  # not LIVE: refused whatever is there
            assert which in self.ledger.gone
            return
        assert accepted == self.ledger.certify(home, PLACES[which], which, span, mode)

    def decertify(self, home, which, span) -> None:
        self.world.decertify(self.refs[which], *span, home)
        self.ledger.decertify(home, PLACES[which], which, span)

    def mark(self, which, kind) -> None:
        with self.world.write() as connection:
            mark(connection, [self.refs[which]], kind, actor="eve", reason="test")
        self.ledger.now.marks.add((which, kind))

    def unmark(self, which, kind) -> None:
        with self.world.write() as connection:
            unmark(connection, [self.refs[which]], kind, actor="eve", reason="test")
        self.ledger.now.marks.discard((which, kind))

    def chain(self, name, children) -> None:
        with self.world.write() as connection:
            set_chain(connection, name, children, actor="eve")
        self.ledger.now.chains[name] = list(children)

    def tag(self, which) -> None:
        held = self.ledger.now.members["best"]
        try:
            with self.world.write() as connection:
                tag(connection, "best", [self.refs[which]], actor="eve")
        except ConflictError:
            assert held.get(PLACES[which], which) != which
            return
        assert held.setdefault(PLACES[which], which) == which

    def untag(self, which) -> None:
        held = self.ledger.now.members["best"]
        if held.get(PLACES[which]) == which:
            with self.world.write() as connection:
                untag(connection, "best", [self.refs[which]], actor="eve", reason="test")
            del held[PLACES[which]]

    def policy(self, policy) -> None:
        with self.world.write() as connection:
            set_policy(connection, "flat", policy, actor="eve", reason="test")
        self.ledger.now.policy = (policy.on_missing, policy.max_gap_ns)

    def purge(self, which) -> None:
        with self.world.write() as connection:
            set_status(connection, [self.refs[which].id], "PURGED")
        self.ledger.gone.add(which)

    def make(self) -> None:
        if len(self.refs) == 4:
            self.refs.append(self.world.calib("run/1", "flat", *PLACES[4]))
            self.ledger.now.members["run/1"][PLACES[4]] = 4

    def freeze(self, names) -> None:
        state = self.ledger.now
        with self.world.write() as connection:
            seq = newest_seq(connection)
            if seq and self.ledger.opened(names, state):
                name = f"c{len(self.contexts)}"
                freeze_context(connection, name, names, actor="eve")
                self.contexts.append((name, seq, list(names), state.policy))


def check(story: Story, result, targets, names, seq) -> None:
    """Compare a resolution with the ledger."""
    ledger = story.ledger
    state = ledger.now if seq is None else ledger.past[seq]
    path = ledger.opened(names, state)
    assert list(result.collections) == path
    straddling = {one.data_id for one in result.straddles}
    for data_id, (begin, end, key) in targets.items():
        expected = ledger.resolve(names, key, (begin + end) // 2, seq)
        match = result.matches[data_id].get("flat")
        got = match and (story.refs.index(next(r for r in story.refs if r.id == match.ref.id)), match.collection)
        assert (got and (*got, match.kind, match.gap_ns)) == expected
        if match is None or match.kind == "nearest":
            assert data_id not in straddling
            continue
        others = [found and found[0] for found in (ledger.at(path, key, t, seq) for t in (begin, max(begin, end - 1)))]
        assert (data_id in straddling) == any(other != expected[0] for other in others)
        assert ("GONE" in (match.warning or "")) == (expected[0] in ledger.gone)
    assert {one.data_id for one in result.missing} == {i for i in targets if not result.matches[i]}
    assert all(one.reason in REASONS for one in result.missing)
    word = state.policy[0]
    assert all(one.required == (word != "optional") for one in result.missing)
    assert all(one.is_quiet == (word == "skip") for one in result.missing)


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(deeds, max_size=14), st.tuples(exposures, paths), st.randoms(use_true_random=False))
def test_random_histories_resolve_as_the_ledger_says_now_then_and_in_contexts(
    tmp_path_factory, engine_kind, told, asked, random
):
    exposures, path = asked
    with World(tmp_path_factory.mktemp("history"), engine_kind) as world:
        story = Story(world)
        for deed in told:
            story.tell(deed)
        targets = {}
        for number, (begin, length, physical_filter) in enumerate(exposures):
            world.expose(number, begin, begin + length, physical_filter)
            for detector in (0, 1):
                targets[DataId("lupine", number, detector)] = (begin, begin + length, (detector, physical_filter))
        with world.read() as connection:
            for seq in {None, random.choice(sorted(story.ledger.past))}:
                result = resolve(connection, list(targets), {"flat": True}, path, as_of=seq)
                check(story, result, targets, path, seq)
            for name, seq, names, _ in story.contexts:
                result = resolve(connection, list(targets), {"flat": True}, context=name)
                check(story, result, targets, names, seq)


@pytest.mark.parametrize("word", ["error", "nearest"])
def test_a_policy_of_the_call_goes_before_that_of_the_repository(world, word):
    ref = world.calib("run/1")
    world.certify(ref, 0, 10)
    data_id = world.expose(1, 12, 14)
    with world.write() as connection:
        set_policy(connection, "bias", Policy("nearest", 100), actor="ada", reason="test")
    given_policy = Policy("error") if word == "error" else Policy("nearest", 3)
    with world.read() as connection:
        result = resolve(connection, [data_id], {"bias": True}, ["calib"], policies={"bias": given_policy})
    found = result.matches[data_id].get("bias")
    assert (found and (found.kind, found.gap_ns)) == (None if word == "error" else ("nearest", 3))
