"""Master flat: the clipped mean of corrected exposures of an evenly lit screen, each divided by its own level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from isrflow.calibs.base import Calibration
from isrflow.calibs.flat import Flat
from isrflow.errors import UnprocessableError
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.kernels.statistics import clip
from isrflow.makers.combine import combine, master_info
from isrflow.makers.inputs import MakerConfig, RawSource, Stack, correct_all
from isrflow.makers.recipes import prefix_of
from isrflow.steps.recipe_base import Recipe

_EXCLUDED = ("SAT", "DETECTED", "INTRP")
_NOT_MEASURED = ("DETECTED", "BAD", "NO_DATA")


def make_flat(
    raws: Sequence[RawSource], recipe: Recipe, calibs: Mapping[str, Calibration], config: MakerConfig | None = None
) -> Flat:
    """Make a master flat of one detector through one filter.

    Parameters
    ----------
    raws
        Callables that read the raw flats, called once each, one at a time; levels may differ.
    recipe
        The instrument's recipe; the steps up to dark subtraction are run.
    calibs
        What these steps take: bias and dark, and a linearizer or crosstalk if the recipe asks for them.
    config
        How to combine.

    Returns
    -------
    Flat
        Dimensionless, about one; owned by the caller.

    Raises
    ------
    UnprocessableError
        If raws are too few, do not belong together (filters included) or are dark; all offenders are listed.
    StepError, MissingCalibrations, CalibrationMismatch
        As `isrflow.run.run_isr` says.
    """
    config = config or MakerConfig()
    with Stack.open(config.scratch) as stack:
        prefix = prefix_of(recipe, "flat")
        correct_all(stack, raws, prefix, calibs, kind="flat", scale=level_of, config=config)
        exposure = combine(stack, config, kind="flat", exclude=_EXCLUDED)
    exposure.header["FLATSRC"] = "DOME"
    flat = Flat(info=master_info(exposure, physical_filter=exposure.obs.physical_filter), exposure=exposure)
    flat.check()
    return flat


def level_of(exposure: Exposure) -> float:
    """Return the clipped mean of an exposure; raises `UnprocessableError` unless it is positive."""
    image, mask, _ = exposure.planes()
    level = clip(image, exclude=(mask & mask_bits(_NOT_MEASURED)) != 0).mean
    if not level > 0:
        raise UnprocessableError(f"{exposure.label}: its level is {level:.4g} {exposure.unit}, a flat must have light")
    return level
