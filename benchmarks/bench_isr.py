"""What the classic recipe costs on a 4096 x 4096 detector of 16 amplifiers, in plane copies, two threads, warm.

Budget: 105 plane copies; and, beyond raw, calibrations and returned planes, 3 float32 images of traced memory.
"""

from __future__ import annotations

import gc
import statistics
import time
import tracemalloc

from big_detector import RECIPE, calibrations, camera, raw
from isrflow.kernels.warm import warm_kernels
from isrflow.recipe import IsrConfig
from isrflow.run import run_isr
from yardstick import plane_copy_seconds

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
        print(f"  {name:20s} {statistics.median(seconds) * 1e3:8.1f} ms {statistics.median(seconds) / copy:7.1f} plane copies")
    whole = statistics.median(wholes)
    print(f"  {'whole recipe':20s} {whole * 1e3:8.1f} ms {whole / copy:7.1f} plane copies (budget 105; one is {copy * 1e3:.2f} ms)")
    print(f"  traced memory beyond raw, calibrations and product: {traced_images(sky, calibs, config):.2f} images (budget 3)")


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
