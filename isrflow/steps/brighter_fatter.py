"""Undo the brighter-fatter effect: bright stars are wider than faint ones, as charge repels later charge."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from pydantic import Field

from isrflow.calibs.bfk import BrighterFatterKernel
from isrflow.calibs.dark import Dark
from isrflow.calibs.flat import Flat
from isrflow.errors import CalibrationError, CalibrationMismatch, GeometryError, HeaderError
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.frame.matching import match_size
from isrflow.kernels import masks
from isrflow.kernels.arithmetic import add_scaled, divide_by, divide_scaled, multiply_by, multiply_scaled
from isrflow.kernels.brighter_fatter import correct_brighter_fatter
from isrflow.kernels.charge_currents import correct_conserving_charge
from isrflow.kernels.rows import interpolate_rows, needs_fallback
from isrflow.kernels.statistics import clip
from isrflow.steps.byproducts import EffectivePtc
from isrflow.steps.step import ByProduct, StepConfig

log = logging.getLogger(__name__)

_METHODS = {False: "COULTON18", True: "COULTON18_FLUX_CONSERVING"}
"""What the reference calls the two methods, by whether they conserve flux."""


class BrighterFatterConfig(StepConfig):
    """How long is iterated, and how bad pixels are kept from spoiling their neighbours."""

    enabled: bool = False
    """Whether the step is run."""
    flux_conserving: bool = False
    """Exchange charge between pixels in place of the divergence formula of Coulton et al. 2018."""
    max_iterations: int = Field(default=10, ge=1)
    """Most iterations done; at least one."""
    threshold_electron: float = 1000.0
    """The iteration ends when the absolute changes of all pixels sum up to less."""
    apply_gain: bool = True
    """Convert an image in adu to electrons for the correction; if false, the kernel is taken to be in 1/adu."""
    planes: tuple[str, ...] = ("SAT", "BAD", "NO_DATA", "UNMASKEDNAN")
    """Pixels with these mask planes are replaced, for the correction alone, by what their row suggests."""
    grow_saturated_px: int = 1
    """How far saturated regions are grown for that (diamond)."""
    saturated_plane: str = "SAT"
    """The plane that is grown, if it is one of `planes`."""
    grow_px: int = 0
    """How far each of `planes` is grown afterwards (diamond): what lies near bad pixels is corrected badly."""
    apply_dark: bool = True
    """Subtract the dark, if there is one, while bad pixels are replaced."""
    apply_flat: bool = True
    """Divide by the flat, if there is one, while bad pixels are replaced."""
    use_dark_time: bool = True
    """Scale the dark by dark time; if false, by exposure time."""
    note_in_header: bool = False
    """Whether the header notes the method and the last iteration."""
    trim_to_fit: bool = False
    """Allow a dark and flat smaller by the same even number of pixels along x and y."""


@dataclass(frozen=True, slots=True)
class BrighterFatterFit(ByProduct):
    """How the iteration ended."""

    last_iteration: int
    """Counted from zero."""
    difference_electron: float
    """Sum of absolute last changes."""


def correct_exposure(
    exposure: Exposure,
    config: BrighterFatterConfig,
    *,
    bfk: BrighterFatterKernel,
    dark: Dark | None = None,
    flat: Flat | None = None,
    ptc: EffectivePtc | None = None,
) -> BrighterFatterFit:
    """Put charge back into the pixels it was headed for (brighter-fatter), in place.

    The correction is found on a copy in which bad pixels are replaced, with dark and flat taken out and put in again
    around that, and added to the image. Its border of half a kernel, where nothing is corrected, becomes EDGE.

    Parameters
    ----------
    exposure
        float32, trimmed; in adu or electrons. Variances are left as they are.
    config
        Iteration, and treatment of bad pixels.
    bfk
        Its gains are used, if it has any.
    dark, flat
        Left untouched.
    ptc
        Gains to use if the kernels come without; else those of the camera's description.

    Raises
    ------
    CalibrationMismatch
        If there is no kernel of this detector, gains of amplifiers are missing, or dark or flat differ in size.
    GeometryError
        If gains are to be applied and the exposure has no detector.
    HeaderError, CalibrationError
        If the dark cannot be scaled.
    """
    kernel = bfk.kernel_of(bfk.info.detector_name if exposure.detector is None else exposure.detector.name)
    gains = _gains(exposure, bfk, ptc) if config.apply_gain and exposure.unit != "electron" else {}
    repaired = exposure.copy()
    _repair(repaired, config, dark if config.apply_dark else None, flat if config.apply_flat else None)
    corrected = repaired.copy()
    correct = correct_conserving_charge if config.flux_conserving else correct_brighter_fatter
    with gains_applied(corrected, gains):
        found = correct(
            corrected.planes()[0], kernel, max_iterations=config.max_iterations, threshold=config.threshold_electron
        )
    if not found.difference < config.threshold_electron:
        log.warning(
            "%s: the brighter-fatter correction still changed by %.4g electrons in iteration %d, the last allowed",
            exposure.label,
            found.difference,
            found.last_iteration,
        )
    image, mask, _ = exposure.planes()
    corrected.image -= repaired.image
    image += corrected.image
    _mark(mask, config, kernel.shape[0] // 2)
    exposure.header["LSST ISR BF APPLIED"] = True
    if config.note_in_header:
        exposure.header["LSST ISR BF ITERS"] = found.last_iteration
        exposure.header["LSST ISR BF CORR METHOD"] = _METHODS[config.flux_conserving]
    return BrighterFatterFit(found.last_iteration, found.difference)


@contextmanager
def gains_applied(exposure: Exposure, gains: Mapping[str, float]) -> Iterator[None]:
    """Turn the image from adu to electrons and back afterwards, to rounding; nothing is done without gains."""
    amplifiers = exposure.detector.amplifiers if exposure.detector is not None and gains else ()
    for amp in amplifiers:
        multiply_by(exposure.amp(amp).image, None, gains[amp.name])
    yield
    for amp in amplifiers:
        divide_by(exposure.amp(amp).image, None, gains[amp.name])


def _gains(exposure: Exposure, bfk: BrighterFatterKernel, ptc: EffectivePtc | None) -> Mapping[str, float]:
    if exposure.detector is None:
        raise GeometryError(f"{exposure.label} has no detector, so its gains are not known")
    amplifiers = exposure.detector.amplifiers
    known = {name: gain for name, gain in bfk.gain.items() if not math.isnan(gain)}
    if not known:
        described = {amp.name: amp.gain_electron_per_adu for amp in amplifiers}
        return described if ptc is None else ptc.gain_electron_per_adu
    lacking = [amp.name for amp in amplifiers if amp.name not in known]
    if lacking:
        raise CalibrationMismatch(f"{exposure.label}: the bfk has no gain of amplifiers {', '.join(lacking)}")
    return known


def _repair(exposure: Exposure, config: BrighterFatterConfig, dark: Dark | None, flat: Flat | None) -> None:
    """Replace bad pixels by what their rows suggest once dark and flat are gone, in place."""
    # The scale of the flat does not matter, as interpolation is linear; only the image is used, so that the variances,
    # which grow on the way in and on the way out, do not matter either.
    factor = 0.0 if dark is None else _dark_factor(exposure, dark, config)
    if dark is not None:
        part = match_size(exposure, dark.exposure, "dark", trim_to_fit=config.trim_to_fit)
        add_scaled(part.planes(), dark.exposure.planes(), -factor)
    if flat is not None:
        part_of_flat = match_size(exposure, flat.exposure, "flat", trim_to_fit=config.trim_to_fit)
        divide_scaled(part_of_flat.planes(), flat.exposure.planes(), 1.0)
    _interpolate(exposure, config)
    if flat is not None:
        multiply_scaled(part_of_flat.planes(), flat.exposure.planes(), 1.0)
    if dark is not None:
        add_scaled(part.planes(), dark.exposure.planes(), factor)


def _dark_factor(exposure: Exposure, dark: Dark, config: BrighterFatterConfig) -> float:
    seconds = exposure.obs.dark_time_s if config.use_dark_time else exposure.obs.exposure_time_s
    if math.isnan(seconds):
        raise HeaderError(
            f"{exposure.label}: {'dark' if config.use_dark_time else 'exposure'} time is not known, so the dark cannot"
            " be scaled around the brighter-fatter correction",
            fix="name its header card in the instrument's YAML file, or set brighter_fatter.apply_dark to false",
        )
    if dark.dark_time_s == 0:
        raise CalibrationError("the dark time of the dark is 0 s, so it cannot be scaled")
    return float(seconds / dark.dark_time_s)


def _interpolate(exposure: Exposure, config: BrighterFatterConfig) -> None:
    bits = mask_bits(config.planes)
    image, mask, variance = exposure.planes()
    if config.grow_saturated_px > 0 and config.saturated_plane in config.planes:
        saturated = mask_bits(config.saturated_plane)
        masks.grow_mask(mask, config.grow_saturated_px, saturated, saturated)
    fallback = clip(image).mean if needs_fallback(mask, bits) else math.nan
    interpolate_rows(image, variance, mask, bits=bits, interpolated_bit=mask_bits("INTRP"), fallback=fallback)


def _mark(mask: masks.Mask, config: BrighterFatterConfig, border_px: int) -> None:
    masks.mask_edges(mask, border_px, mask_bits("EDGE"))
    if config.grow_px > 0:
        for plane in config.planes:
            bits = mask_bits(plane)
            masks.grow_mask(mask, config.grow_px, bits, bits)
