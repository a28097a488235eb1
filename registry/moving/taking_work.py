"""The work of a package into a database: settings, software, sets of calibrations, quanta."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select

from registry.moving.manifest import Record, data_id_of
from registry.refs import DataId, DatasetRef, Match
from registry.sql import tables as t
from registry.sql.blobs import store_calib_sets
from registry.sql.bulk import chunks, insert_new, insert_rows
from registry.sql.datasets import dataset_rows
from registry.sql.keys import data_id_keys

Records = Sequence[Record]


@dataclass
class TakingWork:
    """Work on its way into a database; what quanta name is remembered by its hash."""

    connection: Connection
    _blobs: dict[tuple[str, str], int] = field(default_factory=dict)
    _sets: dict[str, int] = field(default_factory=dict)

    def configs(self, records: Records) -> None:
        """Write configurations, notes of raws, and software."""
        for table in (t.config_blob, t.software_env):
            mine = {r["sha256"]: r["value"] for r in records if r["table"] == table.name}
            rows = [{"sha256": sha256, "canonical": value} for sha256, value in mine.items()]
            insert_new(self.connection, table, rows, ["sha256"])
            query = select(table.c.sha256, table.c.id).where(table.c.sha256.in_(list(mine)))
            self._blobs |= {(table.name, row.sha256): row.id for row in self.connection.execute(query)}

    def calib_sets(self, records: Records) -> None:
        """Keep the addresses of sets, which headers of products cite; the rows of validity are those of here."""
        members = [member for record in records for member in record["members"]]
        ranges = self._validity_rows({UUID(member["dataset"]) for member in members})
        sets = {
            record["id"]: [(member["role"], _match(member, ranges)) for member in record["members"]]
            for record in records
        }
        self._sets |= store_calib_sets(self.connection, sets)

    def _validity_rows(self, datasets: set[UUID]) -> dict[tuple[str, UUID, int, int], int]:
        """Return the row of each range of these datasets, by collection and times; the newest of equal ones."""
        v = t.calib_validity.c
        query = (
            select(t.collection.c.name, t.dataset.c.uuid, v.begin_ns, v.end_ns, v.id)
            .join_from(t.calib_validity, t.collection, t.collection.c.id == v.collection_id)
            .join(t.dataset, t.dataset.c.id == v.dataset_id)
        )
        return {
            (row.name, row.uuid, row.begin_ns, row.end_ns): row.id
            for some in chunks(sorted(datasets))
            for row in self.connection.execute(query.where(t.dataset.c.uuid.in_(some)).order_by(v.id))
        }

    def quanta(self, records: Records) -> None:
        """Write quanta; those that are here stay as they are, but own the outputs that nobody here has made."""
        wanted = {UUID(record["id"]): record for record in records}
        there = self._quantum_rows(wanted)
        new = {id_: record for id_, record in wanted.items() if id_ not in there}
        data_ids = {id_: data_id_of(record["data_id"]) for id_, record in new.items()}
        keys = data_id_keys(self.connection, set(data_ids.values()))
        runs = {row.name: row.id for row in self.connection.execute(select(t.collection.c.name, t.collection.c.id))}
        rows = [
            {
                "uuid": id_,
                "run_id": runs[record["run"]],
                **dict(zip(t.DATA_ID, keys[data_ids[id_]], strict=True)),
                "config_id": self._blobs["config_blob", record["config"]],
                "software_id": self._blobs["software_env", record["software"]],
                "calib_set_id": self._sets[record["calibs"]],
                **{name: record[name] for name in _SAME},
            }
            for id_, record in new.items()
        ]
        insert_rows(self.connection, t.quantum, rows)
        ids = self._quantum_rows(wanted)
        self._link(new, wanted, ids)

    def _link(self, new: Mapping[UUID, Record], wanted: Mapping[UUID, Record], ids: Mapping[UUID, int]) -> None:
        """Write inputs, attempts and notes of new quanta, and the outputs that nobody here has made."""
        named = {UUID(u) for record in wanted.values() for _, u in [*record["inputs"], *record["outputs"]]}
        datasets = dataset_rows(self.connection, named)
        inputs = [
            {"quantum_id": ids[id_], "role": role, "dataset_id": datasets[UUID(uuid)]}
            for id_, record in new.items()
            for role, uuid in record["inputs"]
        ]
        insert_rows(self.connection, t.quantum_input, inputs)
        outputs = [
            {"quantum_id": ids[id_], "role": role, "dataset_id": datasets[UUID(uuid)]}
            for id_, record in wanted.items()
            for role, uuid in record["outputs"]
            if UUID(uuid) in datasets
        ]
        insert_new(self.connection, t.quantum_output, outputs, ["dataset_id"])
        attempts = [
            {"quantum_id": ids[id_], **attempt} for id_, record in new.items() for attempt in record["attempts"]
        ]
        insert_rows(self.connection, t.quantum_attempt, attempts)
        notes = [
            {"quantum_id": ids[id_], "note_id": self._blobs["config_blob", record["note"]]}
            for id_, record in new.items()
            if record["note"] is not None
        ]
        insert_rows(self.connection, t.quantum_note, notes)

    def _quantum_rows(self, ids: Mapping[UUID, object]) -> dict[UUID, int]:
        q = t.quantum.c
        return {
            row.uuid: row.id
            for some in chunks(sorted(ids))
            for row in self.connection.execute(select(q.uuid, q.id).where(q.uuid.in_(some)))
        }


_SAME = ("task", "content_key", "state", "reason", "attempt", "retriable")


def _match(member: Mapping[str, Any], ranges: Mapping[tuple[str, UUID, int, int], int]) -> Match:
    """Return how a calibration was found, with the row of its validity here if there is one."""
    id_ = UUID(member["dataset"])
    ref = DatasetRef(id_, "", "", DataId(""))
    row = ranges.get((member["collection"], id_, member["begin_ns"], member["end_ns"]))
    return Match(ref, row, member["collection"], member["warning"], member["kind"], member["gap_ns"])
