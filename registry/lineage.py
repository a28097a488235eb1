"""What a dataset was made from, and what was made from it, all the way."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Select, Table, literal, select, union_all

from registry.errors import MissingDataset
from registry.owner import spoken
from registry.refs import DatasetRef, QuantumInputs
from registry.sql import tables as t
from registry.sql.bulk import chunks
from registry.sql.datasets import dataset_rows, refs_by_row
from registry.sql.quantum_inputs import quantum_inputs
from registry.sql.validity_rows import ValidityRow, validity_by_id
from registry.times import format_duration, format_time

Direction = Literal["up", "down"]
_CONTEXT = ("name", "sha256")
_TOLD = ("id", "type", "run", "data_id", "sha256", "content_sha256", "status")


@dataclass(frozen=True, slots=True)
class Edge:
    """`source` went, as `role`, into the quantum that made `product`."""

    source: UUID
    product: UUID
    role: str
    task: str
    quantum: UUID
    match: str = ""
    """How a calibration was found: ``valid``, ``always`` or ``nearest``; empty for data."""
    gap_ns: int = 0
    """How far away the nearest was."""

    @property
    def told(self) -> str:
        """The role; of a calibration that was not valid, with how far off it was."""
        return (
            f"{self.role} (the nearest, {format_duration(self.gap_ns)} away)" if self.match == "nearest" else self.role
        )


@dataclass(frozen=True, slots=True)
class Lineage:
    """A dataset and all that it was made from (up) or that was made from it (down)."""

    root: UUID
    direction: Direction
    nodes: Mapping[UUID, DatasetRef]
    edges: Sequence[Edge]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "root": str(self.root),
            "direction": self.direction,
            "nodes": [ref.to_dict(*_TOLD) for ref in self.nodes.values()],
            "edges": [
                {
                    "source": str(edge.source),
                    "product": str(edge.product),
                    "role": edge.role,
                    "task": edge.task,
                    "quantum": str(edge.quantum),
                    "match": edge.match or None,
                    "gap_s": edge.gap_ns / 1e9,
                }
                for edge in self.edges
            ],
        }

    def render(self) -> str:
        """Draw a tree; what was drawn before is not opened again."""
        by_start = defaultdict(list)
        for edge in self.edges:
            by_start[edge.product if self.direction == "up" else edge.source].append(edge)
        lines = [str(self.nodes[self.root])]
        lines += self._branches(self.root, by_start, "", {self.root}) or [_NOTHING[self.direction]]
        return "\n".join(lines)

    def _branches(self, start: UUID, by_start: Mapping[UUID, list[Edge]], indent: str, seen: set[UUID]) -> list[str]:
        lines: list[str] = []
        edges = sorted(by_start.get(start, ()), key=lambda edge: (edge.task, edge.role, str(self._end(edge))))
        for number, edge in enumerate(edges, 1):
            last = number == len(edges)
            end = self._end(edge)
            role = edge.told if self.direction == "up" else f"as {edge.told}, by {edge.task}"
            again = end in seen and bool(by_start.get(end))
            lines.append(f"{indent}{'└─' if last else '├─'} {role}: {self.nodes[end]}{' (see above)' if again else ''}")
            if not again:
                seen.add(end)
                lines += self._branches(end, by_start, indent + ("   " if last else "│  "), seen)
        return lines

    def _end(self, edge: Edge) -> UUID:
        return edge.source if self.direction == "up" else edge.product


_NOTHING = {
    "up": "└─ made by no quantum of this registry",
    "down": "└─ nothing was made from it",
}


def lineage(connection: Connection, ref: DatasetRef, direction: Direction) -> Lineage:
    """Follow the makers of a dataset, or what was made from it, to the end.

    Each generation costs two queries, however many datasets are in it.
    """
    (root,) = dataset_rows(connection, [ref.id]).values()
    seen, generation = {root}, [root]
    links: list[Any] = []
    while generation:
        found = list(_links(connection, generation, direction))
        links += found
        ends = {link.source_id if direction == "up" else link.product_id for link in found}
        generation = sorted(ends - seen)
        seen |= ends
    refs = refs_by_row(connection, seen)
    edges = [
        Edge(refs[row.source_id].id, refs[row.product_id].id, row.role, row.task, row.quantum, row.match, row.gap_ns)
        for row in links
    ]
    return Lineage(refs[root].id, direction, {one.id: one for one in refs.values()}, edges)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of a quantum; times are TAI ns, and `peak_rss_bytes` is the most memory its process held."""

    number: int
    outcome: str
    worker: str
    host: str
    started_ns: int
    ended_ns: int | None
    seconds: float | None
    cpu_s: float | None
    peak_rss_bytes: int | None
    error_kind: str | None
    error_message: str | None
    metrics: Mapping[str, Any] = field(default_factory=dict)
    """What else was handed over: threads, say."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        plain = asdict(self)
        for name in ("started", "ended"):
            time_ns = plain.pop(f"{name}_ns")
            plain[name] = None if time_ns is None else format_time(time_ns)
        return plain

    def __str__(self) -> str:
        words = [
            f"attempt {self.number} {self.outcome}",
            f"by {spoken(self.worker)}",
            f"at {format_time(self.started_ns)}",
        ]
        words += [] if self.seconds is None else [f"{self.seconds:.3g} s"]
        words += [] if self.cpu_s is None else [f"{self.cpu_s:.3g} s of CPU"]
        words += [] if self.peak_rss_bytes is None else [f"{self.peak_rss_bytes / 1e6:.0f} MB at most"]
        words += [f"{name} {value}" for name, value in sorted(self.metrics.get("threads", {}).items())]
        words += [f"{self.error_kind}: {self.error_message}"] if self.error_kind else []
        return ", ".join(words)


@dataclass(frozen=True, slots=True)
class ProvenanceRecord:
    """How a dataset was made: the quantum with all that went into it, and why each calibration was the one to use."""

    ref: DatasetRef
    role: str
    inputs: QuantumInputs
    validity: Mapping[str, ValidityRow]
    """By role, as it stands now; a calibration from a RUN or TAGGED collection has none."""
    attempts: Sequence[Attempt] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        quantum = self.inputs.quantum
        return {
            "dataset": self.ref.to_dict(*_TOLD),
            "role": self.role,
            "quantum": {
                "id": str(quantum.uuid),
                "task": quantum.task,
                "attempt": quantum.attempt,
                "worker": quantum.worker,
                "content_key": quantum.content_key,
                "started": None if quantum.started_ns is None else format_time(quantum.started_ns),
                "ended": None if quantum.ended_ns is None else format_time(quantum.ended_ns),
                "seconds": quantum.seconds,
                "attempts": [attempt.to_dict() for attempt in self.attempts],
            },
            "context": None if self.inputs.context is None else dict(zip(_CONTEXT, self.inputs.context, strict=True)),
            "config": dict(self.inputs.config),
            "config_sha256": self.inputs.config_sha256,
            "software": dict(self.inputs.software),
            "software_sha256": self.inputs.software_sha256,
            "data": {role: ref.to_dict(*_TOLD) for role, ref in self.inputs.data.items()},
            "calibs": {
                role: match.ref.to_dict(*_TOLD)
                | {"collection": match.collection, "warning": match.warning}
                | {"match": match.kind, "gap_s": match.gap_ns / 1e9}
                | {"validity": str(self.validity[role].span) if role in self.validity else None}
                | {"certified": str(self.validity[role].certified) if role in self.validity else None}
                for role, match in self.inputs.matches.items()
            },
            "calib_set_sha256": self.inputs.calib_set_sha256,
            "notes": dict(self.inputs.notes),
        }


def provenance(connection: Connection, ref: DatasetRef) -> ProvenanceRecord:
    """Return how a dataset was made.

    Raises
    ------
    MissingDataset
        If it was made by no quantum (raws, and what was put in by hand).
    """
    o = t.quantum_output.c
    query = select(o.quantum_id, o.role).join_from(t.quantum_output, t.dataset, t.dataset.c.id == o.dataset_id)
    made = connection.execute(query.where(t.dataset.c.uuid == ref.id)).first()
    if made is None:
        raise MissingDataset(f"{ref} was made by no quantum of this registry", id=ref.id, path=ref.path)
    inputs = quantum_inputs(connection, made.quantum_id)
    ids = {role: match.validity_id for role, match in inputs.matches.items() if match.validity_id is not None}
    rows = validity_by_id(connection, sorted(set(ids.values())))
    validity = {role: rows[number] for role, number in ids.items()}
    return ProvenanceRecord(ref, made.role, inputs, validity, attempts(connection, made.quantum_id))


def attempts(connection: Connection, quantum_id: int) -> list[Attempt]:
    """Return the attempts of a quantum, first to last."""
    a = t.quantum_attempt.c
    query = select(*(a[item.name] for item in fields(Attempt))).where(a.quantum_id == quantum_id).order_by(a.number)
    rows = connection.execute(query).mappings()
    return [Attempt(**{**row, "metrics": json.loads(row["metrics"] or "{}")}) for row in rows]


def _links(connection: Connection, rows: Sequence[int], direction: Direction) -> Iterable[Any]:
    """Yield the links that start at datasets; only published products count."""
    o, q = t.quantum_output.c, t.quantum.c
    i, m = t.quantum_input.c, t.calib_set_member.c
    data = (i.dataset_id, i.role, literal(""), literal(0, t.INT))
    by_data = _made(t.quantum_input, i.quantum_id == q.id, data)
    calibs = (m.dataset_id, m.role, m.match_kind, m.gap_ns)
    by_calib = _made(t.calib_set_member, m.set_id == q.calib_set_id, calibs)
    for some in chunks(rows):
        limits = (
            (o.dataset_id.in_(some),) * 2 if direction == "up" else (i.dataset_id.in_(some), m.dataset_id.in_(some))
        )
        queries = [query.where(limit) for query, limit in zip((by_data, by_calib), limits, strict=True)]
        yield from connection.execute(union_all(*queries))


def _made(inputs: Table, belongs: ColumnElement[bool], columns: Sequence[ColumnElement[Any]]) -> Select[Any]:
    """Select source, role, match and gap of one kind of input, with product and quantum."""
    o, q = t.quantum_output.c, t.quantum.c
    names = ("source_id", "role", "match", "gap_ns")
    return (
        select(
            *(column.label(name) for name, column in zip(names, columns, strict=True)),
            o.dataset_id.label("product_id"),
            q.task.label("task"),
            q.uuid.label("quantum"),
        )
        .join_from(t.quantum_output, t.quantum, q.id == o.quantum_id)
        .join(inputs, belongs)
        .join(t.dataset, t.dataset.c.id == o.dataset_id)
        .where(t.dataset.c.status != "STAGED")
    )
