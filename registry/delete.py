"""Deleting datasets: refused while anything depends on them; what is deleted leaves a tombstone, never a hole.

The phases, each safe to be killed in (`registry.recover` goes on where it was stopped):

1. `announce`: in one transaction everything is looked at that speaks against it; then the datasets are DELETING, an
   event and a mark say who deleted them and why, and the journal says which files are to go;
2. `unlink`: the files go, one by one;
3. `bury`: the datasets are PURGED: id, hashes and provenance stay.

There is no way to force it. Who wants to be rid of a certified calibration decertifies it; who wants to be rid of a
master deletes its products first, or with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from registry.canonical import sha256_json
from registry.errors import ConflictError, DeletionRefused, TransferError, UserError, listed
from registry.owner import process_token, spoken
from registry.publish import forget_abandoned
from registry.refs import DatasetRef
from registry.repository import Repository
from registry.sql import notes
from registry.sql.blockers import Blocker, blockers
from registry.sql.datasets import dataset_rows, refs_by_row
from registry.sql.deletion import Deletion, close_deletions, deletions, open_deletions
from registry.sql.events import append_event

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class DeletionReport:
    """What was deleted, or would be.

    Parameters
    ----------
    refs
        The datasets.
    in_place
        Those of them whose files were never in the datastore: they are forgotten, their files stay where they are.
    set_aside
        Files that were not what had been stored, with where they are now.
    already
        Datasets that were deleted before.
    dry_run
        Whether nothing was done.
    """

    refs: tuple[DatasetRef, ...]
    in_place: tuple[DatasetRef, ...] = ()
    set_aside: tuple[tuple[str, str], ...] = ()
    already: tuple[DatasetRef, ...] = ()
    dry_run: bool = False

    @property
    def n_bytes(self) -> int:
        """How much room it makes."""
        left = {ref.id for ref in self.in_place}
        return sum(ref.size or 0 for ref in self.refs if ref.id not in left)

    def render(self) -> str:
        """Return the report as text."""
        would = "would be " if self.dry_run else ""
        lines = [f"{len(self.refs)} dataset(s) {would}deleted, {self.n_bytes} bytes"]
        lines += [listed(self.refs)] if self.refs else []
        lines += [f"{ref.path} stays where it is: it was never in the datastore" for ref in self.in_place[:20]]
        lines += [f"{path} was not what had been stored, and is set aside as {aside}" for path, aside in self.set_aside]
        lines += [f"{len(self.already)} had been deleted before"] if self.already else []
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "deleted": [ref.to_dict() for ref in self.refs],
            "n_bytes": self.n_bytes,
            "in_place": [str(ref.id) for ref in self.in_place],
            "set_aside": [list(pair) for pair in self.set_aside],
            "already": [str(ref.id) for ref in self.already],
            "dry_run": self.dry_run,
        }


def delete(repository: Repository, refs: Sequence[DatasetRef], *, reason: str, dry_run: bool = False) -> DeletionReport:
    """Delete datasets, all or none.

    Parameters
    ----------
    repository
        Where.
    refs
        The datasets; those that were deleted before are passed over.
    reason
        For the log: whoever misses the data will ask.
    dry_run
        Only look whether it is possible, and say what would go.

    Raises
    ------
    DeletionRefused
        If anything depends on any of them; every reason is listed, with the command that removes it.
    ConflictError
        If a living process is writing or deleting one of them.
    UserError
        If no reason is given.
    TransferError
        If a file cannot be removed; the rest of the deletion is done by repeating it, or by `registry.recover`.
    """
    _refuse_unreasoned(reason)
    if dry_run:
        with repository.reading() as connection:
            doomed, already = _sorted_out(connection, refs)
            _refuse_blocked(doomed, blockers(connection, doomed))
        return _report(list(doomed.values()), already, dry_run=True)
    forget_abandoned(repository, [ref.id for ref in refs])
    going, already = announce(repository, refs, reason=reason)
    set_aside = unlink(repository, going)
    bury(repository, going)
    return _report([deletion.ref for deletion in going], already, set_aside)


def announce(
    repository: Repository, refs: Sequence[DatasetRef], *, reason: str
) -> tuple[list[Deletion], list[DatasetRef]]:
    """Phase 1: refuse, or put it on record; return what is going, and what had gone before."""
    with repository.writing(durable=True) as connection:
        doomed, already = _sorted_out(connection, refs)
        _refuse_blocked(doomed, blockers(connection, doomed))
        if not doomed:
            return [], already
        fresh = [ref for ref in doomed.values() if ref.status != "DELETING"]
        if fresh:
            payload = {
                "datasets": len(fresh),
                "bytes": sum(ref.size or 0 for ref in fresh),
                "sha256": sha256_json(sorted([str(ref.id), ref.sha256, ref.size] for ref in fresh)),
            }
            append_event(connection, "delete", actor=repository.actor, reason=reason, payload=payload)
            notes.mark(connection, fresh, "deleted", actor=repository.actor, reason=reason)
        return open_deletions(connection, list(doomed.values()), process_token()), already


def unlink(repository: Repository, going: Sequence[Deletion]) -> list[tuple[str, str]]:
    """Phase 2: remove the files; one that is not what was stored is set aside instead, and returned with its place."""
    store, set_aside = repository.store, []
    for deletion in going:
        path = deletion.ref.path
        if path is None or path.startswith("/"):
            continue
        try:
            size = store.size(path)
            if size is not None and size != deletion.ref.size:
                set_aside.append((path, store.quarantine(path)))
            elif size is not None:
                store.delete(path)
        except OSError as problem:
            message = f"{path} cannot be removed: {problem}; {deletion.ref} stays unusable until it is"
            raise TransferError(message, path=path, fix="mend the disk, then isrflow recover") from problem
    return set_aside


def bury(repository: Repository, going: Sequence[Deletion]) -> None:
    """Phase 3: leave the tombstones."""
    if going:
        with repository.writing(durable=True) as connection:
            close_deletions(connection, going)


def _sorted_out(connection: Connection, refs: Sequence[DatasetRef]) -> tuple[dict[int, DatasetRef], list[DatasetRef]]:
    """Return what can be deleted, by row and as the registry has it now, and what has been."""
    rows = dataset_rows(connection, [ref.id for ref in refs])
    now = refs_by_row(connection, rows.values())
    order = [now[rows[ref.id]] for ref in dict.fromkeys(refs) if ref.id in rows]
    busy = [one for one in deletions(connection, list(now)) if not one.is_abandoned and one.owner != process_token()]
    if busy:
        lines = listed(f"{one.ref} by {spoken(one.owner)}" for one in busy)
        raise ConflictError(f"being deleted by another process:\n{lines}", conflicts=busy, fix="wait for it")
    unfinished = [ref for ref in order if ref.status == "STAGED"]
    if unfinished:
        message = f"never published:\n{listed(unfinished)}"
        raise ConflictError(message, conflicts=unfinished, fix="isrflow recover")
    already = [ref for ref in order if ref.status == "PURGED"]
    return {rows[ref.id]: ref for ref in order if ref.status != "PURGED"}, already


def _refuse_blocked(doomed: dict[int, DatasetRef], found: Sequence[Blocker]) -> None:
    if not found:
        return
    names = {ref.id: str(ref) for ref in doomed.values()}
    blocked = len({blocker.dataset for blocker in found})
    lines = listed(f"{names[one.dataset]}: {one.what}\n    first: {one.fix}" for one in found)
    message = f"{blocked} of {len(doomed)} dataset(s) are needed; nothing was deleted:\n{lines}"
    raise DeletionRefused(message, blockers=found, fix=found[0].fix)


def _refuse_unreasoned(reason: str) -> None:
    if not reason.strip():
        raise UserError("a deletion wants a reason: whoever misses the data will ask", fix='--reason "..."')


def _report(
    refs: Sequence[DatasetRef],
    already: Sequence[DatasetRef],
    set_aside: Sequence[tuple[str, str]] = (),
    *,
    dry_run: bool = False,
) -> DeletionReport:
    in_place = tuple(ref for ref in refs if ref.path is not None and ref.path.startswith("/"))
    return DeletionReport(tuple(refs), in_place, tuple(set_aside), tuple(already), dry_run)
