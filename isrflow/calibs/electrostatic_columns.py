"""Names of the fields of electrostatic matrices in tables and in YAML."""

from __future__ import annotations

# (field, name in tables, name in YAML)
INPUT_MATRICES = (("measured", "A_MATRIX", "aMatrix"), ("measured_sigma", "A_MATRIX_SIGMA", "aMatrixSigma"))
SHIFTS = (("north", "A_N", "aN"), ("south", "A_S", "aS"), ("east", "A_E", "aE"), ("west", "A_W", "aW"))
FIT_MATRICES = (
    ("model", "A_MATRIX_MODEL", "aMatrixModel"),
    ("theoretical", "ATH", "ath"),
    ("theoretical_minus_beta", "ATH_MINUS_BETA", "athMinusBeta"),
    *SHIFTS,
)
BY_FILTER = tuple((f"{name}_by_filter", f"{column}_BY_FILTER", f"{key}ByFilter") for name, column, key in FIT_MATRICES)
NUMBERS = (
    ("measured_sum", "A_MATRIX_SUM", "aMatrixSum"),
    ("model_sum", "A_MATRIX_MODEL_SUM", "aMatrixModelSum"),
    ("fit_chi2", "FIT_CHI2", "fitChi2"),
    ("fit_reduced_chi2", "FIT_REDUCED_CHI2", "fitReducedChi2"),
)
NAMES = (
    ("amp_names", "AMPNAMES", "ampNames"),
    ("bad_amplifiers", "BAD_AMPS", "badAmps"),
    ("parameter_names", "FIT_PARAM_NAMES", "fitParamNames"),
    ("free_parameter_names", "FREE_FIT_PARAM_NAMES", "freeFitParamNames"),
    ("filters", "AVAILABLE_FILTERS", "availableFilters"),
)
# (..., field with the names)
BY_NAME = (
    ("gain", "GAIN", "gain", "amp_names"),
    ("parameters", "FIT_PARAMS", "fitParams", "parameter_names"),
    ("parameter_errors", "FIT_PARAM_ERRORS", "fitParamErrors", "parameter_names"),
)
OTHERS = (
    ("normalization", "MODEL_NORMALIZATION", "modelNormalization"),
    ("used", "USED_PIXELS", "usedPixels"),
    ("parameter_covariance", "FIT_PARAM_COV_MATRIX", "fitParamCovMatrix"),
)
TABLE_COLUMNS = (
    *("AMPNAMES", "INPUT_RANGE", "FIT_RANGE", "BAD_AMPS", "GAIN", "A_MATRIX", "A_MATRIX_SIGMA", "A_MATRIX_MODEL"),
    *("A_MATRIX_SUM", "A_MATRIX_MODEL_SUM", "MODEL_NORMALIZATION", "USED_PIXELS", "FIT_PARAM_NAMES"),
    *("FREE_FIT_PARAM_NAMES", "FIT_PARAMS", "FIT_PARAM_ERRORS", "FIT_CHI2", "FIT_REDUCED_CHI2", "FIT_PARAM_COV_MATRIX"),
    *("ATH", "ATH_MINUS_BETA", "A_N", "A_S", "A_E", "A_W", "AVAILABLE_FILTERS"),
    *(column for _, column, _ in BY_FILTER),
)
