"""Put the amplifiers' pixels together as the detector saw the sky."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isrflow.errors import GeometryError, NotAnExposureError
from isrflow.frame.box import Box
from isrflow.frame.camera import Amplifier, Detector
from isrflow.frame.exposure import Exposure
from isrflow.kernels.threads import map_in_threads
from isrflow.steps.step import StepConfig, at_amplifier

RAW_CARDS = ("DATASEC", "BIASSEC", "TRIMSEC", "GAIN")
"""Cards that describe the raw mosaic and are no longer true."""

PLANES = {"image": np.float32, "mask": np.int32, "variance": np.float32}


class AssemblyConfig(StepConfig):
    """What is put together."""

    trim: bool = True
    """Keep only light-sensitive pixels; else whole segments, side by side."""
    keys_to_remove: tuple[str, ...] = ()
    """Header cards that are removed, besides those about raw sections and gain."""


def assemble(exposure: Exposure, config: AssemblyConfig) -> None:
    """Assemble a raw mosaic into one picture of the detector, in place.

    Parameters
    ----------
    exposure
        Raw mosaic, float32. Gets new planes; each amplifier's are turned round as its flips say, pixels that belong to
        no amplifier are 0. Without trimming the detector's description follows the pixels.
    config
        Whether overscans and prescans are kept.

    Raises
    ------
    GeometryError
        If the exposure has no detector, or lacks pixels of an amplifier.

    Notes
    -----
    Pixels are moved, none changes its value: each amplifier's light-sensitive pixels go to its box, turned as its flips
    say. Marks in prescans and overscans vanish with them.
    """
    detector = exposure.detector
    if detector is None:
        raise GeometryError(f"{exposure.label} has no detector, so the places of its amplifiers are not known")
    _assemble({amp.name: exposure for amp in detector.amplifiers}, exposure, detector, config)


def assemble_amplifiers(
    amplifiers: Mapping[str, Exposure], config: AssemblyConfig, *, detector: Detector | None = None
) -> Exposure:
    """Assemble separate exposures of the amplifiers.

    Parameters
    ----------
    amplifiers
        Amplifier name to exposure, in coordinates of the raw mosaic or just the amplifier's whole segment; header and
        circumstances are those of the first.
    config
        As for `assemble`.
    detector
        The detector; by default that of the first exposure.

    Raises
    ------
    NotAnExposureError
        If this is not such a mapping.
    GeometryError
        If there is no detector, or amplifiers are missing; all are named.
    """
    if not isinstance(amplifiers, Mapping) or not all(isinstance(each, Exposure) for each in amplifiers.values()):
        raise NotAnExposureError("assembly takes a raw exposure, or a mapping from amplifier name to exposure")
    first = next(iter(amplifiers.values()), None)
    detector = detector or (first.detector if first is not None else None)
    if first is None or detector is None:
        raise GeometryError("there is no detector to assemble", fix="give the detector, or exposures that know theirs")
    missing = [amp.name for amp in detector.amplifiers if amp.name not in amplifiers]
    if missing:
        raise GeometryError(f"detector {detector.name}: there are no exposures of amplifiers {', '.join(missing)}")
    whole = replace(first, header=dict(first.header), history=list(first.history), detector=detector)
    sources = {amp.name: _in_mosaic(amplifiers[amp.name], amp) for amp in detector.amplifiers}
    _assemble(sources, whole, detector, config)
    return whole


def _in_mosaic(exposure: Exposure, amp: Amplifier) -> Exposure:
    """Give a bare segment its place in the raw mosaic."""
    if exposure.image.shape == amp.raw.shape and not exposure.box.contains(amp.raw):
        return replace(exposure, xy0=(amp.raw.x0, amp.raw.y0))
    return exposure


def _assemble(sources: Mapping[str, Exposure], target: Exposure, detector: Detector, config: AssemblyConfig) -> None:
    """Copy every amplifier's pixels into new planes and give those to the target."""
    places = {amp.name: amp.box if config.trim else _untrimmed_place(amp) for amp in detector.amplifiers}
    whole = detector.box if config.trim else _union(places.values())
    origin = (whole.x0, whole.y0)
    sections = {amp.name: _section(sources[amp.name], amp, config) for amp in detector.amplifiers}
    for name, dtype in PLANES.items():  # one after the other, so that each raw plane is gone before the next is copied
        plane = np.zeros(whole.shape, dtype)

        def copy(amp: Amplifier, name: str = name, plane: NDArray[Any] = plane) -> None:
            pixels = getattr(sources[amp.name], name)[sections[amp.name]]
            if name == "variance" and not pixels.any():
                return  # zeros that nobody has written cost no memory, and the new plane begins with them
            plane[places[amp.name].slices(origin)] = _turned(pixels, amp)

        map_in_threads(copy, detector.amplifiers)
        setattr(target, name, plane)
    target.xy0, target.assembled = origin, config.trim
    _move_along(target, _common_move(detector, places, trim=config.trim))
    if not config.trim:
        target.detector = _described_untrimmed(detector)
    for card in (*RAW_CARDS, *config.keys_to_remove):
        target.header.pop(card, None)


def _section(source: Exposure, amp: Amplifier, config: AssemblyConfig) -> tuple[slice, slice]:
    """Return where the amplifier's pixels lie in the planes of a source that has them all."""
    with at_amplifier(amp.name):
        box = amp.raw_data if config.trim else amp.raw
        source.view(box).planes()
        return box.slices(source.xy0)


def _turned(pixels: NDArray[Any], amp: Amplifier) -> NDArray[Any]:
    """View pixels in the detector's orientation."""
    return pixels[:: -1 if amp.raw_flip_y else 1, :: -1 if amp.raw_flip_x else 1]


def _untrimmed_place(amp: Amplifier) -> Box:
    """Return where a whole segment goes."""
    return amp.raw.shifted(*amp.raw_xy_offset)


def _union(boxes: Iterable[Box]) -> Box:
    whole = Box(0, 0, 0, 0)
    for box in boxes:
        whole = whole.union(box)
    return whole


def _common_move(detector: Detector, places: Mapping[str, Box], *, trim: bool) -> tuple[int, int] | None:
    """Return by how many pixels all amplifiers move alike; None if they do not, or one is turned round."""
    moves = {
        (places[amp.name].x0 - source.x0, places[amp.name].y0 - source.y0)
        for amp in detector.amplifiers
        for source in [amp.raw_data if trim else amp.raw]
    }
    flipped = any(amp.raw_flip_x or amp.raw_flip_y for amp in detector.amplifiers)
    return None if len(moves) > 1 or flipped else moves.pop()


def _move_along(target: Exposure, move: tuple[int, int] | None) -> None:
    """Let what speaks of pixel coordinates follow the pixels.

    Where amplifiers move apart, a WCS is taken for the detector's own and kept; polygon and transmission are given up.
    """
    if move is None:
        target.valid_polygon = target.transmission = None
        return
    dx, dy = move
    if target.wcs is not None:
        target.wcs = target.wcs.deepcopy()
        target.wcs.wcs.crpix = target.wcs.wcs.crpix[0] + dx, target.wcs.wcs.crpix[1] + dy
    if target.valid_polygon is not None:
        target.valid_polygon = target.valid_polygon.moved(shift=(dx, dy))
    if target.transmission is not None:
        target.transmission = target.transmission.seen_from(np.array([[1.0, 0.0, -dx], [0.0, 1.0, -dy]]))


def _described_untrimmed(detector: Detector) -> Detector:
    """Return the description of a detector whose segments have been turned and moved."""
    return detector.model_copy(update={"amplifiers": tuple(_settled(amp) for amp in detector.amplifiers)})


def _settled(amp: Amplifier) -> Amplifier:
    """Return the amplifier with its boxes where the pixels now are, and nothing left to turn or move."""
    update: dict[str, Any] = {"raw_flip_x": False, "raw_flip_y": False, "raw_xy_offset": (0, 0)}
    for name in ("raw", "raw_data", "raw_serial_overscan", "raw_parallel_overscan", "raw_serial_prescan"):
        update[name] = _turned_box(getattr(amp, name), amp).shifted(*amp.raw_xy_offset)
    return amp.model_copy(update=update)


def _turned_box(box: Box, amp: Amplifier) -> Box:
    """Mirror a box within the raw segment as the flips say; an empty box stays."""
    if box.is_empty:
        return box
    x0 = amp.raw.x0 + amp.raw.x1 - box.x1 if amp.raw_flip_x else box.x0
    y0 = amp.raw.y0 + amp.raw.y1 - box.y1 if amp.raw_flip_y else box.y0
    return Box(x0, y0, box.width, box.height)
