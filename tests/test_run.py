"""The loop over the recipe with unusual detectors, pixels and arguments."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from isrflow.errors import ConfigError, GeometryError, NotAnExposureError, StepError
from isrflow.frame.camera import Camera, camera_from_yaml
from isrflow.frame.exposure import Exposure
from isrflow.frame.obs import Observation
from isrflow.recipe import IsrConfig
from isrflow.run import run_isr

WIDTH, HEIGHT = 20, 12
PLAIN = IsrConfig().without(["bias", "dark", "flat", "defects"])


def camera(n_amplifiers: int = 2, *, overscan: int = 4, flip_x: bool = False) -> Camera:
    """Describe amplifiers side by side, each with its overscan on its right; the last one may be read mirrored."""
    amplifiers = []
    for i in range(n_amplifiers):
        x = i * (WIDTH + overscan)
        serial = f"raw_serial_overscan: [{x + WIDTH}, 0, {overscan}, {HEIGHT}], " if overscan else ""
        flip = "raw_flip_x: true, " if flip_x and i == n_amplifiers - 1 else ""
        amplifiers.append(
            f"{{name: A{i}, box: [{i * WIDTH}, 0, {WIDTH}, {HEIGHT}], raw: [{x}, 0, {WIDTH + overscan}, {HEIGHT}], "
            f"raw_data: [{x}, 0, {WIDTH}, {HEIGHT}], {serial}{flip}saturation_adu: 60000, "
            "gain_electron_per_adu: 2, read_noise_electron: 20}"
        )
    box = f"[0, 0, {n_amplifiers * WIDTH}, {HEIGHT}]"
    detector = f"{{id: 0, name: D0, box: {box}, amplifiers: [{', '.join(amplifiers)}]}}"
    return camera_from_yaml(f"{{name: little, detectors: [{detector}]}}")


def raw(camera: Camera, dtype: Any = np.uint16, level: float = 1000.0) -> Exposure:
    detector = camera.detectors[0]
    image = np.random.default_rng(1).normal(level, 5, detector.raw_box.shape)
    obs = Observation(instrument="little", exposure_id=7, exposure_time_s=10.0, dark_time_s=10.0)
    return Exposure(image.round().astype(dtype), detector=detector, obs=obs)


@pytest.mark.parametrize("n_amplifiers", [1, 2])
def test_a_detector_without_overscan_is_assembled_and_keeps_its_level(n_amplifiers) -> None:
    little = camera(n_amplifiers, overscan=0, flip_x=True)
    exposure = raw(little)
    product = run_isr(exposure, {}, PLAIN).exposure
    expected = exposure.image.astype(np.float32)
    expected[:, -WIDTH:] = expected[:, -WIDTH:][:, ::-1]
    np.testing.assert_array_equal(product.image, expected)
    assert product.is_trimmed
    with pytest.raises(StepError, match="is trimmed already"):
        run_isr(product, {}, PLAIN)


@pytest.mark.parametrize("dtype", ["u1", "u2", ">u2", "i2", "i4", "i8", "f2", "f4", ">f4", "f8"])
def test_all_numbers_are_corrected_alike(dtype) -> None:
    little = camera()
    expected = run_isr(raw(little, np.uint16, 100), {}, PLAIN).exposure
    product = run_isr(raw(little, dtype, 100), {}, PLAIN).exposure
    assert product.image.dtype == np.float32
    np.testing.assert_array_equal(product.image, expected.image)


def test_complex_pixels_are_refused() -> None:
    with pytest.raises(StepError, match="complex128 are not real numbers"):
        run_isr(raw(camera(), complex), {}, PLAIN)


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.uint16])
def test_views_in_any_memory_order_are_corrected_alike(dtype, overwrite) -> None:
    little = camera()
    plain = raw(little, dtype)
    expected = run_isr(plain, {}, PLAIN).exposure.image
    large = np.zeros([2 * n for n in plain.image.shape], dtype)
    large[::2, ::2] = plain.image
    read_only = plain.image.copy()
    read_only.setflags(write=False)
    views = [np.asfortranarray(plain.image), large[::2, ::2], plain.image[::-1].copy()[::-1], read_only]
    for image in views:
        exposure = Exposure(image.view(), detector=plain.detector, obs=plain.obs)
        np.testing.assert_array_equal(run_isr(exposure, {}, PLAIN, overwrite=overwrite).exposure.image, expected)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32, np.float64])
def test_the_raw_is_left_alone_unless_it_may_be_overwritten(dtype) -> None:
    exposure = raw(camera(), dtype)
    pixels = exposure.image.copy()
    product = run_isr(exposure, {}, PLAIN).exposure
    assert product is not exposure
    np.testing.assert_array_equal(exposure.image, pixels)
    assert (exposure.header, exposure.history, exposure.mask) == ({}, [], None)
    assert run_isr(exposure, {}, PLAIN, overwrite=True).exposure is exposure


def test_pixels_and_amplifiers_without_a_number_are_marked_and_do_not_spread() -> None:
    little = camera()
    exposure = raw(little, np.float32)
    clean = run_isr(exposure, {}, PLAIN).exposure
    exposure.image[3, 4], exposure.image[5, 7], exposure.image[2, WIDTH + 1] = np.nan, np.inf, np.nan
    exposure.image[:, -WIDTH - 4 :] = np.nan
    product = run_isr(exposure, {}, PLAIN).exposure
    assert np.isfinite(product.image).all()
    touched = np.zeros(product.image.shape, bool)
    touched[3, 4] = touched[:, WIDTH:] = True
    touched[5, 6:9] = touched[4:7, 7] = True  # infinity is saturated, and saturation is grown by a pixel
    np.testing.assert_array_equal(np.argwhere((product.mask != 0) != touched), np.empty((0, 2)))
    # a pixel less in the overscan moves its median by less than the spacing of digitised values
    np.testing.assert_allclose(product.image[~touched], clean.image[~touched], atol=1.0)


@pytest.mark.parametrize("level", [65535.0, np.nan])
def test_a_detector_without_any_good_pixel_comes_out_marked(level) -> None:
    exposure = raw(camera(), np.float32)
    exposure.image[:] = level
    product = run_isr(exposure, {}, PLAIN).exposure
    assert (product.mask != 0).all()


def test_a_bare_image_says_that_it_has_no_detector() -> None:
    with pytest.raises(StepError, match=r"step saturation failed on exposure: .*has no detector"):
        run_isr(Exposure(np.ones((5, 5), np.uint16)), {}, PLAIN)


def test_an_image_has_two_dimensions() -> None:
    with pytest.raises(GeometryError, match=r"two dimensions \(ny, nx\), not shape \(5,\)"):
        Exposure(np.ones(5))


def test_other_things_than_exposures_recipes_and_calibrations_are_named() -> None:
    exposure: Any = raw(camera())
    with pytest.raises(NotAnExposureError, match="needed, not a ndarray"):
        run_isr(exposure.image, {}, PLAIN)
    with pytest.raises(ConfigError, match=r"needed, not a dict\n.*IsrConfig.layered"):
        run_isr(exposure, {}, {"bias": {}})  # type: ignore[arg-type]
    with pytest.raises(NotAnExposureError, match=r"bias is a ndarray\n"):
        run_isr(exposure, {"bias": exposure.image}, PLAIN)


def test_a_parallel_overscan_that_is_not_there_is_said_to_be_missing() -> None:
    with pytest.raises(StepError, match=r"A0 has no parallel overscan\n.*overscan.parallel=false"):
        run_isr(raw(camera()), {}, PLAIN.override({"overscan.parallel": True}))


def test_two_python_threads_correct_as_one_does() -> None:
    exposure = raw(camera(), np.float32)
    alone = run_isr(exposure, {}, PLAIN).exposure
    products: list[Exposure] = []
    threads = [
        threading.Thread(target=lambda: products.append(run_isr(exposure, {}, PLAIN).exposure)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(products) == 4
    for product in products:
        for mine, theirs in zip(product.planes(), alone.planes(), strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_amplifiers_described_in_another_order_give_the_same_pixels() -> None:
    little = camera(3)
    turned = little.detectors[0].model_copy(update={"amplifiers": little.detectors[0].amplifiers[::-1]})
    first, second = raw(little), raw(little)
    second.detector = turned
    for mine, theirs in zip(
        run_isr(first, {}, PLAIN).exposure.planes(), run_isr(second, {}, PLAIN).exposure.planes(), strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)


def test_a_level_that_is_not_set_is_no_setting_of_its_own() -> None:
    history = {entry.step: entry for entry in run_isr(raw(camera()), {}, PLAIN).exposure.history}
    assert history["saturation"].settings == {}
