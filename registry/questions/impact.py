"""What was made with a calibration, a raw, or all that a run holds: products, masters, and what those touched."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Table, select

from registry.questions.downstream import Downstream, Made, walk_down
from registry.refs import DatasetRef
from registry.sql import tables as t
from registry.sql.among import among
from registry.sql.bulk import chunks
from registry.sql.datasets import dataset_rows, refs_by_row, refs_by_uuid
from registry.sql.validity_rows import ValidityRow, load_validity
from registry.words import count, spell_bytes, spell_cpu

_TOLD = ("id", "type", "run", "data_id", "status")


@dataclass(frozen=True, slots=True)
class Touched:
    """Products of one type in one run and of one night (None: of no exposure)."""

    run: str
    night: int | None
    type: str
    n: int
    n_live: int
    n_bytes: int
    """Of those that are live."""
    generation: int
    """One if they were made with the thing itself, more if by way of masters."""


@dataclass(frozen=True, slots=True)
class Derived:
    """A calibration made with the thing asked about, and the collections that certify it now."""

    ref: DatasetRef
    generation: int
    certified_in: tuple[str, ...]


@dataclass(frozen=True)
class Impact:
    """The answer of `impact`."""

    roots: tuple[DatasetRef, ...]
    validity: tuple[ValidityRow, ...]
    """Where the roots are certified now."""
    touched: tuple[Touched, ...]
    masters: tuple[Derived, ...]
    """Calibrations made with the roots, directly or by way of each other; among `touched`, too."""
    n_quanta: int
    """Pieces of work that gave products."""
    cpu_s: float
    """What it took to make what is live, as measured at the last attempts."""
    n_unmeasured: int
    """Quanta with live products whose time was not measured."""
    waiting: Mapping[str, int]
    """State to number of quanta that would use a root, or something made with one, and have no product yet."""
    dataset_rows: tuple[int, ...]
    """All that was made, by the registry's own numbers; for further questions, not for people."""

    @property
    def n_products(self) -> int:
        """Number of datasets made, whatever became of them."""
        return sum(one.n for one in self.touched)

    @property
    def n_live(self) -> int:
        """Number of those that are live."""
        return sum(one.n_live for one in self.touched)

    @property
    def n_bytes(self) -> int:
        """Bytes of the live ones."""
        return sum(one.n_bytes for one in self.touched)

    @property
    def nights(self) -> tuple[int, ...]:
        """The nights that are touched."""
        return tuple(sorted({one.night for one in self.touched if one.night is not None}))

    @property
    def runs(self) -> tuple[str, ...]:
        """The runs that are touched."""
        return tuple(sorted({one.run for one in self.touched}))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "of": [ref.to_dict(*_TOLD) for ref in self.roots],
            "certified": [str(row) for row in self.validity],
            "products": self.n_products,
            "live": self.n_live,
            "bytes": self.n_bytes,
            "quanta": self.n_quanta,
            "cpu_s": self.cpu_s,
            "quanta_not_measured": self.n_unmeasured,
            "nights": list(self.nights),
            "runs": list(self.runs),
            "waiting": dict(self.waiting),
            "touched": [_touched_dict(one) for one in self.touched],
            "masters": [
                one.ref.to_dict(*_TOLD) | {"generation": one.generation, "certified_in": list(one.certified_in)}
                for one in self.masters
            ],
        }

    def render(self) -> str:
        """Return the answer as text."""
        lines = [f"of {spell_roots(self.roots)}", *_certified(self.validity)]
        if not self.touched:
            lines.append("nothing was made with it")
        else:
            lines.append(self.headline)
            lines += _by_run(self.touched)
        lines += _masters(self.masters)
        if self.waiting:
            states = ", ".join(f"{number} {state}" for state, number in self.waiting.items())
            lines.append(f"quanta without products that were planned with it: {states}")
        return "\n".join(lines)

    @property
    def headline(self) -> str:
        """Say in one line how much it is."""
        live = "all live" if self.n_live == self.n_products else f"{self.n_live} of them live"
        where = f"{count(len(self.nights), 'night')}, {count(len(self.runs), 'run')}"
        again = spell_cpu(self.cpu_s) + (f" ({self.n_unmeasured} quanta not measured)" if self.n_unmeasured else "")
        return (
            f"{count(self.n_products, 'dataset')} made with it ({live}, {spell_bytes(self.n_bytes)}) by "
            f"{count(self.n_quanta, 'quantum', 'quanta')} in {where}; to make them again takes {again} of CPU"
        )


def impact(connection: Connection, refs: Iterable[DatasetRef | UUID]) -> Impact:
    """Find everything that was made with some datasets: recursively, whatever its status.

    Parameters
    ----------
    connection
        An open transaction.
    refs
        Calibrations, raws, products; unknown ones are passed over.

    Returns
    -------
    Impact
        Empty (no `touched`, nothing `waiting`) if nothing depends on them.
    """
    ids = [ref.id if isinstance(ref, DatasetRef) else ref for ref in refs]
    rows = dataset_rows(connection, ids)
    down = walk_down(connection, rows.values())
    roots = refs_by_uuid(connection, rows)
    v = t.calib_validity.c
    validity = [
        row
        for some in chunks(sorted(rows.values()))
        for row in load_validity(connection, among(connection, v.dataset_id, some), v.revoked_at == t.OPEN_ENDED)
    ]
    fruitful = {made.quantum_id for made in down.made}
    live = {made.quantum_id for made in down.made if made.status == "LIVE"}
    measured = [one.cpu_s if one.cpu_s is not None else one.seconds for one in down.quanta if one.quantum_id in live]
    return Impact(
        roots=tuple(roots[id_] for id_ in ids if id_ in roots),
        validity=tuple(validity),
        touched=_touched(connection, down.made),
        masters=_derived(connection, down.made),
        n_quanta=len(fruitful),
        cpu_s=float(sum(one for one in measured if one is not None)),
        n_unmeasured=sum(one is None for one in measured),
        waiting=_waiting(down, fruitful),
        dataset_rows=tuple(made.dataset_id for made in down.made),
    )


def spell_roots(roots: Sequence[DatasetRef]) -> str:
    """Name what was asked about: one dataset in full, many by type and run."""
    if len(roots) == 1:
        return str(roots[0])
    kinds = Counter((ref.type, ref.run) for ref in roots)
    return ", ".join(f"{number} {kind} (run {run})" for (kind, run), number in sorted(kinds.items())) or "nothing"


def _waiting(down: Downstream, fruitful: set[int]) -> dict[str, int]:
    """Count the quanta that have no product yet, by state; what was skipped never will."""
    over = {"skipped", "done"}
    states = Counter(one.state for one in down.quanta if one.quantum_id not in fruitful and one.state not in over)
    return dict(sorted(states.items()))


def _touched(connection: Connection, made: Sequence[Made]) -> tuple[Touched, ...]:
    """Count what was made by run, night, type and generation."""
    types = _names(connection, t.dataset_type)
    runs = _names(connection, t.collection)
    groups: defaultdict[tuple[str, int | None, str, int], list[Made]] = defaultdict(list)
    for one in made:
        night = one.day_obs if one.exposure_id else None
        groups[runs[one.run_id], night, types[one.type_id], one.generation].append(one)
    touched = []
    for (run, night, kind, generation), group in groups.items():
        live = [one.size for one in group if one.status == "LIVE"]
        touched.append(Touched(run, night, kind, len(group), len(live), sum(live), generation))
    return tuple(sorted(touched, key=lambda one: (one.generation, one.run, one.night or 0, one.type)))


def _derived(connection: Connection, made: Sequence[Made]) -> tuple[Derived, ...]:
    """Return the calibrations among what was made, and where each is certified now."""
    d = t.dataset_type.c
    kinds = set(connection.execute(select(d.id).where(d.is_calibration == 1)).scalars())
    masters = {one.dataset_id: one.generation for one in made if one.type_id in kinds}
    v, c = t.calib_validity.c, t.collection.c
    homes: defaultdict[int, set[str]] = defaultdict(set)
    for some in chunks(sorted(masters)):
        query = select(v.dataset_id, c.name).join(t.collection, v.collection_id == c.id)
        for row in connection.execute(query.where(among(connection, v.dataset_id, some), v.revoked_at == t.OPEN_ENDED)):
            homes[row.dataset_id].add(row.name)
    refs = refs_by_row(connection, masters)
    found = [Derived(refs[row], number, tuple(sorted(homes[row]))) for row, number in masters.items()]
    return tuple(sorted(found, key=lambda one: (one.generation, one.ref.type, one.ref.run, one.ref.data_id)))


def _names(connection: Connection, table: Table) -> dict[int, str]:
    return {row.id: row.name for row in connection.execute(select(table.c.id, table.c.name))}


def _certified(rows: Sequence[ValidityRow]) -> list[str]:
    """Say where and when the roots are certified, those that are alike in one line."""
    alike = Counter((row.span, row.collection, row.type) for row in rows)
    return [f"  certified: {number} {kind} {span} in {home}" for (span, home, kind), number in alike.items()]


def _by_run(touched: Sequence[Touched]) -> list[str]:
    """Tell what was made, a line a run and night."""
    groups: defaultdict[tuple[int, str, int | None], list[Touched]] = defaultdict(list)
    for one in touched:
        groups[one.generation, one.run, one.night].append(one)
    lines, generation = [], 0
    for (number, run, night), group in groups.items():
        if number != generation:
            lines.append("directly:" if number == 1 else f"by way of {'masters' if number == 2 else 'their masters'}:")
            generation = number
        what = ", ".join(
            f"{one.n} {one.type}" + (f" ({one.n_live} live)" if one.n_live != one.n else "") for one in group
        )
        of = "" if night is None or run.endswith(str(night)) else f", night {night}"
        lines.append(f"  {run}{of}: {what} ({spell_bytes(sum(one.n_bytes for one in group))})")
    return lines


def _masters(masters: Sequence[Derived]) -> list[str]:
    if not masters:
        return []
    certified = sum(bool(one.certified_in) for one in masters)
    head = f"{count(len(masters), 'calibration')} among them, {certified} of which certified now:"
    groups: defaultdict[tuple[str, str, tuple[str, ...]], list[Derived]] = defaultdict(list)
    for one in masters:
        groups[one.ref.type, one.ref.run, one.certified_in].append(one)
    lines = [head]
    for (kind, run, homes), group in groups.items():
        where = f"certified in {', '.join(homes)}" if homes else "not certified"
        ids = ", ".join(one.ref.short for one in group[:4]) + (", ..." if len(group) > 4 else "")
        lines.append(f"  {len(group)} {kind} of {run} ({ids}): {where}")
    return lines


def _touched_dict(one: Touched) -> dict[str, Any]:
    return {
        "run": one.run,
        "night": one.night,
        "type": one.type,
        "generation": one.generation,
        "datasets": one.n,
        "live": one.n_live,
        "bytes": one.n_bytes,
    }
