"""Photon transfer curve: gain, read noise and linear range of each amplifier, with the measurements behind them.

Used for the variance plane and wherever adu and electron meet. Signals and variances are in adu, gains in electron/adu,
`noise` in electron. P is the number of flat pairs, r the side of the measured covariances, f of the fitted ones. Looked
up by instrument and detector.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from isrflow.calibs.identity import info_of
from isrflow.calibs.per_amp import Column, fill, from_table, from_tree, plain, table_columns, unknown_amplifiers
from isrflow.calibs.tabular import TableCalibration, column_error
from isrflow.errors import CalibrationError, CalibrationFileError
from isrflow.frame.camera import Detector

if TYPE_CHECKING:
    from astropy.table import Table

PerAmp = Mapping[str, float]
ArrayPerAmp = Mapping[str, NDArray[Any]]
_NAN = float("nan")
_AUX = "PTCAUX_"

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


@dataclass(frozen=True, kw_only=True, eq=False)
class PhotonTransferCurve(TableCalibration):
    """Gain, noise and turnoff per amplifier, and the curve they were fitted to; every field maps amplifier names.

    Amplifiers a mapping does not name get NaN (numbers), -1 (counts) or empty arrays.
    """

    amp_names: tuple[str, ...] = ()
    """In the order of the detector; taken from `gain` if not given."""
    fit_type: str = "NOMINAL_PTC"
    """EXPAPPROXIMATION, FULLCOVARIANCE, FULLCOVARIANCE_NO_B, POLYNOMIAL, PARTIAL, DUMMY or NOMINAL_PTC."""
    bad_amplifiers: tuple[str, ...] = ()
    covariance_side: int = 1
    """r: lags 0 to r-1 were measured."""
    fitted_covariance_side: int = 1
    """f: lags 0 to f-1 were fitted; at most r."""
    aux_values: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    """Name to (P,) values that were recorded with the pairs."""

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
    overscan_median: PerAmp = field(default_factory=dict)
    """adu, over the pairs used."""
    overscan_median_sigma: PerAmp = field(default_factory=dict)
    """adu."""
    fit_chi2: PerAmp = field(default_factory=dict)
    """Reduced chi square."""
    n_pixels_of_covariances: Mapping[str, int] = field(default_factory=dict)
    """Unmasked pixels behind each covariance; -1 unknown."""

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
    covariances: ArrayPerAmp = field(default_factory=dict)
    """(P, r, r) adu^2, indexed [pair, lag in x, lag in y]."""
    covariances_model: ArrayPerAmp = field(default_factory=dict)
    """(P, f, f) adu^2."""
    covariances_sqrt_weights: ArrayPerAmp = field(default_factory=dict)
    """(P, r, r) 1/adu^2."""
    photo_charges: ArrayPerAmp = field(default_factory=dict)
    """(P,) coulomb."""
    photo_charge_deltas: ArrayPerAmp = field(default_factory=dict)
    """(P,) coulomb."""
    amp_offsets: ArrayPerAmp = field(default_factory=dict)
    """(P,) adu."""
    final_means: ArrayPerAmp = field(default_factory=dict)
    """(P,) adu, NaN where not used."""
    final_variances: ArrayPerAmp = field(default_factory=dict)
    """(P,) adu^2, NaN where not used."""
    final_model_variances: ArrayPerAmp = field(default_factory=dict)
    """(P,) adu^2."""

    kind: ClassVar[str] = "ptc"
    dimensions: ClassVar[tuple[str, ...]] = ("instrument", "detector")
    obs_type: ClassVar[str] = "PTC"
    schema: ClassVar[str] = "Gen3 Photon Transfer Curve"
    version: ClassVar[float] = 2.6
    reference_class: ClassVar[str] = "lsst.ip.isr.ptcDataset.PhotonTransferCurveDataset"
    reference_obs_types: ClassVar[frozenset[str]] = frozenset({"PTC"})
    unknown_cards: ClassVar[Literal["undefined", "empty", "absent"]] = "empty"
    own_cards: ClassVar[frozenset[str]] = frozenset({"PTC_FIT_TYPE"})

    def __post_init__(self) -> None:
        names = self.amp_names or tuple(self.gain)
        unknown = unknown_amplifiers(self, PTC_COLUMNS, names)
        if unknown:
            raise CalibrationError(f"ptc: values for amplifiers that are not in amp_names: {'; '.join(unknown)}")
        object.__setattr__(self, "amp_names", tuple(names))
        fill(self, PTC_COLUMNS, names)
        for field_name, shape in self._matrices().items():
            values = getattr(self, field_name)
            shaped = {name: _reshaped(field_name, name, value, shape) for name, value in values.items()}
            object.__setattr__(self, field_name, shaped)

    def _matrices(self) -> dict[str, tuple[int, ...]]:
        r, f = self.covariance_side, self.fitted_covariance_side
        return {
            "input_exposure_pairs": (-1, 2),
            "a_matrix": (f, f),
            "b_matrix": (f, f),
            "noise_matrix": (f, f),
            "covariances": (-1, r, r),
            "covariances_model": (-1, f, f),
            "covariances_sqrt_weights": (-1, r, r),
        }

    def check(self) -> None:
        """Raise `CalibrationError` if good amplifiers lack gain or noise, or lists of pairs differ in length."""
        problems = [
            f"bad amplifier {name} is not in amp_names" for name in self.bad_amplifiers if name not in self.gain
        ]
        for name in self.amp_names:
            if name in self.bad_amplifiers:
                continue
            if self.gain[name] <= 0 or np.isinf(self.gain[name]):  # NaN: not known
                problems.append(f"gain of amplifier {name} is {self.gain[name]} electron/adu")
            if self.noise[name] < 0:
                problems.append(f"noise of amplifier {name} is {self.noise[name]} electron")
        for name in self.amp_names:
            n_pairs = len(self.raw_means[name])
            for field_name in ("raw_variances", "used", "input_exposure_pairs", "covariances", "final_means"):
                n = len(getattr(self, field_name)[name])
                if n not in (0, n_pairs):
                    problems.append(f"{field_name} of amplifier {name} has {n} entries, raw_means {n_pairs}")
        if problems:
            raise CalibrationError(f"{self.label}: {'; '.join(problems)}")

    def _own_metadata(self) -> dict[str, Any]:
        return {"PTC_FIT_TYPE": self.fit_type}

    def to_tables(self) -> list[Table]:
        """Return one table with a row per amplifier; matrices are flattened."""
        from astropy.table import Table

        n = len(self.amp_names)
        columns = table_columns(self, PTC_COLUMNS, self.amp_names)
        head = {
            "AMPLIFIER_NAME": list(self.amp_names),
            "PTC_FIT_TYPE": [self.fit_type] * n,
            "COV_MATRIX_SIDE": [self.covariance_side] * n,
            "COV_MATRIX_SIDE_FULL_COV_FIT": [self.fitted_covariance_side] * n,
            "BAD_AMPS": np.array([self.bad_amplifiers] * n, dtype=None if self.bad_amplifiers else "U3"),
        }
        aux = {f"{_AUX}{name}": np.array([values] * n) for name, values in self.aux_values.items()}
        return [Table(head | columns | aux, meta=self.metadata())]

    @classmethod
    def from_tables(cls, tables: list[Table]) -> Self:
        """Make a curve of its table; raises `CalibrationFileError`."""
        table = tables[0]
        missing = [name for name in ("AMPLIFIER_NAME", "GAIN") if name not in table.colnames]
        if missing or not len(table):
            raise CalibrationFileError(
                f"a ptc has a row per amplifier: {len(table)} rows, {column_error(missing, table)}"
            )
        names = tuple(str(name).strip() for name in table["AMPLIFIER_NAME"])
        first = table[0]
        bad = np.ravel(first["BAD_AMPS"]) if "BAD_AMPS" in table.colnames else ()
        return cls._upgraded(
            float(table.meta.get("PTC_VERSION") or cls.version),
            info=cls.info_from(table.meta),
            amp_names=names,
            fit_type=_text(first, "PTC_FIT_TYPE", table.meta.get("PTC_FIT_TYPE")),
            covariance_side=int(first["COV_MATRIX_SIDE"]) if "COV_MATRIX_SIDE" in table.colnames else 1,
            fitted_covariance_side=_side(first, "COV_MATRIX_SIDE_FULL_COV_FIT", "COV_MATRIX_SIDE"),
            bad_amplifiers=tuple(text for text in (str(name).strip() for name in bad) if text),
            aux_values={
                name.removeprefix(_AUX): np.array(first[name]).reshape(-1)
                for name in table.colnames
                if name.startswith(_AUX)
            },
            values=from_table(table, PTC_COLUMNS, names),
        )

    def to_tree(self) -> dict[str, Any]:
        """Return the fields under the reference's names; matrices are flattened, pairs stay pairs."""
        tree: dict[str, Any] = {
            "metadata": self.metadata(),
            "ptcFitType": self.fit_type,
            "ampNames": list(self.amp_names),
            "badAmps": list(self.bad_amplifiers),
            "covMatrixSide": self.covariance_side,
            "covMatrixSideFullCovFit": self.fitted_covariance_side,
            "auxValues": {name: values.tolist() for name, values in self.aux_values.items()},
        }
        for column in PTC_COLUMNS:
            tree[column.key] = {name: plain(value) for name, value in getattr(self, column.field).items()}
        tree["inputExpIdPairs"] = {name: pairs.tolist() for name, pairs in self.input_exposure_pairs.items()}
        return tree

    @classmethod
    def from_tree(cls, tree: Mapping[str, Any]) -> Self:
        """Make a curve of a tree; raises `CalibrationFileError`."""
        missing = [key for key in ("ampNames", "gain") if key not in tree]
        if missing:
            raise CalibrationFileError(f"a ptc needs {', '.join(missing)}; the file has {', '.join(tree)}")
        metadata = tree.get("metadata", {})
        return cls._upgraded(
            float(metadata.get("PTC_VERSION") or cls.version),
            info=cls.info_from(tree),
            amp_names=tuple(str(name) for name in tree["ampNames"]),
            fit_type=str(tree.get("ptcFitType", cls.fit_type)),
            covariance_side=int(tree.get("covMatrixSide", 1)),
            fitted_covariance_side=int(tree.get("covMatrixSideFullCovFit", tree.get("covMatrixSide", 1))),
            bad_amplifiers=tuple(str(name) for name in tree.get("badAmps") or ()),
            aux_values={name: np.array(values) for name, values in (tree.get("auxValues") or {}).items()},
            values=from_tree(tree, PTC_COLUMNS),
        )

    @classmethod
    def _upgraded(cls, version: float, *, values: dict[str, Any], **fields: Any) -> Self:
        """Make a curve of what a file of some version holds, filling in what that version did not know."""
        if version < 1.1 and "turnoff" not in values:
            values["turnoff"] = {name: _last_finite(means) for name, means in values.get("final_means", {}).items()}
        if version < 1.9 and fields["fit_type"] == "FULLCOVARIANCE":
            # files before 1.9 stored the variance under the name of the noise
            values["noise"] = {name: float(np.sqrt(value)) for name, value in values.get("noise", {}).items()}
        if "gain_unadjusted" not in values:
            values["gain_unadjusted"] = dict(values["gain"])
        n_pairs = {name: len(means) for name, means in values.get("raw_means", {}).items()}
        for column in PTC_COLUMNS:
            if column.field in _PAIR_LISTS and column.field not in values:
                filler = False if column.kind == "bools" else 0.0 if column.field == "ks_p_values" else _NAN
                values[column.field] = {name: np.full(n, filler) for name, n in n_pairs.items()}
        try:
            return cls(**fields, **values)
        except CalibrationError as error:
            raise CalibrationFileError(error.message) from error

    @classmethod
    def example(cls, detector: Detector, rng: np.random.Generator) -> Self:
        """Make a curve with the detector's gains, three percent of scatter, and six flat pairs."""
        names = [amp.name for amp in detector.amplifiers]
        gain = {amp.name: amp.gain_electron_per_adu * rng.normal(1.0, 0.03) for amp in detector.amplifiers}
        noise = {amp.name: amp.read_noise_electron or 5.0 for amp in detector.amplifiers}
        means = np.array([500.0, 2e3, 8e3, 2e4, 4e4, 5e4])
        return cls(
            info=info_of(detector),
            fit_type="EXPAPPROXIMATION",
            gain=gain,
            noise=noise,
            gain_unadjusted=gain,
            turnoff=dict.fromkeys(names, 5e4),
            raw_means=dict.fromkeys(names, means),
            raw_variances={name: means / gain[name] + (noise[name] / gain[name]) ** 2 for name in names},
            used=dict.fromkeys(names, np.ones(6, bool)),
            input_exposure_pairs=dict.fromkeys(names, np.arange(12).reshape(6, 2)),
            fit_parameters={name: np.array([-1e-6, gain[name], noise[name] ** 2]) for name in names},
        )


# Lists with one entry a pair, which older files may lack altogether.
_PAIR_LISTS = frozenset(
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


def _reshaped(field_name: str, amp: str, value: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    if value.size == 0:
        return np.full([max(side, 0) for side in shape], np.nan if value.dtype.kind == "f" else 0, value.dtype)
    try:
        return value.reshape(shape)
    except ValueError as error:
        raise CalibrationError(
            f"ptc: {field_name} of amplifier {amp} has {value.size} values, which do not fill a shape of {shape}"
        ) from error


def _last_finite(means: NDArray[np.float64]) -> float:
    finite = means[np.isfinite(means)]
    return float(finite[-1]) if finite.size else _NAN


def _text(row: Any, column: str, other: Any) -> str:
    return str(row[column]).strip() if column in row.colnames else str(other or "")


def _side(row: Any, *columns: str) -> int:
    return next((int(row[column]) for column in columns if column in row.colnames), 1)
