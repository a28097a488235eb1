"""Deferred charge through the task."""

import numpy as np
import pytest

from isrflow.calibs.deferred_charge import DeferredCharge
from isrflow.errors import NotAnExposureError
from isrflow.recipe import IsrConfig
from isrflow.task.isr_task import IsrTask

SETTINGS = {"bias.enabled": False, "dark.enabled": False, "flat.enabled": False, "defects.enabled": False}
SETTINGS |= {"linearity.enabled": False}


def test_run_corrects_deferred_charge_when_the_row_is_on(raw) -> None:
    assert raw.detector is not None
    calib = DeferredCharge.example(raw.detector, np.random.default_rng(1))
    off = IsrTask(config=IsrConfig.layered(SETTINGS)).run(raw.copy(), deferredChargeCalib=calib).exposure
    on_settings = IsrConfig.layered(SETTINGS, {"deferred_charge.enabled": True})
    on = IsrTask(config=on_settings).run(raw.copy(), deferredChargeCalib=calib).exposure
    assert on.header["LSST ISR CTI APPLIED"] is True
    assert off.header["LSST ISR CTI APPLIED"] is False
    change = on.image - off.image
    assert 0 < np.abs(change).max() < 5  # a few 1e-4 of 1000 adu, and single electrons in the trap
    with pytest.raises(NotAnExposureError, match="deferredChargeCalib must be a DeferredCharge"):
        IsrTask(config=on_settings).run(raw, deferredChargeCalib=object())
