"""A recipe: settings classes in the order in which their steps are run.

The class body is the table of contents of a pipeline ::

    class IsrConfig(Recipe):
        overscan: Annotated[OverscanConfig, Step(subtract_overscan)] = OverscanConfig()
        bias: Annotated[BiasConfig, Step(subtract_bias)] = BiasConfig()

Field order is order of work. The base checks at import that every by-product taken is given by an earlier row, and
reads what a quantum needs off the signatures of the enabled rows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from isrflow.errors import ConfigError
from isrflow.frame.camera import Detector
from isrflow.steps.step import ByProduct, Step, StepConfig, StepSignature, read_signature


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a recipe."""

    name: str
    step: Step
    signature: StepSignature
    config_type: type[StepConfig]

    @property
    def summary(self) -> str:
        """First line of the step's docstring."""
        return (self.step.function.__doc__ or "").strip().splitlines()[0]


class Recipe(BaseModel):
    """Base of all recipes; instances are frozen settings."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    rows: ClassVar[tuple[Row, ...]] = ()

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        cls.rows = tuple(_rows_of(cls))
        given: set[type[ByProduct]] = set()
        for row in cls.rows:
            for keyword, by_product, _ in row.signature.takes:
                if by_product not in given:
                    raise ConfigError(
                        f"{cls.__name__}.{row.name} takes {by_product.__name__} ({keyword}): no earlier step gives it"
                    )
            if row.signature.gives is not None:
                given.add(row.signature.gives)

    def enabled_rows(self) -> Iterator[tuple[Row, StepConfig]]:
        """Yield the rows to be run, in order, with their settings."""
        for row in self.rows:
            config: StepConfig = getattr(self, row.name)
            if config.enabled:
                yield row, config

    def needs(
        self, detector: Detector | None = None, physical_filter: str | None = None, *, bands_are_spelled: bool = False
    ) -> dict[str, bool]:
        """Return calibration kind -> whether it is required, for the enabled steps on this detector and filter.

        With `bands_are_spelled` the settings list physical filters only
        (`isrflow.quantum.filters.with_physical_filters`); then what steps do not use through this filter is left out.
        """
        required: dict[str, bool] = {}
        for row, kind, is_required in self._needs_by_step(detector, physical_filter):
            if bands_are_spelled and kind in getattr(self, row).idle_through(physical_filter):
                continue
            required[kind] = required.get(kind, False) or is_required
        return required

    def needed_by(
        self, kind: str, detector: Detector | None = None, physical_filter: str | None = None
    ) -> tuple[str, ...]:
        """Name the enabled steps that cannot do without this calibration on this detector and filter."""
        needs = self._needs_by_step(detector, physical_filter)
        return tuple(step for step, needed, is_required in needs if is_required and needed == kind)

    def _needs_by_step(self, detector: Detector | None, physical_filter: str | None) -> Iterator[tuple[str, str, bool]]:
        for row, config in self.enabled_rows():
            demanded, ignored = config.demands(detector, physical_filter), config.ignores()
            for need in row.signature.needs:
                if not (need.optional and need.kind in ignored):
                    yield row.name, need.kind, not need.optional or need.kind in demanded

    @classmethod
    def layered(cls, *layers: Mapping[str, Any]) -> Self:
        """Make a recipe from settings laid over the defaults, later layers over earlier ones.

        Parameters
        ----------
        layers
            Nested mappings (``{"overscan": {"order": 3}}``), dotted keys (``{"overscan.order": 3}``), or a mix.

        Raises
        ------
        ConfigError
            If a key is unknown (the nearest is named) or a value impossible; all offenders are listed.
        """
        if wrong := [type(layer).__name__ for layer in layers if not isinstance(layer, Mapping)]:
            raise ConfigError(f"settings are mappings of step to settings, not {', '.join(wrong)}")
        tree: dict[str, dict[str, Any]] = {}
        problems: list[str] = []
        for layer in layers:
            for step, field, value in _flatten(layer):
                problem = cls._unknown(step, field)
                if problem:
                    problems.append(problem)
                else:
                    tree.setdefault(step, {})[field] = value
        if problems:
            raise ConfigError(
                "; ".join(dict.fromkeys(problems)),
                fix="isrflow recipe --settings lists every step and its settings (of the newer order with --lsst)",
            )
        try:
            return cls.model_validate(
                {
                    row.name: {**cls.model_fields[row.name].default.model_dump(), **tree[row.name]}
                    for row in cls.rows
                    if row.name in tree
                }
            )
        except ValidationError as error:
            raise ConfigError("impossible settings: " + "; ".join(map(_in_words, error.errors()))) from error

    def override(self, settings: Mapping[str, Any]) -> Self:
        """Return a recipe with settings laid over this one; errors as for `layered`."""
        return self.layered(self.changes(), settings)

    def without(self, steps: Iterable[str]) -> Self:
        """Return a recipe with these steps switched off; errors as for `layered`."""
        return self.override({f"{step}.enabled": False for step in steps})

    def before(self, step: str) -> Self:
        """Return a recipe that ends before a step; errors as for `layered`."""
        names = [row.name for row in self.rows]
        first = names.index(step) if step in names else 0
        return self.without(names[first:] if step in names else [step])

    def changes(self) -> dict[str, Any]:
        """Return dotted settings that differ from the defaults of this recipe class."""
        result: dict[str, Any] = {}
        for row in self.rows:
            mine, default = getattr(self, row.name).model_dump(), type(self).model_fields[row.name].default.model_dump()
            result |= {f"{row.name}.{key}": value for key, value in mine.items() if not is_same(value, default[key])}
        return result

    def canonical(self) -> str:
        """Return the settings of the enabled steps as JSON with sorted keys: equal texts mean that the same is done.

        What a step that is switched off would do says nothing about a result, and rows that a later version adds,
        switched off, leave the text as it was.
        """
        settings = {row.name: config.model_dump(mode="python") for row, config in self.enabled_rows()}
        return json.dumps({"recipe": type(self).__name__, "settings": settings}, sort_keys=True, default=str)

    def digest(self) -> str:
        """Return the sha256 of `canonical`."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()

    @classmethod
    def _unknown(cls, step: str, field: str) -> str | None:
        names = {row.name: row for row in cls.rows}
        if step not in names:
            return f"no step {step!r} in {cls.__name__}{_nearest(step, names)}"
        if not field:
            return f"the settings of step {step} must be a mapping; to switch it off write {step}: {{enabled: false}}"
        fields = names[step].config_type.model_fields
        return None if field in fields else f"step {step} has no setting {field!r}{_nearest(field, fields)}"


def _in_words(problem: Any) -> str:
    """Say what pydantic found: where, what, and the value; of the recipe as a whole only what."""
    place, said = ".".join(str(part) for part in problem["loc"]), problem["msg"].removeprefix("Value error, ")
    return f"{place}: {said} (got {problem['input']!r})" if place else said


def _rows_of(cls: type[Recipe]) -> Iterator[Row]:
    for name, field in cls.model_fields.items():
        step = next((item for item in field.metadata if isinstance(item, Step)), None)
        if step is None or not isinstance(field.default, StepConfig):
            raise ConfigError(
                f"{cls.__name__}.{name} is not a step: write Annotated[XConfig, Step(function)] = XConfig()"
            )
        yield Row(name, step, read_signature(step.function), type(field.default))


def _flatten(layer: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    for key, value in layer.items():
        step, dot, field = str(key).partition(".")
        if dot or not (value is None or isinstance(value, Mapping)):
            yield step, field, value
            continue
        for inner, item in (value or {}).items():  # YAML makes None of a step without settings
            yield step, str(inner), item


def _nearest(name: str, known: Iterable[str]) -> str:
    options = list(known)
    near = get_close_matches(name, options, n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else f" (known: {', '.join(options)})"


def is_same(a: Any, b: Any) -> bool:
    """Tell whether two settings are equal; NaN, which stands for none, is equal to itself."""
    return bool(a == b) or (isinstance(a, float) and isinstance(b, float) and a != a and b != b)  # noqa: PLR0124
