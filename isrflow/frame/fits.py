"""Exposures as FITS files: IMAGE, MASK and VARIANCE in the layout of the reference, with checksums.

Two files are *identical* if `content_sha256` says so: the same decoded pixels of every HDU and the same headers, the
cards of `VOLATILE_CARDS` and `VOLATILE_PREFIXES` aside.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, cast, get_args

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from numpy.typing import NDArray

from isrflow.errors import NotBuiltError, RawFileError
from isrflow.frame.camera import Camera, Detector
from isrflow.frame.cards import (
    VOLATILE_CARDS,
    VOLATILE_PREFIXES,
    content_lines,
    format_header,
    is_structural,
    parse_header,
)
from isrflow.frame.checksum import encode_checksum
from isrflow.frame.content import content_sha256
from isrflow.frame.exposure import Exposure, Unit
from isrflow.frame.fitsbytes import BLOCK, ones_complement_sum, read_hdus
from isrflow.frame.history_cards import history_lines, history_seconds, split_history
from isrflow.frame.mask import mask_planes, remap_mask
from isrflow.frame.visit import observation_of, stale_cards, visit_cards

__all__ = [
    "VOLATILE_CARDS",
    "VOLATILE_PREFIXES",
    "content_sha256",
    "content_sha256_of",
    "exposure_from_hdus",
    "exposure_to_hdus",
    "read_exposure",
    "write_exposure",
]

Card = tuple[str, Any] | tuple[str, Any, str]
Plane = NDArray[Any]
_STORED = {"float32": (-32, ">f4"), "float64": (-64, ">f8"), "int32": (32, ">i4"), "uint16": (16, ">i2")}
_ROWS_AT_ONCE_BYTES = 1 << 20
_ZEROS = "0" * 16


def write_exposure(exposure: Exposure, path: str | Path, *, cards: Mapping[str, Any] | None = None) -> str:
    """Write an exposure and return the hash of its content.

    Parameters
    ----------
    exposure
        Its planes are read, never changed; a raw one (no mask, no variance) gets the IMAGE HDU alone.
    path
        Overwritten if it exists.
    cards
        Further cards of the primary header: provenance, say. They win over those of `exposure.header`.

    Returns
    -------
    str
        `content_sha256` of the file, without reading it again.

    Raises
    ------
    HeaderError
        If a card does not fit into FITS.
    NotBuiltError
        If the exposure carries a valid polygon or a transmission curve, which cannot be stored yet.
    """
    with Path(path).open("wb") as file:
        return _write(exposure, file, cards or {})


def content_sha256_of(exposure: Exposure, cards: Mapping[str, Any] | None = None) -> str:
    """Return the `content_sha256` a file written from these would have; errors as for `write_exposure`."""
    return _write(exposure, None, cards or {})


def exposure_to_hdus(exposure: Exposure, cards: Mapping[str, Any] | None = None) -> fits.HDUList:
    """Return an exposure as astropy HDUs, as `write_exposure` would store them."""
    blocks: list[bytes] = []
    for header, plane in _encode(exposure, cards or {}):
        blocks.append(header)
        if plane is not None:
            data = b"".join(_stored_blocks(plane))
            blocks += [data, b"\0" * (-len(data) % BLOCK)]
    hdus = fits.HDUList.fromstring(b"".join(blocks))
    len(hdus)  # astropy parses the HDUs behind the first only when asked
    return hdus


def read_exposure(path: str | Path, *, camera: Camera | None = None, verify: bool = True) -> Exposure:
    """Read an exposure written by isrflow or by the reference's software, compressed or not.

    Parameters
    ----------
    camera
        Supplies the detector named by the DETECTOR or DETNAME card; without it the exposure has none.
    verify
        Compare the file with its checksums first.

    Returns
    -------
    Exposure
        The caller owns its planes. Mask planes are mapped by name to this process's bits; `header` holds all cards
        but those that describe the file's layout.

    Raises
    ------
    RawFileError
        If the file is unreadable, truncated, damaged or holds no image.
    """
    path = Path(path)
    if not path.is_file():
        raise RawFileError(f"no file {path}")
    if verify:
        read_hdus(path)
    try:
        with fits.open(path, memmap=False) as hdus:
            exposure = exposure_from_hdus(hdus)
    except OSError as error:
        raise RawFileError(f"{path} cannot be read as FITS: {error}") from error
    except RawFileError as error:
        raise RawFileError(f"{path}: {error.message}", fix=error.fix) from error
    exposure.detector = _detector_of(exposure.header, camera)
    return exposure


def exposure_from_hdus(hdus: fits.HDUList) -> Exposure:
    """Make an exposure of HDUs; errors as for `read_exposure`."""
    image = _find(hdus, "IMAGE")
    if image is None:
        raise RawFileError("no HDU holds an image")
    mask, variance = _find(hdus, "MASK"), _find(hdus, "VARIANCE")
    cards = (
        parse_header(image.header) if image is hdus[0] else parse_header(hdus[0].header) | parse_header(image.header)
    )
    history, cards = split_history(cards)
    xy0 = _origin(image.header)
    try:
        return Exposure(
            image=_native(image.data),
            mask=None if mask is None else _read_mask(mask),
            variance=None if variance is None else _native(variance.data),
            unit=_unit(cards, image.header),
            xy0=xy0,
            obs=observation_of(cards),
            header=cards,
            history=history,
            wcs=_read_wcs(image.header, xy0),
        )
    except (TypeError, ValueError) as error:
        raise RawFileError(f"pixels cannot be decoded: {error}") from error


# -- writing ----------------------------------------------------------------------------------------------------------


def _write(exposure: Exposure, file: BinaryIO | None, cards: Mapping[str, Any]) -> str:
    digest = hashlib.sha256()
    for header, plane in _encode(exposure, cards, with_sums=file is not None):
        digest.update(content_lines(header))
        if file is not None:
            file.write(header)
        if plane is None:
            continue
        size = 0
        for block in _stored_blocks(plane):
            digest.update(block)
            size += len(block)
            if file is not None:
                file.write(block)
        if file is not None:
            file.write(b"\0" * (-size % BLOCK))
    return digest.hexdigest()


def _encode(
    exposure: Exposure, cards: Mapping[str, Any], *, with_sums: bool = True
) -> Iterator[tuple[bytes, Plane | None]]:
    """Yield every HDU as its header and its pixels in memory order."""
    for name in ("valid_polygon", "transmission"):
        if getattr(exposure, name) is not None:
            raise NotBuiltError(f"{exposure.label}: a {name.replace('_', ' ')} cannot be stored in FITS yet")
    yield _sealed(_primary_cards(exposure, cards), 0 if with_sums else None), None
    planes = {"IMAGE": exposure.image, "MASK": exposure.mask, "VARIANCE": exposure.variance}
    for name, plane in planes.items():
        if plane is not None:
            datasum = _datasum(plane) if with_sums else None
            yield _sealed(_plane_cards(exposure, name, plane), datasum), plane


def _primary_cards(exposure: Exposure, cards: Mapping[str, Any]) -> list[Card]:
    stale = stale_cards(exposure.obs)
    merged = {k: v for k, v in exposure.header.items() if not is_structural(k) and k not in stale}
    merged |= visit_cards(exposure.obs)
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
    bitpix, _ = _STORED[plane.dtype.name]
    cards: list[Card] = [("XTENSION", "IMAGE"), ("BITPIX", bitpix), ("NAXIS", 2)]
    cards += [("NAXIS1", plane.shape[1]), ("NAXIS2", plane.shape[0]), ("PCOUNT", 0), ("GCOUNT", 1)]
    if plane.dtype == np.uint16:
        cards += [("BZERO", 32768), ("BSCALE", 1)]
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


# -- reading ----------------------------------------------------------------------------------------------------------


def _find(hdus: fits.HDUList, name: str) -> Any:
    """Return the HDU of a plane: by EXTTYPE or EXTNAME; the image also as the first HDU with pixels."""
    for hdu in hdus:
        if name in (hdu.header.get("EXTTYPE"), hdu.header.get("EXTNAME")) and hdu.is_image:
            return hdu
    if name != "IMAGE":
        return None
    return next((hdu for hdu in hdus if hdu.is_image and hdu.header.get("NAXIS", 0) >= 2), None)


def _native(data: Plane) -> Plane:
    return np.array(data, dtype=data.dtype.newbyteorder("="), order="C")


def _read_mask(hdu: Any) -> NDArray[np.int32]:
    planes = {key.removeprefix("MP_"): int(bit) for key, bit in hdu.header.items() if key.startswith("MP_")}
    return remap_mask(hdu.data, planes) if planes else hdu.data.astype(np.int32)


def _origin(header: fits.Header) -> tuple[int, int]:
    if "CRVAL1A" in header:
        return round(header["CRVAL1A"]), round(header["CRVAL2A"])
    return -round(header.get("LTV1", 0)), -round(header.get("LTV2", 0))


def _read_wcs(header: fits.Header, xy0: tuple[int, int]) -> WCS | None:
    if "CTYPE1" not in header or "CRVAL1" not in header:
        return None
    wcs = WCS(header)
    wcs.wcs.crpix = [pixel + origin for pixel, origin in zip(wcs.wcs.crpix, xy0, strict=True)]
    return wcs


def _unit(cards: Mapping[str, Any], header: fits.Header) -> Unit:
    text = str(cards.get("LSST ISR UNITS") or header.get("BUNIT") or "adu").strip().lower()
    text = {"electrons": "electron", "e-": "electron", "e": "electron"}.get(text, text)
    return cast("Unit", text) if text in get_args(Unit) else "adu"


def _detector_of(cards: Mapping[str, Any], camera: Camera | None) -> Detector | None:
    if camera is None:
        return None
    for card in ("DETECTOR", "DETNAME", "DET_NAME"):
        if card in cards and cards[card] is not None:
            return camera.detector(cards[card])
    return camera.detectors[0] if len(camera.detectors) == 1 else None
