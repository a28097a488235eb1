"""Types of datasets, and the collections they are in."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, ForeignKey, PrimaryKeyConstraint, UniqueConstraint

from registry.sql.tables.columns import (
    COLLECTION_KINDS,
    INT,
    ON_MISSING,
    key,
    one_of,
    refers,
    table,
    whole,
    words,
    yes_no,
)

dataset_type = table(
    "dataset_type",
    key(),
    words("name"),
    whole("dimensions"),  # bit i is set if DIMENSIONS[i] is declared
    words("formatter"),
    whole("is_calibration"),
    words("on_missing"),
    yes_no("is_calibration"),
    one_of("on_missing", ON_MISSING),
    UniqueConstraint("name"),
)

collection = table(
    "collection",
    key(),
    words("name"),
    words("kind"),
    words("doc"),
    words("owner"),
    whole("created_ns"),
    whole("frozen", default=0),
    one_of("kind", COLLECTION_KINDS),
    yes_no("frozen"),
    UniqueConstraint("name"),
)

collection_chain = table(
    "collection_chain",
    refers("parent_id", "collection.id"),
    whole("position"),
    refers("child_id", "collection.id"),
    CheckConstraint("parent_id <> child_id", name="not_itself"),
    PrimaryKeyConstraint("parent_id", "position"),
    UniqueConstraint("parent_id", "child_id"),
    rowid=False,
)

run = table(
    "run",
    Column("collection_id", INT, ForeignKey("collection.id", ondelete="RESTRICT"), primary_key=True),
    words("host"),
    words("flow_run"),  # how the engine calls the run that made it; empty outside an engine
    whole("started_ns"),
    refers("context_id", "context.id", nullable=True),  # the frozen context its calibrations were taken from
)
