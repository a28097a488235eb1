"""Datasets, their files, and the tags that select them."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, UniqueConstraint

from registry.sql.tables.columns import (
    DATA_ID,
    DATASET_STATUSES,
    INT,
    OPEN_ENDED,
    Uid,
    data_id,
    key,
    one_of,
    refers,
    table,
    whole,
    words,
    yes_no,
)

dataset = table(
    "dataset",
    key(),
    Column("uuid", Uid(), nullable=False),
    refers("type_id", "dataset_type.id"),
    refers("run_id", "collection.id"),
    *data_id(),
    words("status"),
    whole("created_ns"),
    one_of("status", DATASET_STATUSES),
    UniqueConstraint("uuid"),
    UniqueConstraint("run_id", "type_id", *DATA_ID, name="uq_dataset_identity"),
    Index(None, "exposure_id", "type_id", "detector_id"),
)

_not_live = dataset.c.status != "LIVE"
Index("ix_dataset_not_live", dataset.c.status, sqlite_where=_not_live, postgresql_where=_not_live)  # few ever are

artifact = table(
    "artifact",
    Column("dataset_id", INT, ForeignKey("dataset.id", ondelete="CASCADE"), primary_key=True),
    words("path"),  # relative to the datastore; absolute if the file was left in place
    whole("in_place"),
    whole("size"),
    words("sha256"),
    words("content_sha256"),
    yes_no("in_place"),
    Index(None, "sha256"),
)
Index(
    "uq_artifact_path",
    artifact.c.path,
    unique=True,
    sqlite_where=artifact.c.in_place == 0,
    postgresql_where=artifact.c.in_place == 0,
)

dataset_tag = table(
    "dataset_tag",
    key(),
    refers("collection_id", "collection.id"),
    refers("type_id", "dataset_type.id"),
    *data_id(),
    refers("dataset_id", "dataset.id"),
    whole("added_at"),  # a registry_event.seq; 0 for what was tagged before tags were remembered
    whole("removed_at", default=OPEN_ENDED),
    CheckConstraint("added_at < removed_at", name="added_before_removed"),
    Index(None, "dataset_id"),
    Index(None, "collection_id", "type_id", "removed_at"),
)
Index(
    "uq_dataset_tag_open",
    *(dataset_tag.c[name] for name in ("collection_id", "type_id", *DATA_ID)),
    unique=True,
    sqlite_where=dataset_tag.c.removed_at == OPEN_ENDED,
    postgresql_where=dataset_tag.c.removed_at == OPEN_ENDED,
)
