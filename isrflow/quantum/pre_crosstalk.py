"""The task before the first: a detector as far as crosstalk, for the detectors in which it leaves its light.

Crosstalk between detectors needs the pixels of others as they were when crosstalk was about to be subtracted. They are
a dataset of their own, ``pre_crosstalk``, which the quanta of the other detectors declare as inputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from isrflow.errors import ConfigError
from isrflow.quantum.config import recipe_from
from isrflow.quantum.context import QuantumContext
from isrflow.quantum.notes import Notes, headers_in
from isrflow.quantum.provenance import content_key, provenance_cards
from isrflow.quantum.quantum import Task
from isrflow.quantum.types import PRE_CROSSTALK, RAW, SOURCE_ROLE
from isrflow.quantum.waived import waive
from registry.refs import DatasetRef, Match, QuantumSpec

if TYPE_CHECKING:
    from isrflow.frame.exposure import Exposure
    from isrflow.steps.recipe_base import Recipe


def recipe_of_sources(recipe: Recipe) -> Recipe | None:
    """Return the recipe up to the step that takes other detectors' pixels; None if no enabled step does.

    Raises
    ------
    ConfigError
        If two enabled steps do: what one takes does not serve the other.
    """
    taking = [
        row.name for row, config in recipe.enabled_rows() if row.signature.wants_sources and config.wants_sources()
    ]
    if len(taking) > 1:
        raise ConfigError(
            f"{' and '.join(taking)} would both subtract what other detectors left",
            fix=f"switch one of them off, or set {taking[0]}.between_detectors=false",
        )
    return recipe.before(taking[0]) if taking else None


def source_spec(
    raw: DatasetRef, calibs: Mapping[str, Match], config: Mapping[str, Any], *, notes: Notes | None = None
) -> QuantumSpec:
    """Return the quantum that brings one raw as far as crosstalk."""
    key = content_key(PRE_CROSSTALK, config, [(RAW, raw)], calibs, headers=headers_in(notes))
    return QuantumSpec(PRE_CROSSTALK, raw.data_id, ((RAW, raw.id),), tuple(sorted(calibs.items())), key, notes or {})


def source_role(detector: str) -> str:
    """Name the role that a detector has among the inputs of another one's quantum."""
    return f"{SOURCE_ROLE}{detector}"


def sources_of(context: QuantumContext) -> dict[str, Exposure]:
    """Return the exposures of other detectors which a quantum declared, by name of the detector."""
    roles = [role for role in context.inputs.data if role.startswith(SOURCE_ROLE)]
    return {role.removeprefix(SOURCE_ROLE): context.get(role) for role in roles}


def prepare_source(context: QuantumContext) -> None:
    """Bring the raw of a quantum as far as crosstalk, and give it, saying in its header what it was made of."""
    from isrflow.frame.raw import read_raw
    from isrflow.run import run_isr

    camera = context.get("camera")
    detector = camera.detector(context.data_id.detector)
    raw = read_raw(context.path(RAW), camera, detector, corrections=context.corrections(RAW))
    calibs = context.calibrations()
    recipe, without = waive(recipe_from(context.config), raw, calibs)
    result = run_isr(raw, calibs, recipe, camera=camera, overwrite=True)
    result.exposure.header.update(provenance_cards(context.inputs, PRE_CROSSTALK) | without)
    context.put(PRE_CROSSTALK, result.exposure)


TASK = Task(prepare_source, (PRE_CROSSTALK,))
