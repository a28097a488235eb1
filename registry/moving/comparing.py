"""A package compared with the repository that it shall go into: what is new, what is there, what stands in the way."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Connection, Row, Table, select

from registry.canonical import canonical_json
from registry.moving.incoming import Incoming, batches, dataset_of, exposure_of, instrument_of, place_of, type_of
from registry.moving.manifest import Record
from registry.moving.package import Package
from registry.refs import DataId, DatasetRef
from registry.sql import tables as t
from registry.sql.bulk import chunks
from registry.sql.calibrations import CertifyMode
from registry.sql.collections import CollectionRow
from registry.sql.collections import collections as load_collections
from registry.sql.dataset_types import dataset_types
from registry.sql.datasets import refs_by_uuid
from registry.sql.exposures import detectors_of, exposures_by_number, filters_of, instruments
from registry.sql.noted_targets import noted_now
from registry.sql.quanta import load_quanta
from registry.sql.remembered import counts
from registry.sql.validity_rows import ValidityRow, load_validity
from registry.times import format_time
from registry.timespan import Timespan

ValidityMode = CertifyMode | Literal["skip"]
Records = Sequence[Record]


@dataclass(frozen=True, slots=True)
class Conflict:
    """Something that is not the same here and in the package."""

    kind: str
    what: str
    here: str
    there: str

    def __str__(self) -> str:
        return f"{self.what}: here {self.here}; in the package {self.there}"


@dataclass
class Comparison:
    """What taking a package in would do."""

    new: Counter[str] = field(default_factory=Counter)
    there: Counter[str] = field(default_factory=Counter)
    conflicts: list[Conflict] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What is not taken over, though nothing is wrong with it."""
    returning: int = 0
    """Datasets whose files were missing here and come back."""

    @property
    def is_idle(self) -> bool:
        """Whether all of it is there already."""
        return not self.new and not self.returning


def compare(connection: Connection, package: Package, named: frozenset[UUID], validity: ValidityMode) -> Comparison:
    """Compare every record of a package with what is here; nothing is written."""
    work = _Comparing(connection, named, validity, Comparison())
    for is_, records in batches(package):
        handler = work.handlers.get(is_)
        if handler is not None:
            handler(records)
    return work.result


class _Comparing:
    def __init__(
        self, connection: Connection, named: frozenset[UUID], validity: ValidityMode, result: Comparison
    ) -> None:
        self.connection, self.named, self.validity_mode, self.result = connection, named, validity, result
        self.instruments = {record.name: record for record in instruments(connection)}
        self.types = {name: row.type for name, row in dataset_types(connection).items()}
        self.collections: dict[str, CollectionRow] = {row.name: row for row in load_collections(connection)}
        self.identities: dict[UUID, tuple[str, DataId]] = {}
        self._usable: set[UUID] = set()
        self._valid: dict[str, dict[tuple[str, DataId], list[ValidityRow]]] = {}
        self.handlers: Mapping[str, Callable[[Records], None]] = {
            "instrument": self._instruments,
            "type": self._types,
            "exposure": self._exposures,
            "collection": self._collections,
            "dataset": self._datasets,
            "validity": self._validity,
            "tag": self._tags,
            "chain": self._chains,
            "quantum": self._quanta,
            "mark": self._marks,
            "flag": self._flags,
            "header": self._headers,
        }

    def _count(self, kind: str, *, there: bool) -> None:
        (self.result.there if there else self.result.new)[kind] += 1

    def _clash(self, kind: str, what: str, here: object, there: object) -> None:
        self.result.conflicts.append(Conflict(kind, what, str(here), str(there)))

    def _instruments(self, records: Records) -> None:
        for record in records:
            instrument, detectors, filters = instrument_of(record)
            name = instrument.name
            old = self.instruments.get(name)
            self._count("instrument", there=old is not None)
            if old is None:
                self.result.new.update({"detector": len(detectors), "filter": len(filters)})
                continue
            if old != instrument:
                self._clash("camera", f"instrument {name}", *_differences(old, instrument))
            known = {d.id: d for d in detectors_of(self.connection, name)}
            for detector in detectors:
                was = known.get(detector.id)
                self._count("detector", there=was is not None)
                if was is not None and was != detector:
                    self._clash("detector", f"detector {detector.id} of {name}", *_differences(was, detector))
            bands = {f.name: f for f in filters_of(self.connection, name)}
            for one in filters:
                before = bands.get(one.name)
                self._count("filter", there=before is not None)
                if before is not None and before != one:
                    self._clash("filter", f"filter {one.name} of {name}", *_differences(before, one))

    def _types(self, records: Records) -> None:
        for type_ in map(type_of, records):
            old = self.types.get(type_.name)
            self._count("type", there=old is not None)
            if old is not None and old not in {type_, replace(type_, matches_mode=True)}:
                self._clash("type", f"dataset type {type_.name}", *_differences(old, type_))

    def _exposures(self, records: Records) -> None:
        found = [exposure_of(record) for record in records]
        for name in {exposure.instrument for exposure in found}:
            mine = [exposure for exposure in found if exposure.instrument == name]
            known = {}
            if name in self.instruments:
                known = {e.id: e for e in exposures_by_number(self.connection, name, [e.id for e in mine])}
            for exposure in mine:
                old = known.get(exposure.id)
                self._count("exposure", there=old is not None)
                if old is not None and old != exposure:
                    self._clash("exposure", f"exposure {exposure.id} of {name}", *_differences(old, exposure))

    def _collections(self, records: Records) -> None:
        for record in records:
            old = self.collections.get(record["name"])
            self._count("collection", there=old is not None)
            if old is not None and old.kind != record["kind"]:
                self._clash("collection", f"collection {old.name}", old.kind, record["kind"])

    def _datasets(self, records: Records) -> None:
        found = [dataset_of(record) for record in records]
        known = refs_by_uuid(self.connection, [each.ref.id for each in found])
        for each in found:
            if each.ref.id in self.named:
                self.identities[each.ref.id] = (each.ref.type, each.ref.data_id)
            old = known.get(each.ref.id)
            if (each.ref if old is None else old).status in {"LIVE", "MISSING"}:
                self._usable.add(each.ref.id)
            self._count("dataset", there=old is not None)
            if old is None:
                run = self.collections.get(each.ref.run)
                if run is not None and run.frozen:
                    self._clash("run", str(each.ref), f"its run {run.name} is frozen", "it is one more dataset of it")
            else:
                self._dataset(old, each)

    def _dataset(self, old: DatasetRef, each: Incoming) -> None:
        if old.status == "STAGED":
            self._clash("dataset", str(old), "it is being written", each.ref.status)
        elif old.status in {"PURGED", "DELETING"}:
            if each.ref.status != "PURGED":
                self.result.notes.append(f"{old} was deleted here, and stays deleted")
        elif None not in {old.content_sha256, each.ref.content_sha256}:
            if old.content_sha256 != each.ref.content_sha256:
                here, there = (f"content {str(ref.content_sha256)[:12]}" for ref in (old, each.ref))
                made = f"{there}, made {format_time(each.created_ns)[:19]}"
                self._clash("dataset", str(old), f"{here}, {old.status}", made)
            elif old.status == "MISSING" and each.file:
                self.result.returning += 1

    def _validity(self, records: Records) -> None:
        if self.validity_mode == "skip":
            return
        for record in records:
            name, id_ = record["collection"], UUID(record["dataset"])
            if id_ not in self._usable:
                continue  # what was deleted is not certified
            span = Timespan(record["begin_ns"], record["end_ns"])
            same_key = self._valid_in(name).get(self.identities[id_], [])
            others = [row for row in same_key if row.mode == record["mode"]]
            mine = [row for row in others if row.dataset == id_ and row.span.overlaps(span)]
            left = [span]
            for row in mine:
                left = [piece for one in left for piece in one.difference(row.span)]
            self._count("validity", there=not left)
            rivals = [row for row in others if row.dataset != id_ and row.span.overlaps(span)]
            if self.validity_mode in {"strict", "idempotent"}:
                said = record["certified"]
                there = f"{id_.hex[:8]} valid {span}, certified by {said['actor']} at {format_time(said['at_ns'])}"
                for row in rivals:
                    self._clash("validity", f"{row.type} {row.data_id} in {name}", f"{row.short} {row.told}", there)

    def _valid_in(self, collection: str) -> dict[tuple[str, DataId], list[ValidityRow]]:
        """Return what is valid here now in a collection, by what it is about."""
        if collection not in self._valid:
            found: defaultdict[tuple[str, DataId], list[ValidityRow]] = defaultdict(list)
            v = t.calib_validity.c
            here = select(t.collection.c.id).where(t.collection.c.name == collection).scalar_subquery()
            for row in load_validity(self.connection, v.revoked_at == t.OPEN_ENDED, v.collection_id == here):
                found[row.type, row.data_id].append(row)
            self._valid[collection] = dict(found)
        return self._valid[collection]

    def _tags(self, records: Records) -> None:
        g = t.dataset_tag.c
        for name in {record["collection"] for record in records}:
            wanted = [UUID(record["dataset"]) for record in records if record["collection"] == name]
            query = (
                select(t.dataset.c.uuid)
                .join(t.dataset_tag, g.dataset_id == t.dataset.c.id)
                .join(t.collection, t.collection.c.id == g.collection_id)
                .where(t.collection.c.name == name, counts(t.dataset_tag, None))
            )
            tagged = set(self.connection.execute(query).scalars())
            refs = refs_by_uuid(self.connection, tagged - set(wanted))
            held = {(ref.type, ref.data_id): ref for ref in refs.values()}
            for id_ in wanted:
                self._count("tag", there=id_ in tagged)
                rival = held.get(self.identities[id_]) if id_ in self.identities and id_ not in tagged else None
                if rival is not None:
                    self._clash("tag", f"{rival.type} {rival.data_id} in {name}", rival.short, id_.hex[:8])

    def _chains(self, records: Records) -> None:
        for record in records:
            name, children = record["name"], tuple(record["children"])
            old = self.collections.get(name)
            self._count("chain", there=old is not None)
            if old is not None and old.kind != "CHAINED":
                self._clash("collection", f"collection {name}", old.kind, "CHAINED")
            elif old is not None and old.children != children:
                here, there = ", ".join(old.children), ", ".join(children)
                self.result.notes.append(f"chain {name} stays as it is here ({here}); in the package it is {there}")

    def _quanta(self, records: Records) -> None:
        for some in chunks(records):
            wanted = {UUID(record["id"]): record for record in some}
            known = {row.uuid: row for row in load_quanta(self.connection, t.quantum.c.uuid.in_(list(wanted)))}
            for id_, record in wanted.items():
                old = known.get(id_)
                self._count("quantum", there=old is not None)
                if old is not None and old.content_key != record["content_key"]:
                    here, there = (
                        f"{state} with key {key[:12]}"
                        for state, key in ((old.state, old.content_key), (record["state"], record["content_key"]))
                    )
                    self._clash("quantum", f"{old.task} {old.data_id} in {old.run}", here, there)

    def _marks(self, records: Records) -> None:
        m = t.dataset_mark.c
        query = (
            select(t.dataset.c.uuid, m.kind)
            .join(t.dataset_mark, m.dataset_id == t.dataset.c.id)
            .where(counts(t.dataset_mark, None), t.dataset.c.uuid.in_([UUID(r["dataset"]) for r in records]))
        )
        known = {(row.uuid, row.kind) for row in self.connection.execute(query)}
        for record in records:
            self._count("mark", there=(UUID(record["dataset"]), record["kind"]) in known)

    def _flags(self, records: Records) -> None:
        known = {(place, row.flag) for place, row in self._noted(t.quality_flag, records)}
        for record in records:
            self._count("flag", there=(place_of(record), record["flag"]) in known)

    def _headers(self, records: Records) -> None:
        known = {(place, row.keyword): row.value for place, row in self._noted(t.header_correction, records)}
        for record in records:
            key = (place_of(record), record["keyword"])
            self._count("header", there=key in known)
            if key in known and known[key] != record["value"]:
                here, there = (json.dumps(None if v is None else json.loads(v)) for v in (known[key], record["value"]))
                self.result.notes.append(f"{key[1]} of {key[0]} stays {here}; in the package it is {there}")

    def _noted(self, table: Table, records: Records) -> list[tuple[DataId, Row[Any]]]:
        """Return what people say here of the exposures of records."""
        return noted_now(self.connection, table, {place_of(record).exposure or 0 for record in records})


def _differences(old: Any, new: Any) -> tuple[str, str]:
    """Return the fields that differ, as they are here and there."""
    names = [f.name for f in fields(old) if getattr(old, f.name) != getattr(new, f.name)]
    here, there = (", ".join(_field(n, getattr(one, n)) for n in names) for one in (old, new))
    return here, there


def _field(name: str, value: Any) -> str:
    if name.endswith("_ns"):
        return f"{name.removesuffix('_ns')} {format_time(value)}"
    return f"{name} {_short(value)}"


def _short(value: Any) -> str:
    text = canonical_json(value) if isinstance(value, Mapping) else repr(value)
    return text if len(text) < 80 else f"{text[:77]}..."
