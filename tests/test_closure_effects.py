"""Closure of single effects: simulate an exposure with and without one, correct it, and compare the two.

`isrflow.simulate.pairs` says how, `isrflow.simulate.effects` what theory leaves: the *leak* may differ from zero by
five floors and by what the method itself leaves; the scatter of what is left is that of the formula.
"""

from __future__ import annotations

import functools
from dataclasses import replace

import pytest

from isrflow.frame.camera import load_camera
from isrflow.recipe import IsrConfig
from isrflow.run import run_isr
from isrflow.simulate import night_shots
from isrflow.simulate.effects import effects_of
from isrflow.simulate.pairs import judge

CAMERA = load_camera("lupine")
DETECTOR = CAMERA.detectors[1]
SHOT = night_shots(CAMERA, 20260301, first_seq=20)[1]
EFFECTS = {effect.step: effect for effect in effects_of(SHOT)}
NOISE_RATIO = {
    "deferred_charge": (0.98, 1.05),
    "brighter_fatter": (0.95, 1.2),  # the kernel's second order: the field of charge that has moved already
    "illumination": (0.6, 1.1),  # the rounding of a number depends on how far above a power of two it lies
    "amp_offsets": (0.9, 1.1),  # four pedestals are four numbers
}


def correct(raw, calibs, settings):
    return run_isr(raw, calibs, IsrConfig.layered(CAMERA.recipe, settings), camera=CAMERA).exposure


@functools.cache
def row_of(step):
    return judge(EFFECTS[step], correct, CAMERA, DETECTOR, SHOT)


@pytest.mark.parametrize("step", EFFECTS)
def test_nothing_of_the_effect_is_left(step):
    row, systematic = row_of(step), EFFECTS[step].systematic
    assert abs(row.leak) < 5 * row.leak_floor + systematic + 1e-6
    assert row.leak_floor < 0.1  # the test would notice


@pytest.mark.parametrize("step", EFFECTS)
def test_what_is_left_is_the_noise_of_theory(step):
    low, high = NOISE_RATIO.get(step, (0.98, 1.02))
    assert low < row_of(step).noise_ratio < high


@pytest.mark.parametrize("step", EFFECTS)
def test_without_the_correction_all_of_the_effect_is_left(step):
    idle = {"amp_offsets": {"enabled": True, "apply": False}}.get(step, {"enabled": False})
    row = judge(replace(EFFECTS[step], settings=idle), correct, CAMERA, DETECTOR, SHOT)
    assert row.leak == pytest.approx(1.0, abs=0.03)
