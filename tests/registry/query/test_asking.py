"""What can be asked beyond the fields of an exposure, how answers are handed over, and what is refused."""

from __future__ import annotations

import time
from uuid import UUID

import numpy as np
import pytest
from astropy.time import Time
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.dimensions import ExposureRecord
from registry.errors import QuerySyntaxError, UnknownName, UserError
from registry.query.empty import explain_empty
from registry.query.run import select_rows
from registry.sql.exposures import insert_exposures
from registry.times import SECOND_NS
from tests.registry.query.conftest import START, records


def numbers(rows) -> list[int]:
    return [row["exposure"] for row in rows]


# ------------------------------------------------------------------------------------------------------- what is asked


@pytest.mark.parametrize(
    ("where", "count"),
    [
        ("collection = 'raw/lupine'", 28),
        ("collection = 'best'", 3),
        ("collection = 'inner' and type = 'raw'", 3),
        ("collection = 'all'", 5),
        ("collection = 'calib/old'", 0),
        ("collection ~ 'calib/*'", 1),
        ("collection in ('best', 'calibs/2')", 4),
        ("collection != 'raw/lupine'", 2),
        ("collection is null", 0),
        ("mark = 'bad'", 1),
        ("mark is not null and run = 'calibs/2'", 1),
        ("mark is null and type = 'bias'", 1),
        ("flag = 'bad'", 3),
        ("flag = 'suspect'", 1),
        ("exposure.flag is not null and detector = 1", 2),
        ("status = 'missing'", 1),
        ("dataset.type = 'bias' and detector.serial = 'serial-0'", 2),
        ("dataset.created > '2026-01-01' and exposure.seq_num < 0", 8),
        ("exposure.begin < dataset.created", 28),
        ("id != '0' or id = '0'", 30),
    ],
)
def test_datasets_are_asked_for_by_membership_marks_flags_and_dotted_names(ask, where, count):
    assert len(ask("datasets", where)) == count


def test_times_are_utc_unless_they_say_otherwise(ask):
    (row,) = ask(where="exposure = 1002", columns=["begin"])
    begin = Time(row["begin"].removesuffix(" UTC"), scale="utc")
    midnight = Time("2026-03-02", scale="utc")
    assert numbers(ask(where=f"begin > 'mjd:{midnight.mjd:.0f}'")) == numbers(ask(where="begin > '2026-03-02'"))
    assert numbers(ask(where=f"begin > {midnight.mjd:.1f}")) == numbers(ask(where="begin > 20260302")) != []
    for text in (begin.isot, f"{begin.tai.isot} TAI", f"{begin.tt.isot} tt"):
        assert numbers(ask(where="begin = :t", bind={"t": text})) == [1002], text


def test_lists_are_handed_over_in_any_shape(ask):
    for several in ([1002, 1004], (1002, 1004), {1002, 1004}, range(1002, 1005, 2), np.array([1002, 1004])):
        assert numbers(ask(where="exposure in :them", bind={"them": several})) == [1002, 1004]
    assert numbers(ask(where="exposure not in :them and exposure <= :last", bind={"them": [], "last": np.int64(1001)}))
    assert numbers(ask(where="exposure in (1001, :one, 1003..:last)", bind={"one": 1000, "last": 1004})) == [
        *range(1000, 1002),
        1003,
        1004,
    ]
    with pytest.raises(QuerySyntaxError, match="them is a list; write exposure in :them"):
        ask(where="exposure = :them", bind={"them": [1]})
    with pytest.raises(QuerySyntaxError, match=":one is one value, not a list"):
        ask(where="exposure in :one", bind={"one": 1})


def test_any_columns_can_be_shown_attributes_too(ask):
    rows = ask(where="exposure in (1000, 1002, 1003)", columns=["exposure.id", "attrs.airmass", "mode.binning", "flag"])
    assert list(rows) == [
        {"exposure.id": 1000, "attrs.airmass": 1.25, "mode.binning": None, "flag": None},
        {"exposure.id": 1002, "attrs.airmass": "high", "mode.binning": 1, "flag": "bad"},
        {"exposure.id": 1003, "attrs.airmass": None, "mode.binning": 2, "flag": "suspect"},
    ]
    with pytest.raises(UnknownName, match="no column of exposures 'obs_typ'; did you mean 'obs_type'"):
        ask(columns=["obs_typ"])


# --------------------------------------------------------------------------------------------------------------- pages

ORDERS = st.lists(
    st.sampled_from(["ra", "-ra", "object", "-object", "physical_filter", "-begin", "exposure_time", "-flag", "-dec"]),
    max_size=3,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ORDERS, st.integers(1, 6))
def test_pages_put_together_are_the_whole_in_order(nights, order, limit):
    with nights.world.read() as connection:
        everything = numbers(select_rows(connection, "exposures", order_by=order))
        found, token, pages = [], None, 0
        while token is not None or not pages:
            page = select_rows(connection, "exposures", order_by=order, limit=limit, after=token)
            assert len(page) <= limit
            found, token, pages = [*found, *numbers(page)], page.next_page, pages + 1
    assert found == everything


def test_rows_come_in_the_order_of_python_whatever_the_language_of_the_database(ask):
    rows = ask(order_by=["object", "-exposure"])
    expected = sorted(records(), key=lambda e: (e.object_name, -e.id))
    assert numbers(rows) == [record.id for record in expected]
    downwards = numbers(ask(order_by=["-ra"]))
    assert downwards == [
        *(e.id for e in sorted((e for e in records() if e.ra_deg is not None), key=lambda e: -e.ra_deg)),
        *(e.id for e in records() if e.ra_deg is None),
    ]


def test_a_page_is_the_same_when_asked_again_though_rows_were_added(world):
    def add(*seq: int) -> None:
        rows = [
            ExposureRecord(
                *("lupine", n, f"o{n}", 20260301, n, "r", "science", "", START + n, START + n + SECOND_NS, 1.0)
            )
            for n in seq
        ]
        with world.write() as connection:
            insert_exposures(connection, rows)

    def page(after=None):
        with world.read() as connection:
            return select_rows(connection, "exposures", limit=2, after=after, order_by=["-seq_num"])

    add(10, 20, 30, 40, 50)
    first = page()
    second = page(first.next_page)
    add(5, 25, 35, 45, 60)
    assert [numbers(p) for p in (first, second, page(first.next_page))] == [[50, 40], [30, 20], [30, 20]]
    third = page(second.next_page)
    assert (numbers(third), third.next_page) == ([10], None)
    assert numbers(page()) == [60, 50]


@pytest.mark.parametrize(
    "token", ["", "x", "AAAA", "W10", "WyJ4IiwxLFtdXQ", "'; drop table exposure; --", "é", "a" * 999]
)
def test_what_is_no_page_is_refused(ask, token):
    with pytest.raises(UserError, match=r"is not the page of any query|belongs to another query"):
        ask(limit=2, after=token)


def test_a_page_of_another_query_is_refused(ask):
    token = ask(limit=2).next_page
    with pytest.raises(UserError, match=r"belongs to another query.*\n.*fix: ask with the same condition"):
        ask(where="seq_num > 0", limit=2, after=token)


# -------------------------------------------------------------------------------------------------------------- tables


def test_a_table_has_units_times_and_masks(ask):
    table = ask(columns=["exposure", "exposure_time", "ra", "begin", "object"]).to_table()
    assert (str(table["exposure_time"].unit), str(table["ra"].unit)) == ("s", "deg")
    assert isinstance(table["begin"], Time)
    assert table["begin"].scale == "utc"
    first = records()[0]
    # TAI nanoseconds since 1970 as astropy counts them, to a nanosecond.
    since = (table["begin"][0].tai - Time("1970-01-01T00:00:00", scale="tai")).to_value("s")
    assert since * SECOND_NS == pytest.approx(first.begin_ns, abs=1000)
    assert abs((table["begin"][0].tai - Time("2026-03-01T20:00:37", scale="tai")).to_value("ns")) < 1
    assert list(table["ra"].mask[:6]) == [True, False, False, False, False, True]
    assert table["exposure"].dtype.kind == "i"
    assert len(ask(where="exposure = 1").to_table()) == 0


def test_times_that_are_absent_are_masked(ask):
    table = ask("datasets", "detector = 0", columns=["id", "begin"], order_by=["begin"]).to_table()
    assert list(table["begin"].mask[:3]) == [True, True, False]
    UUID(table["id"][0])


def test_a_data_frame_has_times_with_a_zone_and_numbers_that_may_be_absent(ask):
    pandas = pytest.importorskip("pandas")
    frame = ask(columns=["exposure", "ra", "begin", "object", "day_obs"]).to_pandas()
    assert frame["begin"].iloc[0] == pandas.Timestamp("2026-03-01T20:00:00", tz="UTC")
    assert str(frame.dtypes["exposure"]) == "Int64"
    assert frame["ra"].isna().sum() == 3
    empty = ask(where="exposure = 1").to_pandas()
    assert list(empty.columns) == [*ask().columns]
    masters = ask("datasets", "type = 'bias' or exposure = 1001", columns=["begin", "id"]).to_pandas()
    assert masters["begin"].isna().sum() == 2


def test_rows_are_a_sequence_of_new_dicts(ask):
    rows = ask(limit=3)
    assert (len(rows), rows[-1]["exposure"], len(rows[:2])) == (3, 1002, 2)
    rows[0]["exposure"] = -1
    assert rows[0]["exposure"] == 1000
    assert repr(rows).startswith("<3 exposures, and more: instrument, exposure, ")


# ----------------------------------------------------------------------------------------------------------- bad input

INJECTIONS = [
    "'; DROP TABLE exposure; --",
    "' OR '1'='1",
    "1); DELETE FROM exposure; --",
    'x" OR 1=1 --',
    "\\'; SELECT pg_sleep(9); --",
    "%s %(x)s :x ? $1 {0}",
    "x'||(select 'y')||'",
    '"]\'}$."a',
]


@pytest.mark.parametrize("text", INJECTIONS)
def test_nothing_a_user_writes_becomes_sql(nights, ask, text):
    quoted = "'" + text.replace("'", "''") + "'"
    for field in ("object", "attrs.program", "mode.amps", "band"):
        assert len(ask(where=f"{field} = {quoted}")) == 0
        assert len(ask(where=f"{field} ~ :it or {field} in (:it, {quoted})", bind={"it": text})) == 0
        assert len(ask("datasets", f"{field} = :it or run = :it or collection = :it", bind={"it": text})) == 0
    with pytest.raises((QuerySyntaxError, UnknownName)):
        ask(where=text)
    with pytest.raises((QuerySyntaxError, UnknownName)):
        ask(where=f"attrs.{text} = 1")
    for options in ({"order_by": [text]}, {"columns": [text]}, {"columns": [f"attrs.{text}"]}, {"bind": {text: 1}}):
        with pytest.raises((UserError, QuerySyntaxError)):
            ask(where="seq_num = 1", **options)
    assert len(ask()) == 14


def test_ten_thousand_values_are_quick(ask):
    many = [*range(500, 10_500)]
    started = time.monotonic()
    assert len(ask(where=f"exposure in ({', '.join(map(str, many))})")) == 14
    assert len(ask(where="exposure in :many", bind={"many": many})) == 14
    assert len(ask(where="object not in :many", bind={"many": [f"x{i}" for i in many]})) == 14
    assert len(ask(where=" or ".join(f"seq_num = {i}" for i in range(5000)))) == 10
    assert len(ask("datasets", "id in :ids or type = 'raw'", bind={"ids": [UUID(int=i) for i in range(3000)]})) == 28
    assert time.monotonic() - started < 20  # 2 s on a quiet machine; a tower of ORs would fail, not be slow
    with pytest.raises(QuerySyntaxError, match="more than 30000 values; write ranges, or ask several times"):
        ask(where="exposure in :many", bind={"many": range(40_000)})


def test_a_pattern_cannot_be_made_to_take_for_ever(world):
    long = "a" * 2000
    record = ExposureRecord(*("lupine", 1, "o", 20260301, 1, "r", "science", long, START, START + SECOND_NS, 1.0))
    with world.write() as connection:
        insert_exposures(connection, [record])
    with world.read() as connection:
        started = time.monotonic()
        assert not select_rows(connection, "exposures", f"object ~ '{'*a' * 30}*b'")
        assert select_rows(connection, "exposures", f"object ~ '{'*a' * 30}*' and object ~ '{'?' * 2000}'")
        assert not select_rows(connection, "exposures", f"object ~ '{'*?' * 2001}'")
        assert time.monotonic() - started < 10  # milliseconds, where going back would take years


@pytest.mark.parametrize("inner", ["({})", "not {}", "not ({})"])
def test_deep_nesting_is_followed_as_far_as_it_is_promised_and_then_refused(ask, inner):
    def nested(depth: int) -> str:
        where = "seq_num = 1"
        for _ in range(depth):
            where = inner.format(where)
        return where

    assert len(ask(where=nested(30))) == 1
    with pytest.raises(QuerySyntaxError, match="nested too deeply: more than 30"):
        ask(where=nested(31))
    with pytest.raises(QuerySyntaxError, match="nested too deeply"):
        ask(where=nested(20_000))


@pytest.mark.parametrize(
    ("where", "value", "says"),
    [
        ("ra = :x", float("nan"), "it is no number"),
        ("ra < :x", float("inf"), "it is too large"),
        ("ra < 1e999", None, "it is too large"),
        (f"ra < {10**400}", None, "it is too large"),
        (f"seq_num = {'9' * 5000}", None, "it is too large|is a whole number, not inf"),
        (f"seq_num in -{2**63 + 1}..3", None, "it is too large"),
        ("attrs.airmass = :x", float("nan"), "it is no number"),
        ("begin = :x", float("nan"), "it is no number"),
        ("begin = :x", 2**70, "only times from 1823 to 2116"),
        ("object = :x", "a\0b", "letters that no database holds"),
        ("object ~ :x", "\ud800", "a pattern is a text in quotes, not"),
        ("object = :x", b"bytes", "is a text in quotes, not b'bytes'"),
        ("object = :x", None, "is a text in quotes, not None"),
        ("flag = 'suspekt'", None, "there is no flag 'suspekt'; did you mean 'suspect'.; there is bad, suspect"),
        ("seq_num = :x", True, "is a whole number, not True"),
        ("seq_num = :x", {"a": 1}, "is a whole number, not"),
        ("begin = :x", [1], "is a list"),
        ("seq_num in 1..'9'", None, "is a whole number, not '9'"),
        ("attrs.airmass in 1..'9'", None, "a range is from like to like"),
        ("ra in 1..9:2", None, "only whole numbers have a stride"),
        ("seq_num in 1..9:0", None, "a stride is a whole number from 1"),
        ("seq_num = object", None, "they cannot be compared"),
        ("attrs.airmass = ra", None, "can be compared with values, not with another field"),
        ("flag = 'awful'", None, "there is bad, suspect"),
        ("seq_num = :y", 1, r"no value was handed over for :y \(given: :x\)"),
        ("é = 1", None, "no field 'é'"),
        ("attrs = 1", None, "no field 'attrs'"),
        ("attrs. = 1", None, "cannot be read at column 6"),
        ("attrs.a.b = 1", None, "no field 'attrs.a.b'"),
        ("\u202eseq_num = 1", None, "cannot be read at column 1"),
    ],
)
def test_values_that_make_no_sense_are_pointed_at(ask, where, value, says):
    with pytest.raises(QuerySyntaxError, match=says) as caught:
        ask(where=where, bind={"x": value} if ":" in where and "9:" not in where else {})
    assert str(caught.value).splitlines()[-1].endswith("^")


def test_the_place_of_an_error_in_a_very_long_query_is_shown_with_its_surroundings(ask):
    where = f"seq_num in ({', '.join(map(str, range(1000)))}) and colour = 1 and seq_num > 0"
    with pytest.raises(QuerySyntaxError, match="no field 'colour'") as caught:
        ask(where=where)
    line, caret = str(caught.value).splitlines()[-2:]
    assert len(line) < 120
    assert line[caret.index("^") :].startswith("colour = 1")


# -------------------------------------------------------------------------------------------------------------- nothing


@pytest.mark.parametrize(
    ("what", "where", "says"),
    [
        ("exposures", "obs_type = 'scence' and day_obs = 20260301", "has obs_type = 'scence'; did you mean 'science'"),
        ("exposures", "day_obs = 20260305", "nothing has day_obs = 20260305; there is 20260301 to 20260302"),
        ("exposures", "exposure_time = 24", "the nearest are 15.0 and 30.0"),
        ("exposures", "begin > '2026-04-01'", "there is '2026-03-01T20:00:00.000 UTC' to '2026-03-02"),
        ("exposures", "obs_type = 'bias' and band = 'red'", "and there is band = 'red', but not together"),
        ("exposures", "attrs.airmas < 2", "nothing has attrs.airmas < 2; did you mean 'airmass'"),
        ("exposures", "attrs.program > 3", 'there is, for example, "Deep"'),
        ("datasets", "detector = 2 and type = 'raw'", "1 MISSING would, but cannot be used; to see them add"),
        ("datasets", "collection = 'bests'", "did you mean 'best'"),
        ("quanta", "state = 'failed'", "no quanta match: there are none at all"),
        ("exposures", "seq_num < 0 and seq_num > 0", "is seq_num < 0, and there is seq_num > 0, but not"),
        ("exposures", "(seq_num < 3 and ra > 6) and (obs_type = 'flat' or obs_type = 'bias')", "but not together"),
        ("exposures", "dark_time in (1.0, 2.0) and object ~ 'Q*'", "nothing has object ~ 'Q*'"),
    ],
)  # fmt: skip
def test_an_empty_answer_explains_itself(nights, what, where, says):
    with nights.world.read() as connection:
        answer = explain_empty(connection, what, where)
        assert not list(select_rows(connection, what, where))
    assert not answer.matches
    assert says in answer.render()
    assert answer.to_dict()["where"] == where


def test_an_answer_that_is_not_empty_says_what_each_condition_leaves(nights):
    with nights.world.read() as connection:
        answer = explain_empty(connection, "exposures", "obs_type = :kind and seq_num >= 0", bind={"kind": "bias"})
    assert [c.alone for c in answer.conditions] == [5, 10]
    assert answer.render().splitlines()[0] == "3 exposures match"


def test_what_cannot_be_queried_is_refused_with_what_can(butler):
    with pytest.raises(UnknownName, match=r"there is no table to query 'dataset'.*datasets"):
        butler.query("dataset")


def test_bytes_that_are_no_text_are_refused_in_every_transaction(butler):
    """The shell hands over what is not UTF-8 as halves of characters."""
    with pytest.raises(UserError, match=r"'\\udcff' is no text"):
        butler.members("\udcff")
    with pytest.raises(UserError, match=r"is no text.*not UTF-8"):
        butler.set_chain("search", ["calibs"], reason="because \udcff")
