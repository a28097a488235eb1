"""The calibrations that raws need, found in one set-based resolution for all of them; and what follows if some lack."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING

from flows.outcome import BY_POLICY
from flows.repo import Repo
from isrflow.errors import ConfigError
from isrflow.quantum.types import CAMERA
from registry.refs import DataId, QuantumSpec

if TYPE_CHECKING:
    from isrflow.steps.recipe_base import Recipe
    from registry.resolution import Resolution


def resolve_all(
    repo: Repo, data_ids: Sequence[DataId], recipe: Recipe, collections: Sequence[str], context: str | None = None
) -> list[Resolution]:
    """Resolve what a recipe needs, in one query for all raws that need the same kinds of calibration.

    A frozen context takes the place of the collections.
    """
    where = () if context is not None else collections
    filters = _filters_that_matter(repo, data_ids, recipe)

    @cache
    def needs(number: int, physical_filter: str | None) -> tuple[tuple[str, bool], ...]:
        found = recipe.needs(repo.camera.detector(number), physical_filter, bands_are_spelled=True)
        return ((CAMERA, True), *sorted(found.items()))

    groups: dict[tuple[tuple[str, bool], ...], list[DataId]] = defaultdict(list)
    for data_id in data_ids:
        assert data_id.detector is not None
        groups[needs(data_id.detector, filters.get(data_id.exposure))].append(data_id)
    return [repo.butler.resolve(some, dict(types), where, context=context) for types, some in groups.items()]


def _filters_that_matter(repo: Repo, data_ids: Sequence[DataId], recipe: Recipe) -> dict[int | None, str | None]:
    """Return exposure to filter, in one query; nothing is asked if the recipe needs the same in all filters."""
    detector = repo.camera.detectors[0]
    names = (None, *(each.name for each in repo.camera.filters))
    needs = [recipe.needs(detector, each, bands_are_spelled=True) for each in names]
    numbers = [data_id.exposure for data_id in data_ids if data_id.exposure is not None]
    if not numbers or all(each == needs[0] for each in needs):
        return {}
    records = repo.butler.exposures(f"exposure >= {min(numbers)} and exposure <= {max(numbers)}")
    return {record.id: record.physical_filter for record in records}


def what_lacks(resolutions: Sequence[Resolution]) -> dict[DataId, str]:
    """Return what each data id lacks, of what is required, in one line; it says so if a policy lets it be at that."""
    found: dict[DataId, list[str]] = defaultdict(list)
    loud: set[DataId] = set()
    for resolution in resolutions:
        for item in resolution.missing:
            if item.required:
                found[item.data_id].append(f"no {item.type}: {item.detail}")
                loud |= set() if item.is_quiet else {item.data_id}
        for data_id, reason in _gone(resolution):
            found[data_id].append(reason)
            loud.add(data_id)
    return {id_: ("" if id_ in loud else BY_POLICY) + "; ".join(reasons) for id_, reasons in found.items()}


def _gone(resolution: Resolution) -> Iterator[tuple[DataId, str]]:
    """Yield the data ids whose calibration was there as of then, but can be read no more."""
    for data_id, found in resolution.matches.items():
        for name, match in found.items():
            if match.ref.status != "LIVE":
                yield data_id, f"no {name}: the file of {match.ref.short} is gone ({match.ref.status})"


def cannot_be_waived(recipe: Recipe, resolutions: Sequence[Resolution]) -> dict[DataId, str]:
    """Return what a policy would do without, but the recipe cannot: other steps depend on those that would be off."""
    lacking: dict[DataId, list[str]] = defaultdict(list)
    for resolution in resolutions:
        for item in resolution.missing:
            if item.is_done_without:
                lacking[item.data_id].append(item.type)

    @cache
    def trouble(kinds: tuple[str, ...]) -> str:
        try:
            recipe.without(dict.fromkeys(step for kind in kinds for step in recipe.needed_by(kind)))
        except ConfigError as error:
            return f"this recipe cannot do without {', '.join(kinds)}: {error}"
        return ""

    return {data_id: why for data_id, kinds in lacking.items() if (why := trouble(tuple(sorted(kinds))))}


def missing_report(resolutions: Sequence[Resolution]) -> str:
    """Return all that is required and missing as text; empty if nothing is."""
    told = [item.missing_report() for item in resolutions]
    gone = sorted({reason for item in resolutions for _, reason in _gone(item)})
    return "\n".join(filter(None, (*told, *gone)))


def policy_report(resolutions: Sequence[Resolution]) -> str:
    """Return what policies did where calibrations were missing, as text; empty if nothing."""
    return "\n".join(note for item in resolutions for note in item.notes())


def warnings_of(specs: Sequence[QuantumSpec]) -> tuple[str, ...]:
    """Return the warnings of calibrations, each once; fallbacks are told by `policy_report`."""
    found = {match.warning for spec in specs for _, match in spec.calibs if match.warning and match.kind != "nearest"}
    return tuple(sorted(found))


def count_fallbacks(specs: Sequence[QuantumSpec]) -> int:
    """Return how many calibrations are not valid, but the nearest there is."""
    return sum(match.kind == "nearest" for spec in specs for _, match in spec.calibs)
