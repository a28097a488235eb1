"""The restricted view a quantum has of the registry: its declared inputs and outputs, and nothing else.

A task that can only reach what was resolved for it cannot use a calibration that its provenance does not name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isrflow.errors import ConfigError
from isrflow.quantum.cache import InputCache
from registry.refs import DataId, DatasetRef, QuantumInputs

if TYPE_CHECKING:
    from isrflow.calibs.base import Calibration
    from registry.butler import Butler


class QuantumContext:
    """What a task may read and give.

    Parameters
    ----------
    butler
        The repository; used for the declared datasets only.
    inputs
        What the registry recorded when the quantum was planned.
    outputs
        Dataset types the task may give.
    cache
        Keeps calibrations for the quanta to come; by default nothing is kept.
    """

    def __init__(
        self, butler: Butler, inputs: QuantumInputs, outputs: Sequence[str], cache: InputCache | None = None
    ) -> None:
        self._butler = butler
        self._cache = cache or InputCache(0)
        self._allowed = tuple(outputs)
        self.inputs = inputs
        self.outputs: dict[str, Any] = {}

    @property
    def data_id(self) -> DataId:
        """What the quantum is about."""
        return self.inputs.quantum.data_id

    @property
    def allowed(self) -> tuple[str, ...]:
        """The dataset types the task may give."""
        return self._allowed

    @property
    def config(self) -> Mapping[str, Any]:
        """The settings the quantum was planned with."""
        return self.inputs.config

    @property
    def refs(self) -> dict[str, DatasetRef]:
        """Role to dataset, data and calibrations alike."""
        return {**self.inputs.data, **self.inputs.calibs}

    def ref(self, role: str) -> DatasetRef:
        """Return the dataset in a role.

        Raises
        ------
        ConfigError
            If the quantum did not declare the role.
        """
        if role not in self.refs:
            declared = ", ".join(self.refs) or "nothing"
            raise ConfigError(f"{self.label} did not declare an input {role!r}; it declared {declared}")
        return self.refs[role]

    def get(self, role: str) -> Any:
        """Return the value of an input, a calibration perhaps shared with other quanta; refusals as for `ref`."""
        ref = self.ref(role)
        if role in self.inputs.calibs:
            return self._cache.get(ref, self._butler.get)
        return self._butler.get(ref)

    def path(self, role: str) -> Path:
        """Return the file of an input; refusals as for `ref`."""
        ref = self.ref(role)
        return Path(self._butler.path(ref))

    def corrections(self, role: str) -> Mapping[str, Any]:
        """Return the cards to lay over the header of an input, as they were recorded when the quantum was planned."""
        cards: Mapping[str, Any] = self.inputs.notes.get("headers", {}).get(role, {})
        return cards

    def calibrations(self) -> dict[str, Calibration]:
        """Return all calibrations by kind, each carrying its dataset's id; the camera is not one of them."""
        found: dict[str, Calibration] = {}
        for role, ref in self.inputs.calibs.items():
            if role != "camera":
                value = self.get(role)
                found[role] = replace(value, info=replace(value.info, identity=str(ref.id)))
        return found

    def put(self, dataset_type: str, value: object) -> None:
        """Keep an output until all are published together.

        Raises
        ------
        ConfigError
            If the task does not make this type, or has given it already.
        """
        if dataset_type not in self._allowed:
            raise ConfigError(f"{self.label} may not give {dataset_type!r}; it makes {', '.join(self._allowed)}")
        if dataset_type in self.outputs:
            raise ConfigError(f"{self.label} gave {dataset_type!r} twice")
        self.outputs[dataset_type] = value

    @property
    def label(self) -> str:
        """Name the quantum for messages."""
        return f"{self.inputs.quantum.task} of {self.data_id}"
