"""What a storage backend promises; `registry.datastore.contract` is the same promise as tests.

A file comes into a store in two strokes, so that a crash can never leave half a file under a name that somebody reads:
`stage` writes it under a temporary name and makes it durable, `publish` gives it its final name and never replaces
what stands there. Everything else only reads, sets aside or removes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

TEMPORARY = ".tmp-"
"""How the name of a file begins that has not been published."""

QUARANTINE = ".quarantine"
"""The folder for files set aside, because what they hold is not what the registry expected under their name."""

OWN = ".isrflow-"
"""How the name of a file begins that a store keeps for itself: whose it is, and the like; these are never listed."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The size of a file in bytes and the SHA-256 of these bytes (hexadecimal)."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class FileInfo:
    """A file in a store; `modified_ns` is Unix time."""

    path: str
    size: int
    modified_ns: int


class Datastore(Protocol):
    """Files under relative POSIX paths.

    Every method takes paths relative to the store; an absolute path or one that climbs out with ``..`` is refused
    with `ValueError`. Methods may be called from several processes at once.

    What is absent is a `FileNotFoundError`, what the operating system refuses an `OSError`; a store that cannot be
    reached, does not exist or lets nobody in is a `registry.errors.UnavailableError`.
    """

    @property
    def url(self) -> str:
        """What people call the store; no passwords."""

    @property
    def is_remote(self) -> bool:
        """Whether reading a file means fetching it, so that keeping a copy pays."""

    def stage(self, temporary: str, write: Callable[[Path], object]) -> Fingerprint:
        """Let `write` fill a file, make it durable and return its fingerprint.

        The path handed to `write` is local, absent, and keeps the suffix of `temporary`. If `write` raises, nothing
        is left behind.
        """

    def publish(self, moves: Mapping[str, str]) -> None:
        """Give staged files their final names (temporary -> final), durably, each atomically, never replacing.

        Raises
        ------
        FileExistsError
            If a final name is taken. That file's temporary stays as it is; moves before it have been made.
        """

    def local_copy(self, path: str) -> AbstractContextManager[Path]:
        """Lend the file as a local path that must only be read, and only inside the ``with``."""

    def fetch(self, path: str, target: Path) -> Fingerprint:
        """Copy the file to a local path that is absent, and return its fingerprint."""

    def fingerprint(self, path: str) -> Fingerprint:
        """Read the whole file and return its fingerprint; `FileNotFoundError` if it is absent."""

    def size(self, path: str) -> int | None:
        """Return the size in bytes, or None if there is no such file."""

    def quarantine(self, path: str) -> str:
        """Set a file aside, so that its name is free, and return where it now is; nothing is ever overwritten."""

    def delete(self, path: str) -> bool:
        """Remove a file; False if it was not there."""

    def list(self, prefix: str = "") -> Iterator[str]:
        """Yield the paths of all files below the folder `prefix`, temporary and quarantined ones included."""

    def scan(self, prefix: str = "") -> Iterator[FileInfo]:
        """Yield the same files with what is known of them."""

    def sweep(self, before_ns: int, *, dry_run: bool = False) -> Sequence[FileInfo]:
        """Remove what transfers that were interrupted before a time left inside the store, invisible to `list`."""


def checked(path: str) -> PurePosixPath:
    """Return `path` as a relative path that stays inside the store, or raise `ValueError`."""
    pure = PurePosixPath(path)
    if not path or pure.is_absolute() or ".." in pure.parts or str(pure) != path:
        raise ValueError(f"{path!r} is not a plain relative path inside a datastore")
    return pure


def temporary_name(final: str, token: str) -> str:
    """Return a temporary name beside `final`; the suffix is kept because writers choose the format by it."""
    pure = checked(final)
    return str(pure.with_name(f"{TEMPORARY}{token}-{pure.name}"))


def is_temporary(path: str) -> bool:
    """Say whether a path is that of a file not yet published."""
    return PurePosixPath(path).name.startswith(TEMPORARY)


def is_own(path: str) -> bool:
    """Say whether a file is the store's own."""
    return PurePosixPath(path).name.startswith(OWN)


def quarantine_name(path: str, attempt: int) -> str:
    """Return the name under which `path` is set aside the `attempt`-th time (counted from 0)."""
    pure = checked(path)
    return str(PurePosixPath(QUARANTINE) / (pure if attempt == 0 else pure.with_name(f"{pure.name}.{attempt}")))


def file_fingerprint(path: Path) -> Fingerprint:
    """Read a local file in blocks and return its fingerprint."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256")
        return Fingerprint(stream.tell(), digest.hexdigest())
