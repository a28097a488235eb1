"""What `runQuantum` talks to: the restricted view a quantum has of the registry, under the names of the task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isrflow.errors import ConfigError
from isrflow.quantum.context import QuantumContext
from isrflow.quantum.types import BINNED, CAMERA, FLATTENED_THUMBNAIL, OVERSCAN_THUMBNAIL, PRODUCT, RAW, SOURCE_ROLE
from isrflow.task.base import Struct
from isrflow.task.supplies import SUPPLIES

INPUTS = {"ccdExposure": RAW, "camera": CAMERA} | {
    supply.keyword: supply.step_keyword for supply in SUPPLIES if supply.make is not None
}
"""Keyword of `IsrTask.run` -> role among the inputs of a quantum."""
OUTPUTS = {
    "outputExposure": PRODUCT,
    "outputBin1Exposure": BINNED[0],
    "outputBin2Exposure": BINNED[1],
    "outputOssThumbnail": OVERSCAN_THUMBNAIL,
    "outputFlattenedThumbnail": FLATTENED_THUMBNAIL,
}
"""Field of the result -> dataset type."""


class TaskContext:
    """Inputs and outputs of one quantum: `IsrTask().runQuantum(it, it.inputRefs, it.outputRefs)`.

    Parameters
    ----------
    context
        Refuses what the quantum did not declare.
    inputs
        Keyword of the task's `run` to role among the inputs; for `IsrTaskLSST` its own
        (`isrflow.task.isr_task_lsst.INPUTS`).
    """

    def __init__(self, context: QuantumContext, inputs: Mapping[str, str | None] = INPUTS) -> None:
        self._context, self._inputs = context, inputs

    @property
    def inputRefs(self) -> Struct:
        """The declared inputs, under the keywords of `IsrTask.run`."""
        declared = self._context.refs
        refs: dict[str, Any] = {keyword: declared[role] for keyword, role in self._inputs.items() if role in declared}
        sources = [ref for role, ref in declared.items() if role.startswith(SOURCE_ROLE)]
        return Struct(**refs, **({"crosstalkSources": sources} if sources else {}))

    @property
    def outputRefs(self) -> Struct:
        """The dataset types the quantum may give, under the fields of the result."""
        return Struct(**{field: kind for field, kind in OUTPUTS.items() if kind in self._context.allowed})

    def get(self, refs: Any) -> dict[str, Any]:
        """Return the values of references, by the names of their attributes.

        Raises
        ------
        ConfigError
            If one of them is not an input the quantum declared.
        """
        return {name: self._value(name, ref) for name, ref in vars(refs).items()}

    def put(self, results: Struct, refs: Any) -> None:
        """Keep the results that are there and asked for until all are published together; refusals as the context's."""
        for field, dataset_type in vars(refs).items():
            value = getattr(results, field)
            if value is not None:
                self._context.put(dataset_type, value)

    def _value(self, name: str, ref: Any) -> Any:
        if isinstance(ref, list):
            return [self._value(name, each) for each in ref]
        role = self._role(name, ref)
        if role != RAW:
            return self._context.get(role)
        from isrflow.frame.raw import read_raw

        camera = self._context.get(CAMERA)
        detector = camera.detector(self._context.data_id.detector)
        return read_raw(self._context.path(RAW), camera, detector, corrections=self._context.corrections(RAW))

    def _role(self, name: str, ref: Any) -> str:
        """Return the role in which the quantum declared a dataset."""
        role = next((role for role, declared in self._context.refs.items() if declared.id == ref.id), None)
        if role is None:
            self._context.ref(self._inputs.get(name) or name)  # says what was declared, if not even the role was
            raise ConfigError(f"{self._context.label} declared another dataset as {name} than {ref}")
        return role
