"""Offsets of amplifiers."""

from __future__ import annotations

from typing import Any

import numpy as np

from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.kernels import amp_offsets as kernel
from isrflow.steps import amp_offsets as step
from tests.vectors.geometry import exposure
from tests.vectors.harness import Outputs, Vector, covers

TRUNCATED = "Steps between amplifiers that are not smoothed"
AT_THE_EDGE = "Strips at the very edge of amplifiers"
NO_NOISE = "Detection where there is no noise"
SETTINGS = {
    "ampEdgeInset": "edge_inset_px",
    "ampEdgeWidth": "edge_width_px",
    "ampEdgeMinFrac": "edge_min_fraction",
    "ampEdgeMaxOffset": "edge_max_step",
    "doWindowSmoothing": "smooth",
    "ampEdgeWindowFrac": "window_fraction",
    "doBackground": "subtract_background",
    "backgroundFractionSample": "cell_fraction",
    "doDetection": "detect_sources",
    "applyWeights": "weigh",
    "doApplyAmpOffset": "apply",
}


def amp_offsets_config(given: dict[str, Any]) -> step.AmpOffsetsConfig:
    """Our settings for those of the reference's task."""
    more: dict[str, Any] = {}
    if "background" in given and "ignoredPixelMask" in given["background"]:
        more["ignored_planes"] = tuple(given["background"]["ignoredPixelMask"])
    if "detection" in given and "thresholdValue" in given["detection"]:
        more["detection_threshold"] = given["detection"]["thresholdValue"]
    return step.AmpOffsetsConfig(enabled=True, **{SETTINGS[k]: v for k, v in given.items() if k in SETTINGS}, **more)


def truncated_by_reference(picture: Exposure, config: step.AmpOffsetsConfig) -> list[str]:
    """Name the interfaces whose differences the reference rounds to whole numbers."""
    if config.smooth:
        return []
    amplifiers = picture.detector.amplifiers
    found = []
    flat = step.flattened(picture, config)
    for each in step.interfaces_of(picture):
        first, second = step.profiles_at(picture, each, config, *flat)
        difference = first - second
        if np.isfinite(difference).all() and np.all((difference > -1) & (difference < 65536)):
            found.append(f"{amplifiers[each.first].name}-{amplifiers[each.second].name}")
    return found


def _is_without_noise(picture: Exposure, config: step.AmpOffsetsConfig) -> bool:
    """Whether no pixel is unlike the others, or none can be relied on."""
    image, _ = step.flattened(picture, config.model_copy(update={"detect_sources": False}))
    unreliable = picture.mask & mask_bits(("BAD", "SAT", "EDGE", "NO_DATA"))
    finite = image[np.isfinite(image)]
    return bool(unreliable.all() or finite.size == 0 or np.ptp(finite) == 0)


@covers("AmpOffsetTask(config).run(exposure)")
def offsets_of_amplifiers(vector: Vector) -> Outputs:
    picture, config = exposure(vector), amp_offsets_config(vector.params["config"])
    pairs = truncated_by_reference(picture.copy(), config)
    interfaces = step.interfaces_of(picture)
    associations, sides = kernel.association_matrices(len(picture.detector.amplifiers), interfaces, weigh=config.weigh)
    silent = config.detect_sources and _is_without_noise(picture, config)
    found = step.even_out_amplifiers(picture, config)
    differs = {f"metadata.LSST ISR AMPOFFSET INTERFACEOFFSET {pair}": TRUNCATED for pair in pairs}
    names = [f"metadata.{card}" for card in picture.header if "AMPOFFSET" in card]
    if config.edge_inset_px == 0:
        differs |= dict.fromkeys(["pedestals", "out_image", *names], AT_THE_EDGE)
    elif pairs:
        differs |= dict.fromkeys(["pedestals", "out_image", *(name for name in names if "PEDESTAL" in name)], TRUNCATED)
    if silent:
        differs["raised"] = NO_NOISE
    return Outputs(
        scalars={"pedestals": list(found.pedestals.values()), "metadata": picture.header},
        differs=differs,
        out_image=picture.image,
        out_associations=associations,
        out_sides=sides,
    )
