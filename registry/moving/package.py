"""A package on disk: a directory or a zip file with one manifest and the files of datasets, and nothing else.

Nothing in a package decides where anything is written: a file's name follows from its dataset, and a package with any
other file, a link, or a name that leads elsewhere is refused as a whole.
"""

from __future__ import annotations

import os
import shutil
import stat
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from registry.errors import CorruptDataset, TransferError, UserError

MANIFEST = "manifest.jsonl"
FILES = "files"
BAD = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError)
"""What Python says of zip files that are not whole, or made with methods it does not know."""


class Package(ABC):
    """A package that is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @abstractmethod
    def names(self) -> Iterator[str]:
        """Yield the names of all files; refuse what is no plain file inside."""

    @abstractmethod
    def open(self, name: str) -> IO[bytes]:
        """Open a file for reading."""

    def corrupt(self, why: str) -> CorruptDataset:
        """Return the error that this package is not what it should be."""
        message = f"the package {self.path} cannot be trusted, and nothing was stored: {why}"
        return CorruptDataset(message, path=self.path, fix="copy or export it again")

    @contextmanager
    def reading(self, name: str) -> Iterator[IO[bytes]]:
        """Open a file, and turn what goes wrong into our errors."""
        try:
            with self.open(name) as stream:
                yield stream
        except (*BAD, KeyError, FileNotFoundError) as problem:
            raise self.corrupt(f"{name}: {problem}") from problem
        except OSError as problem:
            raise TransferError(f"{self.path}: {name} cannot be read: {problem}", path=self.path) from problem

    def _plain(self, name: str) -> str:
        pure = PurePosixPath(name)
        if pure.is_absolute() or ".." in pure.parts or "\\" in name or str(pure) != name or not name.isprintable():
            raise self.corrupt(f"it has a file with the name {name!r}, which leads elsewhere")
        return name


class _Folder(Package):
    def names(self) -> Iterator[str]:
        for folder, below, files in os.walk(self.path):
            for entry in [*below, *files]:
                path = Path(folder, entry)
                name = path.relative_to(self.path).as_posix()
                mode = path.lstat().st_mode
                if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                    raise self.corrupt(f"{name} is a link or a device, not a plain file")
                if stat.S_ISREG(mode):
                    yield self._plain(name)

    def open(self, name: str) -> IO[bytes]:
        return os.fdopen(os.open(self.path / name, os.O_RDONLY | os.O_NOFOLLOW), "rb")


class _Zip(Package):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        try:
            self._zip = zipfile.ZipFile(path)
        except BAD as problem:
            raise self.corrupt(f"it is no whole zip file ({problem})") from problem

    def names(self) -> Iterator[str]:
        seen: set[str] = set()
        for info in self._zip.infolist():
            if info.is_dir():
                self._plain(info.filename.rstrip("/"))
                continue
            mode = info.external_attr >> 16
            if mode and stat.S_IFMT(mode) not in {0, stat.S_IFREG}:
                raise self.corrupt(f"{info.filename} is a link or a device, not a plain file")
            if info.filename in seen:
                raise self.corrupt(f"it has {info.filename} twice")
            seen.add(info.filename)
            yield self._plain(info.filename)

    def open(self, name: str) -> IO[bytes]:
        return self._zip.open(name)


def open_package(path: Path) -> Package:
    """Open a package for reading.

    Raises
    ------
    TransferError
        If there is no such file or directory.
    CorruptDataset
        If it is neither a directory with a manifest nor a whole zip file.
    """
    path = Path(path)
    if path.is_dir():
        if not (path / MANIFEST).is_file():
            raise CorruptDataset(f"{path} is not a package: it has no {MANIFEST}", path=path, fix="isrflow export DIR")
        return _Folder(path)
    if not path.is_file():
        raise TransferError(f"there is no package {path}", path=path, fix="isrflow export DIR or FILE.zip makes one")
    return _Zip(path)


class PackageWriter(ABC):
    """A package that is made: under a temporary name until all of it is there."""

    @abstractmethod
    def add(self, name: str, source: Path) -> None:
        """Put a file in."""

    @abstractmethod
    def finish(self) -> None:
        """Give the package its name."""

    @abstractmethod
    def give_up(self) -> None:
        """Leave nothing behind."""


class _FolderWriter(PackageWriter):
    def __init__(self, path: Path) -> None:
        self._path, self._work = path, _work_name(path)
        shutil.rmtree(self._work, ignore_errors=True)
        self._work.mkdir(parents=True)

    def add(self, name: str, source: Path) -> None:
        target = self._work / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)

    def finish(self) -> None:
        self._work.rename(self._path)

    def give_up(self) -> None:
        shutil.rmtree(self._work, ignore_errors=True)


class _ZipWriter(PackageWriter):
    def __init__(self, path: Path) -> None:
        self._path, self._work = path, _work_name(path)
        self._work.parent.mkdir(parents=True, exist_ok=True)
        self._zip = zipfile.ZipFile(self._work, "w", zipfile.ZIP_STORED, strict_timestamps=False)

    def add(self, name: str, source: Path) -> None:
        # Pictures are compressed already, or do not shrink much; the manifest does, to a tenth.
        method = zipfile.ZIP_DEFLATED if name == MANIFEST else zipfile.ZIP_STORED
        self._zip.write(source, name, compress_type=method)

    def finish(self) -> None:
        self._zip.close()
        self._work.rename(self._path)

    def give_up(self) -> None:
        self._zip.close()
        self._work.unlink(missing_ok=True)


@contextmanager
def new_package(path: Path) -> Iterator[PackageWriter]:
    """Make a package: a zip file if the name ends with ``.zip``, else a directory. A failure leaves nothing.

    Raises
    ------
    UserError
        If there is something of that name.
    TransferError
        If it cannot be written.
    """
    path = Path(path)
    if path.exists() or path.is_symlink():
        raise UserError(f"{path} exists already; a package is never written over", fix="choose another name")
    try:
        writer = _ZipWriter(path) if path.suffix == ".zip" else _FolderWriter(path)
        try:
            yield writer
            writer.finish()
        except BaseException:
            writer.give_up()
            raise
    except OSError as problem:
        if isinstance(problem, UserError):
            raise
        raise TransferError(f"the package {path} cannot be written: {problem}", path=path) from problem


def _work_name(path: Path) -> Path:
    return path.with_name(f".{path.name}.part")
