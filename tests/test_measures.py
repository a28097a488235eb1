"""Everything that measures, switched on in the whole recipe, finds what was put into a raw exposure."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from isrflow.calibs.illumination import Illumination
from isrflow.calibs.ptc import PhotonTransferCurve
from isrflow.errors import MissingCalibrations, StepError
from isrflow.frame.camera import Camera, camera_from_yaml
from isrflow.frame.exposure import Exposure
from isrflow.frame.fits import read_exposure, write_exposure
from isrflow.frame.obs import Observation
from isrflow.quantum.products import products_of
from isrflow.recipe import IsrConfig
from isrflow.recipe_lsst import IsrLsstConfig
from isrflow.run import IsrResult, run_isr

WIDTH, HEIGHT, OVERSCAN = 40, 160, 12
GAIN, BIAS, LIGHT = 2.0, 1000.0, 400.0
TAIL, SHIFT, SHIFT_ROW, EXCESS = 8.0, 30.0, 90, 1.02
MEASURING = {
    "kept_overscan.enabled": True,
    "untrimmed.enabled": True,
    "before_interpolation.enabled": True,
    "overscan.fit_type": "MEDIAN_PER_ROW",
    "illumination": {"enabled": True, "filters": ("r",)},
    "background": {"enabled": True, "mesh_x_px": 32, "mesh_y_px": 32},
    "isr_statistics": {
        "enabled": True,
        "charge_transfer": True,
        "banding": True,
        "projections": True,
        "projection_spectra": True,
        "divisadero": True,
        "divisadero_edge_px": 4,
        "divisadero_last_row": 80,
        "calibration_distributions": True,
        "bias_shifts": True,
        "amplifier_correlations": True,
    },
}
RECIPE = IsrConfig().without(["bias", "dark", "flat", "defects"]).override(MEASURING)


def camera() -> Camera:
    """Two amplifiers side by side, the right one read from the right and mirrored in the file."""
    amplifiers = [
        f"{{name: {name}, box: [{i * WIDTH}, 0, {WIDTH}, {HEIGHT}], raw: [{x}, 0, {WIDTH + OVERSCAN}, {HEIGHT + 6}], "
        f"raw_data: [{x}, 0, {WIDTH}, {HEIGHT}], raw_serial_overscan: [{x + WIDTH}, 0, {OVERSCAN}, {HEIGHT}], "
        f"raw_parallel_overscan: [{x}, {HEIGHT}, {WIDTH}, 6], raw_flip_x: {flip}, readout_corner: {corner}, "
        f"saturation_adu: 60000, gain_electron_per_adu: {GAIN}, read_noise_electron: 4}}"
        for i, (name, x, flip, corner) in enumerate(
            [("L", 0, "false", "LL"), ("R", WIDTH + OVERSCAN, "true", "LR")],
        )
    ]
    box = f"[0, 0, {2 * WIDTH}, {HEIGHT}]"
    return camera_from_yaml(
        f"{{name: c, detectors: [{{id: 5, name: D, box: {box}, amplifiers: [{', '.join(amplifiers)}]}}]}}"
    )


def raw() -> Exposure:
    """Flat light with a charge tail in L, a bias shift in R, and too much charge on L's side of the border."""
    detector = camera().detectors[0]
    left, right = detector.amplifiers
    image = np.random.default_rng(6).normal(BIAS, 2, detector.raw_box.shape)
    for amp in (left, right):
        image[amp.raw_data.slices()] += LIGHT
    image[:HEIGHT, WIDTH] += TAIL  # the first overscan column of L
    image[:HEIGHT, WIDTH - 1] += LIGHT * (EXCESS - 1)
    image[SHIFT_ROW:, right.raw.x0 :] += SHIFT
    obs = Observation(instrument="c", exposure_id=9, exposure_time_s=20.0, dark_time_s=20.0, physical_filter="r")
    return Exposure(image.astype(np.float32), detector=detector, obs=obs, header={"MJD": 61000.25})


@pytest.fixture(scope="module")
def result() -> IsrResult:
    flat = np.full((HEIGHT, 2 * WIDTH), 0.5, np.float32)
    correction = Exposure(flat, np.zeros(flat.shape, np.int32), np.zeros_like(flat))
    return run_isr(raw(), {"illumination": Illumination(exposure=correction)}, RECIPE)


@pytest.fixture(scope="module")
def numbers(result) -> dict:
    values = products_of(result)["isr_statistics"]
    return json.loads(json.dumps(values, allow_nan=False))


def test_the_charge_tail_shows_in_the_first_overscan_column(numbers) -> None:
    left, right = numbers["CTI"]["L"], numbers["CTI"]["R"]
    assert left["INPUT_GAIN"] == GAIN
    assert left["SERIAL_OVERSCAN_COLUMNS"][0] == right["SERIAL_OVERSCAN_COLUMNS"][0] == 0  # mirrored, but in the file
    # the median of the row is taken off, so the tail stays; noise of a column's mean: 2 * 2 / sqrt(160) electrons
    assert left["SERIAL_OVERSCAN_VALUES"][0] == pytest.approx(TAIL * GAIN, abs=1.5)
    assert abs(right["SERIAL_OVERSCAN_VALUES"][0]) < 1.5
    assert left["PARALLEL_OVERSCAN_ROWS"] == list(range(6))
    assert left["LAST_COLUMN_MEAN"] - left["FIRST_COLUMN_MEAN"] == pytest.approx(LIGHT * (EXCESS - 1) * GAIN, abs=2)
    assert left["IMAGE_MEAN"] == pytest.approx(LIGHT * GAIN / 0.5, rel=0.01)  # after the illumination correction


def test_the_bias_shift_is_found_where_it_is(numbers) -> None:
    assert numbers["BIASSHIFT"]["L"]["BIAS_SHIFTS"] == []
    ((size, row, start, stop),) = numbers["BIASSHIFT"]["R"]["BIAS_SHIFTS"]
    assert size == pytest.approx(SHIFT, abs=1)
    assert row == SHIFT_ROW
    assert start < row < stop
    assert numbers["BANDING"]["AMP_BANDING"][1] == pytest.approx(SHIFT, abs=2)
    assert numbers["BANDING"]["DET_BANDING"] == numbers["BANDING"]["AMP_BANDING"][0]


def test_the_torn_border_is_found_on_both_sides_of_it(numbers) -> None:
    left, right = numbers["DIVISADERO"]["L"], numbers["DIVISADERO"]["R"]
    assert left["DIVISADERO_MAX_PAIR"][1] == pytest.approx(EXCESS - 1, abs=3e-3)
    assert left["DIVISADERO_MAX"] == right["DIVISADERO_MAX"] == left["DIVISADERO_MAX_PAIR"][1]


def test_the_rest_is_there(numbers) -> None:
    assert numbers["MJD"] == 61000.25
    assert len(numbers["PROJECTION"]["AMP_HPROJECTION"]["L"]) == WIDTH
    assert len(numbers["PROJECTION"]["AMP_VFFT_REAL"]["R"]) == HEIGHT // 2 + 1
    pair = next(row for row in numbers["AMPCORR"] if (row["ampName"], row["ampComp"]) == ("L", "R"))
    assert pair["detector"] == 5
    assert abs(pair["imageCorr"]) < 0.1
    assert numbers["amplifiers"]["R"]["n_bad"] == 0
    assert numbers["CALIBDIST"] == {"L": {}, "R": {}}


def test_the_product_says_how_bright_and_how_deep_it_is(result, tmp_path) -> None:
    write_exposure(result.exposure, tmp_path / "p.fits")
    product = read_exposure(tmp_path / "p.fits")
    assert product.zero_point == result.exposure.zero_point
    assert product.zero_point.counts_at_mag0 == pytest.approx(10**11.2 * 20)
    assert product.header["SKYLEVEL"] == pytest.approx(LIGHT / 0.5, rel=0.01)
    assert product.header["FLATNESS_NGRIDS"] == "3x5"  # 80 px are two cells and a half
    assert product.header["LSST ISR ILLUMINATION APPLIED"] is True


def test_the_filter_decides_whether_an_illumination_correction_is_needed() -> None:
    with pytest.raises(MissingCalibrations, match="illumination"):
        run_isr(raw(), {}, RECIPE)
    through_g = raw()
    through_g.obs = replace(through_g.obs, physical_filter="g")
    assert run_isr(through_g, {}, RECIPE).exposure.header["SKYLEVEL"] == pytest.approx(LIGHT, rel=0.01)


def test_what_was_not_kept_is_missed_with_advice() -> None:
    recipe = RECIPE.without(["illumination", "kept_overscan"])
    with pytest.raises(StepError, match="isr_statistics failed on exposure 9") as raised:
        run_isr(raw(), {}, recipe)
    assert "--set kept_overscan.enabled=true" in str(raised.value.__cause__)


NEWER = {
    key: value
    for key, value in MEASURING.items()
    if key.partition(".")[0] not in ("overscan", "illumination", "background")
}
SKIPPED = [
    "crosstalk",
    "linearity",
    "deferred_charge",
    "bias",
    "dark",
    "defects",
    "brighter_fatter",
    "flat",
    "overscan_parallel",
]


@pytest.fixture(scope="module")
def in_electrons() -> dict:
    ptc = PhotonTransferCurve(gain={"L": GAIN, "R": np.nan}, noise={"L": 4.0, "R": 4.0}, turnoff={"L": 4e4, "R": 4e4})
    recipe = IsrLsstConfig().without([*SKIPPED, "bias_voltage", "amplifier_noise"]).override(NEWER)
    values = products_of(run_isr(raw(), {"ptc": ptc}, recipe))["isr_statistics"]
    return json.loads(json.dumps(values, allow_nan=False))


def test_the_newer_order_measures_the_same(in_electrons) -> None:
    left = in_electrons["CTI"]["L"]
    assert left["SERIAL_OVERSCAN_VALUES"][0] == pytest.approx(TAIL * GAIN, abs=1.5)
    assert left["IMAGE_MEAN"] == pytest.approx(LIGHT * GAIN, rel=0.01)  # not multiplied by the gain twice
    assert left["INPUT_PTCTURNOFF"] == pytest.approx(4e4 * GAIN)
    assert in_electrons["DIVISADERO"]["L"]["DIVISADERO_MAX_PAIR"][1] == pytest.approx(EXCESS - 1, abs=3e-3)


def test_an_amplifier_without_gain_is_measured_as_far_as_it_goes(in_electrons) -> None:
    assert in_electrons["CTI"]["R"]["INPUT_GAIN"] is None
    assert in_electrons["BIASSHIFT"]["R"] == {"LOCAL_NOISE": 0.0, "BIAS_SHIFTS": []}
    assert in_electrons["BANDING"]["AMP_BANDING"][1] is None
    assert in_electrons["DIVISADERO"]["R"]["DIVISADERO_MAX_PAIR"] is not None
