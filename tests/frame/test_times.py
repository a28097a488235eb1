"""Times of headers against astropy, which shares no code with the fast path."""

from __future__ import annotations

from fractions import Fraction

import pytest
from astropy.time import Time
from hypothesis import given
from hypothesis import strategies as st

from isrflow.frame.times import day_obs_at, leap_seconds, tai_ns_from_iso, tai_ns_from_mjd, utc_from_tai_ns
from registry.times import day_obs_at as registry_day_obs_at
from registry.times import parse_time

UNIX_JD = Fraction(4881175, 2)


def by_astropy(text, scale):
    tai = Time(text, scale=scale).tai
    return round((Fraction(float(tai.jd1)) + Fraction(float(tai.jd2)) - UNIX_JD) * 86_400 * 10**9)


@pytest.mark.parametrize("scale", ["utc", "tai", "tt", "tdb"])
@pytest.mark.parametrize(
    "text",
    [
        "2026-03-02T04:05:06.789",
        "1999-12-31T23:59:59.999",
        "2016-12-31T23:59:59.5",
        "2017-01-01T00:00:00",
        "1972-07-01T00:00:00",
    ],
)
def test_iso_times_agree_with_astropy_in_every_scale(text, scale):
    assert tai_ns_from_iso(text, scale.upper()) == pytest.approx(by_astropy(text, scale), abs=100)  # ns: jd2's rounding


def test_a_leap_second_is_a_second_of_its_own():
    before, leap, after = (
        tai_ns_from_iso(text) for text in ("2016-12-31T23:59:59", "2016-12-31T23:59:60", "2017-01-01T00:00:00")
    )
    assert (leap - before, after - leap) == (10**9, 10**9)


def test_gps_time_is_nineteen_seconds_behind_tai():
    assert tai_ns_from_iso("2026-01-01T00:00:00", "GPS") - tai_ns_from_iso("2026-01-01T00:00:00", "TAI") == 19 * 10**9


@pytest.mark.parametrize("scale", ["utc", "tai"])
@pytest.mark.parametrize("mjd", [51195.2035520278, 56486.0, 61100.98038194445, 57753.75])
def test_modified_julian_dates_agree_with_astropy(mjd, scale):
    tai = Time(mjd, format="mjd", scale=scale).tai
    expected = round((Fraction(float(tai.jd1)) + Fraction(float(tai.jd2)) - UNIX_JD) * 86_400 * 10**9)
    assert tai_ns_from_mjd(mjd, scale.upper()) == pytest.approx(expected, abs=2_000)  # a double's last digit


def test_the_text_of_an_mjd_keeps_all_its_digits():
    assert tai_ns_from_mjd("61100.000000000011574", "TAI") - tai_ns_from_mjd("61100", "TAI") == 1_000


@given(st.integers(0, 2_000_000_000), st.integers(0, 999))
def test_there_and_back_again(unix_s, ms):
    ns = (unix_s + 10) * 10**9 + ms * 10**6
    moment = utc_from_tai_ns(ns)
    back = tai_ns_from_iso(moment.strftime("%Y-%m-%dT%H:%M:%S.%f"))
    assert back in (ns, ns - ns % 10**9 - 1_000)  # inside a leap second the clock shows the end of the second before


@given(st.integers(100_000_000, 2_000_000_000), st.sampled_from([0.0, 9.5, 12.0, 23.0]))
def test_frame_and_registry_agree_about_times_and_days(unix_s, rollover_hours):
    text = utc_from_tai_ns((unix_s + 37) * 10**9).strftime("%Y-%m-%dT%H:%M:%S")
    ns = tai_ns_from_iso(text)
    assert ns == parse_time(text)
    assert day_obs_at(ns, rollover_hours) == registry_day_obs_at(ns, rollover_hours * 3600)


def test_a_night_belongs_to_the_day_on_which_it_began():
    assert day_obs_at(tai_ns_from_iso("2026-03-02T04:00:00"), 12.0) == 20260301
    assert day_obs_at(tai_ns_from_iso("2026-03-02T12:00:00"), 12.0) == 20260302
    assert day_obs_at(tai_ns_from_iso("2026-03-02T11:59:59.999"), 12.0) == 20260301


def test_leap_seconds_are_those_of_the_bulletins():
    days_since_1970 = {10: 365 * 2, 32: 10592, 36: 16617, 37: 17167}  # 1972-01-01, 1999-01-01, 2015-07-01, 2017-01-01
    assert {leap_seconds(day) for day in days_since_1970.values()} == set(days_since_1970)
    assert leap_seconds(40_000) == 37  # 2079: nothing announced, and no warning


@pytest.mark.parametrize(
    "text", ["yesterday", "2026-13-01", "2026-01-01T25:00:00", "2026-01-01T12:00:60", "2026-02-30"]
)
def test_what_is_not_a_time_is_refused(text):
    with pytest.raises(ValueError, match=r"time|month|day|range"):
        tai_ns_from_iso(text)
