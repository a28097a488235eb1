"""What users of the reference pass becomes our calibrations."""

from dataclasses import replace

import numpy as np
import pytest

from isrflow.calibs.bfk import BrighterFatterKernel
from isrflow.calibs.fringe import Fringe
from isrflow.errors import CalibrationError, NotAnExposureError
from isrflow.recipe import IsrConfig
from isrflow.run import run_isr
from isrflow.task.base import Struct
from isrflow.task.isr_task import IsrTask

KERNEL = np.array([[1, 2, 1], [2, 5, 2], [1, 2, 1]]) * -1e-7


def planes_of(exposure) -> list[np.ndarray]:
    return [exposure.image, exposure.mask, exposure.variance]


def test_a_bare_array_serves_as_a_kernel_with_gains_beside_it(raw, calibs) -> None:
    gains = {"L": 2.0, "R": 3.0}
    bfk = BrighterFatterKernel(
        level="DETECTOR",
        size_px=3,
        detector_kernels={"A": KERNEL},
        amplifier_kernels=dict.fromkeys(gains, KERNEL),
        gain=gains,
    )
    recipe = IsrConfig.layered({"brighter_fatter.enabled": True})
    expected = run_isr(raw, {**calibs, "bfk": bfk}, recipe).exposure
    task = IsrTask(config=recipe)
    product = task.run(raw.copy(), bfKernel=KERNEL, bfGains=gains, **calibs).exposure
    for ours, theirs in zip(planes_of(product), planes_of(expected), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert task.metadata["LSST ISR BF ITERS"] >= 1
    other = task.run(raw.copy(), bfKernel=bfk, bfGains={"L": 1.0, "R": 1.0}, **calibs).exposure
    assert (other.image != product.image).any()


@pytest.mark.parametrize(
    ("kernel", "said"),
    [
        (np.zeros((3, 5)), r"square array of numbers, not one of shape \(3, 5\)"),
        (np.zeros(3), r"not one of shape \(3,\)"),
        ("kernel.fits", "not str"),
    ],
)
def test_what_cannot_be_a_kernel_is_refused(raw, kernel, said) -> None:
    with pytest.raises(NotAnExposureError, match=said):
        IsrTask().run(raw, bfKernel=kernel)


def test_a_kernel_of_even_size_or_without_numbers_is_refused(raw) -> None:
    with pytest.raises(CalibrationError, match="size_px is 4, not an odd number"):
        IsrTask().run(raw, bfKernel=np.zeros((4, 4)))
    with pytest.raises(CalibrationError, match="the kernel of detector A holds values that are not finite"):
        IsrTask().run(raw, bfKernel=np.full((3, 3), np.nan))


def test_fringes_come_in_a_struct_with_the_seed_of_their_places(raw, calibs) -> None:
    raw.obs = replace(raw.obs, physical_filter="r")
    frame = calibs["bias"].exposure.copy()
    frame.image[:] = np.sin(np.arange(frame.image.shape[1]) / 2.0)
    settings = {"fringe.filters": ["r"], "fringe.num": 50, "fringe.small": 1, "fringe.large": 6}
    task = IsrTask(config=settings)
    expected = run_isr(
        raw, {**calibs, "fringe": Fringe(frames=(frame,))}, task.config.override({"fringe.seed": 11})
    ).exposure
    product = task.run(raw.copy(), fringes=Struct(fringes=frame, seed=11), **calibs).exposure
    np.testing.assert_array_equal(product.image, expected.image)
    listed = task.run(raw.copy(), fringes=Struct(fringes=[frame.image], seed=11), **calibs).exposure
    np.testing.assert_array_equal(listed.image, expected.image)
    with pytest.raises(RuntimeError, match="enabled steps lack their calibrations: fringe"):
        task.run(raw.copy(), **calibs)


def test_an_image_serves_as_illumination_correction(raw, calibs) -> None:
    raw.obs = replace(raw.obs, physical_filter="r")
    plain = IsrTask().run(raw.copy(), **calibs).exposure
    task = IsrTask(config={"doIlluminationCorrection": True, "illumFilters": ["r"]})
    product = task.run(raw.copy(), illumMaskedImage=np.full(plain.image.shape, 2, np.float32), **calibs).exposure
    np.testing.assert_array_equal(product.image, plain.image / 2)
    with pytest.raises(RuntimeError, match="enabled steps lack their calibrations: illumination"):
        task.run(raw, **calibs)


def test_an_image_serves_as_a_model_of_stray_light(raw, calibs) -> None:
    raw.obs = replace(raw.obs, physical_filter="r")
    seen = []
    task = IsrTask(
        config={"doStrayLight": True, "strayLight.filters": ["r"], "doFlat": False},
        debug={"doDark": lambda e: seen.append(e.image.copy()), "doStrayLight": lambda e: seen.append(e.image.copy())},
    )
    del calibs["flat"]
    task.run(raw, strayLightData=np.full(raw.detector.box.shape, 5, np.float32), **calibs)
    np.testing.assert_array_equal(seen[1], seen[0] - 5)


def test_what_cannot_be_a_transmission_is_refused(raw) -> None:
    with pytest.raises(NotAnExposureError, match="opticsTransmission must be a TransmissionOptics or a Transmission"):
        IsrTask().run(raw, opticsTransmission=1.0)
