"""One statement that finds the calibration of one exposure and detector in one collection.

It looks up the last range that begins before the exposure ends, and nothing else: its cost does not grow with the
history. Whether that range decides, `registry.finding` says.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from sqlalchemy import Row, ScalarSelect, Select, and_, bindparam, func, select

from registry.refs import DataId, DatasetRef, DatasetType
from registry.sql import tables as t
from registry.sql.notes import marked


@lru_cache(maxsize=64)
def find_statement(type_: DatasetType) -> Select[Any]:
    """Return the statement for a type.

    Its values are ``instrument``, ``exposure``, ``detector``, ``collection`` and ``type``. It gives a row if the
    exposure and the detector exist: the newest event, the exposure's times, and the range with its dataset, or NULLs if
    no range begins before the exposure ends.
    """
    e, d, k, v = t.exposure.c, t.dataset.c, t.detector.c, t.calib_validity.c
    newest = select(func.coalesce(func.max(t.registry_event.c.seq), 0)).scalar_subquery()
    stored = (t.artifact.c.path, t.artifact.c.size, t.artifact.c.sha256, t.artifact.c.content_sha256)
    return (
        select(
            newest.label("newest"),
            *(e.begin_ns, e.mid_ns, e.end_ns, t.physical_filter.c.name.label("filter_name")),
            *(v.id.label("validity_id"), v.begin_ns.label("valid_from"), v.end_ns.label("valid_to")),
            *(d.uuid, d.status, marked().label("marked"), t.collection.c.name.label("run_name")),
            *stored,
        )
        .select_from(t.exposure)
        .join(t.instrument, and_(t.instrument.c.id == e.instrument_id, t.instrument.c.name == bindparam("instrument")))
        .join(t.detector, and_(k.instrument_id == e.instrument_id, k.number == bindparam("detector")))
        .join(t.physical_filter, t.physical_filter.c.id == e.filter_id)
        .outerjoin(t.calib_validity, v.id == _latest(type_))
        .outerjoin(t.dataset, d.id == v.dataset_id)
        .outerjoin(t.collection, t.collection.c.id == d.run_id)
        .outerjoin(t.artifact, t.artifact.c.dataset_id == d.id)
        .where(e.number == bindparam("exposure"))
    )


def ref_of(row: Row[Any], type_: DatasetType, data_id: DataId) -> DatasetRef:
    """Return the dataset of a row."""
    about = DataId(data_id.instrument, None, data_id.detector, row.filter_name).subset(type_.dimensions)
    stored = (row.sha256, row.content_sha256, row.size, row.path)
    return DatasetRef(row.uuid, type_.name, row.run_name, about, *stored, row.status)


def _latest(type_: DatasetType) -> ScalarSelect[int]:
    """Return the last range in force of the exposure's calibration that begins before the exposure ends."""
    e, w = t.exposure.c, t.calib_validity.alias("w")
    declared = {
        "detector_id": t.detector.c.id if "detector" in type_.dimensions else t.NOT_APPLICABLE,
        "filter_id": e.filter_id if "physical_filter" in type_.dimensions else t.NOT_APPLICABLE,
        "mode_id": e.mode_id if type_.matches_mode else t.NOT_APPLICABLE,
    }
    return (
        select(w.c.id)
        .where(w.c.type_id == bindparam("type"), w.c.collection_id == bindparam("collection"))
        .where(w.c.instrument_id == e.instrument_id, *(w.c[name] == value for name, value in declared.items()))
        .where(w.c.revoked_at == t.OPEN_ENDED, w.c.begin_ns <= e.end_ns)
        .order_by(w.c.begin_ns.desc())
        .limit(1)
        .correlate(t.exposure, t.detector)
        .scalar_subquery()
    )
