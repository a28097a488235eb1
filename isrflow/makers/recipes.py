"""Which steps prepare the raws of a calibration: those before, and without, the correction that is being made."""

from __future__ import annotations

from typing import TypeVar

from isrflow.steps.recipe_base import Recipe

R = TypeVar("R", bound=Recipe)

_BASIS = (
    "header",
    "convert",
    "bias_raw",
    "saturation",
    "overscan",
    "effective_ptc",
    "assembly",
    "variance",
    "nonfinite",
)
STEPS = {
    "bias": tuple(step for step in _BASIS if step != "bias_raw"),
    "dark": (*_BASIS, "crosstalk_raw", "bias", "linearity", "crosstalk"),
    "flat": (*_BASIS, "crosstalk_raw", "bias", "linearity", "crosstalk", "dark"),
    "fringe": (
        *_BASIS,
        "deferred_charge",
        "crosstalk_raw",
        "bias",
        "linearity",
        "crosstalk",
        "defects",
        "trails",
        "camera_masks",
        "brighter_fatter",
        "electrostatic",
        "dark",
        "stray_light",
        "flat",
    ),
}
"""Calibration type to the steps that stay on if the recipe has them on."""


def prefix_of(recipe: R, kind: str) -> R:
    """Return the recipe with only the steps that prepare raws for a calibration of this kind.

    Settings, and steps the instrument has switched off, stay as they are; but no pixel is called bad because noise took
    its modelled variance below zero.
    """
    kept = STEPS[kind]
    prefix = recipe.without([row.name for row in recipe.rows if row.name not in kept])
    return prefix.override({"variance.mask_nonpositive": False})
