"""How an exposure is laid out as FITS bytes: headers, planes, checksums, in one pass over the pixels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from isrflow.frame.attachments import attachments_of
from isrflow.frame.cards import content_lines, format_header, is_structural
from isrflow.frame.checksum import encode_checksum
from isrflow.frame.compress import Compression, Packed, pack
from isrflow.frame.exposure import Exposure
from isrflow.frame.fitsbytes import BLOCK, ones_complement_sum
from isrflow.frame.history_cards import history_lines, history_seconds
from isrflow.frame.mask import mask_planes
from isrflow.frame.visit import stale_cards, visit_cards
from isrflow.frame.zero_point import ZERO_POINT_CARDS, zero_point_cards

Card = tuple[str, Any] | tuple[str, Any, str]
Plane = NDArray[Any]
_STORED = {"float32": (-32, ">f4"), "float64": (-64, ">f8"), "int32": (32, ">i4"), "uint16": (16, ">i2")}
_STORED |= {"uint8": (8, "u1")}
_ROWS_AT_ONCE_BYTES = 1 << 20
_ZEROS = "0" * 16


def encode(
    exposure: Exposure, cards: Mapping[str, Any], file: BinaryIO | None, compression: Compression = "none"
) -> str:
    """Write an exposure to a file, or nowhere, and return the hash of its content: of what a reader decodes.

    Raises
    ------
    HeaderError
        If a card does not fit into FITS.
    """
    digest = hashlib.sha256()
    for cards_of_hdu, plane in _hdus(exposure, cards):
        packed = None if file is None or plane is None else pack(plane, compression)
        if packed is not None and file is not None and plane is not None:
            digest.update(content_lines(_sealed([*_layout_cards(plane), *cards_of_hdu], None)))
            _update(digest, plane if packed.decoded is None else packed.decoded, None)
            _write_packed(packed, cards_of_hdu, file)
            continue
        layout = [] if plane is None or plane.dtype == np.uint8 else _layout_cards(plane)
        datasum = None if file is None else 0 if plane is None else _datasum(plane)
        header = _sealed([*layout, *cards_of_hdu], datasum)
        digest.update(content_lines(header))
        if file is not None:
            file.write(header)
        if plane is not None:
            _update(digest, plane, file)
    return digest.hexdigest()


def _update(digest: Any, plane: Plane, file: BinaryIO | None) -> None:
    """Hash the pixels, and write them if there is a file."""
    size = 0
    for block in _stored_blocks(plane):
        digest.update(block)
        size += len(block)
        if file is not None:
            file.write(block)
    if file is not None:
        file.write(b"\0" * (-size % BLOCK))


def _write_packed(packed: Packed, cards: list[Card], file: BinaryIO) -> None:
    data = memoryview(packed.data)
    file.write(_sealed([*packed.cards, *cards], ones_complement_sum(data)))
    file.write(data)
    file.write(b"\0" * (-len(data) % BLOCK))


def _hdus(exposure: Exposure, cards: Mapping[str, Any]) -> Iterator[tuple[list[Card], Plane | None]]:
    """Yield every HDU as its cards and its pixels in memory order; the rows of a table are pixels of one byte.

    The cards of a picture begin behind those that say how it is laid out.
    """
    yield _primary_cards(exposure, cards), None
    planes = {"IMAGE": exposure.image, "MASK": exposure.mask, "VARIANCE": exposure.variance}
    for name, plane in planes.items():
        if plane is not None:
            yield _plane_cards(exposure, name, plane), plane
    for table_cards, rows in attachments_of(exposure):
        yield [*table_cards], rows


def _layout_cards(plane: Plane) -> list[Card]:
    bitpix, _ = _STORED[plane.dtype.name]
    cards: list[Card] = [("XTENSION", "IMAGE"), ("BITPIX", bitpix), ("NAXIS", 2)]
    return [*cards, ("NAXIS1", plane.shape[1]), ("NAXIS2", plane.shape[0]), ("PCOUNT", 0), ("GCOUNT", 1)]


def _primary_cards(exposure: Exposure, cards: Mapping[str, Any]) -> list[Card]:
    stale = {*stale_cards(exposure.obs), *ZERO_POINT_CARDS}
    merged = {k: v for k, v in exposure.header.items() if not is_structural(k) and k not in stale}
    merged |= visit_cards(exposure.obs) | zero_point_cards(exposure.zero_point)
    if exposure.detector is not None:
        detector = exposure.detector
        merged |= {"DETECTOR": detector.id, "DETNAME": detector.name, "DETSER": detector.serial}
    merged |= {"LSST ISR UNITS": exposure.unit} | dict(cards) | history_seconds(exposure.history)
    merged["DATE"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    history = [*merged.pop("HISTORY", ()), *history_lines(exposure.history)]
    start: list[Card] = [
        ("SIMPLE", True, "conforms to the FITS standard"),
        ("BITPIX", 8),
        ("NAXIS", 0),
        ("EXTEND", True),
    ]
    return [*start, *merged.items(), ("HISTORY", history)]


def _plane_cards(exposure: Exposure, name: str, plane: Plane) -> list[Card]:
    x0, y0 = exposure.xy0
    cards: list[Card] = [("BZERO", 32768), ("BSCALE", 1)] if plane.dtype == np.uint16 else []
    cards += [("INHERIT", True), ("EXTTYPE", name), ("EXTNAME", name)]
    if name == "MASK":
        cards += [(f"MP_{plane_name}", bit) for plane_name, bit in mask_planes().items()]
    else:
        cards.append(("BUNIT", exposure.unit if name == "IMAGE" else f"{exposure.unit}**2"))
    cards += _wcs_cards(exposure)
    cards += [("LTV1", -float(x0)), ("LTV2", -float(y0)), ("CTYPE1A", "LINEAR"), ("CTYPE2A", "LINEAR")]
    cards += [("CRPIX1A", 1.0), ("CRPIX2A", 1.0), ("CRVAL1A", float(x0)), ("CRVAL2A", float(y0))]
    return [*cards, ("CUNIT1A", "PIXEL"), ("CUNIT2A", "PIXEL")]


def _sealed(cards: list[Card], datasum: int | None) -> bytes:
    """Return a header with its checksum cards; None leaves them out, where only the content matters."""
    if datasum is None:
        return format_header(cards)
    draft = format_header([*cards, ("CHECKSUM", _ZEROS), ("DATASUM", str(datasum))])
    total = ones_complement_sum(memoryview(draft), datasum)
    return draft.replace(f"CHECKSUM= '{_ZEROS}'".encode(), f"CHECKSUM= '{encode_checksum(total)}'".encode(), 1)


def _stored_blocks(plane: Plane) -> Iterator[memoryview]:
    _, dtype = _STORED[plane.dtype.name]
    rows = max(1, _ROWS_AT_ONCE_BYTES // max(1, plane.shape[1] * plane.itemsize))
    for start in range(0, plane.shape[0], rows):
        block = plane[start : start + rows]
        if plane.dtype == np.uint16:
            block = (block ^ 0x8000).view(np.int16)  # FITS has no unsigned integers: BZERO is 32768
        yield np.ascontiguousarray(block, dtype).reshape(-1).view(np.uint8).data


def _datasum(plane: Plane) -> int:
    if plane.itemsize == 4 and plane.flags.c_contiguous and plane.dtype.isnative:
        words = plane.view(np.uint32)  # stored big-endian words have the values of ours
        return ones_complement_sum(memoryview(b""), int(words.sum(dtype=np.uint64)))
    return ones_complement_sum(memoryview(b"".join(_stored_blocks(plane))))


def _wcs_cards(exposure: Exposure) -> list[Card]:
    if exposure.wcs is None:
        return []
    header = exposure.wcs.to_header(relax=True)
    for axis, origin in enumerate(exposure.xy0, 1):
        header[f"CRPIX{axis}"] = header.get(f"CRPIX{axis}", 0.0) - origin
    return [(card.keyword, card.value) for card in header.cards if card.keyword not in ("DATE-OBS", "MJD-OBS", "")]
