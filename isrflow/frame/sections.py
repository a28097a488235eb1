"""The geometry of a lone frame, from its own section cards.

For a camera nobody has described: one amplifier, read out into one image, whose header says which part saw light
(TRIMSEC, else DATASEC) and which is overscan (BIASSEC), with GAIN, RDNOISE and SATURATE beside it.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import Any

from isrflow.errors import GeometryError, HeaderError
from isrflow.frame.box import Box, Section
from isrflow.frame.camera import EMPTY_BOX, Amplifier, Detector

_log = logging.getLogger(__name__)
_NAMES = ("DETECTOR", "CHIPID", "CCDNUM", "EXTNAME", "INSTRUME")


def detector_from_header(header: Mapping[str, Any], size: tuple[int, int], *, where: str = "header") -> Detector:
    """Make the one-amplifier detector that a lone frame's own cards describe.

    Parameters
    ----------
    header
        Card name to value. Read are TRIMSEC, DATASEC, BIASSEC, GAIN, RDNOISE, SATURATE, AMPNAME, AMPID.
    size
        Columns and rows of the raw image.
    where
        The file, for messages.

    Returns
    -------
    Detector
        Number 0, one amplifier, assembled from the trimmed section. Overscan to the side of the data is serial,
        above or below them parallel; overscan rows (columns) beyond the data's are left out.

    Raises
    ------
    HeaderError
        If neither TRIMSEC nor DATASEC is there, or a number is not one.
    GeometryError
        If a section lies outside the image, or the overscan runs into the data.
    """
    image = Box(0, 0, *size)
    keep = _section(header, ("TRIMSEC", "DATASEC"), image, where)
    if keep is None:
        raise HeaderError(
            f"{where}: no TRIMSEC or DATASEC card says which pixels saw light",
            fix="describe the camera in a YAML file (docs/instruments.md) and name it with --instrument",
        )
    data = keep.box
    bias = _section(header, ("BIASSEC",), image, where)
    serial, parallel = _overscans(bias.box if bias else EMPTY_BOX, data, where)
    box = Box(0, 0, data.width, data.height)
    amplifier = Amplifier(
        name=_text(header, ("AMPNAME", "AMPID"), "A"),
        box=box,
        raw=image,
        raw_data=data,
        raw_serial_overscan=serial,
        raw_parallel_overscan=parallel,
        raw_flip_x=keep.flip_x,
        raw_flip_y=keep.flip_y,
        readout_corner="LL" if not keep.flip_x else "LR",
        gain_electron_per_adu=_number(header, "GAIN", 1.0, where),
        read_noise_electron=_number(header, "RDNOISE", 0.0, where),
        saturation_adu=_number(header, "SATURATE", math.nan, where),
    )
    return Detector(id=0, name=_text(header, _NAMES, "0"), box=box, amplifiers=(amplifier,))


def _section(header: Mapping[str, Any], cards: tuple[str, ...], image: Box, where: str) -> Section | None:
    card = next((card for card in cards if str(header.get(card, "")).strip()), None)
    if card is None:
        return None
    section = Box.parse(str(header[card]))
    if not image.contains(section.box):
        raise GeometryError(
            f"{where}: {card} {header[card]} reaches outside the image of {image.width} x {image.height} px (x, y)"
        )
    return section


def _overscans(bias: Box, data: Box, where: str) -> tuple[Box, Box]:
    """Return serial and parallel overscan; one of them is empty."""
    if bias.is_empty:
        return EMPTY_BOX, EMPTY_BOX
    if bias.overlaps(data):
        raise GeometryError(f"{where}: the overscan {bias.section()} runs into the data {data.section()}")
    beside = bias.intersect(Box(bias.x0, data.y0, bias.width, data.height))
    if not beside.is_empty:
        return beside, EMPTY_BOX
    return EMPTY_BOX, bias.intersect(Box(data.x0, bias.y0, data.width, bias.height))


def _number(header: Mapping[str, Any], card: str, default: float, where: str) -> float:
    value = header.get(card)
    if value is None:
        if not math.isnan(default):
            _log.warning("%s: no %s card; taken as %g", where, card, default)
        return default
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise HeaderError(f"{where}: {card} {value!r} is not a number") from error


def _text(header: Mapping[str, Any], cards: tuple[str, ...], default: str) -> str:
    return next((text for card in cards if (text := str(header.get(card, "")).strip())), default)
