"""Photon transfer curve: gain, read noise and linear range of each amplifier, with the measurements behind them.

Used for the variance plane and wherever adu and electron meet. Signals and variances are in adu, gains in electron/adu,
`noise` in electron. P is the number of flat pairs, r the side of the measured covariances, f of the fitted ones. Looked
up by instrument and detector.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isrflow.calibs.forms import Form, version_of, whole_number
from isrflow.calibs.identity import info_of
from isrflow.calibs.per_amp import fill, forms_of, from_table, from_tree, plain, table_columns, unknown_amplifiers
from isrflow.calibs.ptc_columns import PTC_COLUMNS
from isrflow.calibs.ptc_fit import PtcFit
from isrflow.calibs.ptc_measurements import PtcMeasurements
from isrflow.calibs.ptc_versions import upgraded
from isrflow.calibs.tabular import TableCalibration, column_error
from isrflow.errors import CalibrationError, CalibrationFileError
from isrflow.frame.camera import Detector

if TYPE_CHECKING:
    from astropy.table import Table

_NAN = float("nan")
_AUX = "PTCAUX_"
_N_BEFORE_BAD = [column.column for column in PTC_COLUMNS].index("NOISE_MATRIX") + 1  # where tables have BAD_AMPS
_UNKNOWN = {"gain": 1.0, "noise": 1.0, "turnoff": 2e19}
"""What stands for values that were not found: neutral ones, and a turnoff no signal reaches."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PhotonTransferCurve(PtcMeasurements, PtcFit, TableCalibration):
    """Gain, noise and turnoff per amplifier, and the curve they were fitted to; every field maps amplifier names.

    Amplifiers a mapping does not name get NaN (numbers), -1 (counts) or empty arrays.
    """

    amp_names: tuple[str, ...] = ()
    """In the order of the detector; taken from `gain` if not given."""
    bad_amplifiers: tuple[str, ...] = ()
    covariance_side: int = 1
    """r: lags 0 to r-1 were measured."""
    fitted_covariance_side: int = 1
    """f: lags 0 to f-1 were fitted; at most r."""
    aux_values: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    """Name to (P,) values that were recorded with the pairs."""

    kind: ClassVar[str] = "ptc"
    dimensions: ClassVar[tuple[str, ...]] = ("instrument", "detector")
    obs_type: ClassVar[str] = "PTC"
    schema: ClassVar[str] = "Gen3 Photon Transfer Curve"
    version: ClassVar[float] = 2.6
    reference_class: ClassVar[str] = "lsst.ip.isr.ptcDataset.PhotonTransferCurveDataset"
    reference_obs_types: ClassVar[frozenset[str]] = frozenset({"PTC"})
    unknown_cards: ClassVar[Literal["undefined", "empty", "absent"]] = "empty"
    forms: ClassVar[Mapping[str, Form]] = {
        **forms_of(PTC_COLUMNS),
        "AMPLIFIER_NAME": "texts",
        "PTC_FIT_TYPE": "texts",
        "BAD_AMPS": "texts",
        "COV_MATRIX_SIDE": "numbers",
        "COV_MATRIX_SIDE_FULL_COV_FIT": "numbers",
        "ampNames": "texts",
        "badAmps": "texts",
        "ptcFitType": "text",
        "covMatrixSide": "whole number",
        "covMatrixSideFullCovFit": "whole number",
        "auxValues": "mapping",
    }
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

    def model(self, mean_adu: ArrayLike) -> dict[str, NDArray[np.float64]]:
        """Return what the fits say about flats of given means (adu), by amplifier, as `model_of` does."""
        return {name: self.model_of(name, mean_adu) for name in self.amp_names}

    def with_usable_values(self, *amplifiers: str) -> Self:
        """Return a curve whose gain, noise and turnoff are usable, for the amplifiers named or for all.

        What is NaN, zero or negative becomes a gain of 1, a noise of 1 and a turnoff of 2e19.
        """
        names = amplifiers or self.amp_names
        filled: dict[str, Any] = {
            key: {name: other if name in names and not value > 0 else value for name, value in values.items()}
            for key, other in _UNKNOWN.items()
            for values in [getattr(self, key)]
        }
        return replace(self, **filled)

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
            if self.noise[name] < 0 or not (np.isfinite(self.noise[name]) or np.isnan(self.gain[name])):
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
        columns = {
            "AMPLIFIER_NAME": list(self.amp_names),
            "PTC_FIT_TYPE": [self.fit_type] * n,
            "COV_MATRIX_SIDE": [self.covariance_side] * n,
            "COV_MATRIX_SIDE_FULL_COV_FIT": [self.fitted_covariance_side] * n,
            **table_columns(self, PTC_COLUMNS[:_N_BEFORE_BAD], self.amp_names),
            "BAD_AMPS": np.array([self.bad_amplifiers] * n, dtype=None if self.bad_amplifiers else "U3"),
            **table_columns(self, PTC_COLUMNS[_N_BEFORE_BAD:], self.amp_names),
            **{f"{_AUX}{name}": np.array([values] * n) for name, values in self.aux_values.items()},
        }
        return [Table(columns, meta=self.metadata())]

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
            version_of(table.meta, "PTC_VERSION", cls.version),
            info=cls.info_from(table.meta),
            amp_names=names,
            fit_type=_text(first, "PTC_FIT_TYPE", table.meta.get("PTC_FIT_TYPE")),
            covariance_side=_side(first, "COV_MATRIX_SIDE"),
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
        missing = [key for key in ("ampNames", "gain") if tree.get(key) is None]
        if missing:
            raise CalibrationFileError(f"a ptc needs {', '.join(missing)}; the file has {', '.join(map(str, tree))}")
        metadata = tree.get("metadata") or {}
        return cls._upgraded(
            version_of(metadata, "PTC_VERSION", cls.version),
            info=cls.info_from(tree),
            amp_names=tuple(str(name) for name in tree["ampNames"]),
            fit_type=str(tree.get("ptcFitType", cls.fit_type)),
            covariance_side=_side(tree, "covMatrixSide"),
            fitted_covariance_side=_side(tree, "covMatrixSideFullCovFit", "covMatrixSide"),
            bad_amplifiers=tuple(str(name) for name in tree.get("badAmps") or ()),
            aux_values={name: np.array(values) for name, values in (tree.get("auxValues") or {}).items()},
            values=from_tree(tree, PTC_COLUMNS),
        )

    @classmethod
    def _upgraded(cls, version: float, *, values: dict[str, Any], **fields: Any) -> Self:
        try:
            now: dict[str, Any] = upgraded(values, version, fields["fit_type"])
            return cls(**fields, **now)
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


def _reshaped(field_name: str, amp: str, value: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    if value.size == 0:
        return np.full([max(side, 0) for side in shape], np.nan if value.dtype.kind == "f" else 0, value.dtype)
    try:
        return value.reshape(shape)
    except ValueError as error:
        raise CalibrationError(
            f"ptc: {field_name} of amplifier {amp} has {value.size} values, which do not fill a shape of {shape}"
        ) from error


def _text(row: Any, column: str, other: Any) -> str:
    return str(row[column]).strip() if column in row.colnames else str(other or "")


def _side(found: Any, *names: str) -> int:
    """Return the first side that a row or tree states; 1 if none."""
    known = found.colnames if hasattr(found, "colnames") else found
    return next((whole_number(found[name], name) for name in names if name in known and found[name] is not None), 1)
