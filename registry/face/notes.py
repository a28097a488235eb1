"""What people say of data and take back: marks, flags, corrected headers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from registry.face.base import Face
from registry.refs import DataId
from registry.sql import flags, header_corrections, made_of, noted_targets, notes
from registry.sql.flags import Flagged, FlagKind, FlagRow
from registry.sql.header_corrections import CardValue, Change, Corrected, CorrectionRow
from registry.sql.made_of import Doubt, Made
from registry.sql.notes import Datasets, Marked, MarkKind, MarkRow


class NoteFace(Face):
    """Notes on data; each says who made it, when and why, and can be asked as of any event."""

    def mark(self, datasets: Datasets, kind: MarkKind = "bad", *, reason: str, dry_run: bool = False) -> Marked:
        """Mark datasets bad, missing or deleted, so that nothing is made with them; see `registry.sql.notes`."""
        with self._repository.changing(dry_run=dry_run) as connection:
            return notes.mark(connection, datasets, kind, actor=self._repository.actor, reason=reason, dry_run=dry_run)

    def unmark(self, datasets: Datasets, kind: MarkKind = "bad", *, reason: str, dry_run: bool = False) -> Marked:
        """Take marks back."""
        with self._repository.changing(dry_run=dry_run) as connection:
            return notes.unmark(
                connection, datasets, kind, actor=self._repository.actor, reason=reason, dry_run=dry_run
            )

    def marks(
        self,
        datasets: Datasets | None = None,
        *,
        kind: MarkKind | None = None,
        as_of: int | None = None,
        history: bool = False,
    ) -> list[MarkRow]:
        """Return marks that count now, or did as of an event; `history`: all that ever were."""
        with self._repository.reading() as connection:
            return notes.marks_of(connection, datasets, kind=kind, as_of=as_of, history=history)

    def set_flag(
        self, targets: Iterable[DataId], flag: FlagKind = "bad", *, reason: str, dry_run: bool = False
    ) -> Flagged:
        """Flag exposures bad or suspect, on a detector each or on all; see `registry.sql.flags`."""
        with self._repository.changing(dry_run=dry_run) as connection:
            return flags.set_flag(
                connection, targets, flag, actor=self._repository.actor, reason=reason, dry_run=dry_run
            )

    def clear_flag(
        self, targets: Iterable[DataId], flag: FlagKind = "bad", *, reason: str, dry_run: bool = False
    ) -> Flagged:
        """Take flags back."""
        with self._repository.changing(dry_run=dry_run) as connection:
            return flags.clear_flag(
                connection, targets, flag, actor=self._repository.actor, reason=reason, dry_run=dry_run
            )

    def flags(self, *, flag: FlagKind | None = None, as_of: int | None = None, history: bool = False) -> list[FlagRow]:
        """Return flags that count now, or did as of an event; `history`: all that ever were."""
        with self._repository.reading() as connection:
            return flags.flag_rows(connection, flag=flag, as_of=as_of, history=history)

    def flags_of(self, data_ids: Iterable[DataId], *, as_of: int | None = None) -> dict[DataId, list[FlagRow]]:
        """Return the flags that hold for exposures on detectors, the worst first; what has none is left out."""
        with self._repository.reading() as connection:
            return flags.flags_of(connection, data_ids, as_of)

    def doubts(self, datasets: Iterable[UUID]) -> list[Doubt]:
        """Return the calibrations among datasets, and behind them, that were made of raws which are flagged bad now."""
        with self._repository.reading() as connection:
            return made_of.doubts(connection, datasets)

    def made_of(self, targets: Iterable[DataId]) -> list[Made]:
        """Return what was published that was made of the raws of exposures, counted by run and type."""
        with self._repository.reading() as connection:
            return made_of.made_of(connection, noted_targets.places(connection, targets).values())

    def correct_headers(
        self,
        targets: Iterable[DataId],
        keyword: str,
        value: CardValue,
        *,
        changes: Sequence[Change] = (),
        reason: str,
        dry_run: bool = False,
    ) -> Corrected:
        """Let a card of raws say something else; see `registry.sql.header_corrections`.

        `flows.mend.correct_headers` finds out which exposures change with it.
        """
        with self._repository.changing(dry_run=dry_run) as connection:
            return header_corrections.correct_headers(
                connection,
                targets,
                keyword,
                value,
                changes=changes,
                actor=self._repository.actor,
                reason=reason,
                dry_run=dry_run,
            )

    def restore_headers(
        self,
        targets: Iterable[DataId],
        keyword: str,
        *,
        changes: Sequence[Change] = (),
        reason: str,
        dry_run: bool = False,
    ) -> Corrected:
        """Let a card of raws say again what the file says."""
        with self._repository.changing(dry_run=dry_run) as connection:
            return header_corrections.restore_headers(
                connection,
                targets,
                keyword,
                changes=changes,
                actor=self._repository.actor,
                reason=reason,
                dry_run=dry_run,
            )

    def header_corrections(
        self, *, keyword: str | None = None, as_of: int | None = None, history: bool = False
    ) -> list[CorrectionRow]:
        """Return corrections that count now, or did as of an event; `history`: all that ever were."""
        with self._repository.reading() as connection:
            return header_corrections.correction_rows(connection, keyword=keyword, as_of=as_of, history=history)

    def corrected_cards(
        self, data_ids: Iterable[DataId], *, as_of: int | None = None
    ) -> dict[DataId, dict[str, CardValue]]:
        """Return the corrected cards of raws by keyword (None: taken away); raws without any are left out."""
        with self._repository.reading() as connection:
            return header_corrections.corrections_of(connection, data_ids, as_of)
