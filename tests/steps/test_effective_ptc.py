"""Which gain and noise later steps use."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from isrflow.calibs.ptc import PhotonTransferCurve
from isrflow.errors import CalibrationMismatch
from isrflow.kernels.overscan import OverscanFit
from isrflow.steps.byproducts import AmplifierOverscan, OverscanFits
from isrflow.steps.effective_ptc import EffectivePtcConfig, find_effective_ptc
from tests.steps.tinyraw import raw

PTC = PhotonTransferCurve(
    amp_names=("L", "R"),
    gain={"L": 1.7, "R": float("nan")},
    noise={"L": 6.0, "R": -1.0},
    turnoff={"L": 5e4, "R": float("nan")},
)


def test_by_default_the_camera_speaks() -> None:
    exposure = raw()
    found = find_effective_ptc(exposure, EffectivePtcConfig())
    assert (found.gain_electron_per_adu, found.noise_electron) == ({"L": 2.0, "R": 2.0}, {"L": 4.0, "R": 4.0})
    assert found.turnoff_adu == {"L": 2e19, "R": 2e19}
    assert exposure.header["LSST ISR GAIN L"] == exposure.header["LSST GAIN L"] == 2.0
    assert exposure.header["LSST ISR READNOISE R"] == 4.0
    sources = exposure.header["LSST ISR GAIN SOURCE"], exposure.header["LSST ISR NOISE SOURCE"]
    assert sources == ("amp", "amp")


def test_numbers_of_the_curve_that_are_not_positive_become_one(caplog) -> None:
    config = EffectivePtcConfig(use_ptc_gains=True, use_ptc_noise=True)
    with caplog.at_level(logging.WARNING):
        found = find_effective_ptc(raw(), config, ptc=PTC)
    assert found.gain_electron_per_adu == {"L": 1.7, "R": 1.0}
    assert found.noise_electron == {"L": 6.0, "R": 1.0}
    assert found.turnoff_adu == {"L": 5e4, "R": 2e19}
    assert "amplifier R: gain is nan" in caplog.text
    assert "amplifier R: read noise is -1.0" in caplog.text


def test_a_noise_of_zero_becomes_one_electron() -> None:
    found = find_effective_ptc(raw(left={"read_noise_electron": 0.0}), EffectivePtcConfig())
    assert found.noise_electron == {"L": 1.0, "R": 4.0}


def test_empirical_noise_is_that_of_the_overscan_in_electrons() -> None:
    fit = OverscanFit(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.5)
    config = EffectivePtcConfig(empirical_read_noise=True, use_ptc_noise=True)
    exposure = raw()
    found = find_effective_ptc(exposure, config, ptc=PTC, overscan=OverscanFits({"L": AmplifierOverscan(fit)}))
    assert found.noise_electron == {"L": 5.0, "R": 1.0}
    assert found.noise_source == {"L": "serial overscan", "R": "ptc"}


def test_single_precision_is_a_number() -> None:
    exposure = raw(left={"gain_electron_per_adu": np.float32(1.5)})
    assert find_effective_ptc(exposure, EffectivePtcConfig()).gain_electron_per_adu["L"] == 1.5


def test_a_curve_is_demanded_when_its_numbers_are_wanted() -> None:
    assert EffectivePtcConfig().demands(None) == frozenset()
    assert EffectivePtcConfig(use_ptc_noise=True).demands(None) == {"ptc"}


def test_amplifiers_the_curve_lacks_are_named() -> None:
    curve = PhotonTransferCurve(amp_names=("L",), gain={"L": 1.7})
    with pytest.raises(CalibrationMismatch, match="no gain of amplifiers R"):
        find_effective_ptc(raw(), EffectivePtcConfig(use_ptc_gains=True), ptc=curve)
