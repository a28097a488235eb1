"""What functions and pipelines take here, and what LSST's own code takes for the same, both in plane copies.

LSST's seconds were measured on a machine of the same class, quiet and single-threaded, where a plane copy took 5.3 to
9.2 ms; they are divided by the slowest of these, which favours LSST. Ours are medians on two threads, warm. A busy
machine spoils wall times, so that the ratio by processor time, of both threads together, is printed as well: it is
what one thread would reach.
"""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from big_detector import calibrations, camera, raw
from yardstick import plane_copy_times

from isrflow.calibs.bfk import BrighterFatterKernel
from isrflow.calibs.defects import Defects
from isrflow.calibs.kinds import KINDS
from isrflow.frame.box import Box
from isrflow.frame.mask import mask_bits
from isrflow.kernels import linearity
from isrflow.kernels.brighter_fatter import correct_brighter_fatter
from isrflow.kernels.charge_currents import correct_conserving_charge
from isrflow.kernels.electrostatic import correct_electrostatic, shifts_of
from isrflow.kernels.fringe import draw_places, measure_contrasts
from isrflow.kernels.masks import grow_mask, mask_at_least
from isrflow.kernels.rows import interpolate_rows
from isrflow.kernels.statistics import clip, mean, median
from isrflow.kernels.warm import warm_kernels
from isrflow.recipe import IsrConfig
from isrflow.recipe_lsst import IsrLsstConfig
from isrflow.run import run_isr
from isrflow.steps.amp_offsets import AmpOffsetsConfig, even_out_amplifiers
from isrflow.steps.crosstalk import CrosstalkConfig, subtract_crosstalk

LSST_COPY_S = 9.2e-3
RUNS = 3
N_DEFECTS = 1516
SECONDS = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """What something takes there and here."""

    name: str
    lsst_s: float
    ours: SECONDS
    """Wall and processor."""
    target: float = 0.0

    def spell(self, copy: SECONDS) -> str:
        """Return the line of the table; `copy` takes so many wall and processor seconds."""
        theirs = self.lsst_s / LSST_COPY_S
        wall, cpu = (seconds / one for seconds, one in zip(self.ours, copy, strict=True))
        ratio = theirs / wall
        verdict = "" if not self.target else f"  {'reached' if ratio >= self.target else 'MISSED'} {self.target:g}x"
        return f"  {self.name:42s} {theirs:8.1f} {wall:8.2f} {cpu:8.2f} {ratio:8.1f}x {theirs / cpu:8.1f}x{verdict}"


def main() -> None:
    """Time everything and print the table."""
    warm_kernels()
    logging.disable(logging.WARNING)  # the made-up detector has calibrations in adu alone
    copies = [plane_copy_times()]
    lines = pipelines()
    copies.append(plane_copy_times())
    lines += functions()
    copies.append(plane_copy_times())
    copy = _median(copies)
    print(f"  a plane copy takes {copy[0] * 1e3:.1f} ms here, {LSST_COPY_S * 1e3:g} ms where LSST's code was timed")
    print(f"  {'in plane copies':42s} {'LSST':>8s} {'wall':>8s} {'cpu':>8s} {'ratio':>9s} {'by cpu':>9s}")
    for line in lines:
        print(line.spell(copy), flush=True)


# ---------------------------------------------------------------------------------------------------------- pipelines

_CLASSIC_STEPS = {
    "brighter_fatter": (11.2, 8.0),
    "crosstalk": (2.1, 8.0),
    "interpolation": (1.4, 8.0),
    "overscan": (0.72, 0.0),
    "saturation": (0.43, 0.0),
    "bad_regions": (0.4, 0.0),
    "linearity": (0.18, 0.0),
    "assembly": (0.16, 0.0),
    "flat": (0.14, 0.0),
    "dark": (0.10, 0.0),
}
"""LSST's seconds of the steps of the classic task with brighter-fatter, and our target."""
_LSST_STEPS = {"deferred_charge": (2.7, 8.0), "overscan_serial": (0.47, 0.0), "variance": (0.46, 0.0)}
_BASE = {"overscan.fit_type": "MEDIAN_PER_ROW", "crosstalk.enabled": True}
# Checks that the made-up detector cannot pass: it has no history of levels and noises.
_NEWER = {"overscan_level.enabled": False, "amplifier_noise.enabled": False, "isr_statistics.enabled": False}


def pipelines() -> list[Line]:
    """Time whole recipes, and the steps of those whose steps were timed there."""
    classic, newer = IsrConfig.layered(_BASE), IsrLsstConfig.layered(_NEWER)
    by_kernel = {"brighter_fatter.enabled": True}
    squared = {"deferred_charge.enabled": True}
    runs = [
        ("IsrTask, Coulton", 18.4, classic.override(by_kernel), _CLASSIC_STEPS),
        ("IsrTask, deferred charge", 8.2, classic.override(squared), {}),
        ("IsrTask, crosstalk with background", 6.0, classic.override({"crosstalk.background": "AMP"}), {}),
        ("IsrTaskLSST, Coulton", 20.8, newer, _LSST_STEPS),
        ("IsrTaskLSST, flux-conserving", 38.4, newer.override({"brighter_fatter.flux_conserving": True}), {}),
        ("IsrTaskLSST, no brighter-fatter", 7.6, newer.without(["brighter_fatter"]), {}),
    ]
    if "electrostatic" in IsrLsstConfig.model_fields:
        astier = newer.without(["brighter_fatter"]).override({"electrostatic.enabled": True})
        runs.append(("IsrTaskLSST, Astier", 12.0, astier, {"electrostatic": (4.4, 4.0)}))
    lines = []
    for name, seconds, recipe, steps in runs:
        taken = timed_steps(recipe)
        lines.append(Line(name, seconds, taken["whole"], 10.0))
        lines += [Line(f"  {step}", *_with(taken[step], limits)) for step, limits in steps.items()]
    return lines


def _with(ours: SECONDS, limits: tuple[float, float]) -> tuple[float, SECONDS, float]:
    return limits[0], ours, limits[1]


def timed_steps(recipe: Any) -> dict[str, SECONDS]:
    """Return the median wall and processor seconds of every step, and of the whole."""
    sky, calibs = raw(camera()), all_calibrations()
    found: dict[str, list[SECONDS]] = {}

    def note(name: str, exposure: object) -> None:  # noqa: ARG001
        nonlocal last
        now = time.perf_counter(), time.process_time()
        found.setdefault(name, []).append((now[0] - last[0], now[1] - last[1]))
        last = now

    for _ in range(RUNS + 1):
        first = last = time.perf_counter(), time.process_time()
        run_isr(sky, calibs, recipe, on_step=note)
        found.setdefault("whole", []).append((last[0] - first[0], last[1] - first[1]))
    return {name: _median(times[1:]) for name, times in found.items()}


def all_calibrations() -> dict[str, Any]:
    """Make calibrations of all kinds that recipes take, as many defects and as large a kernel as LSST's run had."""
    rng, detector = np.random.default_rng(3), camera().detectors[0]
    calibs: dict[str, Any] = dict(calibrations(camera()))
    calibs |= {kind: KINDS[kind].example(detector, rng) for kind in ("deferred_charge", "electrostatic")}
    corners = rng.integers(0, 4090, (N_DEFECTS, 2))
    boxes = tuple(Box(int(x), int(y), int(w), int(h)) for (x, y), (w, h) in zip(corners, _sizes(rng), strict=True))
    calibs["defects"] = Defects(info=calibs["defects"].info, boxes=boxes).normalised()
    gains = {amp.name: amp.gain_electron_per_adu for amp in detector.amplifiers}
    kernels = {name: kernel() for name in gains}
    calibs["bfk"] = BrighterFatterKernel(info=calibs["defects"].info, size_px=17, amplifier_kernels=kernels, gain=gains)
    return calibs


def _sizes(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(1, 7, (N_DEFECTS, 2))


def kernel() -> np.ndarray:
    """Make a kernel of 17 x 17 pixels that falls off as a power."""
    y, x = np.mgrid[-8:9, -8:9]
    return -5e-7 / (1.0 + x**2 + y**2) ** 1.5


# ---------------------------------------------------------------------------------------------------------- functions


def functions() -> list[Line]:
    """Time single functions."""
    shape, rng = (4096, 4096), np.random.default_rng(5)
    image = rng.normal(3000.0, 55.0, shape).astype(np.float32)
    stars = rng.integers(20, 4000, (2000, 2))
    for x, y in stars:
        image[y : y + 7, x : x + 7] += 20000.0
    variance = image.copy()
    mask = np.zeros(shape, np.int32)
    for box in all_calibrations()["defects"].boxes:
        mask[box.slices()] |= mask_bits("BAD")
    bad = mask_bits("BAD")
    excluded = mask != 0

    def fresh() -> np.ndarray:
        return image.copy()

    table = np.zeros(65536, np.float32)
    nodes, values = np.linspace(0.0, 70000.0, 15), 20.0 * np.sin(np.arange(15.0))
    places = draw_places(shape, 30000, 30, 1234)
    once = {"max_iterations": 2}
    return [
        Line("Coulton, an iteration", 1.9, halved(fresh, lambda a: correct_brighter_fatter(a, kernel(), **once)), 8.0),
        Line(
            "flux-conserving, an iteration",
            6.3,
            halved(fresh, lambda a: correct_conserving_charge(a, kernel(), **once)),
        ),
        Line("electrostatic", 1.30, timed(fresh, electrostatic()), 4.0),
        Line("linearity, squared", 0.055, timed(fresh, lambda a: linearity.correct_squared(a, 1e-7))),
        Line("linearity, polynomial", 0.098, timed(fresh, lambda a: linearity.correct_polynomial(a, [1e-7, 1e-12]))),
        Line("linearity, spline", 0.175, timed(fresh, lambda a: linearity.correct_spline(a, nodes, values))),
        Line("linearity, table", 0.029, timed(fresh, lambda a: linearity.correct_by_table(a, table, 0.0))),
        Line("crosstalk, image, mask, variance", 1.84, timed(exposure_of(image, variance), crosstalk({})), 8.0),
        Line("crosstalk, image only", 0.79, timed(exposure_of(image, variance), crosstalk(_IMAGE_ONLY)), 8.0),
        Line("interpolation of defects", 0.56, timed(lambda: planes(image, variance, mask), interpolate(bad)), 8.0),
        Line("mask above a threshold", 0.34, timed(mask.copy, lambda m: mask_at_least(image, 15000.0, m, 2))),
        Line("grow a mask", 0.12, timed(mask.copy, lambda m: grow_mask(m, 1, bad, bad))),
        Line("MEAN of a plane", 0.078, timed(lambda: None, lambda _: mean(image, exclude=excluded))),
        Line("MEDIAN of a plane", 0.27, timed(lambda: None, lambda _: median(image, exclude=excluded))),
        Line("MEANCLIP of a plane", 0.49, timed(lambda: None, lambda _: clip(image, exclude=excluded))),
        Line("fringes at 30,000 places", 13.0, timed(lambda: None, lambda _: fringe(image, mask, places)), 8.0),
        Line("amplifier offsets", 3.5, timed(exposure_of(image, variance), offsets), 4.0),
    ]


_IMAGE_ONLY = {"mask_subtrahend": True, "ignore_variance": True}


def crosstalk(settings: dict[str, Any]) -> Callable[[Any], object]:
    ratios, config = calibrations(camera())["crosstalk"], CrosstalkConfig(enabled=True, **settings)
    return lambda exposure: subtract_crosstalk(exposure, config, crosstalk=ratios)


def electrostatic() -> Callable[[Any], object]:
    y, x = np.mgrid[:9, :9]
    fall = 1e-7 / (1.0 + x**2 + y**2) ** 1.5
    shifts = shifts_of(fall, -fall, 0.7 * fall, -0.7 * fall)
    return lambda image: correct_electrostatic(image, shifts)


def fringe(image: np.ndarray, mask: np.ndarray, places: Any) -> None:
    measure_contrasts(image, mask, 2, places, (3, 30))


def offsets(exposure: Any) -> None:
    even_out_amplifiers(exposure, AmpOffsetsConfig(enabled=True))


def interpolate(bad: int) -> Callable[[Any], object]:
    def work(given: Any) -> None:
        image, variance, mask = given
        interpolate_rows(image, variance, mask, bits=bad, interpolated_bit=4, fallback=0.0)

    return work


def planes(*given: np.ndarray) -> tuple[np.ndarray, ...]:
    return tuple(plane.copy() for plane in given)


def exposure_of(image: np.ndarray, variance: np.ndarray) -> Callable[[], Any]:
    from isrflow.frame.exposure import Exposure

    detector = camera().detectors[0]
    return lambda: Exposure(image.copy(), np.zeros(image.shape, np.int32), variance.copy(), detector=detector)


def timed(make: Callable[[], Any], work: Callable[[Any], object]) -> SECONDS:
    """Return the median wall and processor seconds of `work` on what `make` gives."""
    times = []
    for _ in range(RUNS + 1):
        given = make()
        wall, cpu = time.perf_counter(), time.process_time()
        work(given)
        times.append((time.perf_counter() - wall, time.process_time() - cpu))
    return _median(times[1:])


def halved(make: Callable[[], Any], work: Callable[[Any], object]) -> SECONDS:
    """Return half of what `timed` does: the seconds of one of two iterations."""
    wall, cpu = timed(make, work)
    return wall / 2, cpu / 2


def _median(times: list[SECONDS]) -> SECONDS:
    wall, cpu = (statistics.median(column) for column in zip(*times, strict=True))
    return wall, cpu


if __name__ == "__main__":
    main()
