"""The task that makes products: one raw of one detector through the recipe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isrflow.quantum.config import recipe_from
from isrflow.quantum.context import QuantumContext
from isrflow.quantum.notes import Notes, headers_in
from isrflow.quantum.pre_crosstalk import source_role, sources_of
from isrflow.quantum.products import products_of
from isrflow.quantum.provenance import content_key, provenance_cards
from isrflow.quantum.quantum import Task
from isrflow.quantum.types import (
    BINNED,
    FLATTENED_THUMBNAIL,
    OVERSCAN_THUMBNAIL,
    PRE_CROSSTALK,
    PRE_INTERPOLATION,
    PRODUCT,
    RAW,
    STATISTICS,
)
from isrflow.quantum.waived import waive
from registry.refs import DatasetRef, Match, QuantumSpec, dataset_uuid

ISR = "isr"


def isr_spec(
    raw: DatasetRef,
    calibs: Mapping[str, Match],
    config: Mapping[str, Any],
    run: str = "",
    sources: Mapping[str, QuantumSpec] | None = None,
    *,
    notes: Notes | None = None,
) -> QuantumSpec:
    """Return the quantum that corrects one raw with the calibrations resolved for it.

    Parameters
    ----------
    raw, calibs, config
        The raw, its calibrations by role, and the recipe as the registry stores it.
    run
        Collection in which the sources are made.
    sources
        Name of another detector to the quantum that makes what it left here.
    notes
        What is noted of the raw: corrected cards, and flags.
    """
    made = {source_role(name): spec for name, spec in (sources or {}).items()}
    keys = {role: spec.content_key for role, spec in made.items()}
    key = content_key(ISR, config, [(RAW, raw)], calibs, keys, headers=headers_in(notes))
    inputs = [(role, dataset_uuid(run, PRE_CROSSTALK, spec.data_id)) for role, spec in sorted(made.items())]
    return QuantumSpec(ISR, raw.data_id, ((RAW, raw.id), *inputs), tuple(sorted(calibs.items())), key, notes or {})


def correct(context: QuantumContext) -> None:
    """Correct the raw of a quantum and give its products, each saying in its header what it was made of."""
    from isrflow.frame.raw import read_raw
    from isrflow.run import run_isr

    camera = context.get("camera")
    detector = camera.detector(context.data_id.detector)
    raw = read_raw(context.path(RAW), camera, detector, corrections=context.corrections(RAW))
    calibs = context.calibrations()
    recipe, without = waive(recipe_from(context.config), raw, calibs)
    result = run_isr(raw, calibs, recipe, camera=camera, sources=sources_of(context), overwrite=True)
    for product, value in products_of(result).items():
        if hasattr(value, "header"):
            value.header.update(provenance_cards(context.inputs, product) | without)
        context.put(product, value)


TASK = Task(correct, (PRODUCT, STATISTICS, PRE_INTERPOLATION, *BINNED, OVERSCAN_THUMBNAIL, FLATTENED_THUMBNAIL))
