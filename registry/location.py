"""Where the parts of a repository are: its directory, its database and its files.

A repository whose database is SQLite and whose files are in its directory needs no word about it. Any other has a file
``repository.json`` with the addresses of both, without passwords, and the name (UUID) that the database has: so that a
directory copied or pointed elsewhere by mistake is noticed before anything is written.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from registry.errors import UnavailableError, UserError
from registry.sql.address import Address, database_address, stored_text, with_password, without_password

DATABASE_FILE = "registry.sqlite3"
DATASTORE_FOLDER = "datastore"
LOCATION_FILE = "repository.json"
_KEYS = ("uuid", "database", "datastore")


@dataclass(frozen=True, slots=True)
class Location:
    """The addresses of a repository's parts.

    Parameters
    ----------
    root
        Its directory.
    database
        URL of its PostgreSQL database, without password; None for the SQLite file in `root`.
    datastore
        URL or directory of its files; None for the folder in `root`.
    uuid
        The name of the repository; None where it is not written down.
    password
        What was typed for the database; never written down.
    """

    root: Path
    database: str | None = None
    datastore: str | None = None
    uuid: UUID | None = None
    password: str | None = field(default=None, repr=False, compare=False)

    @property
    def address(self) -> Address:
        """What to open as the database; the password is taken from the environment."""
        if self.database is None:
            return self.root / DATABASE_FILE
        address = database_address(self.database)
        if isinstance(address, Path):
            return address
        return with_password(address if self.password is None else address.set(password=self.password))

    @property
    def datastore_place(self) -> str:
        """How people call the place of the files."""
        return str(self.root / DATASTORE_FOLDER) if self.datastore is None else self.datastore

    @property
    def database_place(self) -> str:
        """How people call the database."""
        address = self.address
        return str(address) if isinstance(address, Path) else without_password(address.set(drivername="postgresql"))


def is_repository(root: Path) -> bool:
    """Say whether a directory is a repository."""
    return (root / DATABASE_FILE).is_file() or (root / LOCATION_FILE).is_file()


def read_location(root: Path) -> Location:
    """Return where the parts of a repository are.

    Raises
    ------
    UnavailableError
        If `root` is no repository, or its ``repository.json`` cannot be understood.
    """
    if not is_repository(root):
        raise UnavailableError(f"{root} is not a repository", fix=f"isrflow init {root} --instrument NAME")
    file = root / LOCATION_FILE
    if not file.is_file():
        return Location(root)
    try:
        return _understood(root, json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, AttributeError) as error:
        message = f"{file} cannot be read: {error}"
        raise UnavailableError(message, fix=f"restore it: a JSON object with {', '.join(_KEYS)}") from error


def write_location(location: Location) -> None:
    """Write down where the parts of a repository are, unless all are where they are looked for anyway.

    Raises
    ------
    UnavailableError
        If the file cannot be written.
    """
    if location.database is None and location.datastore is None:
        return
    facts = {
        "uuid": None if location.uuid is None else str(location.uuid),
        "database": location.database,
        "datastore": location.datastore,
    }
    file = location.root / LOCATION_FILE
    new = file.with_name(file.name + ".new")
    try:
        new.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
        new.replace(file)
    except OSError as error:
        raise UnavailableError(f"{file} cannot be written: {error.strerror}") from error


def location_for(root: Path, url: str | None, datastore: str | None) -> Location:
    """Return where a new repository will be.

    Raises
    ------
    UserError
        If `root` is a repository already, or `url` names a SQLite file elsewhere or an engine that is not known.
    """
    home = root / DATABASE_FILE
    if (root / LOCATION_FILE).exists() or (url is not None and "postgres" in url and home.exists()):
        message = f"there is already a registry database of the repository {root}"
        raise UserError(message, fix="isrflow init OTHERDIR --instrument NAME")
    address = home if url is None else database_address(url)
    kept = None if datastore is None else _kept(datastore)
    if not isinstance(address, Path):
        text = stored_text(address.set(drivername="postgresql"))
        return Location(root, text, kept, password=str(address.password) if address.password else None)
    if address.resolve() != home.resolve():
        raise UserError(f"a repository keeps its database in {home}, not in {address}", fix="leave out --db")
    return Location(root, None, kept)


def _kept(datastore: str) -> str:
    """Return the address of files as it is written down: directories absolute."""
    return datastore if "://" in datastore else str(Path(datastore).absolute())


def _understood(root: Path, facts: dict[str, str | None]) -> Location:
    """Make the location of what was written down."""
    unknown = sorted(set(facts) - set(_KEYS))
    if unknown:
        raise ValueError(f"it has unknown keys: {', '.join(unknown)}")
    uuid = facts.get("uuid")
    return Location(root, facts.get("database"), facts.get("datastore"), None if uuid is None else UUID(uuid))
