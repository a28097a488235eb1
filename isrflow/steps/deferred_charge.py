"""Put charge that arrived late back into the pixels it belongs to."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from pydantic import Field

from isrflow.calibs.deferred_charge import DeferredCharge
from isrflow.errors import CalibrationError, CalibrationMismatch, GeometryError
from isrflow.frame.camera import Amplifier
from isrflow.frame.exposure import Exposure
from isrflow.kernels.arithmetic import divide_by, multiply_by
from isrflow.kernels.deferred_charge import correct_deferred_charge as correct_segment
from isrflow.steps.byproducts import EffectivePtc
from isrflow.steps.step import StepConfig, at_amplifier

log = logging.getLogger(__name__)


class DeferredChargeConfig(StepConfig):
    """How far back late charge is followed."""

    enabled: bool = False
    """Whether the step is run."""
    n_pixel_offset: int = Field(default=15, ge=1)
    """Pixels, itself included, over which the drift of the offset is followed."""
    n_pixel_trap: int = Field(default=6, ge=1)
    """Earlier pixels whose charge may have filled the trap."""
    zero_unused_pixels: bool = True
    """Set the parallel overscan and serial prescan to 0 first, for good: what they hold is not charge."""


def correct_deferred_charge(
    exposure: Exposure,
    config: DeferredChargeConfig,
    *,
    deferred_charge: DeferredCharge,
    effective_ptc: EffectivePtc | None = None,
) -> None:
    """Undo offset drift and serial traps in whole raw segments, in place; mask and variance are left as they are.

    Parameters
    ----------
    exposure
        Raw mosaic, float32, overscan subtracted; adu or electron, and in the same unit afterwards.
    config
        How many pixels are followed.
    deferred_charge
        Drift, trap and inefficiency of each amplifier, in electrons.
    effective_ptc
        Gains; needed where the exposure is in adu. Those that stand for none give way to those the calibration was made
        with.

    Raises
    ------
    GeometryError
        If the exposure has no detector, or is trimmed.
    CalibrationMismatch
        If `deferred_charge` lacks amplifiers of the detector; all are named.
    CalibrationError
        If the exposure is in adu and gains are missing; the amplifiers are named.

    Notes
    -----
    In order of readout, in electrons (an image in adu is multiplied by the gain meanwhile), x in pixels:
    ``S = I - max_n A max(0, I[x-n]) exp(-n / tau)`` takes the drift of the offset off; ``O = max_n c(S[x-1-n]) r^n`` is
    what the trap holds, c its capture and ``r = exp(-1 / e)``;
    ``I = S + (1 - CTI) (max(0, c(S) - O r) - O (1 - r))`` gives back what was taken and takes what was given. The
    charge that transfers leave behind is not moved.

    References
    ----------
    Snyder & Roodman 2021, JATIS 7, 048002.
    """
    amplifiers = _checked_amplifiers(exposure, deferred_charge)
    gains = _gains(exposure, amplifiers, effective_ptc, deferred_charge) if exposure.unit == "adu" else {}
    for amp in amplifiers:
        with at_amplifier(amp.name), _in_electrons(exposure, amp, gains.get(amp.name)):
            correct_deferred_charge_amp(exposure, amp, config, deferred_charge)
    exposure.header["LSST ISR CTI APPLIED"] = True


def correct_deferred_charge_amp(
    exposure: Exposure, amp: Amplifier, config: DeferredChargeConfig, deferred_charge: DeferredCharge
) -> None:
    """Correct one amplifier of a raw mosaic in electrons, in place; raises `GeometryError` if it is not in there."""
    if config.zero_unused_pixels:
        for box in (amp.raw_parallel_overscan, amp.raw_serial_prescan):
            if not box.is_empty:
                exposure.view(box).image[...] = 0
    correct_segment(
        exposure.amp(amp, "raw").image,
        deferred_charge.drift(amp.name),
        deferred_charge.trap(amp.name),
        global_cti=deferred_charge.global_cti[amp.name],
        n_offset=config.n_pixel_offset,
        n_trap=config.n_pixel_trap,
        from_right=(amp.readout_corner[1] == "R") != amp.raw_flip_x,  # the corner is that of the assembled detector
    )


def _checked_amplifiers(exposure: Exposure, deferred_charge: DeferredCharge) -> tuple[Amplifier, ...]:
    detector = exposure.detector
    if detector is None:
        raise GeometryError(f"{exposure.label} has no detector, so the places of its amplifiers are not known")
    if exposure.is_trimmed:
        raise GeometryError(f"{exposure.label} is trimmed: late charge is followed through whole raw segments")
    missing = [amp.name for amp in detector.amplifiers if amp.name not in deferred_charge.amp_names]
    if missing:
        raise CalibrationMismatch(f"{exposure.label}: {deferred_charge.label} lacks amplifiers {', '.join(missing)}")
    return detector.amplifiers


def _gains(
    exposure: Exposure, amplifiers: Sequence[Amplifier], ptc: EffectivePtc | None, deferred_charge: DeferredCharge
) -> Mapping[str, float]:
    """Return the gains to convert with: those the calibration was made with where the exposure has none yet."""
    gains = {} if ptc is None else ptc.gain_electron_per_adu
    if ptc is not None and ptc.is_placeholder:
        if any(not math.isnan(gain) for gain in deferred_charge.input_gain.values()):
            return deferred_charge.input_gain
        log.warning("%s: %s does not say with which gains it was made", exposure.label, deferred_charge.label)
    missing = [amp.name for amp in amplifiers if amp.name not in gains]
    if missing:
        raise CalibrationError(
            f"{exposure.label} is in adu, deferred charge in electron, and there are no gains of amplifiers "
            f"{', '.join(missing)}",
            fix="enable the effective_ptc step",
        )
    return gains


@contextmanager
def _in_electrons(exposure: Exposure, amp: Amplifier, gain: float | None) -> Iterator[None]:
    """Convert the amplifier's image to electrons, and back afterwards; without a gain it is in electrons."""
    if gain is None:
        yield
        return
    image = exposure.amp(amp, "raw").image
    multiply_by(image, None, gain)
    try:
        yield
    finally:
        divide_by(image, None, gain)
