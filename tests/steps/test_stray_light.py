"""Stray light: a model is subtracted in the filters that have it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest

from isrflow.calibs.stray_light import StrayLight
from isrflow.errors import CalibrationMismatch, ConfigError, HeaderError, MissingCalibrations
from isrflow.frame.exposure import Exposure
from isrflow.recipe import IsrConfig
from isrflow.steps.stray_light import StrayLightConfig, subtract_stray_light
from tests.steps.tinyraw import trimmed

IN_Y = StrayLightConfig(enabled=True, filters=("y",))


def exposure(name: str = "y", seconds: float = 60.0) -> Exposure:
    picture = trimmed(100.0)
    picture.variance[:] = 50.0
    picture.obs = replace(picture.obs, physical_filter=name, exposure_time_s=seconds)
    return picture


def model(seconds: float = 30.0, kind: type[StrayLight] = StrayLight) -> StrayLight:
    picture = trimmed(7.0)
    picture.variance[:] = 2.0
    picture.mask[1, 2] = 16
    picture.obs = replace(picture.obs, physical_filter="y", exposure_time_s=seconds)
    return kind(exposure=picture)


def test_the_model_is_subtracted_as_it_is() -> None:
    picture = exposure()
    subtract_stray_light(picture, IN_Y, stray_light=model())
    assert (picture.image == 93.0).all()
    assert (picture.variance == 52.0).all()
    assert np.argwhere(picture.mask).tolist() == [[1, 2]]
    assert picture.header["LSST ISR STRAYLIGHT APPLIED"] is True


def test_it_may_be_scaled_by_the_exposure_times() -> None:
    picture = exposure()
    subtract_stray_light(picture, IN_Y.model_copy(update={"scale_by_time": True}), stray_light=model())
    assert (picture.image == 86.0).all()  # twice the time
    assert (picture.variance == 58.0).all()  # four times the variance


@pytest.mark.parametrize(("seconds", "whose"), [((float("nan"), 30.0), "exposure"), ((60.0, 0.0), "stray light model")])
def test_a_time_that_is_not_known_cannot_scale(seconds, whose) -> None:
    scaled = IN_Y.model_copy(update={"scale_by_time": True})
    with pytest.raises(HeaderError, match=f"exposure time of the {whose}"):
        subtract_stray_light(exposure(seconds=seconds[0]), scaled, stray_light=model(seconds[1]))


def test_other_filters_are_left_alone_and_need_no_model() -> None:
    picture = exposure("g")
    subtract_stray_light(picture, IN_Y)
    subtract_stray_light(picture, StrayLightConfig(enabled=True), stray_light=model())
    assert (picture.image == 100.0).all()
    assert IN_Y.demands(None, "y") == {"stray_light"}
    assert IN_Y.demands(None, "g") == frozenset()


def test_a_filter_with_stray_light_needs_a_model_of_the_right_size() -> None:
    with pytest.raises(MissingCalibrations, match="there is no model of it"):
        subtract_stray_light(exposure(), IN_Y)
    small = model()
    small = replace(small, exposure=small.exposure.view(type(small.exposure.box)(0, 0, 3, 4)))
    with pytest.raises(CalibrationMismatch, match="stray light model"):
        subtract_stray_light(exposure(), IN_Y, stray_light=small)


@dataclass(frozen=True, kw_only=True, eq=False)
class Turning(StrayLight):
    """As strong as the mean angle says."""

    depends_on_angle: ClassVar[bool] = True

    def evaluate(self, begin_deg: float, end_deg: float) -> Exposure:
        picture = self.exposure.copy()
        picture.image *= (begin_deg + end_deg) / 2
        return picture


def test_models_of_your_own_may_depend_on_the_rotator() -> None:
    angles = IN_Y.model_copy(update={"use_rotator_angle": True})
    picture = exposure()
    picture.header |= {"ROTSTART": 2.0, "ROTEND": 4}
    subtract_stray_light(picture, angles, stray_light=model(kind=Turning))
    assert (picture.image == 79.0).all()
    with pytest.raises(HeaderError, match="no rotator angle in ROTSTART, ROTEND"):
        subtract_stray_light(exposure(), angles, stray_light=model(kind=Turning))
    with pytest.raises(ConfigError, match="one picture for all rotator angles"):
        subtract_stray_light(picture, angles, stray_light=model())


def test_the_row_stands_before_the_flat_and_is_off() -> None:
    rows = [row.name for row in IsrConfig.rows]
    assert rows.index("fringe_before_flat") < rows.index("stray_light") < rows.index("flat")
    assert not IsrConfig().stray_light.enabled
    on = IsrConfig.layered({"stray_light": {"enabled": True, "filters": ["y"]}})
    assert on.needs(None, "y")["stray_light"] is True
    assert on.needs(None, "g")["stray_light"] is False
