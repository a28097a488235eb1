"""Saying what differs when a quantum is planned with another content than before."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select

from registry.errors import ConflictError, listed
from registry.refs import DataId, QuantumRow, QuantumSpec
from registry.resolution import spell_data_ids
from registry.sql import tables as t
from registry.sql.bulk import chunks
from registry.sql.quantum_notes import headers_of

_MAKER = "make_"
"""How the tasks begin that `isrflow calibs build` does."""


def refuse_other_content(
    connection: Connection, pairs: Mapping[UUID, tuple[QuantumRow, QuantumSpec]], parts: Mapping[str, int]
) -> None:
    """Refuse specs whose content key is not that of the quantum that is there.

    Parameters
    ----------
    connection
        An open transaction.
    pairs
        Quanta that are there, with the specs of the same identity.
    parts
        Rows of the configuration and the software of the specs.

    Raises
    ------
    ConflictError
        Listing all, with what differs.
    """
    changed = [(row, spec) for row, spec in pairs.values() if row.content_key != spec.content_key]
    if not changed:
        return
    stored = _stored(connection, [row for row, _ in changed])
    settings = _changed_settings(connection, {one.config_id for one in stored.values()}, parts["config_id"])
    groups: defaultdict[tuple[str, str, str], list[DataId]] = defaultdict(list)
    for row, spec in changed:
        groups[row.task, row.state, _difference(stored[row.id], spec, parts, settings)].append(row.data_id)
    lines = listed(f"{task} {spell_data_ids(ids)} ({state}): {what}" for (task, state, what), ids in groups.items())
    run = changed[0][0].run
    message = f"{len(changed)} quanta of run {run} are there with another content; nothing was planned:\n{lines}"
    fix = f"keep what is there and work into another run, for example: {_elsewhere([row for row, _ in changed])}"
    raise ConflictError(message, conflicts=[row for row, _ in changed], fix=fix)


def _elsewhere(rows: Sequence[QuantumRow]) -> str:
    """Return the command that works beside what is there: masters are built, all else is reprocessed."""
    if not all(row.task.startswith(_MAKER) for row in rows):
        return "isrflow reprocess WHERE --out RUN"
    kinds = " ".join(dict.fromkeys(row.task.removeprefix(_MAKER) for row in rows))
    night = re.search(r"\d{8}", rows[0].run)  # runs of masters are named after their night unless told otherwise
    return f"isrflow calibs build {kinds} --night {night[0] if night else 'YYYYMMDD'} --out {rows[0].run}-2"


@dataclass(slots=True)
class _Stored:
    """What a quantum was planned with; inputs and calibrations by role."""

    config_id: int
    software_id: int
    calib_set_id: int
    inputs: dict[str, UUID] = field(default_factory=dict)
    calibs: Mapping[str, UUID] = field(default_factory=dict)
    headers: Mapping[str, Any] = field(default_factory=dict)
    """Role to the cards that were corrected."""


def _stored(connection: Connection, rows: Sequence[QuantumRow]) -> dict[int, _Stored]:
    """Return what quanta were planned with, in a few queries for any number of them."""
    q, m, i = t.quantum.c, t.calib_set_member.c, t.quantum_input.c
    found: dict[int, _Stored] = {}
    for some in chunks([row.id for row in rows]):
        query = select(q.id, q.config_id, q.software_id, q.calib_set_id).where(q.id.in_(some))
        found |= {row.id: _Stored(*row[1:]) for row in connection.execute(query)}
        inputs = select(i.quantum_id, i.role, t.dataset.c.uuid).join(t.dataset, i.dataset_id == t.dataset.c.id)
        for row in connection.execute(inputs.where(i.quantum_id.in_(some))):
            found[row.quantum_id].inputs[row.role] = row.uuid
    sets: defaultdict[int, dict[str, UUID]] = defaultdict(dict)
    for some in chunks(sorted({one.calib_set_id for one in found.values()})):
        members = select(m.set_id, m.role, t.dataset.c.uuid).join(t.dataset, m.dataset_id == t.dataset.c.id)
        for row in connection.execute(members.where(m.set_id.in_(some))):
            sets[row.set_id][row.role] = row.uuid
    for one in found.values():
        one.calibs = sets[one.calib_set_id]
    for id_, headers in headers_of(connection, found).items():
        found[id_].headers = headers
    return found


def _difference(old: _Stored, spec: QuantumSpec, parts: Mapping[str, int], settings: Mapping[int, str]) -> str:
    """Say which parts of the content of a quantum differ."""
    words = [f"configuration{settings[old.config_id]}"] if old.config_id != parts["config_id"] else []
    words += ["software"] if old.software_id != parts["software_id"] else []
    words += _changed_roles(old.calibs, {role: match.ref.id for role, match in spec.calibs})
    words += _changed_roles(old.inputs, dict(spec.inputs))
    words += _changed_headers(old.headers, spec.notes.get("headers", {}))
    return ", ".join(words) or "something that only the content key sees (task or code version)"


N_SETTINGS = 5
"""Of how many settings that differ a refusal tells."""


def _changed_settings(connection: Connection, old: Iterable[int], new: int) -> dict[int, str]:
    """Say how configurations differ from the new one: the recipe, or else the settings, the first few of them."""
    blob = t.config_blob.c
    query = select(blob.id, blob.canonical).where(blob.id.in_({*old, new}))
    leaves = {row.id: dict(_leaves(json.loads(row.canonical))) for row in connection.execute(query)}
    return {one: _told_settings(leaves[one], leaves[new]) for one in old}


def _told_settings(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    names = [name for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)]
    names = ["recipe"] if "recipe" in names else names  # all else follows from it
    told = [f"{name.removeprefix('settings.')} {old.get(name)} -> {new.get(name)}" for name in names[:N_SETTINGS]]
    told += [f"and {len(names) - N_SETTINGS} more"] if len(names) > N_SETTINGS else []
    return f" ({', '.join(told)})" if told else ""


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _changed_roles(old: Mapping[str, UUID], new: Mapping[str, UUID]) -> list[str]:
    """Describe the roles that are filled otherwise."""
    return [
        f"{role} {_short(old.get(role))} -> {_short(new.get(role))}"
        for role in sorted(old.keys() | new.keys())
        if old.get(role) != new.get(role)
    ]


def _changed_headers(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Name the cards that were corrected since, or restored."""
    return [
        f"header of {role} corrected otherwise ({', '.join(keys)})"
        for role in sorted(old.keys() | new.keys())
        if (keys := _differing(old.get(role, {}), new.get(role, {})))
    ]


def _differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    return [key for key in sorted(old.keys() | new.keys()) if (key in old, old.get(key)) != (key in new, new.get(key))]


def _short(uuid: UUID | None) -> str:
    """Return the beginning of an id."""
    return "none" if uuid is None else uuid.hex[:8]
