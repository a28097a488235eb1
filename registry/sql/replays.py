"""What came of making datasets again, and which quanta there are to choose from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select

from registry.errors import UnknownName
from registry.refs import DatasetRef
from registry.sql import tables as t
from registry.sql.blobs import blob_id
from registry.sql.bulk import chunks, insert_rows
from registry.sql.collections import collection_id
from registry.sql.datasets import dataset_rows
from registry.times import format_time, now_ns


@dataclass(frozen=True, slots=True)
class ReplayRow:
    """One replay of a dataset: `at_ns` is TAI, `detail` says by how much it differed, or what was gone."""

    dataset: UUID
    at_ns: int
    verdict: str
    detail: Mapping[str, Any]
    software_sha256: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "dataset": str(self.dataset),
            "at": format_time(self.at_ns),
            "verdict": self.verdict,
            "detail": dict(self.detail),
            "software_sha256": self.software_sha256,
        }


def record_replays(
    connection: Connection, results: Sequence[tuple[UUID, str, Mapping[str, Any]]], software: Mapping[str, Any]
) -> None:
    """Keep verdicts: (dataset, one of `REPLAY_VERDICTS`, plain detail); `software` is what they were found with.

    Raises
    ------
    UnknownName
        If datasets are not registered; all are named.
    """
    rows = dataset_rows(connection, [dataset for dataset, _, _ in results])
    unknown = [str(dataset) for dataset, _, _ in results if dataset not in rows]
    if unknown:
        raise UnknownName(kind="dataset", name=", ".join(unknown))
    common = {"at_ns": now_ns(), "software_id": blob_id(connection, t.software_env, software)}
    insert_rows(
        connection,
        t.replay,
        [
            common | {"dataset_id": rows[dataset], "verdict": verdict, "detail": json.dumps(detail, sort_keys=True)}
            for dataset, verdict, detail in results
        ],
    )


def replays(connection: Connection, dataset: UUID | None = None, run: str | None = None) -> list[ReplayRow]:
    """Return the replays of a dataset, or of the datasets of a run, oldest first."""
    r, d = t.replay.c, t.dataset.c
    query = (
        select(d.uuid, r.at_ns, r.verdict, r.detail, t.software_env.c.sha256)
        .join_from(t.replay, t.dataset, d.id == r.dataset_id)
        .join(t.software_env, t.software_env.c.id == r.software_id)
        .order_by(r.id)
    )
    if dataset is not None:
        query = query.where(d.uuid == dataset)
    if run is not None:
        query = query.where(d.run_id == collection_id(connection, run, "RUN"))
    return [
        ReplayRow(row.uuid, row.at_ns, row.verdict, json.loads(row.detail), row.sha256)
        for row in connection.execute(query)
    ]


def done_quanta(connection: Connection, run: str | None = None, day_obs: int | None = None) -> list[int]:
    """Return the quanta that made something, of a run, of the exposures of an observing day."""
    q = t.quantum.c
    query = select(q.id).where(q.state == "done").order_by(q.id)
    if run is not None:
        query = query.where(q.run_id == collection_id(connection, run, "RUN"))
    if day_obs is not None:
        query = query.join(t.exposure, t.exposure.c.id == q.exposure_id).where(t.exposure.c.day_obs == day_obs)
    return [int(row) for row in connection.execute(query).scalars()]


def makers(connection: Connection, refs: Iterable[DatasetRef]) -> dict[UUID, int]:
    """Return the quantum that made each of those datasets that a quantum made."""
    o, d = t.quantum_output.c, t.dataset.c
    found: dict[UUID, int] = {}
    for some in chunks([ref.id for ref in refs]):
        query = select(d.uuid, o.quantum_id).join_from(t.quantum_output, t.dataset, d.id == o.dataset_id)
        found |= {row.uuid: row.quantum_id for row in connection.execute(query.where(d.uuid.in_(some)))}
    return found
