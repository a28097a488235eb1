"""Calibrations made from an afternoon's raws, each kind with the masters made before it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from flows.dispatch import dispatch
from flows.engine import EngineChoice
from flows.imports import ImportReport, import_calib
from flows.masters import MasterPlanner, raws_of
from flows.night import resolve_day
from flows.outcome import OnProgress, RunReport
from flows.repo import Repo, refuse_own_run
from flows.settings import EngineName
from flows.tasks import COMBINED
from flows.work import Carried, RunQuanta, carry_out, counting_on, recover, report_on, tidy
from isrflow.errors import ConfigError, NotBuiltError
from isrflow.quantum.config import CHOICE, recipe_for
from registry.errors import UnknownName

__all__ = ["BUILDABLE", "ImportReport", "build_calibs", "import_calib"]

BUILDABLE = (*COMBINED, "defects")
"""Kinds that can be made, in the order in which they depend on each other."""
_MAKER = "maker."


def build_calibs(
    repo: Repo,
    types: Sequence[str],
    day: str | int,
    out_run: str | None = None,
    *,
    settings: Mapping[str, Any] | None = None,
    engine: EngineName | None = None,
    workers: int | None = None,
    on_progress: OnProgress | None = None,
) -> RunReport:
    """Make calibrations of an observing day's raws; they are not used before they are certified.

    Parameters
    ----------
    types
        Some of bias, dark, flat (one a filter) and defects. Those not made here are taken from `out_run`, or as they
        are certified.
    day
        YYYYMMDD, or ``last``.
    out_run
        Collection of the masters, ``calibs/YYYYMMDD`` by default: a new one, or one begun with the same raws.
    settings
        Recipe settings, and those of the makers as ``maker.NAME``.
    engine, workers
        By default as the repository's settings say.
    on_progress
        Told of every master that is made.

    Returns
    -------
    RunReport
        The commands to type next begin with the certification.

    Raises
    ------
    UnknownName, NotBuiltError
        If there is no such type, or it cannot be made of raws yet.
    UserError
        If the day has no raws of a type; all such types are listed. If `out_run` is that of the raws or of the camera.
    ConfigError
        If a setting is unknown or impossible.
    ConflictError
        If masters in `out_run` were made of other raws or settings.
    """
    number = resolve_day(repo, day)
    kinds = [kind for kind in BUILDABLE if kind in _checked(types)]
    raws_of(repo, kinds, number)  # says what is not there before anything is done
    run = out_run or f"calibs/{number}"
    refuse_own_run(repo, run)
    order = {
        "types": kinds,
        "day": str(number),
        "out_run": run,
        "settings": dict(settings or {}),
    }
    return dispatch(calibs, repo, order, engine=engine, workers=workers, on_progress=on_progress)


def calibs(
    repo: Repo, run_quanta: RunQuanta, engine: EngineChoice, on_progress: OnProgress | None, **order: Any
) -> RunReport:
    """Make calibrations with the given runner of quanta; every engine ends up here."""
    started = time.perf_counter()
    recovered = recover(repo)
    run, settings = order["out_run"], order["settings"] or {}
    recipe_settings = {key: value for key, value in settings.items() if not key.startswith(_MAKER)}
    options = {key.removeprefix(_MAKER): value for key, value in settings.items() if key.startswith(_MAKER)}
    recipe = recipe_for(repo.camera, repo.settings.recipe, recipe_settings)
    planner = MasterPlanner(repo, run, recipe, _maker_configs(options))
    raws = raws_of(repo, order["types"], int(order["day"]))
    repo.butler.register_collection(run, "RUN", f"calibrations made of {order['day']}")
    work = Carried()
    missing: list[str] = []
    noted: list[str] = []
    for kind in order["types"]:
        plan = planner.plan(kind, raws[kind])
        missing += [plan.missing] if plan.missing else []
        noted += [plan.noted] if plan.noted and plan.noted not in noted else []
        work += carry_out(repo, plan, run_quanta, counting_on(len(work.quanta), on_progress))
    recovered = "\n".join(filter(None, (recovered, tidy(repo, work.quanta))))
    return report_on(
        work,
        run=run,
        engine=engine,
        started=started,
        missing="\n".join(missing),
        noted="\n".join(noted),
        recovered=recovered,
        places={"calibrations": f"collection {run} of {repo.root}"},
        next_steps=[
            f"isrflow calibs certify {run} --begin {order['day']}",
            f"isrflow night {order['day']}" + (f" --recipe {settings[CHOICE]}" if CHOICE in settings else ""),
        ],
    )


def _checked(types: Sequence[str]) -> Sequence[str]:
    from isrflow.calibs.kinds import KINDS

    unknown = [kind for kind in types if kind not in KINDS]
    if unknown or not types:
        raise UnknownName(kind="calibration type", name=", ".join(unknown), known=BUILDABLE)
    not_built = [kind for kind in types if kind not in BUILDABLE]
    if not_built:
        raise NotBuiltError(
            f"{', '.join(not_built)} cannot be made of raws by this version; it makes {', '.join(BUILDABLE)}",
            fix=f"isrflow calibs import {not_built[0]} FILES",
        )
    return types


def _maker_configs(options: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return each kind's maker settings, of which those given are laid over the defaults."""
    from isrflow.makers.defects import DefectsConfig
    from isrflow.makers.inputs import MakerConfig

    classes = dict.fromkeys(COMBINED, MakerConfig) | {"defects": DefectsConfig}
    known = {name for cls in classes.values() for name in cls.model_fields}
    unknown = sorted(set(options) - known)
    if unknown:
        near = get_close_matches(unknown[0], known, n=1)
        hint = f"; did you mean {_MAKER}{near[0]}?" if near else f" (known: {', '.join(sorted(known))})"
        raise ConfigError(f"makers have no setting {', '.join(unknown)}{hint}")
    return {
        kind: cls(**{name: value for name, value in options.items() if name in cls.model_fields}).model_dump(
            mode="json"
        )
        for kind, cls in classes.items()
    }
