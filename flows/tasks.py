"""What quanta can do: the table from task name to task, in which every worker looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from isrflow.quantum.config import recipe_from
from isrflow.quantum.context import QuantumContext
from isrflow.quantum.correct import ISR
from isrflow.quantum.correct import TASK as CORRECT
from isrflow.quantum.pre_crosstalk import TASK as PREPARE_SOURCE
from isrflow.quantum.provenance import provenance_cards
from isrflow.quantum.quantum import Task
from isrflow.quantum.types import PRE_CROSSTALK


def maker_task(kind: str) -> str:
    """Name the task that makes a calibration of a kind."""
    return f"make_{kind}"


def combine_raws(context: QuantumContext, kind: str) -> None:
    """Make a master of the raws of a quantum."""
    from isrflow.frame.raw import read_raw
    from isrflow.makers.bias import make_bias
    from isrflow.makers.dark import make_dark
    from isrflow.makers.flat import make_flat
    from isrflow.makers.inputs import MakerConfig

    make = {"bias": make_bias, "dark": make_dark, "flat": make_flat}[kind]
    camera = context.get("camera")
    detector = camera.detector(context.data_id.detector)
    raws = [
        partial(read_raw, context.path(role), camera, detector, corrections=context.corrections(role))
        for role in sorted(context.inputs.data)
    ]
    config = MakerConfig.model_validate(context.config["maker"])
    _give(context, kind, make(raws, recipe_from(context.config), context.calibrations(), config))


def find_defects(context: QuantumContext) -> None:
    """Find the defects in the masters of a quantum: the dark, and the flats of any filters."""
    from isrflow.makers.defects import DefectsConfig, make_defects

    detector = context.get("camera").detector(context.data_id.detector)
    masters: dict[str, Any] = dict(context.calibrations())
    dark = masters.pop("dark", None)
    config = DefectsConfig.model_validate(context.config["maker"])
    flats = [masters[role] for role in sorted(masters)]
    _give(context, "defects", make_defects(detector, dark=dark, flats=flats, config=config))


def _give(context: QuantumContext, kind: str, calibration: Any) -> None:
    """Put a calibration, with its provenance among its cards."""
    metadata = {**calibration.info.metadata, **provenance_cards(context.inputs, kind)}
    context.put(kind, replace(calibration, info=replace(calibration.info, metadata=metadata)))


COMBINED = ("bias", "dark", "flat")
"""Kinds made of raws."""

TASKS: Mapping[str, Task] = {
    ISR: CORRECT,
    PRE_CROSSTALK: PREPARE_SOURCE,
    **{maker_task(kind): Task(partial(combine_raws, kind=kind), (kind,)) for kind in COMBINED},
    maker_task("defects"): Task(find_defects, ("defects",)),
}
