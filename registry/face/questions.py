"""Questions about what was done and what would be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from registry.face.base import Face
from registry.refs import DatasetRef

if TYPE_CHECKING:
    from registry.questions.diff import RunDiff
    from registry.questions.impact import Impact


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
