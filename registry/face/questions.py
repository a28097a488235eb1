"""Questions about what was done and what would be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from registry.face.base import Face
from registry.refs import DatasetRef
from registry.timespan import Timespan

if TYPE_CHECKING:
    from registry.dimensions import ExposureRecord
    from registry.questions.coverage import Coverage
    from registry.questions.diff import RunDiff
    from registry.questions.findings import Lint
    from registry.questions.impact import Impact
    from registry.questions.recall import Recall
    from registry.questions.tonight import PlannedNight, Tonight
    from registry.questions.whatif import View, Want, WhatIf
    from registry.sql.supposed import Mode, Supposition


class QuestionFace(Face):
    """Impact, recall, diff, whatif, coverage, lint."""

    def impact(self, refs: Sequence[DatasetRef | UUID]) -> Impact:
        """Say what was made with datasets: products, masters, what those touched, and what it takes to redo it."""
        from registry.questions.impact import impact

        with self._repository.reading() as connection:
            return impact(connection, refs)

    def diff(self, before: str, after: str) -> RunDiff:
        """Say in which calibrations, settings, software, inputs and products two runs differ."""
        from registry.questions.diff import diff

        with self._repository.reading() as connection:
            return diff(connection, before, after)

    def recall(
        self,
        refs: Sequence[DatasetRef],
        view: View,
        *,
        reason: str,
        with_derived: bool = False,
        dry_run: bool = True,
    ) -> Recall:
        """Mark calibrations bad, and say what was made with them and what would come instead.

        Parameters
        ----------
        refs
            Calibrations.
        view
            From where replacements are looked for.
        reason
            Kept with the event.
        with_derived
            Recall what was made with them, too, as far as it is calibrations.
        dry_run
            Only say what it would mean.
        """
        from registry.questions.recall import recall
        from registry.sql.notes import mark

        with self._repository.reading() as connection:
            answer = recall(connection, refs, view, reason=reason, with_derived=with_derived)
        if dry_run:
            return answer
        with self._repository.changing(dry_run=False) as connection:  # the long look before keeps nobody waiting
            actor = self._repository.actor
            return answer.done(mark(connection, answer.recalled, "bad", actor=actor, reason=reason).seq)

    def whatif(self, wants: Sequence[Want], before: View, after: View, *, supposed: str, of: str) -> WhatIf:
        """Say what quanta would get from another standpoint; see `registry.questions.whatif`."""
        from registry.questions.whatif import whatif

        with self._repository.reading() as connection:
            return whatif(connection, wants, before, after, supposed=supposed, of=of)

    def whatif_since(self, run: str, wants: Sequence[Want], now: View) -> WhatIf:
        """Say what the quanta of a run would get now that they did not get then."""
        from registry.questions.whatif import since

        with self._repository.reading() as connection:
            return since(connection, run, wants, now)

    def suppose_replaced(self, old: Sequence[DatasetRef], new: Sequence[DatasetRef]) -> Supposition:
        """Suppose that calibrations stood for others of the same type and data id."""
        from registry.questions.whatif import pair_up, replaced

        with self._repository.reading() as connection:
            return replaced(connection, pair_up(old, new))

    def suppose_without(self, refs: Sequence[DatasetRef]) -> Supposition:
        """Suppose that calibrations did not count."""
        from registry.questions.whatif import without

        with self._repository.reading() as connection:
            return without(connection, refs)

    def suppose_certified(
        self, collection: str, refs: Sequence[DatasetRef], span: Timespan, *, mode: Mode = "replace"
    ) -> Supposition:
        """Suppose that calibrations were certified."""
        from registry.questions.whatif import certified

        with self._repository.reading() as connection:
            return certified(connection, collection, refs, span, mode)

    def coverage(self, wants: Sequence[Want], view: View) -> Coverage:
        """Say for which nights, filters and detectors there are calibrations; see `registry.questions.coverage`."""
        from registry.questions.coverage import coverage

        with self._repository.reading() as connection:
            return coverage(connection, wants, view)

    def representatives(
        self, exposures: Sequence[ExposureRecord], types: Sequence[str], view: View
    ) -> list[ExposureRecord]:
        """Return exposures that stand for all where validity is concerned."""
        from registry.questions.coverage import representatives

        with self._repository.reading() as connection:
            return representatives(connection, exposures, types, view)

    def tonight(self, plan: PlannedNight, view: View) -> Tonight:
        """Say what calibrations a planned night has."""
        from registry.questions.tonight import tonight

        with self._repository.reading() as connection:
            return tonight(connection, plan, view)

    def lint(self, collections: Sequence[str], *, ignore: Sequence[str] = ()) -> Lint:
        """Look calibrations over: gaps, edges at night, bad parents, fallbacks; see `registry.questions.findings`."""
        from registry.questions.lint import lint

        with self._repository.reading() as connection:
            return lint(connection, collections, ignore=ignore)
