"""Every table of the registry, in one place.

Keys inside are integers; UUIDs are for the world outside. Times are TAI nanoseconds. A dimension that does not apply
is the sentinel row 0 of its table, not NULL, so that foreign keys and uniqueness work on every engine alike. Guards
that need triggers (append-only, no overlapping validity) are created by the migrations, which a test keeps equal to
this file.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import (
    REAL,
    BigInteger,
    CheckConstraint,
    Column,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.types import TypeEngine

NOT_APPLICABLE = 0
"""Id of the sentinel row of instrument, detector, physical_filter, readout_mode and exposure."""
OPEN_ENDED = 2**62
"""`calib_validity.revoked_at` of a row that has not been revoked."""

COLLECTION_KINDS = ("RUN", "TAGGED", "CHAINED", "CALIBRATION")
DATASET_STATUSES = ("STAGED", "LIVE", "MISSING", "DELETING", "PURGED")
ON_MISSING = ("error", "skip", "optional")
QUANTUM_STATES = ("planned", "leased", "done", "failed", "skipped")
ATTEMPT_OUTCOMES = ("running", "done", "failed", "lost")
JOURNAL_OPS = ("PUT", "DELETE")

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

# SQLite's STRICT tables know INTEGER, REAL and TEXT only; elsewhere the wider types are spelled out.
INT = BigInteger().with_variant(Integer(), "sqlite")
FLOAT: TypeEngine[float] = Double().with_variant(REAL(), "sqlite")


class Uid(TypeDecorator[UUID]):
    """A UUID: native where the database has the type, 32 hexadecimal digits where it has not; both sort alike."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the column type."""
        return dialect.type_descriptor(Uuid() if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: UUID | None, dialect: Dialect) -> Any:
        """Write."""
        return value if value is None or dialect.name == "postgresql" else value.hex

    def process_result_value(self, value: Any | None, dialect: Dialect) -> UUID | None:
        """Read."""
        return value if value is None or dialect.name == "postgresql" else UUID(value)


def _id() -> Column[int]:
    return Column("id", INT, primary_key=True)


def _int(name: str, *, default: int | None = None, nullable: bool = False) -> Column[int]:
    return Column(name, INT, nullable=nullable, server_default=None if default is None else text(str(default)))


def _float(name: str, *, nullable: bool = False) -> Column[float]:
    return Column(name, FLOAT, nullable=nullable)


def _text(name: str, *, default: str | None = None, nullable: bool = False) -> Column[str]:
    return Column(name, Text(), nullable=nullable, server_default=default)


def _to(name: str, target: str, *, default: int | None = None, nullable: bool = False) -> Column[int]:
    server_default = None if default is None else text(str(default))
    return Column(name, INT, ForeignKey(target, ondelete="RESTRICT"), nullable=nullable, server_default=server_default)


def _one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(repr(value) for value in values)})", name=f"{column}_known")


def _yes_no(column: str) -> CheckConstraint:
    return CheckConstraint(f"{column} IN (0, 1)", name=f"{column}_yes_no")


def _table(name: str, *items: Any, rowid: bool = True) -> Table:
    return Table(name, metadata, *items, sqlite_strict=True, sqlite_with_rowid=rowid)


# --------------------------------------------------------------------------------------------------------- dimensions

instrument = _table(
    "instrument", _id(), _text("name"), _float("rollover_s"), _text("camera_name"), UniqueConstraint("name")
)

detector = _table(
    "detector",
    _id(),
    _to("instrument_id", "instrument.id"),
    _int("number"),
    _text("name"),
    _text("serial"),
    _text("purpose"),
    UniqueConstraint("instrument_id", "number"),
)

physical_filter = _table(
    "physical_filter",
    _id(),
    _to("instrument_id", "instrument.id"),
    _text("name"),
    _text("band"),
    UniqueConstraint("instrument_id", "name"),
)

readout_mode = _table("readout_mode", _id(), _text("canonical"), _text("sha256"), UniqueConstraint("sha256"))

exposure = _table(
    "exposure",
    _id(),
    _to("instrument_id", "instrument.id"),
    _int("number"),
    _text("obs_id"),
    _int("day_obs"),
    _int("seq_num"),
    _to("filter_id", "physical_filter.id"),
    _to("mode_id", "readout_mode.id"),
    _text("obs_type"),
    _text("object_name"),
    _int("begin_ns"),
    _int("end_ns"),
    _int("mid_ns"),
    _float("exposure_time_s"),
    _float("dark_time_s", nullable=True),
    _float("ra_deg", nullable=True),
    _float("dec_deg", nullable=True),
    _text("attrs"),
    CheckConstraint("begin_ns <= mid_ns AND mid_ns <= end_ns", name="times_in_order"),
    UniqueConstraint("instrument_id", "number"),
    Index(None, "instrument_id", "day_obs", "seq_num"),
    Index(None, "instrument_id", "mid_ns"),
)

# ---------------------------------------------------------------------------------------------- types and collections

dataset_type = _table(
    "dataset_type",
    _id(),
    _text("name"),
    _int("dimensions"),  # bit i is set if DIMENSIONS[i] is declared
    _text("formatter"),
    _int("is_calibration"),
    _text("on_missing"),
    _yes_no("is_calibration"),
    _one_of("on_missing", ON_MISSING),
    UniqueConstraint("name"),
)

collection = _table(
    "collection",
    _id(),
    _text("name"),
    _text("kind"),
    _text("doc"),
    _text("owner"),
    _int("created_ns"),
    _int("frozen", default=0),
    _one_of("kind", COLLECTION_KINDS),
    _yes_no("frozen"),
    UniqueConstraint("name"),
)

collection_chain = _table(
    "collection_chain",
    _to("parent_id", "collection.id"),
    _int("position"),
    _to("child_id", "collection.id"),
    CheckConstraint("parent_id <> child_id", name="not_itself"),
    PrimaryKeyConstraint("parent_id", "position"),
    UniqueConstraint("parent_id", "child_id"),
    rowid=False,
)

run = _table(
    "run",
    Column("collection_id", INT, ForeignKey("collection.id", ondelete="RESTRICT"), primary_key=True),
    _text("host"),
    _text("flow_run"),  # how the engine calls the run that made it; empty outside an engine
    _int("started_ns"),
)

# ----------------------------------------------------------------------------------------------------------- datasets


def _data_id() -> tuple[Column[int], ...]:
    return (
        _to("instrument_id", "instrument.id"),
        _to("exposure_id", "exposure.id"),
        _to("detector_id", "detector.id"),
        _to("filter_id", "physical_filter.id"),
    )


DATA_ID = ("instrument_id", "exposure_id", "detector_id", "filter_id")

dataset = _table(
    "dataset",
    _id(),
    Column("uuid", Uid(), nullable=False),
    _to("type_id", "dataset_type.id"),
    _to("run_id", "collection.id"),
    *_data_id(),
    _text("status"),
    _int("created_ns"),
    _one_of("status", DATASET_STATUSES),
    UniqueConstraint("uuid"),
    UniqueConstraint("run_id", "type_id", *DATA_ID, name="uq_dataset_identity"),
    Index(None, "exposure_id", "type_id", "detector_id"),
)

artifact = _table(
    "artifact",
    Column("dataset_id", INT, ForeignKey("dataset.id", ondelete="CASCADE"), primary_key=True),
    _text("path"),  # relative to the datastore; absolute if the file was left in place
    _int("in_place"),
    _int("size"),
    _text("sha256"),
    _text("content_sha256"),
    _yes_no("in_place"),
    Index(None, "sha256"),
)
Index(
    "uq_artifact_path",
    artifact.c.path,
    unique=True,
    sqlite_where=artifact.c.in_place == 0,
    postgresql_where=artifact.c.in_place == 0,
)

dataset_tag = _table(
    "dataset_tag",
    _to("collection_id", "collection.id"),
    _to("type_id", "dataset_type.id"),
    *_data_id(),
    _to("dataset_id", "dataset.id"),
    PrimaryKeyConstraint("collection_id", "type_id", *DATA_ID),
    Index(None, "dataset_id"),
    rowid=False,
)

# ------------------------------------------------------------------------------------------------ validity and events

registry_event = _table(
    "registry_event",
    Column("seq", INT, primary_key=True, autoincrement=False),
    _int("at_ns"),
    _text("actor"),
    _text("kind"),
    _text("reason"),
    _text("payload"),
    _text("prev_hash"),
    _text("hash"),
    UniqueConstraint("hash"),
)

calib_validity = _table(
    "calib_validity",
    _id(),
    _to("collection_id", "collection.id"),
    _to("type_id", "dataset_type.id"),
    _to("instrument_id", "instrument.id"),
    _to("detector_id", "detector.id"),
    _to("filter_id", "physical_filter.id"),
    _to("mode_id", "readout_mode.id"),
    _int("begin_ns"),
    _int("end_ns"),
    _to("dataset_id", "dataset.id"),
    _to("certified_at", "registry_event.seq"),
    _int("revoked_at", default=OPEN_ENDED),  # a registry_event.seq, or OPEN_ENDED
    CheckConstraint("begin_ns < end_ns", name="begins_before_it_ends"),
    CheckConstraint("certified_at < revoked_at", name="certified_before_revoked"),
    # A whole index, not one WHERE revoked_at is open: asking what was valid in the past must be as fast as asking
    # what is.
    Index(
        "ix_calib_validity_lookup",
        *("type_id", "collection_id", "instrument_id", "detector_id", "filter_id", "mode_id", "revoked_at"),
        *("begin_ns", "end_ns", "certified_at", "dataset_id"),
    ),
    Index(None, "dataset_id"),
)

# --------------------------------------------------------------------------------------------------- work and lineage

config_blob = _table("config_blob", _id(), _text("sha256"), _text("canonical"), UniqueConstraint("sha256"))

software_env = _table("software_env", _id(), _text("sha256"), _text("canonical"), UniqueConstraint("sha256"))

calib_set = _table("calib_set", _id(), _text("sha256"), UniqueConstraint("sha256"))

calib_set_member = _table(
    "calib_set_member",
    _to("set_id", "calib_set.id"),
    _text("role"),
    _to("dataset_id", "dataset.id"),
    _to("validity_id", "calib_validity.id", nullable=True),  # NULL if it came from a RUN or TAGGED collection
    _to("collection_id", "collection.id"),
    _text("warning", nullable=True),
    PrimaryKeyConstraint("set_id", "role"),
    Index(None, "dataset_id", "set_id"),
    rowid=False,
)

quantum = _table(
    "quantum",
    _id(),
    Column("uuid", Uid(), nullable=False),
    _to("run_id", "collection.id"),
    _text("task"),
    *_data_id(),
    _to("config_id", "config_blob.id"),
    _to("software_id", "software_env.id"),
    _to("calib_set_id", "calib_set.id"),
    _text("content_key"),
    _text("state"),
    _text("reason", nullable=True),  # why it was skipped
    _int("attempt", default=0),
    _int("retriable", default=1),
    _text("worker", nullable=True),
    _int("lease_until_ns", nullable=True),
    _one_of("state", QUANTUM_STATES),
    _yes_no("retriable"),
    CheckConstraint(
        "(state = 'leased') = (worker IS NOT NULL AND lease_until_ns IS NOT NULL)", name="leased_by_somebody"
    ),
    CheckConstraint("(state = 'skipped') = (reason IS NOT NULL)", name="skipped_for_a_reason"),
    UniqueConstraint("uuid"),
    UniqueConstraint("run_id", "task", *DATA_ID, name="uq_quantum_identity"),
    Index(None, "content_key"),
    Index(None, "calib_set_id", "run_id"),
    Index(None, "state", "run_id"),
)

quantum_attempt = _table(
    "quantum_attempt",
    _to("quantum_id", "quantum.id"),
    _int("number"),
    _text("worker"),
    _text("host"),
    _text("outcome"),
    _int("started_ns"),
    _int("ended_ns", nullable=True),
    _text("error_kind", nullable=True),
    _text("error_message", nullable=True),
    _text("traceback_text", nullable=True),
    _float("seconds", nullable=True),
    _float("cpu_s", nullable=True),
    _int("peak_rss_bytes", nullable=True),
    _text("metrics", nullable=True),
    _one_of("outcome", ATTEMPT_OUTCOMES),
    PrimaryKeyConstraint("quantum_id", "number"),
    rowid=False,
)

quantum_input = _table(
    "quantum_input",
    _to("quantum_id", "quantum.id"),
    _text("role"),
    _to("dataset_id", "dataset.id"),
    PrimaryKeyConstraint("quantum_id", "role"),
    Index(None, "dataset_id", "quantum_id"),
    rowid=False,
)

quantum_output = _table(
    "quantum_output",
    Column("dataset_id", INT, ForeignKey("dataset.id", ondelete="CASCADE"), primary_key=True),
    _to("quantum_id", "quantum.id"),
    _text("role"),
    Index(None, "quantum_id"),
)

journal = _table(
    "journal",
    _id(),
    _text("op"),
    _to("dataset_id", "dataset.id"),
    _to("quantum_id", "quantum.id", nullable=True),
    _text("role"),
    _text("tmp_path", nullable=True),
    _text("final_path"),
    _int("size", nullable=True),
    _text("sha256", nullable=True),
    _text("content_sha256", nullable=True),
    _text("payload", nullable=True),  # JSON: what recovery needs to finish the work
    _text("owner"),  # the process that is at it
    _int("lease_until_ns"),
    _int("created_ns"),
    _one_of("op", JOURNAL_OPS),
    UniqueConstraint("dataset_id"),
)
