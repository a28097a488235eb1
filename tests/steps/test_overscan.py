"""Overscan correction of raw mosaics: geometry, cards, and what is passed over. The models: tests/kernels."""

from __future__ import annotations

import numpy as np
import pytest

from isrflow.errors import ConfigError, GeometryError
from isrflow.frame.box import Box
from isrflow.frame.mask import mask_bits
from isrflow.steps.byproducts import BadAmplifiers
from isrflow.steps.overscan import OverscanConfig, mask_parallel_overscan, subtract_overscan
from tests.steps.tinyraw import raw, trimmed

ROWS = np.arange(5, dtype=np.float32)[:, np.newaxis]
SAT, BAD = mask_bits("SAT"), mask_bits("BAD")


def test_each_amplifier_loses_its_own_level() -> None:
    exposure = raw()
    exposure.image[:, :6], exposure.image[:, 6:] = 100, 200
    exposure.image[:4, 1:4] += 7
    fits = subtract_overscan(exposure, OverscanConfig(fit_type="MEAN"))
    assert (exposure.image[:4, 1:4] == 7).all()
    assert (exposure.image[:4, 7:10] == 0).all()
    assert exposure.image[0, 0] == 100  # the prescan is no part of it
    assert {name: fit.serial.mean for name, fit in fits.amplifiers.items()} == {"L": 100.0, "R": 200.0}
    assert not exposure.variance.any()


def test_cards_tell_model_and_residuals() -> None:
    exposure = raw(50)
    exposure.image[:, 5] = 52
    subtract_overscan(exposure, OverscanConfig(fit_type="MEAN"))
    assert exposure.header["LSST ISR OVERSCAN SERIAL MEAN L"] == 51.0
    assert exposure.header["LSST ISR OVERSCAN SERIAL STDEV L"] == 0.0
    assert exposure.header["LSST ISR OVERSCAN RESIDUAL SERIAL MEDIAN L"] == 0.0
    assert exposure.header["LSST ISR OVERSCAN SERIAL UNITS"] == "adu"
    assert exposure.header["OVERSCAN"] == "Overscan corrected"
    assert not any("PARALLEL" in card for card in exposure.header)


def test_rows_and_then_columns_are_flattened() -> None:
    columns = np.arange(12, dtype=np.float32)
    exposure = raw()
    exposure.image[:] = 100 + 3 * ROWS + columns
    config = OverscanConfig(fit_type="MEAN_PER_ROW", as_integers=False, parallel=True)
    fits = subtract_overscan(exposure, config)
    np.testing.assert_allclose(exposure.image[:5, 1:4], 0, atol=2e-5)  # the parallel overscan too
    np.testing.assert_allclose(fits.amplifiers["L"].serial.model, 104.5 + 3 * ROWS[:, 0])
    np.testing.assert_allclose(fits.amplifiers["L"].parallel.model, [-3.5, -2.5, -1.5])
    assert exposure.header["LSST ISR OVERSCAN PARALLEL MEAN L"] == pytest.approx(-2.5)


def test_sensors_read_along_columns_are_recognised_by_their_geometry() -> None:
    turned = {
        "raw_serial_overscan": Box(1, 4, 3, 1),
        "raw_parallel_overscan": Box(4, 0, 2, 4),
    }
    exposure = raw(0, left=turned)
    exposure.image[:] = 100 + 10 * np.arange(12) + ROWS
    config = OverscanConfig(fit_type="MEAN_PER_ROW", as_integers=False, parallel=True)
    fit = subtract_overscan(exposure, config).amplifiers["L"]
    np.testing.assert_allclose(fit.serial.model, 104 + 10 * np.arange(1, 6))  # one value a column, over both
    np.testing.assert_allclose(fit.parallel.model, [-4, -3, -2, -1])
    np.testing.assert_allclose(exposure.image[:4, 1:4], 0, atol=1e-5)


def test_leading_columns_are_those_next_to_the_picture() -> None:
    exposure = raw(0)
    exposure.image[:, 4], exposure.image[:, 5] = 10, 20
    fits = subtract_overscan(exposure, OverscanConfig(fit_type="MEAN", skip_leading_columns=1))
    assert fits.amplifiers["L"].serial.model == 20.0
    exposure = raw(0, left={"raw_data": Box(3, 0, 3, 4), "raw_serial_overscan": Box(0, 0, 2, 4)})
    exposure.image[:, 0], exposure.image[:, 1] = 10, 20
    fits = subtract_overscan(exposure, OverscanConfig(fit_type="MEAN", skip_leading_columns=1))
    assert fits.amplifiers["L"].serial.model == 10.0


def test_bad_amplifiers_and_those_without_overscan_are_passed_over() -> None:
    exposure = raw(100, left={"raw_serial_overscan": Box(0, 0, 0, 0)})
    fits = subtract_overscan(exposure, OverscanConfig(), bad_amplifiers=BadAmplifiers(frozenset({"R"})))
    assert fits.amplifiers == {}
    assert (exposure.image == 100).all()


def test_a_bleeding_parallel_overscan_is_marked_in_all_amplifiers() -> None:
    exposure = raw(0)
    exposure.image[4, 8] = 500
    exposure.mask[4, 9] = BAD
    config = OverscanConfig(parallel_mask_threshold_adu=500, parallel_mask_grow_px=1)
    mask_parallel_overscan(exposure, exposure.detector.amplifiers, config)
    assert exposure.mask[4].tolist() == [0, SAT, SAT, SAT, 0, 0, 0, SAT, SAT, SAT | BAD, 0, 0]
    assert not exposure.mask[:4].any()


def test_the_deviation_is_in_adu_even_for_electrons() -> None:
    exposure = raw(0)
    exposure.unit = "electron"
    exposure.header["LSST ISR GAIN L"] = 3.0
    exposure.image[0, [4, 10]] = 2500  # 833 adu with the gain of 3 in the header, 1250 with the amplifier's 2
    subtract_overscan(exposure, OverscanConfig())
    assert np.argwhere(exposure.mask == BAD).tolist() == [[0, 10]]


def test_nothing_can_be_learned_from_a_trimmed_picture() -> None:
    with pytest.raises(GeometryError, match="trimmed already"):
        subtract_overscan(trimmed(), OverscanConfig())
    exposure = raw()
    exposure.detector = None
    with pytest.raises(GeometryError, match="exposure 7 has no detector"):
        subtract_overscan(exposure, OverscanConfig())


def test_skipping_all_of_an_overscan_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"skipping 1 \+ 1 lines leaves nothing"):
        subtract_overscan(raw(), OverscanConfig(skip_leading_columns=1, skip_trailing_columns=1))
