"""Closure: simulate, correct, and compare with what was put in, one correction at a time.

Two numbers a correction (`isrflow.simulate.closure` says how each is worked out):

* the *leak*, the fraction of the effect that is left: the residual fitted with the true effect. Its floor is the
  standard error of that fit, sqrt(sum w^2 c^2 var + sum_rows (sum w c sigma_row)^2) / sum w c^2 with c the effect and
  w = 1/var, because the error of the overscan's level is common to a row;
* the *noise* of the residual against sigma^2 = (read noise/gain)^2 + 1/12 (rounding) + pi/(2 n + pi - 2) sigma^2 (the
  median of n overscan columns) + the variances of the calibrations, times the slope of the linearity correction
  squared; after the flat, plus electrons/gain^2, over the flat squared.

A leak may differ from zero by five floors (a chance of 6e-7 each), and systematically by 0.002: the variance is built
before crosstalk is taken out, ghosts have ghosts (c^2), and masters share their noise between neighbours of a row.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from isrflow.frame.camera import load_camera
from isrflow.frame.mask import mask_bits
from isrflow.makers.bias import make_bias
from isrflow.makers.dark import make_dark
from isrflow.makers.defects import make_defects
from isrflow.makers.flat import make_flat
from isrflow.recipe import IsrConfig
from isrflow.run import run_isr
from isrflow.simulate import Flaws, afternoon_shots, make_signature, night_shots, simulate_exposure, true_calibrations
from isrflow.simulate.calibrations import true_flat
from isrflow.simulate.closure import Snapshots, closure_table, render_closure
from isrflow.simulate.readout import in_raw_order

DAY = 20260301
SIGMAS, SYSTEMATIC = 5.0, 0.002
REMOVING = ("overscan", "bias", "linearity", "crosstalk", "dark", "flat")
CAMERA = load_camera("lupine")
DETECTOR = CAMERA.detectors[1]
RECIPE = IsrConfig.layered(CAMERA.recipe)
SHOT = night_shots(CAMERA, DAY, first_seq=20)[1]


@pytest.fixture(scope="module")
def signature():
    return make_signature(CAMERA, DETECTOR)


@pytest.fixture(scope="module")
def observed(signature):
    """One science exposure with its truth."""
    return simulate_exposure(CAMERA, DETECTOR, SHOT, signature=signature)


@pytest.fixture(scope="module")
def true_calibs(signature):
    return true_calibrations(signature, SHOT.obs.physical_filter)


@pytest.fixture(scope="module")
def masters(signature, true_calibs):
    """Bias, dark, flat and defects made of a simulated afternoon; tables as they truly are."""
    calibs = {kind: true_calibs[kind] for kind in ("linearizer", "crosstalk", "ptc")}
    shots = afternoon_shots(CAMERA, DAY, n_bias=5, n_dark=3, n_flat=5, filters=[SHOT.obs.physical_filter])

    def raws(obs_type):
        return [partial(read_simulated, shot, signature) for shot in shots if shot.obs.obs_type == obs_type]

    calibs["bias"] = make_bias(raws("bias"), RECIPE, calibs)
    calibs["dark"] = make_dark(raws("dark"), RECIPE, calibs)
    calibs["flat"] = make_flat(raws("flat"), RECIPE, calibs)
    calibs["defects"] = make_defects(DETECTOR, dark=calibs["dark"], flats=[calibs["flat"]])
    return calibs


def read_simulated(shot, signature):
    return simulate_exposure(CAMERA, DETECTOR, shot, signature=signature)[0]


def closure(observed, calibs, recipe=RECIPE):
    raw, truth = observed
    snapshots = Snapshots()
    result = run_isr(raw, calibs, recipe, camera=CAMERA, on_step=snapshots)
    return {row.step: row for row in closure_table(truth, snapshots.taken, calibs)}, result.exposure


@pytest.fixture(scope="module")
def with_truth(observed, true_calibs):
    return closure(observed, true_calibs)


@pytest.fixture(scope="module")
def with_masters(observed, masters):
    return closure(observed, masters)


@pytest.mark.parametrize("step", REMOVING)
@pytest.mark.parametrize("calibs", ["with_truth", "with_masters"])
def test_nothing_of_the_effect_is_left(step, calibs, request):
    row = request.getfixturevalue(calibs)[0][step]
    assert abs(row.leak) < SIGMAS * row.leak_floor + SYSTEMATIC
    assert row.leak_floor < 0.15  # the test would notice


@pytest.mark.parametrize("step", REMOVING)
@pytest.mark.parametrize(("calibs", "rel"), [("with_truth", 0.01), ("with_masters", 0.05)])
def test_what_is_left_is_the_noise_of_theory(step, calibs, rel, request):
    row = request.getfixturevalue(calibs)[0][step]
    # 1024 x 1024 pixels know their scatter to 0.1 %, the 2048 rows of the overscan to 1.6 %. The floor with masters
    # rests on their variance planes, and that of a bias of five is a third too small (see below).
    assert row.noise_ratio == pytest.approx(1.0, abs=5 * 0.016 if step == "overscan" else rel)


@pytest.mark.parametrize("calibs", ["with_truth", "with_masters"])
def test_the_variance_plane_foretells_the_scatter(calibs, request):
    row = request.getfixturevalue(calibs)[0]["variance"]
    # V = I/gain + (read noise/gain)^2 of the image before linearity and crosstalk: right to what these two change,
    # and with masters to the noise of the flat, which adds (scene)^2 var(flat).
    assert abs(row.leak) < (0.002 if calibs == "with_truth" else 0.03)


@pytest.mark.parametrize("calibs", ["with_truth", "with_masters"])
def test_every_full_pixel_is_masked_and_no_other(calibs, request):
    row = request.getfixturevalue(calibs)[0]["saturation"]
    assert row.strength_adu > 10  # there are some
    assert (row.leak, row.noise_adu) == (0.0, 0.0)


@pytest.mark.parametrize("calibs", ["with_truth", "with_masters"])
def test_broken_pixels_are_replaced_as_well_as_their_neighbours_allow(calibs, request):
    row = request.getfixturevalue(calibs)[0]["interpolation"]
    assert abs(row.leak) < SIGMAS * row.leak_floor + SYSTEMATIC
    # sum w^2 = 1.347 for one pixel between four good ones; some 450 of them: scatter known to 3.3 %.
    assert row.noise_ratio == pytest.approx(1.0, abs=5 * 0.033)


@pytest.mark.parametrize("calibs", ["with_truth", "with_masters"])
def test_the_amplifiers_show_one_even_sky(calibs, observed, request):
    product, truth = request.getfixturevalue(calibs)[1], observed[1]
    even = (truth.scene_electron < 1.02 * np.median(truth.scene_electron)) & (product.mask == 0)
    levels = []
    for amp in DETECTOR.amplifiers:
        part = amp.box.slices()
        ratio = product.image[part][even[part]] / truth.scene_electron[part][even[part]]
        levels.append(float(ratio.mean(dtype=np.float64)))
    # Shot noise of 2.4e5 pixels of 900 electrons: 7e-5; the overscan's error of 512 rows: 0.7 adu/sqrt(512)/600 = 5e-5;
    # masters: the level error of a flat's overscan is nothing, that of a bias's 3e-5.
    assert np.ptp(levels) / np.mean(levels) < 8 * 1e-4


def without_effect(kind, calibs):
    """Return the calibrations with one that corrects nothing."""
    calib = calibs[kind]
    if kind in ("bias", "dark"):
        blank = replace(calib.exposure, image=np.zeros_like(calib.exposure.image))
        return {**calibs, kind: replace(calib, exposure=blank)}
    if kind == "flat":
        # Amplifier gains stay in: they are not what the flat's row of the table is about.
        ideal = true_flat(make_signature(CAMERA, DETECTOR, seed=1), SHOT.obs.physical_filter)
        gain = np.ones(DETECTOR.box.shape, np.float32)
        for amp in DETECTOR.amplifiers:
            gain[amp.box.slices()] = 1 / amp.gain_electron_per_adu
        gain /= np.median(gain)
        return {**calibs, kind: replace(calib, exposure=replace(ideal.exposure, image=gain))}
    if kind == "linearizer":
        return {**calibs, kind: replace(calib, linearity_type=dict.fromkeys(calib.amp_names, "None"))}
    return {**calibs, kind: replace(calib, coefficients=np.zeros_like(calib.coefficients))}


@pytest.mark.parametrize(
    ("kind", "step"),
    [("bias", "bias"), ("linearizer", "linearity"), ("crosstalk", "crosstalk"), ("dark", "dark")],
)
def test_a_correction_that_does_nothing_leaves_all_of_its_effect(kind, step, observed, true_calibs):
    rows, _ = closure(observed, without_effect(kind, true_calibs))
    row = rows[step]
    assert row.leak == pytest.approx(1.0, abs=SIGMAS * row.leak_floor + 0.01)


def test_a_flat_that_is_even_leaves_the_response_in(observed, true_calibs):
    rows, _ = closure(observed, without_effect("flat", true_calibs))
    assert rows["flat"].leak > 0.3  # not 1: the gains, which are most of a flat in adu, were taken out
    assert rows["flat"].noise_ratio > 1.2


def test_a_crosstalk_matrix_the_wrong_way_round_is_noticed():
    signature = make_signature(CAMERA, DETECTOR, Flaws(crosstalk=4e-3))
    observed = simulate_exposure(CAMERA, DETECTOR, SHOT, signature=signature)
    calibs = true_calibrations(signature, SHOT.obs.physical_filter)
    right = closure(observed, calibs)[0]["crosstalk"]
    turned = replace(calibs["crosstalk"], coefficients=calibs["crosstalk"].coefficients.T.copy())
    wrong = closure(observed, {**calibs, "crosstalk": turned})[0]["crosstalk"]
    # Ghosts of ghosts: with coefficients up to c a target hears at most 3 c of what its sources heard themselves.
    assert abs(right.leak) < SIGMAS * right.leak_floor + 3 * 4e-3
    assert abs(wrong.leak) > 10 * right.leak_floor


def test_a_constant_overscan_leaves_the_drift_in(observed, true_calibs):
    recipe = RECIPE.override({"overscan.fit_type": "MEDIAN"})
    assert closure(observed, true_calibs, recipe)[0]["overscan"].leak == pytest.approx(1.0, abs=0.05)


def test_the_master_bias_is_the_pattern_to_its_own_noise(masters, signature):
    bias = masters["bias"].exposure
    residual = bias.image - signature.bias_adu
    # var = sigma^2 (1 + pi/(2 n + pi - 2)) / 5, and what clipping five values by their own quartiles throws away.
    assert 0.99 < residual.std() / (expected_sigma(signature) / np.sqrt(5)) < 1.12
    # The scatter of what clipping left is smaller than the truth: the plane may be up to a fifth too confident.
    assert 0.78 < np.sqrt(bias.variance.mean()) / residual.std() < 1.05


def test_the_master_dark_is_the_dark_current_to_its_own_noise(masters, signature):
    dark = masters["dark"].exposure
    gain = np.concatenate([np.full(amp.box.area, amp.gain_electron_per_adu) for amp in DETECTOR.amplifiers]).mean()
    sound = signature.is_sound
    residual = (dark.image - signature.dark_electron_s / gain_plane())[sound]
    time_s = 122.0
    shot = signature.dark_electron_s[sound].mean() * time_s / gain**2
    bias = expected_sigma(signature) ** 2
    # Three darks, each with read noise, shot noise of the dark charge, and all with the noise of the one bias of five.
    sigma = np.sqrt((bias + shot) / 3 + bias / 5) / time_s
    assert np.percentile(np.abs(residual), 68.27) == pytest.approx(sigma, rel=0.05)


def test_the_master_flat_is_the_response_to_its_own_noise(masters, signature):
    flat = masters["flat"].exposure
    truth = true_flat(signature, SHOT.obs.physical_filter).exposure.image
    sound = signature.is_sound
    ratio = flat.image[sound].astype(np.float64) / truth[sound]
    residual = ratio / ratio.mean() - 1
    light_adu = 30_000 * (signature.response(SHOT.obs.physical_filter) / gain_plane())[sound]
    variance = light_adu / gain_plane()[sound] / 5 + expected_sigma(signature) ** 2 * (1 / 5 + 1 / 5)
    assert 0.99 < residual.std() / np.sqrt(np.mean(variance / light_adu**2)) < 1.12  # clipped as the biases are


def test_the_defects_found_are_the_defects_put_in(masters, signature):
    found = masters["defects"].mask(DETECTOR.box.shape)
    there = ~signature.is_sound
    assert not (there & ~found).any()
    assert (found & ~there).sum() <= 3  # a cosmic ray or two through three darks


def test_nothing_but_broken_full_and_neighbouring_pixels_is_masked(with_truth, observed):
    product, (raw, truth) = with_truth[1], observed
    bad = (product.mask & mask_bits(("BAD", "SAT"))) != 0
    near_full = np.zeros(bad.shape, bool)
    for amp in DETECTOR.amplifiers:
        near_full[amp.box.slices()] = in_raw_order(raw.amp(amp).image >= amp.saturation_adu, amp)
    near_full = binary_dilation(
        near_full, iterations=7
    )  # trails are widened, by up to six pixels, and all grown by one
    assert not (bad & truth.signature.is_sound & ~near_full).any()


def test_the_table_reads_as_a_table(with_truth):
    text = render_closure(list(with_truth[0].values()))
    assert len(text.splitlines()) == 1 + len(with_truth[0])
    assert "drift of the level" in text


def gain_plane():
    gain = np.zeros(DETECTOR.box.shape, np.float32)
    for amp in DETECTOR.amplifiers:
        gain[amp.box.slices()] = amp.gain_electron_per_adu
    return gain


def expected_sigma(signature):
    """Return the noise of one bias-like pixel in adu, mean over the detector: read noise, rounding, overscan."""
    n = DETECTOR.amplifiers[0].raw_serial_overscan.width
    pixel = [(amp.read_noise_electron / amp.gain_electron_per_adu) ** 2 + 1 / 12 for amp in DETECTOR.amplifiers]
    return float(np.sqrt(np.mean(pixel) * (1 + np.pi / (2 * n + np.pi - 2))))
