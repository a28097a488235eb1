"""What the task adds to the recipe: other detectors' crosstalk, and the headers of its inputs."""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from isrflow.calibs.defects import Defects
from isrflow.calibs.stated import stated_unit
from isrflow.errors import CalibrationMismatch
from isrflow.frame.exposure import Exposure
from isrflow.recipe import IsrConfig
from isrflow.steps.comparison import compare_unit
from isrflow.task.isr_task import IsrTask
from tests.vectors.harness import Outputs, Vector, covers

WORDING = "Wording of messages"


def _bare(cards: dict[str, Any]) -> Exposure:
    return Exposure(np.zeros((1, 1), np.float32), header=dict(cards))


@covers("IsrTask/IsrTaskLSST.extractCalibDate(calib)")
def dates(vector: Vector) -> Outputs:
    cases = []
    for case in vector.scalars["cases"]:
        cards = case.get("metadata")
        given = None if cards is None else _bare(cards)
        if case["case"].startswith("no metadata object"):
            given = np.zeros(3)
        answers = {key: {"returned": IsrTask.extractCalibDate(given)} for key in case if key.startswith("IsrTask")}
        defects = Defects(info=replace(Defects().info, metadata=cards or {}))
        answers |= {key: {"returned": IsrTask.extractCalibDate(defects)} for key in answers if key.endswith("_Defects")}
        cases.append({**case, **answers})
    return Outputs(scalars={"cases": cases})


@covers("isrFunctions.compareCameraKeywords(*")
def keywords(vector: Vector) -> Outputs:
    differs, cases = {}, []
    for i, case in enumerate(vector.scalars["cases"]):
        differs |= {f"cases[{i}].log": WORDING, f"cases[{i}].outcome.message": WORDING}
        settings = {
            "cameraKeywordsToCompare": case.get("keywords", ()),
            "doRaiseOnCalibMismatch": case.get("doRaise", False),
        }
        task = IsrTask(config=IsrConfig.from_lsst(settings))
        header = dict(case.get("exposure", {}))
        calib = _bare(case["calib"]) if "calib" in case else np.zeros(2)
        try:
            task.compareCameraKeywords(header, calib, case.get("calibName", "bias"))
            outcome: dict[str, Any] = {"returned": None}
        except CalibrationMismatch as error:
            outcome = {"raised": "RuntimeError" if isinstance(error, RuntimeError) else type(error).__name__}
        cases.append({**case, "outcome": outcome} | ({"exposureMetadata_after": header} if "exposure" in case else {}))
    return Outputs(scalars={"cases": cases}, differs=differs)


@covers("IsrTask/IsrTaskLSST.compareUnits(calibMetadata, 'bias')")
def units(vector: Vector) -> Outputs:
    """Whether units agree; the newer task expects electrons, as gains are applied by default."""
    differs, cases = {}, []
    log = _Log()
    for i, case in enumerate(vector.scalars["cases"]):
        differs |= {f"cases[{i}].outcome.message": WORDING}
        differs |= {f"cases[{i}].log[{j}][1]": WORDING for j in range(len(case["log"]))}
        stated = stated_unit(_bare({} if case["calibUnits"] is None else {"LSST ISR UNITS": case["calibUnits"]}))
        log.records = []
        outcome: dict[str, Any] = {"returned": None}
        try:
            expected = "adu" if case["task"] == "IsrTask" else "electron"
            compare_unit(stated, expected, "bias", refuse=case["doRaise"], log=log)
        except CalibrationMismatch as error:
            outcome = {"raised": "RuntimeError" if isinstance(error, RuntimeError) else type(error).__name__}
        cases.append({**case, "outcome": outcome, "log": log.records})
    return Outputs(scalars={"cases": cases}, differs=differs)


class _Log(logging.Logger):
    """Keeps what it is told."""

    def __init__(self) -> None:
        super().__init__("units")
        self.records: list[list[str]] = []

    def warning(self, message: str, *args: Any, **kwargs: Any) -> None:
        self.records.append(["WARNING", message % args if args else message])


class _OnlyTheHeader(IsrTask):
    """Stands still where the vector's task did."""

    def run(self, ccdExposure: Any, **given: Any) -> Any:  # noqa: N803
        self.given = {"ccdExposure": ccdExposure, **given}
        return self.given


@covers("IsrTask.runQuantum(butlerQC, inputRefs, outputRefs) up to run()")
def provenance(vector: Vector) -> Outputs:
    refs = {name: SimpleNamespace(**ref) for name, ref in vector.params["refs"].items()}
    refs["ccdExposure"].dataId = {"detector": 0}
    inputs: dict[str, Any] = {"camera": None}
    for name in refs:
        stem, day, time = re.fullmatch(
            r"(?:(CALIB_CREAT\w+)_DATE=(\S+) TIME=(\S+))?.*", vector.params.get(name, "")
        ).groups()
        inputs[name] = _bare({f"{stem}_DATE": day, f"{stem}_TIME": time} if stem else {})
    butler = SimpleNamespace(get=lambda _: inputs, put=lambda *_: None)
    task = _OnlyTheHeader()
    task.runQuantum(butler, SimpleNamespace(**refs), SimpleNamespace())
    header = task.given["ccdExposure"].header
    # fringes come by default, there and here
    scalars = {
        "returned": None,
        "header_at_run": header,
        "additional_provenance": [],
        "run_kwargs": sorted([*task.given, "fringes"]),
    }
    return Outputs(scalars=scalars)
