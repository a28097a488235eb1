"""A night: every science exposure of an observing day, corrected into ``night/YYYYMMDD``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flows.corrections import plan_corrections
from flows.dispatch import dispatch
from flows.engine import EngineChoice
from flows.outcome import OnProgress, RunReport
from flows.plan import WorkPlan, find_raws
from flows.repo import Repo
from flows.settings import EngineName
from flows.work import RunQuanta, correct
from registry.errors import UserError
from registry.times import parse_day


def resolve_day(repo: Repo, day: str | int) -> int:
    """Return an observing day as YYYYMMDD; ``last`` is the last one with science exposures.

    Raises
    ------
    UserError
        If the text is no day, or there are no science exposures to be the last.
    """
    if str(day) != "last":
        return parse_day(str(day))
    latest = repo.butler.exposures("obs_type = 'science'", order_by=("-day_obs",), limit=1)
    if not latest:
        raise UserError(
            f"{repo.root} holds no science exposures, so there is no last night", fix="isrflow ingest FILES"
        )
    return latest[0].day_obs


def plan_night(
    repo: Repo,
    day: str | int,
    *,
    settings: Mapping[str, Any] | None = None,
    where: str = "",
    retry_failed: bool = True,
    context: str | None = None,
) -> WorkPlan:
    """Plan a night; nothing is written.

    Parameters
    ----------
    day
        YYYYMMDD, or ``last``.
    settings
        Recipe settings laid over those of the instrument and the repository.
    where
        Narrows the night: a query on exposures and detectors.
    retry_failed
        Whether quanta that failed before are tried again.
    context
        Frozen context to take calibrations from, instead of those that are certified now.

    Raises
    ------
    UserError
        If the night has no science exposures; says what there is.
    ConfigError
        If a setting is unknown or impossible.
    """
    number = resolve_day(repo, day)
    query = f"day_obs = {number} and obs_type = 'science'" + (f" and ({where})" if where else "")
    raws, run = find_raws(repo, query), f"night/{number}"
    return plan_corrections(repo, raws, run, settings, retry_failed=retry_failed, context=context)


def run_night(
    repo: Repo,
    day: str | int,
    *,
    settings: Mapping[str, Any] | None = None,
    where: str = "",
    engine: EngineName | None = None,
    workers: int | None = None,
    retry_failed: bool = True,
    context: str | None = None,
    on_progress: OnProgress | None = None,
) -> RunReport:
    """Process a night: what is done already stays, what lacks calibrations is reported, the rest is run.

    Parameters
    ----------
    day, settings, where, retry_failed, context
        As for `plan_night`.
    engine
        ``direct``, ``prefect`` or ``auto``; by default as the repository's settings say.
    workers
        Number of worker processes; by default as the settings say.
    on_progress
        Told of every quantum that is over.

    Returns
    -------
    RunReport
        Made from the registry's own quanta, whatever the engine thinks.

    Raises
    ------
    UserError, ConfigError
        As for `plan_night`.
    ConflictError
        If products in the run were made of other inputs or settings: choose another run with `isrflow reprocess`.
    ServerError
        If Prefect was asked for and there is no server.
    """
    order = {
        "day": str(resolve_day(repo, day)),
        "settings": dict(settings or {}),
        "where": where,
        "retry_failed": retry_failed,
        "context": context,
    }
    return dispatch(night, repo, order, engine=engine, workers=workers, on_progress=on_progress)


def night(
    repo: Repo, run_quanta: RunQuanta, engine: EngineChoice, on_progress: OnProgress | None, **order: Any
) -> RunReport:
    """Do a night's work with the given runner of quanta; every engine ends up here."""
    return correct(repo, run_quanta, engine, on_progress, lambda: plan_night(repo, **order))
