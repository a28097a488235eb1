"""What every room above storage works with: a database, a datastore, and the formats of the files in it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from uuid import UUID

from sqlalchemy import Connection, Engine

from registry.datastore.base import Datastore
from registry.datastore.cache import FileCache
from registry.errors import UnknownName, UserError
from registry.sql.database import read, write
from registry.sql.familiar import Familiar


class Formatter(Protocol):
    """How values of one kind are kept in files; given by whoever opens the repository, which knows no formats."""

    extension: str
    """With the dot: ``".fits"``."""

    def write(self, value: object, path: Path) -> str:
        """Write a new file and return the hash of its content (see `content_sha256`)."""

    def read(self, path: Path) -> object:
        """Read a file completely; it may be gone afterwards."""

    def content_sha256(self, path: Path) -> str:
        """Hash what a file says, without what changes from writing to writing (dates, checksum texts, host).

        Any exception means that the file is not whole, and its text is shown to people.
        """


@dataclass(frozen=True, slots=True)
class Repository:
    """An open repository; `actor` is who events are signed with, `uuid` the name that its database has."""

    root: Path
    engine: Engine
    store: Datastore
    formatters: Mapping[str, Formatter]
    actor: str
    read_only: bool = False
    uuid: UUID | None = None
    cache: FileCache | None = None
    """Copies of remote files; None if there is nothing to be gained from them."""
    familiar: Familiar = field(default_factory=Familiar, compare=False, repr=False)
    """Rows that were looked up before and cannot change."""

    def reading(self) -> AbstractContextManager[Connection]:
        """Open a read transaction: one consistent snapshot."""
        return read(self.engine)

    def writing(
        self, *, durable: bool = False, beside: bool = False, shared: bool = False
    ) -> AbstractContextManager[Connection]:
        """Open a write transaction; `durable` makes its commit survive a power cut, the rest see `database.write`.

        Raises
        ------
        UserError
            If the repository was opened for reading only.
        """
        if self.read_only:
            raise UserError(f"the repository {self.root} was opened for reading only")
        return write(self.engine, durable=durable, beside=beside, shared=shared)

    def changing(self, *, dry_run: bool) -> AbstractContextManager[Connection]:
        """Open a durable write transaction, or a read one for a dry run."""
        return self.reading() if dry_run else self.writing(durable=True)

    def size_of(self, path: str) -> int | None:
        """Return the size in bytes of a dataset's file, in the datastore or left in place; None if it is gone."""
        if not path.startswith("/"):
            return self.store.size(path)
        try:
            return Path(path).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None

    def formatter(self, name: str) -> Formatter:
        """Return a format by name; `UnknownName` if this program was not given it."""
        try:
            return self.formatters[name]
        except KeyError:
            raise UnknownName(kind="formatter", name=name, known=list(self.formatters)) from None
