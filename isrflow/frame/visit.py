"""The circumstances of an exposure as header cards, by the names the reference's files use."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from isrflow.frame.obs import Observation

# (card, field of Observation); where two cards hold one field, both are written and the first present is read. The
# reference's EXPID counts exposures of single detectors, so it is neither read nor written here.
_FIELDS = (
    ("INSTRUMENT", "instrument"),
    ("INSTRUME", "instrument"),
    ("IDNUM", "exposure_id"),
    ("OBSID", "obs_id"),
    ("DAYOBS", "day_obs"),
    ("SEQNUM", "seq_num"),
    ("OBSTYPE", "obs_type"),
    ("OBJECT", "object_name"),
    ("FILTER", "physical_filter"),
    ("BAND", "band"),
    ("EXPTIME", "exposure_time_s"),
    ("DARKTIME", "dark_time_s"),
    ("BORE-RA", "ra_deg"),
    ("BORE-DEC", "dec_deg"),
)
_INTEGERS = frozenset({"exposure_id", "day_obs", "seq_num"})
_NUMBERS = frozenset({"exposure_time_s", "dark_time_s", "ra_deg", "dec_deg"})
_READOUT_MODE = "ISR READOUT MODE"
# Dates in another scale would be misread beside TIMESYS='TAI'.
_STALE_DATES = ("MJD-OBS", "MJD-BEG", "MJD-END", "MJD-AVG", "MJD", "TIME-OBS", "UTC-OBS", "DATE-OBS")


def visit_cards(obs: Observation) -> dict[str, Any]:
    """Return the cards that say what is known of an exposure; what is unknown has no card."""
    cards: dict[str, Any] = {}
    for card, field in _FIELDS:
        value = getattr(obs, field)
        if value not in (None, "") and not (isinstance(value, float) and math.isnan(value)):
            cards[card] = value
    if obs.begin_tai_ns is not None and obs.end_tai_ns is not None:
        middle = (obs.begin_tai_ns + obs.end_tai_ns) // 2
        cards["TIMESYS"] = "TAI"
        cards |= {"DATE-BEG": _iso(obs.begin_tai_ns), "DATE-AVG": _iso(middle), "DATE-END": _iso(obs.end_tai_ns)}
    if obs.readout_mode:
        cards[_READOUT_MODE] = json.dumps(dict(obs.readout_mode), sort_keys=True)
    return cards


def stale_cards(obs: Observation) -> tuple[str, ...]:
    """Name the cards of a raw header which those of `visit_cards` replace under other names."""
    return () if obs.begin_tai_ns is None else _STALE_DATES


def observation_of(cards: Mapping[str, Any]) -> Observation:
    """Return the circumstances an exposure written by isrflow or the reference states."""
    values: dict[str, Any] = {}
    for card, field in _FIELDS:
        value = cards.get(card)
        if value is not None and field not in values:
            values[field] = _converted(field, value)
    begin, end = _span(cards, values.get("exposure_time_s"))
    values |= {"begin_tai_ns": begin, "end_tai_ns": end}
    if isinstance(cards.get(_READOUT_MODE), str):
        values["readout_mode"] = json.loads(cards[_READOUT_MODE])
    return Observation(**{field: value for field, value in values.items() if value is not None})


def _converted(field: str, value: Any) -> Any:
    """Return a card's value in the field's type, or None if it is of another kind altogether."""
    try:
        if field in _INTEGERS:
            return int(value)
        return float(value) if field in _NUMBERS else str(value)
    except ValueError:
        return None


def _span(cards: Mapping[str, Any], exposure_time_s: float | None) -> tuple[int | None, int | None]:
    if str(cards.get("TIMESYS", "")).upper() != "TAI":
        return None, None
    begin, middle, end = (_ns(cards.get(name)) for name in ("DATE-BEG", "DATE-AVG", "DATE-END"))
    if begin is None and middle is not None and exposure_time_s is not None:
        half = round(exposure_time_s * 5e8)  # the reference's files state the middle only
        begin, end = middle - half, middle + half
    return begin, end


def _iso(tai_ns: int) -> str:
    return str(np.datetime64(tai_ns, "ns"))


def _ns(text: Any) -> int | None:
    try:
        return int(np.datetime64(text, "ns").astype(np.int64)) if isinstance(text, str) else None
    except ValueError:
        return None
