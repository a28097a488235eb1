"""Real input: public raws of sensors isrflow was not made for, through the Python door.

The numbers are those stated beside the data, and were measured by others with other software.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from astropy.stats import sigma_clipped_stats

from isrflow.calibs.files import read_calibration
from isrflow.frame.camera import load_camera
from isrflow.frame.mask import mask_bits
from isrflow.frame.raw import inspect_raw, read_raw
from isrflow.recipe import IsrConfig
from isrflow.run import run_isr

REALDATA = Path(os.environ.get("ISRFLOW_REALDATA") or Path(__file__).parents[1] / ".." / "shared" / "realdata")
pytestmark = pytest.mark.skipif(
    not REALDATA.is_dir(), reason=f"no real data at {REALDATA}; name their directory in ISRFLOW_REALDATA"
)
VISITS = ("v1_fg", "v2_fg", "v3_fr")
# Sky in electrons as published with the data, by visit and amplifier.
SKY = {
    "v1_fg": (322.9, 323.5, 323.9, 324.1),
    "v2_fg": (399.2, 398.1, 398.8, 399.3),
    "v3_fr": (748.7, 748.1, 750.6, 750.2),
}
N_SATURATED_FROM_RAW = {"v1_fg": (61, 62, 66, 941), "v2_fg": (148, 62, 66, 941), "v3_fr": (76, 63, 2194, 987)}


def raw_path(visit):
    return REALDATA / "raw" / f"obs_test_raw_{visit}.fits.fz"


@pytest.fixture(scope="module")
def camera():
    return load_camera("obs_test")


@pytest.fixture(scope="module")
def defects():
    return read_calibration("defects", REALDATA / "defects" / "obs_test_defects.ecsv")


@pytest.fixture(scope="module")
def raws(camera):
    return {visit: read_raw(raw_path(visit), camera) for visit in VISITS}


@pytest.fixture(scope="module")
def products(raws, camera, defects):
    config = IsrConfig.layered(camera.recipe)
    return {visit: run_isr(raw, {"defects": defects}, config, camera=camera).exposure for visit, raw in raws.items()}


def good_pixels(product, amp):
    """Return image and variance of the amplifier's unmasked pixels, in adu."""
    view = product.amp(amp)
    good = (view.mask & mask_bits(("BAD", "SAT", "INTRP", "UNMASKEDNAN"))) == 0
    return view.image[good], view.variance[good]


def robust_sigma(values):
    low, high = np.percentile(values, [25, 75])
    return 0.7413 * (high - low)  # of a normal distribution


@pytest.mark.parametrize("visit", VISITS)
def test_the_raws_are_recognised_by_their_own_headers(visit, camera):
    summary = inspect_raw(raw_path(visit), [load_camera("lupine"), load_camera("tiny"), camera])
    assert (summary.camera.name, summary.detector.id) == ("obs_test", 0)
    assert summary.obs.exposure_time_s == 15.0
    assert summary.obs.physical_filter == visit[-1]
    assert summary.obs.obs_type == "science"


@pytest.mark.parametrize("visit", VISITS)
def test_the_four_amplifiers_agree_about_the_sky(visit, products):
    product = products[visit]
    amps = product.detector.amplifiers
    medians = np.array([np.median(good_pixels(product, amp)[0]) * amp.gain_electron_per_adu for amp in amps])
    assert medians == pytest.approx(SKY[visit], abs=0.06)  # published to one decimal
    # A median of integers moves in steps of one adu, half a per cent of the faintest sky, so it is held against the
    # mean of the four; the clipped mean has no steps, and its full range must be as narrow.
    assert np.abs(medians / medians.mean() - 1).max() < 0.0035
    clipped = [
        sigma_clipped_stats(good_pixels(product, amp)[0], sigma=2.5)[0] * amp.gain_electron_per_adu for amp in amps
    ]
    assert np.ptp(clipped) / np.mean(clipped) < 0.0035


@pytest.mark.parametrize("visit", VISITS)
def test_the_noise_of_the_sky_is_what_the_variance_plane_says(visit, products):
    for amp in products[visit].detector.amplifiers:
        image, variance = good_pixels(products[visit], amp)
        assert robust_sigma(image) == pytest.approx(np.sqrt(np.median(variance)), rel=0.08), amp.name


@pytest.mark.parametrize("visit", VISITS)
def test_the_read_noise_is_measured_from_the_prescan_and_not_believed_from_the_header(visit, raws, products):
    for amp in products[visit].detector.amplifiers:
        used = products[visit].header[f"LSST ISR READNOISE {amp.name}"]
        prescan = raws[visit].amp(amp, "serial_overscan").image.astype(float)
        _, _, sigma = sigma_clipped_stats(prescan, sigma=3.0, maxiters=3)
        assert used == pytest.approx(sigma * amp.gain_electron_per_adu, rel=0.02), amp.name
        assert used > 2.4 * amp.read_noise_electron


def test_every_listed_hot_pixel_is_masked(raws, products, defects, camera):
    detector = camera.detectors[0]
    levels = np.zeros((len(VISITS), *detector.box.shape), np.int32)
    for number, visit in enumerate(VISITS):
        for amp in detector.amplifiers:
            levels[number][amp.box.slices()] = raws[visit].amp(amp).image
    hot = (levels > 50_000).all(axis=0)
    listed = defects.mask(detector.box.shape)
    assert int(listed.sum()) == 1364
    assert int(hot.sum()) == 1130
    for visit in VISITS:
        masked = (products[visit].mask & mask_bits("BAD")) != 0
        assert not (listed & ~masked).any()
        assert not (hot & ~masked).any()


@pytest.mark.parametrize("visit", VISITS)
def test_saturated_pixels_are_those_above_the_level_and_their_neighbours(visit, raws, products):
    sat = mask_bits("SAT")
    for amp, expected in zip(raws[visit].detector.amplifiers, N_SATURATED_FROM_RAW[visit], strict=True):
        above = raws[visit].amp(amp).image > amp.saturation_adu
        assert int(above.sum()) == expected
        assert not (above & ((products[visit].amp(amp).mask & sat) == 0)).any()


def test_the_product_is_finite_everywhere(products):
    for product in products.values():
        assert np.isfinite(product.image).all()
        assert np.isfinite(product.variance).all()


# Lone frames: geometry from their own section cards, sky and noise in electrons as published with the data.
LONE = {
    "saao_ste3_a8280271.fits": {"size": (512, 520), "gain": 1.9, "sky": 163.4, "noise": 14.1, "model": 14.0},
    "imsim_85751839_R23_S11_C00_E000.fits.gz": {
        "size": (509, 2000),
        "gain": 1.71186,
        "sky": 948.4,
        "noise": 31.7,
        "model": 31.0,
    },
}


@pytest.mark.parametrize("name", LONE)
def test_a_lone_frame_is_corrected_from_its_own_section_cards(name):
    expected = LONE[name]
    raw = read_raw(REALDATA / "raw" / name)
    config = IsrConfig().without(["bias", "dark", "flat", "defects"])
    product = run_isr(raw, {}, config.override({"effective_ptc.empirical_read_noise": True})).exposure
    amp = product.detector.amplifiers[0]
    image, variance = good_pixels(product, amp)
    assert (product.box.width, product.box.height) == expected["size"]
    assert amp.gain_electron_per_adu == expected["gain"]
    assert np.median(image) * amp.gain_electron_per_adu == pytest.approx(expected["sky"], abs=0.06)
    noise = robust_sigma(image) * amp.gain_electron_per_adu
    assert noise == pytest.approx(expected["noise"], abs=0.06)
    assert np.sqrt(np.median(variance)) * amp.gain_electron_per_adu == pytest.approx(expected["model"], abs=0.06)
    assert noise == pytest.approx(expected["model"], rel=0.08)


def test_the_imsim_frame_states_its_read_noise_rightly():
    raw = read_raw(REALDATA / "raw" / "imsim_85751839_R23_S11_C00_E000.fits.gz")
    amp = raw.detector.amplifiers[0]
    prescan = raw.amp(amp, "serial_overscan").image.astype(float)
    _, _, sigma = sigma_clipped_stats(prescan, sigma=3.0, maxiters=3)
    assert sigma * amp.gain_electron_per_adu == pytest.approx(amp.read_noise_electron, rel=0.02)


def test_a_frame_with_checksums_that_do_not_match_is_refused_by_name():
    path = REALDATA / "raw" / "ts8_E2V-CCD250-179_flat700nm_Segment00.fits.fz"  # its header was edited at extraction
    with pytest.raises(RuntimeError, match=r"ts8_E2V.*HDU 0 is damaged.*CHECKSUM"):
        read_raw(path)
    flat = read_raw(path, verify=False)
    assert flat.image.dtype == np.int32
    amp = flat.detector.amplifiers[0]
    assert (amp.raw_data.width, amp.raw_data.height) == (512, 2002)
    assert float(np.median(flat.image[:2002, 525:570])) == pytest.approx(27026.2, abs=0.5)
    assert float(np.median(flat.amp(amp).image)) == pytest.approx(47803, abs=1)
