"""Comparing the schema that a database has with the one that the migrations make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from registry.migrate import create_database, run_migrations
from registry.sql.address import Address, database_address, spoken
from registry.sql.catalog import Item, describe, spelled, statement_for
from registry.sql.database import HEAD, make_engine, read, revision_of, scratch_schema, write, wrong_version

_ORDER = ("function", "constraint", "index", "trigger", "view")
"""What is made first: triggers call functions."""
_RESTORE = "restore the database from a backup: no single command makes this again"


@dataclass(frozen=True, slots=True)
class Difference:
    """A part of the schema that is ``missing``, ``changed`` or ``unexpected``; `fix` is what mends it."""

    kind: str
    name: str
    problem: str
    found: str | None
    wanted: str | None
    fix: str
    statements: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SchemaReport:
    """What a database's schema should be and is."""

    database: str
    revision: str | None
    wanted: str
    differences: tuple[Difference, ...]
    fix: str | None = None

    @property
    def is_sound(self) -> bool:
        """Whether it is what this program works with."""
        return self.revision == self.wanted and not self.differences

    def render(self) -> str:
        """Return the report as text."""
        if self.revision != self.wanted:
            return (
                f"schema {self.revision} in {self.database}; wanted by this program: {self.wanted}\n  fix: {self.fix}"
            )
        if not self.differences:
            return f"schema {self.revision} in {self.database}: as the migrations make it"
        lines = [f"schema {self.revision} in {self.database} is not as the migrations make it:"]
        for one in self.differences:
            lines += [f"  {one.kind} {one.name} {one.problem}", f"    fix: {one.fix}"]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return the same facts for JSON."""
        return {**asdict(self), "differences": [asdict(one) for one in self.differences], "is_sound": self.is_sound}


def check_schema(where: Path | str | Address) -> SchemaReport:
    """Compare the tables, columns, constraints, indexes, guards and views of a database with what they should be.

    Nothing is changed; on PostgreSQL the right to make a schema in the database is needed, for the one to compare with.

    Raises
    ------
    UnavailableError
        If the database cannot be opened, or is no registry.
    """
    address = database_address(where)
    engine = make_engine(address)
    try:
        with read(engine) as connection:
            revision, found = revision_of(connection), describe(connection)
        place = spoken(engine)
        if revision != HEAD:
            return SchemaReport(place, revision, HEAD, (), wrong_version(revision, place).fix)
        if isinstance(address, Path):
            wanted = _made_in_a_file()
        else:
            with scratch_schema(engine) as connection:
                run_migrations(connection)
                wanted = describe(connection)
    finally:
        engine.dispose()
    return SchemaReport(place, revision, HEAD, tuple(_differences(found, wanted, engine.dialect.name)))


def mend_schema(where: Path | str | Address) -> list[Difference]:
    """Make again what is missing or changed, as far as statements can, in one transaction; return what was mended.

    Raises
    ------
    ConflictError
        If rows that are there contradict a constraint that is missing; nothing is changed then.
    UnavailableError
        If the database cannot be opened or written.
    """
    todo = [one for one in check_schema(where).differences if one.statements]
    engine = make_engine(where)
    try:
        with write(engine, durable=True) as connection:
            for one in sorted(todo, key=lambda one: _ORDER.index(one.kind)):
                for statement in one.statements:
                    connection.exec_driver_sql(spelled(connection, statement))
    finally:
        engine.dispose()
    return todo


def _made_in_a_file() -> dict[Item, str]:
    """Return the schema of a new SQLite registry."""
    with TemporaryDirectory(prefix="isrflow-schema-") as folder:
        engine = make_engine(create_database(Path(folder) / "registry.sqlite3"))
        try:
            with read(engine) as connection:
                return describe(connection)
        finally:
            engine.dispose()


def _differences(found: Mapping[Item, str], wanted: Mapping[Item, str], dialect: str) -> list[Difference]:
    """Return what differs; what others keep beside our tables is none of our business."""
    tables = {item.name for item in wanted if item.kind == "table"}
    ours = {item for item in found if item in wanted or _table_of(item) in tables}
    lost = {item.name for item in wanted if item.kind == "table" and item not in found}
    differences = []
    for item in sorted(ours | set(wanted)):
        have, want = found.get(item), wanted.get(item)
        if have == want or (item.kind != "table" and _table_of(item) in lost):
            continue
        problem = "is missing" if have is None else "is unexpected" if want is None else "is not what it should be"
        statements = _mending(item, have, want, dialect)
        fix = _fix(item, want, statements, dialect)
        differences.append(Difference(item.kind, item.name, problem, have, want, fix, tuple(statements)))
    return differences


def _table_of(item: Item) -> str | None:
    """Return the table that a part belongs to; functions and views belong to none."""
    return item.name.split(".", 1)[0] if "." in item.name else None


def _mending(item: Item, have: str | None, want: str | None, dialect: str) -> list[str]:
    """Return the statements that make a part what it should be; none if no statement can."""
    make = None if want is None else statement_for(item, want, dialect)
    if make is None:
        return []
    return [make] if have is None or item.kind == "function" else [_drop(item, dialect), make]


def _fix(item: Item, want: str | None, statements: Sequence[str], dialect: str) -> str:
    """Return what to do about a part."""
    if statements:
        return "isrflow db check --mend"
    if want is None and item.kind not in {"table", "function"}:
        return f"{_drop(item, dialect)}" + (" (or keep it: it does no harm)" if item.kind == "index" else "")
    return _RESTORE


def _drop(item: Item, dialect: str) -> str:
    table, _, name = item.name.rpartition(".")
    if item.kind in {"constraint", "column"}:
        return f"ALTER TABLE {table} DROP {item.kind.upper()} {name}"
    on_table = f" ON {table}" if item.kind == "trigger" and dialect == "postgresql" else ""
    return f"DROP {item.kind.upper()} {name}{on_table}"
