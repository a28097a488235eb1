"""What goes into a simulated raw, one flaw at a time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isrflow.errors import ConfigError
from isrflow.frame.camera import Amplifier, load_camera
from isrflow.frame.obs import Observation
from isrflow.simulate import Flaws, Shot, make_signature, simulate_exposure, true_calibrations
from isrflow.simulate.electronics import add_crosstalk, bleed, delinearized, linearized
from isrflow.simulate.noise import draw_counts, stream

CAMERA = load_camera("tiny")
DETECTOR = CAMERA.detectors[0]
BIAS = Shot(obs=Observation(exposure_id=1, obs_type="bias", exposure_time_s=0.0, dark_time_s=0.0))
DARK = Shot(obs=Observation(exposure_id=2, obs_type="dark", exposure_time_s=100.0, dark_time_s=100.0))
FLAT = Shot(
    obs=Observation(exposure_id=3, obs_type="flat", exposure_time_s=1.0, dark_time_s=0.0, physical_filter="g_01"),
    lamp_electron=15_000.0,
)


def simulate(shot, **changes):
    return simulate_exposure(CAMERA, DETECTOR, shot, flaws=Flaws.none(**changes))


def amplifier(linearity_type="Squared", coefficients=(4e-7,)):
    amp = DETECTOR.amplifiers[0]
    return Amplifier(**(amp.model_dump() | {"linearity_type": linearity_type, "linearity_coefficients": coefficients}))


def test_a_flawless_camera_writes_its_light_divided_by_gain():
    raw, truth = simulate(FLAT)
    for amp in DETECTOR.amplifiers:
        assert np.array_equal(raw.amp(amp).image, np.full(amp.box.shape, round(15_000 / amp.gain_electron_per_adu)))
        assert not raw.amp(amp, "serial_overscan").image.any()
    assert (truth.scene_electron == 15_000).all()
    assert truth.signature.is_sound.all()


def test_the_level_of_the_electronics_is_everywhere_in_a_row():
    raw, truth = simulate(BIAS, level_adu=1000.0, drift_rms_adu=50.0)
    for amp in DETECTOR.amplifiers:
        segment = raw.amp(amp, "raw").image
        assert (segment == segment[:, :1]).all()
        assert np.array_equal(segment[:, 0], np.rint(truth.level_adu[amp.name]))
        assert segment[:, 0].std() > 5


def test_the_fixed_pattern_is_in_the_data_and_its_columns_in_the_parallel_overscan():
    raw, truth = simulate(BIAS, level_adu=1000.0, bias_column_rms_adu=100.0)
    for amp in DETECTOR.amplifiers:
        data, overscan = raw.amp(amp).image, raw.amp(amp, "parallel_overscan").image
        assert np.array_equal(data[:4], overscan)
        assert data[0].std() > 50
        assert raw.amp(amp, "serial_overscan").image.std() == 0
    # and in the assembled pattern the right amplifier's columns are turned round
    left, right = DETECTOR.amplifiers
    assert truth.signature.bias_adu[0, left.box.x0] == truth.signature.column_adu["L"][0]
    assert truth.signature.bias_adu[0, right.box.x1 - 1] == truth.signature.column_adu["R"][0]


def test_read_noise_is_the_camera_s():
    camera = load_camera("lupine")
    raw, _ = simulate_exposure(camera, camera.detectors[0], BIAS, flaws=Flaws.none(level_adu=1000.0, read_noise=1.0))
    for amp in camera.detectors[0].amplifiers:
        expected = np.hypot(amp.read_noise_electron / amp.gain_electron_per_adu, 12**-0.5)
        # 3e5 pixels know their scatter to 0.13 %
        assert raw.amp(amp, "raw").image.std() == pytest.approx(expected, rel=0.007)


def test_dark_current_grows_with_dark_time_and_hot_pixels_are_defects():
    raw, truth = simulate(DARK, dark_electron_s=10.0, hot_fraction=1e-3)
    hot = truth.signature.blemishes.hot
    assert len(hot) == round(1e-3 * 64 * 48)
    charge = truth.charge_electron
    assert np.median(charge) == 1000.0
    assert (charge[tuple(hot.T)] > 1700).all()
    assert np.median(raw.amp(DETECTOR.amplifiers[0]).image) == round(1000 / 1.5)
    assert true_calibrations(truth.signature)["defects"].mask((48, 64))[tuple(hot.T)].all()


def test_dead_columns_point_away_from_the_output():
    camera = load_camera("lupine")
    for detector in camera.detectors:
        signature = make_signature(camera, detector, Flaws.none(bad_columns=3))
        for box in signature.blemishes.columns:
            amp = next(amp for amp in detector.amplifiers if amp.box.contains(box))
            assert box.width == 1
            assert box.y0 == amp.box.y0 if amp.readout_corner.startswith("U") else box.y1 == amp.box.y1
            assert (signature.pixel_response[box.slices()] == 0).all()


def test_the_response_has_mean_one_and_the_scatter_that_was_asked_for():
    camera = load_camera("lupine")
    signature = make_signature(camera, camera.detectors[3], Flaws.none(prnu_rms=0.02, vignetting=0.2))
    response = signature.response("g_01")
    assert response.mean(dtype=np.float64) == pytest.approx(1.0, abs=1e-4)
    assert signature.pixel_response.std() == pytest.approx(0.02, rel=0.01)
    corner, centre = response[-200:, -200:].mean(), response[:200, :200].mean()  # of the focal plane
    assert 0.75 < corner / centre < 0.9
    assert not np.array_equal(response, signature.response("r_01"))


@given(st.floats(-50.0, 60_000.0), st.sampled_from([(4e-7,), (-3e-7,), (3e-7, 2e-13), (-2e-7, 1e-12, 1e-18)]))
def test_linearizing_undoes_what_the_electronics_did(signal, coefficients):
    amp = amplifier("Polynomial", coefficients)
    measured = delinearized(np.array([signal]), amp)
    assert linearized(measured, amp)[0] == pytest.approx(signal, abs=1e-6)
    assert amp.name == "L"


def test_a_squared_linearity_matches_the_formula_by_hand():
    # u' = u (1 + c u): 20000 (1 + 4e-7 * 20000) = 20160
    assert delinearized(np.array([20_160.0]), amplifier())[0] == pytest.approx(20_000.0, abs=1e-9)


def test_a_linearity_that_cannot_be_turned_round_is_refused():
    with pytest.raises(ConfigError, match="amplifier L: linearity Spline cannot be simulated"):
        delinearized(np.array([1.0]), amplifier("Spline", (1.0, 2.0)))


def test_crosstalk_goes_from_source_to_target():
    blocks = [np.full((2, 3), 1000.0, np.float32), np.zeros((2, 3), np.float32)]
    heard = add_crosstalk(blocks, np.array([[0.0, 0.01], [0.05, 0.0]]))
    assert np.array_equal(heard[0], blocks[0])
    assert heard[1] == pytest.approx(np.full((2, 3), 10.0))


def test_charge_beyond_full_well_runs_half_each_way():
    charge = np.zeros((7, 2), np.float32)
    charge[3, 0] = 450.0
    moved = bleed(charge, 100.0)
    assert charge[:, 0].tolist() == [0, 75, 100, 100, 100, 75, 0]
    assert moved[:, 0].tolist() == [False, True, True, True, True, True, False]
    assert not moved[:, 1].any()


@given(
    st.lists(st.floats(0, 500, width=32), min_size=20, max_size=20).map(lambda v: np.array(v, np.float32)),
    st.floats(600, 1000),
)
def test_bleeding_keeps_charge_while_there_is_room(column, full_well):
    charge = np.concatenate([np.zeros(40), column, np.zeros(40)]).astype(np.float32)[:, np.newaxis]
    charge[50] += 4000
    before = charge.sum(dtype=np.float64)
    bleed(charge, full_well)
    assert charge.max() <= full_well * (1 + 1e-6)
    assert charge.sum(dtype=np.float64) == pytest.approx(before, rel=1e-6)


def test_charge_that_reaches_the_edge_is_lost():
    charge = np.full((3, 1), 500.0, np.float32)
    bleed(charge, 100.0)
    assert charge.tolist() == [[100], [100], [100]]


@pytest.mark.parametrize("mean", [0.3, 5.0, 39.0, 41.0, 800.0])
def test_counts_have_the_mean_and_variance_of_poisson(mean):
    counts = draw_counts(np.full((400, 500), mean, np.float32), stream(1, "test"))
    # 2e5 numbers: the mean is known to sqrt(mean/2e5), the variance to 0.3 % (more for small means); five sigma
    assert counts.mean(dtype=np.float64) == pytest.approx(mean, abs=5 * np.sqrt(mean / 2e5))
    assert counts.var(dtype=np.float64) == pytest.approx(mean, rel=5 * np.sqrt((2 + 1 / mean) / 2e5))


def test_means_on_both_sides_of_the_limit_can_be_mixed():
    counts = draw_counts(np.array([[0.0, 1e4], [2.0, 1e6]], np.float32), stream(1, "test"))
    assert counts[0, 0] == 0
    assert abs(counts[0, 1] - 1e4) < 600


def test_the_same_seed_gives_the_same_pixels_and_another_seed_does_not():
    first, _ = simulate_exposure(CAMERA, DETECTOR, FLAT, seed=7)
    again, _ = simulate_exposure(CAMERA, DETECTOR, FLAT, seed=7)
    other, _ = simulate_exposure(CAMERA, DETECTOR, FLAT, seed=8)
    next_one, _ = simulate_exposure(CAMERA, DETECTOR, replace(FLAT, obs=replace(FLAT.obs, exposure_id=4)), seed=7)
    assert np.array_equal(first.image, again.image)
    assert not np.array_equal(first.image, other.image)
    assert not np.array_equal(first.image, next_one.image)


def test_deep_wells_are_written_in_32_bits():
    text = CAMERA.model_dump()
    for detector in text["detectors"]:
        for amp in detector["amplifiers"]:
            amp["saturation_adu"] = 140_000.0
    camera = type(CAMERA).model_validate(text)
    raw, _ = simulate_exposure(camera, camera.detectors[0], replace(FLAT, lamp_electron=150_000.0), flaws=Flaws.none())
    assert raw.image.dtype == np.int32
    assert raw.image.max() == 100_000  # 150000 electrons at 1.5 electron/adu


def test_a_thousand_by_a_thousand_pixels_take_about_a_tenth_of_a_second(record_property):
    import time

    camera = load_camera("lupine")
    signature = make_signature(camera, camera.detectors[0])
    shot = replace(FLAT, lamp_electron=600.0)
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        simulate_exposure(camera, camera.detectors[0], shot, signature=signature)
        seconds.append(time.perf_counter() - start)
    record_property("seconds", min(seconds))
    assert min(seconds) < 1.0  # 0.05 s on a quiet machine; a busy one must not fail
