"""Valid polygon and transmission curve of an exposure as FITS tables behind its planes.

``VALID_POLYGON`` has one row a vertex; ``TRANSMISSION`` one row per factor, wavelength and radius, its header the rest
of each factor. Files of the reference, which keep both in an archive, are read as well.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from isrflow.errors import RawFileError
from isrflow.frame.archive import UNREADABLE, read_archive
from isrflow.frame.polygon import Polygon
from isrflow.frame.transmission import Factor, TransmissionCurve

if TYPE_CHECKING:
    from isrflow.frame.exposure import Exposure

log = logging.getLogger(__name__)

_COMPONENTS = ("VALID_POLYGON", "TRANSMISSION_CURVE")
POLYGON, TRANSMISSION = "VALID_POLYGON", "TRANSMISSION"
Cards = list[tuple[str, Any]]
_FORMS = {"f8": "D", "i4": "J"}
_AFFINE = ("XX", "XY", "X0", "YX", "YY", "Y0")
_CURVE_TYPE = np.dtype([("FACTOR", ">i4"), ("WAVELENGTH", ">f8"), ("RADIUS", ">f8"), ("THROUGHPUT", ">f8")])


def attachments_of(exposure: Exposure) -> Iterator[tuple[Cards, NDArray[np.uint8]]]:
    """Yield header cards and rows (as bytes) of each table that belongs behind an exposure's planes."""
    if exposure.valid_polygon is not None:
        vertices = exposure.valid_polygon.vertices
        rows = np.zeros(len(vertices), np.dtype([("X", ">f8"), ("Y", ">f8")]))
        rows["X"], rows["Y"] = vertices.T
        yield _table(POLYGON, rows, {"X": "pixel", "Y": "pixel"}, [])
    if exposure.transmission is not None:
        factors = exposure.transmission.factors
        parts = [np.zeros(0, _CURVE_TYPE), *(_rows(f, i) for i, f in enumerate(factors, 1))]
        rows = np.concatenate(parts).astype(_CURVE_TYPE)  # numpy joins in the byte order of the machine
        cards = [("NFACTORS", len(factors)), *(card for i, f in enumerate(factors, 1) for card in _cards(f, i))]
        yield _table(TRANSMISSION, rows, {"WAVELENGTH": "Angstrom"}, cards)


def read_attachments(hdus: fits.HDUList) -> tuple[Polygon | None, TransmissionCurve | None]:
    """Return polygon and transmission curve of a file, None where it has none.

    Raises
    ------
    RawFileError
        If a table of ours is there but does not say what it should.
    """
    if any(hdu.header.get("EXTTYPE") == "ARCHIVE_INDEX" for hdu in hdus):
        return _from_archive(hdus)
    tables = {hdu.name: hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU)}
    polygon, curve = tables.get(POLYGON), tables.get(TRANSMISSION)
    try:
        return (
            None if polygon is None else Polygon(np.stack([polygon.data["X"], polygon.data["Y"]], axis=1)),
            None if curve is None else _curve(curve.data, curve.header),
        )
    except UNREADABLE as error:
        raise RawFileError(f"table {POLYGON} or {TRANSMISSION} cannot be understood: {error}") from error


def _from_archive(hdus: fits.HDUList) -> tuple[Polygon | None, TransmissionCurve | None]:
    """Return both from a file of the reference; what cannot be read is left out with a warning, as its reader does."""
    header = hdus[0].header
    numbers = [header.get(f"ARCHIVE_ID_{name}", header.get(f"{name}_ID")) for name in _COMPONENTS]
    try:
        archive = read_archive(hdus)
        return (None, None) if archive is None else (archive.polygon(numbers[0]), archive.curve(numbers[1]))
    except UNREADABLE as error:
        log.warning("valid polygon and transmission curve are left out: the archive cannot be read: %r", error)
        return None, None


def _rows(factor: Factor, number: int) -> NDArray[Any]:
    radii = np.array([np.nan]) if factor.radii is None else factor.radii
    rows = np.zeros(factor.throughput.size, _CURVE_TYPE)
    rows["FACTOR"], rows["THROUGHPUT"] = number, factor.throughput.ravel()
    rows["WAVELENGTH"] = np.repeat(factor.wavelengths, radii.size)
    rows["RADIUS"] = np.tile(radii, factor.wavelengths.size)
    return rows


def _cards(factor: Factor, number: int) -> Cards:
    cards: Cards = [(f"T{number}BELOW", factor.below), (f"T{number}ABOVE", factor.above)]
    if factor.to_plane is not None:
        cards += [(f"T{number}{key}", x) for key, x in zip(_AFFINE, factor.to_plane.ravel().tolist(), strict=True)]
    return cards


def _curve(rows: Any, header: Mapping[str, Any]) -> TransmissionCurve:
    numbers = np.asarray(rows["FACTOR"])
    return TransmissionCurve(
        tuple(_factor(rows[numbers == i], header, i) for i in range(1, int(header["NFACTORS"]) + 1))
    )


def _factor(rows: Any, header: Mapping[str, Any], number: int) -> Factor:
    wavelengths, radii = np.unique(rows["WAVELENGTH"]), np.array(rows["RADIUS"], np.float64)
    is_radial = not np.isnan(radii).any()
    grid = np.unique(radii) if is_radial else None
    throughput = np.array(rows["THROUGHPUT"], np.float64).reshape(wavelengths.size, -1)
    affine = [header[f"T{number}{key}"] for key in _AFFINE] if f"T{number}XX" in header else None
    return Factor(
        wavelengths,
        throughput if is_radial else throughput[:, 0],
        grid,
        float(header[f"T{number}BELOW"]),
        float(header[f"T{number}ABOVE"]),
        None if affine is None else np.array(affine, np.float64).reshape(2, 3),
    )


def _table(name: str, rows: NDArray[Any], units: Mapping[str, str], more: Cards) -> tuple[Cards, NDArray[np.uint8]]:
    names = rows.dtype.names or ()
    cards: Cards = [("XTENSION", "BINTABLE"), ("BITPIX", 8), ("NAXIS", 2)]
    cards += [("NAXIS1", rows.dtype.itemsize), ("NAXIS2", len(rows)), ("PCOUNT", 0), ("GCOUNT", 1)]
    cards += [("TFIELDS", len(names))]
    for i, column in enumerate(names, 1):
        cards += [(f"TTYPE{i}", column), (f"TFORM{i}", _FORMS[rows.dtype[column].str[1:]])]
        cards += [(f"TUNIT{i}", units[column])] if column in units else []
    return [*cards, ("EXTNAME", name), *more], rows.view(np.uint8).reshape(len(rows), rows.dtype.itemsize)
