"""Tables with one row per amplifier, described by a list of columns: read and written by one code for all types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from isrflow.calibs.forms import Form
from isrflow.errors import CalibrationFileError

if TYPE_CHECKING:
    from astropy.table import Table

Kind = Literal["float", "int", "str", "floats", "ints", "bools"]
_DTYPES: Mapping[str, Any] = {"floats": np.float64, "ints": np.int64, "bools": np.bool_}

_FORMS: Mapping[str, Form] = {"str": "texts", "float": "number", "int": "whole number"}


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
            return array_of(given, _DTYPES[self.kind])
        if self.kind == "float":
            return float(array_of(given, np.float64).ravel()[0])
        return int(array_of(given, np.int64).ravel()[0]) if self.kind == "int" else str(given).strip()


def array_of(given: Any, dtype: Any) -> NDArray[Any]:
    """Return a new array; numbers that are not whole are no integers."""
    array, wanted = np.atleast_1d(np.array(given)), np.dtype(dtype).kind
    kinds = {"b": "iub", "i": "iufb"}.get(wanted, "iuf")  # flags are read back as the whole numbers files hold
    if array.size and array.dtype.kind not in kinds:
        is_read_as_doubles = array.dtype.kind == "f" and wanted == "b"
        if not (is_read_as_doubles and np.isin(array, (0, 1)).all()):
            raise TypeError("not of this kind")
    if array.dtype.kind == "f" and wanted == "i" and not np.array_equal(array, np.trunc(array)):
        raise ValueError("not whole numbers")
    return array.astype(dtype)


def forms_of(columns: Iterable[Column]) -> dict[str, Form]:
    """Return what the columns hold in tables, and, by amplifier, in trees."""
    tables: dict[str, Form] = {column.column: _FORMS.get(column.kind, "numbers") for column in columns}
    return tables | {column.key: "mapping" for column in columns}


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
    given = {column: tree.get(column.key) for column in columns}
    wrong = [f"key {c.key} is {value!r}, not a mapping" for c, value in given.items() if not _is_by_amp(value)]
    if wrong:
        raise CalibrationFileError("; ".join(wrong))
    return _read({column: value for column, value in given.items() if value is not None}, "key")


def only_mappings(key: str, by_amp: Mapping[str, Any]) -> None:
    """Raise `CalibrationFileError` naming the amplifiers of a tree that hold something else than a mapping."""
    wrong = [f"{key}.{name} is {value!r}" for name, value in by_amp.items() if not isinstance(value, Mapping)]
    if wrong:
        raise CalibrationFileError(f"not mappings: {'; '.join(wrong)}")


def plain(value: Any) -> Any:
    """Return a value as YAML can say it."""
    return value.ravel().tolist() if isinstance(value, np.ndarray) else value


def _is_by_amp(value: Any) -> bool:
    return value is None or isinstance(value, Mapping)


def _read(cells: Mapping[Column, Mapping[str, Any]], what: str) -> dict[str, dict[str, Any]]:
    values: dict[str, dict[str, Any]] = {}
    problems: list[str] = []
    for column, by_amp in cells.items():
        values[column.field] = {}
        for name, cell in by_amp.items():
            try:
                values[column.field][str(name)] = column.value(
                    np.ma.getdata(cell) if np.ma.isMaskedArray(cell) else cell
                )
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
