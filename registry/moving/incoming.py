"""Records of a manifest as values of this program; what cannot be one is refused before anything else is done."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any
from uuid import UUID

from registry.canonical import sha256_text
from registry.dimensions import DetectorRecord, ExposureRecord, FilterRecord, InstrumentRecord
from registry.errors import CorruptDataset
from registry.moving.manifest import Record, checked_extension, data_id_of, file_name, records
from registry.moving.package import BAD, MANIFEST, Package
from registry.moving.shapes import refuse_other_shape
from registry.refs import DataId, DatasetRef, DatasetType, dataset_uuid, quantum_uuid
from registry.sql.tables import (
    ATTEMPT_OUTCOMES,
    DATASET_MARKS,
    MATCH_KINDS,
    QUALITY_FLAGS,
    QUANTUM_STATES,
)
from registry.timespan import Timespan

_BATCH = 500
_BLOCK = 2**20


@dataclass(frozen=True, slots=True)
class Incoming:
    """A dataset of a package."""

    ref: DatasetRef
    created_ns: int
    extension: str
    file: bool

    @property
    def file_name(self) -> str:
        """Where its file is in the package."""
        return file_name(self.ref.id, self.extension)


@dataclass(frozen=True, slots=True)
class Contents:
    """What was found in a package that is whole."""

    header: Record
    counts: Mapping[str, int]
    named: frozenset[UUID]
    """Datasets that tags and ranges of validity name."""


def check(package: Package) -> Contents:
    """Read a package completely: every record must be understood, every file must have its hash, nothing may be over.

    Raises
    ------
    CorruptDataset
        If anything was changed, cut, added or leads elsewhere.
    VersionError
        If it was made by a newer program.
    """
    there = set(package.names()) - {MANIFEST}
    header: Record = {}
    counts: dict[str, int] = {}
    named: set[UUID] = set()
    for number, record in enumerate(records(package), 1):
        is_ = record["is"]
        counts[is_] = counts.get(is_, 0) + 1
        try:
            refuse_other_shape(record)
            found = _READERS[is_](record)
        except (KeyError, TypeError, ValueError, AttributeError) as problem:
            reason = f"{type(problem).__name__}: {problem}"
            raise package.corrupt(f"line {number} of its manifest, {is_!r}, means nothing here ({reason})") from problem
        if number == 1:
            header = record
        if is_ in {"tag", "validity"}:
            named.add(found)
        if is_ == "dataset" and found.file:
            if found.file_name not in there:
                raise package.corrupt(f"the file of {found.ref} is not in it")
            there.remove(found.file_name)
            _refuse_other_bytes(package, found)
    if there:
        some = ", ".join(sorted(there)[:5])
        raise package.corrupt(f"it holds {len(there)} file(s) that its manifest does not name: {some}")
    return Contents(header, counts, frozenset(named))


def batches(package: Package) -> Iterator[tuple[str, list[Record]]]:
    """Yield the records in order, up to 500 of a kind at a time."""
    for is_, group in groupby(records(package), lambda record: str(record["is"])):
        while some := list(islice(group, _BATCH)):
            yield is_, some


def instrument_of(record: Record) -> tuple[InstrumentRecord, list[DetectorRecord], list[FilterRecord]]:
    """Return an instrument with its detectors and filters."""
    name = str(record["name"])
    detectors = [DetectorRecord(name, int(n), *map(str, rest)) for n, *rest in record["detectors"]]
    filters = [FilterRecord(name, str(one), str(band)) for one, band in record["filters"]]
    return InstrumentRecord(name, float(record["rollover_s"]), str(record["camera_name"])), detectors, filters


def type_of(record: Record) -> DatasetType:
    """Return a dataset type."""
    values = _values(record)
    return DatasetType(**values | {"dimensions": tuple(values["dimensions"])})


def exposure_of(record: Record) -> ExposureRecord:
    """Return an exposure."""
    return ExposureRecord(**_values(record))


def dataset_of(record: Record) -> Incoming:
    """Return a dataset, after a look whether its id is that of what it says it is."""
    data_id, type_, run = data_id_of(record["data_id"]), str(record["type"]), str(record["run"])
    id_ = UUID(record["id"])
    if id_ != dataset_uuid(run, type_, data_id):
        message = f"{id_} is not the id of {type_} {data_id} in {run}"
        raise ValueError(message)
    if record["status"] not in {"LIVE", "MISSING", "PURGED"}:
        message = f"a dataset is not {record['status']!r}"
        raise ValueError(message)
    extension, is_in = checked_extension(record["extension"]), record["file"] is True
    size, hashes = record["size"], (record["sha256"], record["content_sha256"])
    if is_in and record["status"] != "LIVE":
        message = f"{id_} is {record['status']} and has a file"
        raise ValueError(message)
    if is_in and (type(size) is not int or not all(isinstance(each, str) for each in hashes)):
        message = f"{id_} has a file without size or hash"
        raise ValueError(message)
    ref = DatasetRef(id_, type_, run, data_id, *hashes, size, status=record["status"])
    return Incoming(ref, int(record["created_ns"]), extension, is_in)


def place_of(record: Record) -> DataId:
    """Return the exposure, and perhaps the detector, that a note is about."""
    return data_id_of(record["data_id"])


def why(record: Record, came_from: str) -> str:
    """Return the reason of something that was said elsewhere, with who said it and where."""
    said = record.get("said") or record.get("certified") or {}
    return f"{said['reason'] or 'no reason given'} (said by {said['actor'] or 'somebody'} in {came_from})"


def _refuse_other_bytes(package: Package, found: Incoming) -> None:
    """Read a file to its end and compare it with what the manifest says."""
    digest, size = hashlib.sha256(), 0
    try:
        with package.reading(found.file_name) as stream:
            while block := stream.read(_BLOCK):
                digest.update(block)
                size += len(block)
                if size > (found.ref.size or 0):
                    break
    except CorruptDataset:
        raise
    except BAD as problem:
        raise package.corrupt(f"the file of {found.ref} cannot be read ({problem})") from problem
    if size != found.ref.size or digest.hexdigest() != found.ref.sha256:
        raise package.corrupt(f"the file of {found.ref} is not the one that was exported: its hash is another")


def _values(record: Record) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != "is"}


def _validity(record: Record) -> UUID:
    Timespan(record["begin_ns"], record["end_ns"])
    if record["mode"] is not None and not isinstance(json.loads(record["mode"]), dict):
        raise TypeError("a readout mode is a JSON object")
    return UUID(record["dataset"])


def _collection(record: Record) -> str:
    if record["kind"] not in {"RUN", "TAGGED", "CALIBRATION"}:
        message = f"{record['kind']!r} is not a kind of collection that is carried over"
        raise ValueError(message)
    return str(record["name"])


def _config(record: Record) -> str:
    if sha256_text(record["value"]) != record["sha256"] or record["table"] not in {"config_blob", "software_env"}:
        raise ValueError("its hash is another")
    return str(record["sha256"])


def _quantum(record: Record) -> UUID:
    id_ = UUID(record["id"])
    if id_ != quantum_uuid(record["run"], record["task"], data_id_of(record["data_id"])):
        message = f"{id_} is not the id of {record['task']} in {record['run']}"
        raise ValueError(message)
    for _, uuid in [*record["inputs"], *record["outputs"]]:
        UUID(uuid)
    _known(record["state"], QUANTUM_STATES)
    if (record["state"] == "skipped") != (record["reason"] is not None):
        raise ValueError("work is skipped for a reason, and has none otherwise")
    for attempt in record["attempts"]:
        _known(attempt["outcome"], ATTEMPT_OUTCOMES)
    return id_


def _calibs(record: Record) -> list[UUID]:
    if not re.fullmatch("[0-9a-f]{64}", record["id"]):
        message = f"{record['id']!r} is not the address of a set of calibrations"
        raise ValueError(message)
    for member in record["members"]:
        _known(member["kind"], MATCH_KINDS)
    return [UUID(member["dataset"]) for member in record["members"]]


def _mark(record: Record) -> UUID:
    _known(record["kind"], DATASET_MARKS)
    return UUID(record["dataset"])


def _flag(record: Record) -> DataId:
    _known(record["flag"], QUALITY_FLAGS)
    return place_of(record)


def _header(record: Record) -> DataId:
    if record["value"] is not None:
        json.loads(record["value"])
    return place_of(record)


def _known(value: object, words: tuple[str, ...]) -> None:
    if value not in words:
        message = f"{value!r} is none of {', '.join(words)}"
        raise ValueError(message)


_READERS: Mapping[str, Callable[[Record], Any]] = {
    "package": lambda record: (UUID(record["repository"]), record["event"]["seq"], record["extra"], record["asked"]),
    "instrument": instrument_of,
    "type": type_of,
    "exposure": exposure_of,
    "collection": _collection,
    "dataset": dataset_of,
    "validity": _validity,
    "tag": lambda record: UUID(record["dataset"]),
    "chain": lambda record: record["children"],
    "config": _config,
    "calibs": _calibs,
    "quantum": _quantum,
    "mark": _mark,
    "flag": _flag,
    "header": _header,
}
