"""Settings that differ by detector and amplifier."""

import pytest
from pydantic import ValidationError

from isrflow.errors import ConfigError
from isrflow.recipe_lsst import IsrLsstConfig
from isrflow.steps.overscan_serial import SerialOverscanConfig
from tests.steps.tinyraw import tiny_detector

RULES = {"*/L": {"order": 1, "max_deviation_adu": 5.0}, "T": {"order": 2}, "T/L": {"order": 3}}


def test_the_closest_exception_counts() -> None:
    config = SerialOverscanConfig(order=0, exceptions=RULES)
    detector, other = tiny_detector(), tiny_detector().model_copy(update={"name": "U"})
    assert config.at(detector, "L").order == 3
    assert config.at(detector, "L").max_deviation_adu == 5.0
    assert config.at(detector, "R").order == 2
    assert config.at(detector).order == 2
    assert config.at(other, "L").order == 1
    assert config.at(other, "R").order == 0
    assert config.at(None, "L").order == 0


@pytest.mark.parametrize(("key", "name"), [("serial", "S-1"), ("id", "3"), ("name", "T")])
def test_detectors_are_called_by_name_serial_or_id(key, name) -> None:
    detector = tiny_detector().model_copy(update={"serial": "S-1"})
    config = SerialOverscanConfig(detector_key=key, exceptions={name: {"order": 4}})
    assert config.at(detector, "L").order == 4


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"oder": 3}, "T: no setting oder"),
        ({"enabled": False}, "T: no setting enabled"),
        ({"order": -1}, "T: order: Input should be greater"),
    ],
)
def test_impossible_exceptions_are_refused_with_their_place(settings, message) -> None:
    with pytest.raises(ValidationError, match=message):
        SerialOverscanConfig(exceptions={"T": settings})


def test_a_recipe_says_which_exception_is_wrong() -> None:
    with pytest.raises(ConfigError, match=r"overscan_serial.exceptions: .*R22/C07: no setting oder"):
        IsrLsstConfig.layered({"overscan_serial": {"exceptions": {"R22/C07": {"oder": 1}}}})
