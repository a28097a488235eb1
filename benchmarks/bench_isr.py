"""What the classic recipe costs on a 4096 x 4096 detector of 16 amplifiers, in plane copies, two threads, warm.

Budget: 105 plane copies; and, beyond raw, calibrations and returned planes, 3 float32 images of traced memory. Wall
times on a busy machine are those of the neighbours as well; the time of the processor is not.
"""

from __future__ import annotations

import gc
import statistics
import time
import tracemalloc

from big_detector import RECIPE, calibrations, camera, raw
from yardstick import plane_copy_seconds

from isrflow.kernels.warm import warm_kernels
from isrflow.recipe import IsrConfig
from isrflow.run import run_isr

RUNS = 5
PLANE_BYTES = 4096 * 4096 * 4


def main() -> None:
    """Time each step and the whole, and trace the memory of one run."""
    warm_kernels()
    sky, config = raw(camera()), IsrConfig.layered(RECIPE)
    calibs = calibrations(camera())
    run_isr(sky, calibs, config)
    copies: list[float] = []
    times: dict[str, list[tuple[float, float]]] = {}
    for _ in range(RUNS):
        copies.append(plane_copy_seconds())
        for name, *seconds in timed_steps(sky, calibs, config):
            times.setdefault(name, []).append(tuple(seconds))
    copy = statistics.median(copies)
    print(f"  one plane copy is {copy * 1e3:.2f} ms; plane copies of wall time, and of processor time on all cores:")
    for name, seconds in times.items():
        wall, processor = (statistics.median(column) for column in zip(*seconds, strict=True))
        print(f"  {name:20s} {wall * 1e3:8.1f} ms {wall / copy:7.1f} {processor / copy:7.1f}")
    images = traced_images(sky, calibs, config)
    print(f"  traced memory beyond raw, calibrations and product: {images:.2f} images (budget 3)")


def timed_steps(sky, calibs, config) -> list[tuple[str, float, float]]:
    """Return (step, wall seconds, processor seconds) of one run, the whole last."""
    clocks = time.perf_counter, time.process_time
    first = last = [clock() for clock in clocks]
    found = []

    def note(name, exposure) -> None:  # noqa: ARG001
        nonlocal last
        now = [clock() for clock in clocks]
        found.append((name, now[0] - last[0], now[1] - last[1]))
        last = now

    run_isr(sky, calibs, config, on_step=note)
    return [*found, ("whole, budget 105", last[0] - first[0], last[1] - first[1])]


def traced_images(sky, calibs, config) -> float:
    """Return the peak of traced memory beyond the product's three planes, in float32 images."""
    gc.collect()
    tracemalloc.start()
    result = run_isr(sky, calibs, config)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    planes = result.exposure.image.nbytes + result.exposure.mask.nbytes + result.exposure.variance.nbytes
    return (peak - planes) / PLANE_BYTES


if __name__ == "__main__":
    main()
