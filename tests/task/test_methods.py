"""The single corrections under their old names."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isrflow.calibs.ptc import PhotonTransferCurve
from isrflow.errors import CalibrationError
from isrflow.frame.box import Box
from isrflow.frame.camera import load_camera
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.frame.obs import Observation
from isrflow.recipe import IsrConfig
from isrflow.task.isr_task import IsrTask

SAT, BAD, INTRP, NAN = (mask_bits(name) for name in ("SAT", "BAD", "INTRP", "UNMASKEDNAN"))


@pytest.fixture
def task() -> IsrTask:
    return IsrTask()


def test_dark_is_scaled_and_added_back(task, trimmed, calibs) -> None:
    dark = calibs["dark"].exposure
    before = trimmed.image.copy()
    task.darkCorrection(trimmed, dark)
    np.testing.assert_allclose(trimmed.image, before - 31 * dark.image, rtol=1e-6)
    task.darkCorrection(trimmed, dark, invert=True)
    np.testing.assert_allclose(trimmed.image, before, rtol=3e-7)


@pytest.mark.parametrize("which", ["exposure", "dark"])
def test_dark_times_must_be_known(task, trimmed, calibs, which) -> None:
    victim = trimmed if which == "exposure" else calibs["dark"].exposure
    victim.obs = replace(victim.obs, dark_time_s=float("nan"))
    with pytest.raises(RuntimeError, match="dark time"):
        task.darkCorrection(trimmed, calibs["dark"].exposure)


def test_flat_context_restores_the_image(task, trimmed, calibs) -> None:
    flat, dark = calibs["flat"].exposure, calibs["dark"].exposure
    before = trimmed.image.copy()
    with task.flatContext(trimmed, flat, dark) as inside:
        assert inside is trimmed
        np.testing.assert_allclose(trimmed.image, (before - 31 * dark.image) / flat.image, rtol=1e-6)
    np.testing.assert_allclose(trimmed.image, before, rtol=5e-7)
    with pytest.raises(ZeroDivisionError), task.flatContext(trimmed, flat, dark):
        raise ZeroDivisionError
    np.testing.assert_allclose(trimmed.image, before, rtol=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    level=st.floats(-1e6, 1e6, width=32),
    response=st.floats(0.0625, 16, width=32),
    current=st.floats(-64, 64, width=32),
    seconds=st.floats(0, 1024),
    with_dark=st.booleans(),
)
def test_flat_context_restores_any_image_to_float_rounding(level, response, current, seconds, with_dark) -> None:
    box = load_camera("tiny").detector("A").box

    def picture(values) -> Exposure:
        ramp = np.linspace(0.5, 1, box.area, dtype=np.float32).reshape(box.shape)
        image = (np.float32(values) * ramp).astype(np.float32)
        return Exposure(image, np.zeros(box.shape, np.int32), np.ones(box.shape, np.float32))

    exposure, flat, dark = picture(level), picture(response), picture(current)
    exposure.obs, dark.obs = Observation(dark_time_s=seconds), Observation(dark_time_s=1.0)
    before, variance = exposure.image.copy(), exposure.variance.copy()
    with IsrTask().flatContext(exposure, flat, dark if with_dark else None):
        pass
    # Each of four operations rounds once, on numbers not larger than picture and dark together.
    largest = np.abs(before) + (np.abs(dark.image) * np.float32(seconds) if with_dark else 0)
    np.testing.assert_array_less(np.abs(exposure.image - before), 4 * np.spacing(largest.astype(np.float32)) + 1e-37)
    assert (exposure.variance >= variance * (1 - 1e-6)).all()  # as there, it grows both ways


def test_conversion_gives_a_new_exposure_of_variance_one(task, raw) -> None:
    assert task.convertIntToFloat(raw) is raw
    integer = Exposure(np.full((3, 4), 7, np.uint16))
    converted = task.convertIntToFloat(integer)
    assert converted.image.dtype == np.float32
    assert np.all(converted.variance == 1)
    assert not converted.mask.any()
    assert integer.image.dtype == np.uint16


def test_overscan_of_one_amplifier(task, raw) -> None:
    left, right = raw.detector.amplifiers
    result = task.overscanCorrection(raw, left)
    assert result.overscanMean == pytest.approx(1000, abs=5)
    assert result.imageFit == result.overscanFit == result.overscanMean
    assert result.overscanSigma == 0
    assert result.overscanImage.image.shape == left.raw_serial_overscan.shape
    assert np.median(raw.image[left.raw_data.slices()]) == pytest.approx(500, abs=5)
    assert np.median(raw.image[right.raw_data.slices()]) == pytest.approx(1500, abs=5)


def test_overscan_of_a_trimmed_image_is_refused(task, trimmed) -> None:
    with pytest.raises(RuntimeError):
        task.overscanCorrection(trimmed, trimmed.detector.amplifiers[0])


def test_amplifiers_are_masked_and_judged(task, raw) -> None:
    left, right = raw.detector.amplifiers
    raw.image[5, 10] = 60000
    assert not task.maskAmplifier(raw, left, None)
    assert raw.mask[5, 10] == SAT
    assert task.maskAmplifier(raw, right, [right.box])
    assert np.all(raw.mask[right.raw.slices()] == BAD)


def test_saturation_is_found_grown_and_interpolated(task, raw) -> None:
    left = raw.detector.amplifiers[0]
    raw.image[5, 10] = 70000
    task.saturationDetection(raw, left)
    task.saturationInterpolation(raw)
    marked = {(5, 10), (4, 10), (6, 10), (5, 9), (5, 11)}
    assert {tuple(place) for place in np.argwhere(raw.mask & INTRP)} == marked
    assert raw.image[5, 10] == pytest.approx(1500, abs=60)


def test_suspect_levels_come_from_the_amplifier(task, raw) -> None:
    amp = raw.detector.amplifiers[0].model_copy(update={"suspect_level_adu": 1490.0})
    task.suspectDetection(raw, amp)
    expected = np.zeros(raw.mask.shape, bool)
    expected[amp.raw.slices()] = raw.image[amp.raw.slices()] >= 1490
    assert np.array_equal(raw.mask == mask_bits("SUSPECT"), expected)


def test_defects_are_masked_and_interpolated(task, trimmed) -> None:
    trimmed.image[10, 20] = -9999
    task.maskAndInterpolateDefects(trimmed, [Box(20, 10, 1, 1)])
    assert trimmed.mask[10, 20] == BAD | INTRP
    assert trimmed.image[10, 20] == 1000


def test_nan_pixels_are_masked_counted_and_interpolated(task, trimmed) -> None:
    trimmed.image[3, 4] = np.nan
    trimmed.variance[5, 6] = np.inf
    task.maskAndInterpolateNan(trimmed)
    assert task.metadata["NUMNANS"] == 2
    assert trimmed.image[3, 4] == 1000
    assert trimmed.variance[5, 6] == 100
    assert trimmed.mask[3, 4] == NAN | INTRP


def test_variance_of_zero_is_negative(task, trimmed) -> None:
    trimmed.variance[0, :3] = [0, -1, np.nan]
    task.maskNegativeVariance(trimmed)
    assert trimmed.mask[0, :4].tolist() == [BAD, BAD, 0, 0]


def test_edges_of_the_detector_and_of_amplifiers(task, trimmed) -> None:
    task.maskEdges(trimmed)
    assert not trimmed.mask.any()
    task.maskEdges(trimmed, 2, "EDGE", "AMP")
    assert np.flatnonzero(trimmed.mask[20]).tolist() == [0, 1, 30, 31, 32, 33, 62, 63]


def test_variance_in_adu(task, trimmed) -> None:
    amp = trimmed.detector.amplifiers[0]
    task.updateVariance(trimmed.amp(amp), amp)
    assert trimmed.variance[0, 0] == pytest.approx(1000 / 1.5 + (5 / 1.5) ** 2)
    assert trimmed.variance[0, 40] == 100


def test_variance_may_take_gain_and_noise_from_elsewhere(trimmed, raw) -> None:
    amp = trimmed.detector.amplifiers[0]
    ptc = PhotonTransferCurve(gain={"L": 2.0, "R": 2.0}, noise={"L": 4.0, "R": 4.0})
    both = IsrConfig.layered({"effective_ptc": {"use_ptc_gains": True, "use_ptc_noise": True}})
    IsrTask(config=both).updateVariance(trimmed, amp, ptcDataset=ptc)
    assert np.all(trimmed.variance == 504)
    empirical = IsrConfig.layered({"effective_ptc.empirical_read_noise": True})
    IsrTask(config=empirical).updateVariance(trimmed, amp, overscanImage=raw.amp(amp, "serial_overscan"))
    assert trimmed.variance[0, 0] == pytest.approx(1000 / 1.5 + 100, rel=0.1)  # the overscan's noise is 10 adu
    with pytest.raises(CalibrationError, match="amplifier L: gain or noise is to come from a ptc"):
        IsrTask(config=both).updateVariance(trimmed, amp)
    with pytest.raises(RuntimeError, match="amplifier L: noise is to come from the overscan"):
        IsrTask(config=empirical).updateVariance(trimmed, amp)


def test_binned_images(trimmed) -> None:
    config = IsrConfig.layered({"binned": {"factor1": 2, "factor2": 16}})
    small, smaller = IsrTask(config=config).makeBinnedImages(trimmed)
    assert small.image.shape == (24, 32)
    assert np.all(small.variance == 25)
    assert smaller.image.shape == (3, 4)


@pytest.mark.parametrize("made", [dict, lambda tree: SimpleNamespace(flatness=SimpleNamespace(**tree["flatness"]))])
def test_the_background_is_measured_on_the_mesh_that_is_asked_for(task, trimmed, made) -> None:
    trimmed.image[:, :32] = 900
    task.measureBackground(trimmed)
    assert "SKYLEVEL" not in trimmed.header
    flatness = {"meshX": 16, "meshY": 16, "doClip": True, "clipSigma": 3.0, "nIter": 3}
    task.measureBackground(trimmed, made({"flatness": flatness}))
    assert trimmed.header["SKYLEVEL"] == 950
    assert trimmed.header["FLATNESS_NGRIDS"] == "4x3"
    assert trimmed.header["FLATNESS_PP"] == pytest.approx(100 / 950)


def test_a_rough_zero_point_follows_from_filter_and_time(trimmed) -> None:
    trimmed.obs = replace(trimmed.obs, physical_filter="r")
    IsrTask(config={"fluxMag0T1": {"r": 1e10}}).roughZeroPoint(trimmed)
    assert trimmed.zero_point.counts_at_mag0 == 30e10


@pytest.mark.parametrize(
    ("cards", "date"),
    [
        ({"CALIB_CREATION_DATE": "2025-01-02", "CALIB_CREATION_TIME": "03:04"}, "2025-01-02 03:04"),
        ({"CALIB_CREATE_DATE": "2024-05-06"}, "2024-05-06 Unknown"),
        ({"CALIB_CREATION_TIME": "03:04"}, "Unknown Unknown"),
        ({}, "Unknown Unknown"),
    ],
)
def test_dates_of_calibrations(cards, date) -> None:
    assert IsrTask.extractCalibDate(Exposure(np.zeros((1, 1), np.float32), header=cards)) == date
    assert IsrTask.extractCalibDate(None) == "Unknown Unknown"
