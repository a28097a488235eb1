"""What a step does to one simulated exposure: pixels, planes, cards and time, seen from outside.

Nothing a page says about a step's effect is written by hand: the step is run within its recipe, and the exposures
before and after it are compared.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np

from isrflow.calibs.base import Calibration
from isrflow.calibs.kinds import KINDS
from isrflow.frame.camera import load_camera
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_planes
from isrflow.recipe import IsrConfig
from isrflow.run import run_isr
from isrflow.simulate import Flaws, make_signature, night_shots, simulate_exposure, true_calibrations
from isrflow.simulate.calibrations import true_fringe, true_illumination, true_kernel
from isrflow.simulate.registers import true_deferred_charge
from isrflow.steps.recipe_base import Recipe

CAMERA = load_camera("lupine")
DETECTOR = CAMERA.detectors[1]
SHOT = night_shots(CAMERA, 20260301, first_seq=20)[1]
FILTER = SHOT.obs.physical_filter
FLAWS: dict[str, dict[str, float]] = {
    "correct_deferred_charge": {"deferred_charge": 10.0},
    "correct_exposure": {"brighter_fatter": 1.0},
    "correct_pixel_sides": {"brighter_fatter": 1.0},
    "subtract_fringes": {"fringe": 0.05},
    "correct_illumination": {"lamp": 0.1},
    "even_out_amplifiers": {"amplifier_steps_adu": 3.0},
}
"""Step to the flaws it corrects that simulated detectors do not have by default."""
SETTINGS: dict[str, dict[str, Any]] = {
    "subtract_fringes": {"filters": (FILTER,)},
    "correct_illumination": {"filters": (FILTER,)},
    "even_out_amplifiers": {"apply": True},
    "mask_edges": {"width_px": 30},
    "find_valid_polygon": {"radius_mm": 14.0},
}
"""Step to settings without which it has nothing to do here."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A raw exposure and the calibrations that fit it."""

    raw: Exposure
    calibs: Mapping[str, Calibration]


@dataclass(slots=True)
class Demonstration:
    """One step on one exposure."""

    before: Exposure
    after: Exposure
    seconds: float
    """The median of three runs."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What was set differently from the defaults to let the step show itself."""
    flaws: Mapping[str, float] = field(default_factory=dict)

    @property
    def same_pixels(self) -> bool:
        """Whether image before and after can be compared."""
        return self.before.image.shape == self.after.image.shape

    def changed(self) -> tuple[int, float]:
        """Return how many image pixels changed, and by how much: the root mean square over these."""
        if not self.same_pixels:
            return self.after.image.size, float("nan")
        change = self.after.image.astype(np.float64) - self.before.image
        moved = change[np.isfinite(change) & (change != 0)]
        return moved.size, float(np.sqrt(np.mean(moved**2))) if moved.size else 0.0

    def new_bits(self) -> dict[str, int]:
        """Return mask plane to number of pixels in which the step set it."""
        new = self.newly_masked()
        if new is None:
            return {}
        counts = {name: int(np.count_nonzero(new >> bit & 1)) for name, bit in mask_planes().items()}
        return {name: count for name, count in counts.items() if count}

    def newly_masked(self) -> np.ndarray | None:
        """Return the bits that the step set, or None if there is nothing to compare."""
        if self.after.mask is None or not self.same_pixels:
            return None
        before = 0 if self.before.mask is None else self.before.mask
        return np.asarray(self.after.mask & ~np.int32(before))

    def new_cards(self) -> dict[str, Any]:
        """Return the cards the step wrote or changed."""
        old = self.before.header
        return {name: value for name, value in self.after.header.items() if name not in old or old[name] != value}


@lru_cache(maxsize=8)
def scene(flaws: tuple[tuple[str, float], ...]) -> Scene:
    """Simulate a science exposure with these flaws beside the usual ones, and the true calibrations."""
    signature = make_signature(CAMERA, DETECTOR, replace(Flaws(), **dict(flaws)))
    raw, _ = simulate_exposure(CAMERA, DETECTOR, SHOT, signature=signature)
    true = {
        **true_calibrations(signature, FILTER),
        "deferred_charge": true_deferred_charge(signature),
        "bfk": true_kernel(signature),
        "fringe": true_fringe(signature, FILTER),
        "illumination": true_illumination(signature, FILTER),
    }
    rng = np.random.default_rng(20260301)
    examples = {kind: each.example(DETECTOR, rng) for kind, each in KINDS.items() if kind not in true}
    fitting = {kind: replace(each, info=replace(each.info, physical_filter=None)) for kind, each in examples.items()}
    return Scene(raw, {**fitting, **true})


def in_electrons(shown: Scene) -> Scene:
    """Return the scene with bias and dark in electrons, as the newer order wants them."""
    gains = np.ones(DETECTOR.box.shape, np.float32)
    for amp in DETECTOR.amplifiers:
        gains[amp.box.slices()] = amp.gain_electron_per_adu
    calibs = dict(shown.calibs)
    for kind in ("bias", "dark"):
        picture = calibs[kind].exposure
        scaled = replace(picture, image=picture.image * gains, unit="electron")
        calibs[kind] = replace(calibs[kind], exposure=scaled)
    return Scene(shown.raw, calibs)


def demonstrate(recipe_class: type[Recipe], name: str) -> Demonstration:
    """Run a recipe in which the row of this name is on, and compare the exposure before and after it.

    Raises
    ------
    isrflow.errors.IsrflowError
        If the step cannot be run on the simulated exposure; the page then says why.
    """
    row = next(row for row in recipe_class.rows if row.name == name)
    function = row.step.function.__name__
    flaws, settings = FLAWS.get(function, {}), SETTINGS.get(function, {})
    dotted = {f"{name}.enabled": True, **{f"{name}.{key}": value for key, value in settings.items()}}
    recipe = recipe_class.layered(CAMERA.recipe if recipe_class is IsrConfig else {}, dotted)
    recipe = recipe.without(
        [each.name for each in recipe.rows if each.step.function is row.step.function and each.name != name]
    )
    shown = scene(tuple(flaws.items()))
    shown = shown if recipe_class is IsrConfig else in_electrons(shown)
    runs = [watch(recipe, name, shown) for _ in range(3)]
    before, after, _ = runs[0]
    return Demonstration(before, after, statistics.median(seconds for _, _, seconds in runs), settings, flaws)


def watch(recipe: Recipe, name: str, shown: Scene) -> tuple[Exposure, Exposure, float]:
    """Run a recipe; return the exposure before and after a row, and how many seconds it took."""
    last, found, started = shown.raw, [], time.perf_counter()

    def look(step: str, exposure: Exposure) -> None:
        nonlocal last, started
        seconds = time.perf_counter() - started
        current = exposure.copy()
        current.header = dict(exposure.header)
        if step == name:
            found.append((last, current, seconds))
        last, started = current, time.perf_counter()

    run_isr(shown.raw, shown.calibs, recipe, camera=CAMERA, on_step=look)
    return found[0]
