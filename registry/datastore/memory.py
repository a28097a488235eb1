"""A datastore in the memory of one process: for tests, and the smallest example of a backend without a file system."""

from __future__ import annotations

import hashlib
import itertools
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from registry.datastore.base import FileInfo, Fingerprint, checked, is_own, quarantine_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence


class MemoryDatastore:
    """Files as bytes in a dictionary; writers and readers, who know only local paths, get a passing folder."""

    is_remote = True

    def __init__(self, url: str = "memory://") -> None:
        self.url = url
        self._files: dict[str, tuple[bytes, int]] = {}
        self._lock = Lock()

    def stage(self, temporary: str, write: Callable[[Path], object]) -> Fingerprint:
        """Let `write` fill a file and return its fingerprint."""
        name = checked(temporary).name
        with tempfile.TemporaryDirectory(prefix="isrflow-") as folder:
            write(Path(folder) / name)
            content = (Path(folder) / name).read_bytes()
        self._files[temporary] = (content, time.time_ns())
        return _fingerprint(content)

    def publish(self, moves: Mapping[str, str]) -> None:
        """Give staged files their final names; see `Datastore.publish`."""
        for temporary, final in moves.items():
            checked(final)
            with self._lock:
                if final in self._files:
                    raise FileExistsError(f"the memory datastore already holds {final}")
                if temporary not in self._files:
                    raise FileNotFoundError(f"the memory datastore holds no {temporary}")
                self._files[final] = self._files.pop(temporary)

    @contextmanager
    def local_copy(self, path: str) -> Iterator[Path]:
        """Lend a copy that is gone after the ``with``."""
        content = self._content(path)
        with tempfile.TemporaryDirectory(prefix="isrflow-") as folder:
            copy = Path(folder) / checked(path).name
            copy.write_bytes(content)
            yield copy

    def fetch(self, path: str, target: Path) -> Fingerprint:
        """Copy the file to a local path, and return its fingerprint."""
        content = self._content(path)
        target.write_bytes(content)
        return _fingerprint(content)

    def fingerprint(self, path: str) -> Fingerprint:
        """Hash the file and return its fingerprint."""
        return _fingerprint(self._content(path))

    def size(self, path: str) -> int | None:
        """Return the size in bytes, or None if there is no such file."""
        found = self._files.get(str(checked(path)))
        return None if found is None else len(found[0])

    def quarantine(self, path: str) -> str:
        """Set a file aside and return where it now is."""
        names = (quarantine_name(path, attempt) for attempt in itertools.count())
        aside = next(name for name in names if name not in self._files)
        self.publish({path: aside})
        return aside

    def delete(self, path: str) -> bool:
        """Remove a file; False if it was not there."""
        return self._files.pop(str(checked(path)), None) is not None

    def list(self, prefix: str = "") -> Iterator[str]:
        """Yield the paths of all files below the folder `prefix`."""
        for info in self.scan(prefix):
            yield info.path

    def scan(self, prefix: str = "") -> Iterator[FileInfo]:
        """Yield the same files with what is known of them."""
        inside = f"{checked(prefix)}/" if prefix else ""
        for path, (content, modified_ns) in list(self._files.items()):
            if path.startswith(inside) and not is_own(path):
                yield FileInfo(path, len(content), modified_ns)

    def sweep(self, before_ns: int, *, dry_run: bool = False) -> Sequence[FileInfo]:  # noqa: ARG002
        """Return nothing: there are no transfers."""
        return []

    def _content(self, path: str) -> bytes:
        try:
            return self._files[str(checked(path))][0]
        except KeyError:
            raise FileNotFoundError(f"the memory datastore holds no {path}") from None


_named: dict[str, MemoryDatastore] = {}
_naming = Lock()


def memory_datastore(url: str) -> MemoryDatastore:
    """Return the store of a name; whoever asks for the same name in this process gets the same files."""
    with _naming:
        return _named.setdefault(url, MemoryDatastore(url))


def _fingerprint(content: bytes) -> Fingerprint:
    return Fingerprint(len(content), hashlib.sha256(content).hexdigest())
