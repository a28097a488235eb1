"""Publishing: files first, durably; then one transaction that makes all outputs of a piece of work visible.

The phases, each safe to be killed in (`registry.recover` explains and mends what is left behind):

1. `claim`: datasets STAGED and journal rows that say where their files will be;
2. `seal`: files written under temporary names, flushed, hashed; size and hashes go into the journal;
3. `move`: final names, never replacing;
4. `settle`: one transaction: files recorded, datasets LIVE, quantum done, journal empty again.

Only the last commit is flushed to the disk. If a power cut takes the first two, a file without a row is left: `verify`
lists it, and a re-run that comes to the same name takes its place or sets it aside.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

from registry.canonical import canonical_json
from registry.datastore.base import Datastore, temporary_name
from registry.errors import ConflictError, RegistryError, TransferError
from registry.outputs import Output, output_paths, outputs_of
from registry.owner import process_token
from registry.refs import DataId, DatasetRef
from registry.refusals import refuse_busy, refuse_deleting, refuse_other_content, refuse_unleased
from registry.repository import Repository
from registry.sql import journal, leases
from registry.sql.datasets import dataset_rows, insert_datasets, refs_by_uuid, set_status, stage_datasets
from registry.sql.events import append_event
from registry.sql.journal import Entry, Sealed
from registry.sql.notes import unmark
from registry.times import SECOND_NS, now_ns

if TYPE_CHECKING:
    from sqlalchemy import Connection

_OWN_COLUMNS = ("seconds", "cpu_s", "peak_rss_bytes")
"""Metrics of an attempt that have a column; any others are kept as JSON."""


@dataclass(frozen=True, slots=True)
class Work:
    """The quantum that makes the outputs, and who has it leased."""

    quantum_id: int
    worker: str
    metrics: Mapping[str, Any]


def publish(
    repository: Repository,
    values: Mapping[str, object],
    *,
    run: str,
    data_id: DataId,
    work: Work | None = None,
    source: str | None = None,
) -> list[DatasetRef]:
    """Publish the outputs of a piece of work, all or none.

    What was published before with the same content is accepted, so that a repetition is harmless.

    Parameters
    ----------
    repository
        Where.
    values
        Values by dataset type.
    run
        The RUN collection that will own them.
    data_id
        What the work is about; each dataset keeps those dimensions that its type has.
    work
        The quantum to be marked done in the same transaction, if there is one.
    source
        Where the values come from, if no quantum made them; an event in the same transaction keeps it.

    Raises
    ------
    ConflictError
        If a dataset was published before with other content, or is being written by a living process, or the quantum
        is no longer leased by this worker.
    UnknownName
        If a dataset type, run, dimension or format is not known.
    TransferError
        If a file cannot be written.
    """
    return publish_outputs(repository, outputs_of(repository, values, run, data_id), work=work, source=source)


def publish_outputs(
    repository: Repository, outputs: Sequence[Output], *, work: Work | None = None, source: str | None = None
) -> list[DatasetRef]:
    """Run the four phases; what goes wrong in a living process is tidied up at once."""
    entries = claim(repository, outputs, work)
    try:
        entries = seal(repository, entries, outputs, work)
        refuse_other_content(entries)
        with _disk_trouble(", ".join(entry.final_path for entry in entries)):
            move(repository.store, entries)
        settle(repository, entries, work, source=source)
    except BaseException:
        # If this cannot be done either (the disk is full, the database locked), `recover` will find it.
        with suppress(RegistryError, OSError):
            discard(repository, entries)
        raise
    return _published(repository, outputs, entries)


def claim(repository: Repository, outputs: Sequence[Output], work: Work | None = None) -> list[Entry]:
    """Phase 1: announce the datasets and where their files will be.

    Raises
    ------
    ConflictError
        If a living process is writing one of them, or the quantum is leased by somebody else.
    """
    try:
        with repository.writing(shared=True) as connection:
            entries = _claim_new(connection, repository, outputs, work)
    except ConflictError:
        entries = None  # somebody was quicker, perhaps: alone, with all that is there in sight, it is said who
    if entries is not None:
        return entries
    with repository.writing() as connection:
        return _claim_any(connection, repository, outputs, work)


def _claim_new(
    connection: Connection, repository: Repository, outputs: Sequence[Output], work: Work | None
) -> list[Entry] | None:
    """Announce datasets that were never heard of, in few questions; None, with nothing done, if any was."""
    refs = [output.ref for output in outputs]
    if not refs or dataset_rows(connection, [ref.id for ref in refs]):
        return None
    if work is not None:
        refuse_unleased(connection, work.quantum_id, work.worker)
    values, days = repository.familiar.identify(connection, refs)
    rows = stage_datasets(connection, refs, values)
    return journal.announce(connection, refs, _announced(outputs, rows, days, work))


def _claim_any(
    connection: Connection, repository: Repository, outputs: Sequence[Output], work: Work | None
) -> list[Entry]:
    """Announce datasets of which some may be there, or left by a dead process."""
    refs = [output.ref for output in outputs]
    if work is not None:
        refuse_unleased(connection, work.quantum_id, work.worker)
    values, days = repository.familiar.identify(connection, refs)
    known = refs_by_uuid(connection, [ref.id for ref in refs])
    refuse_deleting(known.values())
    # Whose file has vanished is made again, even if nobody has noticed yet.
    set_status(connection, [ref.id for ref in known.values() if _has_vanished(repository, ref)], "MISSING")
    rows = dataset_rows(connection, known)
    rows |= insert_datasets(connection, [ref for ref in refs if ref.id not in known], values)
    left = journal.entries(connection, [rows[id_] for id_ in known])
    refuse_busy(left)
    for entry in left:
        repository.store.delete(entry.tmp_path)
    journal.open_entries(connection, _announced(outputs, rows, days, work))
    of_row = {entry.dataset_id: entry for entry in journal.entries(connection, list(rows.values()))}
    return [of_row[rows[ref.id]] for ref in refs]


def _announced(
    outputs: Sequence[Output], rows: Mapping[UUID, int], days: Mapping[DataId, int], work: Work | None
) -> list[dict[str, Any]]:
    """Return what the journal keeps of outputs before they are written."""
    now = now_ns()
    common = {
        "quantum_id": None if work is None else work.quantum_id,
        "owner": process_token(),
        "created_ns": now,
        "lease_until_ns": now + journal.LEASE_S * SECOND_NS,
    }
    return [
        common
        | {"dataset_id": rows[output.ref.id], "role": output.ref.type, "final_path": path}
        | {"tmp_path": temporary_name(path, secrets.token_hex(4))}
        for output, path in zip(outputs, output_paths(outputs, days), strict=True)
    ]


def seal(
    repository: Repository, entries: Sequence[Entry], outputs: Sequence[Output], work: Work | None = None
) -> list[Entry]:
    """Phase 2: write the files under their temporary names, and what they are into the journal."""
    sealed = {
        entry.tmp_path: _stage(repository.store, entry, output) for entry, output in zip(entries, outputs, strict=True)
    }
    with repository.writing(shared=True) as connection:
        journal.seal(connection, entries, sealed, None if work is None else canonical_json(work.metrics))
    return [_sealed(entry, sealed[entry.tmp_path]) for entry in entries]


def move(store: Datastore, entries: Sequence[Entry]) -> None:
    """Phase 3: give sealed files their final names.

    The journal says that the names are ours. A file that stands there all the same was left by a crash: the same
    bytes are replaced by ours, other ones are set aside.
    """
    waiting = {entry.tmp_path: entry for entry in entries if entry.status != "LIVE"}
    for entry in entries:
        if entry.status == "LIVE":
            store.delete(entry.tmp_path)
    while waiting:
        for entry in waiting.values():
            _free_name(store, entry)
        with suppress(FileExistsError):  # somebody who lost his claim was quicker; look again
            store.publish({entry.tmp_path: entry.final_path for entry in waiting.values()})
        waiting = {tmp: entry for tmp, entry in waiting.items() if store.size(tmp) is not None}


def settle(
    repository: Repository, entries: Sequence[Entry], work: Work | None = None, *, source: str | None = None
) -> None:
    """Phase 4: make everything visible in one durable transaction.

    Raises
    ------
    ConflictError
        If a claim or the lease of the quantum was lost; nothing is visible then.
    """
    # What appends an event must be alone; what only makes new datasets visible need not wait for others that do.
    shared = source is None and all(entry.status == "STAGED" for entry in entries)
    with repository.writing(durable=True, shared=shared) as connection:
        journal.publish_entries(connection, entries)
        resurrect(connection, [entry.uuid for entry in entries if entry.status == "PURGED"], repository.actor)
        if work is not None:
            own = {name: work.metrics[name] for name in _OWN_COLUMNS if name in work.metrics}
            rest = {name: value for name, value in work.metrics.items() if name not in own}
            leases.finish(connection, work.quantum_id, work.worker, metrics=rest or None, **own)
        new = [entry for entry in entries if entry.status != "LIVE"] if source is not None else []
        for entry in new:
            payload = {"dataset": str(entry.uuid), "type": entry.type, "source": source}
            append_event(connection, "put", actor=repository.actor, payload=payload)


def discard(repository: Repository, entries: Sequence[Entry]) -> None:
    """Give up: remove the files of these claims and forget the datasets that were never published."""
    ours = {entry.tmp_path for entry in entries}
    for path in ours:
        repository.store.delete(path)  # first: on a full disk this makes room for the rest
    with repository.writing() as connection:
        held = [e for e in journal.entries(connection, [e.dataset_id for e in entries]) if e.tmp_path in ours]
        for entry in held:
            # While the journal row is ours nobody else may stand at that name.
            if entry.status != "LIVE" and is_at(repository.store, entry.final_path, entry):
                repository.store.delete(entry.final_path)
        journal.drop_entries(connection, held)


def forget_abandoned(repository: Repository, ids: Sequence[UUID]) -> None:
    """Clear away what dead processes left of these datasets; `ConflictError` if a living one is writing them."""
    ours = set(ids)
    with repository.reading() as connection:
        left = [entry for entry in journal.entries(connection) if entry.uuid in ours]  # the journal is short
    refuse_busy(left)
    if left:
        discard(repository, left)


def resurrect(connection: Connection, ids: Sequence[UUID], actor: str) -> None:
    """Take back the mark of datasets that were deleted, and are here again with the same content."""
    if ids:
        unmark(connection, ids, "deleted", actor=actor, reason="made again, with the same content")


def is_at(store: Datastore, path: str, entry: Entry) -> bool:
    """Say whether the file of a sealed entry is at a path, byte for byte."""
    expected = entry.fingerprint
    return expected is not None and store.size(path) == expected.size and store.fingerprint(path) == expected


def finished_work(entry: Entry, worker: str) -> Work | None:
    """Return the work that an entry of the journal belongs to, with the metrics that were handed over."""
    if entry.quantum_id is None:
        return None
    return Work(entry.quantum_id, worker, json.loads(entry.payload or "{}"))


def _published(repository: Repository, outputs: Sequence[Output], entries: Sequence[Entry]) -> list[DatasetRef]:
    """Return the refs as the registry has them now; what was accepted from before keeps its own file."""
    if any(entry.status != "STAGED" for entry in entries):
        with repository.reading() as connection:
            refs = refs_by_uuid(connection, [entry.uuid for entry in entries])
        return [refs[entry.uuid] for entry in entries]
    return [
        DatasetRef(o.ref.id, o.ref.type, o.ref.run, o.ref.data_id, e.sha256, e.content_sha256, e.size, e.final_path)
        for o, e in zip(outputs, entries, strict=True)
    ]


def _stage(store: Datastore, entry: Entry, output: Output) -> Sealed:
    content: list[str] = []
    with _disk_trouble(str(output.ref)):
        file = store.stage(entry.tmp_path, lambda path: content.append(output.write(path)))
    if output.expected not in {None, file}:
        store.delete(entry.tmp_path)
        raise TransferError(f"{output.ref}: the file changed while it was being stored; nothing was stored")
    return Sealed(file, content[0])


@contextmanager
def _disk_trouble(what: str) -> Iterator[None]:
    """Turn the system's errors about files into ours."""
    try:
        yield
    except OSError as problem:
        if isinstance(problem, RegistryError):
            raise
        message = f"{what} could not be written: {problem}"
        raise TransferError(message, path=problem.filename, fix="free or mend the disk, then run again") from problem


def _sealed(entry: Entry, sealed: Sealed) -> Entry:
    return replace(entry, size=sealed.file.size, sha256=sealed.file.sha256, content_sha256=sealed.content_sha256)


def _free_name(store: Datastore, entry: Entry) -> None:
    if store.size(entry.final_path) is None:
        return
    if is_at(store, entry.final_path, entry):
        store.delete(entry.final_path)
    else:
        store.quarantine(entry.final_path)


def _has_vanished(repository: Repository, ref: DatasetRef) -> bool:
    return ref.status == "LIVE" and ref.path is not None and repository.size_of(ref.path) is None
