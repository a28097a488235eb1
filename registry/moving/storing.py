"""Files of a package into the datastore: under their final names before any row says so.

A process that is killed here leaves files that no row names. The next import of the same package finds them, byte for
byte what they shall be, and uses them; `verify` lists them until then.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from uuid import UUID

from registry.datastore.base import Fingerprint, temporary_name
from registry.datastore.paths import dataset_path
from registry.errors import TransferError
from registry.moving.incoming import Incoming, batches, dataset_of, exposure_of
from registry.moving.package import Package
from registry.presence import registered
from registry.repository import Repository
from registry.sql.datasets import refs_by_uuid


def store_files(repository: Repository, package: Package) -> int:
    """Store the files of all datasets that are new, or whose files are missing; return how many there were.

    Raises
    ------
    TransferError
        If a file cannot be written, or is not what it was when the package was checked.
    """
    days: dict[tuple[str, int], int] = {}
    stored = 0
    for is_, records in batches(package):
        if is_ == "exposure":
            days |= {(e.instrument, e.id): e.day_obs for e in map(exposure_of, records)}
        if is_ != "dataset":
            continue
        found = [each for each in map(dataset_of, records) if each.file]
        with repository.reading() as connection:
            known = refs_by_uuid(connection, [each.ref.id for each in found])
        for each in found:
            if is_wanted(each, known):
                _store(repository, package, each, path_of(each, days))
                stored += 1
    return stored


def is_wanted(each: Incoming, known: Mapping[UUID, object]) -> bool:
    """Say whether the file of a dataset is needed here: it is new, or its file is missing."""
    old = known.get(each.ref.id)
    return each.file and (old is None or getattr(old, "status", "") == "MISSING")


def path_of(each: Incoming, days: Mapping[tuple[str, int], int]) -> str:
    """Return where the file of a dataset stands here; a package has no say in it."""
    ref = each.ref
    day = days.get((ref.data_id.instrument, ref.data_id.exposure)) if ref.data_id.exposure is not None else None
    names = {"id": ref.id, "type": ref.type, "run": ref.run, "data_id": ref.data_id}
    return dataset_path(**names, day_obs=day, extension=each.extension)  # type: ignore[arg-type]


def _store(repository: Repository, package: Package, each: Incoming, path: str) -> None:
    store, expected = repository.store, registered(each.ref)
    try:
        if store.size(path) is not None:
            if store.fingerprint(path) == expected:
                return
            store.quarantine(path)
        temporary = temporary_name(path, "import")
        store.delete(temporary)
        written = store.stage(temporary, partial(_copy, package, each.file_name))
        _refuse_other(each, written, expected)
        try:
            store.publish({temporary: path})
        except FileExistsError:
            store.delete(temporary)
            _refuse_other(each, store.fingerprint(path), expected)
    except OSError as problem:
        if isinstance(problem, TransferError):
            raise
        message = f"the file of {each.ref} could not be stored: {problem}; no row was written"
        raise TransferError(message, path=path, fix="free or mend the disk, then run the import again") from problem


def _copy(package: Package, name: str, target: Path) -> None:
    with package.reading(name) as source, target.open("xb") as stream:
        shutil.copyfileobj(source, stream, 2**20)


def _refuse_other(each: Incoming, found: Fingerprint, expected: Fingerprint) -> None:
    if found != expected:
        message = f"the file of {each.ref} changed while it was being stored; no row was written"
        raise TransferError(message, path=each.file_name, fix="run the import again")
