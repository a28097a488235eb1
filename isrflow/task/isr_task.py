"""Instrument signature removal as one task, with the names of the reference."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from isrflow.calibs.crosstalk import Crosstalk
from isrflow.errors import ConfigError, NotBuiltError
from isrflow.frame.exposure import Exposure
from isrflow.recipe import IsrConfig
from isrflow.run import IsrResult, run_isr
from isrflow.steps.binned import BinnedExposures
from isrflow.steps.byproducts import BadAmplifiers, EffectivePtc
from isrflow.steps.crosstalk import CrosstalkConfig, subtract_crosstalk
from isrflow.steps.nonfinite import NonfinitePixels
from isrflow.steps.recipe_base import Recipe
from isrflow.steps.statistics import Statistics
from isrflow.steps.thumbnail import FlattenedThumbnail, OverscanThumbnail
from isrflow.task import subtasks
from isrflow.task.base import Struct, SubtaskField
from isrflow.task.methods import IsrMethods
from isrflow.task.supplies import calibrations_of, sources_of

_NO_FRINGES = Struct(fringes=None)
# Step of our recipe -> name under which the reference shows the exposure after it.
_DEBUG_STEPS = {
    "assembly": "doAssembleCcd",
    "bias_raw": "doBias",
    "bias": "doBias",
    "crosstalk_raw": "doCrosstalk",
    "crosstalk": "doCrosstalk",
    "dark": "doDark",
    "deferred_charge": "doDeferredCharge",
    "flat": "doFlat",
}
# Calibrations whose camera keywords are compared with the exposure's, in this order.
_COMPARED = ("bias", "crosstalk", "dark", "defects", "flat", "linearizer", "ptc")


class IsrTask(IsrMethods):
    """Remove the instrument signature from exposures, in the classic order.

    Parameters
    ----------
    config
        An `IsrConfig`; by default its defaults.
    retarget
        Subtask name to the task class that takes its place.
    debug
        Step name (doAssembleCcd doBias doCrosstalk doBrighterFatter doDark doFringe doStrayLight doFlat postISRCCD) to
        a function called with the exposure after that step.
    cameraKeywordsToCompare, doRaiseOnCalibMismatch
        See `compareCameraKeywords`.
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
        self.cameraKeywordsToCompare = tuple(kwargs.pop("cameraKeywordsToCompare", ()))
        self.doRaiseOnCalibMismatch = bool(kwargs.pop("doRaiseOnCalibMismatch", False))
        super().__init__(**kwargs)
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
        task = target(name=name, parentTask=self, **keyArgs)
        if not task.rows:
            raise NotBuiltError(f"subtask {name} cannot be retargeted: the recipe has no row for it yet")
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
        bfKernel, bfGains, fringes, opticsTransmission, filterTransmission, sensorTransmission, \
atmosphereTransmission, strayLightData, illumMaskedImage
            For corrections that are not built yet.

        Returns
        -------
        Struct
            exposure and outputExposure (one object); ossThumb and outputOssThumbnail; flattenedThumb and
            outputFlattenedThumbnail; preInterpExposure; outputBin1Exposure, outputBin2Exposure; outputStatistics. What
            is not made is None.

        Raises
        ------
        MissingCalibrations
            A RuntimeError: a step is enabled and its calibration was not supplied.
        NotBuiltError
            If something is given for a correction that is not built yet.
        StepError
            A RuntimeError: a step failed; it is named.
        """
        given = {
            "bias": bias,
            "linearizer": linearizer,
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
        exposure = self.ensureExposure(ccdExposure, camera, detectorNum)
        assert exposure is not None and exposure.detector is not None  # noqa: PT018 - ensureExposure says so
        if not self.doLinearize(exposure.detector):
            given["linearizer"] = None
        calibs = calibrations_of(given)
        for kind in _COMPARED:
            if kind in calibs:
                self.compareCameraKeywords(exposure.header, calibs[kind], kind)
        recipe = with_functions_of(self, sources_of(crosstalkSources))
        overwrite = exposure.image.dtype == np.float32
        with self.timer("run"):
            result = run_isr(exposure, calibs, recipe, camera=camera, overwrite=overwrite, on_step=self._show_step)
        self.debugView(result.exposure, "postISRCCD")
        nans = result.get(NonfinitePixels)
        if nans is not None:
            self.metadata["NUMNANS"] = nans.count
        return _struct_of(result)

    def runQuantum(self, butlerQC: Any, inputRefs: Any, outputRefs: Any) -> None:
        """Read the inputs, note them in the raw's header, run, and write the outputs.

        Parameters
        ----------
        butlerQC
            Has ``get(inputRefs)``, which returns keyword arguments of `run`, and ``put(results, outputRefs)``.
        inputRefs, outputRefs
            Attributes are named like the keywords of `run` and the fields of its result; refs have ``run`` and ``id``.
        """
        inputs = dict(butlerQC.get(inputRefs))
        cards = _header_of(inputs["ccdExposure"])
        for name, ref in sorted(vars(inputRefs).items()):
            if hasattr(ref, "run") and hasattr(ref, "id"):
                keyword = name.upper()
                cards[f"LSST CALIB RUN {keyword}"] = str(ref.run)
                cards[f"LSST CALIB UUID {keyword}"] = str(ref.id)
                cards[f"LSST CALIB DATE {keyword}"] = self.extractCalibDate(inputs.get(name))
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
        if row in _DEBUG_STEPS:
            self.debugView(exposure, _DEBUG_STEPS[row])


SUBTASKS = tuple(name for name, value in vars(IsrTask).items() if isinstance(value, SubtaskField))
"""The places for subtasks, in the order in which the reference makes them."""


def with_functions_of(task: IsrTask, sources: Mapping[str, Exposure] | None) -> Recipe:
    """Return the task's recipe with its retargeted subtasks in place, and crosstalk bound to its sources."""
    functions: dict[str, Callable[..., Any]] = {}
    if sources is not None:
        functions |= dict.fromkeys(subtasks.CrosstalkTask.rows, _crosstalk_from(sources))
    for name in SUBTASKS:
        subtask: subtasks.RowTask = getattr(task, name)
        if subtask.is_own:
            functions |= dict.fromkeys(subtask.rows, subtask.run)
    return subtasks.with_functions(task.config, functions)


def _struct_of(result: IsrResult) -> Struct:
    """Name the results as the reference does, its aliases included."""
    oss, flattened = result.get(OverscanThumbnail), result.get(FlattenedThumbnail)
    binned = result.get(BinnedExposures)
    thumbs = None if oss is None else oss.rgb, None if flattened is None else flattened.rgb
    return Struct(
        exposure=result.exposure,
        outputExposure=result.exposure,
        ossThumb=thumbs[0],
        outputOssThumbnail=thumbs[0],
        flattenedThumb=thumbs[1],
        outputFlattenedThumbnail=thumbs[1],
        preInterpExposure=None,
        outputBin1Exposure=None if binned is None else binned.bin1,
        outputBin2Exposure=None if binned is None else binned.bin2,
        outputStatistics=result.get(Statistics),
    )


def _crosstalk_from(sources: Mapping[str, Exposure]) -> Callable[..., None]:
    def subtract(
        exposure: Exposure,
        config: CrosstalkConfig,
        *,
        crosstalk: Crosstalk,
        effective_ptc: EffectivePtc | None = None,
        bad_amplifiers: BadAmplifiers | None = None,
    ) -> None:
        """Subtract crosstalk, that from other detectors included."""
        given: dict[str, Any] = {"effective_ptc": effective_ptc, "bad_amplifiers": bad_amplifiers}
        subtract_crosstalk(exposure, config, crosstalk=crosstalk, sources=sources, **given)

    return subtract


def _header_of(exposure: Any) -> dict[str, Any]:
    return exposure.header if isinstance(exposure, Exposure) else {}
