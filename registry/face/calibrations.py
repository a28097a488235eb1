"""Calibrations: certified, resolved, explained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from registry.contexts import ContextRow
from registry.face.base import Face
from registry.refs import DataId, DatasetRef, Match, Policy
from registry.sql import calibrations
from registry.sql.calibrations import CertifyDiff, CertifyMode
from registry.sql.contexts import bind_run, contexts, freeze_context, load_context, refuse_other_context
from registry.sql.dataset_types import match_modes
from registry.sql.events import seq_of
from registry.sql.policies import PolicyRow, policy_rows, set_policy
from registry.sql.validity_rows import ValidityRow, validity_rows
from registry.timespan import ALL_TIME, Timespan

if TYPE_CHECKING:
    from registry.explain_certify import CertifyExplanation
    from registry.explanation import Explanation
    from registry.resolution import Resolution


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
        readout_mode: Mapping[str, Any] | None = None,
    ) -> CertifyDiff:
        """Declare calibrations valid in a range of time; see `registry.sql.calibrations`."""
        with self._repository.changing(dry_run=dry_run) as connection:
            actor = self._repository.actor
            return calibrations.certify(
                connection,
                collection,
                refs,
                span,
                mode=mode,
                actor=actor,
                reason=reason,
                dry_run=dry_run,
                readout_mode=readout_mode,
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
        collections: Sequence[str] = (),
        *,
        as_of: int | None = None,
        policies: Mapping[str, Policy] | None = None,
        context: str | None = None,
    ) -> Resolution:
        """Find the calibrations of a whole night at once; see `registry.resolve`.

        Parameters
        ----------
        data_ids
            Exposure and detector each.
        types
            Names of dataset types, and whether the recipe requires them; if it does, and there is none, the policy of
            the type decides.
        collections
            Where to look, in order.
        as_of
            Number of an event, to ask what would have been found then; `seq_of` gives it for a time.
        policies
            What to do where a type is missing, for this call.
        context
            A frozen context, instead of all three.
        """
        from registry.resolve import resolve

        with self._repository.reading() as connection:
            return resolve(connection, data_ids, types, collections, as_of=as_of, policies=policies, context=context)

    def find_calibration(
        self,
        type: str,  # noqa: A002
        data_id: DataId,
        collections: Sequence[str],
        *,
        as_of: int | None = None,
    ) -> Match | None:
        """Find one calibration of one exposure on a detector; see `registry.finding`."""
        from registry.finding import find_calibration

        with self._repository.reading() as connection:
            return find_calibration(connection, type, data_id, collections, as_of=as_of)

    def explain(
        self,
        exposure: int,
        detector: int,
        type: str,  # noqa: A002
        collections: Sequence[str] = (),
        *,
        instrument: str | None = None,
        as_of: int | None = None,
        context: str | None = None,
    ) -> Explanation:
        """Say why a calibration was found for an exposure and detector, or why not; `instrument` if several have it."""
        from registry.explain import explain

        with self._repository.reading() as connection:
            return explain(
                connection, exposure, detector, type, collections, instrument=instrument, as_of=as_of, context=context
            )

    def explain_certify(self, collection: str, refs: Sequence[DatasetRef], span: Timespan) -> CertifyExplanation:
        """Say what certifying datasets would meet, and what each mode would make of it; nothing is changed."""
        from registry.explain_certify import explain_certify

        with self._repository.reading() as connection:
            return explain_certify(connection, collection, refs, span)

    def seq_of(self, moment: str | int) -> int:
        """Return the number of the event that a number or a time (UTC) means; see `registry.sql.events.seq_of`."""
        with self._repository.reading() as connection:
            return seq_of(connection, moment)

    def set_policy(self, type: str, policy: Policy, *, reason: str) -> int | None:  # noqa: A002
        """Decide what is done where a calibration type is missing; return the event, None if it is so already."""
        with self._repository.writing(durable=True) as connection:
            return set_policy(connection, type, policy, actor=self._repository.actor, reason=reason)

    def policies(self, *, as_of: int | None = None) -> list[PolicyRow]:
        """Return the policy of every calibration type, now or as of an event."""
        with self._repository.reading() as connection:
            return policy_rows(connection, as_of)

    def match_modes(self, type: str, *, reason: str) -> int | None:  # noqa: A002
        """Let a calibration type be matched by readout mode from now on; see `registry.sql.dataset_types`."""
        with self._repository.writing(durable=True) as connection:
            return match_modes(connection, type, actor=self._repository.actor, reason=reason)

    def freeze_context(
        self, name: str, collections: Sequence[str], *, as_of: int | None = None, doc: str = ""
    ) -> ContextRow:
        """Give a name, and a hash to cite, to what would be resolved now or as of an event, for ever."""
        with self._repository.writing(durable=True) as connection:
            return freeze_context(connection, name, collections, as_of=as_of, actor=self._repository.actor, doc=doc)

    def context(self, name: str) -> ContextRow:
        """Return a frozen context."""
        with self._repository.reading() as connection:
            return load_context(connection, name)

    def contexts(self) -> list[ContextRow]:
        """Return all frozen contexts, oldest first."""
        with self._repository.reading() as connection:
            return contexts(connection)

    def refuse_other_context(self, run: str, context: str | None) -> None:
        """Raise `ConflictError` if a run was begun with another context than this one; None is none."""
        with self._repository.reading() as connection:
            refuse_other_context(connection, run, context)

    def bind_run(self, run: str, context: str | None) -> None:
        """Tie a run to a context; `ConflictError` if it was begun with another."""
        with self._repository.writing() as connection:
            bind_run(connection, run, context)
