"""Instrument signature removal in the newer order as one task, with the names of the reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from isrflow.errors import MissingCalibrations, StepError, UnprocessableError
from isrflow.frame.camera import Detector
from isrflow.frame.exposure import Exposure
from isrflow.quantum.types import CAMERA, RAW
from isrflow.recipe_lsst import IsrLsstConfig
from isrflow.run import run_isr
from isrflow.steps.byproducts import BadAmplifiers
from isrflow.steps.convert import ensure_exposure
from isrflow.steps.nonfinite import NonfinitePixels
from isrflow.task.base import Struct, Task
from isrflow.task.provenance import date_of, note_inputs
from isrflow.task.results import shared_results
from isrflow.task.supplies import SUPPLIES_LSST, Given, calibrations_of

KINDS = {supply.keyword: supply.step_keyword for supply in SUPPLIES_LSST}
"""Keyword of `IsrTaskLSST.run` -> kind of calibration."""
INPUTS: Mapping[str, str] = {"ccdExposure": RAW, "camera": CAMERA} | KINDS
"""Keyword of `IsrTaskLSST.run` -> role among the inputs of a quantum, for `isrflow.task.task_context.TaskContext`."""


class IsrTaskLSST(Task):
    """Remove the instrument signature from exposures, in the newer order and in electrons.

    Parameters
    ----------
    config
        An `IsrLsstConfig`, or settings under LSST's names for it; by default its defaults.
    name, parentTask, log
        As for every `Task`.
    """

    ConfigClass = IsrLsstConfig
    defaultName: ClassVar[str] = "isr"

    def __init__(self, **kwargs: Any) -> None:
        if isinstance(kwargs.get("config"), Mapping):
            kwargs["config"] = IsrLsstConfig.from_lsst(kwargs["config"])
        super().__init__(**kwargs)

    def run(
        self,
        ccdExposure: Any,
        *,
        dnlLUT: Any = None,  # noqa: ARG002 - it does nothing in the reference either
        bias: Any = None,
        deferredChargeCalib: Any = None,
        linearizer: Any = None,
        ptc: Any = None,
        gainCorrection: Any = None,
        crosstalk: Any = None,
        defects: Any = None,
        bfKernel: Any = None,
        electroBfDistortionMatrix: Any = None,
        dark: Any = None,
        flat: Any = None,
        camera: Any = None,
    ) -> Struct:
        """Remove the instrument signature from one exposure of one detector.

        Parameters
        ----------
        ccdExposure
            The raw exposure, with its detector; float pixels are corrected in place, integers yield a new exposure.
        bias, dark, flat
            Calibrations, exposures or images, in electrons (the flat has no unit).
        defects
            `Defects` or a list of boxes.
        deferredChargeCalib, linearizer, ptc, gainCorrection, crosstalk, bfKernel, electroBfDistortionMatrix
            Calibrations; left untouched.
        dnlLUT
            Not used.
        camera
            Bound to steps that ask for it.

        Returns
        -------
        Struct
            exposure and outputExposure (one object); preInterpExposure; outputBin1Exposure, outputBin2Exposure;
            outputStatistics. What is not made is None.

        Raises
        ------
        MissingCalibrations
            A RuntimeError: steps are enabled whose calibrations were not supplied; all are named.
        UnprocessableError
            If the voltage was off or all amplifiers are bad.
        StepError
            A RuntimeError: a step failed; it is named.
        """
        exposure = ensure_exposure(ccdExposure)
        assert exposure is not None and exposure.detector is not None  # noqa: PT018 - ensure_exposure says so
        given = {
            "bias": bias,
            "deferredChargeCalib": deferredChargeCalib,
            "linearizer": linearizer,
            "ptc": ptc,
            "gainCorrection": gainCorrection,
            "crosstalk": crosstalk,
            "defects": defects,
            "bfKernel": bfKernel,
            "electroBfDistortionMatrix": electroBfDistortionMatrix,
            "dark": dark,
            "flat": flat,
        }
        calibs = calibrations_of(Given(given, exposure.detector), SUPPLIES_LSST)
        overwrite = exposure.image.dtype == np.float32
        with self.timer("run"):
            try:
                result = run_isr(exposure, calibs, self.config, camera=camera, overwrite=overwrite)
            except StepError as error:
                if isinstance(error.__cause__, UnprocessableError):
                    raise error.__cause__ from error
                raise
        nans = result.get(NonfinitePixels)
        if nans is not None:
            self.metadata["NUMNANS"] = nans.count
        return Struct(**shared_results(result))

    def runQuantum(self, butlerQC: Any, inputRefs: Any, outputRefs: Any) -> None:
        """Read the inputs, note them in the raw's header, run, and write the outputs.

        Parameters
        ----------
        butlerQC
            Has ``get(inputRefs)``, which returns keyword arguments of `run`, and ``put(results, outputRefs)``; if it
            has ``add_additional_provenance(ref, values)``, that is told the dates of calibrations.
        inputRefs, outputRefs
            Attributes are named like the keywords of `run` and the fields of its result; refs have ``run`` and ``id``.
        """
        inputs = dict(butlerQC.get(inputRefs))
        self.validateInput(inputs)
        if isinstance(inputs["ccdExposure"], Exposure):
            note_inputs(inputs["ccdExposure"].header, inputs, inputRefs)
        if hasattr(butlerQC, "add_additional_provenance"):
            _tell_dates(butlerQC, inputs, inputRefs)
        butlerQC.put(self.run(**inputs), outputRefs)

    def validateInput(self, inputs: Mapping[str, Any]) -> None:
        """Raise `MissingCalibrations`, a RuntimeError, if calibrations of enabled steps are missing; all are named."""
        detector = getattr(inputs.get("ccdExposure"), "detector", None)
        given = {KINDS[name] for name, value in inputs.items() if name in KINDS and value is not None}
        needs = self.config.needs(detector)
        missing = [kind for kind, is_required in needs.items() if is_required and kind not in given]
        if missing:
            names = [keyword for keyword, kind in KINDS.items() if kind in missing]
            steps = [(step, kind) for kind in missing for step in self.config.needed_by(kind, detector)]
            raise MissingCalibrations(f"Must supply {', '.join(names)}", missing=steps)

    def checkAllBadAmps(self, badAmpDict: Mapping[str, bool], detector: Detector) -> None:
        """Raise `UnprocessableError` if every amplifier of the detector is bad."""
        bad = BadAmplifiers(frozenset(name for name, is_bad in badAmpDict.items() if is_bad))
        bad.refuse_if_all(Exposure(np.zeros((1, 1), np.float32), detector=detector))


def _tell_dates(butlerQC: Any, inputs: Mapping[str, Any], inputRefs: Any) -> None:
    for name, ref in sorted(vars(inputRefs).items()):
        date = date_of(inputs.get(name))
        if hasattr(ref, "run") and date != "Unknown Unknown":
            butlerQC.add_additional_provenance(ref, {"calib date": date})
