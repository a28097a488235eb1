"""Settings that differ for some detectors and amplifiers.

A step whose settings may differ derives its settings class from `ExceptionsConfig` and asks for those that hold ::

    overscan_serial:
      fit_type: MEDIAN_PER_ROW
      exceptions:
        R22_S11: {fit_type: MEDIAN}        # a detector
        R22_S11/C07: {use: false}          # one of its amplifiers
        "*/C10": {max_deviation_adu: 500}  # an amplifier of every detector
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, field_validator

from isrflow.frame.camera import Camera, Detector
from isrflow.steps.step import StepConfig

_OWN = frozenset({"enabled", "exceptions", "detector_key"})


class ExceptionsConfig(StepConfig):
    """Base of settings that may differ from detector to detector and from amplifier to amplifier."""

    detector_key: Literal["name", "serial", "id"] = "name"
    """By what `exceptions` call a detector."""
    exceptions: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict)
    """Settings that differ: under DETECTOR, DETECTOR/AMPLIFIER, or */AMPLIFIER for all detectors. That of an amplifier
    of a detector goes before that of the detector, which goes before that of an amplifier of all."""

    @field_validator("exceptions")
    @classmethod
    def _are_settings(cls, value: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Mapping[str, Any]]:
        return {place: cls._checked(place, settings) for place, settings in value.items()}

    @classmethod
    def _checked(cls, place: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings of an exception as this step understands them."""
        fields = [name for name in cls.model_fields if name not in _OWN]
        if unknown := [name for name in settings if name not in fields]:
            raise ValueError(f"{place}: no setting {', '.join(unknown)} (there is {', '.join(fields)})")
        try:
            whole = cls.model_validate(dict(settings))
        except ValidationError as error:
            problems = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
            raise ValueError(f"{place}: {'; '.join(problems)}") from error
        return {name: getattr(whole, name) for name in settings}

    def places_in(self, camera: Camera) -> frozenset[str]:
        """Return everything `exceptions` may call a detector or amplifier of a camera."""
        places = set()
        for detector in camera.detectors:
            key = str(getattr(detector, self.detector_key))
            places.add(key)
            for amp in detector.amplifiers:
                places |= {f"*/{amp.name}", f"{key}/{amp.name}"}
        return frozenset(places)

    def at(self, detector: Detector | None, amplifier: str | None = None) -> Self:
        """Return the settings that hold for a detector, or for one of its amplifiers."""
        if not self.exceptions or detector is None:
            return self
        key = str(getattr(detector, self.detector_key))
        places = [key] if amplifier is None else [f"*/{amplifier}", key, f"{key}/{amplifier}"]
        changes: dict[str, Any] = {}
        for place in places:
            changes |= self.exceptions.get(place, {})
        return self.model_copy(update=changes)
