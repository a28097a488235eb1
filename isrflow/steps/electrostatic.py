"""Undo the brighter-fatter effect by a model of the field in the silicon, which may depend on the colour of light."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from pydantic import Field

from isrflow.calibs.electrostatic import Electrostatic
from isrflow.errors import CalibrationMismatch
from isrflow.frame.electrons import gains_to_use, in_electrons
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.kernels.bands import add_change, copied
from isrflow.kernels.electrostatic import Shifts, correct_electrostatic, shifts_of
from isrflow.kernels.layout import Float32, Int32
from isrflow.kernels.masks import grow_mask, mask_edges
from isrflow.kernels.repair import replace_bad
from isrflow.steps.byproducts import EffectivePtc
from isrflow.steps.step import StepConfig

log = logging.getLogger(__name__)

_METHODS = {False: "ASTIER23", True: "ASTIER23+FILTERCORRECTION"}
"""What the reference calls it, by whether filters matter."""


class ElectrostaticConfig(StepConfig):
    """Which matrices are used, and how bad pixels are kept from spoiling their neighbours."""

    enabled: bool = False
    """Whether the step is run."""
    by_filter: bool = False
    """Use the matrices of the exposure's filter; where there are none, the general ones, with a warning."""
    apply_gain: bool = True
    """Convert an image in adu to electrons for the correction; if false, the matrices are taken to be in 1/adu."""
    planes: tuple[str, ...] = ("SAT", "BAD", "NO_DATA", "UNMASKEDNAN")
    """Pixels with these mask planes are replaced by what their row suggests."""
    keep_replaced: bool = True
    """Leave such pixels replaced, marked INTRP; if false, that is done for the correction alone."""
    grow_saturated_px: int = 1
    """How far saturated regions are grown for that (diamond)."""
    saturated_plane: str = "SAT"
    """The plane that is grown, if it is one of `planes`."""
    grow_px: int = Field(default=2, ge=0)
    """How far each of `planes` is grown afterwards (diamond): what lies near bad pixels is corrected badly."""
    refuse_other_gains: bool = False
    """Refuse matrices measured with other gains than the exposure has, in place of a warning."""


def correct_pixel_sides(
    exposure: Exposure,
    config: ElectrostaticConfig,
    *,
    electrostatic: Electrostatic,
    ptc: EffectivePtc | None = None,
) -> None:
    """Put charge back on the side of the pixel border it was headed for (brighter-fatter), in place.

    Charge is conserved. The border of half the measured matrix becomes EDGE.

    Parameters
    ----------
    exposure
        float32, trimmed; in adu or electrons. Variances of replaced pixels are replaced too, if those are kept.
    config
        Filters, and treatment of bad pixels.
    electrostatic
        Its gains are used for an image in adu, if it has any.
    ptc
        Gains to use if the matrices come without; else those of the camera's description.

    Raises
    ------
    CalibrationMismatch
        If the matrices reach further than the image, or gains of amplifiers are missing or (if so asked) other than
        those of the exposure.
    GeometryError
        If gains are to be applied and the exposure has no detector.

    Notes
    -----
    ``Q = (I[y+1] + I[y]) (K_N * I) / 4`` crosses the upper side of a pixel and, alike, ``K_E`` the right one;
    ``I[y] -= Q`` and ``I[y+1] += Q``. I is in electrons (an image in adu is multiplied by the gain meanwhile), K, laid
    out of the four matrices, in pixels per electron.

    References
    ----------
    Astier & Regnault 2023, A&A 670, A118.
    """
    matrices = electrostatic.shifts(_filter(exposure, electrostatic) if config.by_filter else None)
    shifts = shifts_of(*matrices)
    _check_size(exposure, len(shifts.upper))
    gains = _gains(exposure, config, electrostatic, ptc) if config.apply_gain and exposure.unit != "electron" else {}
    if config.keep_replaced:
        _replace(*exposure.planes(), config)
        _correct(exposure, exposure.image, shifts, gains)
    else:
        image, mask, _ = exposure.planes()
        repaired = copied(image)
        _replace(repaired, copied(mask), None, config)
        corrected = copied(repaired)
        _correct(exposure, corrected, shifts, gains)
        add_change(image, repaired, corrected)
    _mark(exposure, config, (electrostatic.input_size or electrostatic.fit_size) // 2)
    exposure.header["LSST ISR BF APPLIED"] = True
    exposure.header["LSST ISR BF CORR METHOD"] = _METHODS[config.by_filter]


def _correct(exposure: Exposure, image: Float32, shifts: Shifts, gains: Mapping[str, float]) -> None:
    with in_electrons(exposure, image, gains):
        correct_electrostatic(image, shifts)


def _replace(image: Float32, mask: Int32, variance: Float32 | None, config: ElectrostaticConfig) -> None:
    is_grown = config.saturated_plane in config.planes
    replace_bad(
        image,
        variance,
        mask,
        bits=mask_bits(config.planes),
        interpolated_bit=mask_bits("INTRP"),
        grown_bits=mask_bits(config.saturated_plane) if is_grown else 0,
        grow_px=config.grow_saturated_px,
    )


def _mark(exposure: Exposure, config: ElectrostaticConfig, border_px: int) -> None:
    _, mask, _ = exposure.planes()
    mask_edges(mask, border_px, mask_bits("EDGE"))
    for plane in config.planes:
        grow_mask(mask, config.grow_px, mask_bits(plane), mask_bits(plane))


def _check_size(exposure: Exposure, reach_px: int) -> None:
    ny, nx = exposure.image.shape
    if min(ny, nx) < reach_px:
        raise CalibrationMismatch(
            f"{exposure.label}: the electrostatic matrices reach over {reach_px} x {reach_px} px, more than the image"
            f" of {nx} x {ny} px"
        )


def _filter(exposure: Exposure, electrostatic: Electrostatic) -> str | None:
    """Return the filter of the exposure if there are matrices for it."""
    named = [str(name) for name in (exposure.obs.physical_filter, exposure.header.get("FILTER")) if name]
    known = [name for name in named if name in electrostatic.filters]
    if not known:
        log.warning(
            "%s: filter %s is not one of %s; the general matrices of %s are used",
            exposure.label,
            named[0] if named else "unknown",
            ", ".join(electrostatic.filters) or "nothing",
            electrostatic.label,
        )
    return known[0] if known else None


def _gains(
    exposure: Exposure, config: ElectrostaticConfig, electrostatic: Electrostatic, ptc: EffectivePtc | None
) -> Mapping[str, float]:
    effective = None if ptc is None else ptc.gain_electron_per_adu
    own = electrostatic.gain
    return gains_to_use(exposure, own, effective, electrostatic.kind, refuse_others=config.refuse_other_gains)
