"""Settings under the names of the classic LSST task."""

import math

import pytest

from isrflow.errors import ConfigError
from isrflow.lsst_names.classic import CLASSIC
from isrflow.recipe import IsrConfig


def changed(settings: dict) -> dict:
    return IsrConfig.from_lsst(settings).changes()


def test_all_103_fields_of_the_task_have_a_row() -> None:
    tops = [name.lsst.partition(".")[0] for name in CLASSIC.names]
    assert len(set(tops) - {"saveLogOutput", "connections"}) == 103


def test_flat_and_nested_settings_are_the_same() -> None:
    expected = {"dark.enabled": False, "brighter_fatter.apply_dark": False, "overscan.fit_type": "MEDIAN_PER_ROW"}
    assert changed({"doDark": False, "overscan.fitType": "MEDIAN_PER_ROW"}) == expected
    assert changed({"doDark": False, "overscan": {"fitType": "MEDIAN_PER_ROW"}}) == expected


def test_one_name_may_set_several_rows() -> None:
    assert changed({"crosstalk.minPixelToMask": 1}) == {
        "crosstalk_raw.min_pixel_to_mask": 1.0,
        "crosstalk.min_pixel_to_mask": 1.0,
    }


@pytest.mark.parametrize(
    ("settings", "enabled"),
    [
        ({}, {"bias"}),
        ({"doBiasBeforeOverscan": True}, {"bias_raw"}),
        ({"doBias": False, "doBiasBeforeOverscan": True}, set()),
        ({"doCrosstalk": True}, {"bias", "crosstalk"}),
        ({"doCrosstalk": True, "doCrosstalkBeforeAssemble": True}, {"bias", "crosstalk_raw"}),
        ({"doCrosstalkBeforeAssemble": True}, {"bias"}),
    ],
)
def test_two_switches_choose_the_place_of_a_step(settings, enabled) -> None:
    recipe = IsrConfig.from_lsst(settings)
    movable = ("bias", "bias_raw", "crosstalk", "crosstalk_raw")
    assert {row for row in movable if getattr(recipe, row).enabled} == enabled


@pytest.mark.parametrize(
    ("settings", "planes"),
    [
        ({"doSaturationInterpolation": False}, ("BAD", "UNMASKEDNAN")),
        ({"doNanInterpolation": False}, ("SAT", "BAD")),
        ({"maskListToInterpolate": ["CR"]}, ("CR", "SAT", "UNMASKEDNAN")),
        ({"maskListToInterpolate": ["UNMASKEDNAN"], "doNanInterpolation": False}, ("UNMASKEDNAN", "SAT")),
        ({"saturatedMaskName": "FULL"}, ("SAT", "BAD", "FULL", "UNMASKEDNAN")),
    ],
)
def test_the_list_of_interpolated_planes_is_edited_as_validation_does_there(settings, planes) -> None:
    assert IsrConfig.from_lsst(settings).interpolation.planes == planes


def test_edges_are_marked_as_soon_as_they_have_a_width() -> None:
    assert changed({"numEdgeSuspect": 5}) == {"edges.enabled": True, "edges.width_px": 5}


def test_numbers_may_stand_as_json_writes_them() -> None:
    assert math.isnan(IsrConfig.from_lsst({"saturation": "NaN"}).saturation.level_adu)
    assert IsrConfig.from_lsst({"saturation": 120000}).saturation.level_adu == 120000


def test_everything_that_is_wrong_is_said_at_once_with_the_nearest_name() -> None:
    wrong = {
        "doDrak": False,
        "overscan": {"fit_type": "MEDIAN", "order": -1},
        "doFlat": 1,
        "flatScalingType": "MODE",
        "maskListToInterpolate": "SAT",
        "gain": 1.5,
        "binFactor1": 1,
    }
    with pytest.raises(ConfigError) as caught:
        IsrConfig.from_lsst(wrong)
    assert isinstance(caught.value, ValueError)
    for said in (
        "there is no doDrak (did you mean doDark?)",
        "there is no overscan.fit_type (did you mean overscan.fitType?)",
        "overscan.order must be 0 or greater, not -1",
        "doFlat must be true or false, not 1",
        "flatScalingType must be one of USER, MEAN, MEDIAN, not 'MODE'",
        "maskListToInterpolate must be a list of texts, not 'SAT'",
        "gain = 1.5: describe the detector instead",
        "binFactor1 must be greater than 1, not 1",
    ):
        assert said in str(caught.value)
    with pytest.raises(ConfigError, match="settings are a mapping of names to values, not a list"):
        IsrConfig.from_lsst(["doDark"])


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"doApplyGains": True}, "doFlat and doApplyGains exclude each other"),
        ({"doBiasBeforeOverscan": True, "doTrimToMatchCalib": True}, "doTrimToMatchCalib exclude each other"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(settings, said) -> None:
    with pytest.raises(ConfigError, match=said):
        IsrConfig.from_lsst(settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"badStatistic": "MEDIAN"},
        {"doTweakFlat": True},
        {"doNanInterpAfterFlat": True},
        {"datasetType": "rawer"},
        {"fallbackFilterName": "r"},
        {"biasDataProductName": "b"},
        {"fwhm": 2.0},
        {"qa.doWriteOss": True},
        {"qa.doWriteFlattened": True},
        {"masking.doSpecificMasking": True},
    ],
)
def test_names_without_effect_are_accepted_with_a_warning(settings, caplog) -> None:
    assert changed(settings) == {}
    (name,) = settings
    assert f"{name} = " in caplog.text
    assert "has no effect" in caplog.text


def test_connections_of_any_name_are_accepted_in_silence(caplog) -> None:
    assert changed({"connections": {"outputExposure": "postISRCCD2"}, "binning.connections.inputName": "x"}) == {}
    assert caplog.messages == []
