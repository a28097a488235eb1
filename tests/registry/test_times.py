"""Times, compared with astropy; leap seconds included."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry import times
from registry.errors import InvalidTime
from registry.times import (
    SECOND_NS,
    day_obs_at,
    day_span,
    format_duration,
    format_tai,
    format_time,
    now_ns,
    parse_day,
    parse_duration,
    parse_time,
    spell_span,
)
from registry.timespan import ALL_TIME, BEGINNING_NS, FOREVER_NS, Timespan

erfa = pytest.importorskip("erfa")
Time = pytest.importorskip("astropy.time").Time


def by_astropy(text: str, scale: str) -> int:
    """TAI nanoseconds since 1970-01-01 TAI, exactly from astropy's two doubles."""
    moment = Time(text, scale=scale).tai
    days = Fraction(float(moment.jd1)) + Fraction(float(moment.jd2)) - Fraction(4881175, 2)
    return round(days * 86_400_000_000_000)


def test_the_leap_seconds_are_those_of_erfa():
    table = erfa.leap_seconds.get()
    ours = [f"{row['year']:04d}{row['month']:02d}01" for row in table if row["year"] >= 1972]
    assert list(times._LEAP_DAYS) == ours
    assert table["tai_utc"][-1] == 9 + len(ours)


# astropy keeps a time in two doubles of days: half a nanosecond at best, a few at worst. So does this comparison.
@given(
    st.datetimes(datetime(1972, 1, 1), datetime(2026, 1, 1)),  # noqa: DTZ001 - labels of several scales
    st.sampled_from(["utc", "tai", "tt"]),
)
def test_plain_iso_times_agree_with_astropy(moment, scale):
    text = moment.isoformat()
    assert abs(parse_time(text, scale) - by_astropy(text, scale)) <= 20


@pytest.mark.parametrize("text", ["2016-12-31T23:59:59", "2016-12-31T23:59:60", "2016-12-31T23:59:60.5", "2017-01-01"])
def test_the_second_that_was_added_is_counted(text):
    assert abs(parse_time(text) - by_astropy(text, "utc")) <= 20


@pytest.mark.parametrize("scale", ["tdb", "tcg", "tcb"])
def test_rare_scales_go_through_astropy(scale):
    assert abs(parse_time("2020-03-01T12:00:00", scale) - by_astropy("2020-03-01T12:00:00", scale)) <= 20


def test_times_before_1972_go_through_astropy():
    assert abs(parse_time("1965-03-01T12:00:00") - by_astropy("1965-03-01T12:00:00", "utc")) <= 20


@pytest.mark.parametrize("mjd", ["61000.5", "57753.999999", "51544", "57753.25"])
def test_modified_julian_dates_agree_with_astropy_on_long_days_too(mjd):
    moment = Time(int(float(mjd)), float(mjd) % 1, format="mjd", scale="utc")
    expected = by_astropy(moment.isot, "utc")  # to the millisecond that isot writes
    assert abs(parse_time(f"mjd:{mjd}") - expected) <= 1_000_000
    assert abs(parse_time(float(mjd)) - expected) <= 1_000_000


def test_the_same_instant_in_many_spellings():
    instant = (20513 * 86_400 + 645 + 37) * 10**9 + 250_000_000  # day 20513 since 1970, 00:10:45.25, TAI-UTC = 37 s
    texts = [
        "2026-03-01T00:10:45.25",
        "2026-03-01 00:10:45.250",
        "2026-03-01T00:10:45.25Z",
        "2026-03-01T00:10:45.25 UTC",
    ]
    texts += ["2026-03-01T00:11:22.25 TAI", "2026-03-01T00:10:45.25+00:00"]
    assert {parse_time(text) for text in texts} == {instant}
    east = timezone(timedelta(hours=2))
    assert parse_time(datetime(2026, 3, 1, 2, 10, 45, 250_000, tzinfo=east)) == instant
    assert parse_time(datetime(2026, 3, 1, 0, 10, 45, 250_000, tzinfo=UTC)) == instant
    assert parse_time(instant) == instant


def test_a_day_is_its_midnight_in_utc():
    assert parse_time("20260301") == parse_time(20260301) == parse_time("2026-03-01") == parse_time("2026-03-01T00:00")


def test_the_ends_of_time_have_names():
    assert parse_time("forever") == FOREVER_NS
    assert parse_time("the beginning") == BEGINNING_NS
    assert (format_time(FOREVER_NS), format_time(BEGINNING_NS)) == ("forever", "the beginning")


def test_now_is_now():
    assert abs(parse_time("now") - by_astropy(Time.now().isot, "utc")) < 10**10
    assert abs(now_ns() - parse_time("now")) < 10**9


@pytest.mark.parametrize(
    "text", ["2026-02-30", "yesterday", "2026-03-01T25:00:00", "mjd:x", "", "2026-13-01", "20261301"]
)
def test_what_is_not_a_time_is_refused_with_the_forms_that_are(text):
    with pytest.raises(InvalidTime, match=r"is not a time.*write 'YYYY-MM-DD'"):
        parse_time(text)


def test_a_number_of_nanoseconds_is_a_time():
    assert parse_time(12345) == 12345


@given(st.integers(63_072_010 * 10**9, FOREVER_NS - 1))
def test_formatting_cuts_to_the_millisecond_and_parses_back(ns):
    assert 0 <= ns - parse_time(format_time(ns)) < 1_000_000


def test_a_leap_second_is_written_as_sixty():
    assert format_time(parse_time("2016-12-31T23:59:60.125")) == "2016-12-31T23:59:60.125 UTC"
    assert format_time(parse_time("2017-01-01") - 1) == "2016-12-31T23:59:60.999 UTC"


def test_an_observing_day_begins_at_the_rollover():
    span = day_span(20260301, 43200)
    assert str(span) == "[2026-03-01T12:00:00.000 UTC, 2026-03-02T12:00:00.000 UTC)"
    assert day_obs_at(span.begin_ns, 43200) == 20260301
    assert day_obs_at(span.begin_ns - 1, 43200) == 20260228
    assert day_obs_at(span.end_ns - 1, 43200) == 20260301


def test_a_day_with_a_leap_second_is_a_second_longer():
    span = day_span(20161231, 0)
    assert span.end_ns - span.begin_ns == 86_401 * 10**9


@pytest.mark.parametrize(("text", "day"), [("20260301", 20260301), ("2026-03-01", 20260301), (20240229, 20240229)])
def test_days_are_read(text, day):
    assert parse_day(text) == day


@pytest.mark.parametrize("text", ["20260230", "2026", "2026-3-1", "tonight", "00000000"])
def test_what_is_not_a_day_is_refused(text):
    with pytest.raises(InvalidTime, match="is not a day"):
        parse_day(text)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.5, "0.5 s"), (45, "45 s"), (3600, "1 h"), (183_900, "2 d 3 h"), (90, "1 min 30 s")]
)
def test_durations_read_in_their_two_largest_units(seconds, text):
    assert format_duration(round(seconds * 1e9)) == text


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("61100.25", "2026-03-01T06:00"),
        ("MJD 61100.25", "2026-03-01T06:00"),
        ("mjd:61100.25", "2026-03-01T06:00"),
        ("mjd 61100", "2026-03-01"),
        ("61100.25 TAI", "2026-03-01T06:00 TAI"),
        ("MJD 61100.25TAI", "2026-03-01T06:00 TAI"),
        ("2026-03-01T06:00TAI", "2026-03-01T05:59:23"),
        ("2026-03-01T06:00utc", "2026-03-01T06:00"),
    ],
)
def test_people_write_modified_julian_dates_with_or_without_a_word_and_a_scale_behind_any_time(text, same):
    assert parse_time(text) == parse_time(same)


@pytest.mark.parametrize("text", ["61100", "mjd", "mjd 61100.25 PST", "611000.5", "61100.25 61100.25"])
def test_what_could_mean_something_else_is_no_date(text):
    with pytest.raises(InvalidTime, match=r"write .YYYY-MM-DD"):
        parse_time(text)


def test_both_scales_are_told_with_the_seconds_between_them_and_no_sentinel_is_a_date():
    before, leap = parse_time("2016-12-31T23:59:59"), parse_time("2016-12-31T23:59:60")
    assert (format_time(before), format_tai(before)) == ("2016-12-31T23:59:59.000 UTC", "2017-01-01T00:00:35.000 TAI")
    assert (format_time(leap), format_tai(leap)) == ("2016-12-31T23:59:60.000 UTC", "2017-01-01T00:00:36.000 TAI")
    assert format_tai(parse_time("2017-01-01")) == "2017-01-01T00:00:37.000 TAI"
    assert spell_span(Timespan(leap, FOREVER_NS)) == (
        "[2016-12-31T23:59:60.000 UTC, forever) = [2017-01-01T00:00:36.000 TAI, forever)"
    )
    assert spell_span(ALL_TIME) == "[the beginning, forever)"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("7d", 604800), ("1d12h", 129600), ("90min", 5400), ("2 weeks", 1209600), ("30s", 30), ("1.5 h", 5400), ("0s", 0)],
)
def test_lengths_of_time_are_read(text, seconds):
    assert parse_duration(text) == seconds * SECOND_NS


@pytest.mark.parametrize("text", ["", "7", "d", "7 parsecs", "-7d", "7d and more"])
def test_what_is_no_length_of_time_is_refused(text):
    with pytest.raises(InvalidTime, match="is not a length of time: write 7d, 12h"):
        parse_duration(text)
