"""Simulated days as files: read back, they say what was simulated."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits

from isrflow.calibs.files import read_calibration
from isrflow.errors import ConfigError
from isrflow.frame.camera import camera_from_yaml, camera_to_yaml, load_camera
from isrflow.frame.raw import inspect_raw, read_raw
from isrflow.frame.times import utc_from_tai_ns
from isrflow.simulate import afternoon_shots, night_shots, simulate_calibrations, simulate_night, simulate_shots
from isrflow.simulate.sky import add_star

DAY = 20260301


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    return simulate_night(load_camera("tiny"), tmp_path_factory.mktemp("sim"), DAY, n_science=3, n_flat=2)


def test_every_exposure_has_a_file_for_every_detector(day):
    assert len(day.shots) == 5 + 3 + 2 * 2 + 3
    assert len(day.raws) == 2 * len(day.shots)
    assert len(set(day.raws)) == len(day.raws)


def test_what_is_read_back_is_what_was_simulated(day):
    shots = {shot.obs.exposure_id: shot.obs for shot in day.shots}
    for path in day.raws:
        summary = inspect_raw(path, [load_camera("lupine"), day.camera])
        assert summary.camera.name == "tiny"
        assert summary.detector.name in path.stem
        assert summary.obs == shots[summary.obs.exposure_id]


def test_pixels_are_those_of_the_truth(day):
    path = day.raws[-1]
    raw = read_raw(path, day.camera)
    truth = day.truth(raw.obs.exposure_id, raw.detector.name)
    assert truth.shot.obs == raw.obs
    full = truth.charge_electron / truth.gain
    for amp in raw.detector.amplifiers:
        ours = raw.amp(amp).image.astype(float).mean() - raw.amp(amp, "serial_overscan").image.mean()
        assert ours == pytest.approx(full[amp.box.slices()].mean() + truth.signature.bias_adu.mean(), rel=0.02)


def test_the_same_seed_writes_the_same_bytes_but_for_the_date(day, tmp_path):
    again = simulate_night(day.camera, tmp_path, DAY, n_science=3, n_flat=2)
    for first, second in zip(day.raws, again.raws, strict=True):
        with fits.open(first) as a, fits.open(second) as b:
            assert np.array_equal(a[0].data, b[0].data)
            assert list(a[0].header) == list(b[0].header)


def test_time_runs_forward_and_the_afternoon_and_the_night_are_one_day(day):
    begins = [shot.obs.begin_tai_ns for shot in day.shots]
    ends = [shot.obs.end_tai_ns for shot in day.shots]
    assert all(end <= begin for end, begin in zip(ends, begins[1:], strict=False))
    assert {shot.obs.day_obs for shot in day.shots} == {DAY}
    assert [shot.obs.seq_num for shot in day.shots] == list(range(1, len(day.shots) + 1))
    assert str(utc_from_tai_ns(begins[0]))[:16] == "2026-03-01 20:00"
    assert str(utc_from_tai_ns(begins[-3]))[:16] == "2026-03-01 23:30"
    types = [shot.obs.obs_type for shot in day.shots]
    assert types == ["bias"] * 5 + ["dark"] * 3 + ["flat"] * 4 + ["science"] * 3


def test_the_observing_day_follows_the_rollover():
    text = camera_to_yaml(load_camera("tiny")).replace("day_rollover_hours: 12.0", "day_rollover_hours: 0.0")
    camera = camera_from_yaml(text.replace("name: Desk", "name: Desk\n  day_rollover_hours: 0.0"))
    shot = night_shots(camera, DAY, n_science=1)[0]
    assert str(utc_from_tai_ns(shot.obs.begin_tai_ns))[:16] == "2026-03-01 11:30"


def test_tables_and_truths_are_calibrations_one_can_read(day):
    assert set(day.tables) == {"linearizer", "crosstalk", "ptc"}
    assert set(day.truths) == {"bias", "dark", "defects", "flat"}
    for kind, paths in (day.tables | day.truths).items():
        for path in paths:
            read_calibration(kind, path).check()
    ptc = read_calibration("ptc", day.tables["ptc"][1])
    assert ptc.gain == {amp.name: amp.gain_electron_per_adu for amp in day.camera.detectors[1].amplifiers}
    assert (ptc.info.detector_id, ptc.info.instrument) == (1, "tiny")
    assert len(day.truths["flat"]) == 4  # two filters, two detectors


def test_one_hdu_an_amplifier_is_written_where_the_camera_says_so(tmp_path):
    camera = load_camera("lupine")
    night = simulate_calibrations(camera, tmp_path, DAY, n_bias=1, n_dark=0, n_flat=0)
    with fits.open(night.raws[0]) as hdus:
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "C00", "C01", "C10", "C11"]
        assert hdus[0].header["IMAGETYP"] == "BIAS"
        assert hdus["C11"].header["DATASEC"] == "[9:520,1:512]"
        assert hdus["C11"].header["DETSEC"] == "[1024:513,1024:513]"
    raw = read_raw(night.raws[0], camera)
    truth_raw = night.truth(raw.obs.exposure_id, 0)
    assert raw.image.shape == camera.detectors[0].raw_box.shape
    assert truth_raw.signature.detector == camera.detectors[0]


def test_flat_pairs_climb_in_level():
    shots = afternoon_shots(load_camera("tiny"), DAY, n_bias=0, n_dark=0, n_flat=0, n_pairs=4)
    levels = [shot.lamp_electron for shot in shots]
    assert levels[0::2] == levels[1::2]
    assert levels[0] == pytest.approx(1500)
    assert levels[-1] == pytest.approx(60_000)
    assert [shot.obs.exposure_time_s / shot.lamp_electron for shot in shots] == pytest.approx([8 / 30_000] * 8)


def test_fields_are_visited_in_every_filter_and_keep_their_stars():
    shots = night_shots(load_camera("tiny"), DAY, n_science=8)
    assert [shot.field for shot in shots] == ["Alpha"] * 2 + ["Beta"] * 2 + ["Gamma"] * 2 + ["Alpha"] * 2
    assert [shot.obs.physical_filter for shot in shots[:4]] == ["g_01", "r_01"] * 2


def test_a_star_has_the_light_and_the_width_it_should_have():
    image = np.zeros((401, 401), np.float32)
    add_star(image, 200.0, 200.0, 1e6, 4.0)
    # A Moffat profile of exponent 3 has (1 + (R/a)^2)^-2 of its light beyond R; a = 3.92 px, R = 200 px: 1.5e-7
    assert image.sum(dtype=np.float64) == pytest.approx(1e6, rel=0.01)  # pixels sample, they do not integrate
    assert image[200, 202] / image[200, 200] == pytest.approx(0.5, abs=1e-5)


def test_a_camera_whose_headers_cannot_say_what_is_simulated_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"header map of obs_test cannot say .*obs_type would be read as 'science'"):
        simulate_calibrations(load_camera("obs_test"), tmp_path, DAY, n_bias=1)


def test_what_does_not_exist_is_refused(day, tmp_path):
    with pytest.raises(ConfigError, match=r"camera tiny has no filter u, z \(it has g_01, r_01\)"):
        simulate_night(day.camera, tmp_path, DAY, filters=["u", "g_01", "z"])
    with pytest.raises(ConfigError, match="20261301 is not a day"):
        simulate_night(day.camera, tmp_path, 20261301)
    with pytest.raises(ConfigError, match="two shots have the same exposure id: 2026030100001"):
        simulate_shots(day.camera, tmp_path, [day.shots[0], *night_shots(day.camera, DAY, n_science=2)])
    with pytest.raises(ConfigError, match="exposure 5 is not one of the 15 simulated"):
        day.truth(5, 0)
