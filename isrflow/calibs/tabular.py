"""What table-like calibrations share: metadata in the reference's vocabulary, and FITS, ECSV and YAML forms.

A type says how it becomes tables (FITS, ECSV) and a tree (YAML); its own form on disk is the FITS one.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from astropy.io import fits

from isrflow.calibs.base import CalibInfo, Calibration
from isrflow.calibs.forms import Form, check_tables, check_tree
from isrflow.calibs.identity import IDENTITY_CARDS, identity_cards, info_from_cards, place_cards
from isrflow.errors import CalibrationFileError
from isrflow.frame.cards import parse_header
from isrflow.frame.exposure import Exposure

if TYPE_CHECKING:
    from astropy.table import Table


@dataclass(frozen=True, kw_only=True, eq=False)
class TableCalibration(Calibration):
    """A calibration held in one or two tables."""

    obs_type: ClassVar[str]
    schema: ClassVar[str]
    version: ClassVar[float]
    reference_class: ClassVar[str]
    """CALIBCLS by which the reference's reader finds its class."""
    reference_obs_types: ClassVar[frozenset[str]]
    """OBSTYPE values accepted on reading."""
    own_cards: ClassVar[frozenset[str]] = frozenset()
    """Metadata that state fields of this type."""
    unknown_cards: ClassVar[Literal["undefined", "empty", "absent"]] = "undefined"
    """How tables of the reference state an identity that is not known: a card without value, empty text, none."""
    forms: ClassVar[Mapping[str, Form]] = {}
    """What the keys of trees and the columns of tables hold; the readers rely on it."""
    serves_every_amplifier: ClassVar[bool] = True
    """Whether a calibration that names amplifiers must name all that its detector has."""
    tags_metadata: ClassVar[bool] = True
    """Whether YAML of the reference has the metadata under its tag, not as a plain mapping."""

    @property
    def label(self) -> str:
        """Name the calibration for messages."""
        detector = self.info.detector_name or self.info.detector_id
        return self.kind if detector is None else f"{self.kind} of detector {detector}"

    def mismatch(self, exposure: Exposure) -> str | None:
        """Say why this calibration cannot serve the exposure: detector, filter or amplifiers; None if it can."""
        reason = super().mismatch(exposure)
        names = getattr(self, "amp_names", ())
        if reason or exposure.detector is None or not names:
            return reason
        own = [amp.name for amp in exposure.detector.amplifiers]
        lacking = [name for name in own if name not in names and self.serves_every_amplifier]
        unknown = [name for name in names if name not in own]
        parts = [f"has nothing on {', '.join(lacking)}"] if lacking else []
        parts += [f"is about {', '.join(unknown)}"] if unknown else []
        said = f"{self.kind} {' and '.join(parts)}"
        return f"{said}; detector {exposure.detector.name} has amplifiers {', '.join(own)}" if parts else None

    def metadata(self) -> dict[str, Any]:
        """Return what a file of this calibration says about it besides the tables; None is what is not known."""
        return {
            "OBSTYPE": self.obs_type,
            f"{self.obs_type}_SCHEMA": self.schema,
            f"{self.obs_type}_VERSION": self.version,
            "CALIBCLS": self.reference_class,
            **dict.fromkeys(IDENTITY_CARDS),
            **place_cards(self.info.detector_name),
            **identity_cards(self.info),
            **self.info.metadata,
            **self._own_metadata(),
        }

    def _own_metadata(self) -> dict[str, Any]:
        return {}

    @classmethod
    def info_from(cls, source: Mapping[str, Any]) -> CalibInfo:
        """Return the identity stated by table metadata or by a tree with ``metadata``.

        Raises
        ------
        CalibrationFileError
            If OBSTYPE says this is another type of calibration, or the identity contradicts itself.
        """
        cards = dict(source)
        if isinstance(cards.get("metadata"), Mapping):
            nested = cards.pop("metadata")
            cards = {key: cards[key] for key in ("detectorName", "detectorSerial", "detectorId") if key in cards}
            cards |= nested
        stated = cards.get("OBSTYPE")
        if stated and str(stated) not in cls.reference_obs_types:
            raise CalibrationFileError(f"OBSTYPE says this is {stated!r}, not {cls.obs_type!r}")
        info, rest = info_from_cards(cards)
        own = {"OBSTYPE", "CALIBCLS", "HISTORY", "COMMENT", "DATE", *cls.own_cards}
        own |= {f"{name}_{what}" for name in cls.reference_obs_types for what in ("SCHEMA", "VERSION")}
        kept = {key: value for key, value in rest.items() if key not in own and value not in (None, "")}
        return replace(info, metadata=kept)

    @abstractmethod
    def to_tables(self) -> list[Table]:
        """Return the calibration as tables, the first with the metadata."""

    @classmethod
    @abstractmethod
    def from_tables(cls, tables: list[Table]) -> Self:
        """Make the calibration of tables; raises `CalibrationFileError` naming column and amplifier."""

    @abstractmethod
    def to_tree(self) -> dict[str, Any]:
        """Return the calibration as plain lists and mappings, as YAML files hold it."""

    @classmethod
    @abstractmethod
    def from_tree(cls, tree: Mapping[str, Any]) -> Self:
        """Make the calibration of a tree; raises `CalibrationFileError` naming the key."""

    @classmethod
    def read_tables(cls, tables: list[Table]) -> Self:
        """Make the calibration of tables whose values are first seen to be of the right kind; errors as those."""
        check_tables(cls.kind, tables, cls.forms)
        return cls.from_tables(tables)

    @classmethod
    def read_tree(cls, tree: Mapping[str, Any]) -> Self:
        """Make the calibration of a tree whose values are first seen to be of the right kind; errors as those."""
        check_tree(cls.kind, tree, cls.forms)
        return cls.from_tree(tree)

    @classmethod
    def from_text(cls, text: str, name: str) -> Self:  # noqa: ARG003 - for types that have a plain form
        """Make the calibration of plain text in a file of that name; raises `CalibrationFileError`."""
        raise CalibrationFileError(f"not FITS, ECSV, YAML or JSON (it begins with {text[:16]!r})")

    def stated_tables(self) -> list[Table]:
        """Return the tables as they are written, with unknown metadata stated in the reference's way."""
        tables = self.to_tables()
        for table in tables:
            table.meta = {
                key: "" if value is None and self.unknown_cards == "empty" else value
                for key, value in table.meta.items()
                if value is not None or self.unknown_cards != "absent"
            }
        return tables

    def to_hdus(self) -> fits.HDUList:
        """Return an empty primary HDU and one table HDU per table."""
        hdus = [fits.PrimaryHDU()]
        for table in self.stated_tables():
            bare = table.copy(copy_data=False)
            bare.meta = {}
            hdu = fits.table_to_hdu(bare)
            for key, value in table.meta.items():
                _set_card(hdu.header, key, value)
            hdus.append(hdu)
        return fits.HDUList(hdus)

    @classmethod
    def from_hdus(cls, hdus: fits.HDUList) -> Self:
        """Make the calibration of the table HDUs; raises `CalibrationFileError`."""
        tables = []
        for hdu in hdus[1:]:
            if not isinstance(hdu, fits.BinTableHDU):
                break
            tables.append(_table_of(hdu))
        if not tables:
            raise CalibrationFileError(f"not {cls.kind}: HDU 1 is not a table")
        return cls.read_tables(tables)


def column_error(missing: Sequence[str], table: Table) -> str:
    """Say which columns are missing from a table that has others."""
    return f"missing {', '.join(missing)}; the table has {', '.join(table.colnames) or 'no columns'}"


def missing_columns(kind: str, table: Table, *needed: str) -> None:
    """Raise `CalibrationFileError` naming the columns that a table of a kind lacks, beside those it has."""
    missing = [name for name in needed if name not in table.colnames]
    if missing:
        raise CalibrationFileError(f"a {kind} table has columns {', '.join(needed)}: {column_error(missing, table)}")


def missing_keys(kind: str, tree: Mapping[str, Any], *needed: str) -> None:
    """Raise `CalibrationFileError` naming the keys that a tree of a kind lacks, beside those it has."""
    missing = [key for key in needed if tree.get(key) is None]
    if missing:
        raise CalibrationFileError(f"a {kind} needs {', '.join(missing)}; the file has {', '.join(map(str, tree))}")


def _set_card(header: fits.Header, key: str, value: Any) -> None:
    name = key if len(key) <= 8 and " " not in key else f"HIERARCH {key}"
    for item in value if isinstance(value, (list, tuple)) else [value]:  # several values are several cards
        plain = item if not isinstance(item, float) or np.isfinite(item) else str(item).upper()
        header.append((name, plain), end=True)


def _table_of(hdu: fits.BinTableHDU) -> Table:
    from astropy.table import Table

    columns = {}
    for name in hdu.columns.names:
        data = np.asarray(hdu.data[name])
        if data.dtype.kind in "iufc":
            data = data.astype(data.dtype.newbyteorder("="))
        elif data.dtype.kind == "S":
            data = np.char.decode(data, "ascii")
        if len(data) != hdu.header["NAXIS2"]:
            data = data.reshape(hdu.header["NAXIS2"], 0)  # astropy returns no rows for a column of empty vectors
        columns[name] = data
    table = Table(columns, meta=parse_header(hdu.header), copy=False)
    for column in hdu.columns:
        if column.unit:
            table[column.name].unit = column.unit
    return table
