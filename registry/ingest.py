"""Bringing files that exist into the repository: looked at first, all of them, then stored, all or none."""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args
from uuid import UUID

from registry.datastore.base import Fingerprint, file_fingerprint
from registry.errors import ConflictError, RegistryError, TransferError, UserError, listed
from registry.outputs import Output, new_ref
from registry.publish import forget_abandoned, publish_outputs, resurrect
from registry.refs import DataId, DatasetRef, DatasetType
from registry.repository import Formatter, Repository
from registry.sql.dataset_types import type_row
from registry.sql.datasets import insert_datasets, move_datasets, refs_by_uuid
from registry.sql.keys import data_id_keys

Transfer = Literal["copy", "move", "link", "direct"]
_TRANSFERS: tuple[Transfer, ...] = get_args(Transfer)


@dataclass(frozen=True, slots=True)
class IngestItem:
    """A file and what it is.

    `content_sha256` spares the registry from reading the file once more, if the caller has hashed its content with the
    formatter of its type already.
    """

    path: Path
    type: str
    data_id: DataId
    content_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class IngestResult:
    """What was stored, and what was there already with the same content."""

    refs: list[DatasetRef]
    skipped: list[DatasetRef]


@dataclass(frozen=True, slots=True)
class _Candidate:
    """An item that was looked at."""

    path: Path
    ref: DatasetRef
    extension: str
    file: Fingerprint


def ingest(repository: Repository, items: Sequence[IngestItem], run: str, transfer: Transfer = "copy") -> IngestResult:
    """Store files as datasets of a run.

    Parameters
    ----------
    repository
        Where.
    items
        The files.
    run
        The RUN collection that will own them.
    transfer
        ``copy``; ``move``, which removes the originals when all are safely stored, those too that were stored before
        with the same bytes; ``link``, which makes hard links, so that the bytes are shared with the original;
        ``direct``, which leaves the files where they are and remembers their absolute paths.

    Raises
    ------
    TransferError
        If any file is absent, unreadable, not whole, or cannot be linked; all are listed and nothing is stored.
    ConflictError
        If any is there already with other content, or is given twice; all are listed and nothing is stored.
    UnknownName
        If a dataset type, run, exposure or detector is not registered.
    UserError
        If there is no such way to transfer files.
    """
    if transfer not in _TRANSFERS:
        raise UserError(f"'{transfer}' is not a way to transfer files; there is {', '.join(_TRANSFERS)}")
    _refuse_unknown(repository, items)
    candidates = _looked_at(repository, items, run, transfer)
    _refuse_doubles(candidates)
    known = _known(repository, candidates)
    _refuse_other_content(candidates, known)
    there = {id_: ref for id_, ref in known.items() if _is_there(repository, ref)}
    new = [c for c in candidates if c.ref.id not in there]
    skipped = [there[c.ref.id] for c in candidates if c.ref.id in there]
    stored = _store_in_place(repository, new, known) if transfer == "direct" else _store(repository, new, transfer)
    if transfer == "move":
        _remove_originals(candidates, {ref.id: ref for ref in [*stored, *skipped]})
    return IngestResult(stored, skipped)


def _is_there(repository: Repository, ref: DatasetRef) -> bool:
    is_usable = ref.status in {"LIVE", "MISSING"} and ref.path is not None
    return is_usable and repository.size_of(str(ref.path)) is not None


def _remove_originals(candidates: Sequence[_Candidate], stored: Mapping[UUID, DatasetRef]) -> None:
    """Finish a move; a file whose bytes are not those that are stored (other dates, say) stays."""
    for candidate in candidates:
        ref = stored[candidate.ref.id]
        if ref.sha256 == candidate.file.sha256 and str(ref.path) != str(candidate.path):
            candidate.path.unlink(missing_ok=True)


def _refuse_unknown(repository: Repository, items: Sequence[IngestItem]) -> None:
    with repository.reading() as connection:
        data_id_keys(connection, {item.data_id for item in items})


def _looked_at(repository: Repository, items: Sequence[IngestItem], run: str, transfer: Transfer) -> list[_Candidate]:
    """Read every file, and refuse all that are bad at once."""
    candidates: list[_Candidate] = []
    problems: dict[Path, str] = {}
    kinds = _formats(repository, items)
    for item in items:
        try:
            if transfer == "link":
                _refuse_unlinkable(item.path, repository)
            candidates.append(_look(item, run, *kinds[item.type]))
        except Exception as problem:  # noqa: BLE001 - formats raise what they like; every text reaches the user below
            problems[item.path] = _reason(problem)
    if problems:
        lines = listed(f"{path}: {reason}" for path, reason in problems.items())
        unlinked = any("hard links" in reason for reason in problems.values())
        fix = "isrflow ingest PATHS --transfer copy" if unlinked else "mend or leave out these files"
        message = f"{len(problems)} of {len(items)} file(s) cannot be ingested; nothing was stored:\n{lines}"
        raise TransferError(message, path=next(iter(problems)), fix=fix)
    return candidates


def _formats(repository: Repository, items: Sequence[IngestItem]) -> Mapping[str, tuple[DatasetType, Formatter]]:
    """Return dataset type and formatter by name of type."""
    with repository.reading() as connection:
        types = {name: type_row(connection, name).type for name in {item.type for item in items}}
    return {name: (type_, repository.formatter(type_.formatter)) for name, type_ in types.items()}


def _look(item: IngestItem, run: str, dataset_type: DatasetType, formatter: Formatter) -> _Candidate:
    path = item.path.absolute()
    if not str(path).isprintable():
        raise ValueError(f"its name is not plain text: {str(path)!r}")
    if not path.is_file():
        raise FileNotFoundError("no such file" if not path.exists() else "not a file")
    content = item.content_sha256 or formatter.content_sha256(path)
    file = file_fingerprint(path)
    ref = replace(new_ref(dataset_type, run, item.data_id), content_sha256=content)
    return _Candidate(path, ref, _suffix(path, formatter.extension), file)


def _refuse_unlinkable(path: Path, repository: Repository) -> None:
    if repository.store.is_remote:
        raise TransferError(f"it cannot be shared by hard links with {repository.store.url}", path=path)
    root = Path(repository.store.url)
    if path.stat().st_dev != (root if root.exists() else repository.root).stat().st_dev:
        raise TransferError("it is on another file system, where hard links cannot reach", path=path)


def _suffix(path: Path, usual: str) -> str:
    """Keep what the file says about itself (``.fits.fz``); readers choose the decompression by it."""
    kept = re.search(re.escape(usual) + r"(\.[A-Za-z0-9]+)*$", path.name) if usual else None
    return kept.group() if kept is not None and kept.start() > 0 else usual


def _reason(problem: Exception) -> str:
    text = problem.message if isinstance(problem, RegistryError) else str(problem)
    return text or type(problem).__name__


def _refuse_doubles(candidates: Sequence[_Candidate]) -> None:
    count = Counter(candidate.ref.id for candidate in candidates)
    doubles = [candidate for candidate in candidates if count[candidate.ref.id] > 1]
    if doubles:
        lines = listed(f"{c.path}: {c.ref.type} {c.ref.data_id}" for c in sorted(doubles, key=lambda c: c.ref.id))
        raise ConflictError(f"files of the same identity; nothing was stored:\n{lines}", conflicts=doubles)


def _known(repository: Repository, candidates: Sequence[_Candidate]) -> dict[UUID, DatasetRef]:
    """Return those that were stored before, even if their file is gone by now; what a crash left half-stored is not."""
    with repository.reading() as connection:
        known = refs_by_uuid(connection, [candidate.ref.id for candidate in candidates])
    return {id_: ref for id_, ref in known.items() if ref.status in {"LIVE", "MISSING", "PURGED"}}


def _refuse_other_content(candidates: Sequence[_Candidate], known: Mapping[UUID, DatasetRef]) -> None:
    differing = [c for c in candidates if c.ref.id in known and known[c.ref.id].content_sha256 != c.ref.content_sha256]
    if differing:
        lines = listed(f"{c.path}: {known[c.ref.id]} holds something else" for c in differing)
        message = f"{len(differing)} file(s) are there already with other content; nothing was stored:\n{lines}"
        raise ConflictError(message, conflicts=differing, fix="ingest them into another run")


def _store(repository: Repository, candidates: Sequence[_Candidate], transfer: Transfer) -> list[DatasetRef]:
    outputs = [Output(c.ref, c.extension, _Fill(c, transfer), c.file) for c in candidates]
    return publish_outputs(repository, outputs) if outputs else []


@dataclass(frozen=True, slots=True)
class _Fill:
    """Fills the new file from the old one."""

    candidate: _Candidate
    transfer: Transfer

    def __call__(self, path: Path) -> str:
        source = self.candidate.path.resolve()  # a link to a link would lead out of the repository
        if self.transfer == "link":
            os.link(source, path)
        else:
            shutil.copyfile(source, path)
        return str(self.candidate.ref.content_sha256)


def _store_in_place(
    repository: Repository, candidates: Sequence[_Candidate], known: Mapping[UUID, DatasetRef]
) -> list[DatasetRef]:
    """Record files where they are, or are now; there is nothing to move, so one transaction does it."""
    refs = [replace(c.ref, status="LIVE", path=str(c.path), size=c.file.size, sha256=c.file.sha256) for c in candidates]
    forget_abandoned(repository, [ref.id for ref in refs])
    with repository.writing(durable=True) as connection:
        insert_datasets(connection, [ref for ref in refs if ref.id not in known])
        move_datasets(connection, [ref for ref in refs if ref.id in known])
        resurrect(connection, [id_ for id_, ref in known.items() if ref.status == "PURGED"], repository.actor)
    return refs
