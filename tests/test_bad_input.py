"""What is wrong with an input is named: what, where, why, and how to mend it.

Where the reference goes on with a substitute (a gain of zero becomes one) so do we, and the log says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from isrflow.calibs.base import Calibration
from isrflow.calibs.bfk import BrighterFatterKernel
from isrflow.calibs.bias import Bias
from isrflow.calibs.crosstalk import Crosstalk
from isrflow.calibs.dark import Dark
from isrflow.calibs.defects import Defects
from isrflow.calibs.deferred_charge import DeferredCharge
from isrflow.calibs.flat import Flat
from isrflow.calibs.linearizer import Linearizer
from isrflow.calibs.ptc import PhotonTransferCurve
from isrflow.errors import (
    CalibrationError,
    CalibrationMismatch,
    GeometryError,
    HeaderError,
    MissingCalibrations,
    NotAnExposureError,
    StepError,
)
from isrflow.frame.camera import load_camera
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.frame.obs import Observation
from isrflow.recipe import IsrConfig
from isrflow.run import run_isr
from isrflow.task.base import Struct
from isrflow.task.isr_task import IsrTask

DETECTOR = load_camera("tiny").detector("A")
PICTURES = ("bias", "dark", "flat")
BAD, NO_DATA = mask_bits("BAD"), mask_bits("NO_DATA")


def raw(detector: Any = DETECTOR, **obs: Any) -> Exposure:
    """Light of 500 adu over an overscan of 1000."""
    pixels = np.random.default_rng(5).normal(1500, 10, detector.raw_box.shape).astype(np.float32)
    for amp in detector.amplifiers:
        pixels[amp.raw_serial_overscan.slices()] -= 500
    seen = Observation(**{"exposure_id": 7, "exposure_time_s": 30.0, "dark_time_s": 31.0, **obs})
    return Exposure(pixels, np.zeros(pixels.shape, np.int32), np.zeros_like(pixels), detector=detector, obs=seen)


def good() -> dict[str, Calibration]:
    rng = np.random.default_rng(6)
    return {kind.kind: kind.example(DETECTOR, rng) for kind in (Bias, Dark, Flat, Defects)}


def changed(kind: str, change: Any) -> dict[str, Calibration]:
    """The good calibrations, one of the pictures with other pixels."""
    calibs = good()
    picture = calibs[kind].exposure.copy()
    change(picture)
    return {**calibs, kind: replace(calibs[kind], exposure=picture)}


def run(exposure: Exposure, calibs: Mapping[str, Calibration], **settings: Any) -> Exposure:
    return run_isr(exposure, calibs, IsrConfig.layered(settings)).exposure


def described(**other: Any) -> Any:
    """The detector with another first amplifier."""
    first, second = DETECTOR.amplifiers
    return DETECTOR.model_copy(update={"amplifiers": (first.model_copy(update=other), second)})


# --- shapes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [slice(None, -1), slice(1, None)])
def test_a_raw_that_holds_amplifiers_in_part_says_which_and_what_size_it_should_have(rows) -> None:
    cut = replace(raw(), image=raw().image[rows], mask=None, variance=None)
    with pytest.raises(
        GeometryError,
        match=r"image of 80 x 51 pixels holds amplifiers only in part: L .*, R .*; raws of detector A have 80 x 52",
    ):
        run(cut, good())
    with pytest.raises(RuntimeError, match="holds amplifiers only in part"):
        IsrTask().run(cut, **good())


def test_a_raw_of_three_dimensions_is_refused() -> None:
    with pytest.raises((GeometryError, NotAnExposureError), match=r"2|two"):
        run(Exposure(np.zeros((2, 3, 4), np.float32), detector=DETECTOR), good())


def test_all_pictures_of_another_size_are_named_with_both_sizes() -> None:
    calibs = good()
    for kind in PICTURES:
        calibs[kind] = replace(calibs[kind], exposure=calibs[kind].exposure.view(DETECTOR.amplifiers[0].box))
    said = r"(?=.*bias is 32 x 48 pixels, detector A is 64 x 48)(?=.*dark is 32)(?=.*flat is 32)"
    with pytest.raises(CalibrationMismatch, match=said):
        run(raw(), calibs)
    with pytest.raises(CalibrationMismatch, match=said):
        IsrTask().run(raw(), **calibs)


def test_a_kernel_larger_than_the_detector_is_refused_with_both_sizes() -> None:
    kernel = np.zeros((65, 65))
    with pytest.raises(RuntimeError, match="kernel of 65 x 65 px does not fit into the image of 64 x 48 px"):
        IsrTask(config={"doBrighterFatter": True}).run(raw(), bfKernel=kernel, **good())


def test_crosstalk_of_another_number_of_amplifiers_is_refused() -> None:
    calibs = {**good(), "crosstalk": Crosstalk(coefficients=np.zeros((3, 3)))}
    with pytest.raises(CalibrationMismatch, match="crosstalk is of 3 amplifiers, detector A has 2"):
        run(raw(), calibs, crosstalk={"enabled": True})


def test_crosstalk_whose_matrix_is_not_square_is_refused_before_it_is_used() -> None:
    calibs = {**good(), "crosstalk": Crosstalk(coefficients=np.zeros((2, 3)))}
    with pytest.raises(StepError, match=r"coefficients have shape \(2, 3\), not \(n, n\)") as caught:
        run(raw(), calibs, crosstalk={"enabled": True})
    assert isinstance(caught.value.__cause__, CalibrationError)


def test_a_raw_that_holds_none_of_the_amplifiers_is_refused() -> None:
    with pytest.raises(GeometryError, match="image of 0 x 0 pixels holds none of the amplifiers; raws of detector A"):
        run(Exposure(np.zeros((0, 0), np.float32), detector=DETECTOR), good())


@pytest.mark.parametrize(
    ("keyword", "value", "said"),
    [
        ("bias", [1], "bias: an exposure or a two-dimensional image is needed, not a list"),
        ("strayLightData", np.zeros(3), "strayLightData: an exposure or a two-dimensional image"),
        ("fringes", 3, "fringes: an exposure or a two-dimensional image is needed, not a int"),
        ("fringes", Struct(fringes=np.zeros((48, 64)), seed="x"), "seed of fringes must be a whole number, not 'x'"),
        ("defects", "defects.fits", "defects must be Defects or a list of boxes, not str"),
        ("defects", [[1, 2, 3, 4], [1.5, 2, 3, 4]], r"box 1 of the defects must be \[x0, y0, width, height\]"),
        ("bfKernel", "kernel.fits", "bfKernel must be a BrighterFatterKernel or a square array of numbers, not str"),
        ("crosstalkSources", [3], "crosstalkSources must be exposures with detectors, not int"),
        ("ptc", {"gain": 1}, "ptc must be a PhotonTransferCurve, not dict"),
        ("filterTransmission", 0.5, "filterTransmission must be a TransmissionFilter or a TransmissionCurve"),
    ],
)
def test_things_of_another_type_are_named_by_their_keyword(keyword, value, said) -> None:
    with pytest.raises(TypeError, match=said):
        IsrTask().run(raw(), **{**good(), keyword: value})


def test_gains_beside_a_kernel_are_a_mapping() -> None:
    with pytest.raises(TypeError, match="bfGains must be a mapping of amplifier name to gain, not list"):
        IsrTask().run(raw(), bfKernel=np.zeros((5, 5)), bfGains=[1, 2], **good())


def test_nothing_a_path_and_a_cameras_name_are_no_exposures() -> None:
    with pytest.raises(TypeError, match="there is no exposure to correct"):
        IsrTask().run(None, **good())
    with pytest.raises(TypeError, match="not a str"):
        IsrTask().run("raw.fits", **good())
    with pytest.raises(TypeError, match=r"camera must be a Camera, not str\n  try: isrflow\.load_camera"):
        IsrTask().run(raw().image, camera="tiny", detectorNum=0, **good())


def test_calibrations_under_the_name_of_another_kind_are_named() -> None:
    calibs = good()
    with pytest.raises(TypeError, match="each under its kind, but bias is a Flat"):
        run(raw(), {**calibs, "bias": calibs["flat"]})
    with pytest.raises(TypeError, match="calibrations are a mapping by kind, not a list"):
        run(raw(), list(calibs.values()))  # type: ignore[arg-type]


def test_settings_of_another_type_are_refused() -> None:
    with pytest.raises(ValueError, match="config must be a recipe or a mapping of LSST's names, not int"):
        IsrTask(config=3)


# --- units ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", PICTURES)
def test_a_calibration_in_another_unit_is_warned_of_or_refused(kind, caplog) -> None:
    calibs = changed(kind, lambda picture: setattr(picture, "unit", "electron"))
    run(raw(), calibs)
    assert f"{kind} is in electron, the exposure it is applied to in adu" in caplog.messages
    with pytest.raises(RuntimeError, match=f"{kind} is in electron"):
        IsrTask(config={"doRaiseOnCalibMismatch": True}).run(raw(), **calibs)


def test_a_raw_in_electrons_is_warned_of_and_never_multiplied_by_gains(caplog) -> None:
    exposure = raw()
    exposure.unit = "electron"
    run(exposure, good())
    assert "exposure 7 detector A is in electron, but this recipe takes raws in adu" in caplog.messages
    with pytest.raises(StepError, match=r"step gains failed on exposure 7 detector A: .* is in electrons already"):
        run(exposure, good(), gains={"enabled": True}, flat={"enabled": False})


def test_an_unknown_unit_is_refused() -> None:
    exposure = raw()
    exposure.unit = "dn"  # type: ignore[assignment]
    with pytest.raises(NotAnExposureError, match="exposure 7 detector A: its unit is 'dn', not adu or electron"):
        run(exposure, good())


def test_crosstalk_ratios_of_an_unknown_unit_are_refused() -> None:
    calibs = {**good(), "crosstalk": Crosstalk(coefficients=np.zeros((2, 2)), units="photons")}
    with pytest.raises(StepError, match="units are 'photons', not adu or electron"):
        run(raw(), calibs, crosstalk={"enabled": True})


# --- calibrations that are no numbers -------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("kind", PICTURES)
def test_a_picture_without_a_finite_pixel_is_refused_by_name(kind, value) -> None:
    calibs = changed(kind, lambda picture: picture.image.fill(value))
    with pytest.raises(StepError, match=f"{kind}: none of its 3072 pixels is a finite number\n  try: make or certify"):
        run(raw(), calibs)
    with pytest.raises(RuntimeError, match=f"{kind}: none of its"):
        IsrTask().run(raw(), **calibs)


@pytest.mark.parametrize("kind", PICTURES)
def test_single_pixels_of_a_picture_that_are_not_finite_are_counted_and_stay_single(kind, caplog) -> None:
    calibs = changed(kind, lambda picture: picture.image.__setitem__((3, [4, 9]), np.nan))
    product = run(raw(), calibs)
    assert f"{kind}: 2 of 3072 pixels are not finite and not masked BAD" in caplog.messages
    assert np.count_nonzero(~np.isfinite(product.image)) <= 2


def test_pixels_that_are_masked_bad_in_the_calibration_need_not_be_finite(caplog) -> None:
    def spoil(picture: Exposure) -> None:
        picture.image[3, 4] = np.nan
        picture.mask[3, 4] = BAD

    product = run(raw(), changed("bias", spoil))
    assert not [message for message in caplog.messages if message.startswith("bias")]
    assert np.isfinite(product.image).all()


@pytest.mark.parametrize("level", [0.0, -1.0])
def test_a_flat_without_light_is_refused(level) -> None:
    with pytest.raises(StepError, match=r"flat: the sum of its pixels is -?[0-9]+, but a flat must have light"):
        run(raw(), changed("flat", lambda picture: picture.image.fill(level)))


def test_a_kernel_that_holds_nan_is_refused() -> None:
    kernels = {"A": np.full((5, 5), np.nan)}
    calibs = {**good(), "bfk": BrighterFatterKernel(level="DETECTOR", size_px=5, detector_kernels=kernels)}
    with pytest.raises(StepError, match="the kernel of detector A holds values that are not finite"):
        run(raw(), calibs, brighter_fatter={"enabled": True})


def test_an_amplifier_with_a_coefficient_that_is_nan_is_not_linearized_and_named(caplog) -> None:
    linearizer = Linearizer(
        linearity_type=dict.fromkeys("LR", "Squared"), coefficients={"L": [np.nan], "R": [1e-6]}, override=True
    )
    run(raw(described(linearity_type="Squared")), {**good(), "linearizer": linearizer})
    assert "exposure 7 detector A: amplifier L was not linearized (Squared)" in caplog.messages


def test_traps_with_impossible_numbers_are_refused_with_amplifier_and_number() -> None:
    calib = DeferredCharge.example(DETECTOR, np.random.default_rng(1))
    wrong = replace(calib, decay_time={**calib.decay_time, "L": -1.0})
    with pytest.raises(StepError, match=r"decay_time -1\.0, not positive, of amplifier L"):
        run(raw(), {**good(), "deferred_charge": wrong}, deferred_charge={"enabled": True})


# --- calibrations that are not there, or of another detector --------------------------------------------------------


def test_all_missing_calibrations_are_named_at_once_with_the_steps_to_switch_off() -> None:
    switched_on = {name: {"enabled": True} for name in ("crosstalk", "brighter_fatter", "deferred_charge")}
    with pytest.raises(MissingCalibrations) as caught:
        run(raw(described(linearity_type="Squared")), {}, **switched_on)
    kinds = {kind for _, kind in caught.value.missing}
    assert kinds == {"bias", "dark", "flat", "defects", "linearizer", "crosstalk", "bfk", "deferred_charge"}
    assert all(kind in str(caught.value) for kind in kinds)
    assert "--without" in str(caught.value)
    with pytest.raises(RuntimeError, match=r"(?=.*bias)(?=.*dark)(?=.*flat)(?=.*defects)"):
        IsrTask().run(raw())


def test_calibrations_of_other_detectors_are_all_named() -> None:
    calibs = {
        kind: replace(calib, info=replace(calib.info, detector_id=None, detector_name="B"))
        for kind, calib in good().items()
    }
    said = "(?=.*bias was made for detector B, the exposure is of A)(?=.*dark was made)(?=.*flat was made)"
    with pytest.raises(CalibrationMismatch, match=said):
        run(raw(), calibs)


def test_all_calibrations_of_other_amplifiers_are_named_with_both_lists_of_names() -> None:
    traps = DeferredCharge.example(DETECTOR, np.random.default_rng(1))
    renamed = {
        field.name: dict(zip("XY", getattr(traps, field.name).values(), strict=True))
        for field in fields(traps)
        if isinstance(getattr(traps, field.name), Mapping)
    }
    calibs = {
        **good(),
        "ptc": PhotonTransferCurve(gain={"X": 1.5, "Y": 1.5}, noise={"X": 5.0, "Y": 5.0}),
        "linearizer": Linearizer(linearity_type=dict.fromkeys("XY", "None"), coefficients={"X": [0.0], "Y": [0.0]}),
        "bfk": BrighterFatterKernel(amplifier_kernels=dict.fromkeys("XY", np.zeros((5, 5))), size_px=5),
        "deferred_charge": replace(traps, amp_names=("X", "Y"), **renamed),
    }
    switched_on = {name: {"enabled": True} for name in ("brighter_fatter", "deferred_charge")}
    with pytest.raises(CalibrationMismatch) as caught:
        run(raw(), calibs, **switched_on)
    for kind in ("ptc", "linearizer", "bfk", "deferred_charge"):
        assert f"{kind} has nothing on L, R and is about X, Y; detector A has amplifiers L, R" in str(caught.value)
    with pytest.raises(RuntimeError, match="bfk has nothing on L, R"):
        IsrTask(config={"doBrighterFatter": True}).run(raw(), bfKernel=calibs["bfk"], **good())


# --- gains and times ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gain", [0.0, -1.5, np.nan])
def test_a_gain_that_is_not_positive_becomes_one_and_the_log_names_the_amplifier(gain, caplog) -> None:
    product = run(raw(described(gain_electron_per_adu=gain)), good())
    said = f"exposure 7 detector A amplifier L: gain is {gain}, which is not a positive number; 1.0 is used instead"
    assert said in caplog.messages
    assert product.header["LSST ISR GAIN L"] == 1.0


@pytest.mark.parametrize("gain", [0.0, -1.5])
def test_gains_of_a_photon_transfer_curve_that_are_not_positive_are_named_twice(gain, caplog) -> None:
    ptc = PhotonTransferCurve(gain={"L": gain, "R": 1.5}, noise={"L": 5.0, "R": 5.0})
    run(raw(), {**good(), "ptc": ptc}, effective_ptc={"use_ptc_gains": True})
    assert any(f"gain of amplifier L is {gain} electron/adu" in message for message in caplog.messages)
    assert any("amplifier L: gain is" in message for message in caplog.messages)


@pytest.mark.parametrize("gain", [0.0, -1.5])
def test_gains_of_a_kernel_that_are_not_positive_are_refused(gain) -> None:
    task = IsrTask(config={"doBrighterFatter": True})
    with pytest.raises(RuntimeError, match=f"gain of amplifier L is {gain} electron/adu"):
        task.run(raw(), bfKernel=np.zeros((5, 5)), bfGains={"L": gain, "R": 1.5}, **good())


@pytest.mark.parametrize("seconds", [0.0, -2.0])
def test_a_dark_taken_in_no_time_is_refused(seconds) -> None:
    calibs = good()
    dark = calibs["dark"].exposure
    calibs["dark"] = replace(calibs["dark"], exposure=replace(dark, obs=replace(dark.obs, dark_time_s=seconds)))
    with pytest.raises(StepError, match=f"dark time of the dark is {seconds:g} s, so it cannot be scaled") as caught:
        run(raw(), calibs)
    assert caught.value.step == "dark"
    assert isinstance(caught.value.__cause__, CalibrationError)
    with pytest.raises(CalibrationError, match="dark time of the dark"):
        IsrTask().darkCorrection(run(raw(), good(), dark={"enabled": False}), calibs["dark"])


def test_an_exposure_without_dark_time_gets_no_dark_and_an_unknown_or_negative_time_is_refused() -> None:
    without = run(raw(dark_time_s=0.0), good(), interpolation={"enabled": False})
    expected = run(raw(), good(), dark={"enabled": False}, interpolation={"enabled": False})
    np.testing.assert_array_equal(without.image, expected.image)
    with pytest.raises(StepError, match="dark time is not known, so the dark cannot be scaled\n  try: name the header"):
        run(raw(dark_time_s=float("nan")), good())
    with pytest.raises(StepError, match="exposure 7 detector A: dark time is -3 s") as caught:
        run(raw(dark_time_s=-3.0), good())
    assert isinstance(caught.value.__cause__, HeaderError)


# --- pixels that are all bad ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("spoilt", ["masked", "not finite"])
def test_an_overscan_without_a_usable_pixel_is_left_alone_and_named(spoilt, caplog) -> None:
    exposure, (left, right) = raw(), DETECTOR.amplifiers
    if spoilt == "masked":
        exposure.mask[left.raw_serial_overscan.slices()] = BAD
    else:
        exposure.image[left.raw_serial_overscan.slices()] = np.nan
    product = run(exposure, good())
    assert any("amplifier L: nothing was subtracted: all overscan pixels" in message for message in caplog.messages)
    assert np.median(product.image[left.box.slices()]) > 1000
    assert np.median(product.image[right.box.slices()]) == pytest.approx(510, abs=20)


def test_an_amplifier_wholly_bad_is_named_masked_and_does_not_disturb_the_others(caplog) -> None:
    left, right = DETECTOR.amplifiers
    expected = run(raw(), good(), interpolation={"enabled": False})
    calibs = {**good(), "defects": Defects(boxes=(left.box, *good()["defects"].boxes))}
    product = run(raw(), calibs, interpolation={"enabled": False})
    assert any("amplifiers without a usable pixel: L" in message for message in caplog.messages)
    assert (product.mask[left.box.slices()] & BAD).all()
    here = right.box.slices()
    sound = (product.mask[here] & BAD) == 0
    np.testing.assert_array_equal(product.image[here][sound], expected.image[here][sound])


def test_a_detector_outside_the_vignette_circle_is_masked_whole_and_named(caplog) -> None:
    settings = {"doVignette": True, "vignette": {"xCenter": 500.0, "radius": 1.0}}
    product = IsrTask(config=settings).run(raw(), **good()).exposure
    assert (product.mask & NO_DATA).all()
    assert any("lies wholly outside the circle of radius 1 mm" in message for message in caplog.messages)
