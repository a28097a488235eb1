"""Notes that can be taken back, frozen contexts, tags that are remembered, how a calibration was found."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from uuid import uuid4

import sqlalchemy as sa
from alembic import op

from migrations.guards import REMEMBERED, SQLITE_0002
from migrations.guards_postgresql import postgresql_0002
from migrations.views import VIEWS_0002

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
UID = sa.Uuid().with_variant(sa.Text(), "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_OPEN = sa.text("removed_at = 4611686018427387904")  # spelled out: a released revision must not change with the code


def upgrade() -> None:
    """Go to this schema."""
    _create_repository()
    _name_the_repository()
    _create_context()
    _create_calib_policy()
    _create_header_correction()
    _create_quality_flag()
    _create_dataset_mark()
    _create_replay()
    _create_quantum_note()
    _remake("run", _create_run, "collection_id, host, flow_run, started_ns")
    _remake(
        "dataset_tag",
        _create_dataset_tag,
        "collection_id, type_id, instrument_id, exposure_id, detector_id, filter_id, dataset_id",
        {"added_at": 0},
    )
    _remake(
        "calib_set_member",
        _create_calib_set_member,
        "set_id, role, dataset_id, validity_id, collection_id, warning",
        {"match_kind": "CASE WHEN validity_id IS NULL THEN 'always' ELSE 'valid' END"},
    )
    _create_indexes()
    connection = op.get_bind()
    for statement in SQLITE_0002 if connection.dialect.name == "sqlite" else postgresql_0002(REMEMBERED):
        connection.exec_driver_sql(statement)
    for view in VIEWS_0002[connection.dialect.name]:
        connection.exec_driver_sql(view)


def _create_indexes() -> None:
    """Let days, numbers of exposures and their quanta be found without reading everything."""
    op.create_index(op.f("ix_exposure_day_obs_seq_num"), "exposure", ["day_obs", "seq_num"])
    op.create_index(op.f("ix_exposure_number"), "exposure", ["number"])
    op.create_index(op.f("ix_quantum_exposure_id"), "quantum", ["exposure_id"])
    op.create_index(op.f("ix_registry_event_kind_seq"), "registry_event", ["kind", "seq"])
    not_live = sa.text("status != 'LIVE'")
    op.create_index("ix_dataset_not_live", "dataset", ["status"], sqlite_where=not_live, postgresql_where=not_live)


def _name_the_repository() -> None:
    """Give the repository a name that no other has."""
    table = sa.table("repository", sa.column("id"), sa.column("uuid", UID), sa.column("created_ns"))
    name = uuid4()
    sqlite = op.get_bind().dialect.name == "sqlite"
    op.execute(table.insert().values(id=1, uuid=sa.literal(name.hex) if sqlite else name, created_ns=time.time_ns()))


def _remake(table: str, create: Callable[[], None], columns: str, new: Mapping[str, object] | None = None) -> None:
    """Make a table anew with its rows in it: SQLite cannot add constraints to one that is there.

    Parameters
    ----------
    table, create
        Its name, and what makes the new one.
    columns
        Those that are kept.
    new
        SQL of those that are new.
    """
    added = new or {}
    names = ", ".join([columns, *added])
    values = ", ".join([columns, *(str(value) for value in added.values())])
    op.execute(f"CREATE TEMPORARY TABLE kept AS SELECT * FROM {table}")  # noqa: S608 - likewise
    op.drop_table(table)
    create()
    op.execute(f"INSERT INTO {table} ({names}) SELECT {values} FROM kept")  # noqa: S608 - constants of this file
    op.execute("DROP TABLE kept")


def _create_repository() -> None:
    """Create `repository`."""
    op.create_table(
        "repository",
        sa.Column("id", INT, autoincrement=False, nullable=False),
        sa.Column("uuid", UID, nullable=False),
        sa.Column("created_ns", INT, nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_repository_only_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_repository")),
        sqlite_strict=True,
    )


def _create_context() -> None:
    """Create `context`."""
    op.create_table(
        "context",
        sa.Column("id", INT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("event_seq", INT, nullable=False),
        sa.Column("path", TEXT, nullable=False),
        sa.Column("policies", TEXT, nullable=False),
        sa.Column("sha256", TEXT, nullable=False),
        sa.Column("doc", TEXT, nullable=False),
        sa.Column("owner", TEXT, nullable=False),
        sa.Column("created_ns", INT, nullable=False),
        sa.ForeignKeyConstraint(
            ["event_seq"], ["registry_event.seq"], name=op.f("fk_context_event_seq_registry_event"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_context")),
        sa.UniqueConstraint("name", name=op.f("uq_context_name")),
        sa.UniqueConstraint("sha256", "name", name=op.f("uq_context_sha256_name")),
        sqlite_strict=True,
    )


def _create_calib_policy() -> None:
    """Create `calib_policy`."""
    op.create_table(
        "calib_policy",
        sa.Column("id", INT, nullable=False),
        sa.Column("type_id", INT, nullable=False),
        sa.Column("on_missing", TEXT, nullable=False),
        sa.Column("max_gap_ns", INT, nullable=True),
        sa.Column("added_at", INT, nullable=False),
        sa.Column("removed_at", INT, server_default=sa.text("4611686018427387904"), nullable=False),
        sa.CheckConstraint(
            "(on_missing = 'nearest') = (max_gap_ns IS NOT NULL)", name=op.f("ck_calib_policy_nearest_within_a_gap")
        ),
        sa.CheckConstraint(
            "on_missing IN ('error', 'skip', 'optional', 'nearest')", name=op.f("ck_calib_policy_on_missing_known")
        ),
        sa.CheckConstraint("added_at < removed_at", name=op.f("ck_calib_policy_added_before_removed")),
        sa.ForeignKeyConstraint(
            ["added_at"],
            ["registry_event.seq"],
            name=op.f("fk_calib_policy_added_at_registry_event"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["type_id"], ["dataset_type.id"], name=op.f("fk_calib_policy_type_id_dataset_type"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calib_policy")),
        sqlite_strict=True,
    )
    op.create_index(
        "uq_calib_policy_open", "calib_policy", ["type_id"], unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN
    )


def _create_header_correction() -> None:
    """Create `header_correction`."""
    op.create_table(
        "header_correction",
        sa.Column("id", INT, nullable=False),
        sa.Column("exposure_id", INT, nullable=False),
        sa.Column("detector_id", INT, nullable=False),
        sa.Column("keyword", TEXT, nullable=False),
        sa.Column("value", TEXT, nullable=True),
        sa.Column("added_at", INT, nullable=False),
        sa.Column("removed_at", INT, server_default=sa.text("4611686018427387904"), nullable=False),
        sa.CheckConstraint("added_at < removed_at", name=op.f("ck_header_correction_added_before_removed")),
        sa.ForeignKeyConstraint(
            ["added_at"],
            ["registry_event.seq"],
            name=op.f("fk_header_correction_added_at_registry_event"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["detector_id"],
            ["detector.id"],
            name=op.f("fk_header_correction_detector_id_detector"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["exposure_id"],
            ["exposure.id"],
            name=op.f("fk_header_correction_exposure_id_exposure"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_header_correction")),
        sqlite_strict=True,
    )
    op.create_index(
        op.f("ix_header_correction_exposure_id_removed_at"),
        "header_correction",
        ["exposure_id", "removed_at"],
        unique=False,
    )
    op.create_index(
        "uq_header_correction_open",
        "header_correction",
        ["exposure_id", "detector_id", "keyword"],
        unique=True,
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )


def _create_quality_flag() -> None:
    """Create `quality_flag`."""
    op.create_table(
        "quality_flag",
        sa.Column("id", INT, nullable=False),
        sa.Column("exposure_id", INT, nullable=False),
        sa.Column("detector_id", INT, nullable=False),
        sa.Column("flag", TEXT, nullable=False),
        sa.Column("added_at", INT, nullable=False),
        sa.Column("removed_at", INT, server_default=sa.text("4611686018427387904"), nullable=False),
        sa.CheckConstraint("flag IN ('bad', 'suspect')", name=op.f("ck_quality_flag_flag_known")),
        sa.CheckConstraint("added_at < removed_at", name=op.f("ck_quality_flag_added_before_removed")),
        sa.ForeignKeyConstraint(
            ["added_at"],
            ["registry_event.seq"],
            name=op.f("fk_quality_flag_added_at_registry_event"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["detector_id"], ["detector.id"], name=op.f("fk_quality_flag_detector_id_detector"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["exposure_id"], ["exposure.id"], name=op.f("fk_quality_flag_exposure_id_exposure"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quality_flag")),
        sqlite_strict=True,
    )
    op.create_index(
        op.f("ix_quality_flag_exposure_id_removed_at"), "quality_flag", ["exposure_id", "removed_at"], unique=False
    )
    op.create_index(
        "uq_quality_flag_open",
        "quality_flag",
        ["exposure_id", "detector_id", "flag"],
        unique=True,
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )


def _create_dataset_mark() -> None:
    """Create `dataset_mark`."""
    op.create_table(
        "dataset_mark",
        sa.Column("id", INT, nullable=False),
        sa.Column("dataset_id", INT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("added_at", INT, nullable=False),
        sa.Column("removed_at", INT, server_default=sa.text("4611686018427387904"), nullable=False),
        sa.CheckConstraint("kind IN ('bad', 'missing', 'deleted')", name=op.f("ck_dataset_mark_kind_known")),
        sa.CheckConstraint("added_at < removed_at", name=op.f("ck_dataset_mark_added_before_removed")),
        sa.ForeignKeyConstraint(
            ["added_at"],
            ["registry_event.seq"],
            name=op.f("fk_dataset_mark_added_at_registry_event"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["dataset.id"], name=op.f("fk_dataset_mark_dataset_id_dataset"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dataset_mark")),
        sqlite_strict=True,
    )
    op.create_index(
        op.f("ix_dataset_mark_dataset_id_removed_at"), "dataset_mark", ["dataset_id", "removed_at"], unique=False
    )
    op.create_index(
        "uq_dataset_mark_open",
        "dataset_mark",
        ["dataset_id", "kind"],
        unique=True,
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )


def _create_replay() -> None:
    """Create `replay`."""
    op.create_table(
        "replay",
        sa.Column("id", INT, nullable=False),
        sa.Column("dataset_id", INT, nullable=False),
        sa.Column("at_ns", INT, nullable=False),
        sa.Column("verdict", TEXT, nullable=False),
        sa.Column("detail", TEXT, nullable=False),
        sa.Column("software_id", INT, nullable=False),
        sa.CheckConstraint("verdict IN ('reproduced', 'differs', 'impossible')", name=op.f("ck_replay_verdict_known")),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["dataset.id"], name=op.f("fk_replay_dataset_id_dataset"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["software_id"], ["software_env.id"], name=op.f("fk_replay_software_id_software_env"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_replay")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_replay_dataset_id"), "replay", ["dataset_id"], unique=False)


def _create_quantum_note() -> None:
    """Create `quantum_note`."""
    op.create_table(
        "quantum_note",
        sa.Column("quantum_id", INT, nullable=False),
        sa.Column("note_id", INT, nullable=False),
        sa.ForeignKeyConstraint(
            ["note_id"], ["config_blob.id"], name=op.f("fk_quantum_note_note_id_config_blob"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["quantum_id"], ["quantum.id"], name=op.f("fk_quantum_note_quantum_id_quantum"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("quantum_id", name=op.f("pk_quantum_note")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_quantum_note_note_id"), "quantum_note", ["note_id"], unique=False)


def _create_run() -> None:
    """Create `run`."""
    op.create_table(
        "run",
        sa.Column("collection_id", INT, nullable=False),
        sa.Column("host", TEXT, nullable=False),
        sa.Column("flow_run", TEXT, nullable=False),
        sa.Column("started_ns", INT, nullable=False),
        sa.Column("context_id", INT, nullable=True),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collection.id"], name=op.f("fk_run_collection_id_collection"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["context_id"], ["context.id"], name=op.f("fk_run_context_id_context"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("collection_id", name=op.f("pk_run")),
        sqlite_strict=True,
    )


def _create_dataset_tag() -> None:
    """Create `dataset_tag`."""
    op.create_table(
        "dataset_tag",
        sa.Column("id", INT, nullable=False),
        sa.Column("collection_id", INT, nullable=False),
        sa.Column("type_id", INT, nullable=False),
        sa.Column("instrument_id", INT, nullable=False),
        sa.Column("exposure_id", INT, nullable=False),
        sa.Column("detector_id", INT, nullable=False),
        sa.Column("filter_id", INT, nullable=False),
        sa.Column("dataset_id", INT, nullable=False),
        sa.Column("added_at", INT, nullable=False),
        sa.Column("removed_at", INT, server_default=sa.text("4611686018427387904"), nullable=False),
        sa.CheckConstraint("added_at < removed_at", name=op.f("ck_dataset_tag_added_before_removed")),
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
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dataset_tag")),
        sqlite_strict=True,
    )
    op.create_index(
        op.f("ix_dataset_tag_collection_id_type_id_removed_at"),
        "dataset_tag",
        ["collection_id", "type_id", "removed_at"],
        unique=False,
    )
    op.create_index(op.f("ix_dataset_tag_dataset_id"), "dataset_tag", ["dataset_id"], unique=False)
    op.create_index(
        "uq_dataset_tag_open",
        "dataset_tag",
        ["collection_id", "type_id", "instrument_id", "exposure_id", "detector_id", "filter_id"],
        unique=True,
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )


def _create_calib_set_member() -> None:
    """Create `calib_set_member`."""
    op.create_table(
        "calib_set_member",
        sa.Column("set_id", INT, nullable=False),
        sa.Column("role", TEXT, nullable=False),
        sa.Column("dataset_id", INT, nullable=False),
        sa.Column("validity_id", INT, nullable=True),
        sa.Column("collection_id", INT, nullable=False),
        sa.Column("warning", TEXT, nullable=True),
        sa.Column("match_kind", TEXT, server_default="valid", nullable=False),
        sa.Column("gap_ns", INT, server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint(
            "match_kind IN ('valid', 'always', 'nearest')", name=op.f("ck_calib_set_member_match_kind_known")
        ),
        sa.CheckConstraint("gap_ns >= 0", name=op.f("ck_calib_set_member_gap_not_negative")),
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
