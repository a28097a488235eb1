"""The journal: which datasets are being written, by whom, and where their files are. Normally empty.

A row is fenced by its temporary path, which is new for every claim: whoever finds it changed has lost the claim.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, and_, bindparam, case, delete, insert, select, update

from registry.datastore.base import Fingerprint
from registry.errors import ConflictError
from registry.owner import is_dead
from registry.refs import DatasetRef
from registry.sql import tables as t
from registry.sql.bulk import chunks, insert_rows
from registry.sql.events import latest
from registry.times import now_ns

LEASE_S = 600
"""How long a claim holds against processes that cannot tell whether its owner is alive."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A dataset being written. `size` and both hashes are known as soon as its temporary file is complete."""

    id: int
    dataset_id: int
    uuid: UUID
    type: str
    status: str
    """Of the dataset: STAGED while it is new."""
    quantum_id: int | None
    role: str
    tmp_path: str
    final_path: str
    size: int | None
    sha256: str | None
    content_sha256: str | None
    known_content_sha256: str | None
    """Content of a dataset that was published before."""
    payload: str | None
    owner: str
    lease_until_ns: int

    @property
    def fingerprint(self) -> Fingerprint | None:
        """What the file must be, once that is known."""
        return None if self.size is None or self.sha256 is None else Fingerprint(self.size, self.sha256)

    @property
    def is_abandoned(self) -> bool:
        """Whether its owner is dead, or has not finished in time (which is all that is known of other machines)."""
        return is_dead(self.owner) or self.lease_until_ns < now_ns()


@dataclass(frozen=True, slots=True)
class Sealed:
    """What was written for an entry."""

    file: Fingerprint
    content_sha256: str


def entries(connection: Connection, dataset_ids: Sequence[int] | None = None) -> list[Entry]:
    """Return the entries of some datasets, or all, oldest first."""
    if dataset_ids is None:
        return _select(connection)
    found = [e for some in chunks(dataset_ids) for e in _select(connection, t.journal.c.dataset_id.in_(some))]
    return sorted(found, key=lambda entry: entry.id)


def open_entries(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add entries, or take over those there are for the same datasets."""
    for some in chunks([row["dataset_id"] for row in rows]):
        connection.execute(delete(t.journal).where(t.journal.c.dataset_id.in_(some)))
    insert_rows(connection, t.journal, [_put(row) for row in rows])


def announce(connection: Connection, refs: Sequence[DatasetRef], rows: Sequence[Mapping[str, Any]]) -> list[Entry]:
    """Add the entries of new datasets, and return them in their order."""
    c = t.journal.c
    added = connection.execute(insert(t.journal).returning(c.tmp_path, c.id), [_put(row) for row in rows])
    ids = {row.tmp_path: row.id for row in added}
    return [
        Entry(
            id=ids[row["tmp_path"]],
            dataset_id=row["dataset_id"],
            uuid=ref.id,
            type=ref.type,
            status="STAGED",
            quantum_id=row["quantum_id"],
            role=row["role"],
            tmp_path=row["tmp_path"],
            final_path=row["final_path"],
            size=None,
            sha256=None,
            content_sha256=None,
            known_content_sha256=None,
            payload=None,
            owner=row["owner"],
            lease_until_ns=row["lease_until_ns"],
        )
        for ref, row in zip(refs, rows, strict=True)
    ]


def seal(connection: Connection, claimed: Sequence[Entry], sealed: Mapping[str, Sealed], payload: str | None) -> None:
    """Record, by temporary path, what was written; `payload` is what recovery needs to finish the work."""
    c = t.journal.c
    statement = update(t.journal).where(c.id == bindparam("which"), c.tmp_path == bindparam("tmp"))
    id_of = {entry.tmp_path: entry.id for entry in claimed}
    rows = [
        {
            "which": id_of[tmp],
            "tmp": tmp,
            "size": s.file.size,
            "sha256": s.file.sha256,
            "content_sha256": s.content_sha256,
            "payload": payload,
        }
        for tmp, s in sealed.items()
    ]
    if not rows:
        return
    written = connection.execute(statement, rows[0] if len(rows) == 1 else rows).rowcount
    if written != len(rows):
        refuse_if_lost(connection, list(sealed))


def take_over(connection: Connection, found: Sequence[Entry], owner: str, lease_until_ns: int) -> bool:
    """Become the owner of entries, all or none: False if any has changed since it was read."""
    c = t.journal.c
    now = {(entry.tmp_path, entry.owner) for entry in entries(connection, [entry.dataset_id for entry in found])}
    if any((entry.tmp_path, entry.owner) not in now for entry in found):
        return False
    for some in chunks([entry.id for entry in found]):
        connection.execute(update(t.journal).where(c.id.in_(some)).values(owner=owner, lease_until_ns=lease_until_ns))
    return True


def refuse_if_lost(connection: Connection, tmp_paths: Sequence[str]) -> None:
    """Raise `ConflictError` unless all these claims are still held."""
    _refuse_lost(tmp_paths, still_held(connection, tmp_paths))


def _refuse_lost(tmp_paths: Sequence[str], held: Collection[str]) -> None:
    lost = [path for path in tmp_paths if path not in held]
    if lost:
        message = f"another process took over {len(lost)} file(s) while they were being written: {', '.join(lost[:5])}"
        raise ConflictError(message, conflicts=lost, fix="nothing was published; run the command again")


def still_held(connection: Connection, tmp_paths: Sequence[str]) -> set[str]:
    """Return those temporary paths that are still in the journal."""
    c = t.journal.c
    return {
        path
        for some in chunks(tmp_paths)
        for path in connection.execute(select(c.tmp_path).where(c.tmp_path.in_(some))).scalars()
    }


def publish_entries(connection: Connection, done: Sequence[Entry]) -> None:
    """Make the datasets of sealed entries LIVE with their files, and close the entries.

    They are closed first: who finds them closed has lost them, and nobody can take them until this is committed.
    """
    _close(connection, done)
    new = [entry for entry in done if entry.status != "LIVE"]
    _delete(connection, t.artifact, t.artifact.c.dataset_id, [e.dataset_id for e in new if e.status != "STAGED"])
    insert_rows(connection, t.artifact, [_artifact(entry) for entry in new])
    d = t.dataset.c
    # As of an event before this one a new dataset was not there, however long it was being written.
    created_ns = case((d.status == "STAGED", latest(connection)), else_=d.created_ns)
    for some in chunks([entry.dataset_id for entry in new]):
        connection.execute(update(t.dataset).where(d.id.in_(some)).values(status="LIVE", created_ns=created_ns))
    _link_to_quanta(connection, done)


def drop_entries(connection: Connection, dropped: Sequence[Entry]) -> None:
    """Close entries without publishing; datasets that never were LIVE are forgotten."""
    _delete(connection, t.journal, t.journal.c.id, [entry.id for entry in dropped])
    new = [entry.dataset_id for entry in dropped if entry.status == "STAGED"]
    _delete(connection, t.dataset, t.dataset.c.id, new)


def _select(connection: Connection, *where: ColumnElement[bool]) -> list[Entry]:
    j = t.journal.c
    query = (
        select(
            *(j.id, j.dataset_id, t.dataset.c.uuid, t.dataset_type.c.name, t.dataset.c.status, j.quantum_id, j.role),
            *(j.tmp_path, j.final_path, j.size, j.sha256, j.content_sha256, t.artifact.c.content_sha256),
            *(j.payload, j.owner, j.lease_until_ns),
        )
        .join_from(t.journal, t.dataset, t.dataset.c.id == j.dataset_id)
        .join(t.dataset_type, t.dataset_type.c.id == t.dataset.c.type_id)
        .outerjoin(t.artifact, t.artifact.c.dataset_id == t.dataset.c.id)
        .where(j.op == "PUT", *where)
        .order_by(j.id)
    )
    return [Entry(*tuple(row)) for row in connection.execute(query)]


def _put(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"op": "PUT", "size": None, "sha256": None, **row}


def _close(connection: Connection, done: Sequence[Entry]) -> None:
    """Take entries out of the journal, or raise `ConflictError` if any claim was lost."""
    c = t.journal.c
    closed: set[str] = set()
    for some in chunks(done):
        mine = and_(c.id.in_([entry.id for entry in some]), c.tmp_path.in_([entry.tmp_path for entry in some]))
        closed.update(connection.execute(delete(t.journal).where(mine).returning(c.tmp_path)).scalars())
    if len(closed) != len(done):
        _refuse_lost([entry.tmp_path for entry in done], closed)


def _artifact(entry: Entry) -> dict[str, Any]:
    return {
        "dataset_id": entry.dataset_id,
        "path": entry.final_path,
        "in_place": 0,
        "size": entry.size,
        "sha256": entry.sha256,
        "content_sha256": entry.content_sha256,
    }


def _link_to_quanta(connection: Connection, done: Sequence[Entry]) -> None:
    """Record what each quantum made; a dataset that another quantum made before keeps its maker."""
    made = [entry for entry in done if entry.quantum_id is not None]
    c = t.quantum_output.c
    known = {
        dataset_id
        for some in chunks([entry.dataset_id for entry in made if entry.status != "STAGED"])
        for dataset_id in connection.execute(select(c.dataset_id).where(c.dataset_id.in_(some))).scalars()
    }
    rows = [
        {"dataset_id": entry.dataset_id, "quantum_id": entry.quantum_id, "role": entry.role}
        for entry in made
        if entry.dataset_id not in known
    ]
    insert_rows(connection, t.quantum_output, rows)


def _delete(connection: Connection, table: Any, column: ColumnElement[int], ids: Sequence[int]) -> None:
    for some in chunks(ids):
        connection.execute(delete(table).where(column.in_(some)))
