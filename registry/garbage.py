"""Clearing away what no dataset needs: files without a row, unfinished transfers, copies, what crashes left.

A file that belongs to a dataset is never touched. Files are listed first and the registry is asked afterwards, which
has announced every file before it was written: so what is not known then, was not known when it was listed.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from registry.datastore.base import QUARANTINE, FileInfo, is_temporary
from registry.errors import listed
from registry.recover import RecoveryReport, recover
from registry.repository import Repository
from registry.sql.deletion import owners_of
from registry.sql.events import append_event

WEEK_S = 7 * 86400.0
GarbageKind = Literal["orphan", "temporary", "quarantined", "deleted", "upload", "copies"]
_MEANING = {
    "orphan": "no dataset has it",
    "temporary": "nobody is writing it",
    "quarantined": "set aside before",
    "deleted": "its dataset was deleted",
    "upload": "an upload that was never finished",
    "copies": "copies of remote files",
}


@dataclass(frozen=True, slots=True)
class Garbage:
    """A file that no dataset needs; `action` is what was, or would be, done about it."""

    path: str
    kind: GarbageKind
    size: int
    action: Literal["removed", "set aside", "left"]


@dataclass(frozen=True, slots=True)
class GarbageReport:
    """What was found and done.

    Parameters
    ----------
    items
        Every file.
    n_young
        Files without a dataset that were left alone because they are not old enough.
    recovered
        What crashes had left in the registry.
    dry_run
        Whether nothing was done.
    """

    items: tuple[Garbage, ...]
    n_young: int
    recovered: RecoveryReport = field(default_factory=lambda: RecoveryReport(()))
    dry_run: bool = False

    @property
    def n_bytes(self) -> int:
        """How much room it makes; what is only set aside makes none."""
        return sum(item.size for item in self.items if item.action == "removed")

    def render(self) -> str:
        """Return the report as text."""
        would = "would be " if self.dry_run else ""
        groups: dict[tuple[str, str], list[Garbage]] = defaultdict(list)
        for item in self.items:
            groups[item.kind, item.action].append(item)
        lines = [f"{self.n_bytes} bytes {would}freed" if self.items else "nothing to clear away"]
        for (kind, action), items in groups.items():
            did = "left" if action == "left" else f"{would}{action}"
            lines.append(f"{len(items)} {kind} ({_MEANING[kind]}), {sum(i.size for i in items)} bytes: {did}")
            lines.append(listed(f"{item.path}  {item.size} bytes" for item in items))
        if self.n_young:
            lines.append(f"{self.n_young} file(s) without a dataset are not old enough to be touched")
        if self.recovered.leftovers:
            lines.append(self.recovered.render())
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "items": [asdict(item) for item in self.items],
            "n_bytes": self.n_bytes,
            "n_young": self.n_young,
            "recovered": self.recovered.to_dict(),
            "dry_run": self.dry_run,
        }


@dataclass(frozen=True, slots=True)
class GarbageRules:
    """What may be done.

    Parameters
    ----------
    older_than_s
        Nothing younger is touched.
    remove
        Remove files without a dataset; else they are set aside.
    quarantined
        Remove what was set aside.
    purged
        Remove files that stand where the files of deleted datasets stood.
    cache
        Drop all copies of remote files; else only those beyond the budget.
    """

    older_than_s: float = WEEK_S
    remove: bool = False
    quarantined: bool = False
    purged: bool = False
    cache: bool = False


def collect_garbage(
    repository: Repository, rules: GarbageRules | None = None, *, dry_run: bool = False
) -> GarbageReport:
    """Clear away what no dataset needs.

    Parameters
    ----------
    repository
        Where.
    rules
        What may be done; by default files without a dataset are set aside when they are a week old.
    dry_run
        Only say what would be done.

    Raises
    ------
    UserError
        If the repository was opened for reading only, unless it is a dry run.
    """
    rules = rules or GarbageRules()
    recovered = recover(repository, dry_run=dry_run)
    before_ns = time.time_ns() - int(rules.older_than_s * 1e9)
    items, n_young = [], 0
    for info, kind in _without_owner(repository):
        if info.modified_ns >= before_ns:
            n_young += 1
        elif repository.store.size(info.path) is not None:  # else it was published since it was listed
            items.append(Garbage(info.path, kind, info.size, _action(kind, rules)))
    if not dry_run:
        _clear(repository, items)
    uploads = repository.store.sweep(before_ns, dry_run=dry_run)
    items += [Garbage(info.path, "upload", info.size, "removed") for info in uploads]
    items += _copies(repository, rules, dry_run=dry_run)
    return GarbageReport(tuple(items), n_young, recovered, dry_run)


def _without_owner(repository: Repository) -> Iterator[tuple[FileInfo, GarbageKind]]:
    """Yield the files in the datastore that no usable dataset has."""
    for some in _batched(repository.store.scan(), 2000):
        with repository.reading() as connection:
            owners = owners_of(connection, [info.path for info in some])
        for info in some:
            owner = owners.get(info.path)
            if owner in {None, "PURGED"}:
                yield info, _kind(info.path, owner)


def _kind(path: str, owner: str | None) -> GarbageKind:
    if path.startswith(f"{QUARANTINE}/"):
        return "quarantined"
    if owner == "PURGED":
        return "deleted"
    return "temporary" if is_temporary(path) else "orphan"


def _action(kind: GarbageKind, rules: GarbageRules) -> Literal["removed", "set aside", "left"]:
    if kind == "orphan":
        return "removed" if rules.remove else "set aside"
    may_go = {"quarantined": rules.quarantined, "deleted": rules.purged}.get(kind, True)
    return "removed" if may_go else "left"


def _clear(repository: Repository, items: Sequence[Garbage]) -> None:
    """Do what was decided, and put it on record first."""
    done = [item for item in items if item.action != "left"]
    if not done:
        return
    counts = {action: sum(item.action == action for item in done) for action in ("removed", "set aside")}
    payload = {**counts, "bytes": sum(item.size for item in done)}
    with repository.writing(durable=True) as connection:
        append_event(connection, "gc", actor=repository.actor, reason="no dataset needs them", payload=payload)
    for item in done:
        if item.action == "removed":
            repository.store.delete(item.path)
        else:
            repository.store.quarantine(item.path)


def _copies(repository: Repository, rules: GarbageRules, *, dry_run: bool) -> list[Garbage]:
    """Drop copies in the cache: all, or what is too much."""
    cache = repository.cache
    if cache is None:
        return []
    budget = 0 if rules.cache else cache.policy.budget_bytes
    usage = cache.usage()
    excess = max(0, usage.n_bytes - budget)
    if not dry_run:
        excess = cache.trim(budget).n_bytes
    return [Garbage(str(cache.folder), "copies", excess, "removed")] if excess else []


def _batched(infos: Iterable[FileInfo], size: int) -> Iterator[list[FileInfo]]:
    batch: list[FileInfo] = []
    for info in infos:
        batch.append(info)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
