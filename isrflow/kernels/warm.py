"""Compiling every kernel once, so that the first exposure of a night does not wait for it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import numpy as np
from numba.core.dispatcher import Dispatcher

from isrflow.kernels import (
    arithmetic,
    binning,
    box_medians,
    brighter_fatter,
    charge_currents,
    combine,
    crosstalk,
    deferred_charge,
    detection,
    electrostatic,
    footprints,
    gather,
    linearity,
    masks,
    rice,
    rows,
    select,
    statistics,
    surface,
)
from isrflow.kernels.coupling import AmplifierGrid, Coupling
from isrflow.kernels.layout import Planes

_SIZE = 16


def warm_kernels() -> list[str]:
    """Call every compiled kernel with the types used in production, which compiles it or loads it from numba's cache.

    Returns
    -------
    list of str
        Names of the kernels, ``module.function``.
    """
    for call in _calls():
        call()
    return sorted(name for name, _ in compiled_kernels())


def compiled_kernels() -> Iterator[tuple[str, Dispatcher]]:
    """Find all compiled functions of this package that have been imported."""
    for module_name, module in list(sys.modules.items()):
        if not module_name.startswith("isrflow.kernels."):
            continue
        for name, value in vars(module).items():
            kernel = getattr(value, "dispatcher", value)
            if isinstance(kernel, Dispatcher) and kernel.py_func.__module__ == module_name:
                yield f"{module_name.removeprefix('isrflow.kernels.')}.{name}", kernel


def _calls() -> Iterator[Callable[[], object]]:
    planes, other = _picture(), _picture()
    image, mask, variance = planes
    left, right = np.s_[:, : _SIZE // 2], np.s_[:, _SIZE // 2 :]
    grid = AmplifierGrid(
        [(slice(0, _SIZE), slice(start, start + _SIZE // 2)) for start in (0, _SIZE // 2)],
        [(False, False), (True, True)],
    )
    coupling = Coupling(np.array([[0.0, 1e-4], [1e-4, 0.0]]))
    spline = np.array([0.0, 1e3, 2e3, 3e3, 4e3, 5e3])
    large = np.zeros((1, select.WORTHWHILE), np.float32)  # large pictures and samples have kernels of their own
    yield lambda: arithmetic.add_scaled(planes, other, -1.0)
    yield lambda: arithmetic.divide_scaled(planes, other, 1.0)
    yield lambda: arithmetic.multiply_scaled(planes, other, 1.0)
    yield lambda: arithmetic.build_photon_variance(image[left], variance[left], gain=1.5, read_noise_electron=5.0)
    yield lambda: linearity.correct_squared(image[left], 1e-9)
    yield lambda: linearity.correct_polynomial(image[left], [1e-9, 1e-15])
    yield lambda: linearity.correct_spline(image[right], spline, np.zeros(6))
    yield lambda: linearity.correct_by_table(image[right], np.zeros(8, np.float32), 0.0)
    yield lambda: crosstalk.subtract_crosstalk(planes, grid, coupling, bit=1 << 11, threshold=np.inf)
    yield lambda: rice.decode_rice(
        np.zeros(8, np.uint8), np.array([[0, 8]]), np.array([[0, 1, 0, 8]]), (1, 8), n_bytes=2
    )
    marking = crosstalk.subtract_crosstalk_marking_subtrahend
    yield lambda: marking(planes, grid, coupling, bit=1 << 11, threshold=np.inf, levels=grid.sections)
    yield lambda: deferred_charge.correct_deferred_charge(
        image[left], deferred_charge.Drift(1e-4, 2.5), deferred_charge.Trap(10.0, 0.5)
    )
    yield lambda: detection.detect_positive(*_picture()[:2], 2)
    yield lambda: surface.subtract_surface(image, mask, 1, (2, 2))
    yield lambda: rows.interpolate_rows(image, variance, mask, bits=1, interpolated_bit=4, fallback=0.0)
    yield lambda: brighter_fatter.correct_brighter_fatter(image, np.full((3, 3), -1e-7))
    yield lambda: electrostatic.correct_electrostatic(image, electrostatic.shifts_of(*np.full((4, 2, 2), 1e-7)))
    yield lambda: charge_currents.correct_conserving_charge(image, np.full((3, 3), -1e-7))
    yield lambda: binning.bin_planes(planes, 4)
    yield lambda: box_medians.contrast_of_boxes(image, mask, 2, np.full((1, 2), 8), (1, 8))
    yield lambda: combine.combine_stack((image[None], mask[None], variance[None]), combine.StackControl())
    yield lambda: statistics.describe(image[left], exclude=mask[left] != 0)
    yield lambda: statistics.clip(large)
    yield lambda: statistics.describe(image[0].astype(np.float64), exclude=mask[0] != 0)
    yield lambda: gather.good_median(large, np.zeros(large.shape, np.int32), 1)
    yield lambda: gather.fill_where(image, mask, has=1, lacks=4, value=0.0)
    yield lambda: gather.count_where(mask, has=1, lacks=4)
    yield lambda: gather.count_signs(image, mask, 1)
    yield lambda: footprints.label(mask != 0)
    yield lambda: masks.mask_at_least(image[left], 1e5, mask[left], 2)
    yield lambda: masks.mask_nonfinite(image, variance, mask, 2)
    yield lambda: masks.grow_mask(mask, 1, 2, 2)
    yield lambda: masks.mask_nonpositive(variance, mask, 1)
    yield lambda: masks.count_masked(mask[left], 1)
    yield lambda: masks.all_masked(mask[left], 1)
    yield lambda: masks.widen_trails(mask, 1)


def _picture() -> Planes:
    image = np.linspace(100, 200, _SIZE * _SIZE, dtype=np.float32).reshape(_SIZE, _SIZE)
    mask = np.zeros(image.shape, np.int32)
    mask[:, 5] = 1
    return image, mask, np.full(image.shape, 10, np.float32)
