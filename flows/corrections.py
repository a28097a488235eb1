"""Planning the correction of raws: their calibrations, the sources of their crosstalk, their quanta."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from flows.calib_needs import (
    cannot_be_waived,
    count_fallbacks,
    missing_report,
    policy_report,
    resolve_all,
    warnings_of,
    what_lacks,
)
from flows.noted import doubtful_calibs, noted_of
from flows.plan import WorkPlan, lost_products, quanta_of
from flows.repo import Repo, refuse_own_run
from flows.settings import rounds_products
from flows.sources import find_sources, plan_sources
from flows.units import unit_warnings
from isrflow.quantum.config import config_of, recipe_for, recipe_from
from isrflow.quantum.correct import ISR, TASK, isr_spec
from registry.refs import DatasetRef


def plan_corrections(
    repo: Repo,
    raws: Sequence[DatasetRef],
    run: str,
    settings: Mapping[str, Any] | None,
    *,
    retry_failed: bool = True,
    context: str | None = None,
    config: Mapping[str, Any] | None = None,
) -> WorkPlan:
    """Plan the correction of raws into a run.

    Parameters
    ----------
    raws
        The raw datasets, of any exposures and detectors.
    run
        Name of the collection of the products.
    settings
        Recipe settings laid over those of the instrument and the repository.
    retry_failed
        Whether quanta that failed before are tried again.
    context
        Frozen context to take calibrations from, instead of the repository's collections as they are now.
    config
        Recipe and settings as the registry keeps them, taken as they are instead of those of instrument and
        repository, and of `settings`.

    Raises
    ------
    ConfigError
        If a setting is unknown or impossible.
    UserError
        If the run is that of the raws or of the camera.
    UnknownName
        If the repository's settings name a collection that does not exist, or there is no such context.
    ConflictError
        If the run was begun with another context; both are named.
    """
    refuse_own_run(repo, run)
    repo.butler.refuse_other_context(run, context)
    if config is None:
        config = config_of_today(repo, settings)
    recipe = recipe_from(config)
    noted = noted_of(repo, raws)
    usable = noted.usable(raws)
    resolutions = resolve_all(repo, [raw.data_id for raw in usable], recipe, repo.settings.collections, context)
    matches = {data_id: found for resolution in resolutions for data_id, found in resolution.matches.items()}
    bound = cannot_be_waived(recipe, resolutions)
    without_calibs = bound | what_lacks(resolutions)
    sources = find_sources(repo, recipe, [raw for raw in usable if raw.data_id not in without_calibs], matches, context)
    flagged = {raw.data_id: reason for raw in raws if (reason := noted.reason(raw.data_id))}
    lacking = {**sources.lacking, **without_calibs, **flagged}
    ready = [raw for raw in raws if raw.data_id not in lacking]
    specs = tuple(
        isr_spec(raw, matches[raw.data_id], config, run, sources.of.get(raw.data_id), notes=noted.of(raw))
        for raw in ready
    )
    plan = WorkPlan(
        run=run,
        config=config,
        changes=recipe.changes(),
        specs=specs,
        skipped=tuple((ISR, raw.data_id, lacking[raw.data_id]) for raw in raws if raw.data_id in lacking),
        missing="\n".join(filter(None, (missing_report(resolutions), *sorted(set(bound.values())), sources.missing))),
        noted="\n".join(filter(None, (noted.report([raw.data_id for raw in raws]), doubtful_calibs(repo, specs)))),
        by_policy="\n".join(filter(None, (policy_report(resolutions), sources.by_policy))),
        n_fallbacks=count_fallbacks(specs),
        context=context,
        warnings=(*unit_warnings(repo, recipe, specs), *warnings_of(specs)),
        before=tuple(quanta_of(repo, run)),
        retry_failed=retry_failed,
        find_lost=partial(lost_products, repo, run, TASK.outputs),
    )
    return replace(plan, sources=plan_sources(repo, sources, plan))


def config_of_today(repo: Repo, settings: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return recipe and settings as the registry keeps them, as instrument, repository and `settings` say now.

    Raises
    ------
    ConfigError
        If a setting is unknown or impossible.
    """
    config = config_of(recipe_for(repo.camera, repo.settings.recipe, settings or {}))
    if rounds_products(repo.settings):
        config["product_compression"] = repo.settings.product_compression  # then it is part of what products are
    return config
