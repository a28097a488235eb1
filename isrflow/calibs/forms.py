"""What kind of value a key or column of a file must hold, looked at before anything is made of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from isrflow.errors import CalibrationFileError

if TYPE_CHECKING:
    from astropy.table import Table

Form = Literal[
    "number", "whole number", "true or false", "text", "numbers", "texts", "mapping", "numbers by name", "lists by name"
]


def check_tree(kind: str, tree: Mapping[str, Any], forms: Mapping[str, Form]) -> None:
    """Raise `CalibrationFileError` naming all keys of a tree that hold another kind of value than they must.

    Keys that are absent or empty are the reader's business.
    """
    problems = [
        f"{key} is {_short(tree[key])}, not {_article(form)}"
        for key, form in {"metadata": _MAPPING, **forms}.items()
        if tree.get(key) is not None and not _TESTS[form](tree[key])
    ]
    if problems:
        raise CalibrationFileError(f"not the form of a {kind}: {'; '.join(problems)}")


def check_tables(kind: str, tables: Sequence[Table], forms: Mapping[str, Form]) -> None:
    """Raise `CalibrationFileError` naming all columns of tables that hold another kind of value than they must.

    Tables without rows hold no values: the reference gives their columns any type.
    """
    problems = [
        f"column {name} holds {_short(table[name].tolist())}, not {_COLUMNS.get(form, 'numbers')}"
        for table in tables
        if len(table)
        for name, form in forms.items()
        if name in table.colnames and not _is_column_of(np.asarray(table[name]), form)
    ]
    if problems:
        raise CalibrationFileError(f"not the form of a {kind}: {'; '.join(problems)}")


def _is_column_of(values: NDArray[Any], form: Form) -> bool:
    if values.size == 0:  # nothing has no kind
        return True
    if (values.dtype.kind in "USO") != (form in _TEXTUAL):
        return False
    alone = values.size == len(values)
    if form == "whole number":
        return alone and bool(np.all(np.isfinite(values) & (values == np.trunc(values))))
    return alone or form != "number"


def whole_number(value: Any, where: str) -> int:
    """Return a whole number, also one alone in a cell; raises `CalibrationFileError` naming where it stands."""
    alone = np.ravel(value)
    if alone.size != 1 or alone.dtype.kind not in "iuf" or not float(alone[0]).is_integer():
        raise CalibrationFileError(f"{where} is {_short(value)}, not a whole number")
    return int(alone[0])


def version_of(cards: Mapping[str, Any], key: str, otherwise: float) -> float:
    """Return the version that a card states; raises `CalibrationFileError` if it is no number."""
    stated = cards.get(key)
    if stated in (None, ""):
        return otherwise
    try:
        return float(stated)
    except (TypeError, ValueError) as error:
        raise CalibrationFileError(f"{key} is {stated!r}, not a version number") from error


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool)


def _is_array_of(kinds: str) -> Callable[[Any], bool]:
    def test(value: Any) -> bool:
        if not isinstance(value, (list, tuple, np.ndarray)):
            return False
        try:
            array = np.asarray(value)
        except ValueError:  # rows of different length
            return False
        return array.size == 0 or array.dtype.kind in kinds

    return test


def _is_numbers_by_name(value: Any) -> bool:
    return isinstance(value, Mapping) and all(_is_number(item) for item in value.values())


_MAPPING: Form = "mapping"
_COLUMNS = {"texts": "texts", "text": "texts", "number": "one number a row", "whole number": "one whole number a row"}
_TEXTUAL = frozenset({"text", "texts"})
_TESTS: Mapping[Form, Callable[[Any], bool]] = {
    "number": _is_number,
    "whole number": lambda value: _is_number(value) and float(value).is_integer(),
    "true or false": lambda value: isinstance(value, (bool, np.bool_)),
    "text": lambda value: isinstance(value, str),
    "numbers": _is_array_of("iufb"),
    "texts": _is_array_of("US"),
    "mapping": lambda value: isinstance(value, Mapping),
    "numbers by name": _is_numbers_by_name,
    "lists by name": lambda value: isinstance(value, Mapping) and all(map(_TESTS["numbers"], value.values())),
}


def _article(form: Form) -> str:
    names = {"numbers": "a list of numbers", "texts": "a list of texts", "lists by name": "lists of numbers by name"}
    return names.get(form, f"a {form}" if form in ("number", "whole number", "mapping") else form)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
