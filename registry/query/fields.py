"""What can be asked for, and under which name: one table of fields for each of the four things a query is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal

from sqlalchemy import ColumnElement, FromClause, and_, func

from registry.sql import tables as t

What = Literal["exposures", "datasets", "collections", "quanta"]


class Kind(Enum):
    """What values a field has, as errors call them."""

    INTEGER = "a whole number"
    NUMBER = "a number"
    TEXT = "a text in quotes"
    TRUTH = "true or false"
    DAY = "a day, 20260302 or '2026-03-02'"
    TIME = "a time in UTC, '2026-03-02T12:00:00'"
    ID = "the first digits of an id, '1a2b3c4d'"


@dataclass(frozen=True, slots=True)
class Source:
    """A field: the SQL it stands for, what values it has, and, where there are few, which."""

    column: ColumnElement[Any]
    kind: Kind = Kind.TEXT
    known: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Subject:
    """A thing that can be queried: its joined tables, its fields by name, and its natural order.

    What does not apply (the filter of a bias, the exposure of a master) is NULL in every field.
    """

    what: What
    tables: FromClause
    fields: Mapping[str, Source]
    order: tuple[str, ...]
    shown: tuple[str, ...]
    """The fields that a table for people has."""
    aliases: Mapping[str, str] = field(default_factory=dict)

    def find(self, name: str) -> Source | None:
        """Return a field by its name or one of its aliases; ``exposure.day_obs`` is ``day_obs``."""
        plain = self.aliases.get(name, name)
        return self.fields.get(plain) or self.fields.get(plain.partition(".")[2])


def subject(what: What) -> Subject:
    """Return the table of fields for one of the four things."""
    return SUBJECTS[what]


_own_filter = t.physical_filter.alias("own_filter")
_exposure_filter = t.physical_filter.alias("exposure_filter")
_name = {"instrument": Source(t.instrument.c.name)}


def _exposure_fields(filter_name: ColumnElement[Any], band: ColumnElement[Any]) -> dict[str, Source]:
    e = t.exposure.c
    return {
        "exposure": Source(e.number, Kind.INTEGER),
        "obs_id": Source(e.obs_id),
        "day_obs": Source(e.day_obs, Kind.DAY),
        "seq_num": Source(e.seq_num, Kind.INTEGER),
        "obs_type": Source(e.obs_type),
        "object": Source(e.object_name),
        "physical_filter": Source(filter_name),
        "band": Source(band),
        "exposure_time": Source(e.exposure_time_s, Kind.NUMBER),
        "dark_time": Source(e.dark_time_s, Kind.NUMBER),
        "ra": Source(e.ra_deg, Kind.NUMBER),
        "dec": Source(e.dec_deg, Kind.NUMBER),
        "begin": Source(e.begin_ns, Kind.TIME),
        "mid": Source(e.mid_ns, Kind.TIME),
        "end": Source(e.end_ns, Kind.TIME),
    }


_EXPOSURE_ALIASES = {
    "exposure.id": "exposure",
    "exposure.number": "exposure",
    "exposure.exposure_time": "exposure_time",
    "object_name": "object",
    "filter": "physical_filter",
    "physical_filter.name": "physical_filter",
    "instrument.name": "instrument",
    "observation_type": "obs_type",
}


def _applies(table: FromClause, key: ColumnElement[int]) -> ColumnElement[bool]:
    """Join to a row other than the sentinel."""
    return and_(table.c.id == key, table.c.id != t.NOT_APPLICABLE)


def _with_data_id(table: FromClause) -> FromClause:
    """Join instrument, exposure, detector and both filters to a table with a data id."""
    return (
        table.join(t.instrument, t.instrument.c.id == table.c.instrument_id)
        .outerjoin(t.exposure, _applies(t.exposure, table.c.exposure_id))
        .outerjoin(t.detector, _applies(t.detector, table.c.detector_id))
        .outerjoin(_own_filter, _applies(_own_filter, table.c.filter_id))
        .outerjoin(_exposure_filter, _applies(_exposure_filter, t.exposure.c.filter_id))
    )


def _data_id_fields() -> dict[str, Source]:
    """Return the fields of a data id with those of its exposure."""
    # A raw has no filter of its own, but whoever asks for filter 'r' means the filter of its exposure too.
    name = func.coalesce(_own_filter.c.name, _exposure_filter.c.name)
    band = func.coalesce(_own_filter.c.band, _exposure_filter.c.band)
    d = t.detector.c
    detector = {
        "detector": Source(d.number, Kind.INTEGER),
        "detector.name": Source(d.name),
        "detector.serial": Source(d.serial),
        "detector.purpose": Source(d.purpose),
    }
    return _name | _exposure_fields(name, band) | detector


_EXPOSURES = Subject(
    "exposures",
    t.exposure.join(t.instrument, t.instrument.c.id == t.exposure.c.instrument_id)
    .outerjoin(_exposure_filter, _applies(_exposure_filter, t.exposure.c.filter_id))
    .join(t.readout_mode, t.readout_mode.c.id == t.exposure.c.mode_id),
    _name | _exposure_fields(_exposure_filter.c.name, _exposure_filter.c.band),
    order=("instrument", "day_obs", "seq_num", "exposure"),
    shown=(
        *("instrument", "exposure", "day_obs", "seq_num", "obs_type", "physical_filter", "object"),
        *("exposure_time", "begin"),
    ),
    aliases=_EXPOSURE_ALIASES,
)

_DATASETS = Subject(
    "datasets",
    _with_data_id(t.dataset)
    .join(t.dataset_type, t.dataset_type.c.id == t.dataset.c.type_id)
    .join(t.collection, t.collection.c.id == t.dataset.c.run_id)
    .outerjoin(t.artifact, t.artifact.c.dataset_id == t.dataset.c.id),
    {
        "id": Source(t.dataset.c.uuid, Kind.ID),
        "type": Source(t.dataset_type.c.name),
        "run": Source(t.collection.c.name),
        "status": Source(t.dataset.c.status, known=t.DATASET_STATUSES),
        "created": Source(t.dataset.c.created_ns, Kind.TIME),
        "size": Source(t.artifact.c.size, Kind.INTEGER),
        "path": Source(t.artifact.c.path),
        "sha256": Source(t.artifact.c.sha256),
        "content_sha256": Source(t.artifact.c.content_sha256),
        **_data_id_fields(),
    },
    order=("type", "run", "instrument", "exposure", "detector", "physical_filter", "id"),
    shown=("id", "type", "instrument", "exposure", "detector", "physical_filter", "run", "size", "created"),
    aliases={**_EXPOSURE_ALIASES, "uuid": "id", "dataset_type": "type", "detector.id": "detector"},
)

_COLLECTIONS = Subject(
    "collections",
    t.collection,
    {
        "name": Source(t.collection.c.name),
        "kind": Source(t.collection.c.kind, known=t.COLLECTION_KINDS),
        "doc": Source(t.collection.c.doc),
        "owner": Source(t.collection.c.owner),
        "created": Source(t.collection.c.created_ns, Kind.TIME),
        "frozen": Source(t.collection.c.frozen, Kind.TRUTH),
    },
    order=("name",),
    shown=("name", "kind", "doc", "owner", "created"),
    aliases={"collection": "name", "run": "name"},
)

_last = t.quantum_attempt.alias("last_attempt")
_QUANTA = Subject(
    "quanta",
    _with_data_id(t.quantum)
    .join(t.collection, t.collection.c.id == t.quantum.c.run_id)
    .outerjoin(_last, and_(_last.c.quantum_id == t.quantum.c.id, _last.c.number == t.quantum.c.attempt)),
    {
        "id": Source(t.quantum.c.uuid, Kind.ID),
        "run": Source(t.collection.c.name),
        "task": Source(t.quantum.c.task),
        "state": Source(t.quantum.c.state, known=t.QUANTUM_STATES),
        "reason": Source(t.quantum.c.reason),
        "attempt": Source(t.quantum.c.attempt, Kind.INTEGER),
        "worker": Source(_last.c.worker),
        "error_kind": Source(_last.c.error_kind),
        "error_message": Source(_last.c.error_message),
        "seconds": Source(_last.c.seconds, Kind.NUMBER),
        "cpu": Source(_last.c.cpu_s, Kind.NUMBER),
        "memory": Source(_last.c.peak_rss_bytes, Kind.INTEGER),
        "started": Source(_last.c.started_ns, Kind.TIME),
        "ended": Source(_last.c.ended_ns, Kind.TIME),
        **_data_id_fields(),
    },
    order=("run", "task", "instrument", "exposure", "detector", "physical_filter", "id"),
    shown=("id", "task", "instrument", "exposure", "detector", "state", "attempt", "seconds", "error_kind", "run"),
    aliases={**_EXPOSURE_ALIASES, "uuid": "id", "detector.id": "detector", "status": "state"},
)

SUBJECTS: dict[What, Subject] = {each.what: each for each in (_EXPOSURES, _DATASETS, _COLLECTIONS, _QUANTA)}
