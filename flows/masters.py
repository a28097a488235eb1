"""Which masters an observing day can give, of which raws, with which calibrations."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flows.calib_needs import count_fallbacks, missing_report, policy_report, resolve_all, what_lacks
from flows.noted import Noted, doubtful_calibs, noted_of
from flows.plan import WorkPlan, quanta_of
from flows.repo import Repo
from flows.tasks import COMBINED, maker_task
from isrflow.quantum.config import config_of
from isrflow.quantum.notes import headers_in
from isrflow.quantum.provenance import content_key
from isrflow.quantum.types import CAMERA
from registry.errors import UserError
from registry.refs import DataId, DatasetRef, Match, QuantumSpec

if TYPE_CHECKING:
    from isrflow.steps.recipe_base import Recipe
    from registry.resolution import Resolution

MIN_INPUTS = "maker.min_inputs"
Groups = Mapping[DataId, Sequence[DatasetRef]]
"""What a master is of, to the raws it is made of."""


def raws_of(repo: Repo, types: Sequence[str], day: int) -> dict[str, Groups]:
    """Return the raws of each master: by detector, and for flats by filter; defects look at darks and flats.

    Raises
    ------
    UserError
        If the day has no raws of some types; all are listed.
    """
    exposures = {record.id: record for record in repo.butler.exposures(f"day_obs = {day}")}
    found: dict[str, dict[DataId, list[DatasetRef]]] = {kind: defaultdict(list) for kind in types}
    for raw in repo.butler.datasets(f"day_obs = {day}", type="raw") if exposures else ():
        record = exposures[raw.data_id.exposure or 0]
        owner = DataId(repo.instrument, detector=raw.data_id.detector)
        if record.obs_type in COMBINED and record.obs_type in found:
            of_filter = DataId(repo.instrument, detector=owner.detector, physical_filter=record.physical_filter)
            found[record.obs_type][of_filter if record.obs_type == "flat" else owner].append(raw)
        if record.obs_type in {"dark", "flat"} and "defects" in found:
            found["defects"][owner].append(raw)
    lacking = [kind for kind in types if not found[kind]]
    if lacking:
        there = sorted({record.obs_type for record in exposures.values()})
        raise UserError(
            f"{day} has no raws to make {', '.join(lacking)} of (it has {', '.join(there) or 'no exposures at all'})",
            fix=f'isrflow query exposures "day_obs = {day}"',
        )
    return dict(found)


@dataclass(frozen=True)
class MasterPlanner:
    """Plans the masters of one run, kind by kind: those made before go before certified ones."""

    repo: Repo
    run: str
    recipe: Recipe
    makers: Mapping[str, Mapping[str, Any]]
    """Kind to the settings of its maker."""

    def plan(self, kind: str, groups: Groups) -> WorkPlan:
        """Plan the masters of a kind; those of earlier kinds must have been made."""
        config = {**config_of(self._prefix(kind)), "maker": dict(self.makers[kind])}
        every = [raw for group in groups.values() for raw in group]
        noted = noted_of(self.repo, every)
        groups, too_few = self._without_flagged(kind, groups, noted)
        if kind == "defects":
            matches, lacking, missing = self._masters_for_defects(groups)
        else:
            matches, lacking, missing = self._calibs_for_raws(kind, groups)
        task = maker_task(kind)
        specs = []
        for data_id, found in matches.items():
            inputs = [] if kind == "defects" else [(f"raw:{raw.data_id.exposure}", raw) for raw in groups[data_id]]
            ids = tuple((role, raw.id) for role, raw in inputs)
            notes = noted.notes(inputs)
            key = content_key(task, config, inputs, found, headers=headers_in(notes))
            specs.append(QuantumSpec(task, data_id, ids, tuple(sorted(found.items())), key, notes))
        return WorkPlan(
            run=self.run,
            config=config,
            changes=self.recipe.changes(),
            specs=tuple(specs),
            skipped=tuple((task, data_id, reason) for data_id, reason in {**lacking, **too_few}.items()),
            missing="\n".join(filter(None, (missing, *(f"{kind} of {one}: {why}" for one, why in too_few.items())))),
            noted="\n".join(
                filter(None, (noted.report([raw.data_id for raw in every]), doubtful_calibs(self.repo, specs)))
            ),
            n_fallbacks=count_fallbacks(specs),
            before=tuple(quanta_of(self.repo, self.run)),
        )

    def _without_flagged(self, kind: str, groups: Groups, noted: Noted) -> tuple[Groups, dict[DataId, str]]:
        """Leave out raws that are flagged bad, and the masters that too few are left for, saying so."""
        least = int(self.makers[kind].get("min_inputs", 1))
        kept: dict[DataId, Sequence[DatasetRef]] = {}
        too_few: dict[DataId, str] = {}
        for data_id, group in groups.items():
            good = noted.usable(group)
            if len(good) < min(least, len(group)):
                too_few[data_id] = (
                    f"{len(group) - len(good)} of {len(group)} exposures are flagged bad; {len(good)} left, "
                    f"{least} are needed: take more, clear flags (isrflow flag clear), or --set {MIN_INPUTS}=N"
                )
            else:
                kept[data_id] = good
        return kept, too_few

    @property
    def _collections(self) -> tuple[str, ...]:
        return (self.run, *self.repo.settings.collections)

    def _prefix(self, kind: str) -> Recipe:
        """Return the steps that have a part in masters of a kind; defects are found in masters, by no step at all."""
        from isrflow.makers.recipes import STEPS, prefix_of

        return (
            prefix_of(self.recipe, kind) if kind in STEPS else self.recipe.without(row.name for row in self.recipe.rows)
        )

    def _calibs_for_raws(self, kind: str, groups: Groups) -> _Found:
        """Resolve what the raws of a kind need, at the first of each master."""
        first = {group[0].data_id: data_id for data_id, group in groups.items()}
        resolutions = resolve_all(self.repo, list(first), self._prefix(kind), self._collections)
        lacking = {first[raw]: reason for raw, reason in what_lacks(resolutions).items()}
        matches = {
            first[raw]: dict(found)
            for resolution in resolutions
            for raw, found in resolution.matches.items()
            if first[raw] not in lacking
        }
        told = "\n".join(filter(None, (missing_report(resolutions), policy_report(resolutions))))
        return matches, lacking, told

    def _masters_for_defects(self, groups: Groups) -> _Found:
        """Find the dark, and the flat in every filter that there was light through."""
        raws = [raw.data_id for group in groups.values() for raw in group]
        wanted = {CAMERA: True, "dark": False, "flat": False}
        resolution: Resolution = self.repo.butler.resolve(raws, wanted, self._collections)
        matches: dict[DataId, dict[str, Match]] = {}
        lacking: dict[DataId, str] = {}
        for data_id, group in groups.items():
            masters: dict[str, Match] = {}
            for raw in group:
                for role, match in resolution.matches[raw.data_id].items():
                    masters[f"flat:{match.ref.data_id.physical_filter}" if role == "flat" else role] = match
            if set(masters) - {CAMERA}:
                matches[data_id] = masters
            else:
                lacking[data_id] = "no dark and no flat to find defects in"
        return matches, lacking, resolution.report() if lacking else ""


_Found = tuple[dict[DataId, dict[str, Match]], dict[DataId, str], str]
"""Calibrations by master, reasons of those that lack some, and the report of what is missing."""
