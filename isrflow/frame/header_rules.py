"""Where a header says what: the standard cards, and our words for what cameras write in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isrflow.errors import ConfigError
from isrflow.frame.camera import Camera, HeaderRule

STANDARD_RULES: Mapping[str, HeaderRule] = {
    "detector": HeaderRule(cards=("DETECTOR", "DETID", "CCDNUM", "CHIPID")),
    "exposure_id": HeaderRule(cards=("EXPID", "EXPNUM")),
    "obs_id": HeaderRule(cards=("OBSID", "OBS-ID")),
    "seq_num": HeaderRule(cards=("SEQNUM",)),
    "day_obs": HeaderRule(cards=("DAYOBS",)),
    "obs_type": HeaderRule(cards=("OBSTYPE", "IMAGETYP", "IMGTYPE", "IMTYPE", "FRAME", "OBSMODE")),
    "object_name": HeaderRule(cards=("OBJECT",)),
    "physical_filter": HeaderRule(cards=("FILTER",)),
    "exposure_time_s": HeaderRule(cards=("EXPTIME", "XPOSURE", "EXPOSURE")),
    "dark_time_s": HeaderRule(cards=("DARKTIME",)),
    "time_scale": HeaderRule(cards=("TIMESYS",), default="UTC"),
    "begin": HeaderRule(cards=("DATE-BEG", "DATE-OBS", "MJD-BEG", "MJD-OBS")),
    "time_of_day": HeaderRule(cards=("TIME-OBS", "UT", "UTC-OBS", "UTSTART")),
    "end": HeaderRule(cards=("DATE-END", "MJD-END")),
    "ra_deg": HeaderRule(cards=("RA", "RA_DEG", "RA-OBS")),
    "dec_deg": HeaderRule(cards=("DEC", "DEC_DEG", "DEC-OBS")),
}
READOUT_MODE = "readout_mode."
"""Prefix of properties that end up in `Observation.readout_mode`."""

OBS_TYPES: Mapping[str, str] = {
    "bias": "bias",
    "bias frame": "bias",
    "zero": "bias",
    "dark": "dark",
    "dark frame": "dark",
    "flat": "flat",
    "flat field": "flat",
    "flat frame": "flat",
    "flatfield": "flat",
    "dome flat": "flat",
    "domeflat": "flat",
    "dflat": "flat",
    "flatlamp": "flat",
    "sky flat": "skyflat",
    "skyflat": "skyflat",
    "sflat": "skyflat",
    "twilight flat": "skyflat",
    "object": "science",
    "science": "science",
    "skyexp": "science",
    "light": "science",
    "light frame": "science",
    "focus": "focus",
}
"""What headers say, in lower case, to our words; anything else stays as it was written."""


def rules_of(camera: Camera | None) -> dict[str, HeaderRule]:
    """Return the rules for every property: the camera's own, and the standard ones it does not replace.

    Raises
    ------
    ConfigError
        If the camera maps a property that does not exist; all of them are listed.
    """
    own = dict(camera.headers) if camera else {}
    unknown = [name for name in own if name not in STANDARD_RULES and not name.startswith(READOUT_MODE)]
    if unknown:
        raise ConfigError(
            f"camera {camera.name if camera else ''}: headers maps {', '.join(unknown)}, which do not exist "
            f"(known: {', '.join(STANDARD_RULES)}, {READOUT_MODE}NAME)"
        )
    return {**STANDARD_RULES, **own}


def normalised_obs_type(text: str) -> str:
    """Return our word for an observation type, or the text itself in lower case: unknown stays visible."""
    plain = " ".join(text.lower().replace("_", " ").split())
    return OBS_TYPES.get(plain, plain or "unknown")


def look_up(header: Mapping[str, Any], rule: HeaderRule) -> Any:
    """Return what a rule finds in a header: the first card that says something, in our words; else the default."""
    for card in rule.cards:
        value = header.get(card)
        if value is None or (isinstance(value, str) and not value.strip()):
            continue
        wanted = str(value).strip().lower()
        return next((ours for theirs, ours in rule.values.items() if str(theirs).strip().lower() == wanted), value)
    return rule.default
