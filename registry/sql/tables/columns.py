"""How columns are made, so that SQLite and PostgreSQL hold the same values; and the words that rows may use."""

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
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    Uuid,
    text,
)
from sqlalchemy.types import TypeEngine

NOT_APPLICABLE = 0
"""Id of the sentinel row of instrument, detector, physical_filter, readout_mode and exposure."""
OPEN_ENDED = 2**62
"""`revoked_at` or `removed_at` of a row that still counts."""

COLLECTION_KINDS = ("RUN", "TAGGED", "CHAINED", "CALIBRATION")
DATASET_STATUSES = ("STAGED", "LIVE", "MISSING", "DELETING", "PURGED")
ON_MISSING = ("error", "skip", "optional")
POLICIES = (*ON_MISSING, "nearest")
MATCH_KINDS = ("valid", "always", "nearest")
DATASET_MARKS = ("bad", "missing", "deleted")
QUALITY_FLAGS = ("bad", "suspect")
REPLAY_VERDICTS = ("reproduced", "differs", "impossible")
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
# By bytes, as in SQLite: the order of names, and of pages of them, must not depend on the language of the server.
TEXT = Text().with_variant(Text(collation="C"), "postgresql")


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


def key() -> Column[int]:
    """Make the integer that a row is known by inside."""
    return Column("id", INT, primary_key=True)


def whole(name: str, *, default: int | None = None, nullable: bool = False) -> Column[int]:
    """Make a whole number."""
    return Column(name, INT, nullable=nullable, server_default=None if default is None else text(str(default)))


def real(name: str, *, nullable: bool = False) -> Column[float]:
    """Make a real number."""
    return Column(name, FLOAT, nullable=nullable)


def words(name: str, *, default: str | None = None, nullable: bool = False) -> Column[str]:
    """Make a text."""
    return Column(name, TEXT, nullable=nullable, server_default=default)


def refers(name: str, target: str, *, default: int | None = None, nullable: bool = False) -> Column[int]:
    """Make the key of a row of another table, which then cannot be deleted."""
    server_default = None if default is None else text(str(default))
    return Column(name, INT, ForeignKey(target, ondelete="RESTRICT"), nullable=nullable, server_default=server_default)


def one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    """Insist that a text is one of a few."""
    return CheckConstraint(f"{column} IN ({', '.join(repr(value) for value in values)})", name=f"{column}_known")


def yes_no(column: str) -> CheckConstraint:
    """Insist on a truth value, 0 or 1: SQLite has no other."""
    return CheckConstraint(f"{column} IN (0, 1)", name=f"{column}_yes_no")


def table(name: str, *items: Any, rowid: bool = True) -> Table:
    """Make a table of the registry; strict about types where SQLite would not be."""
    return Table(name, metadata, *items, sqlite_strict=True, sqlite_with_rowid=rowid)


def data_id() -> tuple[Column[int], ...]:
    """Return the columns that say what a dataset or a quantum is about."""
    return (
        refers("instrument_id", "instrument.id"),
        refers("exposure_id", "exposure.id"),
        refers("detector_id", "detector.id"),
        refers("filter_id", "physical_filter.id"),
    )


DATA_ID = ("instrument_id", "exposure_id", "detector_id", "filter_id")
