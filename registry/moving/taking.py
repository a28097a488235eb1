"""The rows of a package into a database, all in one transaction."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select, update

from registry.canonical import sha256_text
from registry.dimensions import ExposureRecord
from registry.moving.comparing import ValidityMode
from registry.moving.incoming import (
    Incoming,
    batches,
    dataset_of,
    exposure_of,
    instrument_of,
    type_of,
    why,
)
from registry.moving.manifest import Record
from registry.moving.package import Package
from registry.moving.storing import is_wanted, path_of
from registry.moving.taking_notes import TakingNotes
from registry.moving.taking_work import TakingWork
from registry.refs import DatasetRef
from registry.sql import tables as t
from registry.sql.bulk import insert_new, insert_rows
from registry.sql.calibrations import certify
from registry.sql.collection_edits import freeze
from registry.sql.collections import collections as load_collections
from registry.sql.collections import register_collection, set_chain, tag
from registry.sql.dataset_types import dataset_types, register_dataset_types
from registry.sql.datasets import dataset_rows, identity_values, move_datasets, refs_by_uuid, set_status
from registry.sql.events import latest_ns
from registry.sql.exposures import insert_exposures, register_instrument
from registry.timespan import Timespan

Records = Sequence[Record]


@dataclass
class Taking:
    """A package on its way into a database.

    Parameters
    ----------
    connection
        A write transaction, in which the event of the import has been written.
    package
        Checked and compared.
    actor
        Who imports.
    came_from
        How the repository of the package is called in reasons.
    validity
        How ranges of validity are certified here.
    """

    connection: Connection
    package: Package
    actor: str
    came_from: str
    validity: ValidityMode
    _days: dict[tuple[str, int], int] = field(default_factory=dict)
    _runs: dict[str, Record] = field(default_factory=dict)
    _ranges: dict[tuple[str, int, int, str | None, str], list[UUID]] = field(default_factory=lambda: defaultdict(list))
    _tags: dict[str, list[UUID]] = field(default_factory=lambda: defaultdict(list))

    def take(self) -> None:
        """Write all that is not there yet.

        Raises
        ------
        CorruptDataset
            If a record names what is neither here nor in the package, or has a number that no database holds.
        """
        try:
            self._take()
        except KeyError as problem:
            raise self.package.corrupt(f"a record names {problem}, which is nowhere") from problem
        except OverflowError as problem:
            raise self.package.corrupt(f"a number is too large ({problem})") from problem

    def _take(self) -> None:
        work, notes = TakingWork(self.connection), TakingNotes(self.connection, self.actor, self.came_from)
        handlers: Mapping[str, Callable[[Records], None]] = {
            "instrument": self._instruments,
            "type": lambda records: register_dataset_types(self.connection, [type_of(r) for r in records]),
            "exposure": self._exposures,
            "collection": self._collections,
            "dataset": self._datasets,
            "chain": self._chains,
            "validity": self._collect_validity,
            "tag": self._collect_tags,
            "config": work.configs,
            "calibs": work.calib_sets,
            "quantum": work.quanta,
            "mark": notes.marks,
            "flag": notes.flags,
            "header": notes.headers,
        }
        before = ""
        for is_, records in batches(self.package):
            if is_ != before:
                self._finish(before)
            if is_ in handlers:
                handlers[is_](records)
            before = is_
        self._finish(before)
        self._freeze()

    def _finish(self, is_: str) -> None:
        """Do what needs all records of a kind; sets of calibrations look for ranges that must be there by then."""
        if is_ == "validity":
            self._certify()
        elif is_ == "tag":
            for name, ids in self._tags.items():
                refs = refs_by_uuid(self.connection, ids)
                tag(
                    self.connection,
                    name,
                    list(refs.values()),
                    actor=self.actor,
                    reason=f"brought from {self.came_from}",
                )

    def _instruments(self, records: Records) -> None:
        for record in records:
            register_instrument(self.connection, *instrument_of(record))

    def _exposures(self, records: Records) -> None:
        found: list[ExposureRecord] = [exposure_of(record) for record in records]
        self._days |= {(e.instrument, e.id): e.day_obs for e in found}
        insert_exposures(self.connection, found)

    def _collections(self, records: Records) -> None:
        there = {row.name for row in load_collections(self.connection)}
        for record in records:
            options = {"doc": record["doc"], "owner": record["owner"], "flow_run": record.get("flow_run") or ""}
            register_collection(self.connection, record["name"], record["kind"], **options)
            if record["kind"] == "RUN":
                self._runs[record["name"]] = record
                if record["name"] not in there:
                    number = select(t.collection.c.id).where(t.collection.c.name == record["name"]).scalar_subquery()
                    values = {"host": record["host"], "started_ns": record["started_ns"]}
                    self.connection.execute(update(t.run).where(t.run.c.collection_id == number).values(values))

    def _datasets(self, records: Records) -> None:
        found = [dataset_of(record) for record in records]
        known = refs_by_uuid(self.connection, [each.ref.id for each in found])
        new = list({each.ref.id: each for each in found if each.ref.id not in known}.values())
        refs = {each.ref.id: self._placed(each) for each in new}
        identities = identity_values(self.connection, refs.values())
        # Made here now, whenever it was made there: as of an event before the import it was not to be found here.
        now = latest_ns(self.connection)
        rows = [{**identities[each.ref.id], "status": refs[each.ref.id].status, "created_ns": now} for each in new]
        insert_rows(self.connection, t.dataset, rows)
        ids = dataset_rows(self.connection, list(refs))
        files = [_artifact(ref, ids[id_]) for id_, ref in refs.items() if ref.sha256 is not None]
        insert_rows(self.connection, t.artifact, files)
        back = [each for each in found if each.ref.id in known and is_wanted(each, known)]
        move_datasets(self.connection, [self._placed(each) for each in back])

    def _placed(self, each: Incoming) -> DatasetRef:
        """Return a dataset as it is here: LIVE only if its file came along."""
        status = "LIVE" if each.file else "PURGED" if each.ref.status == "PURGED" else "MISSING"
        return replace(each.ref, path=path_of(each, self._days), status=status)

    def _chains(self, records: Records) -> None:
        there = {row.name for row in load_collections(self.connection)}
        for record in records:
            name, children = record["name"], list(record["children"])
            if name not in there:
                reason = f"brought from {self.came_from}"
                set_chain(self.connection, name, children, actor=self.actor, reason=reason)

    def _collect_validity(self, records: Records) -> None:
        for record in records if self.validity != "skip" else ():
            times = (record["begin_ns"], record["end_ns"])
            key = (record["collection"], *times, record["mode"], why(record, self.came_from))
            self._ranges[key].append(UUID(record["dataset"]))

    def _certify(self) -> None:
        """Certify what is not deleted; what came without its file cannot be resolved to, but keeps its range."""
        by_mode = {name for name, row in dataset_types(self.connection).items() if row.type.matches_mode}
        texts = {text for *_, text, _ in self._ranges if text is not None}
        rows = [{"canonical": text, "sha256": sha256_text(text)} for text in sorted(texts)]
        insert_new(self.connection, t.readout_mode, rows, ["sha256"])
        for (name, begin_ns, end_ns, mode, reason), ids in self._ranges.items():
            refs = [ref for ref in refs_by_uuid(self.connection, ids).values() if ref.status in {"LIVE", "MISSING"}]
            missing = [ref.id for ref in refs if ref.status == "MISSING"]
            set_status(self.connection, missing, "LIVE")  # nobody else sees it: certifying wants usable datasets
            for some, modes in ((True, json.loads(mode or "{}")), (False, None)):
                mine = [ref for ref in refs if (ref.type in by_mode) is some]
                if mine and self.validity != "skip":
                    certify(
                        self.connection,
                        name,
                        mine,
                        Timespan(begin_ns, end_ns),
                        mode=self.validity,
                        readout_mode=modes,
                        actor=self.actor,
                        reason=reason,
                    )
            set_status(self.connection, missing, "MISSING")

    def _collect_tags(self, records: Records) -> None:
        for record in records:
            self._tags[record["collection"]].append(UUID(record["dataset"]))

    def _freeze(self) -> None:
        """Freeze the runs that are frozen where they come from, once all of them is here."""
        for row in load_collections(self.connection):
            record = self._runs.get(row.name)
            if record is not None and record["frozen"] and not row.frozen and row.n_datasets == record["holds"]:
                freeze(self.connection, row.name, actor=self.actor, reason=f"as in {self.came_from}")


def _artifact(ref: DatasetRef, row: int) -> dict[str, Any]:
    return {
        "dataset_id": row,
        "path": ref.path,
        "in_place": 0,
        "size": ref.size,
        "sha256": ref.sha256,
        "content_sha256": ref.content_sha256,
    }
