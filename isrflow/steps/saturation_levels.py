"""Mark saturated and suspect pixels by levels above the overscan, as the newer order does.

These levels come from measurements (the turnoff of the photon transfer curve), amplifier by amplifier; they hold after
the serial overscan is subtracted and before gains are applied.
"""

from __future__ import annotations

import logging
import math
from typing import Literal

from isrflow.errors import GeometryError
from isrflow.frame.camera import Amplifier
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import add_mask_plane, mask_bits
from isrflow.frame.stage import mosaic_detector
from isrflow.kernels.masks import all_masked, mask_at_least
from isrflow.kernels.threads import map_in_threads
from isrflow.steps.byproducts import BadAmplifiers, EffectivePtc
from isrflow.steps.exceptions import ExceptionsConfig
from isrflow.steps.step import at_amplifier

log = logging.getLogger(__name__)

LevelSource = Literal["PTCTURNOFF", "CAMERAMODEL", "NONE"]


class SaturationLevelsConfig(ExceptionsConfig):
    """Levels and planes."""

    mask_saturated: bool = True
    """Whether pixels at or above the saturation level are marked."""
    source: LevelSource = "PTCTURNOFF"
    """PTCTURNOFF: turnoff of the photon transfer curve; CAMERAMODEL: the camera's description; NONE: no level."""
    plane: str = "SAT"
    """Mask plane of saturated pixels."""
    level_adu: float = math.nan
    """Level in place of the source's; meant for `exceptions`. NaN: the source's."""
    mask_suspect: bool = True
    """Whether pixels at or above the suspect level are marked."""
    suspect_source: LevelSource = "PTCTURNOFF"
    """As `source`."""
    suspect_plane: str = "SUSPECT"
    """Mask plane of suspect pixels."""
    suspect_level_adu: float = math.nan
    """As `level_adu`."""
    refuse_all_bad: bool = True
    """Whether an exposure without a good amplifier is refused."""


def mask_above_levels(
    exposure: Exposure,
    config: SaturationLevelsConfig,
    *,
    effective_ptc: EffectivePtc | None = None,
    bad_amplifiers: BadAmplifiers | None = None,
) -> BadAmplifiers:
    """Mark pixels at or above the levels in every raw segment, overscans included, in place.

    Parameters
    ----------
    exposure
        Raw mosaic, float32, in adu, serial overscan subtracted. The levels are noted in its header.
    config
        Where levels come from; a level of NaN marks nothing.
    effective_ptc
        Turnoffs.
    bad_amplifiers
        Amplifiers that are passed over.

    Returns
    -------
    BadAmplifiers
        Those given, and those whose light-sensitive pixels are all saturated or suspect (these become BAD).

    Raises
    ------
    GeometryError
        If the exposure has no detector, is trimmed or in electrons; or turnoffs are wanted and not known.
    UnprocessableError
        If all amplifiers are bad.

    Notes
    -----
    ``mask |= SAT`` where ``I >= level`` and ``mask |= SUSPECT`` where ``I >= suspect level``, both in adu above the
    overscan.
    """
    detector = mosaic_detector(exposure, "the levels apply to raw segments")
    _refuse_unfit(exposure, config, effective_ptc)
    known = frozenset[str]() if bad_amplifiers is None else bad_amplifiers.names
    amplifiers = [amp for amp in detector.amplifiers if amp.name not in known]

    settings = {amp.name: config.at(detector, amp.name) for amp in amplifiers}
    levels = {amp.name: _levels(amp, settings[amp.name], effective_ptc) for amp in amplifiers}

    def mask(amp: Amplifier) -> bool:
        with at_amplifier(amp.name):
            return _mask_amp(exposure, amp, settings[amp.name], levels[amp.name])

    found = map_in_threads(mask, amplifiers)
    for amp in amplifiers:
        exposure.header |= _cards(amp.name, settings[amp.name], levels[amp.name])
    full = {amp.name for amp, is_full in zip(amplifiers, found, strict=True) if is_full}
    if full:
        log.warning("%s: amplifiers without a usable pixel: %s", exposure.label, ", ".join(sorted(full)))
    result = BadAmplifiers(known | full)
    if config.refuse_all_bad:
        result.refuse_if_all(exposure)
    return result


def _refuse_unfit(exposure: Exposure, config: SaturationLevelsConfig, ptc: EffectivePtc | None) -> None:
    if exposure.unit == "electron":
        raise GeometryError(f"{exposure.label} is in electrons already: the levels are in adu")
    wanted = [
        source
        for source, is_on in ((config.source, config.mask_saturated), (config.suspect_source, config.mask_suspect))
        if is_on
    ]
    if "PTCTURNOFF" in wanted and ptc is None:
        raise GeometryError(
            f"{exposure.label}: levels are to be turnoffs, which are not known",
            fix="enable gain_source, or set source and suspect_source to CAMERAMODEL or NONE",
        )


def _levels(amp: Amplifier, config: SaturationLevelsConfig, ptc: EffectivePtc | None) -> tuple[float, float]:
    """Return the saturation and suspect levels of an amplifier, in adu."""
    sources = {"PTCTURNOFF": math.nan if ptc is None else ptc.turnoff_adu[amp.name], "NONE": math.inf}
    saturated = (sources | {"CAMERAMODEL": amp.saturation_adu})[config.source]
    suspect = (sources | {"CAMERAMODEL": amp.suspect_level_adu})[config.suspect_source]
    return (
        config.level_adu if math.isfinite(config.level_adu) else saturated,
        config.suspect_level_adu if math.isfinite(config.suspect_level_adu) else suspect,
    )


def _mask_amp(exposure: Exposure, amp: Amplifier, config: SaturationLevelsConfig, levels: tuple[float, float]) -> bool:
    """Mark one amplifier, and tell whether nothing of it is left."""
    image, mask, _ = exposure.amp(amp, "raw").planes()
    saturated, suspect = add_mask_plane(config.plane), add_mask_plane(config.suspect_plane)
    if config.mask_saturated:
        mask_at_least(image, levels[0], mask, saturated)
    if config.mask_suspect:
        mask_at_least(image, levels[1], mask, suspect)
    picture = exposure.amp(amp, "data").planes()[1]
    if not all_masked(picture, saturated | suspect):
        return False
    picture |= mask_bits("BAD")
    return True


def _cards(name: str, config: SaturationLevelsConfig, levels: tuple[float, float]) -> dict[str, float]:
    cards = {}
    if config.mask_saturated:
        cards[f"LSST ISR SATURATION LEVEL {name}"] = levels[0]
    if config.mask_suspect:
        cards[f"LSST ISR SUSPECT LEVEL {name}"] = levels[1]
    return cards
