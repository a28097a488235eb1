"""A datastore in a folder of a POSIX file system."""

from __future__ import annotations

import errno
import fcntl
import itertools
import os
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from registry.datastore.base import FileInfo, Fingerprint, checked, file_fingerprint, is_own, quarantine_name
from registry.errors import OutsideStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence


_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
"""What systems say of a file system that has no hard links (FAT, some network and FUSE ones)."""


class LocalDatastore:
    """Files below `root`.

    Files are hashed after they are written, not while: writers of FITS seek back to fill in checksums. The bytes come
    from the page cache then, so this costs the hash alone.
    """

    is_remote = False

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self._real_root = os.path.realpath(root)  # the root itself may be a link to a larger disk
        self._inside: set[Path] = set()

    @property
    def url(self) -> str:
        """The folder."""
        return str(self.root)

    def stage(self, temporary: str, write: Callable[[Path], object]) -> Fingerprint:
        """Let `write` fill a file, make it durable and return its fingerprint."""
        target = self._at(temporary)
        _make_folder(target.parent)
        try:
            write(target)
            _sync(target)
            return file_fingerprint(target)
        except BaseException:
            target.unlink(missing_ok=True)
            raise

    def publish(self, moves: Mapping[str, str]) -> None:
        """Give staged files their final names; see `Datastore.publish`."""
        touched: set[Path] = set()
        try:
            for temporary, final in moves.items():
                source, target = self._at(temporary), self._at(final)
                _make_folder(target.parent)
                self._move(source, target)
                touched |= {source.parent, target.parent}
        finally:
            for folder in sorted(touched):
                _sync(folder)

    @contextmanager
    def local_copy(self, path: str) -> Iterator[Path]:
        """Lend the file itself."""
        target = self._at(path)
        if not target.is_file():
            raise FileNotFoundError(errno.ENOENT, "no file", str(target))
        yield target

    def fetch(self, path: str, target: Path) -> Fingerprint:
        """Copy the file to a local path, and return its fingerprint."""
        shutil.copyfile(self._at(path), target)
        return file_fingerprint(target)

    def fingerprint(self, path: str) -> Fingerprint:
        """Read the whole file and return its fingerprint."""
        return file_fingerprint(self._at(path))

    def size(self, path: str) -> int | None:
        """Return the size in bytes, or None if there is no such file; what lies elsewhere is none of ours."""
        try:
            return self._at(path).stat().st_size
        except (FileNotFoundError, NotADirectoryError, OutsideStore):
            return None

    def quarantine(self, path: str) -> str:
        """Set a file aside and return where it now is."""
        for attempt in itertools.count():
            aside = quarantine_name(path, attempt)
            try:
                self.publish({path: aside})
            except FileExistsError:
                continue
            return aside
        raise AssertionError("unreachable: itertools.count never ends")

    def delete(self, path: str) -> bool:
        """Remove a file, durably; False if it was not there."""
        target = self._at(path)
        try:
            target.unlink()
        except FileNotFoundError:
            return False
        _sync(target.parent)
        return True

    def list(self, prefix: str = "") -> Iterator[str]:
        """Yield the paths of all files below the folder `prefix`."""
        for info in self.scan(prefix):
            yield info.path

    def scan(self, prefix: str = "") -> Iterator[FileInfo]:
        """Yield the same files with what is known of them."""
        start = self.root / checked(prefix) if prefix else self.root
        for folder, _, names in os.walk(start):
            for name in names:
                if not is_own(name):
                    file = Path(folder) / name
                    with suppress(FileNotFoundError):  # gone since it was listed
                        status = file.lstat()
                        yield FileInfo(file.relative_to(self.root).as_posix(), status.st_size, status.st_mtime_ns)

    def sweep(self, before_ns: int, *, dry_run: bool = False) -> Sequence[FileInfo]:  # noqa: ARG002
        """Return nothing: no transfer leaves more here than files with temporary names."""
        return []

    def _move(self, source: Path, target: Path) -> None:
        """Give a file another name, never replacing: a hard link fails when the name is taken, also against a race."""
        try:
            os.link(source, target)
        except OSError as problem:
            if problem.errno not in _NO_LINKS:
                raise
            self._move_without_links(source, target)
        else:
            source.unlink()

    def _move_without_links(self, source: Path, target: Path) -> None:
        """Do the same on a file system that has no hard links: os.rename replaces, so only one at a time may do it."""
        folder = os.open(self.root, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            if os.path.lexists(target):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
            source.rename(target)
        finally:
            os.close(folder)

    def _at(self, path: str) -> Path:
        """Return where a path is; refuse one that a symbolic link leads out of the store."""
        target = self.root / checked(path)
        if target.parent not in self._inside:
            self._refuse_outside(path, target.parent)
            self._inside.add(target.parent)
        if target.is_symlink():
            self._refuse_outside(path, target)
        return target

    def _refuse_outside(self, path: str, place: Path) -> None:
        real = os.path.realpath(place)
        if real != self._real_root and not real.startswith(self._real_root + os.sep):
            raise OutsideStore(path=path, store=str(self.root), target=real)


def _make_folder(folder: Path) -> None:
    """Make a folder and its parents, each made durable in the folder above it."""
    missing = list(itertools.takewhile(lambda each: not each.exists(), [folder, *folder.parents]))
    folder.mkdir(parents=True, exist_ok=True)
    for made in reversed(missing):
        _sync(made.parent)


def _sync(path: Path) -> None:
    """Flush a file or a folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
