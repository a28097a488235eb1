"""The columns of a photon transfer curve: names in files, kinds, defaults; in the order of the reference's tables."""

from __future__ import annotations

from isrflow.calibs.per_amp import Column

_NAN = float("nan")

PTC_COLUMNS = (
    Column("input_exposure_pairs", "INPUT_EXP_ID_PAIRS", "inputExpIdPairs", "ints", ()),
    Column("input_mjd_starts", "INPUT_EXP_PAIR_MJD_START", "inputExpPairMjdStartList", "floats", ()),
    Column("used", "EXP_ID_MASK", "expIdMask", "bools", ()),
    Column("used_for_rolloff", "EXP_ID_ROLLOFF_MASK", "expIdRolloffMask", "bools", ()),
    Column("raw_exposure_times", "RAW_EXP_TIMES", "rawExpTimes", "floats", ()),
    Column("raw_means", "RAW_MEANS", "rawMeans", "floats", ()),
    Column("raw_variances", "RAW_VARS", "rawVars", "floats", ()),
    Column("raw_deltas", "RAW_DELTAS", "rawDeltas", "floats", ()),
    Column("row_mean_variances", "ROW_MEAN_VARIANCE", "rowMeanVariance", "floats", ()),
    Column("gain", "GAIN", "gain", "float", _NAN),
    Column("gain_error", "GAIN_ERR", "gainErr", "float", _NAN),
    Column("gain_unadjusted", "GAIN_UNADJUSTED", "gainUnadjusted", "float", _NAN),
    Column("gains_of_pairs", "GAIN_LIST", "gainList", "floats", ()),
    Column("overscan_medians", "OVERSCAN_MEDIAN_LIST", "overscanMedianLevelList", "floats", ()),
    Column("overscan_median", "OVERSCAN_MEDIAN", "overscanMedian", "float", _NAN),
    Column("overscan_median_sigma", "OVERSCAN_MEDIAN_SIGMA", "overscanMedianSigma", "float", _NAN),
    Column("noises_of_pairs", "NOISE_LIST", "noiseList", "floats", ()),
    Column("noise", "NOISE", "noise", "float", _NAN),
    Column("noise_error", "NOISE_ERR", "noiseErr", "float", _NAN),
    Column("histogram_variances", "HIST_VARS", "histVars", "floats", ()),
    Column("histogram_chi2_per_dof", "HIST_CHI2_DOFS", "histChi2Dofs", "floats", ()),
    Column("ks_p_values", "KS_PVALUES", "kspValues", "floats", ()),
    Column("fit_parameters", "PTC_FIT_PARS", "ptcFitPars", "floats", ()),
    Column("fit_parameter_errors", "PTC_FIT_PARS_ERROR", "ptcFitParsError", "floats", ()),
    Column("fit_chi2", "PTC_FIT_CHI_SQ", "ptcFitChiSq", "float", _NAN),
    Column("turnoff", "PTC_TURNOFF", "ptcTurnoff", "float", _NAN),
    Column("turnoff_sampling_error", "PTC_TURNOFF_SAMPLING_ERROR", "ptcTurnoffSamplingError", "float", _NAN),
    Column("rolloff", "PTC_ROLLOFF", "ptcRolloff", "float", _NAN),
    Column("rolloff_error", "PTC_ROLLOFF_ERROR", "ptcRolloffError", "float", _NAN),
    Column("rolloff_tau", "PTC_ROLLOFF_TAU", "ptcRolloffTau", "float", _NAN),
    Column("rolloff_tau_error", "PTC_ROLLOFF_TAU_ERROR", "ptcRolloffTauError", "float", _NAN),
    Column("a_matrix", "A_MATRIX", "aMatrix", "floats", ()),
    Column("b_matrix", "B_MATRIX", "bMatrix", "floats", ()),
    Column("noise_matrix", "NOISE_MATRIX", "noiseMatrix", "floats", ()),
    Column("photo_charges", "PHOTO_CHARGE", "photoCharges", "floats", ()),
    Column("photo_charge_deltas", "PHOTO_CHARGE_DELTAS", "photoChargeDeltas", "floats", ()),
    Column("amp_offsets", "AMP_OFFSETS", "ampOffsets", "floats", ()),
    Column("n_pixels_of_covariances", "NPIXEL_COVARIANCES", "nPixelCovariances", "int", -1),
    Column("covariances", "COVARIANCES", "covariances", "floats", ()),
    Column("covariances_model", "COVARIANCES_MODEL", "covariancesModel", "floats", ()),
    Column("covariances_sqrt_weights", "COVARIANCES_SQRT_WEIGHTS", "covariancesSqrtWeights", "floats", ()),
    Column("final_variances", "FINAL_VARS", "finalVars", "floats", ()),
    Column("final_model_variances", "FINAL_MODEL_VARS", "finalModelVars", "floats", ()),
    Column("final_means", "FINAL_MEANS", "finalMeans", "floats", ()),
)
# Lists with one entry a pair, which older files may lack altogether.
PAIR_LISTS = frozenset(
    {
        "input_mjd_starts",
        "used_for_rolloff",
        "raw_deltas",
        "row_mean_variances",
        "gains_of_pairs",
        "overscan_medians",
        "noises_of_pairs",
        "histogram_variances",
        "histogram_chi2_per_dof",
        "ks_p_values",
        "amp_offsets",
    }
)
