"""What people note things of: exposures, on one detector or on all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, select

from registry.errors import UserError
from registry.refs import DataId
from registry.sql import tables as t
from registry.sql.keys import data_id_keys
from registry.sql.remembered import counts

Place = tuple[int, int]
"""Rows of exposure and detector; the detector is the sentinel if all are meant."""


def places(connection: Connection, targets: Iterable[DataId]) -> dict[DataId, Place]:
    """Translate targets, each once, in their order.

    Raises
    ------
    UserError
        If a target has no exposure.
    UnknownName
        If exposures or detectors are not registered; all are listed.
    """
    plain = list(dict.fromkeys(target.subset(("exposure", "detector")) for target in targets))
    if any(target.exposure is None for target in plain):
        raise UserError("flags and corrections are of exposures; a target names none")
    return {target: (key[1], key[2]) for target, key in data_id_keys(connection, plain).items()}


def spelled(targets: Iterable[DataId]) -> list[dict[str, Any]]:
    """Return targets as events hold them: an exposure with its detectors, None for all of them."""
    detectors: defaultdict[tuple[str, int], set[int | None]] = defaultdict(set)
    for target in targets:
        detectors[target.instrument, target.exposure or 0].add(target.detector)
    return [
        {
            "instrument": instrument,
            "exposure": exposure,
            "detectors": None if None in found else sorted(one for one in found if one is not None),
        }
        for (instrument, exposure), found in sorted(detectors.items())
    ]


def spell(targets: Iterable[DataId]) -> str:
    """Say targets in words: ``exposure 5; exposure 6 detectors 0, 1``."""
    words = []
    for item in spelled(targets):
        some = item["detectors"]
        where = "" if some is None else f" detector{'s' * (len(some) > 1)} {', '.join(map(str, some))}"
        words.append(f"exposure {item['exposure']}{where}")
    return "; ".join(words)


def noted_now(
    connection: Connection, table: Table, numbers: Collection[int] | None = None
) -> list[tuple[DataId, Row[Any]]]:
    """Return the rows of flags or of corrections that count now, with what they are of.

    Parameters
    ----------
    table
        ``t.quality_flag`` or ``t.header_correction``.
    numbers
        Only of exposures with these numbers.
    """
    query = with_place(select(table), table.c.exposure_id, table.c.detector_id).where(counts(table, None))
    if numbers is not None:
        query = query.where(t.exposure.c.number.in_(sorted(numbers)))
    return [(target_from_row(row), row) for row in connection.execute(query)]


def with_place(query: Select[Any], exposure_id: ColumnElement[int], detector_id: ColumnElement[int]) -> Select[Any]:
    """Add to a query what `target_from_row` reads; it joins the dimensions."""
    return (
        query.add_columns(
            t.instrument.c.name.label("instrument_name"),
            t.exposure.c.number.label("exposure_number"),
            t.detector.c.number.label("detector_number"),
            detector_id.label("detector_row"),
        )
        .join(t.exposure, t.exposure.c.id == exposure_id)
        .join(t.instrument, t.instrument.c.id == t.exposure.c.instrument_id)
        .join(t.detector, t.detector.c.id == detector_id)
    )


def target_from_row(row: Row[Any]) -> DataId:
    """Make the target from a row of `with_place`."""
    return DataId(row.instrument_name, row.exposure_number, row.detector_number if row.detector_row else None)
