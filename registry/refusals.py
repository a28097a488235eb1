"""What publication refuses: work of others, what is being written, what was deleted, what says something else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from registry.errors import ConflictError, UnknownName, listed
from registry.owner import process_token, spoken
from registry.refs import DatasetRef
from registry.sql import tables as t
from registry.sql.journal import Entry
from registry.sql.quanta import load_quanta

if TYPE_CHECKING:
    from sqlalchemy import Connection


def refuse_unleased(connection: Connection, quantum_id: int, worker: str) -> None:
    """Refuse work that somebody else has by now, before anything is written for it."""
    found = load_quanta(connection, t.quantum.c.id == quantum_id)
    if not found:
        raise UnknownName(kind="quantum", name=str(quantum_id), fix="isrflow query quanta")
    row = found[0]
    if row.state != "leased" or row.worker != worker:
        now = f"leased by {spoken(row.worker or '')}" if row.state == "leased" else row.state
        message = f"quantum {row.short} ({row.task} {row.data_id}) is not leased by {spoken(worker)}: it is {now}"
        raise ConflictError(message, conflicts=[row], fix="nothing is lost: run the same command again")


def refuse_deleting(refs: Iterable[DatasetRef]) -> None:
    """Refuse to make again what is just being deleted; all offenders are listed. What was deleted can be made again."""
    going = [ref for ref in refs if ref.status == "DELETING"]
    if going:
        lines = listed(going)
        raise ConflictError(f"being deleted:\n{lines}", conflicts=going, fix="wait, or isrflow recover, then again")


def refuse_busy(entries: Iterable[Entry]) -> None:
    """Refuse to write what a living process is writing; all offenders are listed."""
    # What this very process left, it could not tidy up when it failed; now it tries again.
    busy = [e for e in entries if e.owner != process_token() and not e.is_abandoned]
    if busy:
        lines = listed(f"{entry.type} {entry.uuid.hex[:8]} by {spoken(entry.owner)}" for entry in busy)
        raise ConflictError(
            f"being written by another process:\n{lines}", conflicts=busy, fix="wait for it, or stop it"
        )


def refuse_other_content(entries: Sequence[Entry]) -> None:
    """Refuse to publish again what says something else now; all offenders are listed."""
    differing = [e for e in entries if e.status != "STAGED" and e.content_sha256 != e.known_content_sha256]
    if not differing:
        return
    lines = listed(f"{e.type} {e.uuid.hex[:8]}, {e.final_path}: {_change(e)}" for e in differing)
    if any(entry.status in {"MISSING", "PURGED"} for entry in differing):
        was = "lost" if any(entry.status == "MISSING" for entry in differing) else "deleted"
        message = f"NOT REPRODUCED: made again, because the file was {was}, it says something else now:\n{lines}"
        fix = "restore the file from a backup, or make the products anew in another run"
    else:
        message, fix = f"published before with other content; nothing was changed:\n{lines}", "publish into another run"
    raise ConflictError(message, conflicts=differing, fix=fix)


def _change(entry: Entry) -> str:
    return f"content {str(entry.known_content_sha256)[:12]} before, {str(entry.content_sha256)[:12]} now"
