"""What the classic recipe costs on a 4096 x 4096 detector of 16 amplifiers, in plane copies, two threads, warm.

Budget: 105 plane copies; and, beyond raw, calibrations and returned planes, 3 float32 images of traced memory.
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
    copies, steps, wholes = [], {}, []
    for _ in range(RUNS):
        copies.append(plane_copy_seconds())
        started = time.perf_counter()
        result = run_isr(sky, calibs, config)
        wholes.append(time.perf_counter() - started)
        for entry in result.exposure.history:
            steps.setdefault(entry.step, []).append(entry.seconds)
        del result
    copy = statistics.median(copies)
    for name, seconds in steps.items():
        print(_line(name, statistics.median(seconds), copy))
    print(_line("whole recipe", statistics.median(wholes), copy), f"(budget 105; one is {copy * 1e3:.2f} ms)")
    images = traced_images(sky, calibs, config)
    print(f"  traced memory beyond raw, calibrations and product: {images:.2f} images (budget 3)")


def _line(name: str, seconds: float, copy: float) -> str:
    return f"  {name:20s} {seconds * 1e3:8.1f} ms {seconds / copy:7.1f} plane copies"


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
