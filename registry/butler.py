"""The face of a repository: every question and every change in one place, each handed on to the room that knows."""

from __future__ import annotations

import getpass
import html
import socket
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import UUID

from registry.datastore.base import Datastore
from registry.datastore.cache import CachePolicy, FileCache
from registry.datastore.opening import open_datastore
from registry.datastore.ownership import adopt, claim, refuse_others
from registry.errors import UnavailableError
from registry.face.calibrations import CalibrationFace
from registry.face.collections import CollectionFace
from registry.face.datasets import DatasetFace
from registry.face.deleting import DeletingFace
from registry.face.dimensions import DescribingFace
from registry.face.moving import MovingFace
from registry.face.notes import NoteFace
from registry.face.provenance import ProvenanceFace
from registry.face.questions import QuestionFace
from registry.face.work import WorkFace
from registry.ingest import IngestItem, IngestResult
from registry.location import DATASTORE_FOLDER, LOCATION_FILE, Location, location_for, read_location, write_location
from registry.repository import Formatter, Repository
from registry.sql.address import Address
from registry.sql.database import make_engine, open_database, read
from registry.sql.identity import repository_uuid

__all__ = ["Butler", "Formatter", "IngestItem", "IngestResult"]


class Butler(
    DescribingFace,
    CollectionFace,
    DatasetFace,
    DeletingFace,
    CalibrationFace,
    WorkFace,
    ProvenanceFace,
    NoteFace,
    QuestionFace,
    MovingFace,
):
    """An open repository.

    Parameters
    ----------
    root
        Its directory.
    formatters
        How values are kept in files, by the names that dataset types use.
    actor
        Who events are signed with; the user and host by default.
    read_only
        Refuse every change.
    cache
        Where copies of remote files are kept, and how many.

    Raises
    ------
    UnavailableError
        If `root` is not a repository; names ``isrflow init``.
    VersionError
        If its schema is older or newer than this program; names the command that mends it.
    """

    def __init__(
        self,
        root: Path,
        *,
        formatters: Mapping[str, Formatter],
        actor: str | None = None,
        read_only: bool = False,
        cache: CachePolicy | None = None,
    ) -> None:
        self._start(read_location(Path(root).absolute()), formatters, actor, read_only=read_only, cache=cache)

    def _start(
        self,
        location: Location,
        formatters: Mapping[str, Formatter],
        actor: str | None,
        *,
        read_only: bool = False,
        cache: CachePolicy | None = None,
    ) -> None:
        """Open the parts of a repository."""
        who = actor or f"{_user()}@{socket.gethostname()}"
        self._location = location
        self._repository = _open(location, formatters, who, read_only, cache)
        self._formats: dict[str, str] = {}

    @classmethod
    def create(
        cls,
        root: Path,
        *,
        url: str | None = None,
        datastore: str | None = None,
        formatters: Mapping[str, Formatter],
        actor: str | None = None,
    ) -> Butler:
        """Make an empty repository and open it.

        Parameters
        ----------
        root
            Its directory.
        url
            Its database: ``postgresql://USER@HOST/DATABASE``, which must exist; the default is a SQLite file in `root`.
            A password in it is used now and not kept.
        datastore
            Where its files are: a directory, or the URL of an object store; the default is a folder in `root`.
        formatters, actor
            As for opening it.

        Raises
        ------
        UserError
            If there is one already, in `root` or in the database, or `url` is of a database that is not supported.
        UnavailableError
            If the directory cannot be written, or the database cannot be reached.
        """
        from registry.migrate import create_database, remove_database

        location = location_for(Path(root).absolute(), url, datastore)
        create_database(location.address)
        try:
            location.root.mkdir(parents=True, exist_ok=True)
            if location.datastore is None:
                (location.root / DATASTORE_FOLDER).mkdir(exist_ok=True)
            uuid = _uuid_in(location.address)
            claim(_store(location), uuid, location.root)
            location = replace(location, uuid=uuid)
            write_location(location)
            butler = cls.__new__(cls)  # not by its root: the password that was typed is written nowhere
            butler._start(location, formatters, actor)  # noqa: SLF001 - it is one of us
        except BaseException:
            remove_database(location.address)
            (location.root / LOCATION_FILE).unlink(missing_ok=True)
            raise
        return butler

    @property
    def location(self) -> Location:
        """Where its directory, its database and its files are."""
        return self._location

    def discard(self) -> None:
        """Close a repository that was just made and take it away again: what belongs into it is not to be had."""
        from registry.migrate import remove_database

        self.close()
        remove_database(self._location.address)
        (self._location.root / LOCATION_FILE).unlink(missing_ok=True)

    def close(self) -> None:
        """Close the database, and take back copies of remote files."""
        self._repository.engine.dispose()
        if self._repository.cache is not None:
            self._repository.cache.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Butler({str(self.root)!r})"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{html.escape(name)}</td><td>{number}</td></tr>" for name, number in self.stats().items()
        )
        return f"<b>{html.escape(str(self.root))}</b><table>{rows}</table>"


def _user() -> str:
    """Return the user's name; there may be none in a container."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"


def _open(
    location: Location,
    formatters: Mapping[str, Formatter],
    actor: str,
    read_only: bool,
    policy: CachePolicy | None = None,
) -> Repository:
    """Open the parts of a repository, and make sure that they belong together.

    Raises
    ------
    UnavailableError
        If its database, or its datastore, is that of another repository.
    """
    with ExitStack() as undo:
        engine = open_database(location.address, read_only=read_only)
        undo.callback(engine.dispose)
        with read(engine) as connection:
            uuid = repository_uuid(connection)
        if location.uuid not in {None, uuid}:
            message = (
                f"{location.root / LOCATION_FILE} is of the repository {location.uuid}, but the database"
                f" {location.database_place} is of {uuid}: files of one would be taken for those of the other"
            )
            raise UnavailableError(message, fix=f"name the right database in {LOCATION_FILE}, or restore it")
        store = _store(location)
        if not refuse_others(store, uuid) and not read_only:
            with suppress(OSError, UnavailableError):  # who may only read need not leave a mark
                adopt(store, uuid, location.root)
        is_cached = store.is_remote or (policy is not None and policy.local)
        cache = FileCache(policy) if is_cached else None
        repository = Repository(location.root, engine, store, formatters, actor, read_only, uuid, cache)
        undo.pop_all()
    return repository


def _store(location: Location) -> Datastore:
    """Open where the files are."""
    return open_datastore(location.datastore or str(location.root / DATASTORE_FOLDER))


def _uuid_in(address: Address) -> UUID:
    """Return the name that a new database was given."""
    engine = make_engine(address)
    try:
        with read(engine) as connection:
            return repository_uuid(connection)
    finally:
        engine.dispose()
