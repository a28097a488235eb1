"""The face of a repository: every question and every change in one place, each handed on to the room that knows."""

from __future__ import annotations

import getpass
import html
import socket
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from registry.datastore.local import LocalDatastore
from registry.errors import UnavailableError, UserError
from registry.face.calibrations import CalibrationFace
from registry.face.datasets import DatasetFace
from registry.face.dimensions import DescribingFace
from registry.face.notes import NoteFace
from registry.face.provenance import ProvenanceFace
from registry.face.questions import QuestionFace
from registry.face.work import WorkFace
from registry.ingest import IngestItem, IngestResult
from registry.repository import Formatter, Repository
from registry.sql.database import database_path, open_database

__all__ = ["Butler", "Formatter", "IngestItem", "IngestResult"]

DATABASE = "registry.sqlite3"
DATASTORE = "datastore"


class Butler(DescribingFace, DatasetFace, CalibrationFace, WorkFace, ProvenanceFace, NoteFace, QuestionFace):
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
    ) -> None:
        root = Path(root).absolute()
        database = root / DATABASE
        if not database.is_file():
            raise UnavailableError(f"{root} is not a repository", fix=f"isrflow init {root} --instrument NAME")
        self._repository = Repository(
            root=root,
            engine=open_database(database, read_only=read_only),
            store=LocalDatastore(root / DATASTORE),
            formatters=formatters,
            actor=actor or f"{_user()}@{socket.gethostname()}",
            read_only=read_only,
        )
        self._formats: dict[str, str] = {}

    @classmethod
    def create(
        cls, root: Path, *, url: str | None = None, formatters: Mapping[str, Formatter], actor: str | None = None
    ) -> Butler:
        """Make an empty repository and open it.

        Raises
        ------
        UserError
            If there is one already, or `url` is of a database that is not supported.
        UnavailableError
            If the directory cannot be written.
        """
        from registry.migrate import create_database

        home = Path(root).absolute() / DATABASE
        create_database(home if url is None else _own(url, home))
        (home.parent / DATASTORE).mkdir(exist_ok=True)
        return cls(home.parent, formatters=formatters, actor=actor)

    def close(self) -> None:
        """Close the database."""
        self._repository.engine.dispose()

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


def _own(url: str, home: Path) -> Path:
    """Return the file that a URL names, which in this version must be the repository's own."""
    path = database_path(url)
    if path.resolve() != home.resolve():
        raise UserError(f"a repository keeps its database in {home}, not in {path}", fix="leave out --db")
    return path
