"""How the database means to answer: every statement that a piece of work runs, with its plan, on either engine.

SQLite plans alike for small tables and large ones. PostgreSQL reads small tables whole, and rightly; so it is asked
with its ways of reading and joining whole tables switched off: what it reads whole even then, it has no other way to.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import event

HOT = frozenset({
    *("exposure", "dataset", "artifact", "calib_validity", "dataset_tag", "dataset_mark"),
    *("quantum", "quantum_attempt", "quantum_input", "quantum_output"),
    *("calib_set_member", "registry_event"),
})  # fmt: skip
"""Tables that grow with the nights."""


@dataclass
class Plan:
    """A statement, how it is carried out, and the hot tables that are read from end to end for it."""

    statement: str
    lines: list[str]
    scanned: set[str] = field(default_factory=set)

    def __str__(self) -> str:
        text = " ".join(self.statement.split())
        text = text if len(text) < 900 else text[:600] + " ... " + text[-300:]
        return "\n".join([f"{text}", *(f"      {line}" for line in self.lines)])


@contextmanager
def plans_of(engine) -> Iterator[list[Plan]]:
    """Collect the plans of all statements that are run meanwhile, each where it is run, before it is."""
    found: list[Plan] = []
    seen: set[str] = set()

    def look(connection, _cursor, statement, parameters, _context, many) -> None:
        if many or statement in seen or not re.match(r"\s*(SELECT|WITH|UPDATE|DELETE)", statement):
            return
        seen.add(statement)
        explain = {"sqlite": _explain_sqlite, "postgresql": _explain_postgresql}[connection.dialect.name]
        found.append(explain(connection.connection.dbapi_connection, statement, parameters))

    event.listen(engine, "before_cursor_execute", look)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", look)


def _explain_sqlite(driver, statement: str, parameters) -> Plan:
    lines = [row[3] for row in driver.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)]
    names = dict(re.findall(r'"?(\w+)"? AS "?(\w+)"?', statement))
    table_of = {alias: table for table, alias in names.items()}
    scanned = {match[1] for line in lines if (match := re.match(r"SCAN (?:TABLE )?(\w+)", line))}
    return Plan(statement, lines, {table_of.get(name, name) for name in scanned} & HOT)


def _explain_postgresql(driver, statement: str, parameters) -> Plan:
    with driver.cursor() as cursor:
        for way in ("seqscan", "hashjoin", "mergejoin"):
            cursor.execute(f"SET LOCAL enable_{way} = off")
        cursor.execute(f"EXPLAIN (FORMAT JSON) {statement}", parameters)
        (document,) = cursor.fetchone()
        for way in ("seqscan", "hashjoin", "mergejoin"):
            cursor.execute(f"SET LOCAL enable_{way} = on")
    (root,) = json.loads(document) if isinstance(document, str) else document
    plan = Plan(statement, [])
    _walk(root["Plan"], plan, 0, limited=False)
    return plan


def _walk(node: dict, plan: Plan, depth: int, *, limited: bool) -> None:
    """Write a node down. An index read without a condition is the whole table, unless a LIMIT above ends it soon."""
    table, condition = node.get("Relation Name"), node.get("Index Cond")
    words = [node["Node Type"], table or "", node.get("Index Name", ""), f"({condition})" if condition else ""]
    plan.lines.append("  " * depth + " ".join(filter(None, words)) + f" rows={node['Plan Rows']}")
    whole = node["Node Type"] == "Seq Scan"
    whole |= "Index" in node["Node Type"] and "Bitmap" not in node["Node Type"] and not condition and not limited
    if whole and table in HOT:
        plan.scanned.add(table)
    for child in node.get("Plans", ()):
        _walk(child, plan, depth + 1, limited=node["Node Type"] == "Limit" or (limited and len(node["Plans"]) == 1))
