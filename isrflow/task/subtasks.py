"""The subtasks a user may retarget: each a thin task over rows of the recipe.

A subclass that defines `run` with the signature of a step takes the place of those rows' function ::

    class MyCrosstalk(CrosstalkTask):
        def run(self, exposure: Exposure, config: CrosstalkConfig, *, crosstalk: Crosstalk) -> None: ...

    IsrTask(retarget={"crosstalk": MyCrosstalk})

With ``**inputs`` in place of the keywords it is given all that the step takes, to pass on to `super().run`.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar

from isrflow.errors import ConfigError
from isrflow.steps.amp_offsets import even_out_amplifiers
from isrflow.steps.assembly import assemble
from isrflow.steps.binned import make_binned
from isrflow.steps.crosstalk import subtract_crosstalk
from isrflow.steps.deferred_charge import correct_deferred_charge
from isrflow.steps.fringe import subtract_fringes
from isrflow.steps.isr_statistics import measure_isr_statistics
from isrflow.steps.overscan import subtract_overscan
from isrflow.steps.recipe_base import Recipe
from isrflow.steps.sensor_masks import mask_camera_artifacts
from isrflow.steps.step import Step
from isrflow.steps.stray_light import subtract_stray_light
from isrflow.steps.vignette import find_valid_polygon
from isrflow.task.base import Task


class RowTask(Task):
    """A task over rows of a recipe that share a function."""

    rows: ClassVar[tuple[str, ...]] = ()
    step: ClassVar[Callable[..., Any]]

    def run(self, exposure: Any, config: Any, **inputs: Any) -> Any:
        """Run the step on an exposure, in place."""
        return type(self).step(exposure, config, **inputs)

    def as_step(self) -> Callable[..., Any]:
        """Return `run` as a step: what it leaves open (``**inputs``, the result) is as in the step it stands for."""
        run, step = self.run, type(self).step
        mine, theirs = inspect.signature(run), inspect.signature(step)
        own = [each for each in mine.parameters.values() if each.kind is not inspect.Parameter.VAR_KEYWORD]
        known = {each.name for each in own}
        if len(known) < len(mine.parameters):
            own += [each for each in theirs.parameters.values() if _is_keyword(each) and each.name not in known]

        def task_step(exposure: Any, config: Any, **inputs: Any) -> Any:
            return run(exposure, config, **inputs)

        task_step.__name__, task_step.__doc__ = step.__name__, run.__doc__ or step.__doc__
        task_step.__annotations__ = typing.get_type_hints(step) | typing.get_type_hints(run)
        task_step.__signature__ = mine.replace(parameters=own)  # type: ignore[attr-defined]
        return task_step

    @property
    def is_own(self) -> bool:
        """Whether the task brings a function of its own."""
        return type(self).run is not RowTask.run


def _is_keyword(parameter: inspect.Parameter) -> bool:
    return parameter.kind is inspect.Parameter.KEYWORD_ONLY


def check_retarget(name: str, target: Any, place: type[Task]) -> None:
    """Refuse a class that cannot take the place of a subtask.

    Raises
    ------
    ConfigError
        If it is not derived from the class of the place, or its `run` cannot take an exposure and settings.
    """
    if not (isinstance(target, type) and issubclass(target, place)):
        given = target.__name__ if isinstance(target, type) else f"a {type(target).__name__}"
        raise ConfigError(f"subtask {name} must be retargeted to a class derived from {place.__name__}, not {given}")
    signature = inspect.signature(target.run)  # type: ignore[attr-defined]
    places = [each for each in signature.parameters.values() if not _is_keyword(each)]
    n_positional = sum(each.kind is not inspect.Parameter.VAR_KEYWORD for each in places)
    if n_positional < len(("self", "exposure", "config")):
        raise ConfigError(
            f"subtask {name}: {target.__name__}.run{signature} must take (self, exposure, config) and then keywords"
        )


class AssembleCcdTask(RowTask):
    """Puts amplifiers together."""

    rows = ("assembly",)
    step = staticmethod(assemble)


class CrosstalkTask(RowTask):
    """Subtracts crosstalk."""

    rows = ("crosstalk_raw", "crosstalk")
    step = staticmethod(subtract_crosstalk)


class OverscanCorrectionTask(RowTask):
    """Subtracts overscan levels."""

    rows = ("overscan",)
    step = staticmethod(subtract_overscan)


class BinImageDataTask(RowTask):
    """Makes copies of lower resolution."""

    rows = ("binned",)
    step = staticmethod(make_binned)


class StrayLightTask(RowTask):
    """Subtracts stray light."""

    rows = ("stray_light",)
    step = staticmethod(subtract_stray_light)


class FringeTask(RowTask):
    """Subtracts fringes."""

    rows = ("fringe_before_flat", "fringe")
    step = staticmethod(subtract_fringes)


class MaskingTask(RowTask):
    """Masks what only one camera has."""

    rows = ("camera_masks",)
    step = staticmethod(mask_camera_artifacts)


class VignetteTask(RowTask):
    """Masks the vignetted corners."""

    rows = ("vignette",)
    step = staticmethod(find_valid_polygon)


class AmpOffsetTask(RowTask):
    """Evens out steps between amplifiers."""

    rows = ("amp_offsets",)
    step = staticmethod(even_out_amplifiers)


class DeferredChargeTask(RowTask):
    """Corrects deferred charge."""

    rows = ("deferred_charge",)
    step = staticmethod(correct_deferred_charge)


class IsrStatisticsTask(RowTask):
    """Measures what calibration monitoring wants."""

    rows = ("isr_statistics",)
    step = staticmethod(measure_isr_statistics)


def with_functions(config: Recipe, functions: Mapping[str, Callable[..., Any]]) -> Recipe:
    """Return a recipe with the same settings whose named rows run other functions.

    Raises
    ------
    ConfigError
        If a function wants what the recipe cannot supply.
    """
    if not functions:
        return config
    recipe = type(config)
    marked = {
        row.name: Annotated[row.config_type, Step(functions[row.name])] for row in recipe.rows if row.name in functions
    }
    defaults = {name: recipe.model_fields[name].default for name in marked}
    body = {"__annotations__": marked, "__module__": __name__, "__doc__": recipe.__doc__, **defaults}
    made: type[Recipe] = types.new_class(recipe.__name__, (recipe,), exec_body=lambda scope: scope.update(body))
    return made(**{row.name: getattr(config, row.name) for row in recipe.rows})
