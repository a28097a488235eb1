"""Charge that pushes later charge away."""

from __future__ import annotations

import numpy as np
import pytest

from isrflow.simulate.collection import collect, push_kernel

KERNEL = push_kernel(1.0)


def star(peak, width=2.5, sky=0.0):
    y, x = np.mgrid[:64, :64] - 32.0
    return (sky + peak * np.exp(-(x**2 + y**2) / (2 * width**2))).astype(np.float32)


def second_moment(image, sky=0.0):
    y, x = np.mgrid[:64, :64] - 32.0
    light = image.astype(np.float64) - sky
    return float(np.sum(light * (x**2 + y**2)) / np.sum(light))


def test_no_charge_is_lost_or_made():
    light = np.random.default_rng(1).poisson(3e4, (60, 80)).astype(np.float32)
    assert collect(light, KERNEL).sum(dtype=np.float64) == pytest.approx(light.sum(dtype=np.float64), rel=1e-6)


def test_an_even_light_stays_even():
    light = np.full((40, 40), 5e4, np.float32)
    np.testing.assert_allclose(collect(light, KERNEL), light, rtol=1e-5)  # float32 result of a float64 convolution


def test_the_brighter_star_is_the_wider_one():
    growth = [second_moment(collect(star(peak), KERNEL)) / second_moment(star(peak)) - 1 for peak in (6e3, 6e4)]
    assert growth[1] == pytest.approx(10 * growth[0], rel=0.05)  # in proportion to its charge, to first order
    assert growth[1] > 0.002


def test_the_first_order_is_half_the_divergence_of_light_times_field():
    # dQ/dt = F - div(F grad(K Q)) with Q = F t: after the exposure, F - div(F grad(K F)) / 2. By hand for one bright
    # pixel b on a background of zero: what leaves it is b/2 * sum over the four boundaries of b (K1 - K0) / 2.
    light = np.zeros((41, 41), np.float32)
    light[20, 20] = 1e4
    weak = push_kernel(0.01)
    lost = light[20, 20] - collect(light, weak)[20, 20]
    by_hand = 4 * (1e4 / 2) * 1e4 * (weak[8, 9] - weak[8, 8]) / 2
    assert lost == pytest.approx(by_hand, rel=0.01)


def test_a_flat_loses_variance_to_its_neighbours():
    light = np.random.default_rng(2).poisson(5e4, (256, 256)).astype(np.float32)
    ratio = collect(light, KERNEL)[10:-10, 10:-10].var() / light[10:-10, 10:-10].var()
    assert 0.97 < ratio < 0.985
