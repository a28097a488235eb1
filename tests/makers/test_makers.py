"""Masters of raws whose truth was put in by hand, and of stacks other libraries combine as well."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from astropy.stats import sigma_clip

from isrflow.calibs.bias import Bias
from isrflow.calibs.files import read_calibration, write_calibration
from isrflow.errors import MissingCalibrations, UnprocessableError
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.frame.obs import Observation
from isrflow.makers.bias import make_bias
from isrflow.makers.dark import make_dark
from isrflow.makers.flat import make_flat
from isrflow.makers.inputs import MakerConfig
from isrflow.makers.recipes import STEPS, prefix_of
from tests.makers.conftest import NX, NY, raw_of, sources, the_detector

SHAPE = (NY, 2 * NX)
PATTERN = np.add.outer(np.arange(NY), 3 * np.arange(2 * NX)).astype(float)


def zero_bias() -> Bias:
    planes = np.zeros(SHAPE, np.float32), np.zeros(SHAPE, np.int32), np.zeros(SHAPE, np.float32)
    return Bias(exposure=Exposure(*planes, detector=the_detector(), obs=Observation(obs_type="bias")))


def spread_frames(n: int) -> np.ndarray:
    """Give every pixel the same n values about the pattern in an order of its own: none is near a clipping width."""
    order = np.argsort(np.random.default_rng(11).random((n, *SHAPE)), axis=0)
    return PATTERN + 2.0 * (order - n // 2)


def test_a_bias_is_the_pattern_left_after_overscan_and_assembly(recipe) -> None:
    raws = [raw_of(PATTERN, level, n=n) for n, level in enumerate((1000, 1010, 990, 1005, 1020))]
    bias = make_bias(sources(raws), recipe, {})
    np.testing.assert_array_equal(bias.exposure.image, PATTERN)  # whole numbers: exact
    assert not bias.exposure.mask.any()
    scattered = make_bias(sources(raws), recipe, {}, MakerConfig(max_inputs_to_trust_variances=4))
    np.testing.assert_array_equal(scattered.exposure.image, PATTERN)
    np.testing.assert_array_equal(scattered.exposure.variance, 0)  # five equal values scatter by nothing


def test_the_mean_and_its_variance_are_those_of_the_values_that_are_no_outliers(recipe) -> None:
    frames = spread_frames(9)
    hit = np.zeros(frames.shape, bool)
    hit[np.arange(NY) % 9, np.arange(NY), np.arange(NY)] = True
    frames[hit] += 5000
    bias = make_bias(
        sources([raw_of(frame, n=n) for n, frame in enumerate(frames)]),
        recipe,
        {},
        MakerConfig(n_sigma=4.0, max_inputs_to_trust_variances=4),
    )
    kept = sigma_clip(frames, sigma=4.0, axis=0, cenfunc="median", stdfunc="mad_std", maxiters=3, masked=True)
    np.testing.assert_array_equal(kept.mask, hit)
    # the frames are exact in float32; the kernel sums in double and rounds once
    np.testing.assert_allclose(bias.exposure.image, kept.mean(axis=0), rtol=1e-6)
    expected = np.ma.var(kept, axis=0, ddof=1) / kept.count(axis=0)
    np.testing.assert_allclose(bias.exposure.variance, expected, rtol=1e-6)


@pytest.mark.filterwarnings("ignore")  # ccdproc and its dependencies warn about things that are not ours
def test_ccdproc_combines_the_same_frames_to_the_same_picture(recipe) -> None:
    ccdproc = pytest.importorskip("ccdproc")
    from astropy.nddata import CCDData

    frames = spread_frames(9)
    frames[3, 5, 5] += 9000
    bias = make_bias(
        sources([raw_of(frame, n=n) for n, frame in enumerate(frames)]), recipe, {}, MakerConfig(n_sigma=5)
    )
    theirs = ccdproc.combine(
        [CCDData(frame, unit="adu") for frame in frames],
        method="average",
        sigma_clip=True,
        sigma_clip_low_thresh=5,
        sigma_clip_high_thresh=5,
        sigma_clip_func=np.ma.median,
        sigma_clip_dev_func="mad_std",
    )
    np.testing.assert_allclose(bias.exposure.image, theirs.data, rtol=1e-6)


def test_few_exposures_take_their_variance_from_the_noise_model(recipe) -> None:
    raws = [raw_of(np.full(SHAPE, 100.0), n=n) for n in range(3)]
    bias = make_bias(sources(raws), recipe, {})
    # 100 adu / (2 e/adu) + (6 e / 2)^2 adu^2 = 59 adu^2 for each of three
    np.testing.assert_allclose(bias.exposure.variance, 59 / 3, rtol=1e-6)


def test_a_dark_is_per_second_whatever_the_dark_times(recipe) -> None:
    rate = np.where(PATTERN > 60, 2.0, 0.5)
    raws = [
        raw_of(rate * t, n=n, obs_type="dark", exposure_time_s=t - 2, dark_time_s=t)
        for n, t in enumerate((10, 20, 40, 60, 80))
    ]
    dark = make_dark(sources(raws), recipe, {"bias": zero_bias()})
    np.testing.assert_allclose(dark.exposure.image, rate, rtol=1e-6)
    assert dark.dark_time_s == 1.0
    assert dark.exposure.obs.exposure_time_s == 1.0


def test_a_cosmic_ray_in_one_of_three_darks_leaves_no_trace(recipe) -> None:
    frames = [np.full(SHAPE, 20.0) for _ in range(3)]
    frames[1][4:7, 3] += 3000
    hot = (9, 9)
    for frame in frames:
        frame[hot] += 3000  # in all of them: a hot pixel
    raws = [raw_of(f, n=n, obs_type="dark", exposure_time_s=10.0, dark_time_s=10.0) for n, f in enumerate(frames)]
    dark = make_dark(sources(raws), recipe, {"bias": zero_bias()})
    np.testing.assert_allclose(dark.exposure.image[4:7, 3], 2.0, rtol=1e-6)
    assert dark.exposure.image[hot] == pytest.approx(302.0)
    assert not dark.exposure.mask.any()
    kept = make_dark(sources(raws), recipe, {"bias": zero_bias()}, MakerConfig(disagreement_sigma=0))
    assert kept.exposure.image[5, 3] == pytest.approx((2 + 2 + 302) / 3)


def test_a_flat_is_relative_to_its_own_level(recipe) -> None:
    shape = 1 + 0.1 * np.sign(PATTERN - np.median(PATTERN))
    shape[:, 0] = 0.5
    flats = [
        raw_of(shape * level, n=n, obs_type="flat", physical_filter="r", band="r")
        for n, level in enumerate((10000, 20000, 30000, 15000, 25000))
    ]
    flat = make_flat(sources(flats), recipe.without(["dark"]), {"bias": zero_bias()})
    good = np.delete(shape, 0, axis=1)
    ratio = flat.exposure.image[:, 1:] / good
    assert np.ptp(ratio) < 2e-4  # levels of 10000 are whole numbers: 1e-4 of rounding
    assert flat.exposure.image[:, 0] / ratio.mean() == pytest.approx(0.5, abs=1e-4)
    assert (flat.info.physical_filter, flat.exposure.obs.physical_filter) == ("r", "r")
    assert flat.exposure.header["FLATSRC"] == "DOME"
    scales = [flat.exposure.header[f"CPP_INPUT_SCALE_{i}"] for i in range(5)]
    np.testing.assert_allclose(np.array(scales) / scales[0], [1, 2, 3, 1.5, 2.5], rtol=1e-3)


def test_saturated_everywhere_is_bad_and_filled_with_the_median(recipe) -> None:
    frames = [np.full(SHAPE, 5000.0) for _ in range(5)]
    for frame in frames:
        frame[2, 2] = 62000
    frames[0][8, 8] = 62000  # in one only: left out, not bad
    flats = [raw_of(f, n=n, obs_type="flat", physical_filter="r") for n, f in enumerate(frames)]
    flat = make_flat(sources(flats), recipe.without(["dark"]), {"bias": zero_bias()}).exposure
    assert np.argwhere(flat.mask == mask_bits("BAD")).tolist() == [[2, 2]]
    assert flat.image[2, 2] == flat.image[8, 8] == np.median(flat.image)


def test_header_says_what_it_was_made_of_and_inherits_only_what_all_agree_on(recipe, tmp_path) -> None:
    raws = [raw_of(PATTERN, n=n, exposure_id=20260301000 + n) for n in range(3)]
    bias = make_bias(sources(raws), recipe, {})
    header = bias.exposure.header
    assert [header[f"CPP_INPUT_{i}"] for i in range(3)] == [20260301000, 20260301001, 20260301002]
    assert header["CPP_INPUT_DATE_1"] == "2001-09-09T01:48:20.000000000"
    assert header["CPP_INPUT_EXPT_0"] == 0.0
    assert (header["OBSTYPE"], header["SEQNAME"], header["LSST ISR UNITS"]) == ("bias", "standard", "adu")
    assert "AIRTEMP" not in header
    assert header["LSST CALIB BIAS L DISTRIBUTION 50.0-PCT"] == np.median(PATTERN[:, :NX])
    assert header["LSST CALIB BIAS R BADPIX-NUM"] == 0
    assert (bias.info.instrument, bias.info.detector_name) == ("pair", "S01")
    obs = bias.exposure.obs
    assert (obs.begin_tai_ns, obs.end_tai_ns) == (10**18, 10**18 + 2 * 10**11 + 10**10)
    assert (obs.exposure_time_s, obs.dark_time_s, obs.exposure_id, obs.day_obs) == (0.0, 0.0, None, 20260301)
    write_calibration(bias, tmp_path / "bias.fits")
    assert read_calibration("bias", tmp_path / "bias.fits") == bias


def test_the_same_raws_make_an_identical_file(recipe, tmp_path) -> None:
    raws = [raw_of(PATTERN, n=n) for n in range(3)]
    digests = {write_calibration(make_bias(sources(raws), recipe, {}), tmp_path / f"{i}.fits") for i in range(2)}
    assert len(digests) == 1


def test_all_that_do_not_belong_are_listed_at_once(recipe) -> None:
    product = raw_of(PATTERN, n=6)
    product.header["ISRFLOW RUN"] = "night/20260301"
    small = raw_of(PATTERN, n=7)
    small.image = small.image[:-1]
    raws = [
        raw_of(PATTERN, n=1, obs_type="flat", physical_filter="r"),
        raw_of(PATTERN, n=2, obs_type="flat", physical_filter="g"),
        raw_of(PATTERN, n=3, obs_type="flat", physical_filter="r", detector_id=2),
        raw_of(PATTERN, n=4, obs_type="dark", physical_filter="r"),
        raw_of(PATTERN, n=5, obs_type="flat", physical_filter="r", readout_mode={"binning": 2}),
        product,
        small,
    ]
    with pytest.raises(UnprocessableError) as caught:
        make_flat(sources(raws), recipe.without(["dark"]), {"bias": zero_bias()})
    lines = str(caught.value)
    for part in (
        "exposure 2 detector S01: filter is g, of the first it is r",
        "exposure 3 detector S02: detector is S02, of the first it is S01",
        "exposure 4 detector S01: it is of type dark, not flat",
        "exposure 5 detector S01: readout mode is {'binning': 2}",
        "exposure 6 detector S01: it is a product, not a raw (ISRFLOW RUN)",
        "exposure 7 detector S01: it is of type bias, not flat",
        "size is (19, 32), of the first it is (20, 32)",
    ):
        assert part in lines
    assert "exposure 1" not in lines


def test_a_master_is_never_an_input(recipe) -> None:
    raws = [raw_of(PATTERN, n=n) for n in range(3)]
    master = make_bias(sources(raws), recipe, {}).exposure
    with pytest.raises(UnprocessableError, match="it is a product, not a raw"):
        make_bias(sources([*raws, master]), recipe, {})


def test_too_few_are_refused(recipe) -> None:
    with pytest.raises(UnprocessableError, match="a bias needs at least 3 exposures, 2 are given"):
        make_bias(sources([raw_of(PATTERN, n=n) for n in range(2)]), recipe, {})


def test_a_dark_without_dark_time_and_a_flat_without_light_are_refused(recipe) -> None:
    darks = [raw_of(PATTERN, n=n, obs_type="dark") for n in range(3)]
    with pytest.raises(UnprocessableError, match="exposure 0 detector S01 has no dark time"):
        make_dark(sources(darks), recipe, {"bias": zero_bias()})
    flats = [raw_of(np.zeros(SHAPE), n=n, obs_type="flat") for n in range(3)]
    with pytest.raises(UnprocessableError, match="a flat must have light"):
        make_flat(sources(flats), recipe.without(["dark"]), {"bias": zero_bias()})


def test_missing_calibrations_are_named(recipe) -> None:
    darks = [raw_of(PATTERN, n=n, obs_type="dark", dark_time_s=5.0) for n in range(3)]
    with pytest.raises(MissingCalibrations, match="bias"):
        make_dark(sources(darks), recipe, {})


@pytest.mark.parametrize("kind", list(STEPS))
def test_a_maker_runs_only_steps_before_its_own(recipe, kind) -> None:
    rows = [row.name for row, _ in prefix_of(recipe, kind).enabled_rows()]
    assert kind not in rows
    made_before_defects = {"defects"} if kind != "fringe" else set()
    assert not ({"interpolation", "gains", "statistics"} | made_before_defects) & set(rows)
    assert {"convert", "overscan", "assembly", "variance"} <= set(rows)


def test_blocks_of_rows_make_no_difference_and_nothing_is_left_behind(recipe, tmp_path) -> None:
    rng = np.random.default_rng(13)
    raws = [raw_of(rng.normal(200, 20, SHAPE), n=n) for n in range(6)]
    whole = make_bias(sources(raws), recipe, {})
    parts = make_bias(sources(raws), recipe, {}, MakerConfig(block_mb=12 * 6 * 2 * NX * 3 / 1e6, scratch=tmp_path))
    for ours, theirs in zip(parts.exposure.planes(), whole.exposure.planes(), strict=True):
        assert ours.tobytes() == theirs.tobytes()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UnprocessableError):
        make_bias(sources([*raws, raw_of(PATTERN, obs_type="flat")]), recipe, {}, MakerConfig(scratch=tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_memory_does_not_grow_with_the_number_of_exposures(recipe) -> None:
    def peak(n: int) -> int:
        raws = [lambda i=i: raw_of(PATTERN, n=i) for i in range(n)]
        make_bias(raws, recipe, {}, MakerConfig(block_mb=0.01))
        tracemalloc.start()
        make_bias(raws, recipe, {}, MakerConfig(block_mb=0.01))
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest

    few, many = peak(4), peak(24)
    planes_of_one = 12 * NY * 2 * NX
    # headers and identities of the inputs are kept (some kB each), their 5760 bytes of pixels are not
    assert many - few < 20 * planes_of_one
