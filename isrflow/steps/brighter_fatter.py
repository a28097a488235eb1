"""Undo the brighter-fatter effect: bright stars are wider than faint ones, as charge repels later charge."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from isrflow.calibs.bfk import BrighterFatterKernel
from isrflow.calibs.dark import Dark
from isrflow.calibs.flat import Flat
from isrflow.errors import CalibrationError, CalibrationMismatch, HeaderError
from isrflow.frame.electrons import gains_to_use, in_electrons
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.frame.matching import match_size
from isrflow.kernels import masks
from isrflow.kernels.bands import add_change, copied, over_bands
from isrflow.kernels.brighter_fatter import correct_brighter_fatter
from isrflow.kernels.charge_currents import correct_conserving_charge
from isrflow.kernels.repair import replace_bad
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
    """The iteration ends when the absolute changes of all pixels sum up to less. Below 1e-5 a pixel it is told in
    double precision, at twice the cost."""
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
    note_in_header: bool = True
    """Whether the header notes the method and the last iteration."""
    refuse_other_gains: bool = False
    """Refuse kernels measured with other gains than the exposure has, in place of a warning."""
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
        If there is no kernel of this detector, it is larger than the image, gains of amplifiers are missing or (if so
        asked) other than those of the exposure, or dark or flat differ in size.
    GeometryError
        If gains are to be applied and the exposure has no detector.
    HeaderError, CalibrationError
        If the dark cannot be scaled.

    Notes
    -----
    ``I += div(I grad(K * I)) / 2`` with I in electrons and the kernel K in 1/electron, I on the right being what the
    pass before made of it; `flux_conserving` moves ``I d(K * I) / 2`` from pixel to pixel along x and y instead. An
    image in adu is multiplied by the gain meanwhile. Variances are left as they are.

    References
    ----------
    Coulton et al. 2018, AJ 155, 258.
    """
    kernel = bfk.kernel_of(bfk.info.detector_name if exposure.detector is None else exposure.detector.name)
    image, mask, _ = exposure.planes()
    if min(image.shape) < len(kernel):
        raise CalibrationMismatch(
            f"{exposure.label}: the bfk kernel of {len(kernel)} x {len(kernel)} px does not fit into the image of"
            f" {image.shape[1]} x {image.shape[0]} px"
        )
    gains = _gains(exposure, config, bfk, ptc) if config.apply_gain and exposure.unit != "electron" else {}
    repaired = _repaired(exposure, config, dark if config.apply_dark else None, flat if config.apply_flat else None)
    corrected = copied(repaired)
    correct = correct_conserving_charge if config.flux_conserving else correct_brighter_fatter
    with in_electrons(exposure, corrected, gains):
        found = correct(corrected, kernel, max_iterations=config.max_iterations, threshold=config.threshold_electron)
    if not found.difference < config.threshold_electron:
        log.warning(
            "%s: the brighter-fatter correction still changed by %.4g electrons in iteration %d, the last allowed",
            exposure.label,
            found.difference,
            found.last_iteration,
        )
    add_change(image, repaired, corrected)
    _mark(mask, config, kernel.shape[0] // 2)
    exposure.header["LSST ISR BF APPLIED"] = True
    if config.note_in_header:
        exposure.header["LSST ISR BF ITERS"] = found.last_iteration
        exposure.header["LSST ISR BF CORR METHOD"] = _METHODS[config.flux_conserving]
    return BrighterFatterFit(found.last_iteration, found.difference)


def _gains(
    exposure: Exposure, config: BrighterFatterConfig, bfk: BrighterFatterKernel, ptc: EffectivePtc | None
) -> Mapping[str, float]:
    effective = None if ptc is None else ptc.gain_electron_per_adu
    return gains_to_use(exposure, bfk.gain, effective, bfk.kind, refuse_others=config.refuse_other_gains)


def _repaired(
    exposure: Exposure, config: BrighterFatterConfig, dark: Dark | None, flat: Flat | None
) -> NDArray[np.float32]:
    """Return the image with bad pixels replaced by what their rows suggest once dark and flat are gone."""
    # The scale of the flat does not matter, as interpolation is linear; only the image is used, so that the variances,
    # which would grow on the way in and on the way out, are left alone.
    image, mask, _ = exposure.planes()
    repaired = replace(exposure, image=copied(image), mask=copied(mask))
    factor = np.float32(0 if dark is None else _dark_factor(exposure, dark, config))
    trim = config.trim_to_fit
    dark_part = None if dark is None else match_size(repaired, dark.exposure, "dark", trim_to_fit=trim)
    flat_part = None if flat is None else match_size(repaired, flat.exposure, "flat", trim_to_fit=trim)
    _in_bands(dark_part, dark, lambda pixels, charge: np.subtract(pixels, factor * charge, out=pixels))
    _in_bands(flat_part, flat, lambda pixels, response: np.divide(pixels, response, out=pixels))
    grown = mask_bits(config.saturated_plane) if config.saturated_plane in config.planes else 0
    picture, marked, _ = repaired.planes()
    replace_bad(
        picture,
        None,
        marked,
        bits=mask_bits(config.planes),
        interpolated_bit=mask_bits("INTRP"),
        grown_bits=grown,
        grow_px=config.grow_saturated_px,
    )
    _in_bands(flat_part, flat, lambda pixels, response: np.multiply(pixels, response, out=pixels))
    _in_bands(dark_part, dark, lambda pixels, charge: np.add(pixels, factor * charge, out=pixels))
    return picture


def _in_bands(
    part: Exposure | None,
    calibration: Dark | Flat | None,
    work: Callable[[NDArray[np.float32], NDArray[np.float32]], object],
) -> None:
    """Let `work` act on rows of image and calibration, and join their masks; nothing is done without a calibration."""
    if part is None or calibration is None:
        return
    (image, mask, _), (its_image, its_mask, _) = part.planes(), calibration.exposure.planes()

    def act(first: int, end: int) -> None:
        with np.errstate(divide="ignore", invalid="ignore"):
            work(image[first:end], its_image[first:end])
        mask[first:end] |= its_mask[first:end]

    over_bands(act, 0, len(image))


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


def _mark(mask: masks.Mask, config: BrighterFatterConfig, border_px: int) -> None:
    masks.mask_edges(mask, border_px, mask_bits("EDGE"))
    if config.grow_px > 0:
        for plane in config.planes:
            bits = mask_bits(plane)
            masks.grow_mask(mask, config.grow_px, bits, bits)
