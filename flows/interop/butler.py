"""An `lsst.daf.butler` repository brought into one of ours, in one call."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from flows.interop.bring import bring
from flows.interop.butler_read import Wanted, read_butler
from flows.interop.report import BroughtReport
from flows.outcome import OnProgress
from flows.repo import Repo
from isrflow.quantum.formatters import formatters_for
from registry.errors import UserError
from registry.ingest import Transfer


def bring_butler(
    repo: Repo,
    repository: str,
    collections: Sequence[str],
    *,
    where: str = "",
    type_names: Iterable[str] = (),
    collection_names: Iterable[str] = (),
    transfer: Transfer = "direct",
    dry_run: bool = False,
    on_progress: OnProgress | None = None,
) -> BroughtReport:
    """Bring in datasets, collections and validity.

    Parameters
    ----------
    repo
        Ours.
    repository
        Directory or alias of the butler repository; it is only read.
    collections
        Names or patterns there; chains come with all that they search.
    where
        Which exposures, in butler's own language.
    type_names, collection_names
        ``THERE=HERE`` each, for what is called otherwise here.
    transfer, dry_run, on_progress
        See `flows.interop.bring.bring`.

    Raises
    ------
    UnavailableError
        If `lsst-daf-butler` is not installed, or there is no such repository.
    ConflictError
        If anything there contradicts what is here; everything that does is listed, and nothing is stored.
    UserError
        If a collection does not exist there, or the condition is not one, or a pair of names is none.
    """
    types = repo.butler.dataset_types()
    wanted = Wanted(collections, types, where, _pairs(type_names), _pairs(collection_names))
    unknown = sorted(set(wanted.type_names.values()) - set(types))
    if unknown:
        raise UserError(f"there is no dataset type {', '.join(unknown)} here", fix=f"one of {', '.join(sorted(types))}")
    formatters = formatters_for(lambda: repo.camera, repo.settings.product_compression)
    contents = read_butler(repository, wanted)
    return bring(repo.butler, contents, formatters, transfer=transfer, dry_run=dry_run, on_progress=on_progress)


def _pairs(texts: Iterable[str]) -> dict[str, str]:
    """Read THERE=HERE."""
    pairs = {}
    for text in texts:
        there, sign, here = text.partition("=")
        if not (there and sign and here):
            raise UserError(f"'{text}' does not say what is called how here", fix="--type cpBias=bias")
        pairs[there] = here
    return pairs
