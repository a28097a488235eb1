"""The brighter-fatter step: what is changed, what is marked, and which gains and kernels are used."""

import numpy as np
import pytest

from isrflow.calibs.bfk import BrighterFatterKernel
from isrflow.calibs.dark import Dark
from isrflow.calibs.flat import Flat
from isrflow.errors import CalibrationError, CalibrationMismatch, GeometryError, HeaderError
from isrflow.frame.camera import Amplifier, Detector
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.frame.obs import Observation
from isrflow.steps.brighter_fatter import BrighterFatterConfig, correct_exposure
from isrflow.steps.byproducts import EffectivePtc

CONFIG = BrighterFatterConfig(threshold_electron=1e-3)
SIZE = 24
SAT, EDGE = mask_bits("SAT"), mask_bits("EDGE")


def detector(gain: float = 2.0) -> Detector:
    amps = [
        Amplifier(name=name, box=box, raw=box, raw_data=box, gain_electron_per_adu=gain)
        for name, box in (("L", [0, 0, SIZE // 2, SIZE]), ("R", [SIZE // 2, 0, SIZE // 2, SIZE]))
    ]
    return Detector(id=1, name="D", box=[0, 0, SIZE, SIZE], amplifiers=tuple(amps))


def picture(level: float = 1000.0, gain: float = 2.0, **more) -> Exposure:
    shape = SIZE, SIZE
    planes = np.full(shape, level, np.float32), np.zeros(shape, np.int32), np.full(shape, 9, np.float32)
    return Exposure(*planes, detector=detector(gain), obs=Observation(dark_time_s=10.0), **more)


def star(**more) -> Exposure:
    result = picture(**more)
    y, x = np.mgrid[:SIZE, :SIZE] - 12
    result.image += (20000 * np.exp(-(x**2 + y**2) / 12.5)).astype(np.float32)
    return result


def kernels(strength: float = -1e-7, **more) -> BrighterFatterKernel:
    kernel = np.full((3, 3), strength)
    kernel[1, 1] *= 4
    return BrighterFatterKernel(level="DETECTOR", size_px=3, detector_kernels={"D": kernel}, **more)


def test_a_constant_image_keeps_its_values_and_gets_an_edge_of_half_a_kernel() -> None:
    exposure = picture()
    correct_exposure(exposure, CONFIG, bfk=kernels())
    assert np.all(exposure.image == 1000)
    assert np.all(exposure.variance == 9)
    edge = np.full((SIZE, SIZE), EDGE)
    edge[1:-1, 1:-1] = 0
    assert np.array_equal(exposure.mask, edge)
    assert exposure.header["LSST ISR BF APPLIED"] is True


def test_a_kernel_of_zeros_changes_no_pixel() -> None:
    exposure = star()
    fit = correct_exposure(exposure, CONFIG, bfk=kernels(0.0))
    assert np.array_equal(exposure.image, star().image)
    assert (fit.last_iteration, fit.difference_electron) == (2, 0.0)


@pytest.mark.parametrize("flux_conserving", [False, True])
def test_a_star_becomes_sharper_and_keeps_its_charge(flux_conserving) -> None:
    exposure, before = star(), star().image
    config = BrighterFatterConfig(threshold_electron=1e-3, flux_conserving=flux_conserving)
    correct_exposure(exposure, config, bfk=kernels())
    moved = exposure.image - before
    assert moved[11:14, 11:14].sum() > 10
    # currents lose nothing but float32 rounding; central differences are exact only as far as pixels resolve the star
    assert abs(moved.sum(dtype=np.float64)) < (1e-4 if flux_conserving else 0.05) * np.abs(moved).sum()


def test_the_effect_is_proportional_to_the_gain() -> None:
    moved = {}
    for gain in (1.0, 2.0):
        exposure = star(gain=gain)
        correct_exposure(exposure, BrighterFatterConfig(max_iterations=1), bfk=kernels(-1e-8))
        moved[gain] = (exposure.image - star().image)[12, 12]
    assert moved[2.0] == pytest.approx(2 * moved[1.0], rel=1e-3)  # some adu in an image with last places of 0.002


def test_gains_are_those_of_the_kernels_then_of_earlier_steps_then_of_the_camera() -> None:
    def moved(bfk, **more) -> float:
        exposure = star(gain=2.0)
        correct_exposure(exposure, CONFIG, bfk=bfk, **more)
        return float((exposure.image - star().image)[12, 12])

    ptc = EffectivePtc(dict.fromkeys("LR", 3.0), dict.fromkeys("LR", 1.0), dict.fromkeys("LR", 1.0))
    by_kernel = kernels(amp_names=("L", "R"), gain={"L": 4.0, "R": 4.0})
    found = [moved(kernels()), moved(kernels(), ptc=ptc), moved(by_kernel, ptc=ptc)]
    assert found == sorted(found)
    assert len(set(found)) == 3


def test_an_image_in_electrons_needs_neither_gains_nor_detector() -> None:
    exposure = star(unit="electron")
    exposure.detector = None
    bfk = kernels(info=kernels().info.__class__(detector_name="D"))
    correct_exposure(exposure, CONFIG, bfk=bfk)
    assert exposure.image[12, 12] != star().image[12, 12]
    without = star()
    without.detector = None
    with pytest.raises(GeometryError, match="no detector, so its gains"):
        correct_exposure(without, CONFIG, bfk=bfk)


def test_saturated_pixels_keep_their_values_and_do_not_spoil_their_neighbours() -> None:
    exposure = picture()
    exposure.image[12, 12] = 1e6
    exposure.mask[12, 12] = SAT
    correct_exposure(exposure, CONFIG, bfk=kernels())
    assert exposure.image[12, 12] == 1e6
    exposure.image[12, 12] = 1000
    np.testing.assert_allclose(exposure.image, 1000, rtol=1e-7)
    assert np.argwhere(exposure.mask & SAT).tolist() == [[12, 12]]
    assert not np.any(exposure.mask & mask_bits("INTRP"))


def test_each_plane_is_grown_if_asked() -> None:
    exposure = picture()
    exposure.mask[12, 12] = SAT
    correct_exposure(exposure, BrighterFatterConfig(grow_px=1), bfk=kernels())
    assert np.count_nonzero(exposure.mask & SAT) == 5


def test_bad_pixels_are_replaced_as_if_dark_and_flat_were_gone() -> None:
    shape = SIZE, SIZE
    response = np.where(np.arange(SIZE) % 2, 0.5, 1.0) * np.ones(shape)
    zeros = np.zeros(shape, np.int32), np.zeros(shape, np.float32)
    flat = Flat(exposure=Exposure(response.astype(np.float32), *zeros))
    dark_image = np.full(shape, 100, np.float32)
    dark = Dark(exposure=Exposure(dark_image, *zeros, obs=Observation(dark_time_s=1.0)))
    exposure = picture()
    exposure.image[:] = 2000 * response + 1000
    exposure.image[12, 12] = 0
    exposure.mask[12, 12] = SAT
    clean = picture()
    clean.image[:] = 2000 * response + 1000
    for each in (exposure, clean):
        correct_exposure(each, CONFIG, bfk=kernels(), dark=dark, flat=flat)
    exposure.image[12, 12] = clean.image[12, 12]
    np.testing.assert_allclose(exposure.image, clean.image, rtol=1e-6)  # the round trip through dark and flat


def test_a_dark_that_cannot_be_scaled_is_an_error_unless_it_is_not_used() -> None:
    exposure = picture()
    exposure.obs = Observation()
    dark = Dark(exposure=picture(1.0))
    with pytest.raises(HeaderError, match=r"dark time is not known.*\n.*apply_dark"):
        correct_exposure(exposure, CONFIG, bfk=kernels(), dark=dark)
    correct_exposure(exposure, BrighterFatterConfig(apply_dark=False), bfk=kernels(), dark=dark)


def test_what_the_kernels_lack_is_named() -> None:
    with pytest.raises(CalibrationMismatch, match="no gain of amplifiers R"):
        correct_exposure(picture(), CONFIG, bfk=kernels(amp_names=("L",), gain={"L": 1.0}))
    with pytest.raises(CalibrationError, match=r"gains of the bfk are not positive: L \(0\), R \(-1\)"):
        correct_exposure(picture(), CONFIG, bfk=kernels(amp_names=("L", "R"), gain={"L": 0.0, "R": -1.0}))
    other = BrighterFatterKernel(level="DETECTOR", size_px=3, detector_kernels={"E": np.zeros((3, 3))})
    with pytest.raises(CalibrationMismatch, match="no kernel of detector D, only of E"):
        correct_exposure(picture(), CONFIG, bfk=other)


def test_kernels_of_amplifiers_are_averaged_over_the_valid_ones() -> None:
    made = {name: np.full((3, 3), value) for name, value in (("A", 1.0), ("B", 3.0), ("C", 50.0))}
    bfk = BrighterFatterKernel(size_px=3, amplifier_kernels=made, valid={"C": False})
    assert np.all(bfk.kernel_of("any") == 2.0)
    nothing = BrighterFatterKernel(size_px=3, amplifier_kernels=made, valid=dict.fromkeys(made, False))
    with pytest.raises(CalibrationMismatch, match="no amplifier is valid"):
        nothing.kernel_of("any")


def test_gains_other_than_those_of_the_exposure_are_a_warning_or_refused(caplog) -> None:
    ptc = EffectivePtc(dict.fromkeys("LR", 3.0), dict.fromkeys("LR", 1.0), dict.fromkeys("LR", 1.0))
    bfk = kernels(amp_names=("L", "R"), gain={"L": 3.0, "R": 4.0})
    correct_exposure(picture(), CONFIG, bfk=bfk, ptc=ptc)
    assert "gains of the bfk are not those of the exposure: R (4, 3)" in caplog.text
    with pytest.raises(CalibrationMismatch, match=r"R \(4, 3\)"):
        correct_exposure(picture(), BrighterFatterConfig(refuse_other_gains=True), bfk=bfk, ptc=ptc)


def test_a_kernel_larger_than_the_image_is_refused() -> None:
    wide = BrighterFatterKernel(level="DETECTOR", size_px=25, detector_kernels={"D": np.zeros((25, 25))})
    with pytest.raises(CalibrationMismatch, match="kernel of 25 x 25 px does not fit into the image of 24 x 24 px"):
        correct_exposure(picture(), CONFIG, bfk=wide)


def test_an_amplifier_may_lend_its_kernel_to_the_detector() -> None:
    made = {"A": np.full((3, 3), 1.0), "B": np.full((3, 3), 3.0)}
    bfk = BrighterFatterKernel(size_px=3, amplifier_kernels=made)
    assert np.all(bfk.with_kernel_of("B", "D").kernel_of("D") == 3.0)
    assert np.all(bfk.mean_kernel(exclude=("B",)) == 1.0)


def test_an_iteration_cut_short_is_a_warning(caplog) -> None:
    correct_exposure(star(), BrighterFatterConfig(max_iterations=2, threshold_electron=0.0), bfk=kernels())
    assert "still changed by" in caplog.text
