"""Random conditions, answered by the database and by plain Python."""

from __future__ import annotations

from fnmatch import fnmatchcase

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.query.run import select_exposures
from registry.times import format_time
from tests.registry.query.conftest import FLAGGED, OBJECTS, band, records

RECORDS = records()
FIELDS = {
    "seq_num": lambda e: e.seq_num,
    "exposure.exposure_time": lambda e: e.exposure_time_s,
    "dark_time": lambda e: e.dark_time_s,
    "ra": lambda e: e.ra_deg,
    "dec": lambda e: e.dec_deg,
    "obs_type": lambda e: e.obs_type,
    "object": lambda e: e.object_name,
    "physical_filter": lambda e: e.physical_filter,
    "band": band,
    "exposure.begin": lambda e: e.begin_ns,
    "end": lambda e: e.end_ns,
    "flag": lambda e: FLAGGED.get(e.id),
}
NUMBERS = ("seq_num", "exposure.exposure_time", "dark_time", "ra", "dec")
TEXTS = ("obs_type", "object", "physical_filter", "band")
TIMES = ("exposure.begin", "end")
PYTHON = {
    "=": lambda a, b: a is not None and b is not None and a == b,
    "!=": lambda a, b: not (a is not None and b is not None and a == b),
    "<": lambda a, b: a is not None and b is not None and a < b,
    "<=": lambda a, b: a is not None and b is not None and a <= b,
    ">": lambda a, b: a is not None and b is not None and a > b,
    ">=": lambda a, b: a is not None and b is not None and a >= b,
}
MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
operators = st.sampled_from(sorted(PYTHON))
texts = st.sampled_from([*OBJECTS, "r", "g", "red", "bias", "flat", "science", "R", "x"])
patterns = st.sampled_from(["*", "?", "s*", "*a*", "M 3?", "*.*", "??", "", "*%", "Zz", "l*k", "{star\\*}", "*_1"])
whole = st.integers(-6, 12)


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def value_of(field: str):
    """A value as it is written, and as Python has it."""
    if field == "seq_num":
        return whole.map(lambda n: (str(n), n))
    if field in NUMBERS:
        return st.one_of(whole, st.sampled_from([7.5, 22.5, 0.0, -3.25])).map(lambda n: (repr(n), n))
    if field in TIMES:
        return st.sampled_from(RECORDS).map(lambda e: (quoted(format_time(e.begin_ns)), e.begin_ns))
    return texts.map(lambda text: (quoted(text), text))


@st.composite
def comparisons(draw):
    field, op = draw(st.sampled_from([*NUMBERS, *TEXTS, *TIMES])), draw(operators)
    text, value = draw(value_of(field))
    get, holds = FIELDS[field], PYTHON[op]
    if draw(st.booleans()):
        return f"{text} {MIRRORED.get(op, op)} {field}", lambda e: holds(get(e), value)
    return f"{field} {op} {text}", lambda e: holds(get(e), value)


@st.composite
def comparisons_of_fields(draw):
    group = draw(st.sampled_from([NUMBERS, TEXTS, TIMES]))
    one, other, op = draw(st.sampled_from(group)), draw(st.sampled_from(group)), draw(operators)
    return f"{one} {op} {other}", lambda e: PYTHON[op](FIELDS[one](e), FIELDS[other](e))


@st.composite
def members(draw):
    field = draw(st.sampled_from([*NUMBERS, *TEXTS]))
    get, parts = FIELDS[field], []
    for _ in range(draw(st.integers(1, 3))):
        (a, x), (b, y) = draw(value_of(field)), draw(value_of(field))
        kind = draw(st.sampled_from(["single", "range", "stride"]))
        if kind == "single":
            parts.append((a, lambda v, x=x: v == x))
        elif kind == "stride" and field == "seq_num":
            step = draw(st.integers(1, 4))
            parts.append((f"{a}..{b}:{step}", lambda v, x=x, y=y, step=step: v in range(x, y + 1, step)))
        else:
            parts.append((f"{a}..{b}", lambda v, x=x, y=y: x <= v <= y))
    inverted = draw(st.booleans())
    text = f"{field} {'not ' if inverted else ''}in ({', '.join(text for text, _ in parts)})"
    return text, lambda e: inverted != (get(e) is not None and any(test(get(e)) for _, test in parts))


@st.composite
def likes(draw):
    field, pattern, inverted = draw(st.sampled_from(TEXTS)), draw(patterns), draw(st.booleans())
    get = FIELDS[field]
    text = f"{field} {'not ' if inverted else ''}~ {quoted(pattern)}"
    return text, lambda e: inverted != (get(e) is not None and fnmatchcase(get(e), pattern))


@st.composite
def absences(draw):
    field, inverted = draw(st.sampled_from([*FIELDS])), draw(st.booleans())
    return f"{field} is {'not ' if inverted else ''}null", lambda e: inverted != (FIELDS[field](e) is None)


@st.composite
def flags(draw):
    flag, op = draw(st.sampled_from(["bad", "suspect"])), draw(st.sampled_from(["=", "!="]))
    return f"flag {op} '{flag}'", lambda e: PYTHON[op](FLAGGED.get(e.id), flag)


def as_json(value) -> str:
    return str(value).lower() if isinstance(value, bool) else quoted(value) if isinstance(value, str) else repr(value)


def is_like(a, b) -> bool:
    """Say whether JSON values are of one kind: comparing others is false."""
    kinds = [bool if isinstance(v, bool) else str if isinstance(v, str) else float for v in (a, b)]
    return a is not None and kinds[0] is kinds[1]


@st.composite
def attributes(draw):
    name = draw(st.sampled_from(["airmass", "program", "ok", "absent", "DATE-OBS"]))
    value = draw(st.sampled_from([1.25, 2, 0.001, "high", "deep", "Deep", "2026-03-01", "true", True, False, 1]))
    op = draw(st.sampled_from(["=", "!="]) if isinstance(value, bool) else operators)
    prefix = draw(st.sampled_from(["", "exposure."]))

    def holds(e) -> bool:
        there = e.attrs.get(name)
        there = None if isinstance(there, dict) else there
        return PYTHON[op](there if is_like(there, value) else None, value)

    return f"{prefix}attrs.{name} {op} {as_json(value)}", holds


@st.composite
def modes(draw):
    value, op = draw(st.integers(0, 3)), draw(operators)
    return f"mode.binning {op} {value}", lambda e: PYTHON[op](e.readout_mode.get("binning"), value)


def attribute_absences():
    names = st.sampled_from(["airmass", "program", "nested", "absent"])
    return names.map(lambda name: (f"attrs.{name} is null", lambda e: e.attrs.get(name) is None))


leaves = st.one_of(
    comparisons(),
    comparisons_of_fields(),
    members(),
    likes(),
    absences(),
    flags(),
    attributes(),
    modes(),
    attribute_absences(),
)
conditions = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(lambda a, b: (f"({a[0]} and {b[0]})", lambda e: a[1](e) and b[1](e)), inner, inner),
        st.builds(lambda a, b: (f"({a[0]} OR {b[0]})", lambda e: a[1](e) or b[1](e)), inner, inner),
        st.builds(lambda a: (f"not {a[0]}", lambda e: not a[1](e)), inner),
    ),
    max_leaves=6,
)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(conditions)
def test_any_condition_answers_as_python_would(nights, condition):
    where, holds = condition
    with nights.world.read() as connection:
        found = [record.id for record in select_exposures(connection, where)]
    assert found == [record.id for record in RECORDS if holds(record)], where
