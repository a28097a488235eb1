"""The query language: what it reads, what it answers, and how it complains."""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from registry.errors import InvalidTime, QuerySyntaxError, UnknownName
from registry.query.run import select_exposures, select_refs, select_rows
from registry.query.syntax import And, Compare, Field, Like, Member, Not, Or, Span, Value, parse
from registry.sql import tables as t
from registry.sql.database import read
from registry.times import parse_time
from tests.registry.world import World

NIGHTS = (20260301, 20260302)
TYPES = ("bias", "flat", "science")
FILTERS = {0: None, 51: "g", 52: "r"}
SECOND = 1_000_000_000


def exposure_rows():
    """Two nights of six exposures; biases have no filter and no length."""
    start = parse_time("2026-03-01T20:00:00")
    for night, day_obs in enumerate(NIGHTS):
        for number in range(6):
            obs_type = TYPES[number // 2]
            begin = start + (night * 86400 + number * 600) * SECOND
            length = 0 if obs_type == "bias" else 30 * number
            yield {
                "instrument_id": 50,
                "number": day_obs * 1000 + number,
                "obs_id": f"L{day_obs}-{number:03d}",
                "day_obs": day_obs,
                "seq_num": number,
                "filter_id": 0 if obs_type == "bias" else 51 + number % 2,
                "mode_id": 0,
                "obs_type": obs_type,
                "object_name": "M 31" if number == 5 else "",
                "begin_ns": begin,
                "end_ns": begin + length * SECOND,
                "mid_ns": begin + length * SECOND // 2,
                "exposure_time_s": float(length),
                "attrs": "{}",
            }


@pytest.fixture(scope="module")
def engine(tmp_path_factory, engine_kind):
    with World(tmp_path_factory.mktemp("query"), engine_kind) as world:
        with world.write() as connection:
            connection.execute(insert(t.instrument).values(id=50, name="tiny", rollover_s=0.0, camera_name=""))
            connection.execute(
                insert(t.physical_filter),
                [{"id": i, "instrument_id": 50, "name": name, "band": name} for i, name in enumerate("gr", 51)],
            )
            connection.execute(insert(t.exposure), list(exposure_rows()))
        yield world.engine


def numbers(engine, where, **bind):
    with read(engine) as connection:
        return [record.id for record in select_exposures(connection, where, bind=bind)]


def test_a_query_is_read_as_a_tree_that_knows_its_columns():
    tree = parse("obs_type = 'science' and day_obs in 20260301..20260331")
    assert tree == And(
        (
            Compare(Field("obs_type", 1), "=", Value("science", None, 12)),
            Member(Field("day_obs", 26), (Span(Value(20260301, None, 37), Value(20260331, None, 47)),)),
        )
    )


def test_and_binds_closer_than_or_and_not_closer_than_both():
    match parse("a = 1 or not b = 2 and c = 3"):
        case Or((Compare(), And((Not(), Compare())))):
            pass
        case tree:
            pytest.fail(f"{tree}")


def test_keywords_take_any_case_and_names_may_begin_with_them():
    match parse("order = 1 OR Notes ~ 'x' And inside NOT IN (1, 2)"):
        case Or((Compare(Field("order")), And((Like(Field("Notes")), Not(Member(Field("inside"))))))):
            pass
        case tree:
            pytest.fail(f"{tree}")


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("-1.5", -1.5),
        ("2e3", 2000.0),
        ("7", 7),
        ("'it''s'", "it's"),
        ('"say ""hm"""', 'say "hm"'),
        ("TRUE", True),
        ("'20260301..2'", "20260301..2"),
    ],
)
def test_values(text, content):
    assert parse(f"a = {text}").value.content == content
    assert type(parse(f"a = {text}").value.content) is type(content)


@pytest.mark.parametrize(
    ("text", "column", "says"),
    [
        ("a = ", 4, "found the end, expected a field, a number, a text in quotes, :name or true or false"),
        ("a == 1", 4, "found '=', expected a field, a number.*; equality is one ="),
        ("1 = 2", 1, "one side of a comparison must be a field; both are values"),
        ("a in 1..9:0.5..", 14, "found '..', expected and, or or the end"),
        ("a = 1 b = 2", 7, "found 'b', expected and, or or the end"),
        ("(a = 1", 7, r"found the end, expected and, or or \)|found the end, expected \)"),
        ("a in (1,", 9, "found the end, expected a number"),
        ("= 3", 1, r"found '=', expected a field, not, a number.* or \("),
        ("a = 'x", 5, "a quote is not closed"),
        ("a & b", 3, "found '&', expected one of = != < <= > >=, ~, in, is or not"),
        ("a in 1", 7, r"found the end, expected \.\."),
    ],
)
def test_what_cannot_be_read_is_pointed_at(text, column, says):
    with pytest.raises(QuerySyntaxError, match=says) as caught:
        parse(text)
    assert caught.value.column == column
    assert str(caught.value).splitlines()[-1] == " " * (4 + column - 1) + "^"


@pytest.mark.parametrize(
    ("where", "column", "says"),
    [
        ("obs_typ = 'bias'", 1, "no field 'obs_typ' of exposures; did you mean 'obs_type'"),
        ("seq_num = 1 and colour = 2", 17, "no field 'colour' of exposures; there is instrument, exposure, obs_id"),
        ("obs_type = science", 12, "texts are written in quotes: 'science'"),
        ("foo.seq_num = 1", 1, "no field 'foo.seq_num' of exposures; did you mean"),
        ("type = 'raw'", 1, "datasets have one: ask for datasets"),
        ("seq_num = 'one'", 11, "seq_num is a whole number, not 'one'"),
        ("seq_num = 1.5", 11, "seq_num is a whole number, not 1.5"),
        ("obs_type = 3", 12, "obs_type is a text in quotes, not 3"),
        ("seq_num ~ '1*'", 11, "seq_num is a whole number, only texts are compared with a pattern"),
        ("begin > 'yesterday'", 9, "'yesterday' is not a time"),
        ("day_obs = '2026-02-31'", 11, "is not a day of the calendar"),
        ("exposure = :e", 12, "no value was handed over for :e"),
        ("seq_num = 9223372036854775808", 11, "it is too large"),
    ],
)
def test_what_makes_no_sense_is_pointed_at(engine, where, column, says):
    with pytest.raises(QuerySyntaxError, match=says) as caught:
        numbers(engine, where)
    assert caught.value.column == column


def test_a_value_that_is_not_used_is_an_error(engine):
    with pytest.raises(UnknownName, match=r"does not use the value\(s\) seq"):
        numbers(engine, "seq_num = 1", seq=3)


def test_unknown_statuses_and_orders_name_the_nearest(engine):
    with read(engine) as connection:
        with pytest.raises(QuerySyntaxError, match="did you mean 'LIVE'"):
            select_refs(connection, "status = 'alive'")
        with pytest.raises(UnknownName, match="did you mean 'seq_num'"):
            select_exposures(connection, order_by=["-seqnum"])


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("", range(6)),
        ("seq_num in (0, 2..3, 5)", [0, 2, 3, 5]),
        ("exposure.seq_num >= 4", [4, 5]),
        ("physical_filter = 'g'", [2, 4]),
        ("physical_filter != 'g'", [0, 1, 3, 5]),
        ("not physical_filter = 'g'", [0, 1, 3, 5]),
        ("physical_filter is null", [0, 1]),
        ("filter is not null and band = 'r'", [3, 5]),
        ("physical_filter not in ('g', 'r')", [0, 1]),
        ("obs_type ~ 's*e'", [4, 5]),
        ("obs_type not like '?i*s'", [2, 3, 4, 5]),
        ("obs_type ~ 'S*'", []),
        ("object = 'M 31' or exposure_time < 60 and obs_type = 'flat'", [5]),
        ("(object = 'M 31' or exposure_time <= 60) and obs_type = 'flat'", [2]),
        ("begin >= '2026-03-01T20:10:00' and begin < '2026-03-01 20:30'", [1, 2]),
        ("begin in '2026-03-01T20:10:00'..'2026-03-01T20:30:00'", [1, 2, 3]),
    ],
)
def test_answers_on_one_night(engine, where, expected):
    night = f"({where}) and day_obs = 20260301" if where else "day_obs = '2026-03-01'"
    assert numbers(engine, night) == [20260301000 + number for number in expected]


def test_very_long_lists_are_no_problem_and_very_deep_nesting_is_said_to_be_one(engine):
    many = ", ".join(str(number) for number in range(10_000))
    assert len(numbers(engine, f"seq_num in ({many}) or seq_num not in ({many}, 7..8)")) == 12
    with pytest.raises(QuerySyntaxError, match="the query is nested too deeply"):
        numbers(engine, "not " * 5000 + "seq_num = 1")


def test_values_can_be_handed_over_apart_and_are_never_read_as_language(engine):
    assert numbers(engine, "obs_type = :kind and begin >= :t", kind="science", t=datetime(2026, 3, 2)) == [  # noqa: DTZ001
        20260302004,
        20260302005,
    ]
    assert numbers(engine, "obs_type = :kind", kind="' or 1 = 1 --") == []


def test_order_and_limit(engine):
    with read(engine) as connection:
        found = select_exposures(connection, order_by=["-day_obs", "seq_num"], limit=2)
    assert [record.id for record in found] == [20260302000, 20260302001]


def test_rows_for_people_have_plain_values(engine):
    with read(engine) as connection:
        (row,) = select_rows(connection, "exposures", "exposure = 20260301005")
    assert row["begin"] == "2026-03-01T20:50:00.000 UTC"
    assert (row["physical_filter"], row["object"], row["exposure_time"]) == ("r", "M 31", 150.0)


def test_the_sentinel_exposure_is_never_an_answer(engine):
    assert 0 not in numbers(engine, "seq_num >= 0 or seq_num < 0")


# ------------------------------------------------------------------------------------------------ against plain Python

seq = st.integers(-1, 7)
comparison = st.builds(
    lambda op, n: (f"seq_num {op} {n}", lambda e: PYTHON[op](e.seq_num, n)),
    st.sampled_from(["=", "!=", "<", "<=", ">", ">="]),
    seq,
)
span = st.builds(lambda a, b: (f"{a}..{b}", lambda e: a <= e.seq_num <= b), seq, seq)
single = st.builds(lambda a: (f"{a}", lambda e: e.seq_num == a), seq)
member = st.builds(
    lambda items: (
        f"seq_num in ({', '.join(text for text, _ in items)})",
        lambda e: any(f(e) for _, f in items),
    ),
    st.lists(span | single, min_size=1, max_size=3),
)
by_filter = st.builds(
    lambda op, name: (f"physical_filter {op} '{name}'", lambda e: PYTHON[op](e.physical_filter, name)),
    st.sampled_from(["=", "!="]),
    st.sampled_from("gru"),
)
by_day = st.builds(
    lambda a, b: (f"day_obs in {a}..{b}", lambda e: a <= e.day_obs <= b),
    st.sampled_from([20260228, *NIGHTS, 20260399]),
    st.sampled_from([20260228, *NIGHTS, 20260399]),
)
conditions = st.recursive(
    comparison | member | by_filter | by_day,
    lambda inner: (
        st.builds(lambda a, b: (f"({a[0]} and {b[0]})", lambda e: a[1](e) and b[1](e)), inner, inner)
        | st.builds(lambda a, b: (f"({a[0]} or {b[0]})", lambda e: a[1](e) or b[1](e)), inner, inner)
        | st.builds(lambda a: (f"not {a[0]}", lambda e: not a[1](e)), inner)
    ),
    max_leaves=8,
)
PYTHON = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
ALL = [SimpleNamespace(**row, physical_filter=FILTERS[row["filter_id"]]) for row in exposure_rows()]


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(conditions)
def test_any_condition_answers_as_python_would(engine, condition):
    where, holds = condition
    assert numbers(engine, where) == [exposure.number for exposure in ALL if holds(exposure)], where


def test_invalid_times_outside_a_query_keep_their_own_error():
    with pytest.raises(InvalidTime):
        parse_time("yesterday")
