"""Provenance of a product or a run as a W3C PROV-JSON document, written as it is read: memory stays flat."""

from __future__ import annotations

import json
from typing import TextIO
from uuid import UUID

from sqlalchemy import Connection, false, select

from registry.lineage import lineage
from registry.prov.names import PREFIXES
from registry.prov.queries import Scope
from registry.prov.records import sections
from registry.refs import DatasetRef
from registry.sql import tables as t
from registry.sql.collections import collection_id


def write_of_dataset(connection: Connection, ref: DatasetRef, out: TextIO) -> dict[str, int]:
    """Write all that led to a dataset, to the first raws; see `write_document`."""
    tree = lineage(connection, ref, "up")
    quanta = sorted({edge.quantum for edge in tree.edges})
    scope = Scope(_repository(connection), t.quantum.c.uuid.in_(quanta), t.dataset.c.uuid == ref.id)
    return write_document(connection, scope, out)


def write_of_run(connection: Connection, run: str, out: TextIO) -> dict[str, int]:
    """Write how everything in a run was made: its own quanta, with what they used; see `write_document`.

    Raises
    ------
    UnknownName
        If there is no such RUN collection.
    """
    row = collection_id(connection, run, "RUN")
    return write_document(connection, Scope(_repository(connection), t.quantum.c.run_id == row, false()), out)


def write_document(connection: Connection, scope: Scope, out: TextIO) -> dict[str, int]:
    """Write a document.

    Parameters
    ----------
    connection
        A read transaction: the document is one snapshot.
    scope
        Which quanta it is about.
    out
        Where it goes, as text.

    Returns
    -------
    dict
        How many records each section has.
    """
    counts = {}
    out.write('{\n"prefix": ' + _spell(PREFIXES))
    for section, records in sections(connection, scope):
        number = 0
        for name, told in records:
            out.write(",\n" if number else f',\n"{section}": {{\n')
            out.write(f"{_spell(name)}: {_spell(told)}")
            number += 1
        if number:
            out.write("\n}")
        counts[section] = number
    out.write("\n}\n")
    return counts


def _repository(connection: Connection) -> UUID:
    found: UUID = connection.execute(select(t.repository.c.uuid)).scalar_one()
    return found


def _spell(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
