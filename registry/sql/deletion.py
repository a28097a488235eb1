"""Rows of datasets that are being deleted, and of those that were: DELETING with an entry in the journal, then PURGED.

A purged dataset keeps its id, its data id, the record of its file with both hashes, and its place in provenance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select, update

from registry.owner import is_dead
from registry.refs import DatasetRef
from registry.sql import tables as t
from registry.sql.bulk import chunks, insert_rows
from registry.sql.datasets import dataset_rows, refs_by_row
from registry.times import SECOND_NS, now_ns

LEASE_S = 600
"""How long a deletion is left to processes that cannot be looked up."""


@dataclass(frozen=True, slots=True)
class Deletion:
    """A dataset whose file is being removed, and by whom."""

    row: int
    ref: DatasetRef
    owner: str
    lease_until_ns: int

    @property
    def is_abandoned(self) -> bool:
        """Whether its owner is dead, or has not finished in time (which is all that is known of other machines)."""
        return is_dead(self.owner) or self.lease_until_ns < now_ns()


def open_deletions(connection: Connection, refs: Sequence[DatasetRef], owner: str) -> list[Deletion]:
    """Announce the deletion of datasets, or take over one that was begun."""
    rows = dataset_rows(connection, [ref.id for ref in refs])
    until = now_ns() + LEASE_S * SECOND_NS
    for some in chunks(sorted(rows.values())):
        connection.execute(update(t.dataset).where(t.dataset.c.id.in_(some)).values(status="DELETING"))
        connection.execute(delete(t.journal).where(t.journal.c.dataset_id.in_(some)))
    entries = [
        {"op": "DELETE", "dataset_id": rows[ref.id], "role": ref.type, "final_path": ref.path or ""}
        | {"size": ref.size, "sha256": ref.sha256, "owner": owner, "lease_until_ns": until, "created_ns": now_ns()}
        for ref in refs
    ]
    insert_rows(connection, t.journal, entries)
    return [Deletion(rows[ref.id], ref, owner, until) for ref in refs]


def deletions(connection: Connection, rows: Sequence[int] | None = None) -> list[Deletion]:
    """Return the deletions under way, of some datasets or all, oldest first."""
    j = t.journal.c
    query = select(j.dataset_id, j.owner, j.lease_until_ns).where(j.op == "DELETE").order_by(j.id)
    queries = [query] if rows is None else [query.where(j.dataset_id.in_(some)) for some in chunks(sorted(set(rows)))]
    found = [row for one in queries for row in connection.execute(one)]
    refs = refs_by_row(connection, [row.dataset_id for row in found])
    return [Deletion(row.dataset_id, refs[row.dataset_id], row.owner, row.lease_until_ns) for row in found]


def close_deletions(connection: Connection, done: Sequence[Deletion]) -> None:
    """Leave the tombstones of datasets whose files are gone; harmless if somebody else did."""
    d, j = t.dataset.c, t.journal.c
    for some in chunks([deletion.row for deletion in done]):
        purged = update(t.dataset).where(d.id.in_(some), d.status == "DELETING")
        connection.execute(purged.values(status="PURGED"))
        connection.execute(delete(t.journal).where(j.dataset_id.in_(some), j.op == "DELETE"))


def owners_of(connection: Connection, paths: Sequence[str]) -> dict[str, str]:
    """Return, of files in the datastore, the status of the dataset each belongs to; STAGED if it is being written."""
    a, d, j = t.artifact.c, t.dataset.c, t.journal.c
    found: dict[str, str] = {}
    for some in chunks(paths):
        stored = select(a.path, d.status).join(t.dataset, d.id == a.dataset_id).where(a.path.in_(some))
        found |= {row.path: row.status for row in connection.execute(stored)}
        for column in (j.tmp_path, j.final_path):
            found |= dict.fromkeys(connection.execute(select(column).where(column.in_(some))).scalars(), "STAGED")
    return found
