"""Times of FITS headers to TAI nanoseconds.

Cameras write thousands of headers a night in UTC, so the common cases are integer arithmetic; astropy is asked once a
day for that day's leap seconds, and for scales that are not a fixed distance from TAI.
"""

from __future__ import annotations

import re
import warnings
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import lru_cache

SECOND_NS = 1_000_000_000
DAY_S = 86_400
_UNIX_MJD = 40_587
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TAI_MINUS_NS = {"TAI": 0, "TT": -32_184_000_000, "GPS": 19 * SECOND_NS}
"""What to add to a reading of the scale to get TAI."""
_ISO = re.compile(
    r"(?P<y>\d{4})-(?P<mo>\d\d)-(?P<d>\d\d)(?:T(?P<h>\d\d):(?P<mi>\d\d)(?::(?P<s>\d\d)(?:\.(?P<f>\d*))?)?)?Z?"
)


def tai_ns_from_iso(text: str, scale: str = "UTC") -> int:
    """Read ``YYYY-MM-DD[Thh:mm[:ss[.f]]]`` in a FITS time scale (UTC, TAI, TT, GPS, TDB, UT1 ...).

    Raises
    ------
    ValueError
        If the text is not such a time.
    """
    match = _ISO.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a time of the form YYYY-MM-DDThh:mm:ss.fff")
    day = (datetime(int(match["y"]), int(match["mo"]), int(match["d"]), tzinfo=UTC) - _EPOCH).days
    hours, minutes, seconds = int(match["h"] or 0), int(match["mi"] or 0), int(match["s"] or 0)
    if hours > 23 or minutes > 59 or seconds > (60 if (hours, minutes) == (23, 59) else 59):
        raise ValueError(f"{text!r} is not a time of day")
    of_day_ns = (3600 * hours + 60 * minutes + seconds) * SECOND_NS + int((match["f"] or "").ljust(9, "0")[:9])
    return _tai_ns(day, of_day_ns, scale)


def tai_ns_from_mjd(mjd: float | str, scale: str = "UTC") -> int:
    """Read a modified Julian date; a float keeps about a microsecond, its text all that was written.

    Raises
    ------
    ValueError
        If the text is not a number.
    """
    days = Fraction(mjd) if isinstance(mjd, str) else Fraction(repr(mjd))
    day, part = divmod(days, 1)
    number = int(day) - _UNIX_MJD
    length_s = DAY_S
    if _is_utc(scale):  # the fraction of a day that ends in a leap second counts 86401 s
        length_s += leap_seconds(number + 1) - leap_seconds(number)
    return _tai_ns(number, round(part * length_s * SECOND_NS), scale)


def utc_from_tai_ns(ns: int) -> datetime:
    """Return the instant as a UTC datetime, cut to microseconds; within a leap second, the second before it."""
    day = (ns - 10 * SECOND_NS) // (DAY_S * SECOND_NS)  # right, or one too late near midnight
    if ns < (day * DAY_S + leap_seconds(day)) * SECOND_NS:
        day -= 1
    of_day_ns = min(ns - (day * DAY_S + leap_seconds(day)) * SECOND_NS, DAY_S * SECOND_NS - 1)
    return _EPOCH + timedelta(days=day, microseconds=of_day_ns // 1000)


def day_obs_at(ns: int, rollover_hours: float) -> int:
    """Return the observing day, YYYYMMDD, of an instant: the UTC date as many hours ago as the day begins late."""
    day = utc_from_tai_ns(ns) - timedelta(hours=rollover_hours)
    return day.year * 10_000 + day.month * 100 + day.day


@lru_cache(maxsize=4096)
def leap_seconds(day: int) -> int:
    """Return TAI - UTC in seconds on a UTC day, counted from 1970-01-01 (10 before 1972)."""
    from astropy.time import Time

    if day < 730:  # before 1972 UTC ran at another rate; nobody's CCD was there to notice
        return 10
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "dubious year": where none is announced, no leap second is the best guess
        utc = Time(day + _UNIX_MJD, format="mjd", scale="utc")
        tai = utc.tai
    seconds: float = ((tai.jd1 - utc.jd1) + (tai.jd2 - utc.jd2)) * DAY_S
    return round(seconds)


def _tai_ns(day: int, of_day_ns: int, scale: str) -> int:
    label_ns = day * DAY_S * SECOND_NS + of_day_ns
    if _is_utc(scale):
        return label_ns + leap_seconds(day) * SECOND_NS
    fixed = _TAI_MINUS_NS.get(scale.strip().upper())
    return label_ns + fixed if fixed is not None else _by_astropy(day, of_day_ns, scale)


def _is_utc(scale: str) -> bool:
    return scale.strip().upper() in {"UTC", "UT", "GMT", ""}  # the FITS standard reads UT and GMT as UTC


def _by_astropy(day: int, of_day_ns: int, scale: str) -> int:
    from astropy.time import Time

    moment = Time(day + _UNIX_MJD, of_day_ns / (DAY_S * SECOND_NS), format="mjd", scale=scale.strip().lower()).tai
    days = Fraction(float(moment.jd1)) + Fraction(float(moment.jd2)) - Fraction(4881175, 2)
    return round(days * DAY_S * SECOND_NS)
