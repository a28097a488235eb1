"""Master bias: the clipped mean of overscan-corrected zero-second exposures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from isrflow.calibs.base import Calibration
from isrflow.calibs.bias import Bias
from isrflow.frame.exposure import Exposure
from isrflow.makers.combine import combine, master_info
from isrflow.makers.inputs import MakerConfig, RawSource, Stack, correct_all
from isrflow.makers.recipes import prefix_of
from isrflow.steps.recipe_base import Recipe

_EXCLUDED = ("DETECTED", "INTRP")


def make_bias(
    raws: Sequence[RawSource], recipe: Recipe, calibs: Mapping[str, Calibration], config: MakerConfig | None = None
) -> Bias:
    """Make a master bias of one detector.

    Parameters
    ----------
    raws
        Callables that read the raw biases, called once each, one at a time.
    recipe
        The instrument's recipe; the steps before bias subtraction are run.
    calibs
        What these steps take (a PTC, if wanted); others are ignored.
    config
        How to combine.

    Returns
    -------
    Bias
        Image in the unit the recipe leaves (adu); owned by the caller.

    Raises
    ------
    UnprocessableError
        If raws are too few or do not belong together; all offenders are listed.
    StepError, MissingCalibrations, CalibrationMismatch
        As `isrflow.run.run_isr` says.
    """
    config = config or MakerConfig()
    prefix = prefix_of(recipe, "bias")
    with Stack.open(config.scratch) as stack:
        correct_all(stack, raws, prefix, calibs, kind="bias", scale=_unity, config=config)
        exposure = combine(stack, config, kind="bias", exclude=_EXCLUDED)
    bias = Bias(info=master_info(exposure), exposure=exposure)
    bias.check()
    return bias


def _unity(exposure: Exposure) -> float:  # noqa: ARG001 - biases are combined as they are
    return 1.0
