"""Charge on its way through a serial register, against the reference's numbers and the correction that undoes it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isrflow.calibs.deferred_charge import DeferredCharge
from isrflow.frame.camera import Amplifier, Detector
from isrflow.kernels.deferred_charge import Drift, Trap, correct_deferred_charge
from isrflow.simulate.serial_register import Register, SerialTrap, expected_overscan, shift_out

LINEAR = Trap(5.0, 0.4, "linear", np.array([0.08]))


def test_two_rows_come_out_as_the_reference_says() -> None:
    light = np.array([[100.0] * 6, [10000.0] * 6])
    register = Register(Drift(2e-4, 2.4), 1e-5, ((LINEAR, 1),), n_prescan=2)
    result = shift_out(light, register, n_overscan=4)
    row = [0, 0, 95.016099450, 100.01889975, *[100.01899980] * 4]
    row += [4.6106675366, 0.38551175035, 0.036661269241, 0.0063164643]
    np.testing.assert_allclose(result[0], row, rtol=1e-8)
    assert result[1, 2] == pytest.approx(9996.6990430, rel=1e-10)
    np.testing.assert_allclose(result[1, 8:], [6.6951762196, 1.2577363673, 0.60489518085, 0.38036522680], rtol=1e-9)


def test_the_overscan_after_even_light_has_a_formula() -> None:
    trap = Trap(4.0, 0.4, "linear", np.array([0.08]))
    register = Register(Drift(2e-4, 2.4), 1e-6, ((trap, 1),))
    expected = [
        [0.0820404099, 0.0398058583, 0.0250695874, 0.0164306827],
        [2.8897874191, 1.8907867661, 1.2453114075, 0.8208636692],
    ]
    # columns 2 to 5 counted from zero are the third to the sixth
    np.testing.assert_allclose(expected_overscan([1000.0, 50000.0], [3, 4, 5, 6], register, 522), expected, rtol=5e-9)
    logistic = Register(traps=((Trap(1.0, 1.0, "logistic", np.array([1.0, 1.0])), 0),))
    with pytest.raises(ValueError, match="logistic trap has no such formula"):
        expected_overscan([1.0], [1], logistic, 5)


def test_a_perfect_register_changes_nothing() -> None:
    light = np.random.default_rng(1).uniform(0, 1e5, (70, 9))  # more rows than are dealt with at a time
    result = shift_out(light, Register(n_prescan=2), n_overscan=3, n_parallel=1, offset=7.0)
    expected = np.full((71, 14), 7.0)
    expected[:70, 2:11] += light
    assert np.array_equal(result, expected)


@settings(deadline=None, max_examples=25)
@given(cti=st.floats(0, 0.01), size=st.floats(0, 100), pixel=st.integers(0, 7), seed=st.integers(0, 1000))
def test_all_charge_comes_out_in_the_end(cti, size, pixel, seed) -> None:
    light = np.random.default_rng(seed).uniform(0, 1000, (3, 8))
    trap = Trap(size, 0.5, "linear", np.array([0.3]))
    result = shift_out(light, Register(cti=cti, traps=((trap, pixel),)), n_overscan=80)
    np.testing.assert_allclose(result.sum(axis=1), light.sum(axis=1), rtol=1e-9)


def test_a_trap_fills_once_and_gives_back_what_does_not_stay() -> None:
    trap = SerialTrap(Trap(10.0, 1.0, "linear", np.array([0.5])), 0)
    trap.empty(2)
    assert trap.capture(np.array([4.0, 100.0])).tolist() == [2.0, 10.0]
    assert trap.capture(np.array([4.0, 100.0])).tolist() == [0.0, 0.0]
    np.testing.assert_allclose(trap.release(), np.array([2.0, 10.0]) * (1 - np.exp(-1)), rtol=1e-12)
    np.testing.assert_allclose(trap.held_electron, np.array([2.0, 10.0]) * np.exp(-1), rtol=1e-12)


def test_the_correction_puts_charge_back_but_for_the_inefficiency() -> None:
    light = np.random.default_rng(3).normal(2000, 40, (20, 60))
    light[:, 30] += 40000
    drift, trap = Drift(2e-4, 2.4), Trap(20.0, 0.4, "linear", np.array([0.01]))
    read = shift_out(light, Register(drift, 1e-6, ((trap, 0),)), n_overscan=8)
    expected = np.pad(light, ((0, 0), (0, 8)))
    before = np.abs(read - expected)[:, 1:]
    correct_deferred_charge(read, drift, trap, global_cti=1e-6)
    after = np.abs(read - expected)[:, 1:]
    assert before.max() > 8
    # what 1e-6 a transfer leaves behind of 40000 in 60 transfers is 2.4; the rest is the trap's, known to a few percent
    assert after.max() < 2.8
    assert np.median(after) < 0.15 * np.median(before)


def test_the_register_of_an_amplifier_is_that_of_its_calibration() -> None:
    box = [0, 0, 4, 4]
    amp = Amplifier(name="A", box=box, raw=box, raw_data=box, gain_electron_per_adu=1.0)
    detector = Detector(id=1, name="D", box=box, amplifiers=(amp,))
    calibration = DeferredCharge.example(detector, np.random.default_rng(1))
    register = Register.of_amplifier(calibration, "A", n_prescan=3)
    (trap, pixel), *_ = register.traps
    assert (register.drift, register.n_prescan, pixel) == (calibration.drift("A"), 3, calibration.trap_pixel["A"])
    assert (register.cti, trap.size) == (calibration.global_cti["A"], 5.0)


def test_noise_is_that_of_its_generator_and_traps_must_be_in_the_register() -> None:
    light = np.zeros((40, 50))
    noisy = shift_out(light, Register(), noise=3.0, rng=np.random.default_rng(1))
    assert noisy.std() == pytest.approx(3.0, rel=0.05)  # 2000 values
    with pytest.raises(ValueError, match="noise needs a generator"):
        shift_out(light, Register(), noise=3.0)
    with pytest.raises(ValueError, match=r"traps at pixels \[50\]: the register has 50"):
        shift_out(light, Register(traps=((LINEAR, 50),)))
