"""What was fitted to pairs of flats, and what the fit says about other flats."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isrflow.calibs.ptc_measurements import ArrayPerAmp, PerAmp
from isrflow.errors import CalibrationError
from isrflow.kernels.ptc_model import covariances, variance_exponential, variance_polynomial

_MODELS = {"POLYNOMIAL": 1, "EXPAPPROXIMATION": 3, "FULLCOVARIANCE": 0, "FULLCOVARIANCE_NO_B": 0}
"""Fits that have a model, and how many parameters it reads."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PtcFit:
    """The fit of P pairs of flats, of f lags in each direction; every field but the type maps amplifier names."""

    fit_type: str = "NOMINAL_PTC"
    """EXPAPPROXIMATION, FULLCOVARIANCE, FULLCOVARIANCE_NO_B, POLYNOMIAL, PARTIAL, DUMMY or NOMINAL_PTC."""
    gain: PerAmp = field(default_factory=dict)
    """electron/adu."""
    gain_error: PerAmp = field(default_factory=dict)
    """electron/adu."""
    gain_unadjusted: PerAmp = field(default_factory=dict)
    """electron/adu, as fitted, before amplifiers were matched."""
    noise: PerAmp = field(default_factory=dict)
    """electron."""
    noise_error: PerAmp = field(default_factory=dict)
    """electron."""
    turnoff: PerAmp = field(default_factory=dict)
    """adu: largest mean the fit kept."""
    turnoff_sampling_error: PerAmp = field(default_factory=dict)
    """adu."""
    rolloff: PerAmp = field(default_factory=dict)
    """adu."""
    rolloff_error: PerAmp = field(default_factory=dict)
    """adu."""
    rolloff_tau: PerAmp = field(default_factory=dict)
    """adu."""
    rolloff_tau_error: PerAmp = field(default_factory=dict)
    """adu."""
    fit_chi2: PerAmp = field(default_factory=dict)
    """Reduced chi square."""

    fit_parameters: ArrayPerAmp = field(default_factory=dict)
    """EXPAPPROXIMATION: a00 (1/electron), gain (electron/adu), noise^2 (electron^2)."""
    fit_parameter_errors: ArrayPerAmp = field(default_factory=dict)
    """As `fit_parameters`."""
    a_matrix: ArrayPerAmp = field(default_factory=dict)
    """(f, f) 1/electron [1]_."""
    b_matrix: ArrayPerAmp = field(default_factory=dict)
    """(f, f) 1/electron."""
    noise_matrix: ArrayPerAmp = field(default_factory=dict)
    """(f, f) electron^2."""
    covariances_model: ArrayPerAmp = field(default_factory=dict)
    """(P, f, f) adu^2."""
    final_means: ArrayPerAmp = field(default_factory=dict)
    """(P,) adu, NaN where not used."""
    final_variances: ArrayPerAmp = field(default_factory=dict)
    """(P,) adu^2, NaN where not used."""
    final_model_variances: ArrayPerAmp = field(default_factory=dict)
    """(P,) adu^2."""

    def model_of(self, name: str, mean_adu: ArrayLike) -> NDArray[np.float64]:
        """Return what the fit of an amplifier says about flats of given means.

        Parameters
        ----------
        name
            Amplifier.
        mean_adu
            (n,) adu.

        Returns
        -------
        ndarray
            (n,) variances in adu^2 for EXPAPPROXIMATION and POLYNOMIAL, (n, f, f) covariances in adu^2 for the others.

        Raises
        ------
        CalibrationError
            If nothing was fitted, or the fit has too few parameters.
        """
        if self.fit_type not in _MODELS:
            raise CalibrationError(f"ptc: fit_type {self.fit_type} has no model; {', '.join(_MODELS)} have")
        parameters, least = self.fit_parameters[name], _MODELS[self.fit_type]
        if parameters.size < least:
            raise CalibrationError(
                f"ptc: fit_parameters of amplifier {name} are {parameters.size}, {self.fit_type} reads {least}"
            )
        if self.fit_type == "POLYNOMIAL":
            return variance_polynomial(mean_adu, parameters)
        if self.fit_type == "EXPAPPROXIMATION":
            a00, gain, noise_squared = (float(value) for value in parameters[:3])
            return variance_exponential(mean_adu, a00, gain, noise_squared)
        b = self.b_matrix[name]
        fitted = np.isfinite(b).all() or self.fit_type == "FULLCOVARIANCE"
        return covariances(
            mean_adu, self.a_matrix[name], b if fitted else None, self.noise_matrix[name], self.gain[name]
        )
