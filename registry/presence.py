"""Whether the files of datasets are there: what the registry believes is compared with the disk.

A dataset whose file is gone is MISSING, so that nothing resolves to it; with its file back it is LIVE again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from registry.datastore.base import Fingerprint, file_fingerprint
from registry.refs import DatasetRef
from registry.repository import Repository
from registry.sql.datasets import set_status

_AT_ONCE = 16
"""Questions to a remote store at a time."""

Found = Mapping[DatasetRef, Fingerprint | None]
"""What is there for each dataset; None if nothing is."""


def look(repository: Repository, refs: Iterable[DatasetRef], *, rehash: bool = False) -> Found:
    """Look at the files of datasets.

    Parameters
    ----------
    repository
        Where.
    refs
        LIVE or MISSING datasets.
    rehash
        Read every file; without it only what was MISSING is read, and a file of the right size is believed.
    """
    these = list(refs)

    def one(ref: DatasetRef) -> Fingerprint | None:
        return _fingerprint(repository, ref, read=rehash or ref.status == "MISSING")

    if not repository.store.is_remote:
        return {ref: one(ref) for ref in these}
    with ThreadPoolExecutor(_AT_ONCE) as pool:  # an answer takes its time, whatever the question
        return dict(zip(these, pool.map(one, these), strict=True))


def record(repository: Repository, found: Found) -> None:
    """Let the registry know what was found; it costs nothing if that is what it believes."""
    gone = [ref.id for ref, file in found.items() if file is None and ref.status == "LIVE"]
    back = [ref.id for ref, file in found.items() if file == registered(ref) and ref.status == "MISSING"]
    if (gone or back) and not repository.read_only:
        with repository.writing(durable=True) as connection:
            set_status(connection, gone, "MISSING")
            set_status(connection, back, "LIVE")


def registered(ref: DatasetRef) -> Fingerprint:
    """Return what the file of a dataset was when it was stored."""
    return Fingerprint(ref.size or 0, str(ref.sha256))


def _fingerprint(repository: Repository, ref: DatasetRef, *, read: bool) -> Fingerprint | None:
    path = str(ref.path)
    size = repository.size_of(path)
    if size is None:
        return None
    if not read or size != ref.size:
        return Fingerprint(size, str(ref.sha256) if size == ref.size else "")
    return file_fingerprint(Path(path)) if path.startswith("/") else repository.store.fingerprint(path)
