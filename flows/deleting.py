"""Which datasets a command means, by id, by condition, or by run; and deleting them."""

from __future__ import annotations

from collections.abc import Sequence

from flows.repo import Repo
from registry.delete import DeletionReport
from registry.errors import UserError
from registry.refs import DatasetRef


def delete_datasets(
    repo: Repo,
    ids: Sequence[str] = (),
    *,
    where: str = "",
    run: str | None = None,
    reason: str,
    dry_run: bool = False,
) -> DeletionReport:
    """Delete datasets named in any of these ways, all or none.

    Raises
    ------
    UserError
        If nothing is named, or nothing fits.
    DeletionRefused
        If anything depends on any of them.
    """
    refs = chosen(repo, ids, where=where, run=run)
    return repo.butler.delete(refs, reason=reason, dry_run=dry_run)


def chosen(repo: Repo, ids: Sequence[str] = (), *, where: str = "", run: str | None = None) -> list[DatasetRef]:
    """Return the datasets that are meant, each once: those with these (short) ids, those that fit, those of a run.

    Raises
    ------
    UserError
        If nothing is named, or nothing fits.
    UnknownName, AmbiguousId
        If an id is of no dataset, or of several.
    """
    if not ids and not where and run is None:
        raise UserError("nothing is named", fix="isrflow delete DATASET..., or --where CONDITION, or --run RUN")
    refs = [repo.butler.resolve_id(text) for text in ids]
    if where:
        refs += repo.butler.datasets(where)
    if run is not None:
        refs += repo.butler.datasets("run = :run and status in ('live', 'missing', 'deleting')", bind={"run": run})
    if not refs:
        raise UserError("no dataset fits; nothing was deleted", fix="isrflow query datasets")
    return list({ref.id: ref for ref in refs}.values())
