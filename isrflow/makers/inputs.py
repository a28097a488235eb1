"""The raws a calibration is made of: corrected one at a time, checked against each other, spilled to disk.

Memory holds one raw exposure in correction and, while combining, one block of rows of all of them; never all exposures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from isrflow.calibs.base import Calibration
from isrflow.errors import UnprocessableError
from isrflow.frame.camera import Detector
from isrflow.frame.exposure import Exposure
from isrflow.frame.obs import Observation
from isrflow.kernels.layout import Planes
from isrflow.run import run_isr
from isrflow.steps.recipe_base import Recipe

RawSource = Callable[[], Exposure]
"""Reads one raw exposure when called; the maker owns what it gets and drops it after use."""
Scale = Callable[[Exposure], float]
"""Returns what a corrected exposure is divided by; may prepare it in place first."""

_PRODUCT_CARDS = ("ISRFLOW ", "CPP_INPUT_", "CALIB_CREATION_DATE")
_UNKNOWN_TYPES = ("", "unknown")
_TAKEN_OF = {"fringe": ("science", "object", "sky")}
"""Types of exposures a calibration is made of, beside those of its own name."""
FILTERED = ("flat", "fringe")
"""Calibrations of exposures through one filter."""


class MakerConfig(BaseModel):
    """How a stack of exposures becomes a master."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    n_sigma: float = Field(default=3.0, gt=0)
    """Clipping width: first about the median with the quartile width, then about the mean."""
    n_iterations: int = Field(default=3, ge=1)
    min_inputs: int = Field(default=3, ge=1)
    """Fewer exposures are refused."""
    max_inputs_to_trust_variances: int = 20
    """Up to so many exposures the variance of the master comes from their own variances, not from their scatter: what
    clipping leaves of few values scatters too little (by a third for 5 of them, an eighth for 20). The reference: 4."""
    disagreement_sigma: float = Field(default=7.0, ge=0)
    """Darks only: a value so far above the median of its stack, in units of its noise, is a cosmic ray; 0: none is."""
    block_mb: float = Field(default=64.0, gt=0)
    """Memory for the block of rows of all exposures that is combined at a time."""
    scratch: Path | None = None
    """Directory for corrected exposures (12 bytes a pixel and exposure, removed afterwards); None: the system's own."""


@dataclass(frozen=True, slots=True)
class Input:
    """What is kept of a raw exposure after it was used."""

    obs: Observation
    scale: float
    header: Mapping[str, Any]

    @property
    def label(self) -> str:
        """Name the exposure for messages."""
        return f"exposure {self.obs.exposure_id}" if self.obs.exposure_id is not None else self.obs.obs_id or "exposure"


@dataclass(slots=True)
class Stack:
    """Corrected exposures on disk, and what they have in common; a context that removes them in the end."""

    shape: tuple[int, int] = (0, 0)
    unit: str = "adu"
    detector: Detector | None = None
    inputs: list[Input] = field(default_factory=list)
    _folder: TemporaryDirectory[str] | None = None
    _file: BinaryIO | None = None

    @classmethod
    def open(cls, scratch: Path | None) -> Self:
        """Start an empty stack in a folder of its own."""
        folder = TemporaryDirectory(prefix="isrflow-stack-", dir=scratch)
        return cls(_folder=folder, _file=(Path(folder.name) / "planes").open("w+b", buffering=0))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()
        if self._folder is not None:
            self._folder.cleanup()

    def add(self, exposure: Exposure, scale: float) -> None:
        """Divide a corrected exposure by its scale, in place, and append it to the stack."""
        assert self._file is not None
        image, mask, variance = exposure.planes()
        if not self.inputs:
            self.shape, self.unit, self.detector = image.shape, exposure.unit, exposure.detector
        if scale != 1.0:
            image *= np.float32(1.0 / scale)
            variance *= np.float32(1.0 / scale**2)
        for plane in (image, mask, variance):
            self._file.write(np.ascontiguousarray(plane).data)
        self.inputs.append(Input(exposure.obs, scale, dict(exposure.header)))

    def rows(self, block: slice) -> Planes:
        """Read a block of rows of all exposures: image, mask, variance, each (n, rows, nx)."""
        assert self._file is not None
        ny, nx = self.shape
        planes: list[np.ndarray[Any, Any]] = []
        for k, dtype in enumerate((np.float32, np.int32, np.float32)):
            part = np.empty((len(self.inputs), block.stop - block.start, nx), dtype)
            for i, row in enumerate(part):
                self._file.seek(4 * nx * ((3 * i + k) * ny + block.start))
                self._file.readinto(row.data)  # type: ignore[attr-defined]
            planes.append(part)
        return planes[0], planes[1], planes[2]

    def rows_at_once(self, megabytes: float) -> int:
        """Return how many rows of all exposures fit into so much memory (at least one)."""
        return max(1, int(megabytes * 1e6 / (12 * max(1, len(self.inputs)) * self.shape[1])))


def correct_all(
    stack: Stack,
    raws: Sequence[RawSource],
    recipe: Recipe,
    calibs: Mapping[str, Calibration],
    *,
    kind: str,
    scale: Scale,
    config: MakerConfig,
) -> None:
    """Run the recipe over the raws, one at a time, and put them on the stack.

    Raises
    ------
    UnprocessableError
        If there are too few, or some are of another type, detector, filter, readout or size than the first, or are no
        raws; all offenders are listed.
    StepError, MissingCalibrations, CalibrationMismatch
        As `run_isr` says.
    """
    if len(raws) < config.min_inputs:
        raise UnprocessableError(
            f"a {kind} needs at least {config.min_inputs} exposures, {len(raws)} are given",
            fix="take more, or lower min_inputs",
        )
    offenders: list[str] = []
    first: Exposure | None = None
    for source in raws:
        raw = source()
        problems = _problems(raw, first, kind)
        offenders += [f"{raw.label}: {problem}" for problem in problems]
        if first is None and not problems:
            first = Exposure(np.empty((0, 0)), detector=raw.detector, obs=raw.obs)
            first.header["shape"] = raw.image.shape
        if offenders:
            continue  # nothing more is corrected, but every offender is named
        exposure = run_isr(raw, calibs, recipe, overwrite=True).exposure
        stack.add(exposure, scale(exposure))
    if offenders:
        raise UnprocessableError(
            f"these cannot be made into one {kind}:\n  " + "\n  ".join(offenders), fix="leave them out"
        )


def _problems(raw: Exposure, first: Exposure | None, kind: str) -> list[str]:
    product_cards = [card for card in raw.header if card.startswith(_PRODUCT_CARDS)]
    if raw.mask is not None or raw.history or product_cards:
        return ["it is a product, not a raw" + (f" ({product_cards[0]})" if product_cards else "")]
    problems = []
    if raw.obs.obs_type not in (kind, *_TAKEN_OF.get(kind, ()), *_UNKNOWN_TYPES):
        problems.append(f"it is of type {raw.obs.obs_type}, not {kind}")
    if first is None:
        return problems
    mine, others = _circumstances(raw, kind), _circumstances(first, kind)
    others["size"] = first.header["shape"]
    problems += [
        f"{what} is {mine[what]}, of the first it is {others[what]}" for what in mine if mine[what] != others[what]
    ]
    return problems


def _circumstances(raw: Exposure, kind: str) -> dict[str, Any]:
    """Return what exposures must have in common."""
    return {
        "instrument": raw.obs.instrument,
        "detector": None if raw.detector is None else raw.detector.name,
        "readout mode": dict(raw.obs.readout_mode),
        "size": raw.image.shape,
        **({"filter": raw.obs.physical_filter} if kind in FILTERED else {}),
    }
