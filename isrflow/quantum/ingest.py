"""Raw files to registry rows: which exposure of which detector each file is, or why it cannot be taken.

All files are looked at before anything is stored, and all refusals come back together.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isrflow.errors import IsrflowError
from registry.dimensions import ExposureRecord
from registry.refs import DataId

if TYPE_CHECKING:
    from isrflow.frame.camera import Camera
    from isrflow.frame.obs import Observation

Corrections = Callable[[DataId], Mapping[str, Any]]
_READERS = 4  # reading and summing bytes both leave the interpreter alone


def _no_corrections(_data_id: DataId) -> Mapping[str, Any]:
    """Correct nothing."""
    return {}


@dataclass(frozen=True, slots=True)
class RawFile:
    """A file that can be ingested."""

    path: Path
    record: ExposureRecord
    data_id: DataId
    content_sha256: str


@dataclass(frozen=True, slots=True)
class BadFile:
    """A file that cannot, and why."""

    path: Path
    kind: str
    """Class of the error."""
    reason: str


def inspect_files(
    paths: Sequence[Path],
    camera: Camera,
    on_file: Callable[[Path], None] | None = None,
    *,
    corrections: Corrections = _no_corrections,
) -> tuple[list[RawFile], list[BadFile]]:
    """Look at raw files of a camera: their bytes against their checksums, size, headers, and each other.

    Parameters
    ----------
    paths
        Files.
    camera
        The repository's; a file of another instrument is refused.
    on_file
        Called with each path when it has been looked at.
    corrections
        Gives the cards that were corrected of an exposure on a detector; they hold at every ingestion.

    Returns
    -------
    tuple
        Those that can be ingested, in the order of `paths` (of several identical copies the first), and the others.
    """
    good: list[RawFile] = []
    bad: list[BadFile] = []
    with ThreadPoolExecutor(_READERS) as readers:
        for path, found in zip(
            paths, readers.map(lambda path: _inspect(path, camera, corrections), paths), strict=True
        ):
            if isinstance(found, RawFile):
                good.append(found)
            else:
                bad.append(found)
            if on_file is not None:
                on_file(path)
    good, twice = _without_rivals(good)
    good, contradictory = _without_contradictions(good)
    return good, bad + twice + contradictory


def exposure_record(obs: Observation) -> ExposureRecord:
    """Return the registry's row of an exposure whose header had all that is required."""
    assert obs.exposure_id is not None
    assert obs.begin_tai_ns is not None
    assert obs.end_tai_ns is not None
    assert obs.day_obs is not None
    return ExposureRecord(
        instrument=obs.instrument,
        id=obs.exposure_id,
        obs_id=obs.obs_id,
        day_obs=obs.day_obs,
        seq_num=obs.seq_num or 0,
        physical_filter=obs.physical_filter,
        obs_type=obs.obs_type,
        object_name=obs.object_name,
        begin_ns=obs.begin_tai_ns,
        end_ns=obs.end_tai_ns,
        exposure_time_s=obs.exposure_time_s,
        dark_time_s=None if math.isnan(obs.dark_time_s) else obs.dark_time_s,
        ra_deg=obs.ra_deg,
        dec_deg=obs.dec_deg,
        readout_mode=dict(obs.readout_mode),
    )


def unlisted_filter(record: ExposureRecord, camera: Camera) -> str | None:
    """Say through which filter an exposure was taken that the camera does not have; None if it has it."""
    if record.physical_filter is None or not camera.filters or camera.band_of(record.physical_filter) is not None:
        return None
    known = ", ".join(item.name for item in camera.filters)
    return f"through filter {record.physical_filter!r}, which camera {camera.name} does not list (it has {known})"


def _inspect(path: Path, camera: Camera, corrections: Corrections) -> RawFile | BadFile:
    from isrflow.frame.content import content_sha256
    from isrflow.frame.corrected import corrected
    from isrflow.frame.headers import observation_from_header
    from isrflow.frame.raw import inspect_raw

    try:
        summary = inspect_raw(path, [camera])
        record = exposure_record(summary.obs)
        cards = corrections(DataId(camera.name, record.id, summary.detector.id))
        if cards:  # which exposure and detector it is no correction changes
            header = corrected(summary.header, cards)
            record = exposure_record(observation_from_header(header, camera, where=str(path)))
        digest = content_sha256(path)  # here, where several files are looked at side by side
    except (IsrflowError, OSError, ValueError) as error:
        return BadFile(path, type(error).__name__, getattr(error, "message", str(error)))
    reason = unlisted_filter(record, camera)
    if reason is not None:
        return BadFile(path, "HeaderError", f"{path} was taken {reason}")
    return RawFile(path, record, DataId(camera.name, record.id, summary.detector.id), digest)


def _without_rivals(files: Iterable[RawFile]) -> tuple[list[RawFile], list[BadFile]]:
    """Keep one of several identical copies of an exposure; refuse all that claim to be the same one and differ."""
    groups: dict[DataId, list[RawFile]] = {}
    for file in files:
        groups.setdefault(file.data_id, []).append(file)
    kept, refused = [], []
    for group in groups.values():
        if len(group) == 1 or len({_sha256(file.path) for file in group}) == 1:
            kept.append(group[0])
            continue
        names = ", ".join(str(file.path) for file in group)
        reason = f"several different files say they are {group[0].data_id}: {names}"
        refused += [BadFile(file.path, "ConflictError", reason) for file in group]
    return kept, refused


def _without_contradictions(files: Iterable[RawFile]) -> tuple[list[RawFile], list[BadFile]]:
    """Refuse the files of an exposure whose headers do not agree on what exposure it was."""
    groups: dict[int, list[RawFile]] = {}
    for file in files:
        groups.setdefault(file.record.id, []).append(file)
    kept, refused = [], []
    for group in groups.values():
        differing = [name.name for name in fields(ExposureRecord) if _differ(group, name.name)]
        if not differing:
            kept += group
            continue
        values = "; ".join(f"{name}: {', '.join(map(str, _values(group, name)))}" for name in differing)
        reason = f"the files of exposure {group[0].record.id} disagree on {values}"
        refused += [BadFile(file.path, "HeaderError", f"{file.path}: {reason}") for file in group]
    return kept, refused


def _differ(group: Sequence[RawFile], name: str) -> bool:
    return len(_values(group, name)) > 1


def _values(group: Sequence[RawFile], name: str) -> list[object]:
    values: list[object] = []
    for file in group:
        value = getattr(file.record, name)
        if value not in values:
            values.append(value)
    return values


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
