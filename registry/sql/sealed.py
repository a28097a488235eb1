"""Rows that are named by a hash of what they say, or must agree with another row: whether they still do."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, or_, select

from registry.canonical import sha256_text
from registry.sql import tables as t

_STREAMED = {"yield_per": 1000}


def verify_blobs(connection: Connection) -> Iterator[str]:
    """Recompute the hash of every configuration, software environment and readout mode, and yield what differs."""
    for table in (t.config_blob, t.software_env, t.readout_mode):
        c = table.c
        query = select(c.id, c.sha256, c.canonical).where(c.sha256 != "").order_by(c.id)
        for row in connection.execute(query, execution_options=_STREAMED):
            if sha256_text(row.canonical) != row.sha256:
                yield f"row {row.id} of {table.name} is not what it was: its hash is another now"


def verify_calib_sets(connection: Connection) -> Iterator[str]:
    """Yield what the record of a used calibration and the validity row that it came by say differently."""
    m, v = t.calib_set_member.c, t.calib_validity.c
    differs = or_(m.dataset_id != v.dataset_id, m.collection_id != v.collection_id)
    query = (
        select(m.set_id, m.role, t.calib_set.c.sha256)
        .join_from(t.calib_set_member, t.calib_validity, m.validity_id == v.id)
        .join(t.calib_set, t.calib_set.c.id == m.set_id)
        .where(differs)
        .order_by(m.set_id, m.role)
    )
    for row in connection.execute(query, execution_options=_STREAMED):
        yield f"the {row.role} of calibration set {row.sha256[:12]} is not the one that its validity row certified"
