"""What was noted of the raws of quanta when they were planned; equal notes are one row."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from registry.canonical import canonical_json
from registry.sql import tables as t
from registry.sql.among import among
from registry.sql.blobs import blob_id
from registry.sql.bulk import chunks, insert_rows

Notes = Mapping[str, Any]
"""``headers``: role to keyword to value (None: the card is taken away); ``flags``: role to flags. Empty if nothing was
noted."""


def note_ids(connection: Connection, notes: Sequence[Notes]) -> list[int | None]:
    """Return the row of each of these notes, adding those that are new; None where nothing was noted."""
    spellings = [canonical_json(value) if value else "" for value in notes]
    values = dict(zip(spellings, notes, strict=True))
    rows = {text: blob_id(connection, t.config_blob, value) for text, value in values.items() if text}
    return [rows.get(text) for text in spellings]


def notes_of(connection: Connection, quantum_ids: Iterable[int]) -> dict[int, int]:
    """Return the row of the notes of each of those quanta that have any."""
    n = t.quantum_note.c
    found: dict[int, int] = {}
    for some in chunks(sorted(set(quantum_ids))):
        query = select(n.quantum_id, n.note_id).where(among(connection, n.quantum_id, some))
        found |= {row.quantum_id: row.note_id for row in connection.execute(query)}
    return found


def headers_of(connection: Connection, quantum_ids: Iterable[int]) -> dict[int, Mapping[str, Any]]:
    """Return the corrected cards that quanta were planned with, by role; those without any are left out."""
    notes = notes_of(connection, quantum_ids)
    blob = t.config_blob.c
    values: dict[int, Mapping[str, Any]] = {}
    for some in chunks(sorted(set(notes.values()))):
        for row in connection.execute(select(blob.id, blob.canonical).where(blob.id.in_(some))):
            values[row.id] = json.loads(row.canonical).get("headers", {})
    return {quantum: values[note] for quantum, note in notes.items() if values[note]}


def read_notes(connection: Connection, quantum_id: int) -> Notes:
    """Return what was noted for a quantum."""
    n = t.quantum_note.c
    query = select(t.config_blob.c.canonical).join_from(t.quantum_note, t.config_blob, n.note_id == t.config_blob.c.id)
    text = connection.execute(query.where(n.quantum_id == quantum_id)).scalar()
    return {} if text is None else dict(json.loads(text))


def add_notes(connection: Connection, notes: Mapping[int, int | None]) -> None:
    """Write the notes of quanta that have none."""
    rows = [{"quantum_id": quantum, "note_id": note} for quantum, note in notes.items() if note is not None]
    insert_rows(connection, t.quantum_note, rows)
