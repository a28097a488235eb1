"""The first schema: dimensions, datasets, collections, validity, events, work and lineage."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.guards import SQLITE_0001
from migrations.guards_postgresql import POSTGRESQL_0001

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
FLOAT: sa.types.TypeEngine[float] = sa.Double().with_variant(sa.REAL(), "sqlite")
UID = sa.Uuid().with_variant(sa.Text(), "sqlite")
# By bytes: the order of names, and of pages of them, must not depend on the language of the server.
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Go to this schema."""
    _create_tables()
    _insert_sentinels()
    sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in SQLITE_0001 if sqlite else POSTGRESQL_0001:
        op.get_bind().exec_driver_sql(statement)


def _insert_sentinels() -> None:
    """Insert row 0, "not applicable", of every dimension."""
    op.execute("INSERT INTO instrument (id, name, rollover_s, camera_name) VALUES (0, 'none', 0, '')")
    op.execute(
        "INSERT INTO detector (id, instrument_id, number, name, serial, purpose) VALUES (0, 0, 0, 'none', '', '')"
    )
    op.execute("INSERT INTO physical_filter (id, instrument_id, name, band) VALUES (0, 0, 'none', '')")
    op.execute("INSERT INTO readout_mode (id, canonical, sha256) VALUES (0, '', '')")
    op.execute(
        "INSERT INTO exposure (id, instrument_id, number, obs_id, day_obs, seq_num, filter_id, mode_id, obs_type,"
        " object_name, begin_ns, end_ns, mid_ns, exposure_time_s, attrs)"
        " VALUES (0, 0, 0, 'none', 0, 0, 0, 0, '', '', 0, 0, 0, 0, '{}')"
    )


def _create_tables() -> None:
    """Create all tables and indexes, those referred to first."""
    op.create_table(
        "calib_set",
        sa.Column("id", INT, nullable=False),
        sa.Column("sha256", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calib_set")),
        sa.UniqueConstraint("sha256", name=op.f("uq_calib_set_sha256")),
        sqlite_strict=True,
    )
    op.create_table(
        "collection",
        sa.Column("id", INT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("doc", TEXT, nullable=False),
        sa.Column("owner", TEXT, nullable=False),
        sa.Column("created_ns", INT, nullable=False),
        sa.Column("frozen", INT, server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint(
            "kind IN ('RUN', 'TAGGED', 'CHAINED', 'CALIBRATION')", name=op.f("ck_collection_kind_known")
        ),
        sa.CheckConstraint("frozen IN (0, 1)", name=op.f("ck_collection_frozen_yes_no")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_collection")),
        sa.UniqueConstraint("name", name=op.f("uq_collection_name")),
        sqlite_strict=True,
    )
    op.create_table(
        "config_blob",
        sa.Column("id", INT, nullable=False),
        sa.Column("sha256", TEXT, nullable=False),
        sa.Column("canonical", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_config_blob")),
        sa.UniqueConstraint("sha256", name=op.f("uq_config_blob_sha256")),
        sqlite_strict=True,
    )
    op.create_table(
        "dataset_type",
        sa.Column("id", INT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("dimensions", INT, nullable=False),
        sa.Column("formatter", TEXT, nullable=False),
        sa.Column("is_calibration", INT, nullable=False),
        sa.Column("on_missing", TEXT, nullable=False),
        sa.CheckConstraint(
            "on_missing IN ('error', 'skip', 'optional')", name=op.f("ck_dataset_type_on_missing_known")
        ),
        sa.CheckConstraint("is_calibration IN (0, 1)", name=op.f("ck_dataset_type_is_calibration_yes_no")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dataset_type")),
        sa.UniqueConstraint("name", name=op.f("uq_dataset_type_name")),
        sqlite_strict=True,
    )
    op.create_table(
        "instrument",
        sa.Column("id", INT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("rollover_s", FLOAT, nullable=False),
        sa.Column("camera_name", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instrument")),
        sa.UniqueConstraint("name", name=op.f("uq_instrument_name")),
        sqlite_strict=True,
    )
    op.create_table(
        "readout_mode",
        sa.Column("id", INT, nullable=False),
        sa.Column("canonical", TEXT, nullable=False),
        sa.Column("sha256", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_readout_mode")),
        sa.UniqueConstraint("sha256", name=op.f("uq_readout_mode_sha256")),
        sqlite_strict=True,
    )
    op.create_table(
        "registry_event",
        sa.Column("seq", INT, autoincrement=False, nullable=False),
        sa.Column("at_ns", INT, nullable=False),
        sa.Column("actor", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("payload", TEXT, nullable=False),
        sa.Column("prev_hash", TEXT, nullable=False),
        sa.Column("hash", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_registry_event")),
        sa.UniqueConstraint("hash", name=op.f("uq_registry_event_hash")),
        sqlite_strict=True,
    )
    op.create_table(
        "software_env",
        sa.Column("id", INT, nullable=False),
        sa.Column("sha256", TEXT, nullable=False),
        sa.Column("canonical", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_software_env")),
        sa.UniqueConstraint("sha256", name=op.f("uq_software_env_sha256")),
        sqlite_strict=True,
    )
    op.create_table(
        "collection_chain",
        sa.Column("parent_id", INT, nullable=False),
        sa.Column("position", INT, nullable=False),
        sa.Column("child_id", INT, nullable=False),
        sa.CheckConstraint("parent_id <> child_id", name=op.f("ck_collection_chain_not_itself")),
        sa.ForeignKeyConstraint(
            ["child_id"], ["collection.id"], name=op.f("fk_collection_chain_child_id_collection"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["collection.id"], name=op.f("fk_collection_chain_parent_id_collection"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("parent_id", "position", name=op.f("pk_collection_chain")),
        sa.UniqueConstraint("parent_id", "child_id", name=op.f("uq_collection_chain_parent_id_child_id")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "detector",
        sa.Column("id", INT, nullable=False),
        sa.Column("instrument_id", INT, nullable=False),
        sa.Column("number", INT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("serial", TEXT, nullable=False),
        sa.Column("purpose", TEXT, nullable=False),
        sa.ForeignKeyConstraint(
            ["instrument_id"], ["instrument.id"], name=op.f("fk_detector_instrument_id_instrument"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_detector")),
        sa.UniqueConstraint("instrument_id", "number", name=op.f("uq_detector_instrument_id_number")),
        sqlite_strict=True,
    )
    op.create_table(
        "physical_filter",
        sa.Column("id", INT, nullable=False),
        sa.Column("instrument_id", INT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("band", TEXT, nullable=False),
        sa.ForeignKeyConstraint(
            ["instrument_id"],
            ["instrument.id"],
            name=op.f("fk_physical_filter_instrument_id_instrument"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_physical_filter")),
        sa.UniqueConstraint("instrument_id", "name", name=op.f("uq_physical_filter_instrument_id_name")),
        sqlite_strict=True,
    )
    op.create_table(
        "run",
        sa.Column("collection_id", INT, nullable=False),
        sa.Column("host", TEXT, nullable=False),
        sa.Column("flow_run", TEXT, nullable=False),
        sa.Column("started_ns", INT, nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collection.id"], name=op.f("fk_run_collection_id_collection"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("collection_id", name=op.f("pk_run")),
        sqlite_strict=True,
    )
    op.create_table(
        "exposure",
        sa.Column("id", INT, nullable=False),
        sa.Column("instrument_id", INT, nullable=False),
        sa.Column("number", INT, nullable=False),
        sa.Column("obs_id", TEXT, nullable=False),
        sa.Column("day_obs", INT, nullable=False),
        sa.Column("seq_num", INT, nullable=False),
        sa.Column("filter_id", INT, nullable=False),
        sa.Column("mode_id", INT, nullable=False),
        sa.Column("obs_type", TEXT, nullable=False),
        sa.Column("object_name", TEXT, nullable=False),
        sa.Column("begin_ns", INT, nullable=False),
        sa.Column("end_ns", INT, nullable=False),
        sa.Column("mid_ns", INT, nullable=False),
        sa.Column("exposure_time_s", FLOAT, nullable=False),
        sa.Column("dark_time_s", FLOAT, nullable=True),
        sa.Column("ra_deg", FLOAT, nullable=True),
        sa.Column("dec_deg", FLOAT, nullable=True),
        sa.Column("attrs", TEXT, nullable=False),
        sa.CheckConstraint("begin_ns <= mid_ns AND mid_ns <= end_ns", name=op.f("ck_exposure_times_in_order")),
        sa.ForeignKeyConstraint(
            ["filter_id"],
            ["physical_filter.id"],
            name=op.f("fk_exposure_filter_id_physical_filter"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["instrument_id"], ["instrument.id"], name=op.f("fk_exposure_instrument_id_instrument"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["mode_id"], ["readout_mode.id"], name=op.f("fk_exposure_mode_id_readout_mode"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exposure")),
        sa.UniqueConstraint("instrument_id", "number", name=op.f("uq_exposure_instrument_id_number")),
        sqlite_strict=True,
    )
    op.create_index(
        op.f("ix_exposure_instrument_id_day_obs_seq_num"),
        "exposure",
        ["instrument_id", "day_obs", "seq_num"],
        unique=False,
    )
    op.create_index(op.f("ix_exposure_instrument_id_mid_ns"), "exposure", ["instrument_id", "mid_ns"], unique=False)
    op.create_table(
        "dataset",
        sa.Column("id", INT, nullable=False),
        sa.Column("uuid", UID, nullable=False),
        sa.Column("type_id", INT, nullable=False),
        sa.Column("run_id", INT, nullable=False),
        sa.Column("instrument_id", INT, nullable=False),
        sa.Column("exposure_id", INT, nullable=False),
        sa.Column("detector_id", INT, nullable=False),
        sa.Column("filter_id", INT, nullable=False),
        sa.Column("status", TEXT, nullable=False),
        sa.Column("created_ns", INT, nullable=False),
        sa.CheckConstraint(
            "status IN ('STAGED', 'LIVE', 'MISSING', 'DELETING', 'PURGED')", name=op.f("ck_dataset_status_known")
        ),
        sa.ForeignKeyConstraint(
            ["detector_id"], ["detector.id"], name=op.f("fk_dataset_detector_id_detector"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["exposure_id"], ["exposure.id"], name=op.f("fk_dataset_exposure_id_exposure"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["filter_id"],
            ["physical_filter.id"],
            name=op.f("fk_dataset_filter_id_physical_filter"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["instrument_id"], ["instrument.id"], name=op.f("fk_dataset_instrument_id_instrument"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["run_id"], ["collection.id"], name=op.f("fk_dataset_run_id_collection"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["type_id"], ["dataset_type.id"], name=op.f("fk_dataset_type_id_dataset_type"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dataset")),
        sa.UniqueConstraint(
            "run_id", "type_id", "instrument_id", "exposure_id", "detector_id", "filter_id", name="uq_dataset_identity"
        ),
        sa.UniqueConstraint("uuid", name=op.f("uq_dataset_uuid")),
        sqlite_strict=True,
    )
    op.create_index(
        op.f("ix_dataset_exposure_id_type_id_detector_id"),
        "dataset",
        ["exposure_id", "type_id", "detector_id"],
        unique=False,
    )
    op.create_table(
        "quantum",
        sa.Column("id", INT, nullable=False),
        sa.Column("uuid", UID, nullable=False),
        sa.Column("run_id", INT, nullable=False),
        sa.Column("task", TEXT, nullable=False),
        sa.Column("instrument_id", INT, nullable=False),
        sa.Column("exposure_id", INT, nullable=False),
        sa.Column("detector_id", INT, nullable=False),
        sa.Column("filter_id", INT, nullable=False),
        sa.Column("config_id", INT, nullable=False),
        sa.Column("software_id", INT, nullable=False),
        sa.Column("calib_set_id", INT, nullable=False),
        sa.Column("content_key", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("reason", TEXT, nullable=True),
        sa.Column("attempt", INT, server_default=sa.text("0"), nullable=False),
        sa.Column("retriable", INT, server_default=sa.text("1"), nullable=False),
        sa.Column("worker", TEXT, nullable=True),
        sa.Column("lease_until_ns", INT, nullable=True),
        sa.CheckConstraint(
            "(state = 'leased') = (worker IS NOT NULL AND lease_until_ns IS NOT NULL)",
            name=op.f("ck_quantum_leased_by_somebody"),
        ),
        sa.CheckConstraint("(state = 'skipped') = (reason IS NOT NULL)", name=op.f("ck_quantum_skipped_for_a_reason")),
        sa.CheckConstraint(
            "state IN ('planned', 'leased', 'done', 'failed', 'skipped')", name=op.f("ck_quantum_state_known")
        ),
        sa.CheckConstraint("retriable IN (0, 1)", name=op.f("ck_quantum_retriable_yes_no")),
        sa.ForeignKeyConstraint(
            ["calib_set_id"], ["calib_set.id"], name=op.f("fk_quantum_calib_set_id_calib_set"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["config_id"], ["config_blob.id"], name=op.f("fk_quantum_config_id_config_blob"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["detector_id"], ["detector.id"], name=op.f("fk_quantum_detector_id_detector"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["exposure_id"], ["exposure.id"], name=op.f("fk_quantum_exposure_id_exposure"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["filter_id"],
            ["physical_filter.id"],
            name=op.f("fk_quantum_filter_id_physical_filter"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["instrument_id"], ["instrument.id"], name=op.f("fk_quantum_instrument_id_instrument"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["run_id"], ["collection.id"], name=op.f("fk_quantum_run_id_collection"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["software_id"], ["software_env.id"], name=op.f("fk_quantum_software_id_software_env"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quantum")),
        sa.UniqueConstraint(
            "run_id", "task", "instrument_id", "exposure_id", "detector_id", "filter_id", name="uq_quantum_identity"
        ),
        sa.UniqueConstraint("uuid", name=op.f("uq_quantum_uuid")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_quantum_calib_set_id_run_id"), "quantum", ["calib_set_id", "run_id"], unique=False)
    op.create_index(op.f("ix_quantum_content_key"), "quantum", ["content_key"], unique=False)
    op.create_index(op.f("ix_quantum_state_run_id"), "quantum", ["state", "run_id"], unique=False)
    op.create_table(
        "artifact",
        sa.Column("dataset_id", INT, nullable=False),
        sa.Column("path", TEXT, nullable=False),
        sa.Column("in_place", INT, nullable=False),
        sa.Column("size", INT, nullable=False),
        sa.Column("sha256", TEXT, nullable=False),
        sa.Column("content_sha256", TEXT, nullable=False),
        sa.CheckConstraint("in_place IN (0, 1)", name=op.f("ck_artifact_in_place_yes_no")),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["dataset.id"], name=op.f("fk_artifact_dataset_id_dataset"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("dataset_id", name=op.f("pk_artifact")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_artifact_sha256"), "artifact", ["sha256"], unique=False)
    op.create_index(
        "uq_artifact_path",
        "artifact",
        ["path"],
        unique=True,
        sqlite_where=sa.text("in_place = 0"),
        postgresql_where=sa.text("in_place = 0"),
    )
    op.create_table(
        "calib_validity",
        sa.Column("id", INT, nullable=False),
        sa.Column("collection_id", INT, nullable=False),
        sa.Column("type_id", INT, nullable=False),
        sa.Column("instrument_id", INT, nullable=False),
        sa.Column("detector_id", INT, nullable=False),
        sa.Column("filter_id", INT, nullable=False),
        sa.Column("mode_id", INT, nullable=False),
        sa.Column("begin_ns", INT, nullable=False),
        sa.Column("end_ns", INT, nullable=False),
        sa.Column("dataset_id", INT, nullable=False),
        sa.Column("certified_at", INT, nullable=False),
        sa.Column("revoked_at", INT, server_default=sa.text("4611686018427387904"), nullable=False),
        sa.CheckConstraint("begin_ns < end_ns", name=op.f("ck_calib_validity_begins_before_it_ends")),
        sa.CheckConstraint("certified_at < revoked_at", name=op.f("ck_calib_validity_certified_before_revoked")),
        sa.ForeignKeyConstraint(
            ["certified_at"],
            ["registry_event.seq"],
            name=op.f("fk_calib_validity_certified_at_registry_event"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["collection_id"],
            ["collection.id"],
            name=op.f("fk_calib_validity_collection_id_collection"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["dataset.id"], name=op.f("fk_calib_validity_dataset_id_dataset"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["detector_id"], ["detector.id"], name=op.f("fk_calib_validity_detector_id_detector"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["filter_id"],
            ["physical_filter.id"],
            name=op.f("fk_calib_validity_filter_id_physical_filter"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["instrument_id"],
            ["instrument.id"],
            name=op.f("fk_calib_validity_instrument_id_instrument"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["mode_id"], ["readout_mode.id"], name=op.f("fk_calib_validity_mode_id_readout_mode"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["type_id"], ["dataset_type.id"], name=op.f("fk_calib_validity_type_id_dataset_type"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calib_validity")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_calib_validity_dataset_id"), "calib_validity", ["dataset_id"], unique=False)
    op.create_index(
        "ix_calib_validity_lookup",
        "calib_validity",
        [
            "type_id",
            "collection_id",
            "instrument_id",
            "detector_id",
            "filter_id",
            "mode_id",
            "revoked_at",
            "begin_ns",
            "end_ns",
            "certified_at",
            "dataset_id",
        ],
        unique=False,
    )
    op.create_table(
        "dataset_tag",
        sa.Column("collection_id", INT, nullable=False),
        sa.Column("type_id", INT, nullable=False),
        sa.Column("instrument_id", INT, nullable=False),
        sa.Column("exposure_id", INT, nullable=False),
        sa.Column("detector_id", INT, nullable=False),
        sa.Column("filter_id", INT, nullable=False),
        sa.Column("dataset_id", INT, nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_id"],
            ["collection.id"],
            name=op.f("fk_dataset_tag_collection_id_collection"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["dataset.id"], name=op.f("fk_dataset_tag_dataset_id_dataset"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["detector_id"], ["detector.id"], name=op.f("fk_dataset_tag_detector_id_detector"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["exposure_id"], ["exposure.id"], name=op.f("fk_dataset_tag_exposure_id_exposure"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["filter_id"],
            ["physical_filter.id"],
            name=op.f("fk_dataset_tag_filter_id_physical_filter"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["instrument_id"],
            ["instrument.id"],
            name=op.f("fk_dataset_tag_instrument_id_instrument"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["type_id"], ["dataset_type.id"], name=op.f("fk_dataset_tag_type_id_dataset_type"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint(
            "collection_id",
            "type_id",
            "instrument_id",
            "exposure_id",
            "detector_id",
            "filter_id",
            name=op.f("pk_dataset_tag"),
        ),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_dataset_tag_dataset_id"), "dataset_tag", ["dataset_id"], unique=False)
    op.create_table(
        "journal",
        sa.Column("id", INT, nullable=False),
        sa.Column("op", TEXT, nullable=False),
        sa.Column("dataset_id", INT, nullable=False),
        sa.Column("quantum_id", INT, nullable=True),
        sa.Column("role", TEXT, nullable=False),
        sa.Column("tmp_path", TEXT, nullable=True),
        sa.Column("final_path", TEXT, nullable=False),
        sa.Column("size", INT, nullable=True),
        sa.Column("sha256", TEXT, nullable=True),
        sa.Column("content_sha256", TEXT, nullable=True),
        sa.Column("payload", TEXT, nullable=True),
        sa.Column("owner", TEXT, nullable=False),
        sa.Column("lease_until_ns", INT, nullable=False),
        sa.Column("created_ns", INT, nullable=False),
        sa.CheckConstraint("op IN ('PUT', 'DELETE')", name=op.f("ck_journal_op_known")),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["dataset.id"], name=op.f("fk_journal_dataset_id_dataset"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["quantum_id"], ["quantum.id"], name=op.f("fk_journal_quantum_id_quantum"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journal")),
        sa.UniqueConstraint("dataset_id", name=op.f("uq_journal_dataset_id")),
        sqlite_strict=True,
    )
    op.create_table(
        "quantum_attempt",
        sa.Column("quantum_id", INT, nullable=False),
        sa.Column("number", INT, nullable=False),
        sa.Column("worker", TEXT, nullable=False),
        sa.Column("host", TEXT, nullable=False),
        sa.Column("outcome", TEXT, nullable=False),
        sa.Column("started_ns", INT, nullable=False),
        sa.Column("ended_ns", INT, nullable=True),
        sa.Column("error_kind", TEXT, nullable=True),
        sa.Column("error_message", TEXT, nullable=True),
        sa.Column("traceback_text", TEXT, nullable=True),
        sa.Column("seconds", FLOAT, nullable=True),
        sa.Column("cpu_s", FLOAT, nullable=True),
        sa.Column("peak_rss_bytes", INT, nullable=True),
        sa.Column("metrics", TEXT, nullable=True),
        sa.CheckConstraint(
            "outcome IN ('running', 'done', 'failed', 'lost')", name=op.f("ck_quantum_attempt_outcome_known")
        ),
        sa.ForeignKeyConstraint(
            ["quantum_id"], ["quantum.id"], name=op.f("fk_quantum_attempt_quantum_id_quantum"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("quantum_id", "number", name=op.f("pk_quantum_attempt")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "quantum_input",
        sa.Column("quantum_id", INT, nullable=False),
        sa.Column("role", TEXT, nullable=False),
        sa.Column("dataset_id", INT, nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["dataset.id"], name=op.f("fk_quantum_input_dataset_id_dataset"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["quantum_id"], ["quantum.id"], name=op.f("fk_quantum_input_quantum_id_quantum"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("quantum_id", "role", name=op.f("pk_quantum_input")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_quantum_input_dataset_id_quantum_id"), "quantum_input", ["dataset_id", "quantum_id"], unique=False
    )
    op.create_table(
        "quantum_output",
        sa.Column("dataset_id", INT, nullable=False),
        sa.Column("quantum_id", INT, nullable=False),
        sa.Column("role", TEXT, nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["dataset.id"], name=op.f("fk_quantum_output_dataset_id_dataset"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["quantum_id"], ["quantum.id"], name=op.f("fk_quantum_output_quantum_id_quantum"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("dataset_id", name=op.f("pk_quantum_output")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_quantum_output_quantum_id"), "quantum_output", ["quantum_id"], unique=False)
    op.create_table(
        "calib_set_member",
        sa.Column("set_id", INT, nullable=False),
        sa.Column("role", TEXT, nullable=False),
        sa.Column("dataset_id", INT, nullable=False),
        sa.Column("validity_id", INT, nullable=True),
        sa.Column("collection_id", INT, nullable=False),
        sa.Column("warning", TEXT, nullable=True),
        sa.ForeignKeyConstraint(
            ["collection_id"],
            ["collection.id"],
            name=op.f("fk_calib_set_member_collection_id_collection"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["dataset.id"], name=op.f("fk_calib_set_member_dataset_id_dataset"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["set_id"], ["calib_set.id"], name=op.f("fk_calib_set_member_set_id_calib_set"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["validity_id"],
            ["calib_validity.id"],
            name=op.f("fk_calib_set_member_validity_id_calib_validity"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("set_id", "role", name=op.f("pk_calib_set_member")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_calib_set_member_dataset_id_set_id"), "calib_set_member", ["dataset_id", "set_id"], unique=False
    )
