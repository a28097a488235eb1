"""Real tables of Rubin's cameras and DECam are applied to pixels, and do what their own numbers say.

They lie in the directory named by ISRFLOW_REALDATA, else in ``../shared/realdata``. Expected values are computed from
the bare files, or published with them.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from astropy.io import fits
from astropy.table import Table

from isrflow.calibs.files import read_calibration, write_calibration
from isrflow.frame.camera import Amplifier, Detector
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.kernels.photodiode import integrate
from isrflow.steps.brighter_fatter import BrighterFatterConfig, correct_exposure
from isrflow.steps.crosstalk import CrosstalkConfig, subtract_crosstalk
from isrflow.steps.defects import DefectsConfig, mask_defects
from isrflow.steps.linearity import LinearityConfig, linearize
from isrflow.steps.transmission import TransmissionConfig, attach_transmission

ROOT = Path(os.environ.get("ISRFLOW_REALDATA", Path(__file__).parents[2].parent / "shared" / "realdata"))
pytestmark = pytest.mark.skipif(not ROOT.is_dir(), reason="no real data: set ISRFLOW_REALDATA")
RNG = np.random.default_rng(8)


def a_picture(info, n_amps: int, names=None, *, unit: str = "adu", side: int = 4, level: float = 0.0) -> Exposure:
    """Return a trimmed picture of amplifiers beside each other, all read out at their lower left."""
    amps = tuple(
        Amplifier(
            name=names[i] if names else f"C{i:02d}",
            box=[side * i, 0, side, side],
            raw=[side * i, 0, side, side],
            raw_data=[side * i, 0, side, side],
            gain_electron_per_adu=1.0,
        )
        for i in range(n_amps)
    )
    box = [0, 0, side * n_amps, side]
    detector = Detector(id=info.detector_id or 0, name=info.detector_name or "D", box=box, amplifiers=amps)
    planes = np.full(detector.box.shape, level, np.float32), np.zeros(detector.box.shape, np.int32)
    return Exposure(*planes, np.ones(detector.box.shape, np.float32), detector=detector, unit=unit)


# -- crosstalk --------------------------------------------------------------------------------------------------------


def the_matrix_of(path: Path) -> tuple[np.ndarray, str]:
    """Return the bare matrix and the unit a crosstalk file states."""
    if path.suffix == ".ecsv":
        table = Table.read(path, format="ascii.ecsv")
        flat, unit = np.asarray(table["CT_COEFFS"][0]), table.meta.get("CROSSTALK_RATIOS_UNITS", "adu")
        flat = np.where(np.asarray(table["CT_VALID"][0], bool), flat, 0.0)
    else:
        flat = np.array(yaml.safe_load(re.sub(r"!<.*?>|!!\S+", "", path.read_text()))["coeffs"])
        unit = "adu"
    side = round(flat.size**0.5)
    return flat.reshape(side, side), unit


@pytest.mark.parametrize("path", sorted((ROOT / "crosstalk").glob("*.[ey]*")), ids=lambda path: path.name)
def test_crosstalk_takes_the_fraction_of_each_source_out_of_each_target(path) -> None:
    crosstalk = read_calibration("crosstalk", path)
    matrix, unit = the_matrix_of(path)
    n = len(matrix)
    picture = a_picture(crosstalk.info, n, unit=unit)
    levels = RNG.uniform(1e3, 3e4, n)
    for amp, level in zip(picture.detector.amplifiers, levels, strict=True):
        picture.image[amp.box.slices()] = level
    assert crosstalk.mismatch(picture) is None
    subtract_crosstalk(picture, CrosstalkConfig(), crosstalk=crosstalk)
    used = np.where(np.isfinite(matrix), matrix, 0.0)
    expected = levels - levels @ used  # element [s, t] is the fraction of source s seen in target t
    found = [picture.image[amp.box.slices()].mean() for amp in picture.detector.amplifiers]
    np.testing.assert_allclose(found, expected, rtol=3e-7)
    assert not np.allclose(found, levels - used @ levels, rtol=3e-7)  # the matrix is not its own transpose


@pytest.mark.parametrize("name", ["decam_n10.yaml", "decam_n29.yaml", "decam_s6.yaml"])
def test_decam_s_own_list_of_couplings_says_the_same(name) -> None:
    crosstalk = read_calibration("crosstalk", ROOT / "crosstalk" / name)
    found = {}
    for line in (ROOT / "crosstalk" / "DECam_xtalk_20130606.txt").read_text().splitlines():
        words = line.split()
        if words and not line.startswith("#"):
            found[words[1], words[0]] = float(words[2])  # victim, source
    ccd = f"ccd{crosstalk.info.detector_id:02d}"
    expected = [[found.get((f"{ccd}{source}", f"{ccd}{target}"), 0.0) for target in "AB"] for source in "AB"]
    np.testing.assert_array_equal(crosstalk.coefficients, expected)


def test_light_of_other_detectors_is_taken_out() -> None:
    crosstalk = read_calibration("crosstalk", ROOT / "crosstalk" / "decam_n29.yaml")
    source, matrix = next(iter(crosstalk.inter_chip.items()))
    picture, other = a_picture(crosstalk.info, 2), a_picture(crosstalk.info, 2, level=2e4)
    subtract_crosstalk(picture, CrosstalkConfig(), crosstalk=crosstalk, sources={source: other})
    for target, amp in enumerate(picture.detector.amplifiers):
        expected = -2e4 * matrix[:, target].sum()
        np.testing.assert_allclose(picture.image[amp.box.slices()], expected, rtol=1e-6, atol=1e-6)
    assert np.any(matrix)


# -- linearity --------------------------------------------------------------------------------------------------------


def test_decam_s_lookup_table_is_added_at_each_pixel_s_own_level() -> None:
    linearizer = read_calibration("linearizer", ROOT / "linearizer" / "decam_n30.yaml")
    picture = a_picture(linearizer.info, 2, linearizer.amp_names, side=16)
    picture.image[:] = RNG.uniform(-5.0, linearizer.table.shape[1] - 10, picture.image.shape)
    before = picture.image.copy()
    counts = linearize(picture, LinearityConfig(), linearizer=linearizer)
    assert (counts.n_amplifiers, counts.n_corrected) == (2, 2)
    changed = 0
    for amp in picture.detector.amplifiers:
        row, offset = linearizer.coefficients[amp.name]
        u = before[amp.box.slices()]
        index = np.trunc(u.astype(float) + offset).astype(int)
        expected = u + linearizer.table[int(row)][np.clip(index, 0, linearizer.table.shape[1] - 1)]
        np.testing.assert_array_equal(picture.image[amp.box.slices()], expected)
        changed += np.count_nonzero(expected != u)
    assert changed > 20  # of 512 pixels; most of the table is zero


# -- defects ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted((ROOT / "defects").glob("*.ecsv")), ids=lambda path: path.name)
def test_defects_mask_the_pixels_of_their_boxes_and_no_others(path) -> None:
    defects = read_calibration("defects", path)
    table = Table.read(path, format="ascii.ecsv")
    shape = tuple(int(max(table[at] + table[size], default=4)) for at, size in (("y0", "height"), ("x0", "width")))
    expected = np.zeros(shape, bool)
    for row in table:
        expected[row["y0"] : row["y0"] + row["height"], row["x0"] : row["x0"] + row["width"]] = True
    picture = Exposure(np.zeros(shape, np.float32), np.zeros(shape, np.int32), np.zeros(shape, np.float32))
    mask_defects(picture, DefectsConfig(), defects=defects)
    np.testing.assert_array_equal(picture.mask, np.where(expected, mask_bits("BAD"), 0))
    np.testing.assert_array_equal(defects.normalised().mask(shape), expected)


# -- brighter-fatter --------------------------------------------------------------------------------------------------


def test_the_kernel_of_a_simulated_lsst_detector_sharpens_a_star_as_published() -> None:
    kernels = read_calibration("bfk", ROOT / "bfk" / "imsim_bfk_r22_s11.yaml")
    assert kernels.level == "DETECTOR"
    kernel = kernels.kernel_of("R22_S11")
    assert kernel[8, 8] == pytest.approx(-2.483e-7, rel=1e-3)
    assert kernel.sum() == pytest.approx(-2.24e-6, rel=1e-2)
    picture = a_picture(kernels.info, 1, unit="electron", side=64)
    y, x = np.mgrid[:64, :64]
    picture.image[:] = 100 + 40000 * np.exp(-((x - 32) ** 2 + (y - 30) ** 2) / 8)
    before = picture.image.copy()
    fit = correct_exposure(picture, BrighterFatterConfig(), bfk=kernels)
    assert fit.last_iteration == 2
    assert picture.image[30, 32] == pytest.approx(40302.9304824, rel=1e-7)
    # of 4096 float32 pixels of up to 4e4 electrons, rounded once: half a last place each
    assert (picture.image.astype(float) - before).sum() == pytest.approx(120.220230, abs=0.05)


# -- transmission ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted((ROOT / "transmission").glob("*_QE.fits")), ids=lambda path: path.name)
def test_quantum_efficiencies_of_a_test_stand_are_the_sensor_s_curve(path) -> None:
    sensor = read_calibration("transmission_sensor", path)
    with fits.open(path) as hdus:
        data = hdus["QE_CURVES"].data
        wavelength = data["WAVELENGTH"].astype(float)
        mean = np.mean([data[f"AMP{i:02d}"].astype(float) for i in range(1, 17)], axis=0) / 100
    picture = a_picture(sensor.info, 2)
    attach_transmission(picture, TransmissionConfig(), transmission_sensor=sensor)
    at = np.linspace(10 * wavelength[0], 10 * wavelength[-1], 50)[1:-1]  # the ends are a rounding away from outside
    found = picture.transmission.sample_at([1, 1], at)
    np.testing.assert_allclose(found, np.interp(at, 10 * wavelength, mean), rtol=1e-12)
    assert 0.8 < found.max() < 1.0


# -- photodiodes and shutters -----------------------------------------------------------------------------------------


def test_a_real_photodiode_record_gives_the_published_charges() -> None:
    record = read_calibration("photodiode", ROOT / "photodiode" / "Photodiode_Readings_20211212_000310.txt")
    assert record.time_s.size == 649
    assert record.info.metadata == {"DAY_OBS": 20211212, "SEQ_NUM": 310}
    assert record.charge_coulomb() == pytest.approx(1.57947426825e-8, rel=1e-11)
    assert record.charge_coulomb("TRIMMED_SUM") == pytest.approx(1.57936089022e-8, rel=1e-11)
    assert record.charge_coulomb("CHARGE_SUM") == pytest.approx(9.45725714737e-7, rel=1e-11)
    assert record.charge_coulomb("MEAN", exposure_time_s=7.83172) == pytest.approx(1.14132302371e-8, rel=1e-11)


def test_the_photodiode_beside_a_lab_flat_counts_the_other_way_round() -> None:
    with fits.open(ROOT / "raw" / "ts8_E2V-CCD250-179_flat700nm_Segment00.fits.fz") as hdus:
        samples = hdus["AMP0.MEAS_TIMES"].data
        time, current = (np.asarray(samples.field(i), np.float64) for i in (0, 1))
    assert time.size == 1434
    assert integrate(time, current) == pytest.approx(-2.923e-7, rel=1e-3)
    assert integrate(time, current, "TRIMMED_SUM", scale=-1.0) == pytest.approx(2.923e-7, rel=1e-3)


PROFILES = sorted((ROOT / "shutter").glob("*.json"))


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_shutter_profiles_open_and_their_blades_are_half_way_where_their_sensors_saw_them(path, tmp_path) -> None:
    motion = read_calibration("shutter_motion", path)
    stated = json.loads(path.read_text())
    assert motion.obs_id == stated["obsId"]
    assert motion.is_open == ("Open" in path.name)
    assert motion.position_mm.size == len(stated["motionProfile"]["encodeSamples"])
    by_acceleration, by_position = motion.midpoints_s()
    half = 0.5 * (motion.start_position_mm + motion.end_position_mm)
    seconds = (motion.hall_time_mjd - motion.start_mjd) * 86400
    order = np.argsort(motion.hall_position_mm)
    seen = np.interp(half, motion.hall_position_mm[order], seconds[order])
    assert by_position == pytest.approx(seen, abs=2e-3)  # sensors are 2 to 3 mm apart, passed at 1.7 mm a millisecond
    assert by_acceleration == pytest.approx(by_position, abs=2e-3)
    for suffix in (".fits", ".yaml"):
        write_calibration(motion, tmp_path / f"s{suffix}")
        assert read_calibration("shutter_motion", tmp_path / f"s{suffix}") == motion


def test_the_published_midpoints_of_one_profile() -> None:
    motion = read_calibration("shutter_motion", ROOT / "shutter" / "MC_O_20250526_000095_shutterMotionProfileOpen.json")
    assert motion.midpoints_s() == pytest.approx((0.45052044442, 0.44985220648), abs=1e-10)
