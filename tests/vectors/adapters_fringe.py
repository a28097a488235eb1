"""Fringes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from isrflow.calibs.fringe import Fringe
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.frame.obs import Observation
from isrflow.kernels.fringe import draw_places, measure_contrasts
from isrflow.kernels.level import LevelRule, Statistic
from isrflow.steps.fringe import FringeConfig, subtract_fringes
from tests.vectors.geometry import exposure
from tests.vectors.harness import Outputs, Vector, covers

ONE_NOT_FINITE = "Places at which one of several fringe frames has no level"
_STATISTICS: dict[Any, Statistic] = {4: "MEAN", 32: "MEDIAN", 128: "MEANCLIP"}
"""The reference's numbers of statistics, where a vector states the number."""


def fringe_config(params: dict[str, Any], **more: Any) -> FringeConfig:
    """Our settings for those of the reference's task."""
    stats = params["stats"]
    return FringeConfig(
        filters=("F",),
        n_samples=params["num"],
        small_px=params["small"],
        large_px=params["large"],
        n_iterations=params["iterations"],
        n_sigma=params["clip"],
        subtract_pedestal=params["pedestal"],
        ignored_planes=tuple(stats["badMaskPlanes"]),
        statistic=_STATISTICS.get(stats["stat"], stats["stat"]),
        clip_sigma=stats["clip"],
        clip_iterations=stats["iterations"],
        seed_offset=stats.get("rngSeedOffset", 0),
        **more,
    )


def _frames(vector: Vector) -> list[Exposure]:
    params = vector.params
    found = []
    while (name := f"in_fringe{len(found)}_image") in vector.arrays:
        image = vector.array(name)
        mask, variance = name.replace("image", "mask"), name.replace("image", "variance")
        found.append(
            Exposure(
                image,
                vector.array(mask)
                if mask in vector.arrays
                else np.full(image.shape, params["fringe_mask_in"], np.int32),
                vector.array(variance)
                if variance in vector.arrays
                else np.full(image.shape, params["fringe_variance_in"], np.float32),
            )
        )
    return found


@covers("FringeTask.run(exposure, fringes, seed)")
def fringes(vector: Vector) -> Outputs:
    params = vector.params
    config = fringe_config(params, seed=params["seed"])
    science = exposure(vector, in_detector=False, prefix="in_science_")
    science = replace(science, obs=Observation(physical_filter="F"))
    frames, bits = _frames(vector), mask_bits(config.ignored_planes)
    half = config.small_px, config.large_px
    rule = LevelRule(config.statistic, config.clip_sigma, config.clip_iterations)
    places = draw_places(science.image.shape, config.n_samples, config.large_px, params["seed"])
    measured = {
        f"out_measured_fringe{i}": measure_contrasts(frame.image, frame.mask, bits, places, half, rule)
        for i, frame in enumerate(frames)
    }
    measured["out_measured_science"] = measure_contrasts(science.image, science.mask, bits, places, half, rule)
    finite = np.isfinite([measured[f"out_measured_fringe{i}"] for i in range(len(frames))])
    found = subtract_fringes(science, config, fringe=Fringe(frames=tuple(frames)))
    outputs = {f"out_{name}": getattr(science, name) for name in ("image", "mask", "variance")}
    differ = (*outputs, "solution", "rms") if np.any(finite.any(axis=0) & ~finite.all(axis=0)) else ()
    return Outputs(
        scalars={"solution": list(found.strengths), "rms": found.rms},
        differs=dict.fromkeys(differ, ONE_NOT_FINITE),
        out_positions=places,
        **measured,
        **outputs,
    )
