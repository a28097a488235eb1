"""Texts of time to TAI nanoseconds and back.

Inside the registry a time is an integer: nanoseconds of TAI since 1970-01-01T00:00:00 TAI. People speak UTC, unless
they say otherwise. Plain ISO times in UTC, TAI and TT are read here (a night has thousands); anything else goes
through astropy, which is imported only then.
"""

from __future__ import annotations

import re
import time
from bisect import bisect_right
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

from registry.errors import InvalidTime
from registry.timespan import BEGINNING_NS, FOREVER_NS, Timespan

SECOND_NS = 1_000_000_000
DAY_S = 86_400
_TT_MINUS_TAI_NS = 32_184_000_000
_UNIX_JD = Fraction(4881175, 2)  # Julian date of 1970-01-01T00:00
_UNIX_MJD = 40587
_EPOCH = date(1970, 1, 1)

# First UTC day on which TAI-UTC has a new value, with 1972 counting as 10 s (IERS Bulletin C). A test compares this
# with ERFA's table.
_LEAP_DAYS = (
    *("19720101", "19720701", "19730101", "19740101", "19750101", "19760101", "19770101", "19780101", "19790101"),
    *("19800101", "19810701", "19820701", "19830701", "19850701", "19880101", "19900101", "19910101", "19920701"),
    *("19930701", "19940701", "19960101", "19970701", "19990101", "20060101", "20090101", "20120701", "20150701"),
    "20170101",
)
_LEAP_STARTS_S = [(date(int(d[:4]), int(d[4:6]), int(d[6:])) - _EPOCH).days * DAY_S for d in _LEAP_DAYS]
_LEAP_STARTS_TAI_NS = [(start + 10 + i) * SECOND_NS for i, start in enumerate(_LEAP_STARTS_S)]

_ISO = re.compile(
    r"(?P<y>\d{4})-(?P<mo>\d\d)-(?P<d>\d\d)"
    r"(?:[T ](?P<h>\d\d):(?P<mi>\d\d)(?::(?P<s>\d\d)(?:\.(?P<f>\d+))?)?)?(?P<z>Z|\+00:00)?"
)
_DAY = re.compile(r"\d{8}")
_MJD = re.compile(r"(?:mjd[:\s]\s*(?P<named>[-+]?\d+(?:\.\d*)?)|(?P<bare>\d{5}\.\d*))", re.IGNORECASE)
_SCALE = re.compile(r"\s*(utc|tai)$", re.IGNORECASE)
_LENGTH = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>weeks?|w|days?|d|hours?|h|minutes?|min|m|seconds?|s)\s*")
_LENGTHS_S = {"w": 7 * DAY_S, "d": DAY_S, "h": 3600, "m": 60, "s": 1}
_HOW = (
    "write 'YYYY-MM-DD', 'YYYY-MM-DDTHH:MM:SS[.fff]', 'YYYYMMDD', '61000.5' or 'MJD 61000.5', or 'now'; "
    "UTC unless 'TAI' follows"
)


def parse_time(value: str | float | datetime, scale: str = "utc") -> int:
    """Read a time.

    Parameters
    ----------
    value
        Text: ``YYYY-MM-DD``, ``YYYY-MM-DDTHH:MM[:SS[.f]]`` (a suffix ``Z``, `` UTC`` or `` TAI`` overrides `scale`),
        ``YYYYMMDD`` (that day's midnight), ``61000.5``, ``MJD 61000.5`` or ``mjd:61000.5`` (the same suffixes count),
        ``now``, ``forever``, ``the beginning``. An int is taken as TAI nanoseconds already, unless it has eight digits
        and so is a day; a float is a modified Julian date; a naive datetime is read in `scale`.
    scale
        ``utc``, ``tai``, ``tt`` or any other scale that astropy knows.

    Returns
    -------
    int
        TAI nanoseconds since 1970-01-01T00:00:00 TAI.

    Raises
    ------
    InvalidTime
        If the value is none of these, with the accepted forms in the text.
    """
    ns = _parse(value, scale)
    if not BEGINNING_NS <= ns <= FOREVER_NS:
        raise _invalid(value, "only times from 1823 to 2116 are known; 'the beginning' and 'forever' are words")
    return ns


def format_time(ns: int) -> str:
    """Write a time in UTC to the millisecond (cut, not rounded); the sentinels read "forever" and "the beginning"."""
    if ns >= FOREVER_NS:
        return "forever"
    if ns <= BEGINNING_NS:
        return "the beginning"
    index = bisect_right(_LEAP_STARTS_TAI_NS, ns)
    offset_s = 9 + index if index else 10
    seconds, rest = divmod(ns - offset_s * SECOND_NS, SECOND_NS)
    # The last second of a month that gained one is labelled :60; it already belongs to the old offset.
    leap = index < len(_LEAP_STARTS_S) and seconds == _LEAP_STARTS_S[index]
    moment = datetime(1970, 1, 1) + timedelta(seconds=seconds - leap)  # noqa: DTZ001 - a label, arithmetic is done above
    text = moment.isoformat(timespec="seconds")
    return f"{text[:-2]}60.{rest // 1_000_000:03d} UTC" if leap else f"{text}.{rest // 1_000_000:03d} UTC"


def format_tai(ns: int) -> str:
    """Write a time in TAI to the millisecond (cut, not rounded); the sentinels as `format_time` does."""
    if not BEGINNING_NS < ns < FOREVER_NS:
        return format_time(ns)
    seconds, rest = divmod(ns, SECOND_NS)
    moment = datetime(1970, 1, 1) + timedelta(seconds=seconds)  # noqa: DTZ001 - a label of TAI, which datetime lacks
    return f"{moment.isoformat(timespec='seconds')}.{rest // 1_000_000:03d} TAI"


def spell_span(span: Timespan) -> str:
    """Write a span in UTC and in TAI, so that nobody has to guess which is meant."""
    if span.begin_ns == BEGINNING_NS and span.end_ns == FOREVER_NS:
        return str(span)
    return f"{span} = [{format_tai(span.begin_ns)}, {format_tai(span.end_ns)})"


def spell_time(ns: int) -> str:
    """Write a time in UTC as a single word that `parse_time` reads back to the nanosecond; a midnight as its day."""
    text = format_time(ns).removesuffix(" UTC")
    if " " in text or ns in {FOREVER_NS, BEGINNING_NS}:
        return f"'{text}'"
    rest = ns % 1_000_000
    return f"{text}{rest:06d}" if rest else text.removesuffix(".000").removesuffix("T00:00:00")


def format_duration(ns: int) -> str:
    """Write a length of time in its two largest units: "2 d 3 h", "45 s", "0.5 s"."""
    if ns < 10 * SECOND_NS:
        return f"{ns / SECOND_NS:.3g} s"
    rest, words = ns // SECOND_NS, []
    for unit, size in (("d", DAY_S), ("h", 3600), ("min", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count:
            words.append(f"{count} {unit}")
    return " ".join(words[:2])


def parse_duration(text: str) -> int:
    """Read a length of time: ``7d``, ``12 h``, ``1d12h``, ``90min``, ``2 weeks``, ``30s``; in nanoseconds.

    Raises
    ------
    InvalidTime
        If it is none.
    """
    stripped, total, place = text.strip().lower(), Fraction(0), 0
    while place < len(stripped) and (match := _LENGTH.match(stripped, place)):
        total += Fraction(match["number"]) * _LENGTHS_S[match["unit"][0]] * SECOND_NS
        place = match.end()
    if not stripped or place < len(stripped):
        message = f"'{text}' is not a length of time: write 7d, 12h, 1d12h, 90min or 30s"
        raise InvalidTime(message, text=text)
    return round(total)


def now_ns() -> int:
    """Return the present time in TAI nanoseconds."""
    return time.time_ns() + (9 + len(_LEAP_DAYS)) * SECOND_NS


def parse_day(value: str | int) -> int:
    """Read an observing day, ``YYYYMMDD`` or ``YYYY-MM-DD``, as the integer YYYYMMDD.

    Raises
    ------
    InvalidTime
        If it is not a day of the calendar.
    """
    text = str(value).strip()
    digits = text.replace("-", "") if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else text
    if not _DAY.fullmatch(digits):
        message = f"'{text}' is not a day: write YYYYMMDD, for example 20260302"
        raise InvalidTime(message, text=text)
    _day_number(digits)
    return int(digits)


def day_span(day_obs: int, rollover_s: float) -> Timespan:
    """Return the span of an observing day that begins `rollover_s` seconds after 00:00 UTC."""
    start = _day_number(str(parse_day(day_obs)))
    shift = round(rollover_s * SECOND_NS)
    return Timespan(_utc_label_to_tai(start * DAY_S) + shift, _utc_label_to_tai((start + 1) * DAY_S) + shift)


def day_obs_at(ns: int, rollover_s: float) -> int:
    """Return the observing day, as YYYYMMDD, that an instant belongs to."""
    text = format_time(ns - round(rollover_s * SECOND_NS))
    return int(text[:10].replace("-", ""))


def _parse(value: str | float | datetime, scale: str) -> int:
    """Read a time of any kind."""
    if isinstance(value, datetime):
        if value.tzinfo is not None:
            value, scale = value.astimezone(UTC).replace(tzinfo=None), "utc"
        return _parse_text(value.isoformat(), scale)
    if isinstance(value, str):
        return _parse_text(value.strip(), scale)
    if isinstance(value, int):
        return _parse_text(str(value), scale) if 10_000_000 <= value < 100_000_000 else value
    return _from_mjd(repr(value), scale)


def _parse_text(text: str, scale: str) -> int:
    """Read any text of time."""
    lowered = text.lower()
    if lowered in _WORDS:
        return _WORDS[lowered]
    if lowered == "now":
        return now_ns()
    said = _SCALE.search(text)
    if said is not None:
        text, scale = text[: said.start()], said[1].lower()
    days = _MJD.fullmatch(text)
    if days is not None:
        return _from_mjd(days["named"] or days["bare"], scale)
    if _DAY.fullmatch(text):
        text = f"{text[:4]}-{text[4:6]}-{text[6:]}"
    match = _ISO.fullmatch(text)
    if match is None:
        raise _invalid(text)
    scale = "utc" if match["z"] else scale.lower()
    if match["s"] == "60" or scale not in {"utc", "tai", "tt"} or (scale == "utc" and int(match["y"]) < 1972):
        return _by_astropy(text.removesuffix("Z").removesuffix("+00:00"), scale)
    return _from_fields(match, scale, text)


def _from_fields(match: re.Match[str], scale: str, text: str) -> int:
    """Turn a matched ISO time in UTC, TAI or TT into TAI nanoseconds."""
    try:
        moment = datetime(
            int(match["y"]),
            int(match["mo"]),
            int(match["d"]),
            int(match["h"] or 0),
            int(match["mi"] or 0),
            int(match["s"] or 0),
            tzinfo=UTC,
        )
    except ValueError as error:
        raise _invalid(text, str(error)) from error
    label_s = (moment.date() - _EPOCH).days * DAY_S + moment.hour * 3600 + moment.minute * 60 + moment.second
    fraction_ns = int((match["f"] or "").ljust(9, "0")[:9])
    if scale == "utc":
        return _utc_label_to_tai(label_s) + fraction_ns
    return label_s * SECOND_NS + fraction_ns - (_TT_MINUS_TAI_NS if scale == "tt" else 0)


def _from_mjd(text: str, scale: str) -> int:
    """Turn a modified Julian date into TAI nanoseconds, to the nearest microsecond where the text is that exact."""
    try:
        days = Fraction(text.strip())
    except ValueError as error:
        raise _invalid(f"mjd:{text}") from error
    day, part = divmod(days, 1)
    label_s = (int(day) - _UNIX_MJD) * DAY_S
    scale = scale.lower()
    if scale in {"tai", "tt"}:
        return label_s * SECOND_NS + round(part * DAY_S * SECOND_NS) - (_TT_MINUS_TAI_NS if scale == "tt" else 0)
    if scale != "utc" or label_s < _LEAP_STARTS_S[0]:
        return _by_astropy((int(day), float(part)), scale)
    # A day that ends in a leap second is 86401 s long, and its fraction counts those.
    begin, end = _utc_label_to_tai(label_s), _utc_label_to_tai(label_s + DAY_S)
    return begin + round(part * (end - begin))


def _by_astropy(value: str | tuple[int, float], scale: str) -> int:
    """Let astropy read what the fast path does not."""
    from astropy.time import Time

    try:
        if isinstance(value, tuple):
            moment = Time(value[0], value[1], format="mjd", scale=scale).tai
        else:
            moment = Time(value.replace(" ", "T"), scale=scale).tai
    except (ValueError, KeyError) as error:
        raise _invalid(str(value), str(error)) from error
    days = Fraction(float(moment.jd1)) + Fraction(float(moment.jd2)) - _UNIX_JD
    return round(days * DAY_S * SECOND_NS)


def _utc_label_to_tai(label_s: int) -> int:
    """Turn a UTC label, counted as if every day had 86400 s, into TAI nanoseconds."""
    return (label_s + 9 + max(bisect_right(_LEAP_STARTS_S, label_s), 1)) * SECOND_NS


def _day_number(digits: str) -> int:
    """Return the number of the calendar day since 1970-01-01."""
    try:
        return (date(int(digits[:4]), int(digits[4:6]), int(digits[6:])) - _EPOCH).days
    except ValueError as error:
        message = f"'{digits}' is not a day of the calendar ({error})"
        raise InvalidTime(message, text=digits) from error


def _invalid(value: object, why: str = "") -> InvalidTime:
    """Make the error for what is not a time."""
    return InvalidTime(f"'{value}' is not a time{f' ({why})' if why else ''}; {_HOW}", text=str(value))


_WORDS = {"forever": FOREVER_NS, "the beginning": BEGINNING_NS, "beginning": BEGINNING_NS}
