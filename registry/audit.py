"""Checking that registry and files agree: files, sizes, hashes, orphans, dangling rows, the log of events.

Datasets are looked at a page at a time and findings are handed on as they come, so that memory stays flat: a registry
of millions of datasets is checked in that of a small one.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from registry.datastore.base import QUARANTINE, Fingerprint, is_temporary
from registry.datastore.local import LocalDatastore
from registry.errors import RegistryError, UnavailableError
from registry.presence import look, registered
from registry.refs import DatasetRef
from registry.repository import Repository
from registry.sql import checks
from registry.sql.datasets import set_status
from registry.sql.events import append_event

if TYPE_CHECKING:
    from sqlalchemy import Connection

Kind = Literal[
    "missing file", "changed file", "unreadable file", "outside", "orphan", "quarantined", "dangling row", "broken log"
]
Progress = Callable[[int, int, int], None]
"""Told how many files were looked at, of how many, and how many findings there are."""

_SET_ASIDE = "ingest it if it is a raw; else: isrflow gc --dry-run (files older than a week; --older-than 0 for all)"
KEPT = 1000
"""So many findings are kept in the report; all are handed to `on_finding`."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be; `where` is a file or a table, `fix` what to do about it."""

    kind: Kind
    what: str
    detail: str
    fix: str
    where: str = ""

    def render(self) -> str:
        """Return it as text."""
        return f"  {self.kind}: {self.what}\n    {self.detail}\n    fix: {self.fix}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What was checked, and what was found."""

    n_files: int
    n_bytes: int
    n_events: int
    rehashed: bool
    findings: tuple[Finding, ...]
    """The first `KEPT` of them."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """How many findings there were of each kind."""
    where: str = ""
    """The condition that limited the check to the files of some datasets."""

    @property
    def n_findings(self) -> int:
        """How many findings there were."""
        return sum(self.counts.values())

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong; files in quarantine are only remembered."""
        return all(kind == "quarantined" for kind in self.counts)

    @property
    def exit_code(self) -> int:
        """0 if nothing is wrong, else 2."""
        return 0 if self.ok else 2

    @property
    def headline(self) -> str:
        """The counts in one line."""
        is_whole = not {"missing file", "changed file", "unreadable file", "outside"} & set(self.counts)
        how = "hashed" if self.rehashed else "present and of the right size" if is_whole else "looked at"
        log = f"{self.n_events} event(s) in the log" if not self.where else f"only those where {self.where}"
        head = f"{self.n_files} file(s) {how}, {log}"
        if not self.counts:
            return f"{head}: all as registered"
        return f"{head}; found " + ", ".join(f"{n} {kind}" for kind, n in sorted(self.counts.items()))

    def render(self) -> str:
        """Return the report as text."""
        if not self.counts:
            return self.headline
        more = self.n_findings - len(self.findings)
        lines = [finding.render() for finding in self.findings] + ([f"  and {more} more"] if more else [])
        return "\n".join([f"{self.headline}:", *lines])

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            **asdict(self),
            "counts": dict(self.counts),
            "findings": [finding.to_dict() for finding in self.findings],
            "n_findings": self.n_findings,
            "ok": self.ok,
        }


def verify(
    repository: Repository,
    *,
    rehash: bool = False,
    refs: Sequence[DatasetRef] | None = None,
    where: str = "",
    on_finding: Callable[[Finding], None] | None = None,
    on_progress: Progress | None = None,
) -> VerifyReport:
    """Compare the registry with its files.

    Datasets whose file is gone become MISSING, so that nothing resolves to them; those whose file is back become LIVE
    again; an event keeps which. Nothing else is changed, and no file is ever deleted.

    Parameters
    ----------
    repository
        Where.
    rehash
        Read every file and compare its SHA-256; without it only presence and size are compared.
    refs, where
        Look at the files of these datasets alone, not at rows, log and orphans; and how they were chosen, in words.
    on_finding
        Told of every finding when it is made; the report keeps the first ones only.
    on_progress
        Told how far the check of the files has come, page by page.

    Raises
    ------
    UnavailableError
        If the folder of the files is not there at all: then no single file is missing, but a disk.
    """
    _refuse_absent_store(repository)
    tally = _Tally(on_finding)
    if refs is not None:
        pages: Iterator[list[DatasetRef]] = _cut(refs)
        total, n_events = len(refs), 0
    else:
        pages = _all_stored(repository)
        with repository.reading() as connection:
            total, n_events = checks.count_stored(connection), checks.count_events(connection)
    for page in pages:
        _check_files(repository, page, tally, rehash=rehash)
        if on_progress is not None:
            on_progress(tally.n_files, total, sum(tally.counts.values()))
    if refs is None:
        tally.add(_orphans(repository))
        with repository.reading() as connection:
            tally.add(_dangling(connection))
            tally.add(_log(connection))
    return VerifyReport(tally.n_files, tally.n_bytes, n_events, rehash, tuple(tally.kept), dict(tally.counts), where)


class _Tally:
    """Counts findings, keeps the first, hands all on."""

    def __init__(self, on_finding: Callable[[Finding], None] | None) -> None:
        self.kept: list[Finding] = []
        self.counts: Counter[str] = Counter()
        self.n_files = self.n_bytes = 0
        self._tell = on_finding

    def add(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            self.counts[finding.kind] += 1
            if len(self.kept) < KEPT:
                self.kept.append(finding)
            if self._tell is not None:
                self._tell(finding)


def _refuse_absent_store(repository: Repository) -> None:
    store = repository.store
    if isinstance(store, LocalDatastore) and not store.root.is_dir():
        raise UnavailableError(
            f"{store.root}, where the files of the repository are, is not there; no dataset was marked missing",
            fix="mount or restore it, then: isrflow verify",
        )


def _all_stored(repository: Repository) -> Iterator[list[DatasetRef]]:
    """Yield all datasets that should have a file; each page is a transaction of its own, so that nobody waits."""
    after: int | None = 0
    while after is not None:
        with repository.reading() as connection:
            refs, after = checks.stored_after(connection, after)
        yield refs


def _cut(items: Iterable[Any]) -> Iterator[list[Any]]:
    rest = iter(items)
    while page := list(islice(rest, checks.PAGE)):
        yield page


def _check_files(repository: Repository, refs: Sequence[DatasetRef], tally: _Tally, *, rehash: bool) -> None:
    """Look at the files of a page of datasets, and let the registry know which are gone or back."""
    gone: list[DatasetRef] = []
    back: list[DatasetRef] = []
    for ref in refs:
        tally.n_files += 1
        try:
            file = look(repository, [ref], rehash=rehash)[ref]
        except (OSError, ValueError) as problem:
            tally.add([_unreadable(ref, problem)])
            continue
        tally.n_bytes += 0 if file is None else file.size
        tally.add(_compare(repository, ref, file))
        if file is None and ref.status == "LIVE":
            gone.append(ref)
        elif file == registered(ref) and ref.status == "MISSING":
            back.append(ref)
    _record(repository, gone, back)


def _record(repository: Repository, gone: Sequence[DatasetRef], back: Sequence[DatasetRef]) -> None:
    if not (gone or back) or repository.read_only:
        return
    with repository.writing(durable=True) as connection:
        for kind, refs, status, why in (
            ("missing", gone, "MISSING", "their files are gone"),
            ("found", back, "LIVE", "their files are back"),
        ):
            if refs:
                payload = {"datasets": [str(ref.id) for ref in refs]}
                append_event(connection, kind, actor=repository.actor, reason=f"verify: {why}", payload=payload)
                set_status(connection, [ref.id for ref in refs], status)


def _compare(repository: Repository, ref: DatasetRef, file: Fingerprint | None) -> Iterator[Finding]:
    path = str(ref.path)
    target = _leads_outside(repository, path)
    if target is not None:
        fix = f"put the file itself there: cp --remove-destination {target} {path}"
        yield Finding("outside", str(ref), f"{path} is a link that leads out of the repository, to {target}", fix, path)
        return
    if file is None:
        fix = f"restore {path} from a backup, or run again the command that made it: it makes what is gone"
        yield Finding("missing file", str(ref), f"there is no {path}", fix, path)
        return
    if file != registered(ref):
        size = f"{file.size} bytes instead of {ref.size}"
        what = size if file.size != ref.size else f"SHA-256 {file.sha256[:12]} instead of {str(ref.sha256)[:12]}"
        fix = f"set the file aside and restore {path} from a backup; who used it: isrflow impact {ref.short}"
        yield Finding("changed file", str(ref), f"{path} has {what}", fix, path)


def _leads_outside(repository: Repository, path: str) -> Path | None:
    """Return where a file of the datastore really is, if links lead out of the repository."""
    if path.startswith("/") or not isinstance(repository.store, LocalDatastore):
        return None
    root = os.path.realpath(repository.store.root)
    real = os.path.realpath(repository.store.root / path)
    return None if os.path.commonpath((root, real)) == root else Path(real)


def _unreadable(ref: DatasetRef, problem: OSError | ValueError) -> Finding:
    why = (problem.strerror if isinstance(problem, OSError) else None) or str(problem)
    fix = f"let the user who runs this read {ref.path} (ls -l shows who may), then: isrflow verify"
    if isinstance(problem, RegistryError | ValueError):
        fix = "restore the registry from a backup: no command writes such a path"
    return Finding("unreadable file", str(ref), f"{ref.path} cannot be read: {why}", fix, str(ref.path))


def _orphans(repository: Repository) -> Iterator[Finding]:
    for paths in _cut(repository.store.list()):
        for path in _unknown_files(repository, paths):
            if path.startswith(f"{QUARANTINE}/"):
                why = "set aside when another file needed its name"
                yield Finding("quarantined", path, why, "look at it, then delete it", path)
            elif is_temporary(path):
                why = "a temporary file that nobody is writing"
                yield Finding("orphan", path, why, "isrflow recover, or delete it", path)
            else:
                yield Finding("orphan", path, "a file that no dataset has", _SET_ASIDE, path)


def _unknown_files(repository: Repository, paths: Sequence[str]) -> list[str]:
    """Return the files that the registry does not know; those that appeared during the check are asked about again."""
    with repository.reading() as connection:
        known = checks.known_among(connection, paths)
    unknown = [path for path in paths if path not in known]
    if not unknown:
        return []
    there = [path for path in unknown if repository.store.size(path) is not None]
    with repository.reading() as connection:
        meanwhile = checks.known_among(connection, there)
    return sorted(path for path in there if path not in meanwhile)


def _dangling(connection: Connection) -> Iterator[Finding]:
    for what, detail in checks.dangling_rows(connection):
        yield Finding("dangling row", what, detail, "isrflow recover; if it stays, run again what made it", "database")


def _log(connection: Connection) -> Iterator[Finding]:
    for text in checks.broken_log(connection):
        fix = "find out who wrote to the database, and restore it from a backup"
        yield Finding("broken log", "registry_event", text, fix, "registry_event")
