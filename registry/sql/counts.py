"""How many there are of everything, for a summary."""

from __future__ import annotations

from sqlalchemy import Connection, Select, func, select

from registry.sql import tables as t


def counts(connection: Connection) -> dict[str, int]:
    """Return counts by name: exposures, datasets by type, quanta by state, certified ranges, unfinished writes."""
    by_type = (
        select(t.dataset_type.c.name, func.count())
        .join_from(t.dataset, t.dataset_type, t.dataset_type.c.id == t.dataset.c.type_id)
        .where(t.dataset.c.status == "LIVE")
        .group_by(t.dataset_type.c.name)
        .order_by(t.dataset_type.c.name)
    )
    by_state = select(t.quantum.c.state, func.count()).group_by(t.quantum.c.state)
    datasets: dict[str, int] = {row[0]: row[1] for row in connection.execute(by_type)}
    states: dict[str, int] = {row[0]: row[1] for row in connection.execute(by_state)}

    def one(query: Select[int]) -> int:
        return int(connection.execute(query).scalar_one())

    return {
        "exposures": one(select(func.count()).where(t.exposure.c.id != t.NOT_APPLICABLE)),
        "datasets": sum(datasets.values()),
        **{f"{name} datasets": number for name, number in datasets.items()},
        "bytes": one(
            select(func.coalesce(func.sum(t.artifact.c.size), 0))
            .join(t.dataset, t.dataset.c.id == t.artifact.c.dataset_id)
            .where(t.dataset.c.status == "LIVE")
        ),
        "collections": one(select(func.count()).select_from(t.collection)),
        "certified ranges": one(select(func.count()).where(t.calib_validity.c.revoked_at == t.OPEN_ENDED)),
        **{f"{state} quanta": states[state] for state in t.QUANTUM_STATES if state in states},
        "unfinished writes": one(select(func.count()).select_from(t.journal)),
    }
