"""Checking that registry and files agree: files, sizes, hashes, orphans, dangling rows, the log of events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from registry.datastore.base import QUARANTINE, Fingerprint, file_fingerprint, is_temporary
from registry.refs import DatasetRef
from registry.repository import Repository
from registry.sql import checks

Kind = Literal["missing file", "changed file", "orphan", "quarantined", "dangling row", "broken log"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be; `fix` is what to do about it."""

    kind: Kind
    what: str
    detail: str
    fix: str


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What was checked, and what was found."""

    n_files: int
    n_bytes: int
    n_events: int
    rehashed: bool
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong; files in quarantine are only remembered."""
        return all(finding.kind == "quarantined" for finding in self.findings)

    def render(self) -> str:
        """Return the report as text."""
        how = "hashed" if self.rehashed else "present and of the right size"
        head = f"{self.n_files} file(s) {how}, {self.n_events} event(s) in the log"
        if not self.findings:
            return f"{head}: all as registered"
        counts = ", ".join(f"{n} {kind}" for kind, n in sorted(Counter(f.kind for f in self.findings).items()))
        lines = [f"  {f.kind}: {f.what}\n    {f.detail}\n    fix: {f.fix}" for f in self.findings]
        return "\n".join([f"{head}; found {counts}:", *lines])

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {**asdict(self), "findings": [asdict(finding) for finding in self.findings], "ok": self.ok}


def verify(repository: Repository, *, rehash: bool = False) -> VerifyReport:
    """Compare the registry with its files.

    Datasets whose file is gone become MISSING, so that nothing resolves to them; those whose file is back become LIVE
    again. Nothing else is changed, and no file is ever deleted.

    Parameters
    ----------
    repository
        Where.
    rehash
        Read every file and compare its SHA-256; without it only presence and size are compared.
    """
    with repository.reading() as connection:
        refs = checks.datasets_with_files(connection)
        claimed = checks.claimed_paths(connection)
        rows = checks.dangling_rows(connection)
        log, n_events = checks.broken_log(connection), checks.count_events(connection)
    found = {ref: _fingerprint(repository, ref, rehash=rehash) for ref in refs}
    _update_statuses(repository, found)
    findings = [
        *_files(found),
        *_orphans(repository, {ref.path for ref in refs} | claimed),
        *(Finding("dangling row", what, detail, "isrflow recover") for what, detail in rows),
        *(Finding("broken log", "registry_event", text, "restore the database from a backup") for text in log),
    ]
    n_bytes = sum(file.size for file in found.values() if file is not None)
    return VerifyReport(len(refs), n_bytes, n_events, rehash, tuple(findings))


def _fingerprint(repository: Repository, ref: DatasetRef, *, rehash: bool) -> Fingerprint | None:
    """Look at a dataset's file; without `rehash` its hash is taken on trust."""
    path = str(ref.path)
    if path.startswith("/"):
        size = Path(path).stat().st_size if Path(path).is_file() else None
    else:
        size = repository.store.size(path)
    if size is None:
        return None
    if not rehash or size != ref.size:
        return Fingerprint(size, str(ref.sha256) if size == ref.size else "")
    return file_fingerprint(Path(path)) if path.startswith("/") else repository.store.fingerprint(path)


def _update_statuses(repository: Repository, found: dict[DatasetRef, Fingerprint | None]) -> None:
    gone = [ref.id for ref, file in found.items() if file is None and ref.status == "LIVE"]
    back = [ref.id for ref, file in found.items() if file == _expected(ref) and ref.status == "MISSING"]
    if (gone or back) and not repository.read_only:
        with repository.writing(durable=True) as connection:
            checks.set_status(connection, gone, "MISSING")
            checks.set_status(connection, back, "LIVE")


def _expected(ref: DatasetRef) -> Fingerprint:
    return Fingerprint(ref.size or 0, str(ref.sha256))


def _files(found: dict[DatasetRef, Fingerprint | None]) -> Iterator[Finding]:
    for ref, file in found.items():
        if file is None:
            fix = f"restore {ref.path} from a backup and verify again, or make it again in another run"
            yield Finding("missing file", str(ref), f"there is no {ref.path}", fix)
        elif file != _expected(ref):
            size = f"{file.size} bytes instead of {ref.size}"
            what = size if file.size != ref.size else f"SHA-256 {file.sha256[:12]} instead of {str(ref.sha256)[:12]}"
            fix = f"set the file aside and restore {ref.path} from a backup"
            yield Finding("changed file", str(ref), f"{ref.path} has {what}", fix)


def _orphans(repository: Repository, known: set[str | None]) -> Iterator[Finding]:
    for path in sorted(repository.store.list()):
        if path in known:
            continue
        if path.startswith(f"{QUARANTINE}/"):
            yield Finding(
                "quarantined", path, "set aside when another file needed its name", "look at it, then delete it"
            )
        elif is_temporary(path):
            yield Finding("orphan", path, "a temporary file that nobody is writing", "delete it")
        else:
            yield Finding("orphan", path, "a file that no dataset has", "ingest it, or delete it")
