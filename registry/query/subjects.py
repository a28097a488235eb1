"""The four things a query can be about, with all their fields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, and_, exists, func, select, union

from registry.query.fields import Kind, Source, Subject, Test, What
from registry.sql import tables as t
from registry.sql.flags import flag_column
from registry.sql.remembered import counts

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
        "exposure_time": Source(e.exposure_time_s, Kind.NUMBER, unit="s"),
        "dark_time": Source(e.dark_time_s, Kind.NUMBER, unit="s"),
        "ra": Source(e.ra_deg, Kind.NUMBER, unit="deg"),
        "dec": Source(e.dec_deg, Kind.NUMBER, unit="deg"),
        "begin": Source(e.begin_ns, Kind.TIME),
        "mid": Source(e.mid_ns, Kind.TIME),
        "end": Source(e.end_ns, Kind.TIME),
    }


_OBJECTS: Mapping[str, ColumnElement[str]] = {
    "attrs": t.exposure.c.attrs,
    "mode": select(t.readout_mode.c.canonical)
    .where(t.readout_mode.c.id == t.exposure.c.mode_id, t.readout_mode.c.id != t.NOT_APPLICABLE)
    .correlate(t.exposure)
    .scalar_subquery(),
}


def _dotted(prefix: str, names: Iterable[str]) -> dict[str, str]:
    return {f"{prefix}.{name}": name for name in names if "." not in name}


_EXPOSURE_ALIASES = {
    **_dotted("exposure", _exposure_fields(t.exposure.c.obs_id, t.exposure.c.obs_id)),
    "exposure.id": "exposure",
    "exposure.number": "exposure",
    "object_name": "object",
    "exposure.object_name": "object",
    "filter": "physical_filter",
    "physical_filter.name": "physical_filter",
    "physical_filter.band": "band",
    "instrument.name": "instrument",
    "exposure.instrument": "instrument",
    "observation_type": "obs_type",
    "exposure.observation_type": "obs_type",
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


def _data_id_fields(table: FromClause) -> dict[str, Source]:
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
    return _name | _exposure_fields(name, band) | detector | {"flag": _flag(table.c.exposure_id, table.c.detector_id)}


def _flag(exposure_id: ColumnElement[int], detector_id: ColumnElement[int] | None = None) -> Source:
    """Return the worst quality flag that counts now, of an exposure or of one on a detector."""
    return Source(flag_column(exposure_id, detector_id), known=t.QUALITY_FLAGS)


def _some_mark(test: Test) -> ColumnElement[bool]:
    m = t.dataset_mark.c
    return exists().where(m.dataset_id == t.dataset.c.id, counts(t.dataset_mark, None), test(m.kind))


_asked = t.collection.alias("asked_collection")
_reach = select(t.collection.c.id.label("top"), t.collection.c.id.label("member")).cte("reach", recursive=True)
_reach = _reach.union(
    select(_reach.c.top, t.collection_chain.c.child_id).join(
        t.collection_chain, t.collection_chain.c.parent_id == _reach.c.member
    )
)
"""Which collections each collection opens up to: itself, and what its chains search."""


def _some_collection(test: Test) -> ColumnElement[bool]:
    """Say whether a dataset is in a collection: owned, tagged, or certified now, there or down a chain."""
    member, tag, valid = t.dataset.alias("member").c, t.dataset_tag.c, t.calib_validity.c
    # A union, because an OR would look at every dataset.
    return t.dataset.c.id.in_(
        union(
            select(member.id).where(member.run_id.in_(_opened(test))),
            select(tag.dataset_id).where(tag.collection_id.in_(_opened(test)), counts(t.dataset_tag, None)),
            select(valid.dataset_id).where(
                valid.type_id.in_(select(t.dataset_type.c.id)),  # says nothing, but is where the index begins
                valid.collection_id.in_(_opened(test)),
                valid.revoked_at == t.OPEN_ENDED,
            ),
        )
    )


def _opened(test: Test) -> Select[Any]:
    return select(_reach.c.member).join(_asked, _asked.c.id == _reach.c.top).where(test(_asked.c.name))


_EXPOSURES = Subject(
    "exposures",
    t.exposure.join(t.instrument, t.instrument.c.id == t.exposure.c.instrument_id)
    .outerjoin(_exposure_filter, _applies(_exposure_filter, t.exposure.c.filter_id))
    .join(t.readout_mode, t.readout_mode.c.id == t.exposure.c.mode_id),
    t.exposure.c.id,
    _name | _exposure_fields(_exposure_filter.c.name, _exposure_filter.c.band) | {"flag": _flag(t.exposure.c.id)},
    order=("instrument", "day_obs", "seq_num", "exposure"),
    shown=(
        *("instrument", "exposure", "day_obs", "seq_num", "obs_type", "physical_filter", "object"),
        *("exposure_time", "begin"),
    ),
    aliases={**_EXPOSURE_ALIASES, "exposure.flag": "flag", "id": "exposure"},
    objects={"attrs": _OBJECTS["attrs"], "mode": t.readout_mode.c.canonical},
)

_OF_DATASETS = {
    "id": Source(t.dataset.c.uuid, Kind.ID),
    "type": Source(t.dataset_type.c.name),
    "run": Source(t.collection.c.name),
    "status": Source(t.dataset.c.status, known=t.DATASET_STATUSES),
    "created": Source(t.dataset.c.created_ns, Kind.TIME),
    "size": Source(t.artifact.c.size, Kind.INTEGER, unit="byte"),
    "path": Source(t.artifact.c.path),
    "sha256": Source(t.artifact.c.sha256),
    "content_sha256": Source(t.artifact.c.content_sha256),
    "collection": Source(_asked.c.name, some=_some_collection),
    "mark": Source(t.dataset_mark.c.kind, known=t.DATASET_MARKS, some=_some_mark),
}
_DATASETS = Subject(
    "datasets",
    _with_data_id(t.dataset)
    .join(t.dataset_type, t.dataset_type.c.id == t.dataset.c.type_id)
    .join(t.collection, t.collection.c.id == t.dataset.c.run_id)
    .outerjoin(t.artifact, t.artifact.c.dataset_id == t.dataset.c.id),
    t.dataset.c.id,
    _OF_DATASETS | _data_id_fields(t.dataset),
    order=("type", "run", "instrument", "exposure", "detector", "physical_filter", "id"),
    shown=("id", "type", "instrument", "exposure", "detector", "physical_filter", "run", "size", "created"),
    aliases={
        **_EXPOSURE_ALIASES,
        **_dotted("dataset", _OF_DATASETS),
        "uuid": "id",
        "dataset.uuid": "id",
        "dataset_type": "type",
        "detector.id": "detector",
        "detector.number": "detector",
        "exposure.flag": "flag",
    },
    objects=_OBJECTS,
)

_OF_COLLECTIONS = {
    "name": Source(t.collection.c.name),
    "kind": Source(t.collection.c.kind, known=t.COLLECTION_KINDS),
    "doc": Source(t.collection.c.doc),
    "owner": Source(t.collection.c.owner),
    "created": Source(t.collection.c.created_ns, Kind.TIME),
    "frozen": Source(t.collection.c.frozen, Kind.TRUTH),
}
_COLLECTIONS = Subject(
    "collections",
    t.collection,
    t.collection.c.id,
    _OF_COLLECTIONS,
    order=("name",),
    shown=("name", "kind", "doc", "owner", "created"),
    aliases={**_dotted("collection", _OF_COLLECTIONS), "collection": "name", "run": "name"},
)

_last = t.quantum_attempt.alias("last_attempt")
_OF_QUANTA = {
    "id": Source(t.quantum.c.uuid, Kind.ID),
    "run": Source(t.collection.c.name),
    "task": Source(t.quantum.c.task),
    "state": Source(t.quantum.c.state, known=t.QUANTUM_STATES),
    "reason": Source(t.quantum.c.reason),
    "attempt": Source(t.quantum.c.attempt, Kind.INTEGER),
    "content_key": Source(t.quantum.c.content_key),
    "worker": Source(_last.c.worker),
    "host": Source(_last.c.host),
    "error_kind": Source(_last.c.error_kind),
    "error_message": Source(_last.c.error_message),
    "seconds": Source(_last.c.seconds, Kind.NUMBER, unit="s"),
    "cpu": Source(_last.c.cpu_s, Kind.NUMBER, unit="s"),
    "memory": Source(_last.c.peak_rss_bytes, Kind.INTEGER, unit="byte"),
    "started": Source(_last.c.started_ns, Kind.TIME),
    "ended": Source(_last.c.ended_ns, Kind.TIME),
}
_QUANTA = Subject(
    "quanta",
    _with_data_id(t.quantum)
    .join(t.collection, t.collection.c.id == t.quantum.c.run_id)
    .outerjoin(_last, and_(_last.c.quantum_id == t.quantum.c.id, _last.c.number == t.quantum.c.attempt)),
    t.quantum.c.id,
    _OF_QUANTA | _data_id_fields(t.quantum),
    order=("run", "task", "instrument", "exposure", "detector", "physical_filter", "id"),
    shown=("id", "task", "instrument", "exposure", "detector", "state", "attempt", "seconds", "error_kind", "run"),
    aliases={
        **_EXPOSURE_ALIASES,
        **_dotted("quantum", _OF_QUANTA),
        "uuid": "id",
        "quantum.uuid": "id",
        "detector.id": "detector",
        "detector.number": "detector",
        "status": "state",
        "exposure.flag": "flag",
    },
    objects=_OBJECTS,
)

SUBJECTS: dict[What, Subject] = {each.what: each for each in (_EXPOSURES, _DATASETS, _COLLECTIONS, _QUANTA)}
