"""Collections: chained, tagged, frozen, listed."""

from __future__ import annotations

from collections.abc import Sequence

from registry.face.base import Face
from registry.refs import DatasetRef
from registry.sql import collection_edits
from registry.sql import collections as collections_sql
from registry.sql.collection_edits import ChainEdit, Edit
from registry.sql.collections import CollectionKind, CollectionRow


class CollectionFace(Face):
    """Which datasets belong together, and where is looked first."""

    def register_collection(self, name: str, kind: CollectionKind, doc: str = "") -> None:
        """Add a collection; harmless if it is there with the same kind."""
        with self._repository.writing() as connection:
            collections_sql.register_collection(connection, name, kind, doc=doc, owner=self._repository.actor)

    def collections(self, pattern: str = "*") -> list[CollectionRow]:
        """Return the collections whose name fits a shell pattern."""
        with self._repository.reading() as connection:
            return collections_sql.collections(connection, pattern)

    def members(self, name: str) -> dict[str, int]:
        """Return how many datasets of each type a collection holds."""
        with self._repository.reading() as connection:
            return collection_edits.members(connection, name)

    def set_chain(self, name: str, children: Sequence[str], *, reason: str = "") -> int | None:
        """Say which collections a chain searches, in order; return the event, None if nothing changed."""
        with self._repository.writing() as connection:
            return collections_sql.set_chain(connection, name, children, actor=self._repository.actor, reason=reason)

    def edit_chain(self, name: str, names: Sequence[str], how: Edit = "set", *, reason: str = "") -> ChainEdit:
        """Set, prepend, append or remove what a chain searches; see `registry.sql.collection_edits`."""
        with self._repository.writing() as connection:
            return collection_edits.edit_chain(
                connection, name, names, how, actor=self._repository.actor, reason=reason
            )

    def tag(self, collection: str, refs: Sequence[DatasetRef], *, reason: str = "") -> int:
        """Put datasets into a TAGGED collection and return how many were new."""
        with self._repository.writing() as connection:
            return collections_sql.tag(connection, collection, refs, actor=self._repository.actor, reason=reason)

    def untag(self, collection: str, refs: Sequence[DatasetRef], *, reason: str = "") -> int:
        """Take datasets out of a TAGGED collection and return how many were in it."""
        with self._repository.writing() as connection:
            return collection_edits.untag(connection, collection, refs, actor=self._repository.actor, reason=reason)

    def freeze(self, name: str, *, reason: str) -> int | None:
        """Let a collection change no more, for ever; return the event, None if it is frozen already."""
        with self._repository.writing(durable=True) as connection:
            return collection_edits.freeze(connection, name, actor=self._repository.actor, reason=reason)
