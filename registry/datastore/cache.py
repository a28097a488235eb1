"""Copies of remote files on the local disk, shared by all processes of a user: calibrations are read again and again.

A copy is filed under the SHA-256 of its bytes, so it can never be out of date. It is hashed while it is fetched; after
that its size and its sealed time of change tell whether somebody touched it, and then it is hashed again. Readers get
a hard link under the file's own name, because its suffix says the format, and because the copy may be dropped while
they read: the least recently used go first when the folder outgrows its budget.
"""

from __future__ import annotations

import errno
import fcntl
import itertools
import os
import secrets
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from registry.datastore.base import Fingerprint, file_fingerprint
from registry.datastore.places import cache_folder
from registry.errors import CorruptDataset
from registry.owner import is_dead, process_token

Fetch = Callable[[Path], Fingerprint]
"""Brings the file to a path and says what came."""

_SEALED_NS = 946_684_800 * 10**9
"""Time of change of every copy: that of a touched one is another."""
_FULL = 0.9
"""How full, of its budget, a folder is after it was trimmed."""
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG})


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """Where copies are kept, how many bytes of them, and whether files that are local already are copied too.

    `local` pays where the datastore is a slow network file system.
    """

    folder: Path | None = None
    budget_bytes: int = 10 << 30
    local: bool = False


@dataclass(frozen=True, slots=True)
class Usage:
    """How many copies there are, and their size."""

    n_files: int
    n_bytes: int


class FileCache:
    """A folder of copies; several processes may use it at once.

    Parameters
    ----------
    policy
        Where and how much; the folder is that of `registry.datastore.places.cache_folder` if none is named.
    """

    def __init__(self, policy: CachePolicy | None = None) -> None:
        self.policy = policy or CachePolicy()
        self.folder = self.policy.folder or cache_folder()
        self.hits = self.misses = 0
        self._numbers = itertools.count()
        self._kept: dict[str, Path] = {}
        self._passing: tempfile.TemporaryDirectory[str] | None = None

    @contextmanager
    def lend(self, expected: Fingerprint, name: str, fetch: Fetch) -> Iterator[Path]:
        """Lend a copy of a file, to be read only, inside the ``with``.

        Parameters
        ----------
        expected
            What the file must be.
        name
            What it is called; readers choose the format by its suffix.
        fetch
            Called if there is no copy.

        Raises
        ------
        CorruptDataset
            If what was fetched is not what was expected; it is not kept.
        """
        path = self._link(expected, name, fetch)
        try:
            yield path
        finally:
            shutil.rmtree(path.parent, ignore_errors=True)

    def keep(self, expected: Fingerprint, name: str, fetch: Fetch) -> Path:
        """Return a copy of a file that stays until `close`; see `lend`."""
        key = f"{os.getpid()}/{expected.sha256}/{name}"
        if key not in self._kept or not self._kept[key].exists():
            self._kept[key] = self._link(expected, name, fetch)
        return self._kept[key]

    def close(self) -> None:
        """Take back what was lent to this process."""
        self._kept.clear()
        shutil.rmtree(self._lent(), ignore_errors=True)
        if self._passing is not None:
            self._passing.cleanup()

    def usage(self) -> Usage:
        """Count the copies."""
        sizes = [status.st_size for _, status in self._copies()]
        return Usage(len(sizes), sum(sizes))

    def trim(self, budget_bytes: int | None = None) -> Usage:
        """Drop the least recently used copies until the folder is within its budget; return what was dropped."""
        budget = self.policy.budget_bytes if budget_bytes is None else budget_bytes
        self._forget_the_dead()
        copies = sorted(self._copies(), key=lambda copy: copy[1].st_atime_ns)
        excess = sum(status.st_size for _, status in copies) - budget
        dropped = 0
        if excess > 0:
            excess += int(budget * (1 - _FULL))
            for path, status in copies:
                if excess <= 0:
                    break
                path.unlink(missing_ok=True)
                excess -= status.st_size
                dropped += 1
        gone = sum(status.st_size for _, status in copies[:dropped])
        return Usage(dropped, gone)

    def _link(self, expected: Fingerprint, name: str, fetch: Fetch) -> Path:
        """Give a copy another name that is this process's alone."""
        try:
            while True:
                copy = self._copy(expected, name, fetch)
                place = self._lent() / str(next(self._numbers))
                place.mkdir(parents=True)
                with suppress(FileNotFoundError):  # dropped by another process this very moment: fetch it again
                    os.link(copy, place / name)
                    return place / name
        except OSError as problem:
            if problem.errno not in _NO_ROOM:
                raise
            return self._without_cache(problem, expected, name, fetch)

    def _without_cache(self, problem: OSError, expected: Fingerprint, name: str, fetch: Fetch) -> Path:
        """Fetch a file to a passing folder, where the cache cannot be written."""
        if self._passing is None:
            warnings.warn(f"files are not kept in the cache {self.folder}: {problem}", stacklevel=2)
            self._passing = tempfile.TemporaryDirectory(prefix="isrflow-", ignore_cleanup_errors=True)
        path = Path(tempfile.mkdtemp(dir=self._passing.name)) / name
        _refuse_other(fetch(path), expected, name)
        return path

    def _copy(self, expected: Fingerprint, name: str, fetch: Fetch) -> Path:
        """Return the copy of a file, fetched if need be, by one process only."""
        copy = self.folder / "files" / expected.sha256[:2] / expected.sha256
        if not _is_sound(copy, expected):
            with self._alone(expected.sha256[:2]):
                if not _is_sound(copy, expected):
                    self.misses += 1
                    self._fetch(copy, expected, name, fetch)
                    self.trim()
                    return copy
        self.hits += 1
        with suppress(FileNotFoundError):
            os.utime(copy, ns=(time.time_ns(), _SEALED_NS))
        return copy

    def _fetch(self, copy: Path, expected: Fingerprint, name: str, fetch: Fetch) -> None:
        copy.parent.mkdir(parents=True, exist_ok=True)
        temporary = copy.with_name(f".tmp-{os.getpid()}-{secrets.token_hex(4)}")
        try:
            _refuse_other(fetch(temporary), expected, name)
            temporary.chmod(0o444)
            os.utime(temporary, ns=(time.time_ns(), _SEALED_NS))
            temporary.replace(copy)
        finally:
            temporary.unlink(missing_ok=True)

    @contextmanager
    def _alone(self, what: str) -> Iterator[None]:
        """Keep other processes and threads from fetching the same file."""
        locks = self.folder / "locks"
        locks.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(locks / what, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _copies(self) -> list[tuple[Path, os.stat_result]]:
        found = []
        for path in (self.folder / "files").glob("??/*"):
            if not path.name.startswith("."):
                with suppress(FileNotFoundError):
                    found.append((path, path.stat()))
        return found

    def _lent(self) -> Path:
        return self.folder / "lent" / quote(process_token(), safe="")

    def _forget_the_dead(self) -> None:
        """Remove what was lent to processes that ended without giving it back."""
        for folder in (self.folder / "lent").glob("*"):
            if is_dead(unquote(folder.name)):
                shutil.rmtree(folder, ignore_errors=True)


def _is_sound(copy: Path, expected: Fingerprint) -> bool:
    """Say whether a copy is what it should be; one that is not is removed."""
    try:
        status = copy.stat()
        if status.st_size == expected.size:
            if status.st_mtime_ns == _SEALED_NS:
                return True
            if file_fingerprint(copy) == expected:
                os.utime(copy, ns=(time.time_ns(), _SEALED_NS))
                return True
        copy.unlink(missing_ok=True)
    except FileNotFoundError:
        pass
    return False


def _refuse_other(found: Fingerprint, expected: Fingerprint, name: str) -> None:
    if found != expected:
        which = "size" if found.size != expected.size else "SHA-256"
        message = f"{name} has not the {which} that it had when it was stored: its bytes were changed"
        fix = "isrflow verify --full; then restore the file from a backup"
        raise CorruptDataset(message, path=name, expected=expected.sha256, found=found.sha256, fix=fix)
