"""Headers of calibrations are compared with the exposure's, and disagreements noted or refused."""

import numpy as np
import pytest

from isrflow.calibs.bias import Bias
from isrflow.calibs.defects import Defects
from isrflow.calibs.stated import stated_unit
from isrflow.errors import CalibrationMismatch, StepError
from isrflow.frame.exposure import Exposure
from isrflow.recipe import IsrConfig
from isrflow.run import run_isr
from isrflow.steps.comparison import ComparisonConfig, compare_calibrations


def picture(**header) -> Exposure:
    return Exposure(np.zeros((2, 2), np.float32), header=header)


def test_a_card_that_differs_is_noted_once_by_calibration(caplog) -> None:
    exposure, bias = picture(SEQNAME="a", SEQFILE="f"), Bias(exposure=picture(SEQNAME="b"))
    config = ComparisonConfig(cards=("SEQNAME", "SEQFILE", "ODP"))
    compare_calibrations(exposure, config, calibs={"bias": bias, "defects": Defects()})
    assert exposure.header == {"SEQNAME": "a", "SEQFILE": "f", "ISR BIAS SEQUENCER MISMATCH": True}
    assert caplog.messages == ["bias was made with SEQNAME 'b', the exposure with 'a'"]


def test_a_disagreement_is_refused_if_asked() -> None:
    exposure, bias = picture(SEQNAME="a"), Bias(exposure=picture(SEQNAME="b"))
    config = ComparisonConfig(cards=("SEQNAME",), refuse=True)
    with pytest.raises(CalibrationMismatch, match="bias was made with SEQNAME 'b', the exposure with 'a'"):
        compare_calibrations(exposure, config, calibs={"bias": bias})


@pytest.mark.parametrize(("header", "unit"), [({}, "adu"), ({"LSST ISR UNITS": "electron"}, "electron")])
def test_the_unit_is_the_one_stated(header, unit) -> None:
    assert stated_unit(picture(**header)) == stated_unit(Bias(exposure=picture(**header))) == unit


def test_a_calibration_in_another_unit_is_warned_of_or_refused(caplog) -> None:
    bias = Bias(exposure=picture(**{"LSST ISR UNITS": "electron"}))
    compare_calibrations(picture(), ComparisonConfig(), calibs={"bias": bias})
    assert caplog.messages == ["bias is in electron, the exposure it is applied to in adu"]
    compare_calibrations(picture(), ComparisonConfig(unit="electron"), calibs={"bias": bias})
    assert len(caplog.messages) == 1
    with pytest.raises(CalibrationMismatch, match="bias is in electron"):
        compare_calibrations(picture(), ComparisonConfig(refuse=True), calibs={"bias": bias})


def test_only_calibrations_in_use_are_compared() -> None:
    exposure = picture(SEQNAME="a")
    off = {row.name: {"enabled": False} for row in IsrConfig.rows if row.name not in ("header", "comparison", "bias")}
    settings = {**off, "comparison": {"cards": ["SEQNAME"], "refuse": True}}
    calibs = {"bias": Bias(exposure=picture(SEQNAME="b"))}
    with pytest.raises(StepError, match=r"step comparison failed.*SEQNAME 'b'"):
        run_isr(exposure, calibs, IsrConfig.layered(settings))
    unused = IsrConfig.layered(settings, {"bias.enabled": False})
    assert run_isr(exposure, calibs, unused).exposure.header["SEQNAME"] == "a"
