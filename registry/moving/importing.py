"""Import: a package into a repository.

It is checked whole, compared whole, and only then stored: files first, then all rows in one transaction.
"""

from __future__ import annotations

import fcntl
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from registry.errors import ConflictError, UnavailableError, UserError, listed
from registry.moving.comparing import Comparison, Conflict, ValidityMode, compare
from registry.moving.incoming import Contents, check
from registry.moving.manifest import records
from registry.moving.package import Package, open_package
from registry.moving.storing import store_files
from registry.moving.taking import Taking
from registry.repository import Repository
from registry.sql.events import append_event
from registry.sql.locks import lock_log

VALIDITY_MODES = ("idempotent", "replace", "fill-gaps", "strict", "skip")


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did, or would do; `event_seq` is None if nothing changed or it was a dry run."""

    path: Path
    repository: UUID
    """Where the package comes from."""
    new: Mapping[str, int] = field(default_factory=dict)
    there: Mapping[str, int] = field(default_factory=dict)
    returned: int = 0
    """Datasets whose missing files are back."""
    files: int = 0
    notes: tuple[str, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    """Filled by a dry run only; else they are an error."""
    event_seq: int | None = None
    dry_run: bool = False

    def render(self) -> str:
        """Return it as text."""
        kinds = [kind for kind in _SPOKEN if self.new.get(kind) or self.there.get(kind)]
        lines = [
            f"  {_SPOKEN[kind]:<20} {self.new.get(kind, 0):>8} new {self.there.get(kind, 0):>8} there" for kind in kinds
        ]
        lines += [f"  {self.returned} missing file(s) came back"] if self.returned else []
        lines += [f"  note: {note}" for note in self.notes]
        lines += ["conflicts, because of which nothing would be stored:", listed(self.conflicts)] * bool(self.conflicts)
        did = "would be imported (dry run: nothing was changed)" if self.dry_run else "imported"
        head = f"{self.path} of repository {self.repository.hex[:8]}: {did}"
        if not self.new and not self.returned:
            head = (
                f"{self.path} of repository {self.repository.hex[:8]}: all of it is here already; nothing was changed"
            )
        return "\n".join([head, *lines])

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "path": str(self.path),
            "repository": str(self.repository),
            "new": dict(self.new),
            "there": dict(self.there),
            "returned": self.returned,
            "files": self.files,
            "notes": list(self.notes),
            "conflicts": [{"kind": c.kind, "what": c.what, "here": c.here, "there": c.there} for c in self.conflicts],
            "event": self.event_seq,
            "dry_run": self.dry_run,
        }


_SPOKEN = {
    "instrument": "instruments",
    "detector": "detectors",
    "filter": "filters",
    "type": "dataset types",
    "exposure": "exposures",
    "collection": "collections",
    "chain": "chains",
    "dataset": "datasets",
    "validity": "ranges of validity",
    "tag": "tags",
    "quantum": "quanta",
    "mark": "marks",
    "flag": "flags",
    "header": "header corrections",
}


def import_package(
    repository: Repository, path: Path, *, dry_run: bool = False, validity: ValidityMode = "idempotent"
) -> Imported:
    """Take a package in; what is there already is left alone, so that a repetition is harmless.

    Parameters
    ----------
    repository
        Where to.
    path
        A directory or zip file that `registry.moving.exporting.export` wrote.
    dry_run
        Only check and compare; conflicts are in the answer then, not an error.
    validity
        How its ranges of validity are certified where something else is valid here: ``idempotent`` and ``strict``
        refuse, ``replace`` and ``fill-gaps`` as `certify` does, ``skip`` leaves all of them out.

    Raises
    ------
    CorruptDataset
        If the package was changed, cut, or holds what it should not; nothing was stored.
    ConflictError
        If anything is there with another content; all are listed, and nothing was stored.
    TransferError
        If a file cannot be read or stored; no row was written, and the next import goes on.
    VersionError
        If it was made by a newer program.
    UserError
        If there is no such way to certify.
    """
    if validity not in VALIDITY_MODES:
        raise UserError(f"'{validity}' is not a way to certify; there is {', '.join(VALIDITY_MODES)}")
    package = open_package(path)
    contents = check(package)
    with repository.reading() as connection:
        comparison = compare(connection, package, contents.named, validity)
    if dry_run:
        return _told(package, contents, comparison, conflicts=comparison.conflicts, dry_run=True)
    _refuse_conflicts(package, comparison)
    if comparison.is_idle:
        return _told(package, contents, comparison)
    with _alone(repository.root):
        files = store_files(repository, package)
        return _take(repository, package, contents, validity, files)


def _take(repository: Repository, package: Package, contents: Contents, validity: ValidityMode, files: int) -> Imported:
    header = contents.header
    with repository.writing(durable=True) as connection:
        lock_log(connection)
        # Compared again: from here on nobody else writes, and what was there a moment ago may be another now.
        comparison = compare(connection, package, contents.named, validity)
        _refuse_conflicts(package, comparison)
        if comparison.is_idle:
            return _told(package, contents, comparison)
        payload = {
            "repository": header["repository"],
            "event": header["event"],
            "made": header["made"],
            "records": dict(contents.counts),
        }
        seq = append_event(connection, "import", actor=repository.actor, reason=str(package.path.name), payload=payload)
        came_from = f"repository {UUID(header['repository']).hex[:8]}"
        Taking(connection, package, repository.actor, came_from, validity).take()
    return _told(package, contents, comparison, files=files, event_seq=seq)


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Wait for other imports into the same directory: they would write the same files under the same names."""
    try:
        handle = (root / ".import.lock").open("w")
    except OSError as error:
        raise UnavailableError(f"the repository {root} cannot be written: {error.strerror}") from error
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _told(
    package: Package,
    contents: Contents,
    comparison: Comparison,
    *,
    files: int = 0,
    event_seq: int | None = None,
    conflicts: list[Conflict] | None = None,
    dry_run: bool = False,
) -> Imported:
    return Imported(
        package.path,
        UUID(contents.header["repository"]),
        dict(comparison.new),
        dict(comparison.there),
        comparison.returning,
        files,
        tuple(comparison.notes),
        tuple(conflicts or ()),
        event_seq,
        dry_run,
    )


_MENDS = {
    "validity": "isrflow import ... --validity replace (closes what is here, keeping what sticks out), fill-gaps (adds "
    "only where nothing is) or skip; --dry-run shows all",
    "dataset": "keep the products apart: make them again there with another --out, and export that run; "
    "isrflow diff says what differs",
    "quantum": "make the products again there with another --out, and export that run",
    "run": "a frozen run takes nothing more: export a run of another name",
    "detector": "a detector that was exchanged is another camera: register it under a new instrument name there",
    "camera": "these are two cameras of one name: give the instrument another name there",
    "exposure": "if a header was corrected on one side (isrflow header list), correct the same on the other first; if "
    "these are two exposures of one number, they cannot be in one repository: isrflow import ... --into NEWDIR",
}


def _refuse_conflicts(package: Package, comparison: Comparison) -> None:
    found = comparison.conflicts
    if not found:
        return
    kinds = Counter(conflict.kind for conflict in found)
    spoken = ", ".join(f"{number} of {kind}" for kind, number in kinds.items())
    message = f"{package.path} is at odds with this repository ({spoken}); nothing was stored:\n{listed(found)}"
    mends = [_MENDS[kind] for kind in kinds if kind in _MENDS]
    raise ConflictError(message, conflicts=found, fix=mends[0] if mends else "isrflow import ... --dry-run --json")


def package_extra(path: Path) -> Mapping[str, Any]:
    """Return what whoever exported a package wrote for whoever unpacks it.

    Raises
    ------
    TransferError, CorruptDataset, VersionError
        If there is no package, or it does not begin as one.
    """
    first = next(records(open_package(path)))
    found = first.get("extra")
    return found if isinstance(found, dict) else {}
