"""Rough zero points."""

from __future__ import annotations

import logging
import math
from dataclasses import replace

import pytest

from isrflow.steps.zero_point import ZeroPointConfig, set_zero_point
from tests.steps.tinyraw import trimmed


def exposed(seconds: float, physical_filter: str | None = "r"):
    exposure = trimmed()
    exposure.obs = replace(exposure.obs, exposure_time_s=seconds, physical_filter=physical_filter)
    return exposure


def test_the_default_is_magnitude_28_for_one_count_a_second() -> None:
    exposure = exposed(30.0)
    set_zero_point(exposure, ZeroPointConfig())
    assert exposure.zero_point.magnitude == pytest.approx(28 + 2.5 * math.log10(30))  # 31.69
    assert exposure.zero_point.njy_per_count == pytest.approx(3.6307805477010024e12 / (10**11.2 * 30))


@pytest.mark.parametrize(("physical_filter", "counts"), [("r", 3e10), ("g", 6e10), (None, 9e10)])
def test_the_filter_decides(physical_filter, counts) -> None:
    config = ZeroPointConfig(counts_per_s_at_mag0={"r": 1e9, "Unknown": 3e9}, default_counts_per_s_at_mag0=2e9)
    exposure = exposed(30.0, physical_filter)
    set_zero_point(exposure, config)
    assert exposure.zero_point.counts_at_mag0 == pytest.approx(counts, rel=1e-15)


@pytest.mark.parametrize(
    ("seconds", "level"), [(0.0, logging.DEBUG), (-1.0, logging.WARNING), (math.nan, logging.WARNING)]
)
def test_without_exposure_time_there_is_none(seconds, level, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    exposure = exposed(seconds)
    set_zero_point(exposure, ZeroPointConfig())
    assert exposure.zero_point is None
    assert [record.levelno for record in caplog.records] == [level]


def test_rates_are_positive() -> None:
    with pytest.raises(ValueError, match="greater than 0"):
        ZeroPointConfig(counts_per_s_at_mag0={"r": 0.0})
