"""Spread integer counts evenly over the interval they stand for, so that medians of faint pictures are not in steps."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from isrflow.frame.exposure import Exposure
from isrflow.steps.exceptions import ExceptionsConfig

log = logging.getLogger(__name__)

DitherMode = Literal["SYMMETRIC", "POSITIVE", "NEGATIVE", "NONE"]
_LOW = {"SYMMETRIC": -0.5, "POSITIVE": 0.0, "NEGATIVE": -1.0}
_FALLBACK_SEED = 12345
_ROWS_AT_ONCE = 64  # random numbers are double: a whole raw of them would be twice as large as the raw


class DitherConfig(ExceptionsConfig):
    """Which interval a count stands for."""

    mode: DitherMode = "SYMMETRIC"
    """SYMMETRIC: half a count below to half above; POSITIVE: up to one above; NEGATIVE: up to one below; NONE."""


def dither_counts(exposure: Exposure, config: DitherConfig) -> None:
    """Add to every pixel, overscans included, an even random number of width one, in place.

    The numbers follow from the exposure id alone, so that a repetition gives the same picture.

    Parameters
    ----------
    exposure
        Raw mosaic, float32, in adu.
    config
        The interval; it may differ from detector to detector.

    Notes
    -----
    ``I += u``, u evenly distributed over [-1/2, 1/2) adu (SYMMETRIC), [0, 1) (POSITIVE) or [-1, 0) (NEGATIVE): numbers
    of the Mersenne twister seeded with the lower 32 bits of the exposure id, row by row. Added in double precision,
    rounded once.
    """
    mode = config.at(exposure.detector).mode
    if mode == "NONE":
        return
    exposure_id = exposure.obs.exposure_id
    if exposure_id is None:
        log.warning("%s has no id: it is dithered with the numbers of seed %d", exposure.label, _FALLBACK_SEED)
    seed = _FALLBACK_SEED if exposure_id is None else exposure_id & 0xFFFFFFFF
    numbers = np.random.RandomState(seed)  # the generator of the reference, whose pictures are to be met
    image = exposure.planes()[0]
    bands = [image[start : start + _ROWS_AT_ONCE] for start in range(0, len(image), _ROWS_AT_ONCE)]
    with ThreadPoolExecutor(1) as adder:  # numbers can only be drawn one after the other: adding need not wait
        added = [adder.submit(_add, numbers.random_sample(rows.shape), rows, _LOW[mode]) for rows in bands]
    for each in added:
        each.result()


def _add(numbers: NDArray[np.float64], rows: NDArray[np.float32], low: float) -> None:
    """Add numbers of [0, 1), shifted, in double precision; the numbers are used up."""
    numbers += low
    numbers += rows
    rows[...] = numbers
