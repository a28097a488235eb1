"""IsrTask has every name of the documented task, with its parameters."""

import inspect

import pytest

from isrflow.recipe import IsrConfig
from isrflow.task.isr_task import SUBTASKS, IsrTask
from isrflow.task.supplies import SUPPLIES

REQUIRED = inspect.Parameter.empty
RUN = [
    "camera",
    "bias",
    "linearizer",
    "crosstalk",
    "crosstalkSources",
    "dark",
    "flat",
    "ptc",
    "bfKernel",
    "bfGains",
    "defects",
    "fringes",
    "opticsTransmission",
    "filterTransmission",
    "sensorTransmission",
    "atmosphereTransmission",
    "detectorNum",
    "strayLightData",
    "illumMaskedImage",
    "deferredChargeCalib",
]

# Name -> parameters without self; (name, default) where there is a default.
VOCABULARY = {
    "__init__": ["**kwargs"],
    "run": ["ccdExposure", *RUN],
    "runQuantum": ["butlerQC", "inputRefs", "outputRefs"],
    "ensureExposure": ["inputExp", ("camera", None), ("detectorNum", None)],
    "convertIntToFloat": ["exposure"],
    "compareCameraKeywords": ["exposureMetadata", "calib", "calibName"],
    "extractCalibDate": ["calib"],
    "darkCorrection": ["exposure", "darkExposure", ("invert", False)],
    "flatCorrection": ["exposure", "flatExposure", ("invert", False)],
    "flatContext": ["exp", "flat", ("dark", None)],
    "overscanCorrection": ["ccdExposure", "amp"],
    "maskAmplifier": ["ccdExposure", "amp", "defects"],
    "saturationDetection": ["exposure", "amp"],
    "suspectDetection": ["exposure", "amp"],
    "saturationInterpolation": ["exposure"],
    "updateVariance": ["ampExposure", "amp", ("overscanImage", None), ("ptcDataset", None)],
    "maskDefect": ["exposure", "defectBaseList"],
    "maskAndInterpolateDefects": ["exposure", "defectBaseList"],
    "maskNan": ["exposure"],
    "maskAndInterpolateNan": ["exposure"],
    "maskNegativeVariance": ["exposure"],
    "maskEdges": ["exposure", ("numEdgePixels", 0), ("maskPlane", "SUSPECT"), ("level", "DETECTOR")],
    "doLinearize": ["detector"],
    "measureBackground": ["exposure", ("IsrQaConfig", None)],
    "roughZeroPoint": ["exposure"],
    "makeBinnedImages": ["exposure"],
    "debugView": ["exposure", "stepname"],
    "getName": [],
    "getFullName": [],
    "getFullMetadata": [],
    "getTaskDict": [],
    "emptyMetadata": [],
    "makeSubtask": ["name", "**keyArgs"],
    "makeField": ["doc"],
    "timer": ["name", ("logLevel", 10)],
}


@pytest.mark.parametrize("name", VOCABULARY)
def test_the_method_is_there_with_its_parameters_and_documented(name) -> None:
    method = inspect.getattr_static(IsrTask, name)
    function = getattr(method, "__func__", method)
    found = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name in {"self", "cls"}:
            continue
        text = f"**{parameter.name}" if parameter.kind is inspect.Parameter.VAR_KEYWORD else parameter.name
        found.append(text if parameter.default is REQUIRED or name == "run" else (text, parameter.default))
    assert found == VOCABULARY[name]
    assert inspect.getdoc(function) or name == "__init__"


def test_there_are_thirty_four_names_besides_the_constructor() -> None:
    assert len(VOCABULARY) == 35


def test_run_takes_keywords_only_and_all_are_optional() -> None:
    parameters = inspect.signature(IsrTask.run).parameters
    assert [name for name, p in parameters.items() if p.kind is inspect.Parameter.KEYWORD_ONLY] == RUN
    assert all(parameters[name].default is None for name in RUN if name != "fringes")
    assert parameters["fringes"].default.fringes is None


def test_static_and_class_methods_are_what_they_were() -> None:
    assert isinstance(inspect.getattr_static(IsrTask, "extractCalibDate"), staticmethod)
    assert isinstance(inspect.getattr_static(IsrTask, "makeField"), classmethod)


def test_eleven_subtasks_may_be_retargeted() -> None:
    assert sorted(SUBTASKS) == sorted(
        [
            "assembleCcd",
            "crosstalk",
            "strayLight",
            "fringe",
            "masking",
            "overscan",
            "vignette",
            "ampOffset",
            "deferredChargeCorrection",
            "isrStats",
            "binning",
        ]
    )


def test_the_table_of_supplies_covers_every_keyword_of_run() -> None:
    assert {supply.keyword for supply in SUPPLIES} == set(RUN) - {"camera", "detectorNum"}


@pytest.mark.parametrize("name", SUBTASKS)
def test_every_subtask_stands_over_rows_of_the_recipe_and_runs_their_function(name) -> None:
    subtask = getattr(IsrTask(), name)
    functions = {row.name: row.step.function for row in IsrConfig.rows}
    assert subtask.rows
    assert {functions[row] for row in subtask.rows} == {subtask.step}
