"""Questions that only `registry.audit` asks: rows that contradict each other, what should have a file."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import ColumnElement, Connection, func, select

from registry.refs import DatasetRef
from registry.sql import tables as t
from registry.sql.datasets import load_refs
from registry.sql.events import verify_chain
from registry.sql.validity_seal import verify_validity


def datasets_with_files(connection: Connection) -> list[DatasetRef]:
    """Return the datasets that should have a file."""
    return load_refs(connection, t.dataset.c.status.in_(("LIVE", "MISSING")), t.artifact.c.path.is_not(None))


def known_paths(connection: Connection) -> set[str | None]:
    """Return the paths of all files that are stored, or being written under a temporary and a final name."""
    c = t.journal.c
    stored: set[str | None] = set(connection.execute(select(t.artifact.c.path)).scalars())
    return stored | {path for row in connection.execute(select(c.tmp_path, c.final_path)) for path in row}


def dangling_rows(connection: Connection) -> list[tuple[str, str]]:
    """Return datasets and quanta whose rows contradict each other, with what is wrong."""
    d, a, j, q, o = t.dataset.c, t.artifact.c, t.journal.c, t.quantum.c, t.quantum_output.c
    found = [
        *_described(connection, "LIVE without a record of its file", d.status == "LIVE", a.path.is_(None)),
        *_described(
            connection, "STAGED, but nobody is writing it", d.status == "STAGED", d.id.not_in(select(j.dataset_id))
        ),
    ]
    idle = connection.execute(select(q.uuid, q.task).where(q.state == "done", q.id.not_in(select(o.quantum_id))))
    return found + [(f"quantum {row.uuid.hex[:8]} ({row.task})", "done, but it made nothing") for row in idle]


def broken_log(connection: Connection) -> list[str]:
    """Return every break in the chain of events, and every validity row that contradicts it."""
    return [*verify_chain(connection), *verify_validity(connection)]


def count_events(connection: Connection) -> int:
    """Return how many events there are."""
    return int(connection.execute(select(func.count()).select_from(t.registry_event)).scalar_one())


def _described(connection: Connection, problem: str, *where: ColumnElement[bool]) -> Iterator[tuple[str, str]]:
    for ref in load_refs(connection, *where):
        yield str(ref), problem
