"""What falls on a detector in one shot, on average: sky or lamp, fringes, scattered light, and the dark current."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isrflow.simulate.patterns import amplifier_steps, fringe_pattern, lamp_pattern, stray_pattern
from isrflow.simulate.shots import Shot
from isrflow.simulate.signature import Signature


def expected_charge(shot: Shot, signature: Signature, scene_electron: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the electrons a pixel collects on average (ny, nx), before charge pushes charge."""
    flaws, light = signature.flaws, scene_electron
    if shot.lamp_electron and flaws.lamp:
        light = light * (1 + np.float32(flaws.lamp) * signature.pattern(lamp_pattern))
    if flaws.fringe:
        light = light + fringes_of(shot, signature)
    charge = light * signature.response(shot.obs.physical_filter)
    charge += signature.dark_electron_s * np.float32(shot.obs.dark_time_s)
    if flaws.stray_light_electron_s:
        charge += stray_light_of(shot, signature)
    return charge


def fringes_of(shot: Shot, signature: Signature) -> NDArray[np.float32]:
    """Return the light of the fringes in electrons (ny, nx), before vignetting and sensitivity."""
    sky = shot.sky_electron_s * shot.obs.exposure_time_s
    return np.float32(signature.flaws.fringe * sky) * signature.pattern(fringe_pattern)


def stray_light_of(shot: Shot, signature: Signature) -> NDArray[np.float32]:
    """Return scattered light in electrons (ny, nx), as it is collected; where there is no sky there is none."""
    seconds = shot.obs.exposure_time_s if shot.sky_electron_s else 0.0
    return np.float32(signature.flaws.stray_light_electron_s * seconds) * signature.pattern(stray_pattern)


def steps_of(shot: Shot, signature: Signature) -> dict[str, float]:
    """Return what is added to the pixels of each amplifier, in adu, but not to its overscan."""
    steps = amplifier_steps(signature.detector, signature.seed, shot.obs.exposure_id or 0)
    return {name: signature.flaws.amplifier_steps_adu * step for name, step in steps.items()}
