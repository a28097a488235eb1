"""Headers put right."""

from __future__ import annotations

import math

import pytest

from isrflow.errors import HeaderError
from isrflow.frame.corrected import checked_keyword, checked_value, corrected, parse_value


def test_cards_are_laid_over_a_header_that_itself_stays_as_it_is():
    header = {"A": 1, "B": 2, "C": None}
    assert corrected(header, {"B": 3, "D": "x"}) == {"A": 1, "B": 3, "C": None, "D": "x"}
    assert corrected(header, {"A": None, "E": None}) == {"B": 2, "C": None}
    assert header == {"A": 1, "B": 2, "C": None}


@pytest.mark.parametrize(
    ("typed", "keyword"),
    [("exptime", "EXPTIME"), ("DATE-BEG", "DATE-BEG"), ("HIERARCH eso ins mode", "ESO INS MODE"), ("A_1", "A_1")],
)
def test_keywords_are_spelled_as_in_headers(typed, keyword):
    assert checked_keyword(typed) == keyword


@pytest.mark.parametrize("typed", ["", "  ", "LONGERTHAN8", "A=B", "É", "A\nB!", "'X'"])
def test_what_is_no_keyword_is_refused(typed):
    with pytest.raises(HeaderError, match="is not a header keyword"):
        checked_keyword(typed)


@pytest.mark.parametrize("typed", ["NAXIS", "naxis1", "BITPIX", "BZERO", "CRVAL1", "CHECKSUM", "COMMENT", "HISTORY"])
def test_the_layout_of_a_file_is_not_corrected(typed):
    with pytest.raises(HeaderError, match="says how the file is laid out"):
        checked_keyword(typed)


@pytest.mark.parametrize(
    ("typed", "kind", "value"),
    [
        ("30", "auto", 30),
        (" -4 ", "auto", -4),
        ("30.0", "auto", 30.0),
        ("3e1", "auto", 30.0),
        ("T", "auto", True),
        ("false", "auto", False),
        ("'30'", "auto", "30"),
        ('"T"', "auto", "T"),
        ("1_000", "auto", "1_000"),
        ("2026-03-01T23:30:00", "auto", "2026-03-01T23:30:00"),
        ("r_01", "auto", "r_01"),
        ("30", "text", "30"),
        ("30", "float", 30.0),
        ("30", "int", 30),
        ("t", "bool", True),
    ],
)
def test_values_are_read_as_people_type_them(typed, kind, value):
    found = parse_value(typed, kind)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("typed", "kind"), [("x", "int"), ("1.5", "int"), ("x", "float"), ("1", "bool"), ("x", "date")]
)
def test_what_is_not_of_the_kind_is_refused(typed, kind):
    with pytest.raises(HeaderError, match=r"is not of kind|is no kind of value"):
        parse_value(typed, kind)


@pytest.mark.parametrize("value", [math.nan, math.inf, "é", "a\tb", "x" * 69])
def test_what_no_card_holds_is_refused(value):
    with pytest.raises(HeaderError):
        checked_value(value)
    assert checked_value("") == ""


def test_not_a_number_is_refused_however_it_is_typed():
    with pytest.raises(HeaderError, match="cannot hold nan"):
        parse_value("nan")
