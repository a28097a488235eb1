"""Steps that are for some filters alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from isrflow.calibs.flat import Flat
from isrflow.errors import MissingCalibrations
from isrflow.frame.obs import Observation
from isrflow.steps.by_filter import ByFilterConfig, wanted_calibration
from tests.steps.tinyraw import trimmed


class InFilters(ByFilterConfig):
    calibration = Flat
    lack = "which is dim, but there is no lamp"


IN_Y = InFilters(filters=("y",))


def through(**names):
    return replace(trimmed(), obs=Observation(**names))


def test_the_calibration_is_demanded_for_listed_filters_and_not_looked_for_without_any() -> None:
    assert IN_Y.demands(None, "y") == {"flat"}
    assert IN_Y.demands(None, "r") == IN_Y.demands(None) == IN_Y.ignores() == frozenset()
    assert InFilters().ignores() == {"flat"}


def test_a_filter_or_its_band_decides() -> None:
    flat = Flat(exposure=trimmed())
    assert wanted_calibration(through(physical_filter="y"), IN_Y, flat) is flat
    assert wanted_calibration(through(physical_filter="y_10", band="y"), IN_Y, flat) is flat
    assert wanted_calibration(through(physical_filter="r"), IN_Y, flat) is None
    assert wanted_calibration(through(), IN_Y, None) is None


def test_what_is_missing_is_said_with_the_reason_and_the_mend() -> None:
    with pytest.raises(MissingCalibrations, match="taken through y, which is dim, but there is no lamp") as caught:
        wanted_calibration(through(physical_filter="y"), IN_Y, None)
    assert "take the filter off flat.filters" in str(caught.value)
