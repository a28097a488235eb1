"""Content-addressed rows: configurations, software environments, sets of calibrations. Equal content is one row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, insert, select

from registry.canonical import canonical_json, sha256_json, sha256_text
from registry.refs import Match
from registry.sql import tables as t
from registry.sql.among import among
from registry.sql.bulk import chunks, insert_rows
from registry.sql.datasets import dataset_rows

K = TypeVar("K")
Calibs = Sequence[tuple[str, Match]]


def blob_id(connection: Connection, table: Table, value: Mapping[str, Any]) -> int:
    """Return the row of a `config_blob` or a `software_env`, adding it if it is new."""
    canonical = canonical_json(value)
    sha256 = sha256_text(canonical)
    query = select(table.c.id).where(table.c.sha256 == sha256)
    found = connection.execute(query).scalar()
    if found is None:
        connection.execute(insert(table).values(sha256=sha256, canonical=canonical))
        found = connection.execute(query).scalar_one()
    return int(found)


def calib_set_sha256(calibs: Calibs) -> str:
    """Return the address of a set of calibrations: what was used in which role, and why it was the one."""
    return sha256_json(sorted([role, *_identity(match)] for role, match in calibs))


def calib_set_ids(connection: Connection, sets: Mapping[K, Calibs]) -> dict[K, int]:
    """Return the row of each set, adding those that are new; a night needs about one set a detector."""
    addresses = _addresses(sets)
    wanted = {addresses[key]: calibs for key, calibs in sets.items()}
    ids = store_calib_sets(connection, wanted)
    return {key: ids[sha256] for key, sha256 in addresses.items()}


def _addresses(sets: Mapping[K, Calibs]) -> dict[K, str]:
    """Return the address of each set; the resolver gives equal matches as one object, so most are seen before."""
    seen: dict[tuple[tuple[str, int], ...], str] = {}
    addresses = {}
    for key, calibs in sets.items():
        objects = tuple((role, id(match)) for role, match in calibs)
        if objects not in seen:
            seen[objects] = calib_set_sha256(calibs)
        addresses[key] = seen[objects]
    return addresses


def store_calib_sets(connection: Connection, wanted: Mapping[str, Calibs]) -> dict[str, int]:
    """Return the row of each set by its address, adding those that are new.

    An address that another repository gave is kept: the headers of products that were made with the set cite it.
    """
    known = _known_sets(connection, wanted)
    new = {sha256: calibs for sha256, calibs in wanted.items() if sha256 not in known}
    insert_rows(connection, t.calib_set, [{"sha256": sha256} for sha256 in new])
    ids = known | _known_sets(connection, new)
    datasets = dataset_rows(connection, [match.ref.id for calibs in new.values() for _, match in calibs])
    query = select(t.collection.c.name, t.collection.c.id)
    homes = {row.name: row.id for row in connection.execute(query)}
    members = [
        {
            "set_id": ids[sha256],
            "role": role,
            "dataset_id": datasets[match.ref.id],
            "validity_id": match.validity_id,
            "collection_id": homes[match.collection],
            "warning": match.warning,
            "match_kind": match.kind,
            "gap_ns": match.gap_ns,
        }
        for sha256, calibs in new.items()
        for role, match in calibs
    ]
    insert_rows(connection, t.calib_set_member, members)
    return ids


def _known_sets(connection: Connection, addresses: Iterable[str]) -> dict[str, int]:
    """Return the rows of those sets that are stored."""
    found: dict[str, int] = {}
    for some in chunks(sorted(addresses)):
        query = select(t.calib_set.c.sha256, t.calib_set.c.id).where(among(connection, t.calib_set.c.sha256, some))
        found |= {row.sha256: row.id for row in connection.execute(query)}
    return found


def _identity(match: Match) -> list[object]:
    """Return what distinguishes a match; of the kinds only the nearest does not show in the rest."""
    far = [match.kind, match.gap_ns] if match.kind == "nearest" else []
    return [match.ref.id.hex, match.validity_id, match.collection, match.warning, *far]
