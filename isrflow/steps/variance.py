"""Give every pixel the variance of photons and read noise."""

from __future__ import annotations

from isrflow.errors import GeometryError
from isrflow.frame.box import Box
from isrflow.frame.camera import Amplifier
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import add_mask_plane
from isrflow.kernels.arithmetic import build_photon_variance
from isrflow.kernels.masks import mask_nonpositive
from isrflow.kernels.threads import map_in_threads
from isrflow.steps.byproducts import EffectivePtc
from isrflow.steps.step import StepConfig, at_amplifier


class VarianceConfig(StepConfig):
    """What is done beside the formula."""

    keep: bool = False
    """Add to the variance there is (of bias and dark, say) in place of discarding it. In adu what is kept is divided by
    the gain as well, as the reference does."""
    mask_nonpositive: bool = True
    """Whether pixels whose variance is zero or negative are marked."""
    plane: str = "BAD"
    """Mask plane of those pixels."""


def build_variance(exposure: Exposure, config: VarianceConfig, *, effective_ptc: EffectivePtc | None = None) -> None:
    """Set the variance plane from image, gain and read noise, in place; what it held is discarded or added to.

    Parameters
    ----------
    exposure
        float32, bias subtracted, not yet flat-fielded. In adu ``V = I / gain + (read noise / gain)**2``; in electrons
        the same with gain 1. Not clipped at zero.
    config
        Whether pixels without positive variance are marked.
    effective_ptc
        Gains and read noises; by default those of the amplifiers.

    Raises
    ------
    GeometryError
        If the exposure has no detector, or is not assembled and its variance is to be kept.

    Notes
    -----
    ``V = I / g + (R / g)^2`` in adu squared, with the gain ``g`` in electron/adu and the read noise ``R`` in
    electron; in electrons ``V = I + R^2``. Where the sky is fainter than the noise, V can be negative; such pixels
    become BAD.
    """
    if exposure.detector is None:
        raise GeometryError(f"{exposure.label} has no detector, so gain and read noise are not known")
    if config.keep and not exposure.is_trimmed:
        raise GeometryError(f"{exposure.label} is not assembled: what is kept of a variance is that of bias and dark")

    def build(amp: Amplifier) -> None:
        with at_amplifier(amp.name):
            build_variance_amp(exposure, amp, effective_ptc, keep=config.keep)

    map_in_threads(
        build, [amp for amp in exposure.detector.amplifiers if exposure.box.contains(_region(exposure, amp))]
    )
    if config.mask_nonpositive:
        _, mask, variance = exposure.planes()
        mask_nonpositive(variance, mask, add_mask_plane(config.plane))


def build_variance_amp(
    exposure: Exposure, amp: Amplifier, effective_ptc: EffectivePtc | None = None, *, keep: bool = False
) -> None:
    """Do `build_variance` for one amplifier: its place in a trimmed image, its whole segment in a raw one."""
    gain, noise = amp.gain_electron_per_adu, amp.read_noise_electron
    if effective_ptc is not None:
        gain, noise = effective_ptc.gain_electron_per_adu[amp.name], effective_ptc.noise_electron[amp.name]
    image, _, variance = exposure.view(_region(exposure, amp)).planes()
    in_adu = exposure.unit == "adu"
    gain = gain if in_adu else 1.0
    build_photon_variance(image, variance, gain=gain, read_noise_electron=noise, replace=not keep)


def _region(exposure: Exposure, amp: Amplifier) -> Box:
    """Return the pixels of an amplifier that get a variance."""
    return exposure.amp_box(amp, "data" if exposure.is_trimmed else "raw")
