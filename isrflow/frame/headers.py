"""Raw headers to observations: one table of standard cards, over which a camera lays its own.

A camera's ``headers`` section says only what is unusual about it. All that is missing or unreadable is reported at
once, each property with the cards that were tried.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from isrflow.errors import HeaderError
from isrflow.frame.camera import Camera, Detector, HeaderRule
from isrflow.frame.header_rules import READOUT_MODE, look_up, normalised_obs_type, rules_of
from isrflow.frame.obs import Observation
from isrflow.frame.times import SECOND_NS, day_obs_at, tai_ns_from_iso, tai_ns_from_mjd

Header = Mapping[str, Any]
T = TypeVar("T")


def observation_from_header(
    header: Header, camera: Camera | None = None, *, where: str = "header", require: Iterable[str] | None = None
) -> Observation:
    """Read the circumstances of an exposure off its header.

    Parameters
    ----------
    header
        Card name to value.
    camera
        Its header map goes before the standard cards; None reads the standard cards alone.
    where
        The file, for messages.
    require
        Properties that must be there; by default, exposure id, begin and exposure time with a camera, nothing without.

    Returns
    -------
    Observation
        Times in TAI; the observing day by the camera's rollover; observation type in our words where we know it.

    Raises
    ------
    HeaderError
        If required properties are missing or present ones unreadable: all of them, with the cards that were tried.
    ConfigError
        If the camera maps a property that does not exist.
    """
    reader = _Reader(header, rules_of(camera))
    scale = str(reader.value("time_scale"))
    exposure_time = reader.number("exposure_time_s")
    begin = reader.time("begin", scale)
    end = reader.time("end", scale)
    if end is None and begin is not None and exposure_time is not None:
        end = begin + round(exposure_time * SECOND_NS)
    day_obs = reader.integer("day_obs")
    if day_obs is None and begin is not None:
        day_obs = day_obs_at(begin, camera.site.day_rollover_hours if camera else 12.0)
    seq_num = reader.integer("seq_num")
    exposure_id = reader.integer("exposure_id")
    if exposure_id is None and day_obs is not None and seq_num is not None:
        exposure_id = exposure_id_of(day_obs, seq_num)
    obs_type = normalised_obs_type(str(reader.value("obs_type") or "unknown"))
    physical_filter = _filter_name(reader.value("physical_filter"))
    dark_time = reader.number("dark_time_s")
    found: dict[str, Any] = {"exposure_id": exposure_id, "begin": begin, "exposure_time_s": exposure_time}
    wanted = tuple(found if camera is not None else ()) if require is None else tuple(require)
    if camera is not None and camera.filters and obs_type in {"flat", "science"} and require is None:
        found["physical_filter"], wanted = physical_filter, (*wanted, "physical_filter")
    reader.refuse(where, [name for name in wanted if found.get(name, reader.value(name)) is None])
    return Observation(
        instrument=camera.name if camera else str(header.get("INSTRUME", "")).strip(),
        exposure_id=exposure_id,
        obs_id=_text(reader.value("obs_id")) or ("" if exposure_id is None else str(exposure_id)),
        day_obs=day_obs,
        seq_num=seq_num,
        obs_type=obs_type,
        object_name=_text(reader.value("object_name")),
        physical_filter=physical_filter,
        band=camera.band_of(physical_filter) if camera else None,
        exposure_time_s=math.nan if exposure_time is None else exposure_time,
        dark_time_s=dark_time if dark_time is not None else math.nan if exposure_time is None else exposure_time,
        begin_tai_ns=begin,
        end_tai_ns=end,
        ra_deg=reader.angle("ra_deg", degrees_per_unit=15.0),
        dec_deg=reader.angle("dec_deg", degrees_per_unit=1.0),
        readout_mode=reader.readout_mode(),
    )


def detector_of(header: Header, camera: Camera, *, where: str = "header") -> Detector:
    """Return the camera's detector that a raw header names; a camera of one detector need not be told.

    Raises
    ------
    HeaderError
        If no card names a detector, or it names none of this camera's.
    """
    rule = rules_of(camera)["detector"]
    key = look_up(header, rule)
    if key is None and len(camera.detectors) == 1:
        return camera.detectors[0]
    known = ", ".join(f"{detector.id} ({detector.name})" for detector in camera.detectors)
    if key is None:
        raise HeaderError(
            f"{where}: no card says which detector of {camera.name} this is (tried {', '.join(rule.cards) or 'none'})",
            fix=f"map the property `detector` in the camera's `headers`; it has {known}",
        )
    wanted = str(key).strip()
    for detector in camera.detectors:
        if wanted in (str(detector.id), detector.name) or (wanted and wanted == detector.serial):
            return detector
    raise HeaderError(f"{where}: the header names detector {wanted!r}, camera {camera.name} has {known}")


def recognise(header: Header, cameras: Sequence[Camera], *, where: str = "header") -> Camera:
    """Return the camera whose `recognise` cards all agree with the header; the most demanding one if several do.

    Raises
    ------
    HeaderError
        If it is none of them, or two are equally good; says what the header has and what each camera wants.
    """
    matching = [camera for camera in cameras if _matches(header, camera)]
    best = max((len(camera.recognise) for camera in matching), default=0)
    chosen = [camera for camera in matching if len(camera.recognise) == best]
    if len(chosen) == 1:
        return chosen[0]
    if chosen:
        names = ", ".join(camera.name for camera in chosen)
        raise HeaderError(f"{where}: the header fits more than one instrument: {names}")
    said = ", ".join(
        f"{card}={header[card]!r}"
        for card in dict.fromkeys(["INSTRUME", *(card for camera in cameras for card in camera.recognise)])
        if card in header
    )
    wanted = "; ".join(
        f"{camera.name} wants {', '.join(f'{card}={value!r}' for card, value in camera.recognise.items())}"
        for camera in cameras
    )
    raise HeaderError(
        f"{where} is of an unknown instrument: its header says {said or 'nothing we could tell it by'}; {wanted}",
        fix="isrflow init another repository with this instrument, or mend `recognise` in its YAML",
    )


def exposure_id_of(day_obs: int, seq_num: int) -> int:
    """Return the exposure id of cameras that only number the exposures of a day."""
    return day_obs * 100_000 + seq_num


class _Reader:
    """Looks properties up in one header and remembers what could not be read."""

    def __init__(self, header: Header, rules: Mapping[str, HeaderRule]) -> None:
        self.header, self.rules = header, rules
        self.wrong: list[str] = []

    def value(self, name: str) -> Any:
        return look_up(self.header, self.rules[name])

    def number(self, name: str) -> float | None:
        return self._convert(name, self.value(name), float)

    def integer(self, name: str) -> int | None:
        return self._convert(name, self.value(name), _to_integer)

    def angle(self, name: str, *, degrees_per_unit: float) -> float | None:
        """Read decimal degrees, or sexagesimal text in units of `degrees_per_unit`."""
        return self._convert(name, self.value(name), lambda value: _to_degrees(value, degrees_per_unit))

    def time(self, name: str, scale: str) -> int | None:
        """Read the first card present: ISO text (its time of day perhaps on a card of its own) or an MJD."""
        for card in self.rules[name].cards:
            value = self.header.get(card)
            if value is None or value == "":
                continue
            if isinstance(value, str) and "-" in value:
                clock = "" if "T" in value else _text(self.value("time_of_day"))
                if clock or "T" in value or not _has_any(self.header, ("MJD-BEG", "MJD-OBS")):
                    text = f"{value.strip()}T{clock}" if clock else value
                    return self._convert(card, text, lambda iso: tai_ns_from_iso(str(iso), scale))
                continue  # a bare date; the MJD card that is there too knows the time of day
            return self._convert(card, value, lambda mjd: tai_ns_from_mjd(mjd, scale))
        return None

    def readout_mode(self) -> dict[str, Any]:
        modes = {name: self.value(name) for name in self.rules if name.startswith(READOUT_MODE)}
        return {name.removeprefix(READOUT_MODE): value for name, value in modes.items() if value is not None}

    def refuse(self, where: str, missing: Sequence[str]) -> None:
        """Raise one error for everything that is missing or unreadable, if anything is."""
        lines = [f"  {name} is missing (tried {', '.join(self.rules[name].cards) or 'no card'})" for name in missing]
        lines += [f"  {text}" for text in self.wrong]
        if lines:
            raise HeaderError(
                f"{where}: the header cannot be used:\n" + "\n".join(lines),
                fix="mend the header, or map the properties to its cards in `headers` of the instrument's YAML",
            )

    def _convert(self, name: str, value: Any, convert: Callable[[Any], T]) -> T | None:
        if value is None or value == "":
            return None
        try:
            return convert(value)
        except (ValueError, TypeError) as error:
            self.wrong.append(f"{name} cannot be read from {value!r}: {error}")
            return None


def _matches(header: Header, camera: Camera) -> bool:
    return all(
        card in header and str(header[card]).strip().lower() == value.strip().lower()
        for card, value in camera.recognise.items()
    )


def _has_any(header: Header, cards: Iterable[str]) -> bool:
    return any(header.get(card) not in (None, "") for card in cards)


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _filter_name(value: Any) -> str | None:
    text = _text(value)
    return text if text and text.lower() not in {"none", "unknown"} else None


def _to_integer(value: Any) -> int:
    if isinstance(value, float):
        if value != int(value):
            raise ValueError("it is not a whole number")
        return int(value)
    text = str(value).strip()
    return int(text.replace("-", "") if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else text)


def _to_degrees(value: Any, degrees_per_unit: float) -> float:
    if not isinstance(value, str):
        return float(value)
    parts = re.split(r"[:\s]+", value.strip())
    if len(parts) == 1:
        return float(parts[0])
    sign = -1.0 if parts[0].startswith("-") else 1.0
    units = sum(abs(float(part)) / 60.0**power for power, part in enumerate(parts))
    return sign * units * degrees_per_unit
