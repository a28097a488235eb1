"""Measure how the readout behaved: charge left behind, bands, steps of the bias, torn borders, correlated amplifiers.

Nothing is corrected. All of it is off by default; what is wanted is switched on one by one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from isrflow.calibs.base import Calibration
from isrflow.calibs.bias import Bias
from isrflow.calibs.dark import Dark
from isrflow.calibs.defects import Defects
from isrflow.calibs.flat import Flat
from isrflow.calibs.stated import cards_of
from isrflow.errors import ConfigError
from isrflow.frame.camera import Amplifier
from isrflow.frame.exposure import Exposure
from isrflow.frame.stage import assembled_detector
from isrflow.kernels.bias_shift import BiasShifts, ShiftRules, find_bias_shifts
from isrflow.kernels.correlation import correlate
from isrflow.kernels.divisadero import Divisadero, column_response, measure_borders
from isrflow.kernels.level import LevelRule, Statistic
from isrflow.kernels.profiles import Banding, Projection, Window, banding_amplitude, project, summarize_banding
from isrflow.kernels.threads import map_in_threads
from isrflow.steps.byproducts import EffectivePtc, KeptOverscan, OverscanPixels, UntrimmedCopy
from isrflow.steps.step import ByProduct, StepConfig, at_amplifier
from isrflow.steps.transfer_levels import ChargeTransfer, TransferSources, measure_transfer

T = TypeVar("T")


class IsrStatisticsConfig(StepConfig):
    """What is measured."""

    enabled: bool = False
    """Whether the step is run."""
    charge_transfer: bool = False
    """Levels of the outer rows and columns and of the overscans, in electrons. With the row `untrimmed` of the raw
    mosaic, else (columns alone) with the kept overscans."""
    statistic: Statistic = "MEANCLIP"
    """How those levels are taken."""
    clip_sigma: float = Field(default=3.0, gt=0)
    """Clipping width of MEANCLIP."""
    clip_iterations: int = Field(default=3, ge=1)
    """Passes of MEANCLIP."""
    banding: bool = False
    """Spread of the row levels of each serial overscan."""
    banding_rows: int = Field(default=3, ge=1)
    """Rows that are averaged first."""
    banding_low: float = Field(default=0.1, ge=0, le=1)
    """Lower quantile of the spread."""
    banding_high: float = Field(default=0.9, ge=0, le=1)
    """Upper quantile of the spread."""
    banding_half_detector: bool = True
    """Take the detector's value from the first half of its amplifiers."""
    projections: bool = False
    """Mean row and mean column of each amplifier."""
    projection_px: int = Field(default=0, ge=0)
    """Pixels of the running mean along projections; 0 for none."""
    projection_spectra: bool = False
    """Fourier transforms of the projections, which then keep their length when smoothed."""
    spectrum_window: Window = "HAMMING"
    """Window of the Fourier transforms; GAUSSIAN ends at three standard deviations."""
    divisadero: bool = False
    """Response of the columns at amplifier borders, in flat light."""
    divisadero_edge_px: int = Field(default=25, ge=0)
    """Columns on each side that the line through an amplifier's response is not fitted to."""
    divisadero_impact_px: int = Field(default=2, ge=1)
    """Columns on each side that count as the border."""
    divisadero_first_row: int = Field(default=10, ge=0)
    """First row used, counted from the readout."""
    divisadero_last_row: int = Field(default=210, gt=0)
    """Row used last but one, counted from the readout."""
    calibration_distributions: bool = False
    """Copy the percentiles that the headers of bias, dark and flat state, and the counts that defects state."""
    distribution_percentiles: tuple[float, ...] = (0.0, 5.0, 16.0, 50.0, 84.0, 95.0, 100.0)
    """Which percentiles."""
    bias_shifts: bool = False
    """Steps of the bias in the rows of each serial overscan."""
    shift_filter_order: int = Field(default=5, ge=1)
    """Order of the high-pass filter that leaves the noise."""
    shift_cutoff: float = Field(default=1.0 / 15.0, gt=0, lt=1)
    """Its lower end, as a fraction of the Nyquist frequency."""
    shift_window_rows: int = Field(default=30, ge=2)
    """Rows on either side of a step that are looked at."""
    shift_threshold: float = Field(default=3.0, gt=0)
    """Smallest step, in units of the noise."""
    shift_skip_rows: int = Field(default=30, ge=0)
    """First rows that are not looked at."""
    shift_skip_columns: int = Field(default=3, ge=0)
    """First columns of the overscan that are left out."""
    amplifier_correlations: bool = False
    """Correlation of pixels and of serial overscans between all pairs of amplifiers."""


@dataclass(frozen=True, slots=True)
class Correlations:
    """Correlation coefficients; NaN for amplifiers whose overscan was not kept."""

    amplifiers: tuple[str, ...]
    present: frozenset[int]
    """Which of them have an overscan."""
    image: NDArray[np.float64]
    overscan: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class IsrStatistics(ByProduct):
    """What was measured, by amplifier name; None for what was not wanted."""

    mjd: float | None = None
    charge_transfer: Mapping[str, ChargeTransfer] | None = None
    banding: Banding | None = None
    projections: Mapping[str, Projection] | None = None
    calibration_distributions: Mapping[str, Mapping[str, float]] | None = None
    bias_shifts: Mapping[str, BiasShifts] | None = None
    correlations: Correlations | None = None
    divisadero: Mapping[str, Divisadero] | None = None


def measure_isr_statistics(
    exposure: Exposure,
    config: IsrStatisticsConfig,
    *,
    overscan: OverscanPixels | None = None,
    untrimmed: UntrimmedCopy | None = None,
    effective_ptc: EffectivePtc | None = None,
    bias: Bias | None = None,
    dark: Dark | None = None,
    flat: Flat | None = None,
    defects: Defects | None = None,
) -> IsrStatistics:
    """Measure what the settings ask for; the exposure is left untouched, and masks do not count.

    Parameters
    ----------
    exposure
        Assembled and corrected.
    config
        What is measured.
    overscan
        Serial overscans, kept by the row `kept_overscan`.
    untrimmed
        The raw mosaic, kept by the row `untrimmed`.
    effective_ptc
        Gains; else those of the header, else of the camera.
    bias, dark, flat, defects
        Only their headers are read.

    Raises
    ------
    GeometryError
        If the exposure has no detector or is not assembled.
    ConfigError
        If what is to be measured was not kept.
    ValueError
        If an amplifier is too small for what is asked.

    Notes
    -----
    Charge transfer is in electrons; bands, shifts and projections are in the unit of the pixels they are measured on
    (of the overscan: as it was read); responses and correlations have none. Formulas are those of
    `isrflow.kernels.profiles`, `.bias_shift`, `.divisadero`, `.charge_transfer` and `.correlation`.
    """
    detector = assembled_detector(exposure, "statistics are those of the amplifiers of a finished picture")
    mjd = exposure.header.get("MJD")
    look = _Look(exposure, detector.amplifiers, config, None if overscan is None else overscan.amplifiers)
    calibrations = {"BIAS": bias, "DARK": dark, "FLAT": flat, "DEFECTS": defects}
    return IsrStatistics(
        mjd=None if mjd is None else float(mjd),
        charge_transfer=_charge_transfer(look, untrimmed, effective_ptc) if config.charge_transfer else None,
        banding=_banding(look) if config.banding else None,
        projections=_projections(look) if config.projections else None,
        calibration_distributions=_distributions(look, calibrations) if config.calibration_distributions else None,
        bias_shifts=_bias_shifts(look) if config.bias_shifts else None,
        correlations=_correlations(look) if config.amplifier_correlations else None,
        divisadero=_divisadero(look) if config.divisadero else None,
    )


@dataclass(frozen=True, slots=True)
class _Look:
    """What every statistic starts from."""

    exposure: Exposure
    amplifiers: Sequence[Amplifier]
    config: IsrStatisticsConfig
    overscans: Mapping[str, KeptOverscan] | None

    def each(self, measure: Callable[[Amplifier], T]) -> dict[str, T]:
        """Measure every amplifier."""

        def named(amp: Amplifier) -> T:
            with at_amplifier(amp.name):
                return measure(amp)

        found = map_in_threads(named, self.amplifiers)
        return {amp.name: each for amp, each in zip(self.amplifiers, found, strict=True)}

    def kept(self) -> Mapping[str, KeptOverscan]:
        """Return the serial overscans, or raise `ConfigError` if there are none."""
        if self.overscans is None:
            raise ConfigError(
                f"{self.exposure.label}: these statistics need the pixels of the serial overscans, which were not kept",
                fix="--set kept_overscan.enabled=true",
            )
        return self.overscans


def _charge_transfer(
    look: _Look, untrimmed: UntrimmedCopy | None, ptc: EffectivePtc | None
) -> dict[str, ChargeTransfer]:
    config = look.config
    rule = LevelRule(config.statistic, config.clip_sigma, config.clip_iterations)
    sources = TransferSources(look.exposure, look.kept() if untrimmed is None else untrimmed.exposure, ptc)
    return look.each(lambda amp: measure_transfer(amp, sources, rule))


def _banding(look: _Look) -> Banding:
    config, kept = look.config, look.kept()

    def measure(amp: Amplifier) -> float:
        if amp.name not in kept:
            return math.nan
        return banding_amplitude(kept[amp.name].pixels, config.banding_rows, config.banding_low, config.banding_high)

    return summarize_banding(look.each(measure), first_half=config.banding_half_detector)


def _projections(look: _Look) -> dict[str, Projection]:
    config = look.config
    window = config.spectrum_window if config.projection_spectra else None
    return look.each(lambda amp: project(look.exposure.amp(amp).image, config.projection_px, window))


def _distributions(look: _Look, calibrations: Mapping[str, Calibration | None]) -> dict[str, dict[str, float]]:
    """Copy cards of calibrations, amplifier by amplifier; a percentile that is not stated is NaN."""
    stated = {name: cards_of(calib) or {} for name, calib in calibrations.items() if calib is not None}
    counts = stated.pop("DEFECTS", {})
    copied: dict[str, dict[str, float]] = {}
    for amp in look.amplifiers:
        ends = [f"{amp.name} DISTRIBUTION {p}-PCT" for p in look.config.distribution_percentiles]
        keys = [(cards, f"LSST CALIB {name} {end}") for name, cards in stated.items() for end in ends]
        copied[amp.name] = {key: float(cards.get(key, math.nan)) for cards, key in keys}
        wanted = {f"LSST CALIB DEFECTS {amp.name} {what}" for what in ("N_HOT", "N_COLD")}
        copied[amp.name] |= {key: float(value) for key, value in counts.items() if key in wanted}
    return copied


def _bias_shifts(look: _Look) -> dict[str, BiasShifts]:
    config, kept = look.config, look.kept()
    rules = ShiftRules(
        config.shift_filter_order,
        config.shift_cutoff,
        config.shift_window_rows,
        config.shift_threshold,
        config.shift_skip_rows,
    )

    def measure(amp: Amplifier) -> BiasShifts:
        if amp.name not in kept:
            return BiasShifts()
        return find_bias_shifts(kept[amp.name].pixels[:, config.shift_skip_columns :].mean(axis=1), rules)

    return look.each(measure)


def _correlations(look: _Look) -> Correlations:
    kept = look.kept()
    names = tuple(amp.name for amp in look.amplifiers)
    images = [look.exposure.amp(amp).image if amp.name in kept else None for amp in look.amplifiers]
    overscans = [kept[name].pixels if name in kept else None for name in names]
    present = frozenset(i for i, name in enumerate(names) if name in kept)
    return Correlations(names, present, correlate(images), correlate(overscans))


def _divisadero(look: _Look) -> dict[str, Divisadero]:
    responses = look.each(lambda amp: _response(look.exposure.amp(amp).image, amp, look.config))
    return measure_borders(responses, look.config.divisadero_impact_px, _borders(look.amplifiers))


def _response(image: NDArray[np.float32], amp: Amplifier, config: IsrStatisticsConfig) -> NDArray[np.float64]:
    """Measure the column response over rows counted from the readout."""
    first, last = config.divisadero_first_row, config.divisadero_last_row
    if amp.readout_corner in ("UL", "UR"):
        first, last = max(len(image) - last, 0), max(len(image) - first, 0)
    return column_response(image[first:last], config.divisadero_edge_px)


def _borders(amplifiers: Sequence[Amplifier]) -> list[tuple[str, str]]:
    """Name the pairs of amplifiers that lie side by side, the left one first."""
    return [
        (left.name, right.name)
        for left in amplifiers
        for right in amplifiers
        if left.box.x1 == right.box.x0 and (left.box.y0, left.box.y1) == (right.box.y0, right.box.y1)
    ]
