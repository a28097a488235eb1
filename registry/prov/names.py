"""The ids of things in a provenance document: URNs of UUIDs, the same in every document of every repository.

Datasets and quanta have UUIDs of their own; a quantum's is that of its latest attempt, earlier attempts have others.
Configurations, software and contexts have the UUID (version 8) made of the first digits of their SHA-256, so that
anyone who has the content can make it again; the views ``voprov_*`` of the database say the same.
"""

from __future__ import annotations

from uuid import UUID, uuid5

from registry.canonical import canonical_json
from registry.refs import NAMESPACE
from registry.times import format_time

PREFIXES = {"uuid": "urn:uuid:", "isrflow": "urn:isrflow:prov#"}


def named(uuid: UUID) -> str:
    """Return the qualified name of what has a UUID."""
    return f"uuid:{uuid}"


def by_hash(sha256: str) -> str:
    """Return the name of what is known by its SHA-256."""
    return named(hash_uuid(sha256))


def hash_uuid(sha256: str) -> UUID:
    """Return the UUID (version 8) of the first digits of a SHA-256."""
    return UUID(f"{sha256[:8]}-{sha256[8:12]}-8{sha256[13:16]}-8{sha256[17:20]}-{sha256[20:32]}")


def attempt_name(quantum: UUID, number: int, latest: int) -> str:
    """Return the name of an attempt; the latest one has that of its quantum."""
    return named(quantum) if number == latest else _made("attempt", str(quantum), number)


def agent_name(actor: str) -> str:
    """Return the name of somebody who signs events."""
    return _made("agent", actor)


def validity_name(repository: UUID, row: int) -> str:
    """Return the name of a statement of validity."""
    return _made("validity", str(repository), row)


def event_name(repository: UUID, seq: int) -> str:
    """Return the name of an event of the log."""
    return _made("event", str(repository), seq)


def collection_name(repository: UUID, name: str) -> str:
    """Return the name of a collection."""
    return _made("collection", str(repository), name)


def typed(name: str) -> dict[str, str]:
    """Spell a type of ours as a value."""
    return {"$": f"isrflow:{name}", "type": "prov:QUALIFIED_NAME"}


def standard_type(name: str) -> dict[str, str]:
    """Spell a type of PROV itself as a value."""
    return {"$": f"prov:{name}", "type": "prov:QUALIFIED_NAME"}


def moment(ns: int) -> str:
    """Spell a moment (TAI ns) as xsd:dateTime in UTC, which knows no leap seconds."""
    date, time = format_time(ns).removesuffix(" UTC").split("T")
    return f"{date}T{'23:59:59.999' if ':60.' in time else time}Z"


def _made(*parts: str | int) -> str:
    return named(uuid5(NAMESPACE, canonical_json(list(parts))))
