"""Measure the steps between amplifiers that are left, and even them out if that is wanted."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from isrflow.errors import GeometryError
from isrflow.frame.camera import Amplifier
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.frame.stage import assembled_detector
from isrflow.kernels import amp_offsets as kernel
from isrflow.kernels.detection import detect_positive
from isrflow.kernels.masks import all_masked, mask_edges
from isrflow.kernels.surface import subtract_surface
from isrflow.steps.step import ByProduct, StepConfig

log = logging.getLogger(__name__)
_OF_DETECTION = ("DETECTED", "DETECTED_NEGATIVE")
_UNRELIABLE = ("BAD", "SAT", "EDGE", "NO_DATA")


class AmpOffsetsConfig(StepConfig):
    """Where steps are measured, on what, and whether they are taken out."""

    enabled: bool = False
    """Whether the step is run."""
    apply: bool = False
    """Whether the offsets are subtracted; else they are only noted."""
    edge_inset_px: int = Field(5, ge=0)
    """Pixels left out along the edge of an amplifier, where charge is deflected."""
    edge_width_px: int = Field(64, ge=1)
    """Width of the strip beside it in which the level is measured."""
    edge_min_fraction: float = Field(0.5, ge=0, le=1)
    """Part of an interface that must have a level on both sides for its step to be used."""
    edge_max_step: float = Field(5.0, ge=0)
    """Larger steps are not used; in the unit of the exposure."""
    smooth: bool = True
    """Whether the difference along an interface is smoothed before it is averaged."""
    window_fraction: float = Field(512 / 4176, gt=0, le=1)
    """Width of the smoothing window over the length of the interface."""
    subtract_background: bool = True
    """Whether a smooth background is taken off first, on a copy, so that a gradient does not count as a step."""
    cell_fraction: float = Field(1.0, gt=0)
    """Size of the cells of the background over the shorter side of an amplifier."""
    detect_sources: bool = True
    """Whether sources are found, on the same copy, and left out; marks of earlier detections then do not count."""
    detection_threshold: float = Field(5.0, gt=0)
    """In standard deviations of the smoothed copy."""
    weigh: bool = True
    """Whether an interface counts by its length."""
    ignored_planes: tuple[str, ...] = ("BAD", "SAT", "INTRP", "CR", "EDGE", *_OF_DETECTION, "SUSPECT", "NO_DATA")
    """Pixels with these marks are left out of background and levels."""


@dataclass(frozen=True, slots=True)
class AmpOffsets(ByProduct):
    """What was measured, in the unit of the exposure."""

    pedestals: Mapping[str, float]
    """By amplifier: how much it lies above what its neighbours ask for."""
    steps: Mapping[tuple[str, str], float]
    """By pair of neighbours: how much the first lies above the second, whether that was used or not."""
    applied: bool
    """Whether the pedestals were subtracted."""


def even_out_amplifiers(exposure: Exposure, config: AmpOffsetsConfig) -> AmpOffsets:
    """Find the offset of each amplifier that makes neighbours meet, and subtract it from the image if so configured.

    Parameters
    ----------
    exposure
        float32, trimmed; its mask and variance are left untouched, and its image unless `apply`.
    config
        Strips, background, detection, limits.

    Returns
    -------
    AmpOffsets
        Also noted in ``LSST ISR AMPOFFSET ...`` cards.

    Raises
    ------
    GeometryError
        If the exposure has no detector or is not assembled, its amplifiers differ in size or form no grid, or the
        strips are too wide for them.

    Notes
    -----
    The step of an interface is the clipped mean of the difference of two profiles, each the median across a strip of
    `edge_width_px`. The pedestals ``p`` are the solution of ``A p = b`` of least norm, with ``A_ij = -w`` for
    neighbours, ``A_ii`` the sum of an amplifier's weights, and ``b_i`` the weighted sum of its steps; then
    ``I -= p_i``, in the unit of the exposure.
    """
    amplifiers = _checked_amplifiers(exposure, config)
    interfaces = interfaces_of(exposure)
    associations, _ = kernel.association_matrices(len(amplifiers), interfaces, weigh=config.weigh)
    if all_masked(exposure.planes()[1], mask_bits(config.ignored_planes)):
        log.warning("%s: every pixel is masked, so offsets of amplifiers cannot be measured", exposure.label)
        steps = [kernel.Step(0.0, 0.0)] * len(interfaces)
    else:
        flat = flattened(exposure, config)
        steps = [_measure(exposure, each, config, *flat) for each in interfaces]
    pedestals = kernel.solve_offsets(associations, interfaces, steps)
    if config.apply:
        for amp, pedestal in zip(amplifiers, pedestals, strict=True):
            part = exposure.amp(amp).image
            np.subtract(part, pedestal, out=part, dtype=np.float64, casting="same_kind")
    names = [amp.name for amp in amplifiers]
    found = AmpOffsets(
        dict(zip(names, pedestals.tolist(), strict=True)),
        {(names[i.first], names[i.second]): s.measured for i, s in zip(interfaces, steps, strict=True)},
        config.apply,
    )
    exposure.header |= _cards(found)
    return found


def _amplifiers_of(exposure: Exposure) -> tuple[Amplifier, ...]:
    return assembled_detector(exposure, "amplifiers meet only in a finished picture").amplifiers


def _checked_amplifiers(exposure: Exposure, config: AmpOffsetsConfig) -> tuple[Amplifier, ...]:
    amplifiers = _amplifiers_of(exposure)
    shapes = {amp.box.shape for amp in amplifiers}
    if len(shapes) > 1:
        sizes = ", ".join(f"{amp.name} {amp.box.width} x {amp.box.height}" for amp in amplifiers)
        raise GeometryError(f"{exposure.label}: offsets need amplifiers of one size, these are of {sizes}")
    room = min(amplifiers[0].box.shape) - 2 * config.edge_inset_px
    if config.edge_width_px >= room:
        raise GeometryError(
            f"{exposure.label}: strips of {config.edge_width_px} pixels, {config.edge_inset_px} from the edge, are too "
            f"wide for amplifiers of {amplifiers[0].box.width} x {amplifiers[0].box.height}",
            fix=f"set amp_offsets.edge_width_px below {room}" if room > 1 else "lower amp_offsets.edge_inset_px",
        )
    return amplifiers


def interfaces_of(exposure: Exposure) -> list[kernel.Interface]:
    """Find which amplifiers of an exposure meet; raises `GeometryError` if they form no grid."""
    amplifiers = _amplifiers_of(exposure)
    along_y = _places([amp.box.y0 for amp in amplifiers], amplifiers[0].box.height)
    along_x = _places([amp.box.x0 for amp in amplifiers], amplifiers[0].box.width)
    if along_y is None or along_x is None:
        raise GeometryError(f"{exposure.label}: its amplifiers form no grid, so it is not known which of them meet")
    return kernel.find_interfaces(list(zip(along_y, along_x, strict=True)), amplifiers[0].box.shape)


def _places(starts: list[int], size: int) -> list[int] | None:
    """Return the row or column of amplifiers that start there; None if they lie at odds with each other.

    Rows may be missing, or have a gap of less than half an amplifier between them.
    """
    steps = [(start - min(starts)) / size for start in starts]
    places = [round(step) for step in steps]
    by_place: dict[int, set[int]] = {}
    for place, start in zip(places, starts, strict=True):
        by_place.setdefault(place, set()).add(start)
    return places if all(len(each) == 1 for each in by_place.values()) else None


def flattened(exposure: Exposure, config: AmpOffsetsConfig) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Return image and mask to measure on: without background, sources marked; copies where they differ."""
    image, mask, _ = exposure.planes()
    if config.subtract_background:
        image = image.copy()
        cell = min(_amplifiers_of(exposure)[0].box.shape) * config.cell_fraction
        n_cells = int(image.shape[1] // cell) + 1, int(image.shape[0] // cell) + 1
        subtract_surface(image, mask, mask_bits(config.ignored_planes), n_cells)
    if config.detect_sources:
        detected, border = detect_positive(image, mask, mask_bits(_UNRELIABLE), threshold=config.detection_threshold)
        mask = mask & ~mask_bits(_OF_DETECTION)
        mask[detected] |= mask_bits("DETECTED")
        mask_edges(mask, border, mask_bits("EDGE"))
    return image, mask


def profiles_at(
    exposure: Exposure,
    interface: kernel.Interface,
    config: AmpOffsetsConfig,
    image: NDArray[np.float32],
    mask: NDArray[np.int32],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the levels along both sides of an interface, of a flattened picture."""
    amplifiers, bits = _amplifiers_of(exposure), mask_bits(config.ignored_planes)
    inset, width = config.edge_inset_px, config.edge_width_px

    def profile(index: int, side: int) -> NDArray[np.float32]:
        section = amplifiers[index].box.slices(exposure.xy0)
        return kernel.edge_profile(image, mask, bits, section, side, inset=inset, width=width)

    return profile(interface.first, interface.side), profile(interface.second, kernel.opposite(interface.side))


def _measure(
    exposure: Exposure,
    interface: kernel.Interface,
    config: AmpOffsetsConfig,
    image: NDArray[np.float32],
    mask: NDArray[np.int32],
) -> kernel.Step:
    first, second = profiles_at(exposure, interface, config, image, mask)
    if np.isnan(first).all() or np.isnan(second).all():
        names = [_amplifiers_of(exposure)[index].name for index in (interface.first, interface.second)]
        log.warning("%s: no level where %s meet, the step is taken as zero", exposure.label, " and ".join(names))
    return kernel.measure_step(
        first,
        second,
        window=int(config.window_fraction * interface.length) if config.smooth else 0,
        smallest_fraction=config.edge_min_fraction,
        largest_step=config.edge_max_step,
    )


def _cards(found: AmpOffsets) -> dict[str, float | bool]:
    return {
        **{f"LSST ISR AMPOFFSET INTERFACEOFFSET {a}-{b}": step for (a, b), step in found.steps.items()},
        **{f"LSST ISR AMPOFFSET PEDESTAL {name}": pedestal for name, pedestal in found.pedestals.items()},
        "LSST ISR AMPOFFSET PEDESTAL SUBTRACTED": found.applied,
    }
