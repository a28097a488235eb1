"""Calibrations: certified, resolved, explained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from registry.refs import DataId, DatasetRef
from registry.sql import calibrations
from registry.sql.calibrations import CertifyDiff, CertifyMode
from registry.sql.validity_rows import ValidityRow, validity_rows
from registry.timespan import ALL_TIME, Timespan

if TYPE_CHECKING:
    from registry.explain import Explanation
    from registry.resolution import Resolution


from registry.face.base import Face


class CalibrationFace(Face):
    """Which calibration holds when."""

    def certify(
        self,
        collection: str,
        refs: Sequence[DatasetRef],
        span: Timespan,
        *,
        mode: CertifyMode = "idempotent",
        reason: str = "",
        dry_run: bool = False,
    ) -> CertifyDiff:
        """Declare calibrations valid in a range of time; see `registry.sql.calibrations`."""
        with self._repository.changing(dry_run=dry_run) as connection:
            actor = self._repository.actor
            return calibrations.certify(
                connection, collection, refs, span, mode=mode, actor=actor, reason=reason, dry_run=dry_run
            )

    def decertify(
        self,
        collection: str,
        refs: Sequence[DatasetRef],
        span: Timespan = ALL_TIME,
        *,
        reason: str,
        dry_run: bool = False,
    ) -> CertifyDiff:
        """Declare calibrations not valid in a range of time after all; history is kept."""
        with self._repository.changing(dry_run=dry_run) as connection:
            actor = self._repository.actor
            return calibrations.decertify(
                connection, collection, refs, span, actor=actor, reason=reason, dry_run=dry_run
            )

    def validity(
        self,
        collection: str | None = None,
        type: str | None = None,  # noqa: A002
        *,
        as_of: int | None = None,
    ) -> list[ValidityRow]:
        """Return what is certified, now or as of an event."""
        with self._repository.reading() as connection:
            return validity_rows(connection, collection, type, as_of=as_of)

    def resolve(
        self,
        data_ids: Sequence[DataId],
        types: Mapping[str, bool],
        collections: Sequence[str],
        *,
        as_of: int | None = None,
    ) -> Resolution:
        """Find the calibrations of a whole night at once; see `registry.resolve`.

        Parameters
        ----------
        data_ids
            Exposure and detector each.
        types
            Names of dataset types, and whether they are required.
        collections
            Where to look, in order.
        as_of
            Number of an event, to ask what would have been found then.
        """
        from registry.resolve import resolve

        with self._repository.reading() as connection:
            return resolve(connection, data_ids, types, collections, as_of=as_of)

    def explain(
        self,
        exposure: int,
        detector: int,
        type: str,  # noqa: A002
        collections: Sequence[str],
        *,
        instrument: str | None = None,
        as_of: int | None = None,
    ) -> Explanation:
        """Say why a calibration was found for an exposure and detector, or why not; `instrument` if several have it."""
        from registry.explain import explain

        with self._repository.reading() as connection:
            return explain(connection, exposure, detector, type, collections, instrument=instrument, as_of=as_of)
