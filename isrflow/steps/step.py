"""What a step is: a function on an exposure, its settings, and what it needs and gives.

A step is one file with a settings class and a function ::

    def subtract_dark(exposure: Exposure, config: DarkConfig, *, dark: Dark, invert: bool = False) -> None: ...

Its signature says everything the recipe has to know: a keyword whose type is a calibration is a *need* (optional if
the type is ``X | None``), a keyword whose type is a by-product is *taken* from an earlier step, the returned by-product
is *given* to later ones. ``camera`` is bound to the camera, ``sources: Mapping[str, Exposure] | None`` to what other
detectors saw, by name, and ``calibs: Mapping[str, Calibration] | None`` to all calibrations that enabled steps take, by
kind. Keywords with defaults of plain types are for direct callers.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

from isrflow.calibs.base import Calibration
from isrflow.errors import ConfigError
from isrflow.frame.camera import Camera, Detector
from isrflow.frame.exposure import Exposure


class StepConfig(BaseModel):
    """Settings of one step; frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=True)

    enabled: bool = True
    """Whether the step is run."""

    @model_validator(mode="before")
    @classmethod
    def _lists_are_written_with_commas(cls, given: Any) -> Any:
        """Read ``r,i`` where names are listed, and ``r`` as a list of one: `--set fringe.filters=r`."""
        if not isinstance(given, Mapping):
            return given
        listed = {name for name, field in cls.model_fields.items() if typing.get_origin(field.annotation) is tuple}
        return {
            name: tuple(part.strip() for part in value.split(",") if part.strip())
            if name in listed and isinstance(value, str)
            else value
            for name, value in given.items()
        }

    def demands(
        self,
        detector: Detector | None,  # noqa: ARG002 - the default demands nothing
        physical_filter: str | None = None,  # noqa: ARG002
    ) -> frozenset[str]:
        """Name the optional calibrations which these settings make mandatory for this detector and filter."""
        return frozenset()

    def ignores(self) -> frozenset[str]:
        """Name the optional calibrations of which these settings make no use: they are not even looked for."""
        return frozenset()

    def idle_through(self, physical_filter: str | None) -> frozenset[str]:  # noqa: ARG002 - the default is never idle
        """Name the optional calibrations that are of no use for exposures through this filter."""
        return frozenset()

    def wants_sources(self) -> bool:
        """Say whether these settings ask for other detectors' pixels, where the step can take them."""
        return True


class ByProduct:
    """Base of the small typed values a step may return: kept in the result and handed to later steps."""


@dataclass(frozen=True, slots=True)
class Step:
    """Marks a recipe field as a step and names its function."""

    function: Callable[..., Any]

    def __post_init__(self) -> None:
        if not callable(self.function):  # a field named like its function hides it in the class body
            raise ConfigError(f"Step({self.function!r}): not a function; name the recipe field unlike the function")


@dataclass(frozen=True, slots=True)
class Need:
    """A calibration a step takes."""

    keyword: str
    calibration: type[Calibration]
    optional: bool

    @property
    def kind(self) -> str:
        """Name of the calibration type."""
        return self.calibration.kind


@dataclass(frozen=True, slots=True)
class StepSignature:
    """What a step function says about itself."""

    needs: tuple[Need, ...]
    takes: tuple[tuple[str, type[ByProduct], bool], ...]
    """(keyword, by-product, optional)."""
    gives: type[ByProduct] | None
    wants_camera: bool
    wants_sources: bool = False
    """Whether it takes exposures of other detectors by name."""
    wants_calibs: bool = False
    """Whether it looks at all calibrations that enabled steps take, by kind."""


def read_signature(function: Callable[..., Any]) -> StepSignature:
    """Read needs and by-products off a step function.

    Raises
    ------
    ConfigError
        If a keyword-only parameter without default is neither a calibration nor a by-product nor the camera.
    """
    hints = typing.get_type_hints(function)
    needs: list[Need] = []
    takes: list[tuple[str, type[ByProduct], bool]] = []
    wants_camera = wants_sources = wants_calibs = False
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            continue
        kind, optional = _unwrap_optional(hints[name])
        if isinstance(kind, type) and issubclass(kind, Calibration):
            needs.append(Need(name, kind, optional))
        elif isinstance(kind, type) and issubclass(kind, ByProduct):
            takes.append((name, kind, optional))
        elif kind is Camera:
            wants_camera = True
        elif name == "sources" and kind == Mapping[str, Exposure]:
            wants_sources = True
        elif name == "calibs" and kind == Mapping[str, Calibration]:
            wants_calibs = True
        elif parameter.default is inspect.Parameter.empty:
            raise ConfigError(f"step {function.__name__}: nothing in a recipe can supply parameter {name!r} ({kind})")
    returned, _ = _unwrap_optional(hints.get("return", type(None)))
    gives = returned if isinstance(returned, type) and issubclass(returned, ByProduct) else None
    return StepSignature(tuple(needs), tuple(takes), gives, wants_camera, wants_sources, wants_calibs)


def _unwrap_optional(hint: Any) -> tuple[Any, bool]:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        members = [member for member in typing.get_args(hint) if member is not type(None)]
        if len(members) == 1:
            return members[0], len(members) < len(typing.get_args(hint))
    return hint, False


@contextmanager
def at_amplifier(name: str) -> Iterator[None]:
    """Note on any error raised inside which amplifier was being worked on, so that the culprit can be named."""
    try:
        yield
    except Exception as error:
        if not hasattr(error, "amplifier_name"):
            error.amplifier_name = name  # type: ignore[attr-defined]
        raise
