"""Export: rows and files of a repository into a package."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select

from registry.datastore.base import file_fingerprint
from registry.errors import CorruptDataset, MissingDataset, UserError
from registry.moving.describing import describe, stored_files
from registry.moving.manifest import FORMAT, VERSION, ManifestWriter, extension_of, file_name
from registry.moving.package import MANIFEST, PackageWriter, new_package
from registry.moving.selecting import Selection, Wanted, select_for
from registry.presence import registered
from registry.refs import DatasetRef
from registry.repository import Repository
from registry.sql import tables as t
from registry.sql.identity import repository_uuid
from registry.times import format_time, now_ns
from registry.words import spell_bytes


@dataclass(frozen=True, slots=True)
class Exported:
    """What went into a package."""

    path: Path
    repository: UUID
    asked: int
    """Datasets that the query selected; the others came along."""
    counts: Mapping[str, int] = field(default_factory=dict)
    files: int = 0
    size: int = 0
    """Bytes of all files."""

    def render(self) -> str:
        """Return what was exported as text."""
        things = ", ".join(f"{number} {_SPOKEN[name]}" for name, number in self.counts.items() if name in _SPOKEN)
        more = self.counts.get("dataset", 0) - self.asked
        came = f" ({self.asked} asked for, {more} more that go with them)" if more else ""
        return f"{self.path}: {things}{came}; {self.files} files, {spell_bytes(self.size)}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "path": str(self.path),
            "repository": str(self.repository),
            "asked": self.asked,
            "counts": dict(self.counts),
            "files": self.files,
            "size": self.size,
        }


_SPOKEN = {
    "exposure": "exposures",
    "dataset": "datasets",
    "validity": "validity ranges",
    "quantum": "quanta",
    "flag": "flags",
    "header": "header corrections",
    "mark": "marks",
}


def export(repository: Repository, path: Path, wanted: Wanted, *, extra: Mapping[str, Any] | None = None) -> Exported:
    """Write a package; every file is compared with its hash on the way.

    Parameters
    ----------
    repository
        Where from.
    path
        A new directory, or a new file ``.zip``.
    wanted
        What.
    extra
        JSON for the first line of the manifest, for whoever unpacks it.

    Raises
    ------
    UserError
        If the query selects nothing, or `path` exists.
    MissingDataset, CorruptDataset
        If a file is gone, or is not what was stored; nothing is written then.
    TransferError
        If the package cannot be written.
    """
    with repository.reading() as connection:
        selection = select_for(connection, wanted)
        if not selection.datasets:
            fix = f'isrflow query datasets "{wanted.where}" --explain'
            raise UserError("no datasets match; nothing was exported", fix=fix)
        with new_package(path) as package, tempfile.TemporaryDirectory(prefix="isrflow-export-") as folder:
            count, size = 0, 0
            if wanted.files:
                count, size = _copy_files(repository, connection, selection, package)
            manifest = Path(folder, MANIFEST)
            counts = _write_manifest(connection, manifest, selection, wanted, extra or {})
            package.add(MANIFEST, manifest)
        return Exported(Path(path), repository_uuid(connection), selection.asked, counts, count, size)


def _write_manifest(
    connection: Connection, path: Path, selection: Selection, wanted: Wanted, extra: Mapping[str, Any]
) -> dict[str, int]:
    now = now_ns()
    e = t.registry_event.c
    newest = connection.execute(select(e.seq, e.hash).order_by(e.seq.desc()).limit(1)).first()
    counts: Counter[str] = Counter()
    with ManifestWriter(path) as manifest:
        manifest.write(
            "package",
            format=FORMAT,
            version=VERSION,
            repository=str(repository_uuid(connection)),
            event={"seq": newest.seq, "hash": newest.hash} if newest else {"seq": 0, "hash": ""},
            made=format_time(now),
            asked=wanted.to_dict(),
            extra=dict(extra),
        )
        for is_, values in describe(connection, selection, files=wanted.files):
            manifest.write(is_, **values)
            counts[is_] += 1
    return dict(counts)


def _copy_files(
    repository: Repository, connection: Connection, selection: Selection, package: PackageWriter
) -> tuple[int, int]:
    count, size = 0, 0
    for ref in stored_files(connection, selection.datasets):
        with _local(repository, ref) as path:
            if file_fingerprint(path) != registered(ref):
                message = f"the file of {ref} is not what was stored: {ref.path}; nothing was exported"
                raise CorruptDataset(message, path=ref.path, expected=ref.sha256, fix="isrflow verify --full")
            package.add(file_name(ref.id, extension_of(str(ref.path))), path)
        count, size = count + 1, size + (ref.size or 0)
    return count, size


@contextmanager
def _local(repository: Repository, ref: DatasetRef) -> Iterator[Path]:
    name = str(ref.path)
    if repository.size_of(name) is None:
        message = f"the file of {ref} is gone: {name}; nothing was exported"
        raise MissingDataset(message, id=ref.id, path=name, fix="isrflow verify, or --no-files")
    if name.startswith("/"):
        yield Path(name)
    else:
        with repository.store.local_copy(name) as path:
            yield path
