"""The newer order as a whole: its order, what excludes each other, and the truth of the simulator recovered."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from isrflow.errors import ConfigError, MissingCalibrations, StepError, UnprocessableError
from isrflow.frame.camera import load_camera
from isrflow.frame.mask import mask_bits
from isrflow.recipe_lsst import IsrLsstConfig
from isrflow.run import run_isr
from isrflow.simulate import make_signature, night_shots, simulate_exposure, true_calibrations
from isrflow.steps.byproducts import EffectivePtc
from isrflow.task.isr_task_lsst import IsrTaskLSST

CAMERA = load_camera("lupine")
DETECTOR = CAMERA.detectors[1]
RECIPE = IsrLsstConfig.layered(CAMERA.recipe_lsst, {"binned.enabled": False})
SHOT = night_shots(CAMERA, 20260301, first_seq=20)[1]
BOOTSTRAP = {
    "gain_source.bootstrap": True,
    "electrons.enabled": False,
    "gain_correction.enabled": False,
    "amplifier_noise.enabled": False,
    "saturation.source": "CAMERAMODEL",
    "saturation.suspect_source": "NONE",
}


def test_the_order_is_that_of_the_reference() -> None:
    assert [row.name for row in IsrLsstConfig.rows] == [
        *("header", "comparison", "bias_voltage", "gain_source", "convert", "full_amplifiers", "dither"),
        *("overscan_serial", "kept_overscan", "read_noise", "saturation", "gain_correction", "electrons", "crosstalk"),
        *("overscan_level", "amplifier_noise", "overscan_parallel", "linearity", "deferred_charge", "untrimmed"),
        *("assembly", "e2v_edge_bleed", "itl_dip", "itl_saturation", "bias", "dark", "defects", "nonfinite", "trails"),
        *("brighter_fatter", "electrostatic", "variance", "flat", "before_interpolation", "bad_regions"),
        *("interpolation", "amp_offsets", "statistics", "isr_statistics", "binned"),
    ]


def test_the_defaults_need_what_the_reference_needs() -> None:
    required = {kind for kind, is_required in IsrLsstConfig().needs(DETECTOR).items() if is_required}
    assert required == {"ptc", "crosstalk", "linearizer", "deferred_charge", "bias", "dark", "defects", "bfk", "flat"}
    bootstrap = IsrLsstConfig.layered(BOOTSTRAP).needs(DETECTOR)
    assert not bootstrap["ptc"]


# --- what excludes each other ------------------------------------------------------------------------------------


def test_bootstrapping_is_possible_once_everything_that_needs_gains_is_off() -> None:
    assert IsrLsstConfig.layered(BOOTSTRAP).gain_source.bootstrap


@pytest.mark.parametrize("setting", [name for name in BOOTSTRAP if name != "gain_source.bootstrap"])
def test_bootstrapping_excludes_each_step_that_needs_gains(setting) -> None:
    rest = {name: value for name, value in BOOTSTRAP.items() if name != setting}
    with pytest.raises(ConfigError, match=f"there are no gains yet, so set {setting}="):
        IsrLsstConfig.layered(rest)


def test_bootstrapping_excludes_what_is_off_by_default_too() -> None:
    with pytest.raises(ConfigError, match=r"crosstalk.quadratic=false, overscan_level.enabled=false"):
        IsrLsstConfig.layered(BOOTSTRAP, {"crosstalk.quadratic": True, "overscan_level.enabled": True})


def test_masks_that_grow_from_saturated_pixels_need_these_marked() -> None:
    with pytest.raises(ConfigError, match=r"so set e2v_edge_bleed.enabled=false, itl_saturation.mask_edge_bleed=false"):
        IsrLsstConfig.layered({"saturation.mask_saturated": False})
    with pytest.raises(ValidationError, match="saturation marks no saturated pixels"):
        IsrLsstConfig(saturation={"enabled": False})
    without = {"saturation.enabled": False, "e2v_edge_bleed.enabled": False, "itl_saturation.enabled": False}
    assert not IsrLsstConfig.layered(without).saturation.enabled


def test_without_gains_levels_come_from_elsewhere_and_the_rest_makes_do() -> None:
    with pytest.raises(ConfigError, match=r"so set saturation.source=CAMERAMODEL or NONE, saturation.suspect_source="):
        IsrLsstConfig().without(["gain_source"])
    off = [
        "gain_source",
        "crosstalk",
        "linearity",
        "deferred_charge",
        "bias",
        "dark",
        "defects",
        "brighter_fatter",
        "flat",
    ]
    levels = {"saturation.source": "CAMERAMODEL", "saturation.suspect_source": "NONE", "bias_voltage.enabled": False}
    recipe = IsrLsstConfig.layered(levels).without(off)
    raw, _ = simulate_exposure(CAMERA, DETECTOR, SHOT, signature=make_signature(CAMERA, DETECTOR))
    exposure = run_isr(raw, {}, recipe).exposure
    assert exposure.unit == "electron"  # by the gains of the camera's description
    assert exposure.header["LSST ISR NOISE CHECKED"] is True


# --- settings under LSST's names ---------------------------------------------------------------------------------


def test_thresholds_that_are_infinite_switch_their_checks_off() -> None:
    recipe = IsrLsstConfig.from_lsst({"ampNoiseThreshold": "Infinity", "serialOverscanMedianShiftSigmaThreshold": 4.0})
    assert not recipe.amplifier_noise.enabled
    assert recipe.overscan_level.enabled
    assert recipe.overscan_level.threshold_sigma == 4.0


@pytest.mark.parametrize(
    ("method", "rows", "variant"),
    [
        ("COULTON18", {"brighter_fatter"}, False),
        ("COULTON18_FLUX_CONSERVING", {"brighter_fatter"}, True),
        ("ASTIER23", {"electrostatic"}, False),
        ("ASTIER23+FILTERCORRECTION", {"electrostatic"}, True),
    ],
)
def test_each_brighter_fatter_method_has_its_row(method, rows, variant) -> None:
    recipe = IsrLsstConfig.from_lsst({"brighterFatterCorrectionMethod": method})
    on = {name for name in ("brighter_fatter", "electrostatic") if getattr(recipe, name).enabled}
    assert on == rows
    assert (recipe.brighter_fatter.flux_conserving or recipe.electrostatic.by_filter) is variant


def test_rules_of_detectors_and_amplifiers_become_exceptions() -> None:
    amp_rule = {"doParallelOverscan": False, "saturation": 9.0}
    rules = {
        "overscanCamera.defaultDetectorConfig.defaultAmpConfig.serialOverscanConfig.fitType": "MEAN",
        "overscanCamera.defaultDetectorConfig.ampRules": {"C07": {"serialOverscanConfig": {"order": 2}}},
        "overscanCamera.detectorRules": {"R22": {"integerDitherMode": "NONE", "ampRules": {"C00": amp_rule}}},
    }
    recipe = IsrLsstConfig.from_lsst(rules)
    r22, other = DETECTOR.model_copy(update={"name": "R22"}), DETECTOR
    serial = recipe.overscan_serial
    assert serial.at(other, "C00").fit_type == "MEAN"
    # A rule is a whole configuration: what it leaves out has the reference's default, not that of the other detectors.
    assert (serial.at(other, "C07").fit_type, serial.at(other, "C07").order) == ("MEDIAN_PER_ROW", 2)
    assert (serial.at(r22, "C07").fit_type, serial.at(r22, "C07").order) == ("MEDIAN_PER_ROW", 1)
    assert recipe.dither.at(r22).mode == "NONE"
    assert recipe.dither.at(other).mode == "SYMMETRIC"
    assert not recipe.overscan_parallel.at(r22, "C00").use
    assert recipe.overscan_parallel.at(r22, "C07").use
    assert recipe.saturation.at(r22, "C00").level_adu == 9.0
    assert np.isnan(recipe.saturation.at(other, "C00").level_adu)


def test_a_row_is_on_if_any_rule_switches_it_on() -> None:
    off = {"overscanCamera.defaultDetectorConfig.defaultAmpConfig.doParallelOverscan": False}
    assert not IsrLsstConfig.from_lsst(off).overscan_parallel.enabled
    some = {"overscanCamera.detectorRules": {"R22": {"defaultAmpConfig": {"doParallelOverscan": True}}}}
    recipe = IsrLsstConfig.from_lsst(off | some)
    assert recipe.overscan_parallel.enabled
    assert not recipe.overscan_parallel.at(DETECTOR, "C00").use


def test_wrong_names_and_values_inside_rules_are_refused_with_their_place() -> None:
    rules = {"R22": {"ampRules": {"C00": {"serialOverscanConfig": {"order": -1}}}, "ditherMode": "NONE"}}
    with pytest.raises(
        ConfigError, match=r"no overscanCamera.detectorRules.R22..ditherMode.*order must be 0 or greater"
    ):
        IsrLsstConfig.from_lsst({"overscanCamera.detectorRules": rules})


# --- the truth ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def observed():
    """One science exposure of lupine with its truth, and its true calibrations in electrons."""
    signature = make_signature(CAMERA, DETECTOR)
    raw, truth = simulate_exposure(CAMERA, DETECTOR, SHOT, signature=signature)
    calibs = dict(true_calibrations(signature, SHOT.obs.physical_filter))
    for kind in ("bias", "dark"):
        picture = calibs[kind].exposure
        image, variance = picture.image * truth.gain, picture.variance * truth.gain**2
        calibs[kind] = replace(calibs[kind], exposure=replace(picture, image=image, variance=variance, unit="electron"))
    response = signature.response(SHOT.obs.physical_filter)  # in electrons a flat holds no gains
    calibs["flat"] = replace(calibs["flat"], exposure=replace(calibs["flat"].exposure, image=response))
    return raw, truth, calibs


@pytest.fixture(scope="module")
def corrected(observed):
    raw, _, calibs = observed
    return run_isr(raw, calibs, RECIPE, camera=CAMERA)


def good_sky(exposure, truth) -> np.ndarray:
    """Pixels of nothing but sky that are not masked."""
    marked = mask_bits(("BAD", "SAT", "SUSPECT", "INTRP", "CROSSTALK"))
    scene = truth.scene_electron
    return ((exposure.mask & marked) == 0) & (scene < 1.05 * np.median(scene)) & ~truth.cosmic_rays & ~truth.bled


def test_the_scene_comes_back_in_electrons(observed, corrected) -> None:
    _, truth, _ = observed
    exposure = corrected.exposure
    good = good_sky(exposure, truth)
    residual = (exposure.image - truth.scene_electron)[good].astype(np.float64)
    # A row's level is the median of 26 overscan pixels, known to 5 * 1.25/sqrt(26) = 1.2 electrons. An amplifier's
    # columns share the errors of the 10 rows of parallel overscan that are used: 1.2 * 1.25/sqrt(10) = 0.5 electrons an
    # amplifier, 0.25 the detector; the noise of a million pixels, 0.03, is small beside that.
    assert exposure.unit == "electron"
    assert good.mean() > 0.5
    assert abs(residual.mean()) < 5 * 0.25
    pulls = residual / np.sqrt(exposure.variance[good])
    assert pulls.std() == pytest.approx(1.0, abs=0.02)  # the row medians of the overscan are not in the variance


def test_every_amplifier_has_its_own_level_right(observed, corrected) -> None:
    _, truth, _ = observed
    good = good_sky(corrected.exposure, truth)
    for amp in DETECTOR.amplifiers:
        part = amp.box.slices()
        residual = (corrected.exposure.image - truth.scene_electron)[part][good[part]]
        assert abs(float(residual.mean(dtype=np.float64))) < 5 * 0.5  # as above


def test_the_curve_that_was_given_is_left_as_it_is(observed, corrected) -> None:
    raw, _, calibs = observed
    before = dict(calibs["ptc"].gain)
    run_isr(raw, calibs, RECIPE.override({"gain_source.exceptions": {"*/C00": {"gain_electron_per_adu": 2.0}}}))
    assert calibs["ptc"].gain == before
    assert corrected.get(EffectivePtc).gain_electron_per_adu == before


def test_the_result_does_not_depend_on_the_run(observed, corrected) -> None:
    raw, _, calibs = observed
    again = run_isr(raw, calibs, RECIPE, camera=CAMERA).exposure
    for plane in ("image", "mask", "variance"):
        assert np.array_equal(getattr(again, plane), getattr(corrected.exposure, plane), equal_nan=True)


# --- the task ----------------------------------------------------------------------------------------------------


def test_the_task_takes_the_names_of_the_reference(observed, corrected) -> None:
    raw, _, calibs = observed
    task = IsrTaskLSST(config=RECIPE)
    result = task.run(
        raw,
        **{kind: calibs[kind] for kind in ("ptc", "linearizer", "crosstalk", "bias", "dark", "flat")},
        defects=calibs["defects"],
    )
    assert np.array_equal(result.exposure.image, corrected.exposure.image)
    assert result.outputExposure is result.exposure
    assert result.preInterpExposure is None
    assert result.outputStatistics["CTI"] is None
    assert task.metadata["NUMNANS"] == 0


def test_the_task_takes_settings_under_lssts_names_and_lists_all_that_is_missing(observed) -> None:
    task = IsrTaskLSST(config={"doBrighterFatter": False, "doDeferredCharge": False})
    with pytest.raises(MissingCalibrations, match="Must supply linearizer, ptc, crosstalk, defects, dark, flat"):
        task.validateInput({"ccdExposure": observed[0], "bias": object()})


def test_the_task_says_what_no_settings_can_mend(observed) -> None:
    raw, _, calibs = observed
    dead = raw.copy()
    dead.header |= {"BSSVBS": 0.0, "HVBIAS": "OFF"}
    given = {kind: calibs[kind] for kind in ("ptc", "linearizer", "crosstalk", "bias", "dark", "flat", "defects")}
    with pytest.raises(UnprocessableError, match="back-side bias was 0 V, supply OFF"):
        IsrTaskLSST(config=RECIPE.override({"bias_voltage.enabled": True})).run(dead, **given)
    with pytest.raises(StepError, match="step crosstalk failed"):
        IsrTaskLSST(config=RECIPE.override({"crosstalk.quadratic": True})).run(raw.copy(), **given)
