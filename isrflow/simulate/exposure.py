"""One simulated exposure of one detector, and the truth about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from isrflow.frame.camera import Camera, Detector
from isrflow.frame.exposure import Exposure
from isrflow.simulate.collection import collect, push_kernel
from isrflow.simulate.cosmic_rays import add_cosmic_rays
from isrflow.simulate.electronics import bleed, heard_from
from isrflow.simulate.flaws import Flaws
from isrflow.simulate.light import expected_charge, steps_of
from isrflow.simulate.noise import draw_counts, stream
from isrflow.simulate.readout import read_out, signals_of
from isrflow.simulate.registers import through_registers
from isrflow.simulate.shots import Shot
from isrflow.simulate.signature import Signature, make_signature
from isrflow.simulate.sky import scene_of


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What really happened on a detector; arrays (ny, nx) in assembled coordinates."""

    shot: Shot
    signature: Signature
    scene_electron: NDArray[np.float32]
    """Expected light, before vignetting and sensitivity: what a perfect correction would give back."""
    charge_electron: NDArray[np.float32]
    """What the pixels held when they were read: light and dark current with their noise, cosmic rays, bleed trails."""
    cosmic_rays: NDArray[np.bool_]
    """Pixels that were hit."""
    bled: NDArray[np.bool_]
    """Pixels whose charge is not their own: full ones, and those that full ones ran into."""
    level_adu: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    """Electronic level of each raw row, by amplifier."""
    heard_adu: Sequence[NDArray[np.float32]] = ()
    """What each amplifier heard of other detectors, in order of readout; empty if nothing."""

    @property
    def light_electron(self) -> NDArray[np.float32]:
        """Expected light after vignetting and sensitivity."""
        return self.scene_electron * self.signature.response(self.shot.obs.physical_filter)

    @property
    def dark_electron(self) -> NDArray[np.float32]:
        """Expected dark charge."""
        return self.signature.dark_electron_s * np.float32(self.shot.obs.dark_time_s)

    @property
    def full(self) -> NDArray[np.bool_]:
        """Pixels at full well."""
        return self.charge_electron >= 0.999 * self.per_pixel(self.signature.full_well_electron)

    @property
    def gain(self) -> NDArray[np.float32]:
        """True gain of each pixel, electron/adu."""
        amps = self.signature.detector.amplifiers
        return self.per_pixel({amp.name: amp.gain_electron_per_adu for amp in amps})

    def per_pixel(self, values: Mapping[str, float]) -> NDArray[np.float32]:
        """Spread one value an amplifier over its pixels."""
        image = np.zeros(self.scene_electron.shape, np.float32)
        for amp in self.signature.detector.amplifiers:
            image[amp.box.slices()] = values[amp.name]
        return image


def simulate_exposure(
    camera: Camera,
    detector: Detector,
    shot: Shot,
    *,
    seed: int = 1,
    flaws: Flaws | None = None,
    signature: Signature | None = None,
) -> tuple[Exposure, Truth]:
    """Simulate one exposure of one detector.

    Parameters
    ----------
    camera, detector
        Geometry and electronics.
    shot
        What is exposed (see `isrflow.simulate.shots`).
    seed
        The same seed, exposure id and detector always give the same pixels.
    flaws
        How strong each part of the signature is; ignored if `signature` is given.
    signature
        The detector's signature if it has been made already: it takes longer than an exposure.

    Returns
    -------
    exposure
        The raw mosaic as a camera writes it, uint16 (or int32), with circumstances; the header is made on writing.
    truth
        What was put in.
    """
    signature = signature or make_signature(camera, detector, flaws, seed=seed)
    rng = stream(seed, "exposure", shot.obs.exposure_id or 0, detector.id)
    truth = _collect(shot, signature, seed, rng)
    heard = _heard_from_others(shot, signature, seed)
    charge, late = through_registers(truth.charge_electron, signature)
    steps = steps_of(shot, signature)
    mosaic, levels = read_out(charge, signature, rng, heard_adu=heard, steps_adu=steps, late_electron=late)
    return Exposure(image=mosaic, detector=detector, obs=shot.obs), replace(truth, heard_adu=heard, level_adu=levels)


def _collect(shot: Shot, signature: Signature, seed: int, rng: np.random.Generator) -> Truth:
    """Let light fall on a detector, up to the moment of readout."""
    detector, flaws = signature.detector, signature.flaws
    scene = scene_of(shot, signature.camera, detector, seed)
    charge = expected_charge(shot, signature, scene)
    if flaws.shot_noise:
        charge = draw_counts(charge, rng)
    if flaws.brighter_fatter:
        charge = collect(charge, push_kernel(flaws.brighter_fatter))
    hit = add_cosmic_rays(charge, detector, flaws.cosmic_rays_cm2_min, shot.obs.dark_time_s, rng)
    bled = np.zeros(charge.shape, np.bool_)
    if flaws.bleeding:
        for amp in detector.amplifiers:
            part = amp.box.slices()
            bled[part] = bleed(charge[part], signature.full_well_electron[amp.name])
    return Truth(shot, signature, scene, charge, hit, bled)


def _heard_from_others(shot: Shot, signature: Signature, seed: int) -> list[NDArray[np.float32]]:
    """Return what each amplifier hears of other detectors in the same shot, to first order in the coefficients."""
    heard: list[NDArray[np.float32]] = []
    for name, matrix in signature.inter_detector.items():
        other = signature.camera.detector(name)
        theirs = make_signature(signature.camera, other, signature.flaws, seed=signature.seed)
        rng = stream(seed, "exposure", shot.obs.exposure_id or 0, other.id)
        signals = signals_of(_collect(shot, theirs, seed, rng).charge_electron, other)
        part = heard_from(signals, matrix)
        heard = [a + b for a, b in zip(heard, part, strict=True)] if heard else part
    return heard
