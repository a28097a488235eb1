"""Work without files: quanta with inputs, calibrations and products, written as the registry would."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from registry.refs import DataId, DatasetRef, DatasetType, Match, QuantumSpec, dataset_uuid
from registry.sql import tables as t
from registry.sql.collections import register_collection
from registry.sql.dataset_types import register_dataset_types
from registry.sql.datasets import dataset_rows, insert_datasets
from registry.sql.quantum_plans import plan_quanta

PRODUCTS = [
    DatasetType("post_isr", ("instrument", "exposure", "detector"), "fits"),
    DatasetType("statistics", ("instrument", "exposure", "detector"), "json"),
]


@dataclass
class Work:
    """Does quanta in a world."""

    world: Any
    numbers: Any = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        with self.world.write() as connection:
            register_dataset_types(connection, PRODUCTS)

    def raw(self, number: int, detector: int = 0, physical_filter: str | None = "r", begin: int | None = None):
        begin = 10 * number if begin is None else begin
        self.world.expose(number, begin, begin + 2, physical_filter)
        return self.more_raw(number, detector)

    def more_raw(self, number: int, detector: int) -> DatasetRef:
        return self.world.dataset("raw/lupine", "raw", DataId("lupine", number, detector))

    def do(
        self,
        run: str,
        task: str,
        data_id: DataId,
        outputs: dict[str, str],
        *,
        data=(),
        calibs=(),
        config=None,
        software=None,
        state: str = "done",
        cpu_s: float | None = 2.0,
        status: str = "LIVE",
    ) -> list[DatasetRef]:
        """Do one quantum; `outputs` maps types to contents, `data` and `calibs` are (role, ref) pairs."""
        matches = []
        for role, ref in calibs:
            match = ref if isinstance(ref, Match) else Match(ref, None, ref.run)
            matches.append((role, match))
        spec = QuantumSpec(task, data_id, tuple((role, ref.id) for role, ref in data), tuple(matches), "key")
        refs = [
            DatasetRef(
                dataset_uuid(run, kind, data_id), kind, run, data_id, f"file-{content}", f"content-{content}", 100,
                f"{run}/{kind}/{next(self.numbers)}", status,
            )
            for kind, content in outputs.items()
        ]  # fmt: skip
        with self.world.write() as connection:
            register_collection(connection, run, "RUN")
            (row,) = plan_quanta(
                connection,
                run,
                [spec],
                config=config or {"clip": 3},
                software=software or {"packages": {"isrflow": "1"}},
            )
            rows = insert_datasets(connection, refs)
            for ref in refs:
                values = {"dataset_id": rows[ref.id], "quantum_id": row.id, "role": ref.type}
                connection.execute(insert(t.quantum_output).values(**values))
            if state != "planned":
                this = t.quantum.c.id == row.id
                reason = "no flat" if state == "skipped" else None
                connection.execute(update(t.quantum).where(this).values(state=state, attempt=1, reason=reason))
                attempt = {"quantum_id": row.id, "number": 1, "worker": "w", "host": "h", "outcome": "done"}
                attempt |= {"started_ns": 1, "ended_ns": 2, "seconds": 4.0, "cpu_s": cpu_s}
                connection.execute(insert(t.quantum_attempt).values(**attempt))
        return refs

    def row_of(self, ref: DatasetRef) -> int:
        with self.world.read() as connection:
            return dataset_rows(connection, [ref.id])[ref.id]

    def scalar(self, query) -> Any:
        with self.world.read() as connection:
            return connection.execute(query).scalar()

    def validity_of(self, ref: DatasetRef) -> int:
        """Return the row by which a dataset is certified now."""
        v = t.calib_validity.c
        return self.scalar(select(v.id).where(v.dataset_id == self.row_of(ref), v.revoked_at == t.OPEN_ENDED))

    def match(self, ref: DatasetRef, collection: str = "calib") -> Match:
        return Match(ref, self.validity_of(ref), collection)


@pytest.fixture
def work(world) -> Work:
    return Work(world)
