"""Checking that registry and files agree: files, sizes, hashes, orphans, dangling rows, the log of events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from registry.datastore.base import QUARANTINE, is_temporary
from registry.presence import Found, look, record, registered
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
        known = checks.known_paths(connection)
        rows = checks.dangling_rows(connection)
        log, n_events = checks.broken_log(connection), checks.count_events(connection)
    found = look(repository, refs, rehash=rehash)
    record(repository, found)
    findings = [
        *_files(found),
        *_orphans(repository, known),
        *(Finding("dangling row", what, detail, "run again the command that made it") for what, detail in rows),
        *(Finding("broken log", "registry_event", text, "restore the database from a backup") for text in log),
    ]
    n_bytes = sum(file.size for file in found.values() if file is not None)
    return VerifyReport(len(refs), n_bytes, n_events, rehash, tuple(findings))


def _files(found: Found) -> Iterator[Finding]:
    for ref, file in found.items():
        if file is None:
            fix = f"restore {ref.path} from a backup, or run again the command that made it: it makes what is gone"
            yield Finding("missing file", str(ref), f"there is no {ref.path}", fix)
        elif file != registered(ref):
            size = f"{file.size} bytes instead of {ref.size}"
            what = size if file.size != ref.size else f"SHA-256 {file.sha256[:12]} instead of {str(ref.sha256)[:12]}"
            fix = f"set the file aside and restore {ref.path} from a backup"
            yield Finding("changed file", str(ref), f"{ref.path} has {what}", fix)


def _unknown_files(repository: Repository, known: set[str | None]) -> list[str]:
    """Return the files that the registry does not know; those that appeared during the check are asked about again."""
    unknown = [path for path in repository.store.list() if path not in known]
    if not unknown:
        return []
    with repository.reading() as connection:
        meanwhile = checks.known_paths(connection)
    return sorted(path for path in unknown if path not in meanwhile and repository.store.size(path) is not None)


def _orphans(repository: Repository, known: set[str | None]) -> Iterator[Finding]:
    for path in _unknown_files(repository, known):
        if path.startswith(f"{QUARANTINE}/"):
            yield Finding(
                "quarantined", path, "set aside when another file needed its name", "look at it, then delete it"
            )
        elif is_temporary(path):
            yield Finding("orphan", path, "a temporary file that nobody is writing", "delete it")
        else:
            yield Finding("orphan", path, "a file that no dataset has", "ingest it, or delete it")
