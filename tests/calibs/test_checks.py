"""Calibrations that hold no numbers, or contradict themselves, are refused by field and amplifier."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from isrflow.calibs.kinds import KINDS
from isrflow.calibs.tabular import TableCalibration
from isrflow.errors import CalibrationError
from isrflow.frame.exposure import Exposure
from tests.calibs.test_contract import a_detector

NAN = math.nan


def an_example(kind: str):
    return KINDS[kind].example(a_detector(), np.random.default_rng(4))


def with_amp(calibration, name: str, field: str, value):
    return replace(calibration, **{field: {**getattr(calibration, field), name: value}})


# kind, field of amplifier C01, impossible value, what is said
IMPOSSIBLE = [
    ("ptc", "gain", 0.0, r"gain of amplifier C01 is 0\.0"),
    ("ptc", "gain", -1.5, r"gain of amplifier C01 is -1\.5"),
    ("ptc", "gain", math.inf, "gain of amplifier C01 is inf"),
    ("ptc", "noise", NAN, "noise of amplifier C01 is nan"),
    ("ptc", "noise", -5.0, r"noise of amplifier C01 is -5\.0"),
    ("ptc", "raw_variances", np.ones(5), "raw_variances of amplifier C01 has 5 entries, raw_means 6"),
    ("linearizer", "coefficients", np.array([]), "amplifier C01: Squared needs at least one"),
    ("linearizer", "coefficients", np.array([1e-7, NAN]), "coefficients of amplifier C01 are finite only in part"),
    ("linearizer", "linearity_type", "Cubic", "linearity_type of amplifier C01 is 'Cubic'"),
    ("gain_correction", "adjustments", NAN, "adjustment of amplifier C01 is nan"),
    ("gain_correction", "adjustments", 0.0, r"adjustment of amplifier C01 is 0\.0"),
    ("deferred_charge", "decay_time", 0.0, r"decay_time 0\.0, not positive, of amplifier C01"),
    ("deferred_charge", "drift_scale", NAN, "drift_scale nan of amplifier C01"),
    ("deferred_charge", "global_cti", NAN, "global_cti nan, not a fraction, of amplifier C01"),
    ("deferred_charge", "trap_size", -1.0, r"trap_size -1\.0 of amplifier C01"),
    ("deferred_charge", "trap_coefficients", np.array([NAN]), "trap_coefficients .* of amplifier C01"),
    ("bfk", "gain", -1.0, r"gain of amplifier C01 is -1\.0"),
    ("bfk", "amplifier_kernels", np.full((5, 5), NAN), "kernel of amplifier C01 holds values that are not finite"),
    ("bfk", "amplifier_kernels", np.zeros((3, 3)), r"kernel of amplifier C01 has shape \(3, 3\), not \(5, 5\)"),
    ("electrostatic", "gain", 0.0, "gain of C01 is not positive"),
]


@pytest.mark.parametrize(("kind", "field", "value", "said"), IMPOSSIBLE)
def test_an_impossible_value_is_named_by_field_and_amplifier(kind, field, value, said) -> None:
    broken = with_amp(an_example(kind), "C01", field, value)
    with pytest.raises(CalibrationError, match=said):
        broken.check()


def test_all_offenders_are_named_at_once() -> None:
    curve = with_amp(with_amp(an_example("ptc"), "C00", "gain", 0.0), "C02", "noise", -1.0)
    with pytest.raises(CalibrationError, match=r"gain of amplifier C00 .*; noise of amplifier C02"):
        curve.check()


def test_what_is_not_known_of_an_amplifier_is_no_contradiction() -> None:
    curve = with_amp(with_amp(an_example("ptc"), "C01", "gain", NAN), "C01", "noise", NAN)
    curve.check()
    with_amp(an_example("linearizer"), "C01", "coefficients", np.array([NAN])).check()


@pytest.mark.parametrize("plane", ["image", "variance"])
@pytest.mark.parametrize("kind", ["bias", "dark", "flat", "illumination", "stray_light"])
def test_pixels_that_are_not_finite_must_be_masked(kind, plane) -> None:
    picture = an_example(kind)
    getattr(picture.exposure, plane)[2, 3] = NAN
    with pytest.raises(CalibrationError, match=f"{plane} has 1 pixels that are not finite"):
        picture.check()
    picture.exposure.mask[2, 3] |= 1
    picture.check()


NAMED = [kind for kind, type_ in KINDS.items() if issubclass(type_, TableCalibration) and hasattr(type_, "amp_names")]


@pytest.mark.parametrize("kind", NAMED)
def test_amplifiers_that_do_not_match_those_of_the_detector_are_named(kind) -> None:
    mine = an_example(kind)
    amps = a_detector().amplifiers
    renamed = tuple(
        amp.model_copy(update={"name": name}) for amp, name in zip(amps, ("C00", "X01", "C02"), strict=True)
    )
    detector = a_detector().model_copy(update={"amplifiers": renamed})
    picture = Exposure(np.zeros(detector.box.shape, np.float32), detector=detector)
    reason = mine.mismatch(picture)
    assert reason is not None
    assert "is about C01" in reason
    assert reason.endswith("; detector S02 has amplifiers C00, X01, C02")
    assert ("has nothing on X01" in reason) == (kind != "gain_correction")


def test_every_type_stands_in_the_table_of_the_manual() -> None:
    page = Path(__file__).parents[2] / "docs" / "howto" / "instrument-scientist.md"
    table = [line for line in page.read_text().splitlines() if line.startswith("| `")]
    assert [kind for kind in KINDS if not any(f"`{kind}`" in line for line in table)] == []
