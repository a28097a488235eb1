"""Any selection again, into a run of its own: what a query selects, with the calibrations of today.

The settings are those of today, too, unless recorded ones are given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from flows.corrections import plan_corrections
from flows.dispatch import dispatch
from flows.engine import EngineChoice
from flows.outcome import OnProgress, RunReport
from flows.plan import WorkPlan, find_raws
from flows.repo import Repo
from flows.settings import EngineName
from flows.work import RunQuanta, correct


def plan_reprocess(
    repo: Repo,
    where: str,
    out_run: str,
    *,
    settings: Mapping[str, Any] | None = None,
    retry_failed: bool = True,
    context: str | None = None,
    config: Mapping[str, Any] | None = None,
    collections: Sequence[str] = (),
) -> WorkPlan:
    """Plan the correction of all raws that a query selects; nothing is written.

    Parameters
    ----------
    where
        A query on exposures and detectors. Calibration frames are selected too if it does not exclude them.
    out_run
        Collection of the products: a new one, or one begun with the same inputs and settings.
    settings
        Recipe settings laid over those of the instrument and the repository.
    retry_failed
        Whether quanta that failed before are tried again.
    context
        Frozen context to take calibrations from, instead of those that are certified now.
    config
        Recipe and settings as the registry keeps them, taken as they are; those of instrument and repository, and
        `settings`, count for nothing then.
    collections
        Where calibrations are looked for; as the repository's settings say by default.

    Raises
    ------
    QuerySyntaxError, UserError
        If the query cannot be read, or selects nothing.
    ConfigError
        If a setting is unknown or impossible.
    """
    if collections:
        repo = replace(repo, settings=repo.settings.model_copy(update={"collections": tuple(collections)}))
    raws = find_raws(repo, where)
    return plan_corrections(repo, raws, out_run, settings, retry_failed=retry_failed, context=context, config=config)


def run_reprocess(
    repo: Repo,
    where: str,
    out_run: str,
    *,
    settings: Mapping[str, Any] | None = None,
    engine: EngineName | None = None,
    workers: int | None = None,
    retry_failed: bool = True,
    context: str | None = None,
    config: Mapping[str, Any] | None = None,
    collections: Sequence[str] = (),
    on_progress: OnProgress | None = None,
) -> RunReport:
    """Correct all raws that a query selects.

    Parameters
    ----------
    where, out_run, settings, retry_failed, context, config, collections
        As for `plan_reprocess`.
    engine, workers
        By default as the repository's settings say.
    on_progress
        Told of every quantum that is over.

    Raises
    ------
    ConflictError
        If products in `out_run` were made of other inputs or settings; all are listed and nothing is done.
    QuerySyntaxError, UserError, ConfigError
        As for `plan_reprocess`.
    """
    order = {
        "where": where,
        "out_run": out_run,
        "settings": dict(settings or {}),
        "retry_failed": retry_failed,
        "context": context,
        "config": None if config is None else dict(config),
        "collections": list(collections),
    }
    return dispatch(reprocess, repo, order, engine=engine, workers=workers, on_progress=on_progress)


def reprocess(
    repo: Repo, run_quanta: RunQuanta, engine: EngineChoice, on_progress: OnProgress | None, **order: Any
) -> RunReport:
    """Do a reprocessing with the given runner of quanta; every engine ends up here."""
    return correct(repo, run_quanta, engine, on_progress, lambda: plan_reprocess(repo, **order))
