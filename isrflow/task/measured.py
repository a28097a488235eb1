"""What a task notes in its metadata about a run, under the reference's keys."""

from __future__ import annotations

from isrflow.frame.exposure import Exposure
from isrflow.kernels.statistics import describe
from isrflow.kernels.threads import map_in_threads
from isrflow.run import IsrResult
from isrflow.steps.amp_offsets import AmpOffsets
from isrflow.steps.brighter_fatter import BrighterFatterFit
from isrflow.steps.nonfinite import NonfinitePixels
from isrflow.task.base import TaskMetadata


def note_row(metadata: TaskMetadata, row: str, exposure: Exposure) -> None:
    """Note statistics of the amplifiers after the rows that have some."""
    amplifiers = () if exposure.detector is None else exposure.detector.amplifiers
    if row == "overscan":
        for amp in amplifiers:
            _note_overscan(metadata, exposure, amp.name)
    if row not in ("variance", "background"):
        return
    plane = "variance" if row == "variance" else "image"
    measured = map_in_threads(lambda amp: describe(getattr(exposure.amp(amp), plane)), amplifiers)
    for amp, numbers in zip(amplifiers, measured, strict=True):
        metadata[f"ISR {row.upper()} {amp.name} MEDIAN"] = numbers.median
        metadata[f"ISR {row.upper()} {amp.name} STDEV"] = numbers.clipped.stdev


def _note_overscan(metadata: TaskMetadata, exposure: Exposure, name: str) -> None:
    """Note what the header says of the serial overscan; nothing where it was left alone."""
    for statistic in ("MEDIAN", "MEAN", "STDEV"):
        for word, card in (("FIT", "LSST ISR OVERSCAN"), ("RESIDUAL", "LSST ISR OVERSCAN RESIDUAL")):
            value = exposure.header.get(f"{card} SERIAL {statistic} {name}")
            if value is not None:
                metadata[f"{word} {statistic} {name}"] = value


def note_result(metadata: TaskMetadata, offsets_metadata: TaskMetadata, result: IsrResult) -> None:
    """Note what rows found: pixels that are not finite, the brighter-fatter correction's last iteration, pedestals.

    The pedestals go to the metadata of the subtask.
    """
    nans, fit, offsets = result.get(NonfinitePixels), result.get(BrighterFatterFit), result.get(AmpOffsets)
    if nans is not None:
        metadata["NUMNANS"] = nans.count
    if fit is not None:
        metadata["LSST ISR BF ITERS"] = fit.last_iteration
    if offsets is not None:
        offsets_metadata["AMPOFFSET_PEDESTALS"] = dict(offsets.pedestals)
