"""How strong each flaw of a simulated camera is."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaws:
    """Strengths of the instrument's signature; zero switches a flaw off.

    Gains, read noise, saturation and linearity coefficients are not here: they are the camera's own, from its YAML.
    """

    level_adu: float = 1000.0
    """Mean level of the electronics; amplifiers differ by a few per cent."""
    level_rms_adu: float = 2.0
    """Wander of that level from exposure to exposure."""
    drift_rms_adu: float = 1.5
    """Wander of that level along the rows of one readout."""
    bias_glow_adu: float = 15.0
    """Height of the fixed ramp towards the output node."""
    bias_column_rms_adu: float = 1.0
    bias_pixel_rms_adu: float = 0.5
    read_noise: float = 1.0
    """Times the camera's own read noise."""
    shot_noise: bool = True
    prnu_rms: float = 0.01
    """Pixel-to-pixel scatter of the sensitivity."""
    vignetting: float = 0.12
    """Loss of light at the corner of the focal plane."""
    dust_per_detector: int = 3
    """Out-of-focus shadows in the flat of each filter."""
    dark_electron_s: float = 0.05
    """Dark current of a good pixel."""
    dark_glow_electron_s: float = 0.05
    """More of it in one corner of the detector."""
    hot_fraction: float = 1.5e-4
    """Part of the pixels that are hot; at least one if not zero. So for the next."""
    hot_electron_s: tuple[float, float] = (8.0, 200.0)
    """Faintest and brightest of them; the logarithm is drawn evenly."""
    dead_fraction: float = 3e-5
    bad_columns: int = 1
    """Columns of a detector that are dead from some row to the far end of their amplifier."""
    crosstalk: float = 4e-4
    """Largest coefficient between two amplifiers of a detector."""
    inter_detector: float = 0.0
    """Largest coefficient between an amplifier and one of the detector that is next in the camera."""
    brighter_fatter: float = 0.0
    """How strongly collected charge pushes later charge away, times that of a thick sensor."""
    deferred_charge: float = 0.0
    """How much charge arrives late in each row, times that of a good sensor."""
    fringe: float = 0.0
    """Root mean square of the fringes, as a part of the light of the sky."""
    stray_light_electron_s: float = 0.0
    """Scattered light where it is brightest."""
    lamp: float = 0.0
    """How uneven the flat-field lamp is, as a part of its light: what an illumination correction is for."""
    amplifier_steps_adu: float = 0.0
    """Wander of each amplifier's level from exposure to exposure that its overscan does not show."""
    nonlinearity: bool = True
    """Whether the electronics are as non-linear as the camera says."""
    bleeding: bool = True
    """Whether charge beyond full well runs along columns (otherwise it is kept)."""
    cosmic_rays_cm2_min: float = 1.0

    @classmethod
    def none(cls, **changes: float | bool) -> Self:
        """Return a flawless camera, but for `changes`: one flaw at a time, to test one correction at a time."""
        strengths = {name: value for name, value in asdict(cls()).items() if name != "hot_electron_s"}
        off: dict[str, Any] = {name: type(value)(0) for name, value in strengths.items()}
        return cls(**(off | changes))
