"""Questions in the words of the command line: runs and short ids become datasets, nights become data ids."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from flows.certify import span_of
from flows.plan import find_raws
from flows.repo import CALIBS, Repo
from flows.selection import find_datasets
from isrflow.quantum.config import recipe_for
from isrflow.quantum.types import CAMERA, RAW
from registry.errors import UnknownName, UserError
from registry.questions.impact import Impact
from registry.questions.whatif import View, Want, WhatIf
from registry.refs import DataId, DatasetRef
from registry.resolution import spell_data_ids
from registry.sql.supposed import Mode, Supposition
from registry.times import parse_day


def ask_impact(repo: Repo, what: Sequence[str]) -> Impact:
    """Say what was made with datasets, or with all that runs hold.

    Raises
    ------
    UnknownName, AmbiguousId
        If something is neither a run nor a (short) id.
    UserError
        If a run holds nothing.
    """
    return repo.butler.impact(find_datasets(repo, what))


def where_of(data_ids: Iterable[DataId]) -> str:
    """Write the query that selects exactly these exposures of detectors."""
    pairs = {(data_id.exposure or 0, data_id.detector or 0) for data_id in data_ids}
    by_exposure = [(some, list(key)) for key, some in _alike(pairs).items()]
    by_detector = [(list(key), some) for key, some in _alike((detector, one) for one, detector in pairs).items()]
    fewest = min(by_exposure, by_detector, key=len)  # never more than there are detectors: databases limit the depth
    return " or ".join(
        f"(exposure in ({', '.join(map(str, exposures))}) and detector in ({', '.join(map(str, numbers))}))"
        for exposures, numbers in fewest
    )


def _alike(pairs: Iterable[tuple[int, int]]) -> dict[tuple[int, ...], list[int]]:
    """Return those first members that have the same second ones, by these."""
    seconds: defaultdict[int, list[int]] = defaultdict(list)
    for first, second in sorted(pairs):
        seconds[first].append(second)
    alike: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
    for first, some in seconds.items():
        alike[tuple(some)].append(first)
    return alike


@dataclass(frozen=True)
class Supposed:
    """What `whatif` supposes: one of these."""

    context: str | None = None
    as_of: str | None = None
    replace: str | None = None
    """OLD=NEW: ids, or runs."""
    without: Sequence[str] = ()
    certify: Sequence[str] = ()
    begin: str | None = None
    end: str | None = None
    collection: str = CALIBS
    mode: Mode = "replace"


def ask_whatif(repo: Repo, target: str, supposed: Supposed, *, settings: Mapping[str, Any] | None = None) -> WhatIf:
    """Say what the quanta of a night, a run or a query would get, if.

    Parameters
    ----------
    target
        YYYYMMDD (its science exposures), the name of a run, or a query on exposures and detectors.
    supposed
        What is supposed. If nothing is, and the target is a run: what its quanta would get now.
    settings
        Recipe settings that decide which types are needed.

    Raises
    ------
    UserError
        If nothing is supposed, or several things at once; if the target selects nothing.
    UnknownName
        If a name does not exist.
    """
    collections = tuple(repo.settings.collections)
    now = View(collections)
    refs, of, run = _targets(repo, target)
    wants = wants_of(repo, [ref.data_id for ref in refs], settings)
    given = {
        "--context": supposed.context,
        "--as-of": supposed.as_of,
        "--replace": supposed.replace,
        "--without": supposed.without,
        "--certify": supposed.certify,
    }
    named = [name for name, value in given.items() if value]
    if not named and run is not None:
        return repo.butler.whatif_since(run, wants, now)
    if len(named) != 1:
        said = " and ".join(named) or "nothing"
        raise UserError(
            f"suppose one thing of {', '.join(given)}, not {said}", fix=f"isrflow whatif {target} --as-of T"
        )
    after, words = _supposed(repo, supposed, collections)
    return repo.butler.whatif(wants, now, after, supposed=words, of=of)


def wants_of(repo: Repo, data_ids: Sequence[DataId], settings: Mapping[str, Any] | None = None) -> list[Want]:
    """Return which types of calibration the recipe needs for raws, those that need the same together."""
    recipe = recipe_for(repo.camera, repo.settings.recipe, settings or {})
    numbers = sorted({data_id.exposure or 0 for data_id in data_ids})
    span = f"exposure >= {numbers[0]} and exposure <= {numbers[-1]}" if numbers else "exposure = 0"
    filters = {record.id: record.physical_filter for record in repo.butler.exposures(span)}

    @cache
    def needs(number: int, physical_filter: str | None) -> tuple[tuple[str, bool], ...]:
        found = recipe.needs(repo.camera.detector(number), physical_filter, bands_are_spelled=True)
        return ((CAMERA, True), *sorted(found.items()))

    groups: defaultdict[tuple[tuple[str, bool], ...], list[DataId]] = defaultdict(list)
    for data_id in dict.fromkeys(data_ids):
        groups[needs(data_id.detector or 0, filters.get(data_id.exposure or 0))].append(data_id)
    return [Want(some, dict(types)) for types, some in groups.items()]


def _targets(repo: Repo, target: str) -> tuple[list[DatasetRef], str, str | None]:
    """Return the raws that a night, a run or a query means, in words what they are, and the run if it is one."""
    if len(target) == 8 and target.isdecimal():
        day = parse_day(target)
        return find_raws(repo, f"day_obs = {day} and obs_type = 'science'"), f"night {day}", None
    runs = [row.name for row in repo.butler.collections() if row.kind == "RUN"]
    if target in runs:
        data_ids = {row.data_id for row in repo.butler.quanta(target) if row.data_id.exposure is not None}
        if not data_ids:
            raise UserError(f"run {target} holds no work on exposures", fix="isrflow query collections")
        return repo.butler.datasets(where_of(data_ids), type=RAW), f"run {target}", target
    if not set(target) & set(" =<>~("):  # no query is one word
        raise UnknownName(kind="night or run", name=target, known=runs, fix="isrflow query collections")
    refs = find_raws(repo, target)
    return refs, spell_data_ids(ref.data_id for ref in refs), None


def _supposed(repo: Repo, supposed: Supposed, collections: tuple[str, ...]) -> tuple[View, str]:
    """Return the standpoint that is supposed, and what is, in words."""
    if supposed.context is not None:
        return View(context=supposed.context), f"with context {supposed.context}"
    if supposed.as_of is not None:
        seq = repo.butler.seq_of(supposed.as_of)
        return View(collections, as_of=seq), f"as of event {seq}"
    suppose, words = _supposition(repo, supposed)
    return View(collections, suppose=suppose), words


def _supposition(repo: Repo, supposed: Supposed) -> tuple[Supposition, str]:
    kinds = [name for name, kind in repo.butler.dataset_types().items() if kind.is_calibration]
    if supposed.without:
        return repo.butler.suppose_without(find_datasets(repo, supposed.without, kinds)), (
            f"without {', '.join(supposed.without)}"
        )
    if supposed.replace is not None:
        old, sign, new = supposed.replace.partition("=")
        if not (sign and old and new):
            raise UserError(f"--replace wants OLD=NEW, not '{supposed.replace}'", fix="--replace 1a2b3c4d=5e6f7a8b")
        pair = [find_datasets(repo, [one], kinds) for one in (old, new)]
        return repo.butler.suppose_replaced(*pair), f"with {new} in place of {old}"
    refs = find_datasets(repo, supposed.certify, kinds)
    span = span_of(repo, supposed.begin, supposed.end)
    suppose = repo.butler.suppose_certified(supposed.collection, refs, span, mode=supposed.mode)
    return suppose, f"with {', '.join(supposed.certify)} certified {span} in {supposed.collection}"
