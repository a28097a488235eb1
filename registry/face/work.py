"""Quanta: planned, leased, published, recovered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from registry.face.base import Face
from registry.owner import process_token
from registry.planning import plan
from registry.publish import Work, publish
from registry.recover import RecoveryReport, recover
from registry.refs import DataId, DatasetRef, QuantumFailure, QuantumInputs, QuantumRow, QuantumSpec
from registry.sql import leases, quanta
from registry.sql.quantum_inputs import quantum_inputs


class WorkFace(Face):
    """Work to do, under way, and done."""

    def plan(
        self,
        run: str,
        specs: Sequence[QuantumSpec],
        *,
        config: Mapping[str, Any],
        software: Mapping[str, Any],
        skipped: Sequence[tuple[str, DataId, str]] = (),
        retry_failed: bool = True,
    ) -> list[QuantumRow]:
        """Record work to do, and work that cannot be done with the reason; harmless when repeated.

        What is done is planned again if a product's file is gone; see `registry.planning`.

        Returns
        -------
        list of QuantumRow
            The quanta of `specs`, then those of `skipped`, in their order.
        """
        return plan(
            self._repository,
            run,
            specs,
            config=config,
            software=software,
            skipped=skipped,
            retry_failed=retry_failed,
        )

    def quanta(
        self, run: str | None = None, *, states: Sequence[str] | None = None, day_obs: int | None = None
    ) -> list[QuantumRow]:
        """Return the quanta of a run, in some states, of an observing day."""
        with self._repository.reading() as connection:
            return quanta.quanta(connection, run, states=states, day_obs=day_obs)

    def lease(self, quantum_ids: Sequence[int], worker: str | None = None, seconds: float = 600) -> list[int]:
        """Take quanta that are free, for a time, and return those won; `worker` is this process by default."""
        # Several at once are locked in no order, so that two who want the same could wait for each other for ever.
        with self._repository.writing(shared=len(quantum_ids) == 1) as connection:
            return leases.lease(connection, quantum_ids, worker or process_token(), seconds)

    def heartbeat(self, quantum_ids: Sequence[int], worker: str | None = None, seconds: float = 600) -> list[int]:
        """Prolong leases and return those still held."""
        with self._repository.writing(beside=True) as connection:
            return leases.heartbeat(connection, quantum_ids, worker or process_token(), seconds)

    def fail(self, quantum_id: int, worker: str | None, error: QuantumFailure, retriable: bool = True) -> None:
        """Mark a leased quantum failed, and keep how."""
        with self._repository.writing(beside=True) as connection:
            leases.fail(connection, quantum_id, worker or process_token(), error, retriable=retriable)

    def inputs(self, quantum_id: int) -> QuantumInputs:
        """Return all that goes into a quantum."""
        with self._repository.reading() as connection:
            return quantum_inputs(connection, quantum_id)

    def publish(
        self,
        quantum_id: int | None,
        outputs: Mapping[str, object],
        *,
        run: str,
        data_id: DataId,
        worker: str | None = None,
        metrics: Mapping[str, Any] | None = None,
    ) -> list[DatasetRef]:
        """Publish all outputs of a quantum and mark it done, in one transaction; see `registry.publish`.

        Parameters
        ----------
        quantum_id
            The quantum; None for outputs that no quantum makes.
        outputs
            Values by dataset type.
        run, data_id
            The RUN collection that will own them, and what they are about.
        worker
            Who has the quantum leased; this process by default.
        metrics
            What the work cost: ``seconds``, ``cpu_s``, ``peak_rss_bytes``, and anything else that JSON can hold.
        """
        work = None if quantum_id is None else Work(quantum_id, worker or process_token(), metrics or {})
        return publish(self._repository, outputs, run=run, data_id=data_id, work=work)

    def recover(self, *, dry_run: bool = False) -> RecoveryReport:
        """Clear up what dead processes left behind, and explain it; see `registry.recover`."""
        return recover(self._repository, dry_run=dry_run)
