"""Planning work, with a look at the disk: what is done, but has lost a product, is to be done again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from registry.presence import look, record
from registry.refs import DataId, QuantumRow, QuantumSpec, quantum_uuid
from registry.repository import Repository
from registry.sql.quantum_plans import plan_quanta, skip_quanta
from registry.sql.remaking import plan_remaking, products_of_done


def plan(
    repository: Repository,
    run: str,
    specs: Sequence[QuantumSpec],
    *,
    config: Mapping[str, Any],
    software: Mapping[str, Any],
    skipped: Sequence[tuple[str, DataId, str]] = (),
    retry_failed: bool = True,
) -> list[QuantumRow]:
    """Record work to do, and work that cannot be done; see `registry.sql.quantum_plans.plan_quanta`.

    A quantum that is done, but of whose products a file is gone, is planned again under the same ids; `reason` of the
    row that is returned says so, and so does an event. Its new products must have the content that the old ones had:
    publishing anything else is refused.

    Returns
    -------
    list of QuantumRow
        The quanta of `specs`, then those of `skipped`, in their order.
    """
    with repository.reading() as connection:
        products = products_of_done(connection, [quantum_uuid(run, spec.task, spec.data_id) for spec in specs])
    record(repository, look(repository, products))
    with repository.writing() as connection:
        rows = plan_quanta(connection, run, specs, config=config, software=software, retry_failed=retry_failed)
        again = plan_remaking(connection, run, [row for row in rows if row.state == "done"], actor=repository.actor)
        rows = [replace(row, state="planned", reason=again[row.id]) if row.id in again else row for row in rows]
        return rows + skip_quanta(connection, run, skipped, config=config, software=software)
