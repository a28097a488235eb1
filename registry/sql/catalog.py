"""What a database's schema is, in words that can be compared: one definition for each table, index, guard and view."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlalchemy import Connection


@dataclass(frozen=True, slots=True, order=True)
class Item:
    """A part of a schema: ``table``, ``column``, ``constraint``, ``index``, ``trigger``, ``function`` or ``view``."""

    kind: str
    name: str
    """With the table it belongs to, where it belongs to one: ``dataset.uuid``."""


def describe(connection: Connection) -> dict[Item, str]:
    """Return the definition of every part of the schema in which the connection works."""
    return _of_postgresql(connection) if connection.dialect.name == "postgresql" else _of_sqlite(connection)


def statement_for(item: Item, definition: str, dialect: str) -> str | None:
    """Return the SQL that makes a part, if one statement does; SQLite cannot add constraints to a table."""
    if item.kind in {"index", "trigger", "function", "view"}:
        return definition
    if item.kind == "constraint" and dialect == "postgresql":
        table, name = item.name.split(".", 1)
        return f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}"
    return None


def spelled(connection: Connection, statement: str) -> str:
    """Return a statement as the driver takes it as it is: psycopg takes percent signs for places of values."""
    return statement.replace("%", "%%") if connection.dialect.name == "postgresql" else statement


def _of_sqlite(connection: Connection) -> dict[Item, str]:
    query = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
    found: dict[Item, str] = {}
    for kind, name, table, text in connection.exec_driver_sql(query).all():
        if kind == "table":
            found |= _constraints_in(name, text)
            for row in connection.exec_driver_sql(f'PRAGMA table_xinfo("{name}")').mappings():
                default = "" if row["dflt_value"] is None else f" DEFAULT {row['dflt_value']}"
                found[Item("column", f"{name}.{row['name']}")] = (
                    row["type"] + (" NOT NULL" if row["notnull"] else "") + default
                )
        else:
            found[Item(kind, name if kind == "view" else f"{table}.{name}")] = text
    return found


def _constraints_in(table: str, text: str) -> dict[Item, str]:
    """Read the constraints of a table, a line each as SQLAlchemy writes them, and the words at the end."""
    lines = [line.strip().rstrip(",").strip() for line in text.splitlines()]
    found = {Item("table", table): " ".join(line for line in lines if line.startswith(")"))}
    for line in lines:
        if line.startswith("CONSTRAINT"):
            _, name, definition = line.split(maxsplit=2)
            found[Item("constraint", f"{table}.{name}")] = definition
    return found


_POSTGRESQL = {
    "table": "SELECT relname, 'table' FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = {schema}",
    "column": (
        "SELECT c.relname || '.' || a.attname, format_type(a.atttypid, a.atttypmod)"
        " || coalesce(' COLLATE ' || nullif(o.collname, 'default'), '')"
        " || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END"
        " || coalesce(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), '')"
        " FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid"
        " LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum"
        " LEFT JOIN pg_collation AS o ON o.oid = a.attcollation"
        " WHERE c.relkind IN ('r', 'p') AND c.relnamespace = {schema} AND a.attnum > 0 AND NOT a.attisdropped"
    ),
    "constraint": (
        "SELECT c.relname || '.' || k.conname, pg_get_constraintdef(k.oid)"
        " FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid"
        " WHERE c.relnamespace = {schema} AND k.contype <> 'n' AND c.relkind IN ('r', 'p')"
    ),
    "index": (
        "SELECT t.relname || '.' || i.relname, pg_get_indexdef(x.indexrelid)"
        " FROM pg_index AS x JOIN pg_class AS i ON i.oid = x.indexrelid JOIN pg_class AS t ON t.oid = x.indrelid"
        " LEFT JOIN pg_constraint AS k ON k.conindid = x.indexrelid AND k.contype IN ('p', 'u', 'x')"
        " WHERE i.relnamespace = {schema} AND k.oid IS NULL"
    ),
    "trigger": (
        "SELECT c.relname || '.' || g.tgname, pg_get_triggerdef(g.oid) ||"
        " CASE WHEN g.tgenabled = 'O' THEN '' ELSE ' (disabled)' END"
        " FROM pg_trigger AS g JOIN pg_class AS c ON c.oid = g.tgrelid"
        " WHERE c.relnamespace = {schema} AND NOT g.tgisinternal"
    ),
    "function": "SELECT proname, pg_get_functiondef(oid) FROM pg_proc WHERE prokind = 'f' AND pronamespace = {schema}",
    "view": (
        "SELECT relname, 'CREATE VIEW ' || relname || ' AS ' || pg_get_viewdef(oid)"
        " FROM pg_class WHERE relkind = 'v' AND relnamespace = {schema}"
    ),
}


def _of_postgresql(connection: Connection) -> dict[Item, str]:
    schema = str(connection.exec_driver_sql("SELECT current_schema()").scalar_one())
    found: dict[Item, str] = {}
    for kind, query in _POSTGRESQL.items():
        for name, text in connection.exec_driver_sql(query.format(schema="current_schema()::regnamespace")):
            found[Item(kind, name)] = re.sub(rf"\b{re.escape(schema)}\.|\"{re.escape(schema)}\"\.", "", text).strip()
    return found
