"""A raw exposure small enough to calculate by hand: two amplifiers of 6x5 pixels, the right one mirrored."""

from __future__ import annotations

from typing import Any

import numpy as np

from isrflow.frame.box import Box
from isrflow.frame.camera import Amplifier, Detector
from isrflow.frame.exposure import Exposure
from isrflow.frame.obs import Observation


def amplifier(name: str, x0: int, place: int, **more: Any) -> Amplifier:
    """A segment of 6x5: a column of prescan, 3x4 of light, two columns of overscan, a row of parallel overscan."""
    settings = {
        "box": Box(place, 0, 3, 4),
        "raw": Box(x0, 0, 6, 5),
        "raw_data": Box(x0 + 1, 0, 3, 4),
        "raw_serial_prescan": Box(x0, 0, 1, 4),
        "raw_serial_overscan": Box(x0 + 4, 0, 2, 4),
        "raw_parallel_overscan": Box(x0 + 1, 4, 3, 1),
        "gain_electron_per_adu": 2.0,
        "read_noise_electron": 4.0,
        "saturation_adu": 1000.0,
        "suspect_level_adu": 800.0,
    }
    return Amplifier(name=name, **{**settings, **more})


def tiny_detector(left: dict[str, Any] | None = None, right: dict[str, Any] | None = None) -> Detector:
    amplifiers = (
        amplifier("L", 0, 0, **(left or {})),
        amplifier("R", 6, 3, **{"raw_flip_x": True, "readout_corner": "LR", **(right or {})}),
    )
    return Detector(id=3, name="T", box=Box(0, 0, 6, 4), amplifiers=amplifiers)


def raw(level: float = 0.0, **detector: Any) -> Exposure:
    """A converted raw mosaic of one level."""
    return Exposure(
        image=np.full((5, 12), level, np.float32),
        mask=np.zeros((5, 12), np.int32),
        variance=np.zeros((5, 12), np.float32),
        detector=tiny_detector(**detector),
        obs=Observation(exposure_id=7),
    )


def trimmed(level: float = 0.0, **detector: Any) -> Exposure:
    """An assembled picture of one level."""
    return Exposure(
        image=np.full((4, 6), level, np.float32),
        mask=np.zeros((4, 6), np.int32),
        variance=np.zeros((4, 6), np.float32),
        detector=tiny_detector(**detector),
        obs=Observation(exposure_id=7),
    )
