"""Work and its provenance."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, PrimaryKeyConstraint, UniqueConstraint

from registry.sql.tables.columns import (
    ATTEMPT_OUTCOMES,
    DATA_ID,
    INT,
    JOURNAL_OPS,
    MATCH_KINDS,
    QUANTUM_STATES,
    Uid,
    data_id,
    key,
    one_of,
    real,
    refers,
    table,
    whole,
    words,
    yes_no,
)

config_blob = table("config_blob", key(), words("sha256"), words("canonical"), UniqueConstraint("sha256"))

software_env = table("software_env", key(), words("sha256"), words("canonical"), UniqueConstraint("sha256"))

calib_set = table("calib_set", key(), words("sha256"), UniqueConstraint("sha256"))

calib_set_member = table(
    "calib_set_member",
    refers("set_id", "calib_set.id"),
    words("role"),
    refers("dataset_id", "dataset.id"),
    refers("validity_id", "calib_validity.id", nullable=True),  # NULL if it came from a RUN or TAGGED collection
    refers("collection_id", "collection.id"),
    words("warning", nullable=True),
    words("match_kind", default="valid"),  # how it was found: see MATCH_KINDS
    whole("gap_ns", default=0),  # how far its validity is from mid-exposure
    one_of("match_kind", MATCH_KINDS),
    CheckConstraint("gap_ns >= 0", name="gap_not_negative"),
    PrimaryKeyConstraint("set_id", "role"),
    Index(None, "dataset_id", "set_id"),
    rowid=False,
)

quantum = table(
    "quantum",
    key(),
    Column("uuid", Uid(), nullable=False),
    refers("run_id", "collection.id"),
    words("task"),
    *data_id(),
    refers("config_id", "config_blob.id"),
    refers("software_id", "software_env.id"),
    refers("calib_set_id", "calib_set.id"),
    words("content_key"),
    words("state"),
    words("reason", nullable=True),  # why it was skipped
    whole("attempt", default=0),
    whole("retriable", default=1),
    words("worker", nullable=True),
    whole("lease_until_ns", nullable=True),
    one_of("state", QUANTUM_STATES),
    yes_no("retriable"),
    CheckConstraint(
        "(state = 'leased') = (worker IS NOT NULL AND lease_until_ns IS NOT NULL)", name="leased_by_somebody"
    ),
    CheckConstraint("(state = 'skipped') = (reason IS NOT NULL)", name="skipped_for_a_reason"),
    UniqueConstraint("uuid"),
    UniqueConstraint("run_id", "task", *DATA_ID, name="uq_quantum_identity"),
    Index(None, "content_key"),
    Index(None, "calib_set_id", "run_id"),
    Index(None, "state", "run_id"),
    Index(None, "exposure_id"),
)

quantum_attempt = table(
    "quantum_attempt",
    refers("quantum_id", "quantum.id"),
    whole("number"),
    words("worker"),
    words("host"),
    words("outcome"),
    whole("started_ns"),
    whole("ended_ns", nullable=True),
    words("error_kind", nullable=True),
    words("error_message", nullable=True),
    words("traceback_text", nullable=True),
    real("seconds", nullable=True),
    real("cpu_s", nullable=True),
    whole("peak_rss_bytes", nullable=True),
    words("metrics", nullable=True),
    one_of("outcome", ATTEMPT_OUTCOMES),
    PrimaryKeyConstraint("quantum_id", "number"),
    rowid=False,
)

quantum_input = table(
    "quantum_input",
    refers("quantum_id", "quantum.id"),
    words("role"),
    refers("dataset_id", "dataset.id"),
    PrimaryKeyConstraint("quantum_id", "role"),
    Index(None, "dataset_id", "quantum_id"),
    rowid=False,
)

quantum_note = table(
    "quantum_note",
    Column("quantum_id", INT, ForeignKey("quantum.id", ondelete="RESTRICT"), primary_key=True),
    refers("note_id", "config_blob.id"),  # what was noted of its raws when it was planned: corrected cards, flags
    Index(None, "note_id"),
)

quantum_output = table(
    "quantum_output",
    Column("dataset_id", INT, ForeignKey("dataset.id", ondelete="CASCADE"), primary_key=True),
    refers("quantum_id", "quantum.id"),
    words("role"),
    Index(None, "quantum_id"),
)

journal = table(
    "journal",
    key(),
    words("op"),
    refers("dataset_id", "dataset.id"),
    refers("quantum_id", "quantum.id", nullable=True),
    words("role"),
    words("tmp_path", nullable=True),
    words("final_path"),
    whole("size", nullable=True),
    words("sha256", nullable=True),
    words("content_sha256", nullable=True),
    words("payload", nullable=True),  # JSON: what recovery needs to finish the work
    words("owner"),  # the process that is at it
    whole("lease_until_ns"),
    whole("created_ns"),
    one_of("op", JOURNAL_OPS),
    UniqueConstraint("dataset_id"),
)
