"""Resolution, against the slow oracle over random histories, and every reason for a miss."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from registry.errors import UnknownName, UserError, ValidityOverlap
from registry.refs import DataId, Policy
from registry.resolution import REASONS, spell_numbers
from registry.resolve import resolve
from registry.sql.collections import register_collection, set_chain, tag
from registry.times import day_span, parse_time
from tests.registry.oracle import Oracle
from tests.registry.world import World

LONG = 14
MODES = ["strict", "idempotent", "replace", "fill-gaps"]


def ask(world, data_ids, types, path, **options):
    with world.read() as connection:
        return resolve(connection, data_ids, dict.fromkeys(types, True), path, **options)


@pytest.fixture
def world(tmp_path, engine_kind):
    with World(tmp_path, engine_kind) as one:
        with one.write() as connection:
            register_collection(connection, "calib", "CALIBRATION")
            register_collection(connection, "other", "CALIBRATION")
        yield one


steps = st.lists(
    st.tuples(
        st.sampled_from(["certify", "certify", "decertify"]),
        st.sampled_from(["calib", "other"]),
        st.integers(0, 3),
        st.tuples(st.integers(0, LONG - 2), st.integers(1, 6)),
        st.sampled_from(MODES),
    ),
    max_size=12,
)
exposures = st.lists(
    st.tuples(st.integers(0, LONG - 1), st.integers(0, 4), st.sampled_from([None, "r", "g"])), min_size=1, max_size=5
)
paths = st.lists(st.sampled_from(["calib", "other", "run/0", "run/1"]), min_size=1, max_size=4, unique=True)


@settings(max_examples=25)
@given(st.tuples(steps, exposures, paths), st.sets(st.integers(0, 3), max_size=1), st.randoms(use_true_random=False))
def test_random_histories_resolve_as_the_oracle_says_now_and_at_every_past_event(tmp_path_factory, story, dead, random):
    steps, exposures, path = story
    with World(tmp_path_factory.mktemp("resolve")) as world:
        # Four flats: detector 0 in filter r, thrice, and detector 1 in filter g. Its key is (detector, filter).
        places = [(0, "r"), (0, "r"), (0, "r"), (1, "g")]
        refs = [world.calib(f"run/{i}", "flat", *place) for i, place in enumerate(places)]
        held = {f"run/{i}": {places[i]: i} for i in range(4)}
        keys = [(d, f) for d in range(2) for f in ("r", "g", None)]
        oracle = Oracle(["calib", "other"], keys, range(LONG + 5))
        with world.write() as connection:
            for name in ("calib", "other"):
                register_collection(connection, name, "CALIBRATION")
        for what, collection, which, (begin, length), mode in steps:
            if what == "decertify":
                world.decertify(refs[which], begin, begin + length, collection)
                oracle.decertify(collection, places[which], which, (begin, begin + length))
                continue
            try:
                world.certify(refs[which], begin, begin + length, collection, mode=mode)
                accepted = True
            except ValidityOverlap:
                accepted = False
            assert accepted == oracle.certify(collection, places[which], which, (begin, begin + length), mode)
        for one in dead:
            world.sql("UPDATE dataset SET status = 'MISSING' WHERE uuid = ?", refs[one].id.hex)
        targets = {}
        for number, (begin, length, physical_filter) in enumerate(exposures):
            world.expose(number, begin, begin + length, physical_filter)
            for detector in (0, 1):
                targets[DataId("lupine", number, detector)] = (begin, begin + length, (detector, physical_filter))
        steps_of_path = [(name, held[name]) if name in held else name for name in path]
        moment = random.randrange(len(oracle.past))
        for as_of, index in ((None, len(oracle.past) - 1), (moment, moment)):
            result = ask(world, list(targets), ["flat"], path, as_of=as_of)
            straddling = {one.data_id for one in result.straddles}
            for data_id, (begin, end, key) in targets.items():
                gone = dead if as_of is None else frozenset()  # the past does not change when a file is lost

                def at(instant, key=key, index=index, gone=gone):
                    return oracle.resolve(steps_of_path, key, instant, index, gone)

                expected = at((begin + end) // 2)
                match = result.matches[data_id].get("flat")
                assert (match is None) == (expected is None)
                if match is None or expected is None:
                    continue
                assert (match.ref.id, match.collection) == (refs[expected[0]].id, expected[1])
                others = [found and found[0] for found in (at(begin), at(max(begin, end - 1)))]
                assert (data_id in straddling) == any(other != expected[0] for other in others)
                assert ("STRADDLE" in (match.warning or "")) == (data_id in straddling)
                assert ("GONE" in (match.warning or "")) == (expected[0] in dead)
            assert {one.data_id for one in result.missing} == {i for i in targets if not result.matches[i]}
            assert all(one.reason in REASONS for one in result.missing)


def test_the_middle_of_the_exposure_decides(world):
    early, late = world.calib("run/1"), world.calib("run/2")
    world.certify(early, 0, 100)
    world.certify(late, 100, 200)
    ids = [world.expose(i, begin, begin + 20) for i, begin in enumerate((79, 80, 89, 90, 91, 100))]
    result = ask(world, ids, ["bias"], ["calib"])
    assert [result.matches[i]["bias"].ref for i in ids] == [early, early, early, late, late, late]
    assert [one.data_id.exposure for one in result.straddles] == [2, 3, 4]
    assert [one.other.ref for one in result.straddles] == [late, early, early]
    warning = result.matches[ids[2]]["bias"].warning
    assert warning.startswith(
        f"STRADDLE: a validity edge lies inside the exposure; {early.short} is valid at its middle"
    )


def test_an_edge_between_two_ranges_of_the_same_dataset_is_none(world):
    one = world.calib("run/1")
    world.certify(one, 0, 100)
    world.certify(one, 100, 200)
    assert ask(world, [world.expose(1, 90, 110)], ["bias"], ["calib"]).straddles == []


def test_an_exposure_that_reaches_out_of_all_validity_says_so(world):
    world.certify(world.calib("run/1"), 0, 100)
    result = ask(world, [world.expose(1, 80, 110)], ["bias"], ["calib"])
    assert result.straddles[0].other is None
    assert "nothing at its begin or end" in result.straddles[0].chosen.warning


def test_a_run_holds_its_calibrations_valid_at_any_time_and_in_its_place(world):
    certified, in_run, tagged = (world.calib(f"run/{i}") for i in range(3))
    world.certify(certified, 0, 100)
    with world.write() as connection:
        tag(connection, "best", [tagged])
        set_chain(connection, "default", ["run/1", "calib"])
    data_id = world.expose(1, 10, 20)

    def first(*path):
        match = ask(world, [data_id], ["bias"], path).matches[data_id]["bias"]
        return match.ref, match.collection, match.validity_id is None

    assert first("calib", "run/1") == (certified, "calib", False)
    assert first("run/1", "calib") == (in_run, "run/1", True)
    assert first("default") == (in_run, "run/1", True)
    assert first("best", "default") == (tagged, "best", True)


def test_a_calibration_is_matched_on_the_dimensions_its_type_declares_and_no_others(world):
    camera = world.calib("run/1", "camera")
    bias = world.calib("run/1", detector=1)
    red = world.calib("run/1", "flat", 1, "r")
    world.certify([camera, bias, red], 0, 100)
    world.expose(1, 10, 20, "g")
    world.expose(2, 10, 20, "r")
    ids = [DataId("lupine", number, detector) for number in (1, 2) for detector in (0, 1)]
    result = ask(world, ids, ["camera", "bias", "flat"], ["calib"])
    found = {(i.exposure, i.detector): sorted(result.matches[i]) for i in ids}
    assert found == {
        (1, 0): ["camera"],
        (1, 1): ["bias", "camera"],
        (2, 0): ["camera"],
        (2, 1): ["bias", "camera", "flat"],
    }
    assert [result.complete(i) for i in ids] == [False, False, False, True]


def reason(world, kind="flat", path=("calib",), **options):
    data_id = DataId("lupine", 1, 0)
    return ask(world, [data_id], [kind], path, **options).missing[0]


@pytest.fixture
def asked(world):
    world.expose(1, 50, 60, "r")
    return world


def test_reason_type_unknown(asked):
    missing = reason(asked, "flt")
    assert (missing.reason, missing.detail) == (
        "TYPE_UNKNOWN",
        "no dataset type 'flt' is registered; did you mean 'flat'?",
    )


def test_reason_never_certified(asked):
    assert reason(asked).detail == "there is no flat for it at all"
    asked.calib("run/1", "flat", 0, "r")
    missing = reason(asked)
    assert (missing.reason, missing.detail) == ("NEVER_CERTIFIED", "it was made (run run/1) but is certified nowhere")
    assert missing.uncertified_run == "run/1"
    assert (
        "certify: isrflow calibs certify run/1 --begin" in ask(asked, [missing.data_id], ["flat"], ("calib",)).report()
    )


def test_reason_gap_with_the_nearest_on_either_side(asked):
    refs = [asked.calib(f"run/{i}", "flat", 0, "r") for i in range(4)]
    for ref, span in zip(refs, [(0, 10), (10, 40), (70, 80), (80, 90)], strict=True):
        asked.certify(ref, *span)
    missing = reason(asked)
    assert (missing.reason, missing.detail) == ("GAP", "none is valid at mid-exposure")
    assert (missing.before.dataset, missing.before.distance_ns) == (refs[1].id, 15)
    assert (missing.after.dataset, missing.after.distance_ns) == (refs[2].id, 15)


def test_reason_revoked_with_who_and_why(asked):
    ref = asked.calib("run/1", "flat", 0, "r")
    asked.certify(ref, 0, 100)
    asked.decertify(ref, 40, 70, reason="shutter stuck")
    missing = reason(asked)
    assert missing.reason == "REVOKED"
    assert missing.detail.startswith("it was revoked by bob at ")
    assert missing.detail.endswith("(shutter stuck)")
    assert missing.before.span.end_ns == 40


def test_reason_not_live(asked):
    ref = asked.calib("run/1", "flat", 0, "r")
    asked.certify(ref, 0, 100)
    asked.sql("UPDATE dataset SET status = 'MISSING' WHERE uuid = ?", ref.id.hex)
    missing = reason(asked)
    assert (missing.reason, missing.detail) == ("NOT_LIVE", "its dataset is MISSING")


def test_reason_filter_mismatch_with_have_and_want(asked):
    asked.certify(asked.calib("run/1", "flat", 0, "g"), 0, 100)
    missing = reason(asked)
    assert missing.reason == "FILTER_MISMATCH"
    assert missing.detail == "it is for filter g, the exposure was taken with r"


def test_reason_collection_not_in_path(asked):
    asked.certify(asked.calib("run/1", "flat", 0, "r"), 0, 100)
    missing = reason(asked, path=("other",))
    assert missing.reason == "COLLECTION_NOT_IN_PATH"
    assert missing.detail == "it is in collection calib, which is not searched"


def test_reason_not_yet_certified(asked):
    asked.certify(asked.calib("run/1", "flat", 0, "r"), 0, 100)
    assert reason(asked, as_of=0).reason == "NOT_YET_CERTIFIED"


def test_a_gap_mentions_the_collection_that_could_fill_it(asked):
    asked.certify(asked.calib("run/1", "flat", 0, "r"), 0, 10)
    asked.certify(asked.calib("run/2", "flat", 0, "r"), 0, 100, "other")
    missing = reason(asked)
    assert (missing.reason, missing.detail) == (
        "GAP",
        "none is valid at mid-exposure (there is one in other, not searched)",
    )


def test_the_report_groups_what_is_missing_and_ends_with_what_to_type(world):
    world.certify([world.calib("run/1", detector=i) for i in range(3)], 0, 1000)
    world.certify([world.calib("run/1", "flat", i, "r") for i in (0, 2)], 0, 40)
    ids = []
    for number in (3, 4, 5, 9):
        world.expose(number, number * 10, number * 10 + 8)
        ids += [DataId("lupine", number, detector) for detector in range(3)]
    report = ask(world, ids, ["bias", "flat"], ["calib"]).report()
    assert report.splitlines() == [
        "10 of 12 quanta lack a required calibration; searched: calib",
        "",
        "flat: NEVER_CERTIFIED, there is no flat for it at all",
        "    exposures 3-5, 9, detectors 1",
        "    why: isrflow explain 3 1 flat",
        "    make: isrflow calibs build flat --night 20260301",
        "",
        "flat: GAP, none is valid at mid-exposure",
        "    exposures 4-5, 9, detectors 0, 2",
        *[line for line in report.splitlines() if "nearest before" in line],
        "    why: isrflow explain 4 0 flat",
        "    make: isrflow calibs build flat --night 20260301",
    ]
    assert "4e-09 s away" in report


def test_what_is_not_required_is_mentioned_but_does_not_make_a_quantum_incomplete(world):
    data_id = world.expose(1, 0, 10)
    world.certify(world.calib("run/1"), 0, 100)
    with world.read() as connection:
        result = resolve(connection, [data_id], {"bias": True, "flat": False}, ["calib"])
    assert result.complete(data_id)
    assert result.reason(data_id) == ""
    assert result.report().splitlines()[-1] == "missing, but not required: flat"
    assert result.to_dict()["incomplete"] == 0


def test_nothing_missing_is_nothing_to_report(world):
    data_id = world.expose(1, 0, 10)
    world.certify(world.calib("run/1"), 0, 100)
    assert not ask(world, [data_id], ["bias"], ["calib"]).report()
    assert ask(world, [], ["bias"], ["calib"]).matches == {}


def test_what_is_asked_about_must_exist(world):
    data_id = world.expose(1, 0, 10)
    with pytest.raises(UnknownName, match="no collection 'cali'; did you mean 'calib'"):
        ask(world, [data_id], ["bias"], ["cali"])
    with pytest.raises(UnknownName, match="lupine has no exposure 2, 3"):
        ask(world, [DataId("lupine", 2, 0), DataId("lupine", 3, 0)], ["bias"], ["calib"])
    with pytest.raises(UserError, match="names none"):
        ask(world, [DataId("lupine", None, 0)], ["bias"], ["calib"])


def test_the_number_of_queries_does_not_grow_with_the_night(world):
    from sqlalchemy import event

    refs = [world.calib("run/1", detector=i) for i in range(3)]
    world.certify(refs, 0, 1000)
    statements: list[str] = []
    event.listen(world.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    ids = [DataId("lupine", number, d) for number in range(10) for d in range(3)]
    for number in range(10):
        world.expose(number, number * 10, number * 10 + 8)
    counts = []
    for some in (ids[:1], ids):
        statements.clear()
        ask(world, some, ["bias", "camera"], ["calib"])
        counts.append(len(statements))
    assert counts[0] == counts[1]


@given(st.sets(st.integers(0, 30)))
def test_numbers_spelled_as_ranges_read_back_the_same(numbers):
    read: set[int] = set()
    for part in filter(None, spell_numbers(numbers).split(", ")):
        first, _, last = part.partition("-")
        read |= set(range(int(first), int(last or first) + 1))
    assert read == numbers


def test_calibrations_change_at_a_leap_second_and_at_midnight_to_the_nanosecond(world):
    leap, year = parse_time("2016-12-31T23:59:60"), parse_time("2017-01-01")
    refs = [world.calib(f"run/{name}") for name in ("old", "leap", "new")]
    for ref, begin, end in zip(refs, (leap - 10**12, leap, year), (leap, year, year + 10**12), strict=True):
        world.certify(ref, begin, end)
    assert year - leap == 10**9
    instants = [leap - 1, leap, year - 1, year]
    ids = [world.expose(number, instant, instant) for number, instant in enumerate(instants)]
    result = ask(world, ids, ["bias"], ["calib"])
    assert [refs.index(result.matches[i]["bias"].ref) for i in ids] == [0, 1, 1, 2]
    assert result.straddles == []
    across = world.expose(9, leap - 10**9, year + 10**9 + 2)  # its middle is within the leap second
    result = ask(world, [across], ["bias"], ["calib"])
    assert result.matches[across]["bias"].ref == refs[1]
    assert [one.other.ref for one in result.straddles] == [refs[0]]


def test_a_calibration_of_an_observing_day_holds_until_the_rollover_not_until_midnight(world):
    night = day_span(20260301, 43200.0)  # from noon to noon
    ref = world.calib("run/1")
    world.certify(ref, night.begin_ns, night.end_ns)
    texts = ("2026-03-01T11:59:59.999999999", "2026-03-01T12:00", "2026-03-02T00:00", "2026-03-02T11:59:59.999999999")
    ids = [
        world.expose(number, parse_time(text), parse_time(text))
        for number, text in enumerate((*texts, "2026-03-02T12:00"))
    ]
    result = ask(world, ids, ["bias"], ["calib"])
    assert [bool(result.matches[one]) for one in ids] == [False, True, True, True, False]


def test_the_number_of_queries_does_not_depend_on_the_number_of_exposures(world):
    world.certify([world.calib("run/1", detector=i) for i in range(3)], 0, 100)
    ids = [DataId("lupine", world.expose(n, n, n + 1).exposure, d) for n in range(30) for d in range(3)]
    counts = []
    for some in (ids[:3], ids):
        asked = []
        with world.read() as connection:
            event.listen(connection, "before_cursor_execute", lambda *args, asked=asked: asked.append(args[2]))
            types, rules = {"bias": True, "flat": True}, {"bias": Policy("nearest", 50), "flat": Policy("nearest", 50)}
            resolve(connection, some, types, ["calib"], policies=rules)
        counts.append(len(asked))
    assert counts[0] == counts[1]
