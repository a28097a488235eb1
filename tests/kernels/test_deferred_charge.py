"""Deferred charge along rows, against numbers computed by hand and a plain restatement of the formulas."""

import numba
import numpy as np
import pytest

from isrflow.kernels.deferred_charge import Drift, Trap, captured_charge, correct_deferred_charge

ROW = [0.0, 0, 0, 1000, 1000, 1000, 500, 20, 5, 1, 0, 0]
SPLINE = np.array([0.0, 100, np.nan, 1000, 0, 10, 5, 40])
TRAPS = [
    Trap(30.0, 0.8, "linear", np.array([0.02])),
    Trap(30.0, 0.8, "logistic", np.array([500.0, 0.01])),
    Trap(30.0, 0.8, "spline", SPLINE),
]


def plainly(image, drift, trap, *, cti, n_offset, n_trap) -> np.ndarray:
    """The formulas pixel by pixel, in double precision throughout."""
    out = np.array(image, np.float64)
    for row in out:
        was = np.maximum(row, 0)
        for x in range(row.size):
            back = min(n_offset, x + 1)
            row[x] -= max(drift.scale * was[x - n] * np.exp(-n / drift.decay_time) for n in range(back))
        caught = captured_charge(trap, np.maximum(row, 0))
        rate = np.exp(-1 / trap.emission_time)
        for x in range(row.size):
            held = max([0.0] + [caught[x - 1 - n] * rate**n for n in range(min(n_trap, x))])
            row[x] -= (1 - cti) * (held * (1 - rate) - max(0.0, caught[x] - held * rate))
    return out


def test_the_offset_of_a_row_is_that_computed_by_hand() -> None:
    image = np.array([ROW])
    correct_deferred_charge(image, Drift(0.02, 2.4), None, n_offset=12)
    by_hand = [0, 0, 0, 980, 980, 980, 486.8151874, 11.308035830]
    by_hand += [-0.7300959372, -2.7775120568, -2.4902894289, -1.6416999725]
    np.testing.assert_allclose(image[0], by_hand, rtol=1e-9)


def test_captured_charge_follows_its_three_functions() -> None:
    signal = np.array([[0.0, 50.0], [500.0, 5000.0]])
    assert captured_charge(TRAPS[0], signal).tolist() == [[0, 1], [10, 30]]
    assert captured_charge(TRAPS[1], signal)[1].tolist() == [15, pytest.approx(30)]
    # the pair with NaN is left out: from (100, 10) to (1000, 40), constant beyond
    assert captured_charge(TRAPS[2], signal).tolist() == [[0, 5], [pytest.approx(10 + 30 * 400 / 900), 40]]


@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: trap.capture)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_both_corrections_are_the_formulas(trap, dtype) -> None:
    rng = np.random.default_rng(3)
    image = rng.uniform(-50, 2000, (7, 31)).astype(dtype)
    expected = plainly(image, Drift(1e-3, 2.0), trap, cti=1e-4, n_offset=5, n_trap=3)
    correct_deferred_charge(image, Drift(1e-3, 2.0), trap, global_cti=1e-4, n_offset=5, n_trap=3)
    # float32: one rounding of the drift's product, one of the result
    np.testing.assert_allclose(image, expected, rtol=1e-12 if dtype is np.float64 else 2e-7, atol=1e-9)


def test_from_the_right_is_the_mirror_image() -> None:
    image = np.random.default_rng(4).uniform(0, 1000, (4, 20)).astype(np.float32)
    mirrored = image[:, ::-1].copy()
    correct_deferred_charge(image, Drift(1e-3, 2.0), TRAPS[0])
    correct_deferred_charge(mirrored, Drift(1e-3, 2.0), TRAPS[0], from_right=True)
    assert np.array_equal(mirrored[:, ::-1], image)


def test_a_part_of_a_picture_is_corrected_as_if_alone_and_nothing_else_is_touched() -> None:
    whole = np.random.default_rng(5).uniform(0, 1000, (6, 40)).astype(np.float32)
    alone, before = whole[1:5, 10:30].copy(), whole.copy()
    correct_deferred_charge(alone, Drift(1e-3, 2.0), TRAPS[1])
    correct_deferred_charge(whole[1:5, 10:30], Drift(1e-3, 2.0), TRAPS[1])
    before[1:5, 10:30] = alone
    assert np.array_equal(whole, before)


def test_a_pixel_that_is_not_a_number_leaves_nothing_in_others() -> None:
    image = np.full((1, 12), 100, np.float32)
    image[0, 0:3] = [0, np.nan, 0]
    without = image.copy()
    without[0, 1] = 0
    correct_deferred_charge(image, Drift(1e-3, 2.0), TRAPS[0])
    correct_deferred_charge(without, Drift(1e-3, 2.0), TRAPS[0])
    assert np.isnan(image[0, 1])
    assert np.array_equal(np.delete(image, 1), np.delete(without, 1))


def test_without_drift_and_trap_nothing_changes() -> None:
    image = np.array([ROW], np.float32)
    correct_deferred_charge(image, Drift(0.0, 1.0), None)
    assert image[0].tolist() == ROW


def test_the_number_of_threads_does_not_matter() -> None:
    image = np.random.default_rng(6).uniform(0, 1000, (70, 33)).astype(np.float32)
    other, threads = image.copy(), numba.get_num_threads()
    correct_deferred_charge(image, Drift(1e-3, 2.0), TRAPS[0])
    try:
        numba.set_num_threads(1)
        correct_deferred_charge(other, Drift(1e-3, 2.0), TRAPS[0])
    finally:
        numba.set_num_threads(threads)
    assert np.array_equal(image, other)
