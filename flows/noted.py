"""What people noted of raws, where work is planned: bad ones are left out, suspect ones pass with a warning."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from flows.repo import Repo
from isrflow.quantum.notes import notes_on
from isrflow.quantum.types import RAW
from registry.refs import DataId, DatasetRef, QuantumSpec
from registry.sql.flags import FlagRow
from registry.sql.made_of import Doubt
from registry.sql.noted_targets import spell


@dataclass(frozen=True)
class Noted:
    """The flags and corrected cards of raws, by data id."""

    flags: Mapping[DataId, Sequence[FlagRow]] = field(default_factory=dict)
    cards: Mapping[DataId, Mapping[str, Any]] = field(default_factory=dict)

    def reason(self, data_id: DataId) -> str | None:
        """Return why a raw is not to be used; None if nothing is known against it."""
        worst = next(iter(self.flags.get(data_id, ())), None)
        return worst.render() if worst is not None and worst.flag == "bad" else None

    def usable(self, raws: Iterable[DatasetRef]) -> list[DatasetRef]:
        """Return the raws that are not flagged bad."""
        return [raw for raw in raws if self.reason(raw.data_id) is None]

    def notes(self, inputs: Iterable[tuple[str, DatasetRef]]) -> dict[str, Any]:
        """Return what a quantum is to remember of its raws, by role."""
        these = [(role, ref.data_id) for role, ref in inputs]
        return notes_on(
            {role: self.cards.get(data_id, {}) for role, data_id in these},
            {role: [flag.render() for flag in self.flags.get(data_id, ())] for role, data_id in these},
        )

    def of(self, raw: DatasetRef) -> dict[str, Any]:
        """Return what a quantum of one raw is to remember of it."""
        return self.notes([(RAW, raw)])

    def report(self, data_ids: Iterable[DataId]) -> str:
        """Say which of these are left out and which suspect, why, and who said so; empty if there are none."""
        alike: defaultdict[FlagRow, list[DataId]] = defaultdict(list)
        deeds = {"bad": "left out", "suspect": "used, with a warning in the product"}
        for data_id in data_ids:
            for flag in list(self.flags.get(data_id, ()))[:1]:
                alike[_of_event(flag)].append(data_id)
        return "\n".join(f"{deeds[flag.flag]}: {spell(those)}: {flag.render()}" for flag, those in alike.items())


def noted_of(repo: Repo, raws: Iterable[DatasetRef]) -> Noted:
    """Look up what people noted of raws: in two queries, however many there are."""
    data_ids = [raw.data_id for raw in raws]
    if not data_ids:
        return Noted()
    return Noted(repo.butler.flags_of(data_ids), repo.butler.corrected_cards(data_ids))


def doubtful_calibs(repo: Repo, specs: Iterable[QuantumSpec]) -> str:
    """Say which calibrations that are going to be used were made of raws that were flagged bad since; empty if none."""
    used = {match.ref.id for spec in specs for _, match in spec.calibs}
    return "\n".join(map(_told, repo.butler.doubts(used) if used else ()))


def _told(doubt: Doubt) -> str:
    ref, through = doubt.ref, doubt.through
    which = "" if through is None else f", which {through.type} {through.short} was made with,"
    places = spell([raw.data_id for raw, _ in doubt.raws])
    return (
        f"warning: {ref.type} {ref.short} (run {ref.run}){which} was made of {len(doubt.raws)} raw(s) since flagged "
        f"bad, {places}: {doubt.raws[0][1].render()}; make it again without them, "
        f"or look at all it went into: isrflow impact {ref.short}"
    )


def _of_event(flag: FlagRow) -> FlagRow:
    """Forget which exposure a flag is of, so that those of one event are told in one line."""
    return replace(flag, data_id=flag.data_id.subset(()))
