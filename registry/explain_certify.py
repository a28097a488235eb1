"""What a certification would meet: everything in its way, who put it there, and what each mode would make of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from sqlalchemy import Connection

from registry.errors import ValidityOverlap
from registry.refs import DatasetRef
from registry.sql.calibrations import CertifyDiff, CertifyMode, certify
from registry.sql.certify_words import certify_command
from registry.sql.validity_rows import ValidityRow, spell_rows
from registry.times import format_time, spell_span
from registry.timespan import Timespan


@dataclass(frozen=True)
class CertifyExplanation:
    """The answer of `explain_certify`: the rows in the way, and the change each mode would make (None: refused)."""

    collection: str
    span: Timespan
    n_datasets: int
    conflicts: tuple[ValidityRow, ...]
    modes: Mapping[str, CertifyDiff | None]
    commands: Mapping[str, str]

    def render(self) -> str:
        """Return the explanation as text."""
        lines = [f"certify {self.n_datasets} calibrations in {self.collection}, valid {spell_span(self.span)}"]
        lines += ["in the way:", *(f"  {line}" for line in spell_rows(self.conflicts))] if self.conflicts else []
        lines += [] if self.conflicts else ["nothing is in the way"]
        for mode, diff in self.modes.items():
            lines.append(f"--mode {mode}: {_told(diff)}")
            if diff is not None and self.conflicts:
                lines += [f"    {line}" for line in diff.render().splitlines()[:-1]]
        lines += [f"fix: {command}" for command in self.commands.values()]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "collection": self.collection,
            "begin": format_time(self.span.begin_ns),
            "end": format_time(self.span.end_ns),
            "conflicts": [str(row) for row in self.conflicts],
            "modes": {
                mode: None
                if diff is None
                else {
                    "added": [str(row) for row in diff.added],
                    "closed": [str(row) for row in diff.closed],
                    "unchanged": len(diff.unchanged),
                }
                for mode, diff in self.modes.items()
            },
            "commands": dict(self.commands),
        }


def explain_certify(
    connection: Connection, collection: str, refs: Sequence[DatasetRef], span: Timespan
) -> CertifyExplanation:
    """Work out what certifying datasets would meet; nothing is written.

    Parameters
    ----------
    connection
        An open transaction.
    collection, refs, span
        As for `registry.sql.calibrations.certify`.

    Raises
    ------
    ConflictError
        If the datasets cannot be certified at all.
    UnknownName
        If the collection or a dataset does not exist.
    """
    modes: dict[str, CertifyDiff | None] = {}
    conflicts: tuple[ValidityRow, ...] = ()
    for mode in get_args(CertifyMode):
        try:
            modes[mode] = certify(connection, collection, refs, span, mode=mode, dry_run=True)
        except ValidityOverlap as error:
            modes[mode] = None
            if mode == "idempotent":  # what strict refuses besides is the same dataset once more, in nobody's way
                conflicts = tuple(row for row in error.conflicts if isinstance(row, ValidityRow))
    possible = ("idempotent",) if modes["idempotent"] is not None else ("replace", "fill-gaps")
    commands = {mode: certify_command(refs, span, collection, mode) for mode in possible}
    return CertifyExplanation(collection, span, len(refs), conflicts, modes, commands)


def _told(diff: CertifyDiff | None) -> str:
    if diff is None:
        return "refused"
    counts = (("added", diff.added), ("closed", diff.closed), ("left as they are", diff.unchanged))
    return ", ".join(f"{len(rows)} {word}" for word, rows in counts)
