"""Fringe frames of simulated skies: the pattern comes back, sources and gradients do not."""

from __future__ import annotations

import numpy as np
import pytest

from isrflow.calibs.fringe import Fringe
from isrflow.errors import UnprocessableError
from isrflow.frame.camera import Amplifier, Detector
from isrflow.frame.exposure import Exposure
from isrflow.frame.obs import Observation
from isrflow.makers.fringe import FringeMakerConfig, make_fringe
from isrflow.makers.inputs import MakerConfig
from isrflow.recipe import IsrConfig
from isrflow.steps.fringe import FringeConfig, subtract_fringes

SHAPE = (96, 120)
Y, X = np.mgrid[: SHAPE[0], : SHAPE[1]]
PATTERN = 0.01 * np.sin(2 * np.pi * np.hypot(X + 40, Y + 25) / 14)
RECIPE = IsrConfig().without(["overscan", "bias", "dark", "flat", "defects", "linearity"])
CONFIG = FringeMakerConfig(cell_px=48)


def detector() -> Detector:
    box = [0, 0, SHAPE[1], SHAPE[0]]
    amp = Amplifier(name="A", box=box, raw=box, raw_data=box, gain_electron_per_adu=1.0, read_noise_electron=3.0)
    return Detector(id=1, name="D", box=box, amplifiers=(amp,))


def sky(n: int, level: float, physical_filter: str = "y", obs_type: str = "science") -> Exposure:
    """A raw sky with fringes, a gradient and stars, each field its own."""
    rng = np.random.default_rng(n)
    image = level * (1 + PATTERN) + 0.1 * level * (X / SHAPE[1] - 0.5) * rng.uniform(-1, 1)
    for _ in range(6):
        x, y = rng.uniform(5, SHAPE[1] - 5), rng.uniform(5, SHAPE[0] - 5)
        image += 3 * level * np.exp(-0.5 * ((X - x) ** 2 + (Y - y) ** 2) / 1.5**2)
    image = rng.poisson(image) + rng.normal(0, 3, SHAPE)
    obs = Observation(exposure_id=n, obs_type=obs_type, physical_filter=physical_filter, instrument="one")
    return Exposure(np.rint(image).astype(np.uint16), detector=detector(), obs=obs)


@pytest.fixture(scope="module")
def fringe() -> Fringe:
    raws = [sky(n, level).copy for n, level in enumerate((4000, 8000, 5000, 6000, 9000, 7000, 8500, 5500, 6500))]
    return make_fringe(raws, RECIPE, {}, CONFIG)


def test_the_pattern_comes_back_in_units_of_the_sky(fringe) -> None:
    image = fringe.frames[0].image
    slope, _ = np.polyfit(PATTERN.ravel(), image.ravel(), 1)
    assert slope == pytest.approx(1, abs=0.05)  # the background takes a little of it
    noise = 1 / np.sqrt(60000)  # of nine skies of 4000 to 9000 electrons
    inner = (image - slope * PATTERN)[10:-10, 10:-10]
    assert np.std(inner) < 1.5 * noise
    assert abs(np.mean(image)) < 1e-3


def test_it_says_whose_it_is_and_what_it_was_made_of(fringe) -> None:
    frame = fringe.frames[0]
    assert (fringe.info.physical_filter, fringe.info.detector_name) == ("y", "D")
    assert frame.header["OBSTYPE"] == "fringe"
    assert frame.header["CPP_INPUT_8"] == 8
    assert frame.header["CPP_INPUT_SCALE_0"] == pytest.approx(4000, rel=0.02)


def test_what_was_made_cleans_another_exposure(fringe) -> None:
    raw = sky(99, 10000)
    image = raw.image.astype(np.float32)
    exposure = Exposure(image, np.zeros(SHAPE, np.int32), image.copy(), obs=raw.obs)
    config = FringeConfig(filters=("y",), n_samples=2000, small_px=2, large_px=14)
    found = subtract_fringes(exposure, config, fringe=fringe)
    assert found.strengths == pytest.approx((10000,), rel=0.1)


def test_exposures_that_do_not_belong_together_or_are_dark_are_refused() -> None:
    with pytest.raises(UnprocessableError, match="needs at least 3 exposures, 2 are given"):
        make_fringe([sky(1, 5000).copy, sky(2, 5000).copy], RECIPE, {})
    raws = [sky(1, 5000), sky(2, 5000, "r"), sky(3, 5000, obs_type="flat")]
    with pytest.raises(UnprocessableError, match=r"(?s)exposure 2.*filter is r.*exposure 3.*type flat, not fringe"):
        make_fringe([raw.copy for raw in raws], RECIPE, {})
    blank = [Exposure(np.zeros(SHAPE, np.uint16), detector=detector(), obs=sky(n, 10).obs) for n in range(3)]
    with pytest.raises(UnprocessableError, match=r"its sky is 0 adu"):
        make_fringe([raw.copy for raw in blank], RECIPE, {}, MakerConfig())
