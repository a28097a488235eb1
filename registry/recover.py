"""Clearing up after crashes: what is complete is published, what is not is removed, and every leftover is explained.

Run at the start of every flow. It looks only at the journal and at leases, both of which are empty when all is well,
and never touches what belongs to a living process.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from typing import Any, Literal

from registry.datastore.base import Datastore
from registry.delete import bury, unlink
from registry.errors import ConflictError
from registry.owner import is_dead, process_token, spoken
from registry.publish import Work, discard, finished_work, is_at, move, settle
from registry.refs import QuantumRow
from registry.repository import Repository
from registry.sql import journal, leases
from registry.sql import tables as t
from registry.sql.deletion import Deletion, deletions
from registry.sql.journal import Entry
from registry.sql.quanta import load_quanta
from registry.times import SECOND_NS, now_ns

Kind = Literal["announced", "half written", "written", "published", "foreign file", "deletion", "lease"]


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something that a crash left, what was done about it, and why."""

    kind: Kind
    what: str
    action: str
    explanation: str


@dataclass(frozen=True, slots=True)
class RecoveryReport:
    """All leftovers, and how many pieces of work of living processes were left alone."""

    leftovers: tuple[Leftover, ...]
    left_alone: int = 0
    dry_run: bool = False

    def render(self) -> str:
        """Return the report as text."""
        if not self.leftovers:
            return "nothing to recover"
        would = "would be " if self.dry_run else ""
        lines = [
            f"{leftover.what}: {would}{leftover.action}\n    {leftover.explanation}" for leftover in self.leftovers
        ]
        return "\n".join([f"{len(self.leftovers)} leftover(s) of a crash:", *(f"  {line}" for line in lines)])

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "leftovers": [asdict(leftover) for leftover in self.leftovers],
            "left_alone": self.left_alone,
            "dry_run": self.dry_run,
        }


def recover(repository: Repository, *, dry_run: bool = False) -> RecoveryReport:
    """Clear up what dead processes left behind.

    Parameters
    ----------
    repository
        Where.
    dry_run
        Only say what would be done.

    Returns
    -------
    RecoveryReport
        Every leftover with what was done about it; empty, at the price of two small queries, if there were none.
    """
    with repository.reading() as connection:
        entries = journal.entries(connection)
        going = deletions(connection)
        leased = load_quanta(connection, t.quantum.c.state == "leased")
    abandoned = [entry for entry in entries if entry.is_abandoned]
    over = {row.id: row for row in leased if _is_over(row)}
    leftovers = [
        leftover for group in _groups(abandoned) for leftover in _mend(repository, group, over, dry_run=dry_run)
    ]
    stopped = [deletion for deletion in going if deletion.is_abandoned]
    leftovers += _go_on_deleting(repository, stopped, dry_run=dry_run)
    leftovers += _release(repository, over, dry_run=dry_run)
    left_alone = len(entries) - len(abandoned) + len(going) - len(stopped) + len(leased) - len(over)
    return RecoveryReport(tuple(leftovers), left_alone, dry_run)


def _is_over(row: QuantumRow) -> bool:
    """Say whether nobody is at work on a leased quantum."""
    return is_dead(row.worker or "") or (row.lease_until_ns or 0) < now_ns()


def _groups(entries: Iterable[Entry]) -> list[list[Entry]]:
    """Return what stands and falls together: the outputs of a quantum, or a single dataset."""

    def key(entry: Entry) -> tuple[int, int]:
        return (entry.quantum_id or 0, 0 if entry.quantum_id else entry.id)

    return [list(group) for _, group in groupby(sorted(entries, key=key), key)]


def _mend(repository: Repository, group: list[Entry], over: dict[int, QuantumRow], *, dry_run: bool) -> list[Leftover]:
    """Complete a group, or clear it away."""
    store = repository.store
    quantum_id = group[0].quantum_id
    complete = all(_is_complete(store, entry) for entry in group) and (quantum_id is None or quantum_id in over)
    foreign = [entry for entry in group if _holds_foreign_file(store, entry)]
    told = [_explained(store, entry, complete=complete) for entry in group]
    row = over.pop(quantum_id) if complete and quantum_id is not None else None
    if not dry_run:
        mine = _taken_over(repository, group)
        if not mine:
            return []  # somebody else is recovering this right now
        for entry in foreign:
            store.quarantine(entry.final_path)
        if not complete:
            discard(repository, mine)
        elif not _complete(repository, mine, row):
            told = [_overtaken(entry) for entry in group]
    return [_foreign(entry) for entry in foreign] + told


def _is_complete(store: Datastore, entry: Entry) -> bool:
    """Say whether the whole file is there, under either name."""
    if entry.status != "STAGED":
        return entry.status == "LIVE" and entry.content_sha256 == entry.known_content_sha256
    return is_at(store, entry.final_path, entry) or is_at(store, entry.tmp_path, entry)


def _holds_foreign_file(store: Datastore, entry: Entry) -> bool:
    """Say whether something else stands at the final name of a file that was completely written."""
    taken = entry.status == "STAGED" and entry.fingerprint is not None and store.size(entry.final_path) is not None
    return taken and not is_at(store, entry.final_path, entry)


def _complete(repository: Repository, group: Sequence[Entry], row: QuantumRow | None) -> bool:
    """Do what the dead process did not come to: the final names, and the one transaction.

    Returns False, with everything cleared away, if the quantum was leased by another worker in the meantime.
    """
    at_home = [entry for entry in group if is_at(repository.store, entry.final_path, entry)]
    for entry in at_home:
        repository.store.delete(entry.tmp_path)
    move(repository.store, [entry for entry in group if entry not in at_home])
    work: Work | None = finished_work(group[0], row.worker or "") if row is not None else None
    try:
        settle(repository, group, work)
    except ConflictError:
        discard(repository, group)
        return False
    return True


def _taken_over(repository: Repository, group: Sequence[Entry]) -> list[Entry]:
    """Put our name on entries, so that no other process recovers them too; empty if one was quicker."""
    owner, until = process_token(), now_ns() + journal.LEASE_S * SECOND_NS
    with repository.writing() as connection:
        won = journal.take_over(connection, group, owner, until)
    return [replace(entry, owner=owner, lease_until_ns=until) for entry in group] if won else []


def _go_on_deleting(repository: Repository, stopped: Sequence[Deletion], *, dry_run: bool) -> list[Leftover]:
    """Finish deletions: it was decided and put on record; nobody else can want the files."""
    if stopped and not dry_run:
        unlink(repository, stopped)
        bury(repository, stopped)
    return [
        Leftover(
            "deletion",
            f"{one.ref.type} {one.ref.short} ({one.ref.path})",
            "deleted",
            f"{_last_seen(one.owner)} while deleting it",
        )
        for one in stopped
    ]


def _release(repository: Repository, over: dict[int, QuantumRow], *, dry_run: bool) -> list[Leftover]:
    """Plan again what dead workers had leased."""
    freed = set(over)
    if over and not dry_run:
        with repository.writing() as connection:
            freed = set(leases.release(connection, list(over.values())))
    return [
        Leftover(
            "lease",
            f"quantum {row.uuid.hex[:8]} {row.task} {row.data_id}",
            "planned again",
            f"{spoken(row.worker or '')} {'is dead' if is_dead(row.worker or '') else 'let its lease run out'}",
        )
        for row in over.values()
        if row.id in freed
    ]


def _foreign(entry: Entry) -> Leftover:
    return Leftover(
        "foreign file",
        entry.final_path,
        "set aside in .quarantine",
        "its bytes are not those that the journal expects under this name",
    )


def _overtaken(entry: Entry) -> Leftover:
    what = f"{entry.type} {entry.uuid.hex[:8]} ({entry.final_path})"
    return Leftover("written", what, "removed", "another worker took the quantum over and makes it again")


def _last_seen(owner: str) -> str:
    return f"{spoken(owner)} {'died' if is_dead(owner) else 'gave no sign of life any more'}"


def _explained(store: Datastore, entry: Entry, *, complete: bool) -> Leftover:
    """Say what state a dataset was left in."""
    what = f"{entry.type} {entry.uuid.hex[:8]} ({entry.final_path})"
    who = _last_seen(entry.owner)
    if entry.status != "STAGED":
        return Leftover(
            "published", what, "left as it was", f"{who} while writing it once more; the new copy is removed"
        )
    if complete:
        return Leftover("written", what, "published", f"{who} after the file was complete, before it was registered")
    if entry.fingerprint is not None:
        return Leftover(
            "written", what, "removed", f"{who} and not all that belongs to it is complete; it will be made again"
        )
    if store.size(entry.tmp_path) is not None:
        return Leftover("half written", what, "removed", f"{who} while writing the file; it will be made again")
    return Leftover("announced", what, "removed", f"{who} before writing the file; it will be made again")
