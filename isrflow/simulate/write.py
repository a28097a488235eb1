"""Simulated exposures as raw files, with the header a camera would write."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from isrflow.errors import ConfigError
from isrflow.frame.box import Box
from isrflow.frame.camera import Amplifier, Camera, Detector
from isrflow.frame.exposure import Exposure
from isrflow.frame.header_rules import READOUT_MODE, rules_of
from isrflow.frame.headers import observation_from_header
from isrflow.frame.obs import Observation
from isrflow.frame.times import utc_from_tai_ns

_WORDS = {"science": "OBJECT", "bias": "BIAS", "dark": "DARK", "flat": "FLAT"}
_COMMENTS = {
    "DET_NAME": "detector",
    "DET_SER": "its serial number",
    "EXPTIME": "[s] exposure time",
    "DARKTIME": "[s] time from clearing to readout",
    "DATE-OBS": "begin of exposure",
    "DATE-BEG": "begin of exposure",
    "DATE-END": "end of exposure",
    "MJD-OBS": "[d] begin of exposure",
    "MJD-BEG": "[d] begin of exposure",
    "MJD-END": "[d] end of exposure",
    "TIMESYS": "time scale of all dates",
    "RA": "[deg] of the optical axis, ICRS",
    "DEC": "[deg] of the optical axis, ICRS",
    "FILTER": "physical filter",
    "DAYOBS": "observing day",
    "SEQNUM": "number within the observing day",
    "EXPID": "exposure id",
    "DETID": "detector id",
}
_UNIX_MJD = 40_587


def write_raw(exposure: Exposure, camera: Camera, path: Path) -> None:
    """Write a raw exposure as this camera would: its HDUs, its header cards, checksums.

    Parameters
    ----------
    exposure
        A raw mosaic with detector and circumstances.
    camera
        Its header map says which cards are written: each property goes to the first of its cards, in the map's words.
    path
        Where to; a file that is there is replaced.

    Raises
    ------
    ConfigError
        If the exposure has no detector, its HDUs are named by number, or the header map cannot say what it is.
    """
    detector = exposure.detector
    if detector is None:
        raise ConfigError("an exposure without a detector cannot be written as a raw")
    cards = raw_cards(exposure.obs, camera, detector)
    _refuse_unreadable(exposure.obs, camera, cards)
    header = fits.Header([(card, value, _COMMENTS.get(card, "")) for card, value in cards.items()])
    hdus = fits.HDUList(_image_hdus(exposure, detector, header))
    hdus.writeto(path, overwrite=True, checksum=True)


def raw_cards(obs: Observation, camera: Camera, detector: Detector) -> dict[str, Any]:
    """Return the cards that say all of `obs`, in the words of the camera's header map."""
    cards: dict[str, Any] = {"INSTRUME": camera.name.upper(), **camera.recognise}
    cards |= {"ORIGIN": "isrflow simulation", "DET_NAME": detector.name, "DET_SER": detector.serial or None}
    rules = rules_of(camera)
    own_first = sorted(_properties(obs, detector).items(), key=lambda item: item[0] not in camera.headers)
    for name, value in own_first:
        rule = rules[name]
        if value is not None and rule.cards and rule.cards[0] not in cards:
            inverse = {ours: theirs for theirs, ours in rule.values.items()}
            cards[rule.cards[0]] = inverse.get(value, _WORDS.get(value, value) if name == "obs_type" else value)
    scale = rules["time_scale"]
    if scale.cards:
        cards[scale.cards[0]] = "UTC"
    for name, ns in (("begin", obs.begin_tai_ns), ("end", obs.end_tai_ns)):
        for card in rules[name].cards if ns is not None else ():
            cards[card] = _time(card, ns or 0, "UTC" if scale.cards else str(scale.default))
    cards["BUNIT"] = "adu"
    return {card: value for card, value in cards.items() if value is not None}


def _properties(obs: Observation, detector: Detector) -> dict[str, Any]:
    modes = {f"{READOUT_MODE}{name}": value for name, value in obs.readout_mode.items()}
    return {
        "detector": detector.id,
        "exposure_id": obs.exposure_id,
        "obs_id": obs.obs_id or None,
        "day_obs": obs.day_obs,
        "seq_num": obs.seq_num,
        "obs_type": obs.obs_type,
        "object_name": obs.object_name or None,
        "physical_filter": obs.physical_filter,
        "exposure_time_s": obs.exposure_time_s,
        "dark_time_s": obs.dark_time_s,
        "ra_deg": obs.ra_deg,
        "dec_deg": obs.dec_deg,
        **modes,
    }


def _refuse_unreadable(obs: Observation, camera: Camera, cards: Mapping[str, Any]) -> None:
    """Refuse to write what this camera's header map could not tell from other exposures."""
    again = observation_from_header(cards, camera, where="the simulated header", require=())
    wrong = [
        f"{name} would be read as {getattr(again, name)!r}, it is {getattr(obs, name)!r}"
        for name in ("exposure_id", "obs_type", "physical_filter", "day_obs")
        if getattr(again, name) != getattr(obs, name)
    ]
    if wrong:
        raise ConfigError(
            f"the header map of {camera.name} cannot say what is simulated: {'; '.join(wrong)}",
            fix="map these properties to cards in `headers` of the instrument's YAML",
        )


def _time(card: str, tai_ns: int, scale: str) -> str | float:
    """Write a time as ISO text, or as MJD if the card's name says so."""
    moment = utc_from_tai_ns(tai_ns)
    if scale.upper() == "TAI":
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=tai_ns // 1000)
    if "MJD" in card:
        return moment.timestamp() / 86_400 + _UNIX_MJD
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]


def _image_hdus(exposure: Exposure, detector: Detector, header: fits.Header) -> list[Any]:
    if not detector.raw_hdus:
        return [fits.PrimaryHDU(exposure.image, header)]
    hdus: list[Any] = [fits.PrimaryHDU(header=header)]
    corners = {(amp.raw.x0, amp.raw.y0): amp for amp in detector.amplifiers}
    for part in detector.raw_hdus:
        if isinstance(part.hdu, int):
            raise ConfigError(
                f"detector {detector.name}: raw_hdus must be named by EXTNAME to be written, not {part.hdu}"
            )
        box = _hdu_box(detector, part.x0, part.y0)
        pixels = np.ascontiguousarray(exposure.image[box.slices()])
        amp = corners.get((part.x0, part.y0))
        cards = _section_cards(amp) if amp is not None and amp.raw == box else {}
        hdus.append(fits.ImageHDU(pixels, fits.Header(cards), name=part.hdu))
    return hdus


def _hdu_box(detector: Detector, x0: int, y0: int) -> Box:
    """Return the part of the raw mosaic in the HDU that begins at (x0, y0): up to where the next ones begin."""
    mosaic = detector.raw_box
    x1 = min([part.x0 for part in detector.raw_hdus if part.x0 > x0], default=mosaic.x1)
    y1 = min([part.y0 for part in detector.raw_hdus if part.y0 > y0], default=mosaic.y1)
    return Box.from_bounds(x0, y0, x1, y1)


def _section_cards(amp: Amplifier) -> Mapping[str, Any]:
    dx, dy = -amp.raw.x0, -amp.raw.y0
    cards: dict[str, Any] = {"AMPNAME": amp.name, "DATASEC": amp.raw_data.shifted(dx, dy).section()}
    if not amp.raw_serial_overscan.is_empty:
        cards["BIASSEC"] = amp.raw_serial_overscan.shifted(dx, dy).section()
    cards["TRIMSEC"] = cards["DATASEC"]
    box = amp.box
    x = f"{box.x1}:{box.x0 + 1}" if amp.raw_flip_x else f"{box.x0 + 1}:{box.x1}"
    y = f"{box.y1}:{box.y0 + 1}" if amp.raw_flip_y else f"{box.y0 + 1}:{box.y1}"
    cards |= {"DETSEC": f"[{x},{y}]", "GAIN": amp.gain_electron_per_adu, "RDNOISE": amp.read_noise_electron}
    return cards
