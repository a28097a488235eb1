"""The types of linearity correction, and which coefficients suit them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LINEARITY_TYPES = ("None", "Proportional", "Squared", "Polynomial", "LookupTable", "Spline", "DoubleSpline")
Coefficients = NDArray[np.float64]


def problems_of(name: str, linearity_type: str, values: Coefficients, table: NDArray[np.float32] | None) -> list[str]:
    """Say what contradicts itself in the correction of one amplifier.

    Parameters
    ----------
    name
        The amplifier.
    linearity_type
        One of `LINEARITY_TYPES`, in any case.
    values
        (n,) coefficients as the type reads them. All NaN: the amplifier was not measured. A spline with gaps is the
        reference's way of saying the same.
    table
        (rows, columns) of lookup tables.
    """
    where, kind = f"of amplifier {name}", linearity_type.casefold()
    if kind not in {known.casefold() for known in LINEARITY_TYPES}:
        return [f"linearity_type {where} is {linearity_type!r}, not one of {', '.join(LINEARITY_TYPES)}"]
    known = np.isfinite(values)
    if known.any() and not known.all() and not kind.endswith("spline"):
        return [f"coefficients {where} are finite only in part: {values}"]
    if kind == "lookuptable":
        return _table_problems(where, values, table)
    if kind == "spline" and (values.size < 4 or values.size % 2):
        return [f"coefficients {where}: Spline needs nodes and as many values, {values.size} numbers are given"]
    if kind == "doublespline" and (values.size < 2 or 2 + 2 * values[:2].sum() > values.size):
        return [f"coefficients {where}: DoubleSpline announces more numbers than the {values.size} given"]
    if known.all() and any((np.diff(nodes) <= 0).any() for nodes in _nodes(kind, values)):
        return [f"coefficients {where}: nodes of a {linearity_type} must increase, {values}"]
    if kind in ("squared", "polynomial") and values.size == 0:
        return [f"coefficients {where}: {linearity_type} needs at least one"]
    return []


def _nodes(kind: str, values: Coefficients) -> list[Coefficients]:
    """Return where splines have nodes; nothing for other types."""
    if kind == "spline":
        return [values[: values.size // 2]]
    if kind == "doublespline":
        first, second = (int(number) for number in values[:2])
        return [values[2 : 2 + first], values[2 + 2 * first : 2 + 2 * first + second]]
    return []


def _table_problems(where: str, values: Coefficients, table: NDArray[np.float32] | None) -> list[str]:
    if table is None or table.ndim != 2 or values.size < 2:
        return [f"coefficients {where}: LookupTable needs a table, a row number and an offset"]
    rows = table.shape[0]
    if not (0 <= values[0] < rows and values[0] == np.trunc(values[0])):
        return [f"coefficients {where}: row {values[0]:g} of a table with {rows} rows"]
    if not np.isfinite(table[int(values[0])]).all():
        return [f"the row {where} in the table holds values that are not finite"]
    return []
