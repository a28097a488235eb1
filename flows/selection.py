"""Which exposures, detectors and datasets people mean: by number, (short) id or run, or by a query."""

from __future__ import annotations

from collections.abc import Sequence

from flows.repo import Repo
from isrflow.quantum.types import RAW
from registry.dimensions import ExposureRecord
from registry.errors import QuerySyntaxError, UnknownName, UserError
from registry.refs import DataId, DatasetRef

_SHORTEST_ID = 4


def select_targets(
    repo: Repo, exposures: Sequence[int] = (), detectors: Sequence[str] = (), where: str = ""
) -> list[DataId]:
    """Return what is meant: exposures on some detectors, or whole exposures.

    Parameters
    ----------
    exposures
        Ids of exposures.
    detectors
        Ids or names of detectors; all if none is given.
    where
        A query. If it asks for detectors, the raws it selects are meant, else whole exposures.

    Raises
    ------
    UserError
        If nothing is named, or a query selects nothing.
    QuerySyntaxError
        If the query cannot be read.
    GeometryError
        If the camera has no such detector.
    """
    numbers = [repo.camera.detector(int(one) if one.isdecimal() else one).id for one in detectors]
    if bool(exposures) == bool(where.strip()):
        raise UserError("name exposures by their ids, or by --where, one of both", fix="isrflow query exposures")
    targets = [DataId(repo.instrument, number) for number in exposures] if exposures else _queried(repo, where)
    if not targets:
        raise UserError(f"nothing is selected by {where}", fix=f'isrflow query exposures "{where}"')
    if not numbers:
        return targets
    if any(one.detector is not None for one in targets):
        raise UserError("detectors are named twice, by --detector and in --where", fix="leave out --detector")
    return [DataId(one.instrument, one.exposure, number) for one in targets for number in numbers]


def raws_of_exposures(repo: Repo, exposures: Sequence[int]) -> list[DatasetRef]:
    """Return the raws of exposures, on all detectors."""
    wanted = set(exposures)
    found = repo.butler.datasets(f"exposure >= {min(wanted)} and exposure <= {max(wanted)}", type=RAW)
    return [ref for ref in found if ref.data_id.exposure in wanted]


def records_of(repo: Repo, exposures: Sequence[int]) -> dict[int, ExposureRecord]:
    """Return the registered properties of exposures, by id."""
    wanted = set(exposures)
    found = repo.butler.exposures(f"exposure >= {min(wanted)} and exposure <= {max(wanted)}")
    return {record.id: record for record in found if record.id in wanted}


def _queried(repo: Repo, where: str) -> list[DataId]:
    try:
        return [DataId(record.instrument, record.id) for record in repo.butler.exposures(where)]
    except QuerySyntaxError:  # exposures have no detector to ask for; raws have
        return [ref.data_id for ref in repo.butler.datasets(where, type=RAW)]


def find_datasets(
    repo: Repo, what: Sequence[str], types: Sequence[str] | None = None, *, status: str = "status != 'STAGED'"
) -> list[DatasetRef]:
    """Return what runs hold and ids name, each once.

    Parameters
    ----------
    what
        Names of runs, and (short) ids.
    types
        Of what runs hold, only these types of calibrations.
    status
        Of what runs hold, only what fulfils this condition.

    Raises
    ------
    UserError
        If a run holds nothing of this kind.
    UnknownName, AmbiguousId
        If something is neither a run nor an id, or an id is that of several datasets.
    """
    runs = {row.name for row in repo.butler.collections() if row.kind == "RUN"}
    refs: list[DatasetRef] = []
    for text in what:
        if text in runs:
            found = repo.butler.datasets(status, type=types, collections=[text])
            if not found:
                what_kind = "nothing" if types is None else "no calibrations"
                raise UserError(f"run {text} holds {what_kind}", fix=f"isrflow query datasets \"run = '{text}'\"")
            refs += found
        elif len(text) >= _SHORTEST_ID and not set(text.lower()) - set("0123456789abcdef-"):
            refs.append(repo.butler.resolve_id(text))
        else:
            raise UnknownName(kind="run", name=text, known=sorted(runs), fix="isrflow query collections")
    return list({ref.id: ref for ref in refs}.values())
