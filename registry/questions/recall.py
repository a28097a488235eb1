"""Recalling a calibration: what was made with it, and what each product would get instead.

To recall is to mark bad; validity stays as it is, so that a recall can be taken back. This module only says what would
come of it; the mark is `registry.sql.notes.mark`.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, select

from registry.errors import UserError, listed
from registry.questions.changes import Case, Change, grouped
from registry.questions.downstream import walk_down
from registry.questions.impact import Impact, impact
from registry.questions.whatif import View, Want, without
from registry.refs import DataId, DatasetRef, Match
from registry.sql import tables as t
from registry.sql.among import among
from registry.sql.bulk import chunks
from registry.sql.dataset_types import dataset_types
from registry.sql.datasets import dataset_rows, refs_by_row
from registry.sql.keys import data_id_from_row, with_data_id
from registry.sql.notes import MarkRow, marks_of
from registry.words import count


@dataclass(frozen=True, slots=True)
class Affected:
    """A quantum with live products that are to be made again."""

    run: str
    task: str
    data_id: DataId
    config_sha256: str
    """Of the settings it was made with."""


@dataclass(frozen=True)
class Recall:
    """The answer of `recall`."""

    recalled: tuple[DatasetRef, ...]
    reason: str
    already: tuple[MarkRow, ...]
    """Marks that some of them have already."""
    impact: Impact
    affected: tuple[Affected, ...]
    """Quanta whose live products were made with what is recalled, not by way of masters that stay."""
    changes: tuple[Change, ...]
    """What they would get instead."""
    masters_left: tuple[DatasetRef, ...]
    """Calibrations made with what is recalled that would stay in use: certified now, and not recalled."""
    event_seq: int | None = None
    """The event that marked them; None as long as nothing was done."""
    configs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Hash to settings: those that the affected were made with, as the registry keeps them."""

    @property
    def without_replacement(self) -> tuple[DataId, ...]:
        """What would lack a required calibration."""
        lost = [one for one in self.changes if one.effect == "lost" and one.required]
        return tuple(sorted({data_id for one in lost for data_id in one.data_ids}))

    @property
    def data_ids(self) -> tuple[DataId, ...]:
        """Exposures and detectors to be done again."""
        return tuple(sorted({one.data_id for one in self.affected}))

    def done(self, seq: int | None) -> Recall:
        """Return the same after the deed."""
        return replace(self, event_seq=seq)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "recalled": [{"id": str(ref.id), "type": ref.type, "run": ref.run} for ref in self.recalled],
            "reason": self.reason,
            "event": self.event_seq,
            "already_marked": [str(row.ref.id) for row in self.already],
            "impact": self.impact.to_dict(),
            "affected": [
                {"run": one.run, "task": one.task, "data_id": one.data_id.to_dict(), "config": one.config_sha256}
                for one in self.affected
            ],
            "instead": [one.to_dict() for one in self.changes],
            "without_replacement": [data_id.to_dict() for data_id in self.without_replacement],
            "masters_left": [{"id": str(ref.id), "type": ref.type, "run": ref.run} for ref in self.masters_left],
        }

    def render(self) -> str:
        """Return the answer as text."""
        deed = "recalled" if self.event_seq is not None else "to be recalled"
        lines = [f"{deed}: {self.reason}"] if self.reason else []
        lines += [f"already marked {row.kind} by {row.actor}: {row.ref.short} ({row.reason})" for row in self.already]
        lines.append(self.impact.render())
        lines += self._instead()
        if self.masters_left:
            kinds = Counter((ref.type, ref.run) for ref in self.masters_left)
            what = ", ".join(f"{number} {kind} of {run}" for (kind, run), number in sorted(kinds.items()))
            lines.append(
                f"WARNING: made with it and still certified, so still in use: {what}; recall them too "
                "(--with-derived), or make and certify others first"
            )
        if self.event_seq is None:
            lines.append("nothing was changed")
        return "\n".join(lines)

    def _instead(self) -> list[str]:
        if not self.affected:
            return ["no live product was made with it directly, so nothing is to be made again"]
        n = len(self.data_ids)
        runs = ", ".join(sorted({one.run for one in self.affected}))
        lines = [f"to be made again: {count(n, 'exposure of a detector', 'exposures of detectors')} ({runs}); instead:"]
        lines += [f"  {one}" for one in self.changes]
        if self.without_replacement:
            first = next(one for one in self.changes if one.effect == "lost" and one.required)
            where = f"{first.data_ids[0].exposure} {first.data_ids[0].detector} {first.types[0]}"
            lines.append(f"{len(self.without_replacement)} of them have no replacement and would not be made")
            lines.append(f"  what would mend it: isrflow explain {where}")
        return lines


def recall(
    connection: Connection, refs: Sequence[DatasetRef], view: View, *, reason: str = "", with_derived: bool = False
) -> Recall:
    """Say what a recall would mean; nothing is changed.

    Parameters
    ----------
    connection
        An open transaction.
    refs
        Calibrations.
    view
        From where replacements are looked for.
    reason
        Why, in words.
    with_derived
        Recall the calibrations that were made with them, too.

    Raises
    ------
    UserError
        If some are no calibrations; all are listed.
    """
    types = dataset_types(connection)
    others = [ref for ref in refs if not types[ref.type].type.is_calibration]
    if others:
        message = f"only calibrations are recalled; these are none:\n{listed(others)}"
        raise UserError(message, fix="for a bad exposure: isrflow flag set bad EXPOSURE --reason WHY")
    touched = impact(connection, refs)
    masters = [one.ref for one in touched.masters]
    recalled = list({ref.id: ref for ref in [*refs, *(masters if with_derived else [])]}.values())
    gone = {ref.id for ref in recalled}
    quanta, affected = _affected(connection, recalled)
    used = _used(connection, quanta, dataset_rows(connection, gone))
    suppose = without(connection, recalled)
    instead = _resolved(connection, used, replace(view, suppose=suppose))
    left = [one.ref for one in touched.masters if one.certified_in and one.ref.id not in gone]
    marks = tuple(marks_of(connection, recalled, kind="bad"))
    configs = _configs(connection, {one.config_sha256 for one in affected})
    return Recall(tuple(recalled), reason, marks, touched, affected, grouped(instead), tuple(left), configs=configs)


def _affected(connection: Connection, refs: Sequence[DatasetRef]) -> tuple[dict[int, DataId], tuple[Affected, ...]]:
    """Return the quanta with live products that are not calibrations, by row, and in words."""
    kinds = [row.id for row in dataset_types(connection).values() if row.type.is_calibration]
    rows = dataset_rows(connection, {ref.id for ref in refs})
    down = walk_down(connection, rows.values(), not_through=kinds)
    live = sorted({one.quantum_id for one in down.made if one.status == "LIVE" and one.exposure_id})
    q = t.quantum.c
    query = with_data_id(
        select(q.id, q.task, t.collection.c.name.label("run"), t.config_blob.c.sha256)
        .join(t.collection, q.run_id == t.collection.c.id)
        .join(t.config_blob, q.config_id == t.config_blob.c.id),
        t.quantum,
    )
    found = [
        row for some in chunks(live) for row in connection.execute(query.where(among(connection, q.id, some))).all()
    ]
    quanta = {row.id: Affected(row.run, row.task, data_id_from_row(row), row.sha256) for row in found}
    order = sorted(quanta.values(), key=lambda one: (one.run, one.task, one.data_id))
    return {row: one.data_id for row, one in quanta.items()}, tuple(order)


def _configs(connection: Connection, hashes: Collection[str]) -> dict[str, Mapping[str, Any]]:
    """Return settings by their hash."""
    c = t.config_blob.c
    query = select(c.sha256, c.canonical)
    return {
        row.sha256: json.loads(row.canonical)
        for some in chunks(sorted(hashes))
        for row in connection.execute(query.where(c.sha256.in_(some)))
    }


def _used(connection: Connection, quanta: dict[int, DataId], recalled: dict[Any, int]) -> list[tuple[DataId, Match]]:
    """Return which of the recalled calibrations each quantum used."""
    m, q, c = t.calib_set_member.c, t.quantum.c, t.collection.c
    query = (
        select(q.id, m.dataset_id, c.name.label("collection"), m.match_kind, m.gap_ns)
        .join_from(t.quantum, t.calib_set_member, m.set_id == q.calib_set_id)
        .join(t.collection, m.collection_id == c.id)
    )
    refs = refs_by_row(connection, recalled.values())
    return [
        (quanta[row.id], Match(refs[row.dataset_id], None, row.collection, None, row.match_kind, row.gap_ns))
        for some in chunks(sorted(quanta))
        for row in connection.execute(query.where(among(connection, q.id, some))).all()
        if row.dataset_id in refs
    ]


def _resolved(connection: Connection, used: Sequence[tuple[DataId, Match]], view: View) -> list[Case]:
    """Look for something else for each use."""
    by_type: defaultdict[str, dict[DataId, Match]] = defaultdict(dict)
    for data_id, match in used:
        by_type[match.ref.type][data_id] = match
    every = []
    for kind, uses in sorted(by_type.items()):
        found = view.resolve(connection, Want(sorted(uses), {kind: True}))
        why = {one.data_id: f"{one.reason}, {one.detail}" for one in found.missing}
        every += [
            Case(kind, data_id, match, found.matches[data_id].get(kind), why=why.get(data_id, ""))
            for data_id, match in uses.items()
        ]
    return every
