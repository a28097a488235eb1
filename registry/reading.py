"""Lending the files of datasets to readers: as they are where they are local, from the cache where they are not."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from registry.datastore.base import Fingerprint, file_fingerprint
from registry.datastore.cache import FileCache
from registry.errors import CorruptDataset, MissingDataset, OutsideStore
from registry.presence import registered
from registry.refs import DatasetRef
from registry.repository import Repository


@contextmanager
def local_file(repository: Repository, ref: DatasetRef) -> Iterator[Path]:
    """Lend the file of a LIVE dataset, to be read only, inside the ``with``.

    Raises
    ------
    MissingDataset
        If it is gone.
    CorruptDataset
        If it has another size, or, when it is fetched, another hash than it had when it was stored.
    OutsideStore
        If somebody put a link in its place that leads elsewhere.
    """
    name, cache = str(ref.path), _cache_for(repository, ref)
    if cache is not None:
        with cache.lend(registered(ref), PurePosixPath(name).name, lambda path: _fetch(repository, ref, path)) as copy:
            yield copy
        return
    refuse_absent(repository, ref)
    if name.startswith("/"):
        yield Path(name)
        return
    with repository.store.local_copy(name) as path:
        yield path


def kept_file(repository: Repository, ref: DatasetRef) -> Path:
    """Return a dataset's file, for reading only; a fetched copy stays until the repository is closed."""
    name, cache = str(ref.path), _cache_for(repository, ref)
    if cache is not None:
        return cache.keep(registered(ref), PurePosixPath(name).name, lambda path: _fetch(repository, ref, path))
    with local_file(repository, ref) as path:
        return path


def refuse_absent(repository: Repository, ref: DatasetRef) -> None:
    """Refuse a dataset whose file is not there, or not of the size it had."""
    name = str(ref.path)
    size = repository.size_of(name)
    if size is None:
        _refuse_link(repository, name)
        raise _gone(ref)
    if ref.size is not None and size != ref.size:
        raise _of_other_size(ref, size)


def _cache_for(repository: Repository, ref: DatasetRef) -> FileCache | None:
    """Return the cache if a dataset's file goes through it."""
    cache = repository.cache
    if cache is None or ref.sha256 is None or ref.size is None:
        return None
    is_remote = repository.store.is_remote and not str(ref.path).startswith("/")
    return cache if is_remote or cache.policy.local else None


def _fetch(repository: Repository, ref: DatasetRef, target: Path) -> Fingerprint:
    name = str(ref.path)
    try:
        if name.startswith("/"):
            shutil.copyfile(name, target)
            found = file_fingerprint(target)
        else:
            found = repository.store.fetch(name, target)
    except FileNotFoundError as problem:
        if problem.filename is not None and Path(problem.filename).parent == target.parent:
            raise
        raise _gone(ref) from problem
    if found.size != ref.size:
        raise _of_other_size(ref, found.size)
    return found


def _refuse_link(repository: Repository, name: str) -> None:
    """Say so if a link out of the store is why a file is not there."""
    if not name.startswith("/") and not repository.store.is_remote:
        try:
            with repository.store.local_copy(name):
                pass
        except OutsideStore:
            raise
        except OSError:
            return


def _gone(ref: DatasetRef) -> MissingDataset:
    message = f"the file of {ref} is gone: {ref.path}"
    fix = "restore it from a backup, or run again the command that made it: it makes what is gone"
    return MissingDataset(message, id=ref.id, path=ref.path, fix=fix)


def _of_other_size(ref: DatasetRef, size: int) -> CorruptDataset:
    message = f"the file of {ref} has {size} bytes instead of {ref.size}: {ref.path}"
    return CorruptDataset(message, path=ref.path, expected=str(ref.size), found=str(size))
