"""Where a question about calibrations is asked from: a search path, a moment of the registry's clock, and policies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from registry.contexts import ContextRow
from registry.errors import UserError
from registry.refs import Policy
from registry.sql.collections import FlatCollection, flatten
from registry.sql.contexts import load_context
from registry.sql.events import refuse_future
from registry.sql.policies import policies_for


@dataclass(frozen=True)
class Standpoint:
    """Where to search, as of which event (None is now), and what to do where something is missing."""

    path: Sequence[FlatCollection]
    as_of: int | None
    policies: Mapping[str, Policy]
    context: ContextRow | None = None

    def policy(self, type_name: str) -> Policy:
        """Return the policy of a type."""
        return self.policies.get(type_name, Policy())

    @property
    def names(self) -> list[str]:
        """The collections searched."""
        return [collection.name for collection in self.path]


def standpoint(
    connection: Connection,
    collections: Sequence[str],
    *,
    as_of: int | None = None,
    policies: Mapping[str, Policy] | None = None,
    context: str | None = None,
) -> Standpoint:
    """Work out where a question is asked from; a context says all of it.

    Raises
    ------
    UnknownName
        If a collection or the context does not exist.
    UserError
        If event `as_of` has not happened yet, or a context is given and something that it fixes, too.
    """
    if context is None:
        refuse_future(connection, as_of)
        return Standpoint(flatten(connection, collections, as_of), as_of, policies_for(connection, as_of, policies))
    given = {"collections": collections, "as of": as_of is not None, "policies": policies}
    said = ", ".join(name for name, value in given.items() if value)
    if said:
        raise UserError(
            f"context {context} is frozen: it says itself where to search, as of when and by which policies; "
            f"{said} cannot be given with it",
            fix=f"isrflow context show {context}",
        )
    row = load_context(connection, context)
    path = flatten(connection, row.path)  # chains were opened when it was frozen
    return Standpoint(path, row.event_seq, policies_for(connection, row.event_seq, row.policies), row)
