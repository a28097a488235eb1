"""A datastore in object storage: files are made on the local disk, and come into the bucket in one stroke, or not.

An object cannot be renamed, and a copy within the bucket could replace what stands there. So the temporary name of a
file is a local one: `stage` writes below the staging folder of this machine, `publish` uploads under the final name on
the condition that nothing has it. An upload that was cut leaves no object; what it may leave, unseen parts that cost
money, `sweep` removes.
"""

from __future__ import annotations

import itertools
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from registry.datastore.base import (
    Fingerprint,
    checked,
    file_fingerprint,
    is_own,
    is_temporary,
    quarantine_name,
)
from registry.datastore.local import LocalDatastore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from registry.datastore.base import FileInfo


class Bucket(Protocol):
    """What an object store can do; keys are paths below the prefix of the store.

    What is absent is a `FileNotFoundError`; a store that cannot be reached is an `UnavailableError`.
    """

    url: str

    def upload(self, source: Path, key: str) -> None:
        """Store a local file, whole or not at all; `FileExistsError` if there is an object of this name."""

    def download(self, key: str, target: Path) -> None:
        """Copy an object to a local path."""

    def size(self, key: str) -> int | None:
        """Return the size in bytes, or None if there is no such object."""

    def copy(self, source: str, target: str) -> None:
        """Copy an object within the bucket."""

    def delete(self, key: str) -> None:
        """Remove an object, if there is one."""

    def scan(self, prefix: str) -> Iterator[FileInfo]:
        """Yield the objects whose key begins with a text."""

    def abort_uploads(self, before_ns: int, *, dry_run: bool) -> Sequence[FileInfo]:
        """Give up uploads that began before a time and were never finished, and return them."""


class ObjectDatastore:
    """Files as objects of a bucket, staged in a local folder that is this store's alone."""

    is_remote = True

    def __init__(self, bucket: Bucket, staging: Path) -> None:
        self._bucket = bucket
        self._staged = LocalDatastore(staging)

    @property
    def url(self) -> str:
        """The bucket and the prefix."""
        return self._bucket.url

    def stage(self, temporary: str, write: Callable[[Path], object]) -> Fingerprint:
        """Let `write` fill a local file and return its fingerprint."""
        return self._staged.stage(temporary, write)

    def publish(self, moves: Mapping[str, str]) -> None:
        """Upload staged files under their final names; see `Datastore.publish`."""
        for temporary, final in moves.items():
            with self._staged.local_copy(temporary) as source:
                self._bucket.upload(source, _key(final))
            self._staged.delete(temporary)

    @contextmanager
    def local_copy(self, path: str) -> Iterator[Path]:
        """Lend a copy that is gone after the ``with``; a staged file is lent itself."""
        if is_temporary(path):
            with self._staged.local_copy(path) as staged:
                yield staged
            return
        with tempfile.TemporaryDirectory(prefix="isrflow-") as folder:
            copy = Path(folder) / checked(path).name
            self._bucket.download(_key(path), copy)
            yield copy

    def fetch(self, path: str, target: Path) -> Fingerprint:
        """Copy the file to a local path, and return its fingerprint."""
        if is_temporary(path):
            return self._staged.fetch(path, target)
        self._bucket.download(_key(path), target)
        return file_fingerprint(target)

    def fingerprint(self, path: str) -> Fingerprint:
        """Read the whole file and return its fingerprint."""
        with self.local_copy(path) as copy:
            return file_fingerprint(copy)

    def size(self, path: str) -> int | None:
        """Return the size in bytes, or None if there is no such file."""
        return self._staged.size(path) if is_temporary(path) else self._bucket.size(_key(path))

    def quarantine(self, path: str) -> str:
        """Set a file aside and return where it now is."""
        names = (quarantine_name(path, attempt) for attempt in itertools.count())
        aside = next(name for name in names if self._bucket.size(name) is None)
        self._bucket.copy(_key(path), aside)
        self._bucket.delete(_key(path))
        return aside

    def delete(self, path: str) -> bool:
        """Remove a file; False if it was not there."""
        if is_temporary(path):
            return self._staged.delete(path)
        was_there = self._bucket.size(_key(path)) is not None
        if was_there:
            self._bucket.delete(_key(path))
        return was_there

    def list(self, prefix: str = "") -> Iterator[str]:
        """Yield the paths of all objects below the folder `prefix`, and of what is staged on this machine."""
        for info in self.scan(prefix):
            yield info.path

    def scan(self, prefix: str = "") -> Iterator[FileInfo]:
        """Yield the same files with what is known of them."""
        yield from self._staged.scan(prefix)
        for info in self._bucket.scan(f"{checked(prefix)}/" if prefix else ""):
            if not is_own(info.path):
                yield info

    def sweep(self, before_ns: int, *, dry_run: bool = False) -> Sequence[FileInfo]:
        """Give up uploads that were interrupted."""
        return self._bucket.abort_uploads(before_ns, dry_run=dry_run)


def _key(path: str) -> str:
    return str(checked(path))
