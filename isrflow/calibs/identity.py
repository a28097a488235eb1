"""Who a calibration belongs to, as header cards or metadata, in the reference's vocabulary and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isrflow.calibs.base import CalibInfo
from isrflow.errors import CalibrationFileError
from isrflow.frame.camera import Detector

# Alternative names of each property; all that are present must agree.
_NAMES: Mapping[str, tuple[str, ...]] = {
    "instrument": ("INSTRUME", "instrument"),
    "detector_id": ("DETECTOR", "detectorId"),
    "detector_name": ("DET_NAME", "DETECTOR_NAME", "DETNAME", "detectorName"),
    "detector_serial": ("DET_SER", "DETECTOR_SERIAL", "DETSER", "detectorSerial"),
    "physical_filter": ("FILTER", "filterName"),
}
IDENTITY_CARDS = (
    "INSTRUME",
    "RAFTNAME",
    "SLOTNAME",
    "DETECTOR",
    "DET_NAME",
    "DET_SER",
    "FILTER",
    "CALIB_ID",
    "SEQFILE",
    "SEQNAME",
    "SEQCKSUM",
)
"""Cards that tables of the reference always have, known or not."""
_NOTHING = ("", "_unknown_")  # the reference writes the latter for exposures without a filter
_DATES = ("CALIBDATE", "CALIB_CREATION_DATETIME", "CALIB_CREATION_DATE", "CALIB_CREATION_TIME", "CALIB_CREATE_DATE")


def info_of(detector: Detector, *, instrument: str = "", physical_filter: str | None = None) -> CalibInfo:
    """Return the identity of a calibration made for a detector."""
    return CalibInfo(
        instrument=instrument,
        detector_id=detector.id,
        detector_name=detector.name,
        detector_serial=detector.serial,
        physical_filter=physical_filter,
    )


def identity_cards(info: CalibInfo) -> dict[str, Any]:
    """Return the cards that state an identity; what is not known has no card."""
    cards: dict[str, Any] = {
        "INSTRUME": info.instrument or None,
        "DETECTOR": info.detector_id,
        "DET_NAME": info.detector_name or None,
        "DET_SER": info.detector_serial or None,
        "FILTER": info.physical_filter,
        "CALIBDATE": info.creation_date or None,
    }
    date, _, clock = info.creation_date.replace("T", " ").partition(" ")
    if clock:
        cards |= {"CALIB_CREATION_DATE": date, "CALIB_CREATION_TIME": clock}
    return {card: value for card, value in cards.items() if value is not None}


def place_cards(detector_name: str) -> dict[str, str]:
    """Return the raft and slot that the reference reads off a detector's name; nothing for names of another kind."""
    raft, separator, slot = detector_name.partition("_")
    return {"RAFTNAME": raft, "SLOTNAME": slot} if separator and "_" not in slot else {}


def info_from_cards(cards: Mapping[str, Any]) -> tuple[CalibInfo, dict[str, Any]]:
    """Return the identity that cards state, and the cards that are left.

    Raises
    ------
    CalibrationFileError
        If two cards for the same property disagree; all of them are listed.
    """
    found: dict[str, Any] = {}
    quarrels: list[str] = []
    for field, names in _NAMES.items():
        stated = {name: cards[name] for name in names if not _is_empty(cards.get(name))}
        if len({str(value).strip() for value in stated.values()}) > 1:
            quarrels.append(" but ".join(f"{name} is {value!r}" for name, value in stated.items()))
        elif stated:
            found[field] = next(iter(stated.values()))
    if quarrels:
        raise CalibrationFileError(f"the header contradicts itself: {'; '.join(quarrels)}")
    info = CalibInfo(
        instrument=str(found.get("instrument", "")),
        detector_id=_detector_id(found.get("detector_id")),
        detector_name=str(found.get("detector_name", "")),
        detector_serial=str(found.get("detector_serial", "")),
        physical_filter=str(found["physical_filter"]) if "physical_filter" in found else None,
        creation_date=_creation_date(cards),
    )
    used = {*_DATES, *(name for names in _NAMES.values() for name in names)}
    derived = place_cards(info.detector_name)
    rest = {card: value for card, value in cards.items() if card not in used and derived.get(card, ...) != value}
    return info, rest


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str) and value.strip() in _NOTHING)


def _detector_id(value: Any) -> int | None:
    if value is None:
        return None
    try:
        return int(value)
    except (TypeError, ValueError) as error:
        raise CalibrationFileError(f"DETECTOR is {value!r}, it must be a whole number") from error


def _creation_date(cards: Mapping[str, Any]) -> str:
    for name in ("CALIBDATE", "CALIB_CREATION_DATETIME"):
        if not _is_empty(cards.get(name)):
            return str(cards[name])
    date = cards.get("CALIB_CREATION_DATE") or cards.get("CALIB_CREATE_DATE") or ""
    return f"{date} {cards.get('CALIB_CREATION_TIME') or ''}".strip()
