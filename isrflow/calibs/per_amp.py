"""Tables with one row per amplifier, described by a list of columns: read and written by one code for all types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from isrflow.errors import CalibrationFileError

if TYPE_CHECKING:
    from astropy.table import Table

Kind = Literal["float", "int", "str", "floats", "ints", "bools"]
_DTYPES: Mapping[str, Any] = {"floats": np.float64, "ints": np.int64, "bools": np.bool_}


@dataclass(frozen=True, slots=True)
class Column:
    """One quantity that each amplifier has."""

    field: str
    """Attribute: a mapping of amplifier name to value."""
    column: str
    """Name in tables."""
    key: str
    """Name in YAML."""
    kind: Kind
    default: Any
    """Where a file says nothing: a number or text, or a tuple that becomes an array."""
    pad: float = float("nan")
    """Follows the values of a shorter list of floats where the amplifiers' lists differ in length."""

    def value(self, given: Any) -> Any:
        """Return a value in its type; arrays are new, flat and of native byte order."""
        if self.kind in _DTYPES:
            return np.array(given, _DTYPES[self.kind]).copy()
        if self.kind == "float":
            return float(np.ravel(given)[0])
        return int(np.ravel(given)[0]) if self.kind == "int" else str(given).strip()


def fill(owner: Any, columns: Sequence[Column], amp_names: Iterable[str]) -> None:
    """Give every amplifier a value of every column in a frozen dataclass under construction."""
    names = list(amp_names)
    for column in columns:
        given = getattr(owner, column.field)
        values = {name: column.value(given.get(name, column.default)) for name in names}
        object.__setattr__(owner, column.field, values)


def unknown_amplifiers(owner: Any, columns: Sequence[Column], amp_names: Sequence[str]) -> list[str]:
    """List values given for amplifiers that are not named; `fill` would drop them."""
    return [
        f"{column.field} of {', '.join(extra)}"
        for column in columns
        if (extra := [name for name in getattr(owner, column.field) if name not in amp_names])
    ]


def table_columns(owner: Any, columns: Sequence[Column], amp_names: Sequence[str]) -> dict[str, Any]:
    """Return the columns of a table; vectors are padded to the longest."""
    return {column.column: _stack(column, [getattr(owner, column.field)[n] for n in amp_names]) for column in columns}


def from_table(table: Table, columns: Sequence[Column], amp_names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return field to amplifier to value for the columns a table has.

    Raises
    ------
    CalibrationFileError
        If a cell is not of its kind; names column and amplifier, all of them.
    """
    rows = dict(zip(amp_names, range(len(table)), strict=True))
    present = {column: table[column.column] for column in columns if column.column in table.colnames}
    return _read({c: {name: cells[i] for name, i in rows.items()} for c, cells in present.items()}, "column")


def from_tree(tree: Mapping[str, Any], columns: Sequence[Column]) -> dict[str, dict[str, Any]]:
    """Return field to amplifier to value for the keys a tree has; errors as for `from_table`."""
    return _read({c: tree[c.key] for c in columns if isinstance(tree.get(c.key), Mapping)}, "key")


def plain(value: Any) -> Any:
    """Return a value as YAML can say it."""
    return value.ravel().tolist() if isinstance(value, np.ndarray) else value


def _read(cells: Mapping[Column, Mapping[str, Any]], what: str) -> dict[str, dict[str, Any]]:
    values: dict[str, dict[str, Any]] = {}
    problems: list[str] = []
    for column, by_amp in cells.items():
        values[column.field] = {}
        for name, cell in by_amp.items():
            try:
                values[column.field][name] = column.value(np.ma.getdata(cell) if np.ma.isMaskedArray(cell) else cell)
            except (TypeError, ValueError, IndexError):
                where = column.column if what == "column" else column.key
                problems.append(f"{what} {where} of amplifier {name} is {cell!r}, not {column.kind}")
    if problems:
        raise CalibrationFileError("; ".join(problems))
    return values


def _stack(column: Column, cells: list[Any]) -> Any:
    if column.kind not in _DTYPES:
        return cells
    flat = [cell.reshape(-1) if cell.ndim != 2 or column.kind != "ints" else cell for cell in cells]
    longest = max((cell.shape[0] for cell in flat), default=0)
    filler = column.pad if column.kind == "floats" else 0
    result = np.full((len(flat), longest, *(flat[0].shape[1:] if flat else ())), filler, _DTYPES[column.kind])
    for row, cell in zip(result, flat, strict=True):
        row[: cell.shape[0]] = cell
    return result
