"""What was measured on pairs of flats, before anything is fitted to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

PerAmp = Mapping[str, float]
ArrayPerAmp = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, kw_only=True, eq=False)
class PtcMeasurements:
    """Measurements of P pairs of flats, of r lags in each direction; every field maps amplifier names."""

    input_exposure_pairs: ArrayPerAmp = field(default_factory=dict)
    """(P, 2) exposure ids."""
    input_mjd_starts: ArrayPerAmp = field(default_factory=dict)
    """(P,) days."""
    used: ArrayPerAmp = field(default_factory=dict)
    """(P,) whether the pair entered the fit."""
    used_for_rolloff: ArrayPerAmp = field(default_factory=dict)
    """(P,) whether the pair entered the roll-off fit."""
    raw_exposure_times: ArrayPerAmp = field(default_factory=dict)
    """(P,) s."""
    raw_means: ArrayPerAmp = field(default_factory=dict)
    """(P,) adu: mean of the two clipped means."""
    raw_variances: ArrayPerAmp = field(default_factory=dict)
    """(P,) adu^2: half the clipped variance of the scaled difference."""
    raw_deltas: ArrayPerAmp = field(default_factory=dict)
    """(P,) adu: second mean minus first."""
    row_mean_variances: ArrayPerAmp = field(default_factory=dict)
    """(P,) adu^2."""
    gains_of_pairs: ArrayPerAmp = field(default_factory=dict)
    """(P,) electron/adu."""
    noises_of_pairs: ArrayPerAmp = field(default_factory=dict)
    """(P,) adu: mean overscan residual."""
    overscan_medians: ArrayPerAmp = field(default_factory=dict)
    """(P,) adu."""
    histogram_variances: ArrayPerAmp = field(default_factory=dict)
    """(P,) adu^2."""
    histogram_chi2_per_dof: ArrayPerAmp = field(default_factory=dict)
    """(P,)."""
    ks_p_values: ArrayPerAmp = field(default_factory=dict)
    """(P,)."""
    covariances: ArrayPerAmp = field(default_factory=dict)
    """(P, r, r) adu^2, indexed [pair, lag in x, lag in y]."""
    covariances_sqrt_weights: ArrayPerAmp = field(default_factory=dict)
    """(P, r, r) 1/adu^2."""
    photo_charges: ArrayPerAmp = field(default_factory=dict)
    """(P,) coulomb."""
    photo_charge_deltas: ArrayPerAmp = field(default_factory=dict)
    """(P,) coulomb."""
    amp_offsets: ArrayPerAmp = field(default_factory=dict)
    """(P,) adu."""
    overscan_median: PerAmp = field(default_factory=dict)
    """adu, over the pairs used."""
    overscan_median_sigma: PerAmp = field(default_factory=dict)
    """adu."""
    n_pixels_of_covariances: Mapping[str, int] = field(default_factory=dict)
    """Unmasked pixels behind each covariance; -1 unknown."""
