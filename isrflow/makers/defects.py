"""Defects out of masters: hot pixels from the dark, dead and bright ones from flats, and what of them makes columns.

Each amplifier is judged by itself: its clipped mean is taken off, and a pixel is bad if it is beyond a threshold. Where
many pixels of a column are bad, the stretches between them are taken to be bad as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from isrflow.calibs.dark import Dark
from isrflow.calibs.defects import Defects
from isrflow.calibs.flat import Flat
from isrflow.calibs.image import ImageCalibration
from isrflow.errors import UnprocessableError
from isrflow.frame.camera import Amplifier, Detector
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.kernels.statistics import clip
from isrflow.makers.combine import master_info

Mask = NDArray[np.bool_]


class DefectsConfig(BaseModel):
    """What counts as a defect."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    hot_electron_per_s: float = Field(default=5.0, gt=0)
    """A pixel of the dark so far above its amplifier is hot."""
    hot_n_sigma: float = Field(default=4.8, ge=0)
    """... unless that is within so many times the noise of the dark there."""
    flat_low: float = Field(default=0.8, ge=0)
    """A pixel below this fraction of its amplifier's flat is dead."""
    flat_high: float = Field(default=1.25, gt=1)
    """A pixel above this fraction is bright."""
    include_masked: bool = True
    """Whether pixels the masters themselves mark BAD are defects."""
    column_pixels: int = Field(default=50, ge=1)
    """So many bad pixels in a column make it suspicious: gaps are closed."""
    column_gap_px: int = Field(default=30, ge=1)
    """Bad pixels of a suspicious column that are closer than this belong to one stretch."""
    full_column_pixels: int = Field(default=0, ge=0)
    """So many bad pixels in an amplifier's column condemn all of it; 0: none does."""


def make_defects(
    detector: Detector, *, dark: Dark | None = None, flats: Sequence[Flat] = (), config: DefectsConfig | None = None
) -> Defects:
    """Find the bad pixels of a detector.

    Parameters
    ----------
    detector
        Amplifiers and their gains.
    dark
        Master dark, per second of its dark time.
    flats
        Master flats, of any filters; a pixel bad in one is bad.
    config
        What counts as a defect.

    Returns
    -------
    Defects
        Disjoint boxes; counts per amplifier in ``info.metadata``.

    Raises
    ------
    UnprocessableError
        If neither dark nor flat is given, or one is of another detector or size; all are listed.
    """
    config = config or DefectsConfig()
    masters: list[ImageCalibration] = [*([dark] if dark is not None else []), *flats]
    _refuse_strangers(detector, masters)
    shape = detector.box.shape
    hot, cold, other = np.zeros(shape, bool), np.zeros(shape, bool), np.zeros(shape, bool)
    for amp in detector.amplifiers:
        part = amp.box.slices()
        if dark is not None:
            hot[part] |= hot_pixels(dark, amp, config)
        for flat in flats:
            bright, dead = uneven_pixels(flat, amp, config)
            hot[part] |= bright
            cold[part] |= dead
    if config.include_masked:
        for master in masters:
            _, mask, _ = master.exposure.planes()
            other |= (mask & mask_bits("BAD")) != 0
    bad = hot | cold | other
    n_columns = close_columns(bad, detector, config)
    counts = {f"LSST CALIB DEFECTS {amp.name} N_HOT": int(hot[amp.box.slices()].sum()) for amp in detector.amplifiers}
    counts |= {
        f"LSST CALIB DEFECTS {amp.name} N_COLD": int(cold[amp.box.slices()].sum()) for amp in detector.amplifiers
    }
    info = master_info(Exposure(masters[0].exposure.image, detector=detector, obs=masters[0].exposure.obs))
    instrument = info.instrument or masters[0].info.instrument
    metadata = counts | {"LSST CALIB DEFECTS N_BAD_COLUMNS": n_columns}
    defects = Defects.from_mask(bad, info=replace(info, instrument=instrument, metadata=metadata))
    defects.check()
    return defects


def hot_pixels(dark: Dark, amp: Amplifier, config: DefectsConfig) -> Mask:
    """Return where the dark is above its amplifier's mean by more than threshold and noise; shape of the amplifier."""
    exposure = dark.exposure.view(amp.box)
    image, mask, variance = exposure.planes()
    gain = amp.gain_electron_per_adu if exposure.unit == "adu" else 1.0
    threshold = config.hot_electron_per_s * dark.dark_time_s / gain
    excess = image - clip(image, exclude=mask != 0).mean
    return (excess >= threshold) & (excess >= config.hot_n_sigma * np.sqrt(variance))


def uneven_pixels(flat: Flat, amp: Amplifier, config: DefectsConfig) -> tuple[Mask, Mask]:
    """Return where the flat is brighter, and where it is darker than its amplifier allows; shape of the amplifier."""
    image, mask, _ = flat.exposure.view(amp.box).planes()
    ratio = image / clip(image, exclude=mask != 0).mean
    return ratio > config.flat_high, ratio < config.flat_low


def close_columns(bad: Mask, detector: Detector, config: DefectsConfig) -> int:
    """Close the gaps of columns with many bad pixels, in place, and return how many columns are bad throughout."""
    for x in np.flatnonzero(bad.sum(axis=0) >= config.column_pixels):
        rows = np.flatnonzero(bad[:, x])
        breaks = np.flatnonzero(np.diff(rows) > config.column_gap_px)
        starts, stops = np.r_[0, breaks + 1], np.r_[breaks, rows.size - 1]
        for first, last in zip(rows[starts], rows[stops], strict=True):
            bad[first : last + 1, x] = True
    n_full = 0
    for amp in detector.amplifiers:
        part = bad[amp.box.slices()]  # a view
        if config.full_column_pixels:
            part[:, part.sum(axis=0) >= config.full_column_pixels] = True
        n_full += int(part.all(axis=0).sum())
    return n_full


def _refuse_strangers(detector: Detector, masters: Sequence[ImageCalibration]) -> None:
    if not masters:
        raise UnprocessableError("defects are found in a master dark or in flats; none is given")
    wrong = []
    for master in masters:
        name, box = master.info.detector_name, master.exposure.box
        if name and name != detector.name:
            wrong.append(f"the {master.kind} is of detector {name}")
        if box != detector.box:
            wrong.append(f"the {master.kind} covers {box.section()}, the detector {detector.box.section()}")
    if wrong:
        raise UnprocessableError(f"defects of detector {detector.name} cannot be found: {'; '.join(wrong)}")
