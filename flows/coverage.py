"""Coverage in the words of the command line: nights that were, and a plan of the night to come."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flows.questions import wants_of
from flows.repo import Repo
from flows.tasks import COMBINED
from isrflow.quantum.config import recipe_for
from isrflow.quantum.types import CAMERA
from registry.dimensions import ExposureRecord
from registry.errors import UnknownName, UserError
from registry.questions.coverage import Coverage
from registry.questions.tonight import Planned, PlannedNight, Tonight
from registry.questions.whatif import View, Want
from registry.refs import DataId
from registry.times import day_obs_at, day_span, now_ns, parse_day

DEFAULT_NIGHTS = 30
"""How many nights are looked at if none are named: the last ones."""
_PLAN = "- {filter: r, type: science}"
_DAYS = re.compile(r"[\d-]{8,10}(\.\.[\d-]{8,10})?")
_KNOWN = ("filter", "type", "readout_mode", "exposure_s", "n", "detectors")


def ask_coverage(
    repo: Repo,
    nights: str = "",
    *,
    types: Sequence[str] = (),
    collections: Sequence[str] = (),
    context: str | None = None,
    as_of: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Coverage:
    """Say how the science exposures of nights stand, on every detector.

    Parameters
    ----------
    nights
        YYYYMMDD, YYYYMMDD..YYYYMMDD, or a query on exposures; the last `DEFAULT_NIGHTS` with science if empty.
    types
        These only; all that the recipe uses if none are named.
    collections, context, as_of
        Another standpoint than the repository's, now.
    settings
        Recipe settings that decide which types are needed.

    Raises
    ------
    UserError
        If there are no such exposures.
    UnknownName
        If a type is not among those that the recipe uses.
    """
    view = _view(repo, collections, context, as_of)
    exposures = _exposures(repo, nights)
    data_ids = [
        DataId(one.instrument, one.id, detector.id)
        for one in repo.butler.representatives(exposures, _all_types(repo, settings), view)
        for detector in repo.camera.detectors
    ]
    wants = wants_of(repo, data_ids, settings)
    return repo.butler.coverage(_only(wants, types) if types else wants, view)


def ask_tonight(
    repo: Repo, plan: Path, night: str | None = None, *, settings: Mapping[str, Any] | None = None
) -> Tonight:
    """Say what calibrations a planned night has, and what to take before it.

    Parameters
    ----------
    plan
        YAML: a list of mappings, or a mapping with ``night`` and ``exposures``; CSV: a line each. Fields: ``filter``,
        ``type`` (science if not given; bias, dark and flat need what their masters are made with), ``detectors``
        (all if not given), ``readout_mode`` (a mapping, as exposures have it); ``exposure_s`` and ``n`` are for people.
    night
        YYYYMMDD; that of the plan, else the observing day that it is now.
    settings
        Recipe settings that decide which types are needed.

    Raises
    ------
    UserError
        If the plan cannot be read.
    UnknownName
        If a filter or a type of exposure in it is unknown.
    """
    lines, planned_night = read_plan(plan)
    rollover_s = repo.camera.site.day_rollover_hours * 3600.0
    day = parse_day(night or planned_night or str(day_obs_at(now_ns(), rollover_s)))
    span = day_span(day, rollover_s)
    quarter = (span.end_ns - span.begin_ns) // 4
    instants = [span.begin_ns + n * quarter for n in (1, 2, 3)]
    needs = [one for line in lines for one in _planned(repo, line, settings or {})]
    view = View(tuple(repo.settings.collections))
    return repo.butler.tonight(PlannedNight(repo.instrument, day, instants, needs), view)


def read_plan(path: Path) -> tuple[list[dict[str, Any]], str | None]:
    """Read the plan of a night: its lines, and the night if it says so.

    Raises
    ------
    UserError
        If it cannot be read, or is empty.
    UnknownName
        If it has unknown fields; all are named.
    """
    if not path.is_file():
        raise UserError(f"there is no plan {path}", fix=f"write it, for example: {_PLAN}")
    text = path.read_text(encoding="utf-8")
    night = None
    if path.suffix.lower() == ".csv":
        content: Any = [
            {key: value for key, value in row.items() if value} for row in csv.DictReader(text.splitlines())
        ]
    else:
        content = _yaml(path, text)
    if isinstance(content, dict):
        night = None if content.get("night") is None else str(content["night"])
        content = content.get("exposures")
    if not isinstance(content, list) or not content or not all(isinstance(line, dict) for line in content):
        raise UserError(f"{path} is no plan: it wants a list of exposures", fix=f"write, for example: {_PLAN}")
    unknown = sorted({str(name) for line in content for name in line} - set(_KNOWN))
    if unknown:
        raise UnknownName(kind="field of a plan", name=", ".join(unknown), known=_KNOWN)
    return content, night


def _yaml(path: Path, text: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not YAML: {error}", fix=f"write, for example: {_PLAN}") from error


def _planned(repo: Repo, line: Mapping[str, Any], settings: Mapping[str, Any]) -> list[Planned]:
    """Return what the detectors need for one line of a plan."""
    from isrflow.makers.recipes import prefix_of

    recipe = recipe_for(repo.camera, repo.settings.recipe, settings)
    kind = str(line.get("type", "science"))
    if kind not in {"science", *COMBINED}:
        raise UnknownName(kind="type of exposure", name=kind, known=["science", *COMBINED])
    if kind in COMBINED:
        recipe = prefix_of(recipe, kind)
    through = None if line.get("filter") in {None, ""} else str(line["filter"])
    known = [one.name for one in repo.camera.filters]
    if through is not None and through not in known:
        raise UnknownName(kind="physical filter", name=through, known=known)
    if through is None and kind in {"science", "flat"}:
        raise UserError(f"a {kind} exposure of the plan names no filter; there is {', '.join(known)}")
    numbers = _detectors(repo, line.get("detectors"))
    mode = line.get("readout_mode") or {}
    if not isinstance(mode, dict):
        raise UserError(f"readout_mode '{mode}' of the plan is no mapping", fix="readout_mode: {binning: 2}, in YAML")
    return [
        Planned(
            through,
            number,
            {CAMERA: True, **recipe.needs(repo.camera.detector(number), through, bands_are_spelled=True)},
            kind,
            mode,
        )
        for number in numbers
    ]


def _detectors(repo: Repo, given: Any) -> list[int]:
    if not isinstance(given, list) and given in {None, ""}:
        return [one.id for one in repo.camera.detectors]
    names = given if isinstance(given, list) else str(given).replace(";", " ").split()
    return [repo.camera.detector(int(name) if str(name).isdecimal() else str(name)).id for name in names]


def _exposures(repo: Repo, nights: str) -> list[ExposureRecord]:
    science = "obs_type = 'science'"
    if not nights:
        latest = repo.butler.exposures(science, order_by=("-day_obs",))
        days = sorted({one.day_obs for one in latest})[-DEFAULT_NIGHTS:]
        found = [one for one in latest if one.day_obs in set(days)]
    elif _DAYS.fullmatch(nights):
        span = "..".join(str(parse_day(day)) for day in nights.split(".."))
        found = repo.butler.exposures(f"{science} and day_obs in ({span})")
    else:
        found = [one for one in repo.butler.exposures(nights) if one.obs_type == "science"]
    if not found:
        raise UserError(
            f"there are no science exposures{f' of {nights}' if nights else ''}", fix="isrflow query exposures"
        )
    return sorted(found, key=lambda one: (one.day_obs, one.id))


def _view(repo: Repo, collections: Sequence[str], context: str | None, as_of: str | None) -> View:
    if context is not None:
        return View(context=context)
    seq = None if as_of is None else repo.butler.seq_of(as_of)
    return View(tuple(collections) or tuple(repo.settings.collections), as_of=seq)


def _all_types(repo: Repo, settings: Mapping[str, Any] | None) -> list[str]:
    recipe = recipe_for(repo.camera, repo.settings.recipe, settings or {})
    filters = [None, *(one.name for one in repo.camera.filters)]
    detectors = repo.camera.detectors
    found = {name for d in detectors for f in filters for name in recipe.needs(d, f, bands_are_spelled=True)}
    return [CAMERA, *sorted(found)]


def _only(wants: Sequence[Want], types: Sequence[str]) -> list[Want]:
    known = {name for want in wants for name in want.types}
    unknown = [name for name in types if name not in known]
    if unknown:
        raise UnknownName(kind="type that the recipe uses", name=", ".join(unknown), known=sorted(known))
    return [Want(want.data_ids, {name: want.types[name] for name in types if name in want.types}) for want in wants]
