"""Deferred charge of exposures: readout order, units, unused pixels, what is refused."""

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from isrflow.calibs.deferred_charge import DeferredCharge
from isrflow.errors import CalibrationError, CalibrationMismatch, GeometryError
from isrflow.frame.exposure import Exposure
from isrflow.recipe import IsrConfig
from isrflow.steps.byproducts import EffectivePtc
from isrflow.steps.deferred_charge import DeferredChargeConfig, correct_deferred_charge
from tests.steps.tinyraw import raw, trimmed

CONFIG = DeferredChargeConfig()
GAINS = EffectivePtc({"L": 2.0, "R": 4.0}, {}, {})


def calib(names=("L", "R"), **more) -> DeferredCharge:
    """Only the output drifts: an eighth of the signal, halved by each pixel."""
    fields = {"drift_scale": 0.125, "decay_time": float(1 / np.log(2)), "trap_size": 0.0} | more
    return DeferredCharge(**{key: dict.fromkeys(names, value) for key, value in fields.items()})


def in_electrons(level=0.0, **detector) -> Exposure:
    return replace(raw(level, **detector), unit="electron")


def test_each_amplifier_is_followed_away_from_its_own_readout() -> None:
    # The right segment's raw columns run from its readout, as it is mirrored on assembly.
    picture = in_electrons()
    picture.image[1, [2, 8]] = 1024.0
    correct_deferred_charge(picture, CONFIG, deferred_charge=calib())
    later = [896, -64, -32, -16]  # 1024 less an eighth, then 128 halved again and again
    assert picture.image[1].tolist() == pytest.approx([0, 0, *later, 0, 0, *later], abs=1e-4)
    assert np.count_nonzero(picture.image[[0, 2, 3, 4]]) == 0
    assert picture.header["LSST ISR CTI APPLIED"] is True


def test_a_segment_read_from_the_right_is_followed_to_the_left() -> None:
    picture = in_electrons(right={"raw_flip_x": False})
    picture.image[1, 9] = 1024.0
    correct_deferred_charge(picture, CONFIG, deferred_charge=calib())
    assert picture.image[1, 6:].tolist() == pytest.approx([-16, -32, -64, 896, 0, 0], abs=1e-4)


def test_an_image_in_adu_is_corrected_as_electrons_and_stays_in_adu() -> None:
    trap = {"drift_scale": 0.0, "trap_size": 16.0, "trap_coefficients": np.array([1.0]), "trap_emission_time": 1e-3}
    picture = raw()
    picture.image[1, [2, 8]] = 100.0
    correct_deferred_charge(picture, CONFIG, deferred_charge=calib(**trap), effective_ptc=GAINS)
    # 16 electrons were caught and all came out one pixel later: 8 adu of the left amplifier, 4 of the right
    assert picture.image[1, 2:4].tolist() == [108, -8]
    assert picture.image[1, 8:10].tolist() == [104, -4]
    assert picture.unit == "adu"


def test_unused_pixels_are_set_to_zero_unless_they_are_wanted() -> None:
    nothing = calib(drift_scale=0.0)
    picture, kept = in_electrons(7.0), in_electrons(7.0)
    correct_deferred_charge(picture, CONFIG, deferred_charge=nothing)
    correct_deferred_charge(kept, DeferredChargeConfig(zero_unused_pixels=False), deferred_charge=nothing)
    assert np.all(kept.image == 7)
    expected = np.full((5, 12), 7.0)
    expected[:4, [0, 6]] = 0
    expected[4, [1, 2, 3, 7, 8, 9]] = 0
    assert picture.image.tolist() == expected.tolist()


def test_mask_and_variance_are_left_alone() -> None:
    picture = in_electrons(500.0)
    picture.variance[:] = 3
    correct_deferred_charge(picture, CONFIG, deferred_charge=calib())
    assert np.all(picture.variance == 3)
    assert not picture.mask.any()


def test_what_cannot_be_corrected_is_refused_before_a_pixel_is_touched() -> None:
    picture = raw(7.0)
    with pytest.raises(CalibrationError, match=r"is in adu, .* no gains of amplifiers L, R"):
        correct_deferred_charge(picture, CONFIG, deferred_charge=calib())
    of_left = EffectivePtc({"L": 2.0}, {}, {})
    with pytest.raises(CalibrationError, match="no gains of amplifiers R"):
        correct_deferred_charge(picture, CONFIG, deferred_charge=calib(), effective_ptc=of_left)
    with pytest.raises(CalibrationMismatch, match="lacks amplifiers R"):
        correct_deferred_charge(picture, CONFIG, deferred_charge=calib(("L",)), effective_ptc=GAINS)
    assert np.all(picture.image == 7)
    with pytest.raises(GeometryError, match="is trimmed"):
        correct_deferred_charge(trimmed(), CONFIG, deferred_charge=calib(), effective_ptc=GAINS)
    picture.detector = None
    with pytest.raises(GeometryError, match="has no detector"):
        correct_deferred_charge(picture, CONFIG, deferred_charge=calib(), effective_ptc=GAINS)


def test_following_no_pixel_at_all_is_no_setting() -> None:
    with pytest.raises(ValidationError, match="n_pixel_offset"):
        DeferredChargeConfig(n_pixel_offset=0)


def test_the_row_stands_before_crosstalk_and_asks_for_nothing_unless_enabled() -> None:
    names = [row.name for row in IsrConfig.rows]
    at = names.index("deferred_charge")
    assert names[at - 1 : at + 2] == ["effective_ptc", "deferred_charge", "crosstalk_raw"]
    assert "deferred_charge" not in IsrConfig().needs()
    assert IsrConfig.layered({"deferred_charge.enabled": True}).needs()["deferred_charge"] is True


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"decay_time": 0.0}, "decay_time 0.0, not positive, of amplifier L"),
        ({"drift_scale": -1.0}, "drift_scale -1.0 of amplifier L"),
        ({"trap_type": "cubic"}, "trap_type 'cubic', not one of linear, logistic, spline, of amplifier L"),
        ({"trap_type": "logistic", "trap_coefficients": np.array([1.0])}, "logistic reads 2 numbers, of amplifier L"),
        ({"trap_type": "spline", "trap_coefficients": np.arange(3.0)}, "not 3 numbers, of amplifier L"),
        (
            {"trap_type": "spline", "trap_coefficients": np.array([1.0, 0.0, 5.0, 6.0])},
            "do not increase of amplifier L",
        ),
        ({"signals": np.arange(3.0), "serial_eper": np.arange(2.0)}, "serial_eper with 2 values, 3 signals"),
    ],
)
def test_a_calibration_that_contradicts_itself_is_refused(wrong, said) -> None:
    with pytest.raises(CalibrationError, match=said):
        calib(**wrong).check()
