"""Bringing raw files into a repository."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from flows.outcome import IngestReport, OnProgress, Progress, Refusal
from flows.repo import Repo, raw_run
from isrflow.quantum.ingest import BadFile, RawFile, inspect_files
from isrflow.quantum.types import RAW
from registry.butler import IngestItem
from registry.dimensions import ExposureRecord
from registry.errors import UserError
from registry.refs import DataId

Transfer = Literal["copy", "move", "link", "direct"]
_SUFFIXES = (".fits", ".fit", ".fts", ".fits.fz", ".fits.gz", ".fit.gz")


class IngestRefused(UserError):  # noqa: N818 - reads as what it is
    """Files were refused, so none of the call's files was stored.

    Parameters
    ----------
    refused
        All of them, with reasons.
    """

    def __init__(self, message: str = "", *, refused: Sequence[Refusal] = (), fix: str | None = None) -> None:
        super().__init__(message, fix=fix)
        self.refused = tuple(refused)


def ingest_paths(
    repo: Repo,
    paths: Sequence[Path],
    *,
    transfer: Transfer = "copy",
    skip_bad: bool = False,
    on_progress: OnProgress | None = None,
) -> IngestReport:
    """Bring raw files into the repository.

    Parameters
    ----------
    repo
        Of the files' instrument.
    paths
        Files, and folders to be searched for FITS files.
    transfer
        Copy them, move them, link to them, or leave them where they are and remember the path (``direct``).
    skip_bad
        Take the good files although others are refused.
    on_progress
        Told of every file looked at.

    Returns
    -------
    IngestReport
        Files that were there already, with the same bytes, are counted and left alone.

    Raises
    ------
    IngestRefused
        If a file is bad and not `skip_bad`; nothing is stored then, and all bad files are named.
    ConflictError
        If files say they are an exposure that is stored with other content; nothing is stored.
    """
    started = time.perf_counter()
    files = _files(paths)
    seen = 0

    def on_file(path: Path) -> None:
        nonlocal seen
        seen += 1
        if on_progress is not None:
            on_progress(Progress(seen, len(files), what=path.name))

    good, bad = inspect_files(files, repo.camera, on_file, corrections=_corrections(repo))
    refused = [_refusal(item) for item in bad]
    if refused and not skip_bad:
        raise _refused(refused, len(good))
    return _store(repo, good, refused, transfer, started)


def _store(
    repo: Repo, good: Sequence[RawFile], refused: Sequence[Refusal], transfer: Transfer, started: float
) -> IngestReport:
    run = raw_run(repo.instrument)
    records = {file.record.id: file.record for file in good}
    known = {record.id for record in repo.butler.exposures()} & set(records)
    n_new = n_known = 0
    # Files of known exposures first: only they can contradict what is stored, and then nothing new has been added yet.
    for is_known in (True, False):
        part = [item for item in good if (item.record.id in known) == is_known]
        if part:
            repo.butler.insert_exposures(list({item.record.id: item.record for item in part}.values()))
            items = [IngestItem(item.path, RAW, item.data_id, item.content_sha256) for item in part]
            result = repo.butler.ingest(items, run, transfer)
            n_new, n_known = n_new + len(result.refs), n_known + len(result.skipped)
    return IngestReport(
        run=run,
        n_ingested=n_new,
        n_already_there=n_known,
        n_exposures=len(records),
        nights=sorted({record.day_obs for record in records.values()}),
        refused=refused,
        seconds=time.perf_counter() - started,
        next_steps=_next_steps(records.values()),
    )


def _corrections(repo: Repo) -> Callable[[DataId], Mapping[str, Any]]:
    """Return what gives the corrected cards of a raw; those of its detector go before those of all detectors."""
    found: dict[DataId, dict[str, Any]] = {}
    for row in repo.butler.header_corrections():
        found.setdefault(row.data_id, {})[row.keyword] = row.value
    nothing: dict[str, Any] = {}

    def cards(data_id: DataId) -> Mapping[str, Any]:
        return {**found.get(replace(data_id, detector=None), nothing), **found.get(data_id, nothing)}

    return cards


def _files(paths: Sequence[Path]) -> list[Path]:
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise UserError(f"no such file or folder: {', '.join(missing)}")
    found = [file.absolute() for path in paths for file in (_in_folder(path) if path.is_dir() else [path])]
    if not found:
        raise UserError(
            f"no FITS files in {', '.join(str(path) for path in paths)} (looked for {', '.join(_SUFFIXES)})"
        )
    return list(dict.fromkeys(found))


def _in_folder(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.name.lower().endswith(_SUFFIXES) and path.is_file() and not path.name.startswith("."):
            yield path


def _refusal(file: BadFile) -> Refusal:
    return Refusal(file.path, file.kind, file.reason)


def _refused(refused: Sequence[Refusal], n_good: int) -> IngestRefused:
    lines = "\n".join(f"  {item.reason}" for item in refused)
    message = f"{len(refused)} of {n_good + len(refused)} files cannot be ingested, so nothing was stored:\n{lines}"
    fix = f"remove or replace them, or take the other {n_good} with --skip-bad" if n_good else None
    return IngestRefused(message, refused=refused, fix=fix)


def _next_steps(records: Iterable[ExposureRecord]) -> tuple[str, ...]:
    types: dict[int, set[str]] = {}
    for record in records:
        types.setdefault(record.day_obs, set()).add(record.obs_type)
    steps: list[str] = []
    for night, kinds in sorted(types.items()):
        buildable = [kind for kind in ("bias", "dark", "flat") if kind in kinds]
        if buildable:
            wanted = buildable + (["defects"] if {"dark", "flat"} & kinds else [])
            steps.append(f"isrflow calibs build {' '.join(wanted)} --night {night} --out calibs/{night}")
            steps.append(f"isrflow calibs certify calibs/{night} --begin {night}")
        if "science" in kinds:
            steps.append(f"isrflow night {night}")
    return tuple(steps)
