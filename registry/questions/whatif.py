"""What would change, before it is changed: two standpoints, one question, and the quanta whose answers differ.

Nothing is written and nobody has to wait: what is supposed is laid over the rows that the resolver reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from registry.errors import ConflictError, UnknownName, UserError, listed
from registry.questions.changes import Case, Change, cases, grouped
from registry.refs import DataId, DatasetRef, Match, Policy
from registry.resolution import Resolution
from registry.resolve import resolve
from registry.sql import tables as t
from registry.sql.collections import collection_id
from registry.sql.dataset_types import dataset_types
from registry.sql.datasets import dataset_rows
from registry.sql.keys import data_id_keys
from registry.sql.raw_modes import mode_to_certify
from registry.sql.supposed import Certified, Mode, Supposition
from registry.timespan import Timespan
from registry.words import count


@dataclass(frozen=True, slots=True)
class Want:
    """Quanta that need the same types, each with whether it is required."""

    data_ids: Sequence[DataId]
    types: Mapping[str, bool]


@dataclass(frozen=True)
class View:
    """From where calibrations are looked for: the arguments of `registry.resolve.resolve`."""

    collections: Sequence[str] = ()
    as_of: int | None = None
    policies: Mapping[str, Policy] | None = None
    context: str | None = None
    suppose: Supposition | None = None

    def resolve(self, connection: Connection, want: Want) -> Resolution:
        """Resolve."""
        return resolve(
            connection,
            want.data_ids,
            want.types,
            self.collections,
            as_of=self.as_of,
            policies=self.policies,
            context=self.context,
            suppose=self.suppose,
        )


@dataclass(frozen=True)
class WhatIf:
    """The answer of `whatif`."""

    supposed: str
    """What is supposed, in words."""
    of: str
    """Of which quanta, in words."""
    n_quanta: int
    changes: tuple[Change, ...]
    n_lacking: tuple[int, int] = field(default=(0, 0))
    """Number of quanta that lack something required, before and after."""

    @property
    def affected(self) -> tuple[DataId, ...]:
        """The quanta of which something would change."""
        return tuple(sorted({data_id for change in self.changes for data_id in change.data_ids}))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "supposed": self.supposed,
            "of": self.of,
            "quanta": self.n_quanta,
            "affected": len(self.affected),
            "lacking_before": self.n_lacking[0],
            "lacking_after": self.n_lacking[1],
            "changes": [one.to_dict() for one in self.changes],
        }

    def render(self) -> str:
        """Return the answer as text."""
        head = f"{self.supposed}: of {count(self.n_quanta, 'quantum', 'quanta')} of {self.of} "
        if not self.changes:
            return f"{head}none would get other calibrations"
        lines = [f"{head}{len(self.affected)} would get other calibrations"]
        before, after = self.n_lacking
        if before != after:
            lines.append(f"{after} would lack a required calibration, {before} do now")
        return "\n".join([*lines, *(f"  {one}" for one in self.changes), "nothing was changed"])


def whatif(
    connection: Connection, wants: Sequence[Want], before: View, after: View, *, supposed: str, of: str
) -> WhatIf:
    """Compare what quanta get from two standpoints.

    Parameters
    ----------
    connection
        An open transaction.
    wants
        The quanta, and the types they need.
    before, after
        Where calibrations are looked for now, and where or how they would be.
    supposed, of
        What is supposed, and of which quanta, in words, for the answer.

    Raises
    ------
    UnknownName, UserError
        As `registry.resolve.resolve` does.
    """
    every: list[Case] = []
    lacking: list[set[DataId]] = [set(), set()]
    for want in wants:
        found = [view.resolve(connection, want) for view in (before, after)]
        every += cases(found[0], found[1], want.types)
        for side, resolution in enumerate(found):
            lacking[side] |= {data_id for data_id in want.data_ids if not resolution.complete(data_id)}
    n_quanta = len({data_id for want in wants for data_id in want.data_ids})
    return WhatIf(supposed, of, n_quanta, grouped(every), (len(lacking[0]), len(lacking[1])))


def since(connection: Connection, run: str, wants: Sequence[Want], now: View) -> WhatIf:
    """Compare what the quanta of a run used with what they would get now.

    Parameters
    ----------
    run
        A RUN collection.
    wants
        Its quanta, and the types they would need now.
    now
        Where calibrations are looked for.
    """
    used = used_in(connection, run)
    every: list[Case] = []
    lacking: set[DataId] = set()
    for want in wants:
        found = now.resolve(connection, want)
        types = dict(want.types) | {name: True for data_id in want.data_ids for name in used.get(data_id, {})}
        done = [
            one for one in want.data_ids if one in used or found.complete(one)
        ]  # what was skipped, and is to be still
        then = Resolution({one: used.get(one, {}) for one in done}, (), (), (), found.as_of)
        every += cases(then, found, types)
        lacking |= {data_id for data_id in want.data_ids if not found.complete(data_id)}
    n_quanta = len({data_id for want in wants for data_id in want.data_ids})
    return WhatIf("made again now", run, n_quanta, grouped(every), (0, len(lacking)))


def used_in(connection: Connection, run: str) -> dict[DataId, dict[str, Match]]:
    """Return the calibrations that the quanta of a run with an exposure used, by type; what was skipped used none."""
    from registry.sql.quanta import load_quanta
    from registry.sql.quantum_inputs import set_members

    q = t.quantum.c
    run_id = collection_id(connection, run, "RUN")
    here = (q.run_id == run_id, q.exposure_id != t.NOT_APPLICABLE, q.state != "skipped")
    sets = {row.id: row.calib_set_id for row in connection.execute(select(q.id, q.calib_set_id).where(*here))}
    members = {number: set_members(connection, number) for number in sorted(set(sets.values()))}
    used: dict[DataId, dict[str, Match]] = {}
    for row in load_quanta(connection, *here):
        used[row.data_id] = used.get(row.data_id, {}) | members[sets[row.id]]
    return used


def replaced(connection: Connection, pairs: Sequence[tuple[DatasetRef, DatasetRef]]) -> Supposition:
    """Suppose that datasets stood in place of others wherever those are certified.

    Raises
    ------
    ConflictError
        If a pair is not of the same type and data id; all are listed.
    """
    unlike = [f"{old} -> {new}" for old, new in pairs if (old.type, old.data_id) != (new.type, new.data_id)]
    if unlike:
        message = f"only a calibration of the same type and data id can stand for another:\n{listed(unlike)}"
        raise ConflictError(message, conflicts=unlike)
    rows = dataset_rows(connection, {ref.id for pair in pairs for ref in pair})
    return Supposition(instead={rows[old.id]: rows[new.id] for old, new in pairs})


def without(connection: Connection, refs: Sequence[DatasetRef]) -> Supposition:
    """Suppose that datasets did not count."""
    return Supposition(without=dataset_rows(connection, {ref.id for ref in refs}))


def certified(
    connection: Connection, collection: str, refs: Sequence[DatasetRef], span: Timespan, mode: Mode = "replace"
) -> Supposition:
    """Suppose that datasets were certified.

    Raises
    ------
    UserError
        If some are no calibrations; all are listed.
    UnknownName
        If the collection does not exist.
    ConflictError
        If some are of a type that is matched by readout mode, and it is not known which; all are listed.
    """
    types = dataset_types(connection)
    others = [ref for ref in refs if not types[ref.type].type.is_calibration]
    if others:
        raise UserError(f"only calibrations can be certified, not\n{listed(others)}")
    rows, keys = dataset_rows(connection, {ref.id for ref in refs}), data_id_keys(connection, {r.data_id for r in refs})
    by_mode = {rows[ref.id]: str(ref) for ref in refs if types[ref.type].type.matches_mode}
    modes = mode_to_certify(connection, by_mode, None) if by_mode else {}
    home = collection_id(connection, collection, "CALIBRATION")
    also = []
    for ref in refs:
        instrument, _, detector, physical_filter = keys[ref.data_id]
        mode_id = modes.get(rows[ref.id], t.NOT_APPLICABLE)
        key = (types[ref.type].id, instrument, detector, physical_filter, mode_id)
        also.append(Certified(home, key, span, rows[ref.id], mode))
    return Supposition(also=also)


def pair_up(old: Sequence[DatasetRef], new: Sequence[DatasetRef]) -> list[tuple[DatasetRef, DatasetRef]]:
    """Pair datasets of the same type and data id; what has no counterpart is left out.

    Raises
    ------
    UnknownName
        If none has.
    """
    by_what = {(ref.type, ref.data_id): ref for ref in new}
    pairs = [(ref, by_what[ref.type, ref.data_id]) for ref in old if (ref.type, ref.data_id) in by_what]
    if not pairs:
        names = ", ".join(sorted({ref.run for ref in new}))
        raise UnknownName(f"{names} holds nothing of the types and data ids of what it should replace", kind="dataset")
    return pairs
