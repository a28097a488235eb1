"""Instrument signature removal as one task, with the names of the reference."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from isrflow.errors import ConfigError, NotAnExposureError
from isrflow.frame.exposure import Exposure
from isrflow.lsst_names.classic import CLASSIC
from isrflow.recipe import IsrConfig
from isrflow.run import IsrResult, run_isr
from isrflow.steps.recipe_base import Recipe
from isrflow.steps.statistics import Statistics
from isrflow.steps.thumbnail import FlattenedThumbnail, OverscanThumbnail
from isrflow.task import subtasks
from isrflow.task.base import Struct, SubtaskField
from isrflow.task.measured import note_result, note_row
from isrflow.task.methods import IsrMethods
from isrflow.task.provenance import note_inputs
from isrflow.task.results import shared_results
from isrflow.task.supplies import Given, calibrations_of, fringe_seed, sources_of

_NO_FRINGES = Struct(fringes=None)
# Step of our recipe -> name under which the reference shows the exposure after it.
_DEBUG_STEPS = {
    "assembly": "doAssembleCcd",
    "bias_raw": "doBias",
    "bias": "doBias",
    "crosstalk_raw": "doCrosstalk",
    "crosstalk": "doCrosstalk",
    "brighter_fatter": "doBrighterFatter",
    "dark": "doDark",
    "deferred_charge": "doDeferredCharge",
    "fringe_before_flat": "doFringe",
    "stray_light": "doStrayLight",
    "flat": "doFlat",
}


class IsrTask(IsrMethods):
    """Remove the instrument signature from exposures, in the classic order.

    Parameters
    ----------
    config
        An `IsrConfig`, or a mapping of LSST's names (see `IsrConfig.from_lsst`); by default the defaults.
    saveStats
        Whether statistics of the amplifiers are noted in the metadata (``FIT``, ``RESIDUAL``, ``ISR VARIANCE``, ``ISR
        BACKGROUND``), as by default there; it costs some time. Under LSST's names it is ``qa.saveStats``.
    retarget
        Subtask name to the task class that takes its place.
    debug
        Step name (doAssembleCcd doBias doCrosstalk doBrighterFatter doDark doFringe doStrayLight doFlat postISRCCD) to
        a function called with the exposure after that step.
    name, parentTask, log
        As for every `Task`.
    """

    ConfigClass = IsrConfig
    defaultName: ClassVar[str] = "isr"

    assembleCcd = subtasks.AssembleCcdTask.makeField("puts amplifiers together")
    crosstalk = subtasks.CrosstalkTask.makeField("subtracts crosstalk")
    strayLight = subtasks.StrayLightTask.makeField("subtracts stray light")
    fringe = subtasks.FringeTask.makeField("subtracts fringes")
    masking = subtasks.MaskingTask.makeField("masks what only one camera has")
    overscan = subtasks.OverscanCorrectionTask.makeField("subtracts overscan levels")
    vignette = subtasks.VignetteTask.makeField("masks vignetted corners")
    ampOffset = subtasks.AmpOffsetTask.makeField("evens out steps between amplifiers")
    deferredChargeCorrection = subtasks.DeferredChargeTask.makeField("corrects deferred charge")
    isrStats = subtasks.IsrStatisticsTask.makeField("measures what calibration monitoring wants")
    binning = subtasks.BinImageDataTask.makeField("makes copies of lower resolution")

    def __init__(self, **kwargs: Any) -> None:
        self._retarget: Mapping[str, type[subtasks.RowTask]] = kwargs.pop("retarget", None) or {}
        self._debug: Mapping[str, Callable[[Exposure], object]] = kwargs.pop("debug", None) or {}
        config = kwargs.get("config")
        self.saveStats = bool(kwargs.pop("saveStats", True))
        if isinstance(config, Mapping):
            self.saveStats = CLASSIC.values(config)["qa.saveStats"]
            kwargs["config"] = IsrConfig.from_lsst(config)
        elif config is not None and not isinstance(config, Recipe):
            raise ConfigError(f"config must be a recipe or a mapping of LSST's names, not {type(config).__name__}")
        super().__init__(**kwargs)
        if unknown := sorted(set(self._debug) - {*_DEBUG_STEPS.values(), "postISRCCD"}):
            known = ", ".join(dict.fromkeys([*_DEBUG_STEPS.values(), "postISRCCD"]))
            raise ConfigError(f"IsrTask shows no exposure after {', '.join(unknown)} (debug may name {known})")
        for name in SUBTASKS:
            self.makeSubtask(name)
        if unknown := sorted(set(self._retarget) - set(SUBTASKS)):
            raise ConfigError(f"IsrTask has no subtask {', '.join(unknown)} (it has {', '.join(SUBTASKS)})")

    def makeSubtask(self, name: str, **keyArgs: Any) -> None:
        """Make a subtask, of the class it is retargeted to if it is; raises `ConfigError` for an unknown name."""
        target = self._retarget.get(name)
        if target is None:
            super().makeSubtask(name, **keyArgs)
            return
        field = getattr(type(self), name)
        subtasks.check_retarget(name, target, field.target)
        task = target(name=name, parentTask=self, **keyArgs)
        recipe = type(self.config)
        if not set(task.rows) & {row.name for row in recipe.rows}:
            raise ConfigError(f"subtask {name} cannot be retargeted: {recipe.__name__} has no row for it")
        setattr(self, name, task)

    def run(
        self,
        ccdExposure: Any,
        *,
        camera: Any = None,
        bias: Any = None,
        linearizer: Any = None,
        crosstalk: Any = None,
        crosstalkSources: Any = None,
        dark: Any = None,
        flat: Any = None,
        ptc: Any = None,
        bfKernel: Any = None,
        bfGains: Any = None,
        defects: Any = None,
        fringes: Any = _NO_FRINGES,
        opticsTransmission: Any = None,
        filterTransmission: Any = None,
        sensorTransmission: Any = None,
        atmosphereTransmission: Any = None,
        detectorNum: int | None = None,
        strayLightData: Any = None,
        illumMaskedImage: Any = None,
        deferredChargeCalib: Any = None,
    ) -> Struct:
        """Remove the instrument signature from one exposure of one detector.

        Parameters
        ----------
        ccdExposure
            The raw exposure; float pixels are corrected in place, integers yield a new exposure.
        camera, detectorNum
            Say which detector an exposure without one is of.
        bias, dark, flat
            Calibrations, exposures or images.
        defects
            `Defects` or a list of boxes.
        linearizer, crosstalk, ptc, deferredChargeCalib
            Calibrations. A linearizer is used if the camera calls the detector not linear.
        crosstalkSources
            Exposures of other detectors.
        bfKernel, bfGains
            A `BrighterFatterKernel`, or a square array [y, x] in 1/electron; gains in electron/adu by amplifier name,
            in place of those of kernel or camera. `Electrostatic` matrices serve the row of that name.
        fringes
            Struct of ``fringes`` (one or several exposures or images) and ``seed`` (decides where they are measured; by
            default the exposure id does).
        opticsTransmission, filterTransmission, sensorTransmission, atmosphereTransmission
            Calibrations or bare `TransmissionCurve` objects; those that are there are attached to the exposure.
        strayLightData, illumMaskedImage
            Model of stray light, illumination correction: exposures or images.

        Returns
        -------
        Struct
            exposure and outputExposure (one object); ossThumb and outputOssThumbnail; flattenedThumb and
            outputFlattenedThumbnail; preInterpExposure; outputBin1Exposure, outputBin2Exposure; outputStatistics (of
            the row `isr_statistics`, under the reference's keys); amplifierStatistics (`Statistics`, as in the header).
            What is not made is None.

        Raises
        ------
        MissingCalibrations
            A RuntimeError: a step is enabled and its calibration was not supplied.
        NotAnExposureError
            A TypeError: something cannot be what its keyword asks for.
        StepError
            A RuntimeError: a step failed; it is named.
        """
        exposure = self.ensureExposure(ccdExposure, camera, detectorNum)
        if exposure is None or exposure.detector is None:
            raise NotAnExposureError("there is no exposure to correct: ccdExposure is None")
        is_bent = self.doLinearize(exposure.detector)
        if linearizer is not None and not is_bent:
            self.log.info("%s: linearity is off or its camera calls it linear: no linearizer is used", exposure.label)
        values = {
            "bias": bias,
            "linearizer": linearizer if is_bent else None,
            "crosstalk": crosstalk,
            "dark": dark,
            "flat": flat,
            "ptc": ptc,
            "bfKernel": bfKernel,
            "bfGains": bfGains,
            "defects": defects,
            "fringes": fringes,
            "opticsTransmission": opticsTransmission,
            "filterTransmission": filterTransmission,
            "sensorTransmission": sensorTransmission,
            "atmosphereTransmission": atmosphereTransmission,
            "strayLightData": strayLightData,
            "illumMaskedImage": illumMaskedImage,
            "deferredChargeCalib": deferredChargeCalib,
        }
        calibs = calibrations_of(Given(values, exposure.detector))
        recipe = seeded(with_functions_of(self), fringe_seed(fringes))
        settings: dict[str, Any] = {"camera": camera, "sources": sources_of(crosstalkSources)}
        settings |= {"overwrite": exposure.image.dtype == np.float32, "on_step": self._show_step}
        with self.timer("run"):
            result = run_isr(exposure, calibs, recipe, **settings)
        self.debugView(result.exposure, "postISRCCD")
        note_result(self.metadata, vars(self)["ampOffset"].metadata, result)
        return _struct_of(result)

    def runQuantum(self, butlerQC: Any, inputRefs: Any, outputRefs: Any) -> None:
        """Read the inputs, note them in the raw's header, run, and write the outputs.

        Parameters
        ----------
        butlerQC
            Has ``get(inputRefs)``, which returns keyword arguments of `run`, and ``put(results, outputRefs)``:
            `isrflow.task.task_context.TaskContext` over a repository, which refuses what the quantum did not declare.
        inputRefs, outputRefs
            Attributes are named like the keywords of `run` and the fields of its result; refs have ``run`` and ``id``.
        """
        inputs = dict(butlerQC.get(inputRefs))
        if isinstance(inputs["ccdExposure"], Exposure):
            note_inputs(inputs["ccdExposure"].header, inputs, inputRefs)
        data_id = getattr(vars(inputRefs).get("ccdExposure"), "dataId", None)
        if data_id is not None:
            inputs.setdefault("detectorNum", data_id["detector"])
        butlerQC.put(self.run(**inputs), outputRefs)

    def debugView(self, exposure: Exposure, stepname: str) -> None:
        """Show the exposure after a step to whoever asked for it with `debug`; else do nothing."""
        show = self._debug.get(stepname)
        if show is not None:
            show(exposure)

    def _show_step(self, row: str, exposure: Exposure) -> None:
        if self.saveStats:
            note_row(self.metadata, row, exposure)
        if row in _DEBUG_STEPS:
            self.debugView(exposure, _DEBUG_STEPS[row])


SUBTASKS = tuple(name for name, value in vars(IsrTask).items() if isinstance(value, SubtaskField))
"""The places for subtasks, in the order in which the reference makes them."""


def with_functions_of(task: IsrTask) -> Recipe:
    """Return the task's recipe with its retargeted subtasks in place."""
    functions: dict[str, Callable[..., Any]] = {}
    for name in SUBTASKS:
        subtask: subtasks.RowTask = getattr(task, name)
        if subtask.is_own:
            functions |= dict.fromkeys(subtask.rows, subtask.as_step())
    return subtasks.with_functions(task.config, functions)


def seeded(recipe: Recipe, seed: int | None) -> Recipe:
    """Return the recipe with the places at which fringes are measured drawn from a seed, if there is one."""
    if seed is None:
        return recipe
    rows = [row.name for row in recipe.rows if "seed" in row.config_type.model_fields]
    return recipe.override({f"{row}.seed": seed for row in rows})


def _struct_of(result: IsrResult) -> Struct:
    """Name the results as the reference does, its aliases included."""
    oss, flattened = result.get(OverscanThumbnail), result.get(FlattenedThumbnail)
    thumbs = None if oss is None else oss.rgb, None if flattened is None else flattened.rgb
    return Struct(
        **shared_results(result),
        ossThumb=thumbs[0],
        outputOssThumbnail=thumbs[0],
        flattenedThumb=thumbs[1],
        outputFlattenedThumbnail=thumbs[1],
        amplifierStatistics=result.get(Statistics),
    )
