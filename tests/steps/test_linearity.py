"""Linearization of detectors: which amplifiers, which pixels, what is refused."""

import numpy as np
import pytest

from isrflow.calibs.linearizer import Linearizer
from isrflow.errors import CalibrationError, CalibrationMismatch
from isrflow.frame.camera import load_camera
from isrflow.frame.exposure import Exposure
from isrflow.steps.linearity import LinearityConfig, Linearized, linearize

CONFIG = LinearityConfig()
TINY = load_camera("tiny").detector("A")
NODES = [0.0, 1000.0, 3000.0, 6000.0, 10000.0]


def described(kind, *coefficients):
    changed = {"linearity_type": kind, "linearity_coefficients": coefficients}
    amplifiers = tuple(amp.model_copy(update=changed) for amp in TINY.amplifiers)
    return TINY.model_copy(update={"amplifiers": amplifiers})


def trimmed(detector=TINY, level=1000.0) -> Exposure:
    shape = detector.box.shape
    planes = np.full(shape, level, np.float32), np.zeros(shape, np.int32), np.ones(shape, np.float32)
    return Exposure(*planes, detector=detector)


def linearizer(kind="Squared", left=(1e-5,), right=(2e-5,), **more) -> Linearizer:
    return Linearizer(linearity_type={"L": kind, "R": kind}, coefficients={"L": list(left), "R": list(right)}, **more)


def test_each_amplifier_has_its_own_curve_and_only_the_image_changes() -> None:
    exposure = trimmed()
    found = linearize(exposure, CONFIG, linearizer=linearizer())
    assert exposure.image[0, 0] == 1010
    assert exposure.image[0, 40] == 1020
    assert np.all(exposure.variance == 1)
    assert found == Linearized(2, 2, 0)
    assert exposure.header["LSST ISR LINEARIZER APPLIED"] is True


def test_whole_segments_of_a_raw_mosaic_are_corrected() -> None:
    raw = Exposure(np.full(TINY.raw_box.shape, 1000, np.float32), detector=TINY)
    linearize(raw, CONFIG, linearizer=linearizer())
    assert np.all(raw.image[:, :40] == 1010)
    assert np.all(raw.image[:, 40:] == 1020)


def test_without_a_linearizer_nothing_is_done() -> None:
    exposure = trimmed()
    assert linearize(exposure, CONFIG) == Linearized()
    assert np.all(exposure.image == 1000)


def test_the_camera_decides_whether_a_linearizer_is_demanded() -> None:
    assert CONFIG.demands(TINY) == frozenset()
    assert CONFIG.demands(None) == frozenset()
    assert CONFIG.demands(described("SQUARED")) == frozenset({"linearizer"})


def test_the_cameras_own_curve_is_used_if_the_linearizer_has_none() -> None:
    exposure = trimmed(described("SQUARED", 3e-5))
    linearize(exposure, CONFIG, linearizer=linearizer(has_linearity=False))
    assert np.all(exposure.image == 1030)


def test_curves_that_differ_from_the_camera_are_refused_unless_they_override() -> None:
    exposure = trimmed(described("Squared", 1e-5))
    with pytest.raises(CalibrationMismatch, match="differs from the camera description at amplifiers R\n"):
        linearize(exposure, CONFIG, linearizer=linearizer(override=False))
    linearize(exposure, CONFIG, linearizer=linearizer(override=True))
    assert exposure.image[0, 40] == 1020


def test_other_amplifiers_are_refused() -> None:
    other = Linearizer(linearity_type={"X": "Squared"}, coefficients={"X": [1e-5]})
    with pytest.raises(CalibrationMismatch, match=r"for amplifiers X, .* has L, R"):
        linearize(trimmed(), CONFIG, linearizer=other)


def test_a_gain_that_is_nan_leaves_its_amplifier_alone() -> None:
    exposure = trimmed()
    found = linearize(exposure, CONFIG, linearizer=linearizer(), gains={"L": np.nan, "R": 1.5})
    assert exposure.image[0, 0] == 1000
    assert found == Linearized(2, 1, 0)


@pytest.mark.parametrize("units", ["adu", "electron"])
def test_gains_scale_splines_in_adu_only(units) -> None:
    spline = [*NODES, 0.0, 5.0, -8.0, 20.0, 60.0]
    exposure = trimmed(level=500)
    linearize(
        exposure, CONFIG, linearizer=linearizer("Spline", spline, spline, units=units), gains={"L": 1.5, "R": 1.0}
    )
    # numbers of an independent Akima implementation
    assert exposure.image[0, 0] == pytest.approx(495.68462060 if units == "adu" else 496.17644817, rel=2e-7)
    assert exposure.image[0, 40] == pytest.approx(496.17644817, rel=2e-7)


def test_types_without_correction_count_as_corrected_and_failed_ones_do_not() -> None:
    assert linearize(trimmed(), CONFIG, linearizer=linearizer("Proportional")) == Linearized(2, 2, 0)
    assert linearize(trimmed(), CONFIG, linearizer=linearizer("Polynomial", (0.0,), (1e-5,))) == Linearized(2, 1, 0)


def test_tables_have_rows_and_count_pixels_beyond_their_ends() -> None:
    table = np.full((2, 2000), 5.0)
    exposure = trimmed()
    exposure.image[0, :3] = 5000
    found = linearize(exposure, CONFIG, linearizer=linearizer("LookupTable", (0, 0), (1, 0), table=table))
    assert np.all(exposure.image[1] == 1005)
    assert found == Linearized(2, 2, 3)
    with pytest.raises(CalibrationError, match=r"no table row 2 .it has 2"):
        linearize(trimmed(), CONFIG, linearizer=linearizer("LookupTable", (2, 0), (1, 0), table=table))


def test_unknown_types_are_named_with_the_known() -> None:
    with pytest.raises(CalibrationError, match=r"linearity type 'Cubic' is not known .known: None, Proportional"):
        linearize(trimmed(), CONFIG, linearizer=linearizer("Cubic"))


def test_without_a_detector_the_linearizer_says_where() -> None:
    exposure = trimmed()
    exposure.detector = None
    left, right = (amp.box for amp in TINY.amplifiers)
    linearize(exposure, CONFIG, linearizer=linearizer(boxes={"L": left, "R": right}))
    assert exposure.image[0, 40] == 1020
