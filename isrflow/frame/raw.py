"""Raw files to exposures: one mosaic of all amplifiers, integers as they were written.

A raw file holds a detector as one image or as several HDUs that tile the raw mosaic (``raw_hdus`` of the camera). It
may be tile-compressed or gzipped, whatever its name; damage is found before a pixel is believed.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from isrflow.errors import GeometryError, HeaderError, RawFileError
from isrflow.frame.box import Box
from isrflow.frame.camera import Camera, Detector
from isrflow.frame.corrected import CardValue, corrected
from isrflow.frame.exposure import Exposure
from isrflow.frame.fitsbytes import BLOCK, HduBytes, read_hdus
from isrflow.frame.headers import detector_of, observation_from_header, recognise
from isrflow.frame.obs import Observation
from isrflow.frame.raw_wcs import wcs_of
from isrflow.frame.sections import detector_from_header
from isrflow.frame.tiles import decode_integers

__all__ = ["RawSummary", "detector_from_header", "inspect_raw", "raw_header", "read_raw"]

_STRUCTURE = re.compile(
    r"SIMPLE|XTENSION|BITPIX|NAXIS\d*|EXTEND|PCOUNT|GCOUNT|GROUPS|TFIELDS|T(TYPE|FORM|UNIT|DIM|NULL|SCAL|ZERO)\d+|THEAP"
    r"|Z(IMAGE|SIMPLE|EXTEND|TENSION|BITPIX|NAXIS\d*|TILE\d+|CMPTYPE|NAME\d+|VAL\d+|SCALE|ZERO|BLANK|QUANTIZ|DITHER0"
    r"|PCOUNT|GCOUNT|HECKSUM|DATASUM|MASKCMP)|CHECKSUM|DATASUM|BSCALE|BZERO|BLANK|EXTNAME|EXTVER|INHERIT"
    r"|COMMENT|HISTORY|CONTINUE|END|"
)

OF_AMPLIFIER = frozenset(
    ("DATASEC", "BIASSEC", "TRIMSEC", "CCDSEC", "DETSEC", "AMPSEC", "AMPNAME", "AMPID", "GAIN", "RDNOISE", "SATURATE")
)
"""Cards that say something about one HDU alone, even where all HDUs say the same."""


@dataclass(frozen=True, slots=True)
class RawSummary:
    """What a raw file is, known without decoding its pixels."""

    path: Path
    camera: Camera
    detector: Detector
    obs: Observation
    header: dict[str, Any]


def read_raw(
    path: str | Path,
    camera: Camera | None = None,
    detector: Detector | int | str | None = None,
    *,
    verify: bool = True,
    corrections: Mapping[str, CardValue] | None = None,
) -> Exposure:
    """Read one detector of a raw file as an exposure.

    Parameters
    ----------
    path
        A FITS file, tile-compressed or gzipped or neither.
    camera
        Gives header map and detectors; None reads standard cards alone.
    detector
        The detector, or its id, name or serial in `camera`. None: the one the header names; without a camera,
        the one the file's own section cards describe.
    verify
        Refuse a file that does not match its CHECKSUM and DATASUM cards; false believes a file edited without them.
    corrections
        Cards laid over those of the file, None for one that is taken away, before anything is read off them.

    Returns
    -------
    Exposure
        The raw mosaic (ny, nx), uint16 or int32 as written (float32 if the file holds scaled or floating pixels),
        without mask or variance, owned by the caller.

    Raises
    ------
    RawFileError
        If the file is unreadable, truncated or does not match its checksums.
    HeaderError
        If cards are missing or unreadable: all are listed.
    GeometryError
        If the pixels do not fit the detector; both sizes are given.
    """
    path = Path(path)
    hdus = read_hdus(path, verify=verify)
    chosen = detector if isinstance(detector, Detector) else _choose_detector(path, hdus, camera, detector)
    tiles = _tiles(path, hdus, chosen)
    header = corrected(_merged_header(hdus, [hdu for hdu, _ in tiles], path), corrections or {})
    return Exposure(
        image=_mosaic(path, tiles, chosen),
        detector=chosen,
        assembled=False,
        obs=observation_from_header(header, camera, where=str(path)),
        header=header,
        wcs=wcs_of(header, str(path)) if len(tiles) == 1 else None,  # that of an amplifier is not the mosaic's
    )


def inspect_raw(path: str | Path, cameras: Sequence[Camera]) -> RawSummary:
    """Check a raw file and say which exposure of which detector it is, without decoding its pixels.

    Raises
    ------
    RawFileError, HeaderError, GeometryError
        As `read_raw`; also if the header fits none of the cameras.
    """
    path = Path(path)
    hdus = read_hdus(path)
    header = _merged_header(hdus, [hdu for hdu in hdus if hdu.is_image], path)
    camera = recognise(header, cameras, where=str(path))
    detector = detector_of(header, camera, where=str(path))
    tiles = _tiles(path, hdus, detector)
    header = _merged_header(hdus, [hdu for hdu, _ in tiles], path)
    return RawSummary(path, camera, detector, observation_from_header(header, camera, where=str(path)), header)


def raw_header(path: str | Path, detector: Detector) -> dict[str, Any]:
    """Return the header that `read_raw` reads off a file of a detector; its pixels are not looked at.

    Raises
    ------
    RawFileError, HeaderError, GeometryError
        As `read_raw`.
    """
    path = Path(path)
    hdus = read_hdus(path, verify=False)
    return _merged_header(hdus, [hdu for hdu, _ in _tiles(path, hdus, detector)], path)


def _choose_detector(path: Path, hdus: Sequence[HduBytes], camera: Camera | None, key: int | str | None) -> Detector:
    if key is not None:
        if camera is None:
            raise GeometryError(f"{path}: detector {key!r} was named without a camera to look it up in")
        return camera.detector(key)
    images = [hdu for hdu in hdus if hdu.is_image]
    header = _merged_header(hdus, images, path)
    if camera is not None:
        return detector_of(header, camera, where=str(path))
    if len(images) != 1:
        raise GeometryError(
            f"{path} holds {len(images)} images; only the geometry of a single one can be read off its own cards",
            fix="describe the camera in a YAML file (docs/instruments.md) and name it",
        )
    return detector_from_header(header, _size(images[0], path), where=str(path))


def _tiles(path: Path, hdus: Sequence[HduBytes], detector: Detector) -> list[tuple[HduBytes, Box]]:
    """Return the HDUs of the raw mosaic and where they lie in it, which must be where the amplifiers are."""
    images = [hdu for hdu in hdus if hdu.is_image]
    if not images:
        raise RawFileError(f"{path} holds no image")
    tiles: list[tuple[HduBytes, Box]] = []
    wrong: list[str] = []
    for part in detector.raw_hdus:
        hdu = _find(hdus, part.hdu)
        if hdu is None or not hdu.is_image:
            wrong.append(f"there is no image HDU {part.hdu!r}")
        else:
            tiles.append((hdu, Box(part.x0, part.y0, *_size(hdu, path))))
    if not detector.raw_hdus:
        tiles = [(images[0], Box(0, 0, *_size(images[0], path)))]
    expected = _expected_boxes(detector, [box for _, box in tiles])
    for (hdu, box), wanted in zip(tiles, expected, strict=True):
        if box != wanted and not wrong:
            wrong.append(
                f"{hdu.label} is {box.width} x {box.height} px (x, y), "
                f"the amplifiers it holds need {wanted.width} x {wanted.height} px"
            )
    if wrong:
        raise GeometryError(
            f"{path} is not a raw of detector {detector.name} ({detector.raw_box.width} x {detector.raw_box.height} px "
            f"of raw mosaic): " + "; ".join(wrong)
        )
    return tiles


def _expected_boxes(detector: Detector, tiles: Sequence[Box]) -> list[Box]:
    """Return, for each tile, the box of the amplifiers whose first pixel it should hold."""
    expected = [Box(tile.x0, tile.y0, 0, 0) for tile in tiles]
    for amp in detector.amplifiers:
        below = [i for i, tile in enumerate(tiles) if tile.x0 <= amp.raw.x0 and tile.y0 <= amp.raw.y0]
        if below:
            nearest = max(below, key=lambda i: tiles[i].x0 + tiles[i].y0)
            tile = tiles[nearest]
            expected[nearest] = expected[nearest].union(Box.from_bounds(tile.x0, tile.y0, amp.raw.x1, amp.raw.y1))
    return expected


def _find(hdus: Sequence[HduBytes], key: str | int) -> HduBytes | None:
    if isinstance(key, int):
        return hdus[key] if 0 <= key < len(hdus) else None
    return next((hdu for hdu in hdus if hdu.name.upper() == key.strip().upper()), None)


def _size(hdu: HduBytes, path: Path) -> tuple[int, int]:
    size = hdu.size
    if len(size) != 2:
        raise GeometryError(f"{path} {hdu.label} has {len(size)} axes {size}, a picture has two")
    return size[0], size[1]


def _merged_header(hdus: Sequence[HduBytes], images: Sequence[HduBytes], path: Path) -> dict[str, Any]:
    """Return the primary's cards and those on which all images agree, without the cards of file structure."""
    headers = [_cards(hdu, path) for hdu in images if hdu.index > 0]
    merged = _cards(hdus[0], path)
    for key, value in (headers[0] if headers else {}).items():
        of_amplifier = len(headers) > 1 and key in OF_AMPLIFIER
        if not of_amplifier and all(other.get(key) == value for other in headers[1:]):
            merged.setdefault(key, value)
    return merged


def _cards(hdu: HduBytes, path: Path) -> dict[str, Any]:
    cards: dict[str, Any] = {}
    for card in hdu.header.cards:
        try:
            if _STRUCTURE.fullmatch(card.keyword) or isinstance(card.value, fits.card.Undefined):
                continue
            cards.setdefault(card.keyword, card.value)
        except fits.VerifyError as error:
            raise HeaderError(f"{path} {hdu.label}: a card cannot be read: {card.image.strip()!r}") from error
    return cards


def _mosaic(path: Path, tiles: Sequence[tuple[HduBytes, Box]], detector: Detector) -> NDArray[Any]:
    if len(tiles) == 1:
        return _pixels(tiles[0][0], path)
    mosaic: NDArray[Any] | None = None
    for hdu, box in tiles:
        pixels = _pixels(hdu, path)
        if mosaic is None:
            mosaic = np.zeros(detector.raw_box.shape, pixels.dtype)
        elif mosaic.dtype != pixels.dtype:
            mosaic = mosaic.astype(np.result_type(mosaic, pixels))
        mosaic[box.slices()] = pixels
    assert mosaic is not None
    return mosaic


def _pixels(hdu: HduBytes, path: Path) -> NDArray[Any]:
    """Decode one image to native uint16, int32 or float32, in memory of its own."""
    pixels = _decompressed(hdu, path) if hdu.is_compressed else _scaled(_plain(hdu), hdu.header)
    if pixels.dtype.kind == "f":
        return pixels.astype(np.float32)
    if pixels.dtype in (np.dtype(np.uint16), np.dtype(np.int32)):
        return np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("="))
    if pixels.dtype.itemsize > 2 and pixels.size and not -(2**31) <= int(pixels.min()) <= int(pixels.max()) < 2**31:
        raise RawFileError(f"{path} {hdu.label}: pixels from {pixels.min()} to {pixels.max()} do not fit 32 bits")
    return pixels.astype(np.int32 if pixels.dtype.kind == "i" or pixels.dtype.itemsize > 2 else np.uint16)


def _plain(hdu: HduBytes) -> NDArray[Any]:
    """View the stored numbers of an uncompressed image."""
    kinds = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
    return np.frombuffer(hdu.data, kinds[int(hdu.header["BITPIX"])]).reshape(hdu.size[::-1])


def _scaled(stored: NDArray[Any], header: fits.Header) -> NDArray[Any]:
    """Apply BZERO and BSCALE; unsigned integers (BZERO of half the range) never become floats."""
    zero, scale = float(header.get("BZERO", 0.0)), float(header.get("BSCALE", 1.0))
    if (zero, scale) == (0.0, 1.0):
        return stored
    bits = 8 * stored.dtype.itemsize
    if stored.dtype.kind == "i" and bits in {16, 32} and scale == 1.0 and zero == 2.0 ** (bits - 1):
        unsigned = np.dtype(f"u{bits // 8}")
        flipped = np.empty(stored.shape, unsigned)
        stored_bits = stored.view(unsigned.newbyteorder(stored.dtype.byteorder))
        np.bitwise_xor(stored_bits, unsigned.type(1 << (bits - 1)), out=flipped)
        return flipped
    return (stored * scale + zero).astype(np.float32)


def _decompressed(hdu: HduBytes, path: Path) -> NDArray[Any]:
    try:
        integers = decode_integers(hdu)
    except RawFileError as error:
        raise RawFileError(f"{path} {hdu.label} is damaged: its {error.message}") from error
    if integers is not None:
        return _scaled(integers, hdu.header)
    stored = bytes(hdu.stored)
    lone = fits.PrimaryHDU().header.tostring().encode() + stored.ljust(-(-len(stored) // BLOCK) * BLOCK, b"\0")
    try:
        with fits.open(io.BytesIO(lone), memmap=False) as copy:
            return np.asarray(copy[1].data)
    except Exception as error:
        raise RawFileError(
            f"{path} {hdu.label} is damaged: its compressed pixels cannot be decoded ({error})"
        ) from error
