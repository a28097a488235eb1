"""The form of a calibration file without its values: HDUs, columns, cards, keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from astropy.io import fits
from astropy.table import Table

from isrflow.calibs.yaml_forms import load_yaml

_LAYOUT = ("XTENSION", "BITPIX", "NAXIS", "PCOUNT", "GCOUNT", "TFIELDS", "TTYPE", "TFORM", "TDIM", "TUNIT", "TNULL")
_FILE = ("SIMPLE", "EXTEND", "CHECKSUM", "DATASUM", "COMMENT")


def structure(path: Path) -> dict[str, Any]:
    """Return what a FITS, ECSV or YAML file is made of, as a nested mapping."""
    if path.suffix == ".fits":
        with fits.open(path) as hdus:
            return {f"HDU {i} {hdu.name}".strip(): _hdu(hdu) for i, hdu in enumerate(hdus)}
    if path.suffix == ".ecsv":
        table = Table.read(path, format="ascii.ecsv")
        columns = {name: (table[name].dtype.str, table[name].shape, table[name].unit) for name in table.colnames}
        return {"columns": columns, "order": list(columns), "meta": dict(table.meta)}
    tree = load_yaml(path.read_text())
    tags = [line.split(":")[0] for line in path.read_text().splitlines() if "!<lsst" in line]
    return {"keys": _types(tree), "tagged": tags}


def _hdu(hdu: Any) -> dict[str, Any]:
    cards = {card.keyword: _value(card.value) for card in hdu.header.cards if not card.keyword.startswith(_LAYOUT)}
    cards = {key: value for key, value in cards.items() if key not in _FILE}
    if not isinstance(hdu, fits.BinTableHDU):
        return {"kind": type(hdu).__name__, "cards": cards}
    columns = {column.name: (column.format, column.unit, column.dim) for column in hdu.columns}
    return {"columns": columns, "order": list(columns), "rows": len(hdu.data), "cards": cards}


def _value(value: Any) -> Any:
    return None if isinstance(value, fits.card.Undefined) else value


def _types(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _types(item) for key, item in value.items()}
    # the reference pickles some arrays; what can be read from either is the same
    return "list" if type(value).__name__ in ("ndarray", "list") else type(value).__name__


def missing_parts(reference: Any, ours: Any, place: str = "") -> Iterator[str]:
    """Say what of the reference's structure ours lacks or has otherwise; what ours has besides is not its business."""
    if isinstance(reference, Mapping) and isinstance(ours, Mapping):
        for key, value in reference.items():
            where = f"{place} / {key}" if place else str(key)
            if key in ours:
                yield from missing_parts(value, ours[key], where)
            else:
                yield f"{where}: missing (there {value!r})"
    elif reference not in (None, "", "NoneType") and reference != ours:
        # a card without value there may have one here: where names are parts of others, say
        yield f"{place}: {ours!r}, there {reference!r}"
    elif reference in (None, "") and ours in (None, "") and reference != ours:
        yield f"{place}: stated as {ours!r}, there {reference!r}"


def extra_parts(reference: Any, ours: Any, place: str = "") -> Iterator[str]:
    """Say what ours has that the reference's structure has not."""
    if isinstance(reference, Mapping) and isinstance(ours, Mapping):
        for key, value in ours.items():
            where = f"{place} / {key}" if place else str(key)
            if key in reference:
                yield from extra_parts(reference[key], value, where)
            else:
                yield where
