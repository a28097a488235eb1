"""Fringes of exposures: which filters, which pixels, what is written down, what is refused."""

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from isrflow.calibs.fringe import Fringe
from isrflow.errors import CalibrationMismatch, GeometryError, MissingCalibrations, StepError
from isrflow.frame.exposure import Exposure
from isrflow.frame.obs import Observation
from isrflow.steps.fringe import FringeConfig, subtract_fringes

SHAPE = (70, 80)
CONFIG = FringeConfig(filters=("y",), n_samples=400, small_px=2, large_px=12)
IN_MEANS = CONFIG.model_copy(update={"statistic": "MEAN"})  # which are linear, unlike medians


def picture(image: np.ndarray, variance: float = 4.0, **obs) -> Exposure:
    planes = np.zeros(image.shape, np.int32), np.full(image.shape, variance, np.float32)
    return Exposure(image.astype(np.float32), *planes, obs=Observation(**obs))


def rings(x0: float, period: float) -> np.ndarray:
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return np.sin(2 * np.pi * np.hypot(x - x0, y + 30) / period)


A, B = rings(-40, 13.0), rings(120, 17.0)
FRINGE = Fringe(frames=(picture(A, 0.25), picture(B, 0.0)))


def science(noise: float = 0.0, **obs) -> Exposure:
    image = 1000 + 37 * A - 12 * B + np.random.default_rng(1).normal(0, noise, SHAPE)
    return picture(image, **{"exposure_id": 42, "physical_filter": "y"} | obs)


def test_two_patterns_are_taken_off_as_strongly_as_they_are_there() -> None:
    exposure = science()
    found = subtract_fringes(exposure, IN_MEANS, fringe=FRINGE)
    assert found.strengths == pytest.approx((37, -12), rel=1e-5)
    assert exposure.image == pytest.approx(np.full(SHAPE, 1000.0), abs=1e-2)
    assert exposure.variance == pytest.approx(np.full(SHAPE, 4 + found.strengths[0] ** 2 * 0.25), rel=1e-6)
    assert exposure.header["LSST ISR FRINGE APPLIED"] is True
    assert exposure.header["LSST ISR FRINGE STRENGTH 2"] == found.strengths[1]
    assert exposure.header["LSST ISR FRINGE RMS"] == found.rms


def test_medians_of_two_patterns_are_not_their_sum_but_nearly() -> None:
    exposure = science()
    found = subtract_fringes(exposure, CONFIG, fringe=FRINGE)
    assert found.strengths == pytest.approx((37, -12), rel=0.12)
    assert np.std(exposure.image) < 0.05 * np.std(science().image)


def test_one_pattern_without_noise_is_taken_off_exactly() -> None:
    exposure = picture(100 + 25 * A, exposure_id=1, band="y")
    found = subtract_fringes(exposure, CONFIG, fringe=Fringe(frames=(picture(A),)))
    assert found.strengths == pytest.approx((25,), rel=1e-6)
    assert exposure.image == pytest.approx(np.full(SHAPE, 100.0), abs=1e-4)


def test_saturated_pixels_of_science_and_frames_are_not_measured_and_marks_stay_as_they_are() -> None:
    exposure, frame = picture(100 + 25 * A, physical_filter="y"), picture(A)
    exposure.image[20:26] += 5e4
    exposure.mask[20:26] = 2  # these leave the frame's boxes too, so that nothing is lost
    before = exposure.mask.copy()
    found = subtract_fringes(exposure.copy(), CONFIG, fringe=Fringe(frames=(frame,)))
    assert found.strengths == pytest.approx((25,), rel=1e-6)
    assert not frame.mask.any()
    frame.image[50:55] = 300
    frame.mask[50:55] = 2 | 1
    found = subtract_fringes(exposure, CONFIG, fringe=Fringe(frames=(frame,)))
    assert found.strengths == pytest.approx((25,), rel=0.02)
    assert exposure.mask.tolist() == before.tolist()
    assert not frame.mask[:50].any()  # and the calibration is left alone


def test_a_pedestal_of_a_frame_is_taken_off_if_so_wished() -> None:
    raised = Fringe(frames=(picture(A + 5), picture(B)))
    kept, exposure = science(), science()
    strength = subtract_fringes(kept, CONFIG, fringe=raised).strengths[0]
    subtract_fringes(exposure, CONFIG.model_copy(update={"subtract_pedestal": True}), fringe=raised)
    assert np.median(kept.image) == pytest.approx(1000 - 5 * strength, abs=1)
    assert np.median(exposure.image) == pytest.approx(1000 + (37 - 12) * 0.1, abs=5)
    assert raised.frames[0].image.max() > 5.9


def test_the_exposure_id_decides_the_places_so_that_a_repeated_run_agrees() -> None:
    def strengths(config: FringeConfig = CONFIG, **obs) -> tuple[float, ...]:
        return subtract_fringes(science(3.0, **obs), config, fringe=FRINGE).strengths

    assert strengths() == strengths()
    assert strengths() != strengths(exposure_id=43)
    assert strengths(exposure_id=43) == strengths(CONFIG.model_copy(update={"seed_offset": 1}))
    assert strengths(exposure_id=2**32 + 42) == strengths()
    assert strengths(exposure_id=None) == strengths(CONFIG.model_copy(update={"seed": 0}))


@pytest.mark.parametrize("obs", [{"physical_filter": "r"}, {"physical_filter": None}, {"band": "z"}])
def test_other_filters_are_left_alone(obs) -> None:
    exposure = science(**{"physical_filter": "r"} | obs)
    before = exposure.image.copy()
    assert subtract_fringes(exposure, CONFIG, fringe=FRINGE) is None
    assert exposure.image.tolist() == before.tolist()
    assert "LSST ISR FRINGE APPLIED" not in exposure.header


def test_frames_are_demanded_for_listed_filters_only() -> None:
    assert CONFIG.demands(None, "y") == {"fringe"}
    assert CONFIG.demands(None, "r") == CONFIG.demands(None, None) == FringeConfig().demands(None, "y") == frozenset()
    with pytest.raises(MissingCalibrations, match="taken through band y, which has fringes, but there are no frames"):
        subtract_fringes(science(physical_filter=None, band="y"), CONFIG)


def test_a_blank_picture_loses_nothing(caplog) -> None:
    exposure = picture(np.full(SHAPE, 7.0), physical_filter="y")
    assert subtract_fringes(exposure, CONFIG, fringe=FRINGE).strengths == (0.0, 0.0)
    assert np.all(exposure.image == 7)
    assert "no place to measure fringes at is left" in caplog.text


def test_what_does_not_fit_is_refused() -> None:
    small = Fringe(frames=(picture(A[:-1]),))
    with pytest.raises(CalibrationMismatch, match="fringe frame is 80 x 69 pixels"):
        subtract_fringes(science(), CONFIG, fringe=small)
    with pytest.raises(
        GeometryError, match=r"80 x 70 pixels cannot hold a box of 70 pixels.*\n.*lower fringe.large_px"
    ):
        subtract_fringes(science(), CONFIG.model_copy(update={"large_px": 35}), fringe=FRINGE)
    with pytest.raises(ValidationError, match="small_px 9 is larger than large_px 8"):
        FringeConfig(small_px=9, large_px=8)


def test_the_rows_stand_around_the_flat_and_the_default_one_asks_for_nothing() -> None:
    from isrflow.recipe import IsrConfig
    from isrflow.run import run_isr

    names = [row.name for row in IsrConfig.rows]
    assert names.index("dark") < names.index("fringe_before_flat") < names.index("flat") < names.index("fringe")
    assert [name for name, config in IsrConfig() if config.enabled and "fringe" in name] == ["fringe"]
    assert "fringe" not in IsrConfig().needs(None, "y")
    in_y = IsrConfig.layered({"fringe.filters": ["y"]})
    assert (in_y.needs(None, "y")["fringe"], in_y.needs(None, "r")["fringe"]) == (True, False)
    only = in_y.without([name for name in names if name != "fringe"])
    with pytest.raises(MissingCalibrations, match="--without fringe"):
        run_isr(science(), {}, only)
    band_only = replace(science(physical_filter="y_01", band="y"))
    with pytest.raises(StepError, match=r"step fringe failed .* there are no frames"):
        run_isr(band_only, {}, only)
    result = run_isr(science(), {"fringe": FRINGE}, only)
    assert np.std(result.exposure.image) < 2.0
