"""The checks and levels that only the newer order has, on pictures small enough to calculate by hand."""

import logging
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isrflow.calibs.defects import Defects
from isrflow.calibs.gain_correction import GainCorrection
from isrflow.calibs.linearizer import Linearizer
from isrflow.calibs.ptc import PhotonTransferCurve
from isrflow.errors import CalibrationMismatch, GeometryError, MissingCalibrations, UnprocessableError
from isrflow.frame.box import Box
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.frame.obs import Observation
from isrflow.kernels.overscan import OverscanFit
from isrflow.steps.amplifier_noise import AmplifierNoiseConfig, check_amplifier_noise
from isrflow.steps.bias_voltage import BiasVoltageConfig, check_bias_voltage
from isrflow.steps.byproducts import AmplifierOverscan, BadAmplifiers, EffectivePtc, OverscanFits
from isrflow.steps.dither import DitherConfig, dither_counts
from isrflow.steps.full_amplifiers import FullAmplifiersConfig, mask_full_amplifiers
from isrflow.steps.gain_correction import GainCorrectionConfig, correct_gains
from isrflow.steps.gain_source import GainSourceConfig, find_gains
from isrflow.steps.overscan_level import OverscanLevelConfig, check_overscan_levels
from isrflow.steps.read_noise import ReadNoiseConfig, measure_read_noise
from isrflow.steps.saturation_levels import SaturationLevelsConfig, mask_above_levels
from tests.steps.tinyraw import raw, trimmed

BAD, SAT, SUSPECT = mask_bits("BAD"), mask_bits("SAT"), mask_bits("SUSPECT")
LEFT, RIGHT = np.s_[:, :6], np.s_[:, 6:]


def curve(**fields) -> EffectivePtc:
    usual = {
        "gain_electron_per_adu": {"L": 2.0, "R": 3.0},
        "noise_electron": {"L": 4.0, "R": 5.0},
        "turnoff_adu": {"L": 100.0, "R": 200.0},
    }
    return EffectivePtc(**{**usual, **fields})


def fits(**by_amplifier: tuple[float, float]) -> OverscanFits:
    """Serial fits as (median of the model, deviation of what is left)."""
    made = {
        name: AmplifierOverscan(OverscanFit(0.0, median, median, 0.0, 0.0, 0.0, sigma))
        for name, (median, sigma) in by_amplifier.items()
    }
    return OverscanFits(made)


def ptc(**fields) -> PhotonTransferCurve:
    usual = {"gain": {"L": 2.0, "R": 3.0}, "noise": {"L": 4.0, "R": 5.0}, "turnoff": {"L": 100.0, "R": 200.0}}
    return PhotonTransferCurve(**{**usual, **fields})


# --- bias voltage ------------------------------------------------------------------------------------------------


def with_cards(**cards) -> Exposure:
    exposure = raw()
    exposure.header |= cards
    return exposure


def test_an_exposure_with_voltage_passes() -> None:
    check_bias_voltage(with_cards(BSSVBS=50.0, HVBIAS="ON"), BiasVoltageConfig())


@pytest.mark.parametrize("cards", [{"BSSVBS": 4.9, "HVBIAS": "ON"}, {"BSSVBS": 50.0, "HVBIAS": "OFF"}])
def test_an_exposure_without_voltage_is_refused(cards) -> None:
    with pytest.raises(UnprocessableError, match=r"back-side bias was .* V, supply O"):
        check_bias_voltage(with_cards(**cards), BiasVoltageConfig())
    check_bias_voltage(with_cards(**cards), BiasVoltageConfig(minimum_v=0.0))


@pytest.mark.parametrize(
    ("cards", "absent"),
    [({}, "BSSVBS"), ({"BSSVBS": math.nan, "HVBIAS": "OFF"}, "BSSVBS"), ({"BSSVBS": 0.0}, "HVBIAS")],
)
def test_a_voltage_that_is_not_stated_is_warned_of_and_not_checked(cards, absent, caplog) -> None:
    check_bias_voltage(with_cards(**cards), BiasVoltageConfig())
    assert f"card {absent} is missing" in caplog.text


# --- dither ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "low"), [("SYMMETRIC", -0.5), ("POSITIVE", 0.0), ("NEGATIVE", -1.0)])
def test_dithering_adds_the_numbers_of_the_generator_seeded_with_the_id(mode, low) -> None:
    exposure = raw(10.0)
    dither_counts(exposure, DitherConfig(mode=mode))
    numbers = np.random.RandomState(7).uniform(low, low + 1.0, (5, 12))
    assert np.array_equal(exposure.image, (10.0 + numbers).astype(np.float32))


def test_only_the_lower_32_bits_of_the_id_count_and_a_missing_id_is_warned_of(caplog) -> None:
    long_id, short_id, no_id = raw(), raw(), raw()
    long_id.obs, no_id.obs = Observation(exposure_id=7 + 2**32), Observation()
    for exposure in (long_id, short_id, no_id):
        dither_counts(exposure, DitherConfig())
    assert np.array_equal(long_id.image, short_id.image)
    assert "has no id: it is dithered with the numbers of seed 12345" in caplog.text


@given(st.integers(1, 200), st.integers(1, 7))
def test_dithering_in_blocks_of_rows_draws_the_same_numbers(n_rows, n_columns) -> None:
    image = np.zeros((n_rows, n_columns), np.float32)
    planes = np.zeros(image.shape, np.int32), np.zeros(image.shape, np.float32)
    exposure = Exposure(image, *planes, obs=Observation(exposure_id=3))
    dither_counts(exposure, DitherConfig())
    assert np.array_equal(image, np.random.RandomState(3).uniform(-0.5, 0.5, image.shape).astype(np.float32))


def test_a_detector_may_be_left_undithered() -> None:
    exposure = raw(1.0)
    dither_counts(exposure, DitherConfig(exceptions={"T": {"mode": "NONE"}}))
    assert np.all(exposure.image == 1.0)


# --- gains -------------------------------------------------------------------------------------------------------


def test_gains_come_from_the_curve_and_are_noted_with_turnoffs_in_electrons() -> None:
    exposure = raw()
    found = find_gains(exposure, GainSourceConfig(), ptc=ptc(overscan_median={"L": 7.0}))
    assert found.gain_electron_per_adu == {"L": 2.0, "R": 3.0}
    assert found.overscan_median_adu is not None
    assert found.overscan_median_adu["L"] == 7.0
    assert exposure.header["LSST ISR PTCTURNOFF R"] == 600.0
    assert exposure.header["LSST ISR GAIN SOURCE"] == "PTC"
    assert exposure.header["LSST ISR BOOTSTRAP"] is False


def test_gains_of_the_linearizer_come_without_noise_until_it_is_measured() -> None:
    exposure = raw()
    given = Linearizer(
        linearity_type={"L": "None", "R": "None"},
        input_gain={"L": 1.5, "R": 1.25},
        input_turnoff={"L": 10.0, "R": 20.0},
    )
    found = find_gains(exposure, GainSourceConfig(source="LINEARIZER"), linearizer=given)
    assert found.noise_electron == {"L": 0.0, "R": 0.0}
    measured = measure_read_noise(exposure, ReadNoiseConfig(), effective_ptc=found, overscan=fits(L=(0.0, 4.0)))
    assert measured.noise_electron == {"L": 6.0, "R": 0.0}
    assert exposure.header["LSST ISR READNOISE L"] == 6.0


def test_noise_that_is_known_is_not_measured() -> None:
    exposure = raw()
    found = find_gains(exposure, GainSourceConfig(), ptc=ptc())
    again = measure_read_noise(exposure, ReadNoiseConfig(), effective_ptc=found, overscan=fits(L=(0.0, 9.0)))
    assert again.noise_electron == {"L": 4.0, "R": 5.0}


def test_bootstrapping_takes_one_for_every_gain_and_ignores_a_curve(caplog) -> None:
    exposure = raw()
    found = find_gains(exposure, GainSourceConfig(bootstrap=True), ptc=ptc())
    assert found.is_placeholder
    assert found.gain_electron_per_adu == {"L": 1.0, "R": 1.0}
    assert exposure.header["LSST ISR PTCTURNOFF L"] == math.inf
    assert exposure.header["LSST ISR BOOTSTRAP"] is True
    assert "the photon transfer curve given is not used" in caplog.text


def test_a_gain_of_the_settings_goes_before_and_leaves_the_curve_alone(caplog) -> None:
    given = ptc()
    config = GainSourceConfig(exceptions={"T/R": {"gain_electron_per_adu": 9.0}})
    found = find_gains(raw(), config, ptc=given)
    assert found.gain_electron_per_adu == {"L": 2.0, "R": 9.0}
    assert given.gain == {"L": 2.0, "R": 3.0}
    assert "amplifier R: gain 9" in caplog.text


def test_a_missing_source_and_missing_amplifiers_are_refused() -> None:
    with pytest.raises(MissingCalibrations, match="gains are to come from the ptc"):
        find_gains(raw(), GainSourceConfig())
    with pytest.raises(CalibrationMismatch, match="lacks amplifiers R"):
        find_gains(raw(), GainSourceConfig(), ptc=PhotonTransferCurve(gain={"L": 1.0}))
    assert GainSourceConfig().demands(None) == {"ptc"}
    assert GainSourceConfig(source="LINEARIZER").demands(None) == {"linearizer"}
    assert GainSourceConfig(bootstrap=True).demands(None) == set()


def test_gain_corrections_make_new_gains_and_touch_neither_curve_nor_noise() -> None:
    exposure, before = raw(), curve()
    after = correct_gains(
        exposure, GainCorrectionConfig(), effective_ptc=before, gain_correction=GainCorrection(adjustments={"R": 1.5})
    )
    assert before.gain_electron_per_adu == {"L": 2.0, "R": 3.0}
    assert after.gain_electron_per_adu == {"L": 2.0, "R": 4.5}
    assert after.noise_electron == before.noise_electron
    assert exposure.header["LSST ISR PTCTURNOFF R"] == 900.0
    assert exposure.header["LSST ISR GAINCORRECTION APPLIED"] is True


def test_without_a_gain_correction_nothing_happens() -> None:
    exposure, before = raw(), curve()
    assert correct_gains(exposure, GainCorrectionConfig(), effective_ptc=before) is before
    assert exposure.header == {}


# --- amplifiers that are bad as a whole --------------------------------------------------------------------------


def test_an_amplifier_in_one_box_or_without_gain_is_bad_as_a_whole() -> None:
    exposure = raw()
    defects = Defects(boxes=(Box(0, 0, 3, 4),))
    bad = mask_full_amplifiers(exposure, FullAmplifiersConfig(), defects=defects, effective_ptc=curve())
    assert bad.names == {"L"}
    assert np.all(exposure.mask[LEFT] == BAD)
    assert np.all(exposure.mask[RIGHT] == 0)
    exposure = raw()
    gains = curve(gain_electron_per_adu={"L": 2.0, "R": math.nan})
    assert mask_full_amplifiers(exposure, FullAmplifiersConfig(), effective_ptc=gains).names == {"R"}
    assert np.all(exposure.mask[RIGHT] == BAD)


def test_two_boxes_that_cover_an_amplifier_together_do_not_make_it_bad() -> None:
    defects = Defects(boxes=(Box(0, 0, 2, 4), Box(2, 0, 1, 4)))
    assert mask_full_amplifiers(raw(), FullAmplifiersConfig(), defects=defects).names == set()


def test_a_missing_gain_does_not_matter_where_none_is_needed() -> None:
    gains = curve(gain_electron_per_adu={"L": 2.0, "R": math.nan})
    found = mask_full_amplifiers(raw(), FullAmplifiersConfig(without_gain=False), effective_ptc=gains)
    assert found.names == set()


def test_an_exposure_without_a_good_amplifier_is_refused_unless_told_otherwise() -> None:
    everything = Defects(boxes=(Box(0, 0, 6, 4),))
    with pytest.raises(UnprocessableError, match="all amplifiers are bad"):
        mask_full_amplifiers(raw(), FullAmplifiersConfig(), defects=everything)
    assert mask_full_amplifiers(raw(), FullAmplifiersConfig(refuse_all_bad=False), defects=everything).names == {
        "L",
        "R",
    }


# --- levels ------------------------------------------------------------------------------------------------------


def test_pixels_at_the_turnoff_are_saturated_and_suspect_overscans_included() -> None:
    exposure = raw(0.0)
    exposure.image[0, 0], exposure.image[1, 2], exposure.image[2, 7] = 100.0, 99.9, 199.0
    bad = mask_above_levels(exposure, SaturationLevelsConfig(), effective_ptc=curve())
    assert bad.names == set()
    assert exposure.mask[0, 0] == SAT | SUSPECT
    assert np.count_nonzero(exposure.mask) == 1
    assert exposure.header["LSST ISR SATURATION LEVEL L"] == 100.0
    assert exposure.header["LSST ISR SUSPECT LEVEL R"] == 200.0


def test_levels_come_from_the_camera_from_settings_or_from_nowhere() -> None:
    exposure = raw(900.0)
    config = SaturationLevelsConfig(
        source="NONE",
        suspect_source="CAMERAMODEL",
        exceptions={"*/R": {"level_adu": 850.0}, "T": {}},
        refuse_all_bad=False,
    )
    assert mask_above_levels(exposure, config).names == {"L", "R"}  # all of both is suspect: no pixel is left
    assert np.all(exposure.mask[RIGHT] & SAT)
    assert not np.any(exposure.mask[LEFT] & SAT)
    assert exposure.header["LSST ISR SATURATION LEVEL L"] == math.inf
    assert exposure.header["LSST ISR SATURATION LEVEL R"] == 850.0
    assert exposure.header["LSST ISR SUSPECT LEVEL L"] == 800.0


def test_a_fully_saturated_amplifier_becomes_bad_and_bad_ones_are_passed_over() -> None:
    exposure = raw(0.0)
    exposure.image[LEFT] = 500.0
    exposure.image[RIGHT] = 500.0
    known = BadAmplifiers(frozenset({"R"}))
    config = SaturationLevelsConfig(refuse_all_bad=False)
    bad = mask_above_levels(exposure, config, effective_ptc=curve(), bad_amplifiers=known)
    assert bad.names == {"L", "R"}
    assert np.all(exposure.mask[:4, 1:4] & BAD)  # the light-sensitive pixels
    assert not exposure.mask[0, 0] & BAD
    assert np.all(exposure.mask[RIGHT] == 0)
    assert "LSST ISR SATURATION LEVEL R" not in exposure.header


def test_a_turnoff_that_is_not_known_marks_nothing() -> None:
    exposure = raw(1e6)
    ptc_ = curve(turnoff_adu={"L": math.nan, "R": math.inf})
    mask_above_levels(exposure, SaturationLevelsConfig(), effective_ptc=ptc_)
    assert not exposure.mask.any()


def test_levels_are_refused_where_they_do_not_hold() -> None:
    electrons = raw()
    electrons.unit = "electron"
    for exposure, message in ((electrons, "in electrons already"), (trimmed(), "trimmed already")):
        with pytest.raises(GeometryError, match=message):
            mask_above_levels(exposure, SaturationLevelsConfig(), effective_ptc=curve())
    with pytest.raises(GeometryError, match="turnoffs, which are not known"):
        mask_above_levels(raw(), SaturationLevelsConfig())


# --- checks ------------------------------------------------------------------------------------------------------


def test_an_amplifier_off_its_level_is_bad() -> None:
    exposure = raw()
    usual = curve(overscan_median_adu={"L": 100.0, "R": 100.0}, overscan_median_sigma_adu={"L": 2.0, "R": 2.0})
    overscan = fits(L=(110.1, 0.0), R=(90.0, 0.0))
    bad = check_overscan_levels(exposure, OverscanLevelConfig(), effective_ptc=usual, overscan=overscan)
    assert bad.names == {"L"}  # 5.05 sigma; the other is exactly 5 off
    assert np.all(exposure.mask[LEFT] == BAD)
    assert exposure.header["LSST ISR OVERSCANLEVEL CHECKED"] is True


def test_levels_that_are_not_known_are_warned_of_once(caplog) -> None:
    usual = curve(overscan_median_adu={"L": math.nan}, overscan_median_sigma_adu={"L": 1.0})
    bad = check_overscan_levels(raw(), OverscanLevelConfig(), effective_ptc=usual, overscan=fits(L=(1.0, 0.0)))
    assert bad.names == set()
    assert "usual overscan levels are not known of L, R" in caplog.text


def test_a_noisy_amplifier_is_bad_by_calibration_or_by_its_overscan() -> None:
    exposure = raw()
    noisy = curve(noise_electron={"L": 25.1, "R": 1.0})
    # R: a deviation of 9 adu at 3 electron/adu is 27 electrons
    config, overscan = AmplifierNoiseConfig(refuse_all_bad=False), fits(L=(0.0, 1.0), R=(0.0, 9.0))
    assert check_amplifier_noise(exposure, config, effective_ptc=noisy, overscan=overscan).names == {"L", "R"}
    assert np.all(exposure.mask == BAD)
    assert exposure.header["LSST ISR NOISE CHECKED"] is True


def test_noise_at_the_limit_or_unknown_is_accepted() -> None:
    ptc_ = curve(noise_electron={"L": 25.0, "R": math.nan})
    known = BadAmplifiers(frozenset({"L"}))
    overscan = fits(L=(0.0, math.nan))
    found = check_amplifier_noise(
        raw(), AmplifierNoiseConfig(), effective_ptc=ptc_, overscan=overscan, bad_amplifiers=known
    )
    assert found.names == {"L"}


def test_checks_refuse_trimmed_pictures() -> None:
    with pytest.raises(GeometryError, match="is trimmed already"):
        check_amplifier_noise(trimmed(), AmplifierNoiseConfig(), effective_ptc=curve())
    with pytest.raises(GeometryError, match="is trimmed already"):
        check_overscan_levels(trimmed(), OverscanLevelConfig(), effective_ptc=curve())


@pytest.fixture(autouse=True)
def _all_messages(caplog) -> None:
    caplog.set_level(logging.INFO)
