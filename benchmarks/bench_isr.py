"""What the classic recipe costs on a 4096 x 4096 detector of 16 amplifiers, in plane copies, two threads, warm.

Budgets: 90 plane copies without and 190 with brighter-fatter; beyond raw, calibrations and returned planes 3 and 5
float32 images of traced memory; 30 s of compilation once, 2 s of processor time for a process to start and correct its
first detector with all kernels compiled. The same on one thread must be the same to the last bit. Wall times on a busy
machine are those of the neighbours as well; the time of the processor is not, or less.
"""

from __future__ import annotations

import gc
import os
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Mapping
from typing import Any

import numba
import numpy as np
from big_detector import RECIPE, calibrations, camera, raw
from yardstick import plane_copy_times

from isrflow.calibs.base import Calibration
from isrflow.calibs.bfk import BrighterFatterKernel
from isrflow.frame.exposure import Exposure
from isrflow.kernels.warm import warm_kernels
from isrflow.recipe import IsrConfig
from isrflow.run import run_isr
from isrflow.steps.recipe_base import Recipe

RUNS = 5
PLANE_BYTES = 4096 * 4096 * 4
BUDGETS = {False: (90, 3), True: (190, 5)}
"""With brighter-fatter or without: plane copies, and images of memory."""
_FIRST_DETECTOR = """
import time
begin = time.process_time()
from isrflow.frame.camera import load_camera
from isrflow.recipe import IsrConfig
from isrflow.run import run_isr
from isrflow.simulate.exposure import simulate_exposure
from isrflow.simulate.shots import night_shots
print(time.process_time() - begin)
camera = load_camera("tiny")
shot = night_shots(camera, 20260301, n_science=1)[0]
exposure, truth = simulate_exposure(camera, camera.detectors[0], shot)
from isrflow.simulate.calibrations import true_calibrations
calibs = true_calibrations(truth.signature, shot.obs.physical_filter)
recipe = IsrConfig.layered(camera.recipe, {"crosstalk.enabled": True})
begin = time.process_time()
run_isr(exposure, calibs, recipe)
print(time.process_time() - begin)
"""


def main() -> None:
    """Time each step and the whole, trace memory, and compare one thread with all."""
    warm_kernels()
    sky = raw(camera())
    calibs = {**calibrations(camera()), "bfk": brighter_fatter_kernel()}
    for with_kernel in (False, True):
        config = IsrConfig.layered(RECIPE, {"brighter_fatter.enabled": with_kernel})
        print(f"  {'with' if with_kernel else 'without'} brighter-fatter")
        show_times(sky, calibs, config, budget=BUDGETS[with_kernel][0])
        images, allowed = traced_images(sky, calibs, config), BUDGETS[with_kernel][1]
        print(f"  traced memory beyond raw, calibrations and product: {images:.2f} images (budget {allowed})")
        print(f"  on one thread: {'the same' if is_same_on_one_thread(sky, calibs, config) else 'ANOTHER'} result")
    show_starts()


def show_times(sky: Exposure, calibs: Mapping[str, Calibration], config: Recipe, *, budget: float) -> None:
    """Print what each step and the whole take."""
    run_isr(sky, calibs, config)
    copies, times = [], {}
    for _ in range(RUNS):
        copies.append(plane_copy_times())
        for name, *seconds in timed_steps(sky, calibs, config, budget):
            times.setdefault(name, []).append(tuple(seconds))
    wall_copy, cpu_copy = (statistics.median(column) for column in zip(*copies, strict=True))
    print(
        f"  one plane copy is {wall_copy * 1e3:.2f} ms; plane copies of wall time, and of processor time on all cores:"
    )
    for name, seconds in times.items():
        wall, cpu = (statistics.median(column) for column in zip(*seconds, strict=True))
        print(f"  {name:20s} {wall * 1e3:8.1f} ms {wall / wall_copy:7.1f} {cpu / cpu_copy:7.1f}")


def timed_steps(
    sky: Exposure, calibs: Mapping[str, Calibration], config: Recipe, budget: float
) -> list[tuple[str, float, float]]:
    """Return (step, wall seconds, processor seconds) of one run, the whole last."""
    clocks = time.perf_counter, time.process_time
    first = last = [clock() for clock in clocks]
    found = []

    def note(name: str, exposure: Exposure) -> None:  # noqa: ARG001
        nonlocal last
        now = [clock() for clock in clocks]
        found.append((name, now[0] - last[0], now[1] - last[1]))
        last = now

    run_isr(sky, calibs, config, on_step=note)
    return [*found, (f"whole, budget {budget:g}", last[0] - first[0], last[1] - first[1])]


def traced_images(sky: Exposure, calibs: Mapping[str, Calibration], config: Recipe) -> float:
    """Return the peak of traced memory beyond the product's three planes, in float32 images."""
    gc.collect()
    tracemalloc.start()
    result = run_isr(sky, calibs, config)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    planes = result.exposure.image.nbytes + result.exposure.mask.nbytes + result.exposure.variance.nbytes
    return (peak - planes) / PLANE_BYTES


def is_same_on_one_thread(sky: Exposure, calibs: Mapping[str, Calibration], config: Recipe) -> bool:
    """Tell whether one thread gives the same bits in all planes."""
    many, threads = run_isr(sky, calibs, config).exposure, numba.get_num_threads()
    numba.set_num_threads(1)
    one = run_isr(sky, calibs, config).exposure
    numba.set_num_threads(threads)
    pairs = zip(many.planes(), one.planes(), strict=True)
    return all(np.array_equal(a.view(np.int32), b.view(np.int32)) for a, b in pairs)


def show_starts() -> None:
    """Print what compilation takes, and a process that finds everything compiled."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
        cold = in_process("from isrflow.kernels.warm import warm_kernels; warm_kernels()", environment)
        in_process(_FIRST_DETECTOR, environment)
        imports, first = (float(line) for line in in_process(_FIRST_DETECTOR, environment)[1].split())
    print(f"  compilation of all kernels, once: {cold[0]:.1f} s of processor (budget 30)")
    print(f"  with all compiled: imports {imports:.2f} s, the first detector {first:.2f} s of processor (budget 2)")


def in_process(code: str, environment: Mapping[str, str]) -> tuple[float, str]:
    """Run Python code in a process of its own; return its processor seconds and what it printed."""
    before = os.times()
    done = subprocess.run(
        [sys.executable, "-c", code], env=dict(environment), capture_output=True, text=True, check=True
    )
    after = os.times()
    return after.children_user - before.children_user + after.children_system - before.children_system, done.stdout


def brighter_fatter_kernel() -> Calibration:
    """Make kernels of 17 x 17 pixels that fall off as a power, as large as those in use."""
    detector = camera().detectors[0]
    y, x = np.mgrid[-8:9, -8:9]
    shape: Any = -5e-7 / (1.0 + x**2 + y**2) ** 1.5
    gains = {amp.name: amp.gain_electron_per_adu for amp in detector.amplifiers}
    return BrighterFatterKernel(size_px=17, amplifier_kernels=dict.fromkeys(gains, shape), gain=gains)


if __name__ == "__main__":
    main()
