"""Measure the finished picture, amplifier by amplifier."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from isrflow.frame.camera import Amplifier
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import add_mask_plane, mask_bits
from isrflow.frame.stage import assembled_detector
from isrflow.kernels.masks import count_masked
from isrflow.kernels.statistics import describe
from isrflow.kernels.threads import map_in_threads
from isrflow.steps.step import ByProduct, StepConfig, at_amplifier


class StatisticsConfig(StepConfig):
    """What is counted."""

    saturated_plane: str = "SAT"
    """Mask plane counted as saturated."""
    count_suspect: bool = False
    """Whether pixels of the plane SUSPECT are counted, too."""


@dataclass(frozen=True, slots=True)
class AmplifierStatistics:
    """Numbers of one amplifier; values in the unit of the picture, pixels of all masks included."""

    mean: float
    median: float
    stdev: float
    """After clipping at 3 standard deviations, three times."""
    n_saturated: int
    n_bad: int
    level: float
    """The median less the median of the serial overscan as subtracted (adu); NaN if that is not known."""
    n_suspect: int | None = None
    """None if they were not counted."""


@dataclass(frozen=True, slots=True)
class Statistics(ByProduct):
    """Statistics by amplifier name."""

    amplifiers: Mapping[str, AmplifierStatistics]


def measure_statistics(exposure: Exposure, config: StatisticsConfig) -> Statistics:
    """Measure every amplifier of an assembled picture and note the numbers in the header.

    Returns
    -------
    Statistics
        Also written to ``LSST ISR FINAL ...``, ``LSST ISR MASK ...`` and ``LSST ISR LEVEL ...`` cards.

    Raises
    ------
    GeometryError
        If the exposure has no detector or is not assembled.

    Notes
    -----
    No pixel changes. Mean, median and clipped standard deviation (three sigma, three times) in the unit of the image,
    masks not heeded; the level is the median minus the serial overscan's.
    """
    why = "statistics are those of the amplifiers of a finished picture"
    amplifiers = assembled_detector(exposure, why).amplifiers
    measured = map_in_threads(lambda amp: measure_amp(exposure, amp, config), amplifiers)
    found = {amp.name: numbers for amp, numbers in zip(amplifiers, measured, strict=True)}
    for name, numbers in found.items():
        exposure.header |= _cards(name, numbers)
    return Statistics(found)


def measure_amp(exposure: Exposure, amp: Amplifier, config: StatisticsConfig) -> AmplifierStatistics:
    """Do `measure_statistics` for one amplifier, without the header."""
    with at_amplifier(amp.name):
        image, mask, _ = exposure.amp(amp).planes()
        numbers = describe(image)
        overscan = exposure.header.get(f"LSST ISR OVERSCAN SERIAL MEDIAN {amp.name}", math.nan)
        return AmplifierStatistics(
            mean=numbers.mean,
            median=numbers.median,
            stdev=numbers.clipped.stdev,
            n_saturated=count_masked(mask, add_mask_plane(config.saturated_plane)),
            n_bad=count_masked(mask, mask_bits("BAD")),
            level=numbers.median - overscan,
            n_suspect=count_masked(mask, mask_bits("SUSPECT")) if config.count_suspect else None,
        )


def _cards(name: str, numbers: AmplifierStatistics) -> dict[str, float | int]:
    suspect = {} if numbers.n_suspect is None else {f"LSST ISR MASK SUSPECT {name}": numbers.n_suspect}
    return suspect | {
        f"LSST ISR MASK SAT {name}": numbers.n_saturated,
        f"LSST ISR MASK BAD {name}": numbers.n_bad,
        f"LSST ISR FINAL MEAN {name}": numbers.mean,
        f"LSST ISR FINAL MEDIAN {name}": numbers.median,
        f"LSST ISR FINAL STDEV {name}": numbers.stdev,
        f"LSST ISR LEVEL {name}": numbers.level,
    }
