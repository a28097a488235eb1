"""Mark saturated and suspect pixels of the raw mosaic, and give up amplifiers without a usable pixel."""

from __future__ import annotations

import logging
import math

import numpy as np

from isrflow.calibs.defects import Defects
from isrflow.frame.camera import Amplifier
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import add_mask_plane, mask_bits
from isrflow.frame.stage import mosaic_detector
from isrflow.kernels.footprints import grow
from isrflow.kernels.masks import all_masked, mask_at_least
from isrflow.kernels.rows import interpolate_rows, needs_fallback
from isrflow.kernels.statistics import clip
from isrflow.kernels.threads import map_in_threads
from isrflow.steps.byproducts import BadAmplifiers
from isrflow.steps.step import StepConfig, at_amplifier

log = logging.getLogger(__name__)


class SaturationConfig(StepConfig):
    """Levels and planes."""

    mask_saturated: bool = True
    """Whether pixels at or above the saturation level are marked."""
    plane: str = "SAT"
    """Mask plane of saturated pixels."""
    level_adu: float = math.nan
    """Raw level of saturation in place of the amplifiers' own; NaN: theirs."""
    mask_suspect: bool = False
    """Whether pixels at or above the amplifiers' suspect level are marked."""
    suspect_plane: str = "SUSPECT"
    """Mask plane of suspect pixels."""


def mask_saturation(exposure: Exposure, config: SaturationConfig, *, defects: Defects | None = None) -> BadAmplifiers:
    """Mark saturated and suspect pixels in every raw segment, overscans included, in place.

    Parameters
    ----------
    exposure
        Raw mosaic, float32, in adu.
    config
        Levels; a NaN level marks nothing. A pixel is marked if its value is the level or more.
    defects
        An amplifier that lies in one of these boxes is bad: all of its segment becomes BAD.

    Returns
    -------
    BadAmplifiers
        Those lying in a defect, and those whose light-sensitive pixels are all saturated or suspect (these become BAD).

    Raises
    ------
    GeometryError
        If the exposure has no detector or is trimmed already.

    Notes
    -----
    SAT where ``I >= saturation``, SUSPECT where ``I >= suspect level``; levels in adu above zero, the electronic level
    included, because nothing has been subtracted yet.
    """
    detector = mosaic_detector(exposure, "the levels apply to raw segments")
    amplifiers = [amp for amp in detector.amplifiers if exposure.box.contains(amp.raw)]

    def mask(amp: Amplifier) -> bool:
        with at_amplifier(amp.name):
            return mask_saturation_amp(exposure, amp, config, defects)

    found = map_in_threads(mask, amplifiers)
    bad = frozenset(amp.name for amp, is_bad in zip(amplifiers, found, strict=True) if is_bad)
    if bad:
        log.warning("%s: amplifiers without a usable pixel: %s", exposure.label, ", ".join(sorted(bad)))
    return BadAmplifiers(bad)


def mask_saturation_amp(
    exposure: Exposure, amp: Amplifier, config: SaturationConfig, defects: Defects | None = None
) -> bool:
    """Do `mask_saturation` for one amplifier, and tell whether it is bad."""
    if defects is not None and any(box.contains(amp.box) for box in defects.boxes):
        mask = exposure.amp(amp, "raw").planes()[1]
        mask |= mask_bits("BAD")
        return True
    marks = add_mask_plane(config.plane) | add_mask_plane(config.suspect_plane)
    if config.mask_saturated:
        mask_saturated_amp(exposure, amp, config)
    if config.mask_suspect:
        mask_suspect_amp(exposure, amp, config)
    mask = exposure.amp(amp, "data").planes()[1]
    if not all_masked(mask, marks):
        return False
    mask |= mask_bits("BAD")
    return True


def mask_saturated_amp(exposure: Exposure, amp: Amplifier, config: SaturationConfig) -> None:
    """Mark pixels of a raw segment at or above the saturation level of settings or amplifier."""
    level = config.level_adu if math.isfinite(config.level_adu) else amp.saturation_adu
    image, mask, _ = exposure.amp(amp, "raw").planes()
    mask_at_least(image, level, mask, add_mask_plane(config.plane))


def mask_suspect_amp(exposure: Exposure, amp: Amplifier, config: SaturationConfig) -> None:
    """Mark pixels of a raw segment at or above the amplifier's suspect level."""
    image, mask, _ = exposure.amp(amp, "raw").planes()
    mask_at_least(image, amp.suspect_level_adu, mask, add_mask_plane(config.suspect_plane))


def correct_saturation(
    exposure: Exposure, level_adu: float, *, grow_px: int = 0, interpolate: bool = True, plane: str = "SAT"
) -> None:
    """Mark pixels at or above a level and replace them by what their rows suggest, in place.

    For pictures that do not go through a recipe. Nothing here looks at amplifiers.

    Parameters
    ----------
    exposure
        float32, with mask and variance.
    level_adu
        The level, in the unit of the picture.
    grow_px
        How far the marked regions are grown (diamond).
    interpolate
        Whether image and variance of the marked pixels are replaced; they become INTRP as well.
    plane
        Mask plane that is set.
    """
    image, mask, variance = exposure.planes()
    with np.errstate(invalid="ignore"):
        marked = grow(image >= level_adu, grow_px)
    mask[marked] |= add_mask_plane(plane)
    if interpolate:
        scratch = marked.astype(np.int32)
        fallback = clip(image).mean if needs_fallback(scratch, 1) else math.nan
        interpolate_rows(image, variance, scratch, bits=1, interpolated_bit=mask_bits("INTRP"), fallback=fallback)
        mask |= scratch & mask_bits("INTRP")
