"""Fringe frames: what exposures of the sky through one filter have in common once sky and sources are gone.

Each corrected exposure loses a smooth background, is divided by the level of its sky, and has its sources marked; the
clipped mean of many, pointed at different fields, is the pattern in units of the sky.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import Field

from isrflow.calibs.base import Calibration
from isrflow.calibs.fringe import Fringe
from isrflow.errors import UnprocessableError
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.kernels.detection import detect_positive
from isrflow.kernels.statistics import clip
from isrflow.kernels.surface import subtract_surface
from isrflow.makers.combine import combine, master_info
from isrflow.makers.inputs import MakerConfig, RawSource, Stack, correct_all
from isrflow.makers.recipes import prefix_of
from isrflow.steps.recipe_base import Recipe

_EXCLUDED = ("SAT", "DETECTED", "INTRP")
_NOT_MEASURED = ("DETECTED", "BAD", "NO_DATA")
_NOT_BACKGROUND = ("BAD", "SAT", "INTRP", "CR", "EDGE", "DETECTED", "SUSPECT", "NO_DATA")
_UNRELIABLE = ("BAD", "SAT", "EDGE", "NO_DATA")


class FringeMakerConfig(MakerConfig):
    """How sky and sources are taken out of each exposure, and the rest combined."""

    cell_px: int = Field(default=128, ge=1)
    """Size of the cells of the background: larger than the fringes are wide, or it swallows them."""
    detection_sigma_px: float = Field(default=1.0, gt=0)
    """Width of the Gaussian sources are looked for with."""
    detection_threshold: float = Field(default=5.0, gt=0)
    """In standard deviations of the smoothed exposure; fringes stronger than that would be taken for sources."""


def make_fringe(
    raws: Sequence[RawSource], recipe: Recipe, calibs: Mapping[str, Calibration], config: MakerConfig | None = None
) -> Fringe:
    """Make the fringe frame of one detector and filter from exposures of different fields of the sky.

    Parameters
    ----------
    raws
        Callables that read the raw exposures, called once each, one at a time.
    recipe
        The instrument's recipe; the steps up to flat-fielding are run.
    calibs
        What these steps take.
    config
        A `FringeMakerConfig`, or how to combine and the rest by default.

    Returns
    -------
    Fringe
        One frame, about zero, as a fraction of the sky; owned by the caller.

    Raises
    ------
    UnprocessableError
        If raws are too few, do not belong together (filters included) or are without sky; all offenders are listed.
    StepError, MissingCalibrations, CalibrationMismatch
        As `isrflow.run.run_isr` says.
    """
    given = config or FringeMakerConfig()
    settings = given if isinstance(given, FringeMakerConfig) else FringeMakerConfig(**given.model_dump())
    with Stack.open(settings.scratch) as stack:
        prefix = prefix_of(recipe, "fringe")

        def prepare(exposure: Exposure) -> float:
            return flatten_sky(exposure, settings)

        correct_all(stack, raws, prefix, calibs, kind="fringe", scale=prepare, config=settings)
        frame = combine(stack, settings, kind="fringe", exclude=_EXCLUDED)
    fringe = Fringe(info=master_info(frame, physical_filter=frame.obs.physical_filter), frames=(frame,))
    fringe.check()
    return fringe


def flatten_sky(exposure: Exposure, config: FringeMakerConfig) -> float:
    """Subtract the background and mark sources, in place, and return the level of the sky.

    Raises
    ------
    UnprocessableError
        If that level is not positive.
    """
    image, mask, _ = exposure.planes()
    level = clip(image, exclude=(mask & mask_bits(_NOT_MEASURED)) != 0).mean
    if not level > 0:
        raise UnprocessableError(f"{exposure.label}: its sky is {level:.4g} {exposure.unit}, fringes come with light")
    ny, nx = image.shape
    n_cells = nx // config.cell_px + 1, ny // config.cell_px + 1
    subtract_surface(image, mask, mask_bits(_NOT_BACKGROUND), n_cells)
    unreliable = mask_bits(_UNRELIABLE)
    for picture in (image, -image):
        found, _ = detect_positive(
            picture, mask, unreliable, sigma_px=config.detection_sigma_px, threshold=config.detection_threshold
        )
        mask[found] |= np.int32(mask_bits("DETECTED"))
    return level
