"""The name that a repository's database was given when it was made."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection, select

from registry.sql import tables as t


def repository_uuid(connection: Connection) -> UUID:
    """Return the name of the repository."""
    uuid: UUID = connection.execute(select(t.repository.c.uuid)).scalar_one()
    return uuid
