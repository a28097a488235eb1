"""What the task adds to the recipe: other detectors' crosstalk, and the headers of its inputs."""

from __future__ import annotations

import re
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from isrflow.calibs.defects import Defects
from isrflow.errors import CalibrationMismatch
from isrflow.frame.exposure import Exposure
from isrflow.run import run_isr
from isrflow.task.isr_task import IsrTask, with_functions_of
from isrflow.task.supplies import sources_of
from tests.vectors.adapters_end_to_end import (
    SNAPSHOTS,
    calibrations_of,
    is_built,
    linear_detector,
    raw_of,
    recipe_of,
)
from tests.vectors.harness import Outputs, Vector, covers

WORDING = "Wording of messages"


def compares_keywords(params: dict[str, Any]) -> bool:
    """Whether camera keywords are compared and everything else that is switched on is built."""
    config = params["config_full"]
    others = {**config, "cameraKeywordsToCompare": []}
    return config["cameraKeywordsToCompare"] != [] and is_built({"config_full": others})


@covers("lsst.ip.isr.IsrTask(config).run(raw, ...)", when=compares_keywords)
def run_comparing_keywords(vector: Vector) -> Outputs:
    config, described = vector.params["config_full"], linear_detector(vector.params)
    task = IsrTask(
        config=recipe_of(config, linear=True),
        cameraKeywordsToCompare=config["cameraKeywordsToCompare"],
        doRaiseOnCalibMismatch=config["doRaiseOnCalibMismatch"],
    )
    raw, calibs = raw_of(vector, described), calibrations_of(vector, described)
    # The cards of the inputs are told in the notes alone.
    for owner, card, value in re.findall(r"(raw|bias|dark|flat) ([A-Z]+)=(\w+)", vector.entry.get("notes", "")):
        header = raw.header if owner == "raw" else calibs[owner].exposure.header
        header[card] = value
    result = task.run(raw, **calibs)
    arrays = {f"out_final_{plane}": getattr(result.exposure, plane) for plane in ("image", "mask", "variance")}
    return Outputs(scalars={"metadata": result.exposure.header, "steps": vector.scalars.get("steps")}, **arrays)


@covers(
    "lsst.ip.isr.IsrTask(config).run(raw, ...)",
    when=is_built,
    arrays_when=lambda names: "in_interchip_coeffs" in names,
)
def run_with_sources(vector: Vector) -> Outputs:
    described = linear_detector(vector.params)
    task = IsrTask(config=recipe_of(vector.params["config_full"], linear=True))
    calibs = calibrations_of(vector, described)
    matrices = {"other": vector.array("in_interchip_coeffs").astype(np.float64)}
    calibs["crosstalk"] = replace(calibs["crosstalk"], inter_chip=matrices)
    pixels = vector.array("in_interchip_source_image")
    other = described.model_copy(update={"name": "other"})
    source = Exposure(pixels, np.zeros(pixels.shape, np.int32), np.zeros_like(pixels), detector=other)
    snapshots = {}

    def keep(row: str, exposure: Exposure) -> None:
        snapshots[row] = {plane: np.copy(getattr(exposure, plane)) for plane in ("image", "mask", "variance")}

    recipe = with_functions_of(task, sources_of([source]))
    exposure = run_isr(raw_of(vector, described), calibs, recipe, on_step=keep).exposure
    arrays = {f"out_final_{plane}": getattr(exposure, plane) for plane in ("image", "mask", "variance")}
    for name in vector.entry["arrays"]:
        found = re.fullmatch(r"out_step\d+_(\w+)_(image|mask|variance)", name)
        if found and SNAPSHOTS.get(found[1]) in snapshots:
            arrays[name] = snapshots[SNAPSHOTS[found[1]]][found[2]]
    return Outputs(scalars={"metadata": exposure.header, "steps": vector.scalars.get("steps")}, **arrays)


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
        task = IsrTask(
            cameraKeywordsToCompare=case.get("keywords", ()), doRaiseOnCalibMismatch=case.get("doRaise", False)
        )
        header = dict(case.get("exposure", {}))
        calib = _bare(case["calib"]) if "calib" in case else np.zeros(2)
        try:
            task.compareCameraKeywords(header, calib, case.get("calibName", "bias"))
            outcome: dict[str, Any] = {"returned": None}
        except CalibrationMismatch as error:
            outcome = {"raised": "RuntimeError" if isinstance(error, RuntimeError) else type(error).__name__}
        cases.append({**case, "outcome": outcome} | ({"exposureMetadata_after": header} if "exposure" in case else {}))
    return Outputs(scalars={"cases": cases}, differs=differs)


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
