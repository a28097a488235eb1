"""A detector of two amplifiers and raws of it with a signature put in by hand."""

from __future__ import annotations

import numpy as np
import pytest

from isrflow.frame.camera import Amplifier, Detector
from isrflow.frame.exposure import Exposure
from isrflow.frame.obs import Observation
from isrflow.recipe import IsrConfig

NY, NX, OVERSCAN = 20, 12, 4  # of one amplifier


def the_detector(detector_id: int = 1) -> Detector:
    left = Amplifier(
        name="L",
        box=[0, 0, NX, NY],
        raw=[0, 0, NX + OVERSCAN, NY],
        raw_data=[0, 0, NX, NY],
        raw_serial_overscan=[NX, 0, OVERSCAN, NY],
        gain_electron_per_adu=2.0,
        read_noise_electron=6.0,
        saturation_adu=60000.0,
    )
    right = Amplifier(
        name="R",
        box=[NX, 0, NX, NY],
        raw=[NX + OVERSCAN, 0, NX + OVERSCAN, NY],
        raw_data=[NX + OVERSCAN, 0, NX, NY],
        raw_serial_overscan=[2 * NX + OVERSCAN, 0, OVERSCAN, NY],
        raw_flip_x=True,
        readout_corner="LR",
        gain_electron_per_adu=2.0,
        read_noise_electron=6.0,
        saturation_adu=60000.0,
    )
    return Detector(id=detector_id, name=f"S0{detector_id}", box=[0, 0, 2 * NX, NY], amplifiers=(left, right))


def raw_of(signal, level=1000.0, *, n: int = 1, obs_type: str = "bias", detector_id: int = 1, **obs) -> Exposure:
    """Make a raw mosaic of an assembled (NY, 2 NX) signal: the right half runs backwards, overscans hold the level."""
    image = np.full((NY, 2 * (NX + OVERSCAN)), float(level))
    image[:, :NX] += signal[:, :NX]
    image[:, NX + OVERSCAN : 2 * NX + OVERSCAN] += signal[:, : NX - 1 : -1]
    values = {"instrument": "pair", "exposure_id": n, "exposure_time_s": 0.0, "dark_time_s": 0.0, "day_obs": 20260301}
    begin = 10**18 + n * 10**11
    values |= {"begin_tai_ns": begin, "end_tai_ns": begin + 10**10}
    return Exposure(
        np.rint(image).astype(np.uint16),
        detector=the_detector(detector_id),
        obs=Observation(obs_type=obs_type, **(values | obs)),
        header={"SEQNAME": "standard", "AIRTEMP": 10.0 + n},
    )


def sources(raws):
    """Wrap raws as what makers take: callables that give a fresh exposure."""
    return [raw.copy for raw in raws]


@pytest.fixture(scope="session")
def recipe() -> IsrConfig:
    return IsrConfig.layered({"overscan.fit_type": "MEDIAN", "linearity.enabled": False})
