"""The words in which the registry speaks of datasets and of work; small frozen values, safe to pickle.

Dataset ids are UUIDs made from (run, type, data id): a re-run after a crash arrives at the same id.
"""

from __future__ import annotations

import platform as _platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args
from uuid import UUID, uuid5

from registry.canonical import canonical_json, sha256_json
from registry.dimensions import DIMENSIONS

NAMESPACE = UUID("8a5cc02e-5ec5-5b0e-9f0e-6d3f6c5b7a41")
"""Namespace of all predictable ids; changing it would orphan every repository."""

OnMissing = Literal["error", "skip", "optional"]
PolicyWord = Literal["error", "skip", "optional", "nearest"]
MatchKind = Literal["valid", "always", "nearest"]


@dataclass(frozen=True, slots=True)
class DataId:
    """What a dataset is about; a dimension that does not apply is None."""

    instrument: str
    exposure: int | None = None
    detector: int | None = None
    physical_filter: str | None = None

    @property
    def dimensions(self) -> tuple[str, ...]:
        """The dimensions that apply, in the order of `DIMENSIONS`."""
        return tuple(self.to_dict())

    def subset(self, dimensions: Sequence[str]) -> DataId:
        """Return the same data id without the dimensions that are not listed (the instrument stays)."""
        return DataId(
            self.instrument,
            self.exposure if "exposure" in dimensions else None,
            self.detector if "detector" in dimensions else None,
            self.physical_filter if "physical_filter" in dimensions else None,
        )

    def to_dict(self) -> dict[str, str | int]:
        """Return the dimensions that apply as a plain mapping, in the order of `DIMENSIONS`."""
        values: dict[str, str | int] = {"instrument": self.instrument}  # written out: every id of a night comes here
        if self.detector is not None:
            values["detector"] = self.detector
        if self.physical_filter is not None:
            values["physical_filter"] = self.physical_filter
        if self.exposure is not None:
            values["exposure"] = self.exposure
        return values

    def __lt__(self, other: DataId) -> bool:
        return self._key() < other._key()

    def _key(self) -> tuple[str, int, int, str]:
        exposure = -1 if self.exposure is None else self.exposure
        detector = -1 if self.detector is None else self.detector
        return (self.instrument, exposure, detector, self.physical_filter or "")

    def __str__(self) -> str:
        words = [self.instrument]
        words += [f"exposure={self.exposure}"] if self.exposure is not None else []
        words += [f"detector={self.detector}"] if self.detector is not None else []
        words += [f"filter={self.physical_filter}"] if self.physical_filter is not None else []
        return " ".join(words)


@dataclass(frozen=True, slots=True)
class DatasetType:
    """A kind of dataset: what identifies one, how it is stored, and what its absence means."""

    name: str
    dimensions: tuple[str, ...]
    formatter: str
    is_calibration: bool = False
    on_missing: OnMissing = "error"
    matches_mode: bool = False
    """Whether a calibration serves only exposures read out in the mode that it was made in."""

    def __post_init__(self) -> None:
        unknown = sorted(set(self.dimensions) - set(DIMENSIONS))
        if unknown:
            message = f"dataset type {self.name} names unknown dimensions {unknown}; there is {', '.join(DIMENSIONS)}"
            raise ValueError(message)
        # One order, so that types which say the same are equal.
        object.__setattr__(self, "dimensions", tuple(name for name in DIMENSIONS if name in self.dimensions))


@dataclass(frozen=True, slots=True)
class DatasetRef:
    """A dataset: what it is, where its file is, and whether it can be used.

    `path` is relative to the datastore, or absolute if the file was left in place.
    """

    id: UUID
    type: str
    run: str
    data_id: DataId
    sha256: str | None = None
    content_sha256: str | None = None
    size: int | None = None
    path: str | None = None
    status: str = "LIVE"

    @property
    def short(self) -> str:
        """The first eight digits of the id, enough to type."""
        return self.id.hex[:8]

    def to_dict(self, *names: str) -> dict[str, Any]:
        """Return plain values, for JSON: of these fields, or of all."""
        values = {one.name: getattr(self, one.name) for one in fields(self) if not names or one.name in names}
        plain = {"id": str(self.id), "data_id": self.data_id.to_dict()}
        return values | {name: value for name, value in plain.items() if name in values}

    def __str__(self) -> str:
        return f"{self.type} {self.short} {self.data_id} (run {self.run})"


@dataclass(frozen=True, slots=True)
class Policy:
    """What is done where a calibration type has nothing valid.

    ``error``: the quantum is not done, and it is reported; ``skip``: it is not done, and the reason is kept quietly;
    ``optional``: it is done without; ``nearest``: the nearest in time is taken, if its validity is at most
    `max_gap_ns` from mid-exposure, else it is an error.

    A policy decides only about what the recipe requires: where the recipe can do without, a missing calibration is
    mentioned and no more, whatever the policy; `nearest` fills gaps for both.

    Raises
    ------
    ValueError
        If the word is unknown, or a gap is given for anything but ``nearest``, or none for that.
    """

    on_missing: PolicyWord = "error"
    max_gap_ns: int | None = None

    def __post_init__(self) -> None:
        if self.on_missing not in get_args(PolicyWord):
            raise ValueError(f"'{self.on_missing}' is not a policy; there is {', '.join(get_args(PolicyWord))}")
        if (self.on_missing == "nearest") != (self.max_gap_ns is not None):
            raise ValueError("the policy nearest, and no other, says how far away the nearest may be (max_gap_ns)")
        if self.max_gap_ns is not None and self.max_gap_ns < 0:
            raise ValueError(f"the nearest cannot be less than nothing away: max_gap_ns is {self.max_gap_ns}")

    def to_dict(self) -> dict[str, str | int | None]:
        """Return plain values."""
        return {"on_missing": self.on_missing, "max_gap_ns": self.max_gap_ns}

    def __str__(self) -> str:
        if self.max_gap_ns is None:
            return self.on_missing
        # Imported here: only printing needs it.
        from registry.times import format_duration

        return f"{self.on_missing} within {format_duration(self.max_gap_ns)}"


@dataclass(frozen=True, slots=True)
class Match:
    """A calibration found for an exposure; `validity_id` is None if it came from a RUN or TAGGED collection.

    `kind` says how it was found: ``valid`` at mid-exposure, ``always`` (in a run or tag of the path), or ``nearest``
    by a policy, with its validity `gap_ns` away from mid-exposure.
    """

    ref: DatasetRef
    validity_id: int | None
    collection: str
    warning: str | None = None
    kind: MatchKind = "valid"
    """``valid`` at mid-exposure, ``always`` (of a RUN or TAGGED collection), or the ``nearest`` by a policy."""
    gap_ns: int = 0
    """How far its validity is from mid-exposure."""


@dataclass(frozen=True, slots=True)
class QuantumSpec:
    """A piece of work to plan: what it reads, what corrects it, and the key of everything that decides its result."""

    task: str
    data_id: DataId
    inputs: tuple[tuple[str, UUID], ...]
    calibs: tuple[tuple[str, Match], ...]
    content_key: str
    notes: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """What is noted of its raws: see `registry.sql.quantum_notes`."""


@dataclass(frozen=True, slots=True)
class QuantumRow:
    """A piece of work as the registry knows it. Times are TAI nanoseconds; `reason` says why it was skipped."""

    id: int
    uuid: UUID
    run: str
    task: str
    data_id: DataId
    state: str
    content_key: str
    attempt: int = 0
    worker: str | None = None
    lease_until_ns: int | None = None
    reason: str | None = None
    error_kind: str | None = None
    error_message: str | None = None
    retriable: bool = True
    started_ns: int | None = None
    ended_ns: int | None = None
    seconds: float | None = None
    cpu_s: float | None = None
    peak_rss_bytes: int | None = None

    @property
    def short(self) -> str:
        """The first eight digits of the id, enough to type."""
        return self.uuid.hex[:8]


@dataclass(frozen=True, slots=True)
class QuantumFailure:
    """How an attempt failed.

    `kind` is one word (the exception's class, "timeout", "crash"), `message` one line for people.
    """

    kind: str
    message: str
    traceback_text: str = ""
    seconds: float | None = None
    cpu_s: float | None = None
    peak_rss_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class QuantumInputs:
    """All that went, or shall go, into a quantum.

    `matches` says by which collection and validity row each calibration came.
    """

    quantum: QuantumRow
    data: Mapping[str, DatasetRef]
    calibs: Mapping[str, DatasetRef]
    matches: Mapping[str, Match]
    config: Mapping[str, Any]
    config_sha256: str
    software: Mapping[str, Any]
    software_sha256: str
    calib_set_sha256: str
    context: tuple[str, str] | None = None
    """Name and hash of the frozen context that its run took calibrations from."""
    notes: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """What was noted of its raws when it was planned: see `registry.sql.quantum_notes`."""


@dataclass(frozen=True)
class Software:
    """What a result was computed with: package versions, interpreter, platform, and what else can change a pixel."""

    packages: Mapping[str, str]
    python: str = field(default_factory=_platform.python_version)
    platform: str = field(default_factory=_platform.platform)
    details: Mapping[str, Any] = field(default_factory=dict)
    """Processor, linear algebra, threads, commit of the code: whatever is known."""

    def to_dict(self) -> dict[str, Any]:
        """Return the plain mapping that is stored."""
        return {
            "packages": dict(self.packages),
            "python": self.python,
            "platform": self.platform,
            **self.details,
        }

    @property
    def sha256(self) -> str:
        """Hash of the canonical spelling."""
        return sha256_json(self.to_dict())


def dataset_uuid(run: str, type: str, data_id: DataId) -> UUID:  # noqa: A002
    """Return the id that a dataset of this run, type and data id has, now and after any crash."""
    return uuid5(NAMESPACE, canonical_json(["dataset", run, type, data_id.to_dict()]))


def quantum_uuid(run: str, task: str, data_id: DataId) -> UUID:
    """Return the id that a quantum of this run, task and data id has."""
    return uuid5(NAMESPACE, canonical_json(["quantum", run, task, data_id.to_dict()]))
