"""Which steps prepare the raws of a calibration: those before, and without, the correction that is being made."""

from __future__ import annotations

from typing import TypeVar

from isrflow.recipe_lsst import IsrLsstConfig
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
"""Calibration type to the steps that stay on if the recipe has them on; classic order."""

_NEWER_BASIS = (
    "header",
    "bias_voltage",
    "gain_source",
    "convert",
    "full_amplifiers",
    "dither",
    "overscan_serial",
    "read_noise",
    "saturation",
    "gain_correction",
    "electrons",
    "crosstalk",
    "overscan_level",
    "amplifier_noise",
    "overscan_parallel",
    "linearity",
    "deferred_charge",
    "assembly",
    "variance",
    "nonfinite",
)
NEWER_STEPS = {
    "bias": _NEWER_BASIS,
    "dark": (*_NEWER_BASIS, "bias"),
    "flat": (*_NEWER_BASIS, "bias", "dark"),
    "fringe": (*_NEWER_BASIS, "bias", "dark", "defects", "trails", "brighter_fatter", "electrostatic", "flat"),
}
"""The same for the newer order: what the electronics and the register did is undone before."""


def prefix_of(recipe: R, kind: str) -> R:
    """Return the recipe with only the steps that prepare raws for a calibration of this kind.

    Settings, and steps the instrument has switched off, stay as they are; but no pixel is called bad because noise took
    its modelled variance below zero.
    """
    kept = (NEWER_STEPS if isinstance(recipe, IsrLsstConfig) else STEPS)[kind]
    prefix = recipe.without([row.name for row in recipe.rows if row.name not in kept])
    return prefix.override({"variance.mask_nonpositive": False})
