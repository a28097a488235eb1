"""Offsets of amplifiers: what is measured, on which pixels, what is changed and noted, what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from isrflow.errors import GeometryError
from isrflow.frame.box import Box
from isrflow.frame.camera import Amplifier, Detector
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.steps.amp_offsets import AmpOffsetsConfig, even_out_amplifiers

OFFSETS = np.array([1.0, -0.5, 0.25, -0.75, 2.0, -2.0])
NAMES = [f"C{row}{column}" for row in range(2) for column in range(3)]
BARE = AmpOffsetsConfig(enabled=True, edge_width_px=8, subtract_background=False, detect_sources=False)
WHOLE = AmpOffsetsConfig(enabled=True, edge_width_px=8)


def detector(width: int = 30, height: int = 40) -> Detector:
    boxes = [Box(width * column, height * row, width, height) for row in range(2) for column in range(3)]
    amplifiers = tuple(
        Amplifier(name=name, box=box, raw=box, raw_data=box) for name, box in zip(NAMES, boxes, strict=True)
    )
    return Detector(id=1, name="D", box=Box(0, 0, 3 * width, 2 * height), amplifiers=amplifiers)


def picture(noise: float = 0.0, level: float = 100.0) -> Exposure:
    sensor = detector()
    image = level + np.random.default_rng(1).normal(0, noise, sensor.box.shape)
    for amp, offset in zip(sensor.amplifiers, OFFSETS, strict=True):
        image[amp.box.slices((0, 0))] += offset
    planes = np.zeros(image.shape, np.int32), np.ones(image.shape, np.float32)
    return Exposure(image.astype(np.float32), *planes, detector=sensor)


def test_offsets_are_those_put_in_and_the_picture_is_left_alone() -> None:
    exposure = picture()
    before = exposure.image.copy()
    found = even_out_amplifiers(exposure, BARE)
    assert list(found.pedestals) == NAMES
    assert list(found.pedestals.values()) == pytest.approx(OFFSETS - OFFSETS.mean(), abs=1e-5)
    assert found.steps[("C00", "C01")] == pytest.approx(1.5, abs=1e-5)
    assert found.steps[("C02", "C12")] == pytest.approx(2.25, abs=1e-5)
    assert len(found.steps) == 7
    assert not found.applied
    assert exposure.image.tolist() == before.tolist()


def test_applied_they_leave_one_level_and_mask_and_variance_as_they_were() -> None:
    exposure = picture()
    exposure.mask[3, 3] = 1
    even_out_amplifiers(exposure, BARE.model_copy(update={"apply": True}))
    assert exposure.image == pytest.approx(np.full(exposure.image.shape, 100 + OFFSETS.mean()), abs=1e-5)
    assert exposure.mask.sum() == 1
    assert np.all(exposure.variance == 1)


def test_the_numbers_go_into_the_header_under_the_names_of_the_reference() -> None:
    exposure = picture()
    found = even_out_amplifiers(exposure, BARE)
    assert exposure.header["LSST ISR AMPOFFSET INTERFACEOFFSET C00-C10"] == found.steps[("C00", "C10")]
    assert exposure.header["LSST ISR AMPOFFSET PEDESTAL C12"] == found.pedestals["C12"]
    assert exposure.header["LSST ISR AMPOFFSET PEDESTAL SUBTRACTED"] is False
    assert len(exposure.header) == 7 + 6 + 1


def test_sources_and_a_gradient_do_not_count_as_steps() -> None:
    exposure = picture(noise=0.5)
    y, x = np.mgrid[:80, :90]
    exposure.image += (0.2 * x + 0.1 * y).astype(np.float32)
    exposure.image[30:36, 20:40] += 200
    found = even_out_amplifiers(exposure, WHOLE)
    # a background on the scale of the amplifiers takes part of the offsets with it
    assert np.corrcoef(list(found.pedestals.values()), OFFSETS)[0, 1] > 0.75
    spoiled = even_out_amplifiers(exposure, BARE)
    assert abs(spoiled.pedestals["C00"] - found.pedestals["C00"]) > 0.3


def test_detection_marks_only_its_own_copy_and_forgets_earlier_detections() -> None:
    exposure = picture(noise=0.5, level=0.0)
    exposure.image[35, 28] += 300
    exposure.mask[:, :60] = mask_bits("DETECTED")
    detecting = WHOLE.model_copy(update={"subtract_background": False})
    found = even_out_amplifiers(exposure, detecting)
    assert found.steps[("C00", "C01")] == pytest.approx(1.5, abs=0.3)
    assert np.all(exposure.mask[:, :60] == mask_bits("DETECTED"))
    assert not exposure.mask[:, 60:].any()
    blind = even_out_amplifiers(exposure, BARE)
    assert blind.steps[("C00", "C01")] == 0.0  # all marked


def test_the_edges_that_smoothing_does_not_reach_are_left_out() -> None:
    exposure = picture(noise=0.01, level=0.0)
    exposure.image[:7] += 3 * np.sign(np.arange(90) - 44)
    detecting = WHOLE.model_copy(update={"subtract_background": False})
    found = even_out_amplifiers(exposure, detecting)
    assert list(found.pedestals.values()) == pytest.approx(OFFSETS - OFFSETS.mean(), abs=0.02)


def test_a_wholly_masked_picture_has_no_offsets(caplog) -> None:
    exposure = picture()
    exposure.mask[:] = mask_bits("BAD")
    found = even_out_amplifiers(exposure, WHOLE.model_copy(update={"apply": True}))
    assert set(found.pedestals.values()) == {0.0}
    assert "every pixel is masked" in caplog.text


def test_an_amplifier_that_is_wholly_masked_is_told_and_takes_no_part(caplog) -> None:
    exposure = picture()
    exposure.mask[:40, :30] = mask_bits("BAD")
    found = even_out_amplifiers(exposure, BARE)
    assert found.steps[("C00", "C01")] == found.steps[("C00", "C10")] == 0.0
    assert "no level where C00 and C01 meet" in caplog.text
    assert found.steps[("C01", "C02")] == pytest.approx(-0.75, abs=1e-5)


def test_a_view_of_other_coordinates_gives_the_same() -> None:
    exposure = picture(noise=0.3)
    expected = even_out_amplifiers(exposure, WHOLE)
    assert even_out_amplifiers(replace(exposure, header={}), WHOLE).pedestals == expected.pedestals


def test_amplifiers_that_cannot_be_compared_are_refused() -> None:
    exposure = picture()
    with pytest.raises(GeometryError, match=r"strips of 20 pixels, 5 from .* 30 x 40\n.*edge_width_px below 20"):
        even_out_amplifiers(exposure, BARE.model_copy(update={"edge_width_px": 20}))
    with pytest.raises(GeometryError, match="has no detector"):
        even_out_amplifiers(replace(exposure, detector=None), BARE)
    first, second, *others = detector().amplifiers
    narrow = [amp.model_copy(update={"box": Box(amp.box.x0, amp.box.y0, 29, 40)}) for amp in (first,)]
    unequal = detector().model_copy(update={"amplifiers": (*narrow, second, *others)})
    with pytest.raises(GeometryError, match="amplifiers of one size, these are of C00 29 x 40, C01 30 x 40"):
        even_out_amplifiers(replace(exposure, detector=unequal), BARE)
    shifted = [amp.model_copy(update={"box": Box(amp.box.x0 + 10, amp.box.y0, 30, 40)}) for amp in others[1:]]
    staggered = detector().model_copy(update={"amplifiers": (first, second, *shifted)})
    with pytest.raises(GeometryError, match="its amplifiers form no grid"):
        even_out_amplifiers(replace(exposure, detector=staggered), BARE)


def test_amplifiers_may_be_missing_from_the_grid() -> None:
    _, *others = detector().amplifiers
    there = [amp for amp in others if amp.name != "C11"]  # C01, C02 and C12 hang together, C10 is alone
    exposure = replace(picture(), detector=detector().model_copy(update={"amplifiers": tuple(there)}))
    found = even_out_amplifiers(exposure, BARE)
    assert set(found.steps) == {("C01", "C02"), ("C02", "C12")}
    expected = OFFSETS[[1, 2, 5]] - OFFSETS[[1, 2, 5]].mean()
    assert [found.pedestals[name] for name in ("C01", "C02", "C12")] == pytest.approx(list(expected), abs=1e-5)
    assert found.pedestals["C10"] == pytest.approx(0, abs=1e-12)


def test_one_amplifier_alone_has_no_steps() -> None:
    box = Box(0, 0, 90, 80)
    alone = Detector(id=1, name="D", box=box, amplifiers=(Amplifier(name="A", box=box, raw=box, raw_data=box),))
    found = even_out_amplifiers(replace(picture(), detector=alone), BARE)
    assert found.pedestals == {"A": 0.0}
    assert found.steps == {}
