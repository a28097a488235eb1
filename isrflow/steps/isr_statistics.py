"""Measure how the readout behaved: charge left behind, bands, steps of the bias, torn borders, correlated amplifiers.

Nothing is corrected. All of it is off by default; what is wanted is switched on one by one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from isrflow.calibs.bias import Bias
from isrflow.calibs.dark import Dark
from isrflow.calibs.defects import Defects
from isrflow.calibs.flat import Flat
from isrflow.errors import ConfigError, GeometryError
from isrflow.frame.camera import Amplifier
from isrflow.frame.exposure import Exposure
from isrflow.kernels.bias_shift import BiasShifts, ShiftRules, find_bias_shifts
from isrflow.kernels.charge_transfer import LevelRule, Lines, OuterLines, Statistic, outer_lines, overscan_lines
from isrflow.kernels.correlation import correlate
from isrflow.kernels.divisadero import Divisadero, column_response, measure_borders
from isrflow.kernels.profiles import Banding, Projection, Window, banding_amplitude, project, summarize_banding
from isrflow.kernels.threads import map_in_threads
from isrflow.steps.byproducts import EffectivePtc, KeptOverscan, OverscanPixels, UntrimmedCopy
from isrflow.steps.step import ByProduct, StepConfig, at_amplifier

T = TypeVar("T")

_NO_TURNOFF_ADU = 1e19
"""Turnoffs above this stand for "not known"."""


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
class ChargeTransfer:
    """Levels of one amplifier, electron; lines are first where they are read first, overscans beside the picture."""

    gain_electron_per_adu: float
    turnoff_electron: float
    """Of the photon transfer curve; NaN if not known."""
    image_mean: float
    outer: OuterLines
    serial_overscan: Lines
    parallel_overscan: Lines | None
    """None where only the serial overscans were kept."""


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
    if exposure.detector is None or not exposure.is_trimmed:
        state = "has no detector" if exposure.detector is None else "is not assembled"
        raise GeometryError(f"{exposure.label} {state}: statistics are those of the amplifiers of a finished picture")
    amplifiers = exposure.detector.amplifiers
    mjd = exposure.header.get("MJD")
    found = IsrStatistics(mjd=None if mjd is None else float(mjd))
    if config.charge_transfer:
        sources = _Sources(exposure, effective_ptc, overscan, untrimmed)
        transfers = _by_amplifier(amplifiers, lambda amp: _transfer(amp, config, sources))
        found = replace(found, charge_transfer=transfers)
    if config.banding:
        found = replace(found, banding=_banding(amplifiers, config, _kept(overscan, exposure)))
    if config.projections:
        window = config.spectrum_window if config.projection_spectra else None
        projections = _by_amplifier(
            amplifiers, lambda amp: project(exposure.amp(amp).image, config.projection_px, window)
        )
        found = replace(found, projections=projections)
    if config.calibration_distributions:
        headers = {"BIAS": _cards(bias), "DARK": _cards(dark), "FLAT": _cards(flat)}
        copied = {amp.name: _distributions(amp.name, config, headers, _cards(defects)) for amp in amplifiers}
        found = replace(found, calibration_distributions=copied)
    if config.bias_shifts:
        found = replace(found, bias_shifts=_bias_shifts(amplifiers, config, _kept(overscan, exposure)))
    if config.amplifier_correlations:
        found = replace(found, correlations=_correlations(exposure, amplifiers, _kept(overscan, exposure)))
    if config.divisadero:
        responses = _by_amplifier(amplifiers, lambda amp: _response(exposure, amp, config))
        borders = measure_borders(responses, config.divisadero_impact_px, _borders(amplifiers))
        found = replace(found, divisadero=borders)
    return found


def _by_amplifier(amplifiers: Sequence[Amplifier], measure: Callable[[Amplifier], T]) -> dict[str, T]:
    def named(amp: Amplifier) -> T:
        with at_amplifier(amp.name):
            return measure(amp)

    return {amp.name: found for amp, found in zip(amplifiers, map_in_threads(named, amplifiers), strict=True)}


def _kept(overscan: OverscanPixels | None, exposure: Exposure) -> Mapping[str, KeptOverscan]:
    if overscan is None:
        raise ConfigError(
            f"{exposure.label}: these statistics need the pixels of the serial overscans, which were not kept",
            fix="--set kept_overscan.enabled=true",
        )
    return overscan.amplifiers


# --- charge transfer -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Sources:
    """What the levels are measured on."""

    exposure: Exposure
    ptc: EffectivePtc | None
    overscan: OverscanPixels | None
    untrimmed: UntrimmedCopy | None

    def gain(self, amp: Amplifier) -> float:
        """Return the gain the pixels were, or would have been, multiplied by."""
        if self.ptc is not None:
            return float(self.ptc.gain_electron_per_adu[amp.name])
        return float(self.exposure.header.get(f"LSST ISR GAIN {amp.name}", amp.gain_electron_per_adu))

    def turnoff_electron(self, amp: Amplifier) -> float:
        """Return the turnoff the header states, or that of the photon transfer curve, or NaN."""
        stated = self.exposure.header.get(f"LSST ISR PTCTURNOFF {amp.name}")
        if stated is not None:
            return float(stated)
        turnoff_adu = math.inf if self.ptc is None else self.ptc.turnoff_adu[amp.name]
        return turnoff_adu * self.gain(amp) if turnoff_adu < _NO_TURNOFF_ADU else math.nan

    def electrons(self, amp: Amplifier, pixels: NDArray[np.float32], unit: str) -> NDArray[np.float32]:
        """Return pixels in electrons."""
        return pixels if unit == "electron" else pixels * np.float32(self.gain(amp))


def _transfer(amp: Amplifier, config: IsrStatisticsConfig, sources: _Sources) -> ChargeTransfer:
    """Measure the outer lines and overscans of one amplifier; the raw mosaic may be mirrored."""
    rule = LevelRule(config.statistic, config.clip_sigma, config.clip_iterations)
    right, top = amp.readout_corner in ("LR", "UR"), amp.readout_corner in ("UL", "UR")
    raw_right, raw_top = right != amp.raw_flip_x, top != amp.raw_flip_y
    picture = sources.electrons(amp, sources.exposure.amp(amp).image, sources.exposure.unit)
    if sources.untrimmed is None:
        kept = _kept(sources.overscan, sources.exposure)
        if amp.name not in kept:
            serial, parallel = Lines((), ()), None
        else:
            residual = kept[amp.name].residual[: sources.exposure.amp(amp).image.shape[0]]
            serial = overscan_lines(sources.electrons(amp, residual, "adu"), rule, reverse=raw_right)
            parallel = None
        outer = outer_lines(picture, rule, from_right=right, from_top=top)
    else:
        raw = sources.untrimmed.exposure
        data, in_serial, in_parallel = (
            sources.electrons(amp, raw.amp(amp, region).image, raw.unit)
            for region in ("data", "serial_overscan", "parallel_overscan")
        )
        outer = outer_lines(data, rule, from_right=raw_right, from_top=raw_top)
        serial = overscan_lines(in_serial, rule, reverse=raw_right)
        parallel = overscan_lines(in_parallel.T, rule, reverse=raw_top)
    return ChargeTransfer(sources.gain(amp), sources.turnoff_electron(amp), rule.of(picture), outer, serial, parallel)


# --- overscans -------------------------------------------------------------------------------------------------------


def _banding(amplifiers: Sequence[Amplifier], config: IsrStatisticsConfig, kept: Mapping[str, KeptOverscan]) -> Banding:
    def measure(amp: Amplifier) -> float:
        if amp.name not in kept:
            return math.nan
        return banding_amplitude(kept[amp.name].pixels, config.banding_rows, config.banding_low, config.banding_high)

    return summarize_banding(_by_amplifier(amplifiers, measure), first_half=config.banding_half_detector)


def _bias_shifts(
    amplifiers: Sequence[Amplifier], config: IsrStatisticsConfig, kept: Mapping[str, KeptOverscan]
) -> dict[str, BiasShifts]:
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

    return _by_amplifier(amplifiers, measure)


def _correlations(
    exposure: Exposure, amplifiers: Sequence[Amplifier], kept: Mapping[str, KeptOverscan]
) -> Correlations:
    images = [exposure.amp(amp).image if amp.name in kept else None for amp in amplifiers]
    overscans = [kept[amp.name].pixels if amp.name in kept else None for amp in amplifiers]
    names = tuple(amp.name for amp in amplifiers)
    present = frozenset(i for i, name in enumerate(names) if name in kept)
    return Correlations(names, present, correlate(images), correlate(overscans))


# --- headers of calibrations -----------------------------------------------------------------------------------------


def _cards(calibration: Bias | Dark | Flat | Defects | None) -> Mapping[str, Any] | None:
    if calibration is None:
        return None
    header = {} if isinstance(calibration, Defects) else calibration.exposure.header
    return {**header, **calibration.info.metadata}


def _distributions(
    name: str,
    config: IsrStatisticsConfig,
    headers: Mapping[str, Mapping[str, Any] | None],
    defects: Mapping[str, Any] | None,
) -> dict[str, float]:
    """Copy the cards of one amplifier; a percentile that is not stated is NaN."""
    copied: dict[str, float] = {}
    for kind, cards in headers.items():
        if cards is not None:
            keys = [f"LSST CALIB {kind} {name} DISTRIBUTION {p}-PCT" for p in config.distribution_percentiles]
            copied |= {key: float(cards.get(key, math.nan)) for key in keys}
    counts = {f"LSST CALIB DEFECTS {name} {what}" for what in ("N_HOT", "N_COLD")}
    return copied | {key: float(value) for key, value in (defects or {}).items() if key in counts}


# --- borders ---------------------------------------------------------------------------------------------------------


def _response(exposure: Exposure, amp: Amplifier, config: IsrStatisticsConfig) -> NDArray[np.float64]:
    """Measure the column response over rows counted from the readout."""
    image = exposure.amp(amp).image
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
