"""What people say of data and take back: marks, flags, corrected headers."""

from __future__ import annotations

from registry.face.base import Face
from registry.sql import notes
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
