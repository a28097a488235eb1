"""What one process has looked up before and need not ask again: rows that are never removed, renamed or numbered anew.

Those are dataset types, runs, instruments, detectors and filters. Exposures can be corrected, and are asked for each
time; whether a run is frozen, or a type matched by mode, can change, and is not kept here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from registry.errors import UnknownName
from registry.refs import DataId, DatasetRef
from registry.sql import tables as t
from registry.sql.bulk import chunks
from registry.sql.collections import collection_id
from registry.sql.dataset_types import TypeRow, dataset_types
from registry.sql.datasets import Values
from registry.sql.keys import Key, data_id_keys

_MOST = 10_000
_UNEXPOSED = ("instrument", "detector", "physical_filter")


@dataclass(slots=True)
class Familiar:
    """Rows by name, filled as they are asked for in transactions that registered none of them."""

    types: dict[str, TypeRow] = field(default_factory=dict)
    runs: dict[str, int] = field(default_factory=dict)
    keys: dict[DataId, Key] = field(default_factory=dict)
    """Of data ids without their exposures."""

    def type_rows(self, connection: Connection, names: Iterable[str]) -> dict[str, TypeRow]:
        """Return dataset types by name; whether they match modes may be out of date.

        Raises
        ------
        UnknownName
            If one is not registered.
        """
        wanted = sorted(set(names))
        if not self.types.keys() >= set(wanted):
            self.types |= dataset_types(connection)
        for name in wanted:
            if name not in self.types:
                raise UnknownName(kind="dataset type", name=name, known=list(self.types))
        return {name: self.types[name] for name in wanted}

    def identify(self, connection: Connection, refs: Sequence[DatasetRef]) -> tuple[Values, dict[DataId, int]]:
        """Return what `identity_values` gives, and the observing days of the exposures.

        Raises
        ------
        UnknownName
            If a type, run or data id is not registered.
        """
        types = self.type_rows(connection, [ref.type for ref in refs])
        runs = {name: self._run(connection, name) for name in {ref.run for ref in refs}}
        keys, days = self._keys(connection, {ref.data_id for ref in refs})
        values = {
            ref.id: {"uuid": ref.id, "type_id": types[ref.type].id, "run_id": runs[ref.run]}
            | dict(zip(t.DATA_ID, keys[ref.data_id], strict=True))
            for ref in refs
        }
        return values, days

    def _run(self, connection: Connection, name: str) -> int:
        if name not in self.runs:
            self.runs[name] = collection_id(connection, name, "RUN")
        return self.runs[name]

    def _keys(self, connection: Connection, data_ids: set[DataId]) -> tuple[dict[DataId, Key], dict[DataId, int]]:
        """Return keys, and the days of those that have an exposure."""
        places = {one: one.subset(_UNEXPOSED) for one in data_ids}
        if not self.keys.keys() >= set(places.values()):
            if len(self.keys) > _MOST:
                self.keys.clear()
            self.keys |= data_id_keys(connection, set(places.values()))
        keys = {one: self.keys[place] for one, place in places.items()}
        exposed = {(keys[one][0], one.exposure): one for one in data_ids if one.exposure is not None}
        found: dict[tuple[int, int], tuple[int, int]] = {}
        e = t.exposure.c
        for some in chunks(sorted({number for _, number in exposed})):
            query = select(e.instrument_id, e.number, e.id, e.day_obs).where(e.number.in_(some))
            found |= {(row[0], row[1]): (row[2], row[3]) for row in connection.execute(query)}
        if exposed.keys() - found.keys():
            data_id_keys(connection, data_ids)  # says which are unknown, all of them
        days = {}
        for one in data_ids:
            if one.exposure is not None:
                instrument, _, detector, filter_ = keys[one]
                exposure, days[one] = found[instrument, one.exposure]
                keys[one] = (instrument, exposure, detector, filter_)
        return keys, days
