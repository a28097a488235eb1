"""Crosstalk between detectors: which others the quanta of a night need, and the quanta that prepare those."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from flows.calib_needs import count_fallbacks, missing_report, policy_report, resolve_all, what_lacks
from flows.noted import noted_of
from flows.plan import WorkPlan, lost_products
from flows.repo import Repo
from isrflow.errors import GeometryError
from isrflow.quantum.config import config_of
from isrflow.quantum.pre_crosstalk import recipe_of_sources, source_spec
from isrflow.quantum.types import PRE_CROSSTALK, RAW
from registry.refs import DataId, DatasetRef, Match, QuantumSpec
from registry.resolution import spell_data_ids

if TYPE_CHECKING:
    from isrflow.calibs.crosstalk import Crosstalk
    from isrflow.steps.recipe_base import Recipe

_TABLE = "crosstalk"
Matches = Mapping[DataId, Mapping[str, Match]]
Wanted = Mapping[DataId, Mapping[str, DataId]]
"""What a quantum is of, to the name and data id of each detector that leaves its light there."""


@dataclass(frozen=True)
class Sources:
    """The other detectors that quanta need."""

    recipe: Recipe | None = None
    """As far as crosstalk; None if no step takes sources."""
    of: Mapping[DataId, Mapping[str, QuantumSpec]] = field(default_factory=dict)
    """What a quantum is of, to the name of a detector and the quantum that prepares it."""
    lacking: Mapping[DataId, str] = field(default_factory=dict)
    """Quanta that must wait, because a source of theirs lacks a calibration: why."""
    unready: Mapping[DataId, str] = field(default_factory=dict)
    """Sources that lack a calibration: why."""
    missing: str = ""
    """The report of what is missing, ready to print."""
    by_policy: str = ""
    """What policies did about it, likewise."""


def find_sources(
    repo: Repo, recipe: Recipe, raws: Sequence[DatasetRef], matches: Matches, context: str | None = None
) -> Sources:
    """Find the sources of crosstalk that the tables of these raws name: in two queries, however many raws there are.

    A source of which there is no raw is reported, and its crosstalk stays. A source that lacks a calibration keeps the
    quanta that need it waiting, for they would come out otherwise later.

    Parameters
    ----------
    repo, recipe
        Whose, and all that is to be done.
    raws
        What is to be corrected.
    matches
        The calibrations found for them.
    context
        The frozen context that they were found in.

    Raises
    ------
    ConfigError
        If two enabled steps take sources.
    """
    prefix = recipe_of_sources(recipe)
    wanted, unknown = _wanted(repo, [raw.data_id for raw in raws], matches) if prefix is not None else ({}, [])
    if prefix is None or not (wanted or unknown):
        return Sources()
    every = _raws_of(repo, {source for named in wanted.values() for source in named.values()}, raws)
    noted = noted_of(repo, every.values())
    there = {data_id: raw for data_id, raw in every.items() if noted.reason(data_id) is None}
    resolutions = resolve_all(repo, list(there), prefix, repo.settings.collections, context)
    unready = what_lacks(resolutions)
    config = config_of(prefix)
    specs = {
        data_id: source_spec(there[data_id], found, config, notes=noted.of(there[data_id]))
        for resolution in resolutions
        for data_id, found in resolution.matches.items()
        if data_id not in unready
    }
    lacking = {
        target: "; ".join(f"its source of crosstalk {one} lacks {unready[one]}" for one in sorted(bad))
        for target, named in wanted.items()
        if (bad := set(named.values()) & unready.keys())
    }
    return Sources(
        prefix,
        {t: {name: specs[one] for name, one in named.items() if one in specs} for t, named in wanted.items()},
        lacking,
        unready,
        "\n".join(filter(None, (missing_report(resolutions), _absence_report(wanted, there, unknown, every)))),
        policy_report(resolutions),
    )


def plan_sources(repo: Repo, sources: Sources, plan: WorkPlan) -> WorkPlan | None:
    """Plan the preparation of what the quanta that would be run need; None if they need nothing."""
    if sources.recipe is None or not (sources.of or sources.unready):
        return None
    needed = {spec.data_id: spec for target in plan.waiting() for spec in sources.of.get(target.data_id, {}).values()}
    if not (needed or sources.unready):
        return None
    return WorkPlan(
        run=plan.run,
        config=config_of(sources.recipe),
        changes=sources.recipe.changes(),
        specs=tuple(needed[data_id] for data_id in sorted(needed)),
        skipped=tuple((PRE_CROSSTALK, data_id, sources.unready[data_id]) for data_id in sorted(sources.unready)),
        n_fallbacks=count_fallbacks(list(needed.values())),
        context=plan.context,
        before=plan.before,
        retry_failed=plan.retry_failed,
        find_lost=partial(lost_products, repo, plan.run, (PRE_CROSSTALK,)),
    )


def _wanted(
    repo: Repo, targets: Iterable[DataId], matches: Matches
) -> tuple[dict[DataId, dict[str, DataId]], list[tuple[DataId, str]]]:
    """Return what the tables of crosstalk ask for, and names in them that are no detector's."""
    tables: dict[UUID, tuple[str, ...]] = {}
    wanted: defaultdict[DataId, dict[str, DataId]] = defaultdict(dict)
    unknown: list[tuple[DataId, str]] = []
    for target in targets:
        match = matches[target].get(_TABLE)
        if match is None:
            continue
        if match.ref.id not in tables:
            table: Crosstalk = repo.butler.get(match.ref)  # type: ignore[assignment]
            tables[match.ref.id] = table.sources
        for name in tables[match.ref.id]:
            try:
                source = repo.camera.detector(name).id
            except GeometryError:
                unknown.append((target, name))
            else:
                wanted[target][name] = DataId(target.instrument, target.exposure, source)
    return dict(wanted), unknown


def _raws_of(repo: Repo, data_ids: Collection[DataId], known: Sequence[DatasetRef]) -> dict[DataId, DatasetRef]:
    """Return the raws of these data ids; what is not known already is asked for at once."""
    found = {raw.data_id: raw for raw in known if raw.data_id in data_ids}
    exposures = [data_id.exposure or 0 for data_id in data_ids if data_id not in found]
    if exposures:
        detectors = ", ".join(str(number) for number in sorted({data_id.detector or 0 for data_id in data_ids}))
        where = f"exposure >= {min(exposures)} and exposure <= {max(exposures)} and detector in ({detectors})"
        found |= {raw.data_id: raw for raw in repo.butler.datasets(where, type=RAW) if raw.data_id in data_ids}
    return found


def _absence_report(
    wanted: Wanted, there: Collection[DataId], unknown: Sequence[tuple[DataId, str]], every: Collection[DataId]
) -> str:
    """Say which sources there is nothing of, and what that means."""
    absent: defaultdict[str, list[DataId]] = defaultdict(list)
    for target, name in unknown:
        absent[f"detector {name}, which this camera does not have"].append(target)
    for target, named in wanted.items():
        for name, source in named.items():
            if source not in there:
                why = "whose raw is flagged bad" if source in every else "of which there is no raw"
                absent[f"detector {name}, {why}"].append(target)
    return "\n".join(
        f"source of crosstalk missing: {what}; what it left stays in {spell_data_ids(targets)}"
        for what, targets in absent.items()
    )
