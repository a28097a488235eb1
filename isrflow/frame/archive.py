"""Polygons and transmission curves in the archives of the reference's FITS files.

Such a file keeps its objects in tables behind the planes: an index says, per object, in which table and rows it lies,
and its class is the name of the table. Only the classes needed here are read; a curve given through a class that is not
known is left out.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.io import fits

from isrflow.errors import CalibrationError, GeometryError
from isrflow.frame.polygon import Polygon
from isrflow.frame.transmission import Factor, TransmissionCurve

log = logging.getLogger(__name__)

UNREADABLE = (KeyError, IndexError, TypeError, ValueError, RecursionError, GeometryError, CalibrationError)
"""What goes wrong while an archive is read that contradicts itself."""

_CLASSES = ("SpatiallyConstantTransmissionCurve", "RadialTransmissionCurve")
_DOC = {
    "id": "Archive ID of the persistable object that owns the records pointed at by this entry",
    "cat.archive": "index of the catalog this entry points to, from the perspective of the archive",
    "cat.persistable": "index of the catalog this entry points to, from the perspective of the Persistable",
    "row0": "first row used by the persistable object in this catalog",
    "nrows": "number of rows used by the persistable object in this catalog",
    "name": "unique name for the persistable object's class",
    "module": "Python module that should be imported to register the object's factory",
    "a": "archive ID of first operand",
    "b": "archive ID of second operand",
    "throughputAtMin": "throughput below minimum wavelength",
    "throughputAtMax": "throughput above minimum wavelength",
    "throughput": "array of known throughput values",
    "wavelengths": "array of known wavelength values",
    "radii": "array of known radius values",
}
_DOC_2D = "flattenned 2-d array of known throughput values, with radius dimension fastest"


@dataclass(frozen=True, slots=True)
class Archive:
    """The objects of a file by their number: class and rows of their (first) table."""

    objects: Mapping[int, tuple[str, Any]]

    def polygon(self, number: int | None) -> Polygon | None:
        """Return the polygon of that number, or None."""
        name, rows = self.objects.get(number or 0, ("", None))
        if name != "Polygon":
            return None
        return Polygon(np.stack([_plain(rows["vertices_x"]), _plain(rows["vertices_y"])], axis=1))

    def curve(self, number: int | None) -> TransmissionCurve | None:
        """Return the transmission curve of that number, or None if there is none or it cannot be read."""
        name, rows = self.objects.get(number or 0, ("", None))
        if name == "ProductTransmissionCurve":
            first, second = self.curve(int(rows["a"][0])), self.curve(int(rows["b"][0]))
            return None if first is None or second is None else first * second
        if name == "IdentityTransmissionCurve":
            return TransmissionCurve()
        if name in _CLASSES:
            return TransmissionCurve((_factor(rows, name),))
        if name:
            log.warning("a transmission curve of class %s cannot be read, it is left out", name)
        return None

    @property
    def root(self) -> int | None:
        """The number of the curve that is part of no other; None if there is no such one."""
        inner = {
            int(rows[key][0])
            for name, rows in self.objects.values()
            if name == "ProductTransmissionCurve"
            for key in "ab"
        }
        outer = [
            number for number, (name, _) in self.objects.items() if "TransmissionCurve" in name and number not in inner
        ]
        return outer[0] if len(outer) == 1 else None


def read_archive(hdus: fits.HDUList) -> Archive | None:
    """Return the objects of a file of the reference, or None if it has no archive."""
    tables = [hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU)]
    index = next((hdu for hdu in tables if hdu.header.get("EXTTYPE") == "ARCHIVE_INDEX"), None)
    if index is None:
        return None
    catalogs = {hdu.header["AR_CATN"]: hdu for hdu in tables if hdu.header.get("EXTTYPE") == "ARCHIVE_DATA"}
    objects = {}
    for row in index.data:
        if row["cat.persistable"] == 0 and row["cat.archive"] in catalogs:
            data = catalogs[row["cat.archive"]].data
            objects[int(row["id"])] = (row["name"].strip(), data[row["row0"] : row["row0"] + row["nrows"]])
    return Archive(objects)


def curve_to_hdus(curve: TransmissionCurve) -> list[fits.BinTableHDU]:
    """Return the tables of an archive that holds one curve, as the reference's own writer lays them out.

    Raises
    ------
    ValueError
        If it has no factors, or one is seen from other coordinates than its own: the reference's forms of these are
        not written here.
    """
    if not curve.factors or any(factor.to_plane is not None for factor in curve.factors):
        what = "seen from other coordinates" if curve.factors else "without factors"
        raise ValueError(f"a curve {what} does not fit into an archive of the reference")
    writer = _Writer()
    writer.put(curve.factors)
    catalogs = {name: i for i, name in enumerate(writer.rows, 1)}
    return [
        _index_hdu(writer.index, catalogs),
        *(_data_hdu(name, writer.rows[name], i) for name, i in catalogs.items()),
    ]


class _Writer:
    """Numbers the objects of a product and sorts their rows by class."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {}
        self.index: list[tuple[int, str, int]] = []
        """Number, class, row; parts before the whole."""
        self._numbers = itertools.count(1)

    def put(self, factors: tuple[Factor, ...]) -> int:
        """Add the product of factors, multiplied from left to right, and return its number."""
        number = next(self._numbers)
        name = "ProductTransmissionCurve" if len(factors) > 1 else _CLASSES[factors[0].radii is not None]
        rows = self.rows.setdefault(name, [])
        place = len(rows)
        rows.append({} if len(factors) > 1 else _factor_row(factors[0]))
        if len(factors) > 1:
            rows[place] = {"a": self.put(factors[:-1]), "b": self.put(factors[-1:])}
        self.index.append((number, name, place))
        return number


def _factor(rows: Any, name: str) -> Factor:
    row = rows[0]
    wavelengths, throughput = _plain(row["wavelengths"]), _plain(row["throughput"])
    radii = _plain(row["radii"]) if name == _CLASSES[1] else None
    if radii is not None:
        throughput = throughput.reshape(radii.size, wavelengths.size).T  # stored radius by radius
    return Factor(wavelengths, throughput, radii, float(row["throughputAtMin"]), float(row["throughputAtMax"]))


def _factor_row(factor: Factor) -> dict[str, Any]:
    row: dict[str, Any] = {"throughputAtMin": factor.below, "throughputAtMax": factor.above}
    row |= {"throughput": factor.throughput.T.ravel(), "wavelengths": factor.wavelengths}
    return row if factor.radii is None else row | {"radii": factor.radii}


def _index_hdu(index: list[tuple[int, str, int]], catalogs: Mapping[str, int]) -> fits.BinTableHDU:
    columns = [
        fits.Column("id", "1J", array=[number for number, _, _ in index]),
        fits.Column("cat.archive", "1J", array=[catalogs[name] for _, name, _ in index]),
        fits.Column("cat.persistable", "1J", array=[0] * len(index)),
        fits.Column("row0", "1J", array=[row for _, _, row in index]),
        fits.Column("nrows", "1J", array=[1] * len(index)),
        fits.Column("name", "64A", array=[name for _, name, _ in index]),
        fits.Column("module", "64A", array=["lsst.afw.image"] * len(index)),
    ]
    hdu = fits.BinTableHDU.from_columns(columns)
    hdu.header["EXTTYPE"] = "ARCHIVE_INDEX"
    hdu.header["EXTNAME"] = "ARCHIVE_INDEX"
    hdu.header["AR_CATN"] = 0
    hdu.header["AR_NCAT"] = len(catalogs) + 1
    return _described(hdu)


def _data_hdu(name: str, rows: list[dict[str, Any]], catalog: int) -> fits.BinTableHDU:
    columns = []
    for key, first in rows[0].items():
        values = [row[key] for row in rows]
        if isinstance(first, np.ndarray):
            ragged = np.empty(len(values), object)
            ragged[:] = values
            unit = "angstrom" if key == "wavelengths" else None
            longest = max(value.size for value in values)
            columns.append(fits.Column(key, f"1QD({longest})", unit=unit, array=ragged))
        else:
            columns.append(fits.Column(key, "1J" if isinstance(first, int) else "1D", array=values))
    hdu = fits.BinTableHDU.from_columns(columns)
    hdu.header["EXTTYPE"] = "ARCHIVE_DATA"
    hdu.header["AR_CATN"] = catalog
    hdu.header["AR_NAME"] = name
    hdu.header["EXTNAME"] = name
    return _described(hdu)


def _described(hdu: fits.BinTableHDU) -> fits.BinTableHDU:
    """Add what the reference's reader wants to know of every column."""
    for i, column in enumerate(hdu.columns, 1):
        kind = "String" if column.format.endswith("A") else "Array" if "Q" in column.format else "Scalar"
        is_radial = column.name == "throughput" and "radii" in hdu.columns.names
        hdu.header[f"TDOC{i}"] = _DOC_2D if is_radial else _DOC[column.name]
        hdu.header[f"TCCLS{i}"] = kind
    hdu.header["HIERARCH AFW_TABLE_VERSION"] = 3
    return hdu


def _plain(values: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array(values, np.float64)
