"""Rows as the tables that astronomers compute with; what makes them is imported when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from registry.errors import UnavailableError
from registry.query.fields import Kind
from registry.times import DAY_S, SECOND_NS

if TYPE_CHECKING:
    from astropy.table import Table

Columns = Mapping[str, tuple[Kind, str | None]]
_WHOLE = {Kind.INTEGER, Kind.DAY}


def as_table(columns: Columns, rows: Sequence[tuple[Any, ...]]) -> Table:
    """Return rows as an astropy Table."""
    from astropy.table import Table

    table = Table()
    for position, (name, (kind, unit)) in enumerate(columns.items()):
        table[name] = _table_column([row[position] for row in rows], kind, unit)
    return table


def as_frame(columns: Columns, rows: Sequence[tuple[Any, ...]]) -> Any:
    """Return rows as a pandas DataFrame; `UnavailableError` if pandas is not installed."""
    try:
        import pandas as pd  # type: ignore[import-untyped, unused-ignore]
    except ImportError as missing:
        raise UnavailableError("pandas is not installed", fix="pip install 'isrflow[pandas]'") from missing
    found = {}
    for position, (name, (kind, _)) in enumerate(columns.items()):
        values = [row[position] for row in rows]
        if kind is Kind.TIME:
            found[name] = pd.Series(_stamps(values), dtype="datetime64[ns]").dt.tz_localize("UTC")
        elif kind is Kind.ID:
            found[name] = pd.Series([None if value is None else str(value) for value in values], dtype="object")
        else:
            found[name] = pd.Series(pd.array(values, dtype=_pandas_type(kind)))
    return pd.DataFrame(found)


def _pandas_type(kind: Kind) -> Any:
    return {Kind.NUMBER: "Float64", Kind.TRUTH: "boolean"}.get(kind, "Int64" if kind in _WHOLE else "object")


def _table_column(values: Sequence[Any], kind: Kind, unit: str | None) -> Any:
    from astropy.table import MaskedColumn

    if kind is Kind.TIME:
        return _times(values)
    mask = [value is None for value in values]
    if kind is Kind.ID:
        values = [str(value) for value in values]
    empty, type_ = _FILL.get(kind, ("", object if kind is Kind.ATTRIBUTE else str))
    filled = [empty if absent else value for value, absent in zip(values, mask, strict=True)]
    return MaskedColumn(filled, mask=mask, unit=unit, dtype=type_)


def _times(values: Sequence[int | None]) -> Any:
    """Return TAI nanoseconds as astropy's times in UTC, exact to well below a nanosecond."""
    from astropy.table import MaskedColumn
    from astropy.time import Time

    mask = [value is None for value in values]
    parts = [divmod(value or 0, DAY_S * SECOND_NS) for value in values]
    whole = MaskedColumn([_UNIX_JD + day for day, _ in parts], mask=mask, dtype=float).data
    rest = MaskedColumn([rest / (DAY_S * SECOND_NS) for _, rest in parts], mask=mask, dtype=float).data
    if not any(mask):
        whole, rest = whole.data, rest.data
    times = Time(whole, rest, format="jd", scale="tai").utc
    times.format = "isot"
    return times


def _stamps(values: Sequence[int | None]) -> list[Any]:
    """Return TAI nanoseconds as UTC instants of numpy, to the nanosecond."""
    known = [value for value in values if value is not None]
    stamps = iter(_times(known).to_value("datetime64") if known else ())
    return [None if value is None else next(stamps) for value in values]


_UNIX_JD = 2440587.5
"""Julian date of 1970-01-01T00:00."""
_FILL: Mapping[Kind, tuple[Any, type]] = {
    Kind.INTEGER: (0, int),
    Kind.DAY: (0, int),
    Kind.NUMBER: (0.0, float),
    Kind.TRUTH: (False, bool),
}
