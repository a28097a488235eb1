"""What is noted of raws, as a quantum keeps it and as its products tell it."""

from __future__ import annotations

from isrflow.frame.cards import format_card, is_volatile
from isrflow.quantum.notes import headers_in, note_cards, notes_on
from isrflow.quantum.provenance import content_key
from registry.refs import DataId, DatasetRef, dataset_uuid

RAW = DatasetRef(
    dataset_uuid("raw", "raw", DataId("tiny", 1, 0)), "raw", "raw", DataId("tiny", 1, 0), content_sha256="a"
)


def key(headers=None):
    return content_key("isr", {"recipe": "IsrConfig", "settings": {}}, [("raw", RAW)], {}, headers=headers)


def test_where_nothing_was_noted_there_are_no_notes():
    assert notes_on({"raw": {}}, {"raw": []}) == {}
    assert headers_in(None) == headers_in({}) == {}
    assert note_cards({}) == {}


def test_corrected_cards_decide_the_content_and_flags_do_not():
    noted = notes_on({"raw": {"EXPTIME": 30.0}, "raw:2": {}}, {"raw": ["flagged suspect by ada"]})
    assert noted == {"headers": {"raw": {"EXPTIME": 30.0}}, "flags": {"raw": ["flagged suspect by ada"]}}
    assert key() == key({}) == key(headers_in({"flags": {"raw": ["x"]}}))
    keys = {
        key(headers)
        for headers in (None, {"raw": {"A": 1}}, {"raw": {"A": None}}, {"raw": {"A": "1"}}, {"b": {"A": 1}})
    }
    assert len(keys) == 5


def test_products_tell_what_was_noted_in_letters_that_headers_know():
    cards = note_cards(
        notes_on(
            {"raw:5": {"EXPTIME": 30.0, "OBJECT": 'M "31"', "AIRMASS": None, "LAMP": True}},
            {"raw:5": ["flagged suspect by José: brume\nd'été", "again"]},
        )
    )
    assert cards == {
        "ISRFLOW HEADER RAW 5 EXPTIME": "30.0",
        "ISRFLOW HEADER RAW 5 OBJECT": '"M \\"31\\""',
        "ISRFLOW HEADER RAW 5 AIRMASS": "taken away",
        "ISRFLOW HEADER RAW 5 LAMP": "true",
        "ISRFLOW FLAG RAW 5": "flagged suspect by Jos?: brume d'?t?; again",
    }
    for card, value in cards.items():
        format_card(card, value).encode("ascii")
    assert is_volatile("ISRFLOW FLAG RAW 5")  # a product made again says the same of the sky
    assert not is_volatile("ISRFLOW HEADER RAW 5 EXPTIME")
