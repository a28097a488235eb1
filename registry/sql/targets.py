"""What calibrations are matched against: an exposure's instants and filter, on a detector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from registry.errors import UserError
from registry.refs import DataId, DatasetType
from registry.sql import tables as t
from registry.sql.bulk import chunks
from registry.sql.keys import data_id_keys


@dataclass(frozen=True, slots=True)
class Target:
    """An exposure on a detector, in rows and TAI nanoseconds."""

    data_id: DataId
    instrument_id: int
    detector_id: int
    filter_id: int
    filter_name: str | None
    day_obs: int
    begin_ns: int
    mid_ns: int
    end_ns: int
    mode_id: int
    mode: str
    """The readout mode as JSON."""

    def key(self, type_: DatasetType) -> tuple[int, int, int]:
        """Return (detector, filter, readout mode) as a calibration of this type must have them.

        What it does not declare is the sentinel.
        """
        return (
            self.detector_id if "detector" in type_.dimensions else t.NOT_APPLICABLE,
            self.filter_id if "physical_filter" in type_.dimensions else t.NOT_APPLICABLE,
            self.mode_id if type_.matches_mode else t.NOT_APPLICABLE,
        )


def load_targets(connection: Connection, data_ids: Sequence[DataId]) -> dict[DataId, Target]:
    """Look up many data ids, each of an exposure (and a detector).

    Raises
    ------
    UserError
        If a data id has no exposure.
    UnknownName
        If exposures or detectors are not registered; all are listed.
    """
    for data_id in data_ids:
        if data_id.exposure is None:
            raise UserError(f"calibrations are resolved for exposures; '{data_id}' names none")
    keys = data_id_keys(connection, data_ids)
    e = t.exposure.c
    columns = (e.id, e.filter_id, t.physical_filter.c.name, e.day_obs, e.begin_ns, e.mid_ns, e.end_ns)
    query = (
        select(*columns, e.mode_id, t.readout_mode.c.canonical)
        .join_from(t.exposure, t.physical_filter, e.filter_id == t.physical_filter.c.id)
        .join(t.readout_mode, e.mode_id == t.readout_mode.c.id)
    )
    rows = {
        row.id: row
        for some in chunks(sorted({key[1] for key in keys.values()}))
        for row in connection.execute(query.where(e.id.in_(some)))
    }
    targets = {}
    for data_id, (instrument, exposure, detector, _) in keys.items():
        row = rows[exposure]
        name = row.name if row.filter_id != t.NOT_APPLICABLE else None
        rest = (row.day_obs, row.begin_ns, row.mid_ns, row.end_ns, row.mode_id, row.canonical)
        targets[data_id] = Target(data_id, instrument, detector, row.filter_id, name, *rest)
    return targets
