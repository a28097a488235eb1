"""Exposures as FITS files: IMAGE, MASK and VARIANCE in the layout of the reference, with checksums.

Two files are *identical* if `content_sha256` says so: the same decoded pixels of every HDU and the same headers, the
cards of `VOLATILE_CARDS` and `VOLATILE_PREFIXES` aside.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from isrflow.errors import RawFileError
from isrflow.frame.attachments import read_attachments
from isrflow.frame.camera import Camera, Detector
from isrflow.frame.cards import VOLATILE_CARDS, VOLATILE_PREFIXES, parse_header
from isrflow.frame.compress import Compression
from isrflow.frame.content import content_sha256
from isrflow.frame.encode import encode
from isrflow.frame.exposure import Exposure, Unit
from isrflow.frame.fitsbytes import read_hdus
from isrflow.frame.history_cards import split_history
from isrflow.frame.mask import remap_mask
from isrflow.frame.visit import observation_of
from isrflow.frame.zero_point import ZERO_POINT_CARDS, zero_point_of

if TYPE_CHECKING:
    from astropy.wcs import WCS

_SCALING = {"BZERO", "BSCALE", "BLANK"}

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


def write_exposure(
    exposure: Exposure,
    path: str | Path,
    *,
    cards: Mapping[str, Any] | None = None,
    compression: Compression = "none",
) -> str:
    """Write an exposure and return the hash of its content.

    Parameters
    ----------
    exposure
        Its planes are read, never changed; a raw one (no mask, no variance) gets the IMAGE HDU alone.
    path
        Overwritten if it exists.
    cards
        Further cards of the primary header: provenance, say. They win over those of `exposure.header`.
    compression
        ``none``; ``mask``: the mask alone, which is mostly zeros; ``gzip``: everything, without loss; ``rice``: image
        and variance rounded to a sixteenth of their noise. The content is the same but for the last.

    Returns
    -------
    str
        `content_sha256` of the file, without reading it again.

    Raises
    ------
    HeaderError
        If a card does not fit into FITS.
    """
    with Path(path).open("wb") as file:
        return encode(exposure, cards or {}, file, compression)


def content_sha256_of(exposure: Exposure, cards: Mapping[str, Any] | None = None) -> str:
    """Return the `content_sha256` a file written from these would have; errors as for `write_exposure`."""
    return encode(exposure, cards or {}, None)


def exposure_to_hdus(exposure: Exposure, cards: Mapping[str, Any] | None = None) -> fits.HDUList:
    """Return an exposure as astropy HDUs, as `write_exposure` would store them."""
    buffer = BytesIO()
    encode(exposure, cards or {}, buffer)
    hdus = fits.HDUList.fromstring(buffer.getvalue())
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
    is_scaled = any(not _SCALING.isdisjoint(hdu.header) for hdu in read_hdus(path, verify=verify))
    try:
        with fits.open(path, memmap=not is_scaled) as hdus:  # astropy maps only what it need not scale
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
    zero_point = zero_point_of(cards)
    cards = {key: value for key, value in cards.items() if key not in ZERO_POINT_CARDS}
    xy0 = _origin(image.header)
    polygon, transmission = read_attachments(hdus)
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
            zero_point=zero_point,
            valid_polygon=polygon,
            transmission=transmission,
        )
    except (TypeError, ValueError) as error:
        raise RawFileError(f"pixels cannot be decoded: {error}") from error


def _find(hdus: fits.HDUList, name: str) -> Any:
    """Return the HDU of a plane: by EXTTYPE or EXTNAME; the image also as the first HDU with pixels."""
    for hdu in hdus:
        if name in (hdu.header.get("EXTTYPE"), hdu.header.get("EXTNAME")) and hdu.is_image:
            return hdu
    if name != "IMAGE":
        return None
    return next((hdu for hdu in hdus if hdu.is_image and hdu.header.get("NAXIS", 0) >= 2), None)


def _native(data: NDArray[Any]) -> NDArray[Any]:
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
    from astropy.wcs import WCS  # a fifth of a second, with units and coordinates

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
