"""The task that makes products: one raw of one detector through the recipe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isrflow.quantum.config import recipe_from
from isrflow.quantum.context import QuantumContext
from isrflow.quantum.products import products_of
from isrflow.quantum.provenance import content_key, provenance_cards
from isrflow.quantum.quantum import Task
from isrflow.quantum.types import BINNED, FLATTENED_THUMBNAIL, OVERSCAN_THUMBNAIL, PRODUCT, RAW, STATISTICS
from registry.refs import DatasetRef, Match, QuantumSpec

ISR = "isr"


def isr_spec(raw: DatasetRef, calibs: Mapping[str, Match], config: Mapping[str, Any]) -> QuantumSpec:
    """Return the quantum that corrects one raw with the calibrations resolved for it."""
    key = content_key(ISR, config, [(RAW, raw)], calibs)
    return QuantumSpec(ISR, raw.data_id, ((RAW, raw.id),), tuple(sorted(calibs.items())), key)


def correct(context: QuantumContext) -> None:
    """Correct the raw of a quantum and give its products, each saying in its header what it was made of."""
    from isrflow.frame.raw import read_raw
    from isrflow.run import run_isr

    camera = context.get("camera")
    detector = camera.detector(context.data_id.detector)
    raw = read_raw(context.path(RAW), camera, detector)
    result = run_isr(raw, context.calibrations(), recipe_from(context.config), camera=camera, overwrite=True)
    for product, value in products_of(result).items():
        if hasattr(value, "header"):
            value.header.update(provenance_cards(context.inputs, product))
        context.put(product, value)


TASK = Task(correct, (PRODUCT, STATISTICS, *BINNED, OVERSCAN_THUMBNAIL, FLATTENED_THUMBNAIL))
