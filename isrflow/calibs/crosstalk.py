"""Crosstalk: the fraction of each amplifier's signal that appears in the others.

Applied as ``target -= c[source, target] * source`` (and, if asked, ``+ q[source, target] * source^2``) with the source
block flipped to the target's readout corner. Ratios hold for images in `units`. Amplifiers are in the order of the
detector. Looked up by instrument and detector.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isrflow.calibs.forms import Form
from isrflow.calibs.identity import info_of
from isrflow.calibs.per_amp import array_of
from isrflow.calibs.tabular import TableCalibration, column_error, missing_keys
from isrflow.errors import CalibrationError, CalibrationFileError
from isrflow.frame.camera import Detector
from isrflow.frame.exposure import Exposure

if TYPE_CHECKING:
    from astropy.table import Table

Matrix = NDArray[np.float64]
# (field, table column, YAML key, value where a file says nothing)
_MATRICES: tuple[tuple[str, str, str, float], ...] = (
    ("coefficients", "CT_COEFFS", "coeffs", 0.0),
    ("errors", "CT_ERRORS", "coeffErr", 0.0),
    ("counts", "CT_COUNTS", "coeffNum", 0),
    ("valid", "CT_VALID", "coeffValid", True),
    ("quadratic_coefficients", "CT_COEFFS_SQR", "coeffsSqr", 0.0),
    ("quadratic_errors", "CT_ERRORS_SQR", "coeffErrSqr", 0.0),
    ("gain_ratios", "CT_AMP_GAIN_RATIOS", "ampGainRatios", 0.0),
)
_NO_MATRIX: Any = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Crosstalk(TableCalibration):
    """Ratios between amplifiers, indexed [source, target]."""

    coefficients: Matrix
    """(n, n): fraction of source amplifier s (row) seen in target amplifier t (column)."""
    units: Literal["adu", "electron"] = "adu"
    """Unit of the images the ratios hold for."""
    errors: Matrix = _NO_MATRIX
    """(n, n): standard errors of the coefficients; zeros if not given."""
    counts: NDArray[np.int64] = _NO_MATRIX
    """(n, n): how many measurements each coefficient rests on."""
    valid: NDArray[np.bool_] = _NO_MATRIX
    """(n, n): whether a coefficient is to be used; all are if not given."""
    quadratic_coefficients: Matrix = _NO_MATRIX
    """(n, n): coefficients of the squared source, in 1/`units`."""
    quadratic_errors: Matrix = _NO_MATRIX
    """(n, n)."""
    gain_ratios: Matrix = _NO_MATRIX
    """(n, n): ratios of amplifier gains found with the coefficients."""
    fit_gains: NDArray[np.float64] = _NO_MATRIX
    """(n,) electron/adu: gains to convert with if nothing better is known; zeros mean none."""
    inter_chip: Mapping[str, Matrix] = field(default_factory=dict)
    """Source detector name to (n, n) matrix."""
    has_crosstalk: bool = True

    kind: ClassVar[str] = "crosstalk"
    dimensions: ClassVar[tuple[str, ...]] = ("instrument", "detector")
    obs_type: ClassVar[str] = "CROSSTALK"
    schema: ClassVar[str] = "Gen3 Crosstalk"
    version: ClassVar[float] = 1.2
    reference_class: ClassVar[str] = "lsst.ip.isr.crosstalk.CrosstalkCalib"
    reference_obs_types: ClassVar[frozenset[str]] = frozenset({"CROSSTALK"})
    unknown_cards: ClassVar[Literal["undefined", "empty", "absent"]] = "empty"
    forms: ClassVar[Mapping[str, Form]] = {
        **{column: "numbers" for _, column, _, _ in _MATRICES},
        **{key: "numbers" for _, _, key, _ in _MATRICES},
        "CT_FIT_GAINS": "numbers",
        "IC_SOURCE_DET": "texts",
        "IC_COEFFS": "numbers",
        "fitGains": "numbers",
        "hasCrosstalk": "true or false",
        "crosstalkRatiosUnits": "text",
        "interChip": "mapping",
    }
    own_cards: ClassVar[frozenset[str]] = frozenset(
        {"HAS_CROSSTALK", "NAMP", "CROSSTALK_SHAPE", "CROSSTALK_RATIOS_UNITS"}
    )

    def __post_init__(self) -> None:
        shape = np.shape(self.coefficients)
        for name, _, _, default in _MATRICES:
            given = getattr(self, name)
            value = np.full(shape, default) if given is None else np.array(given, type(default))
            object.__setattr__(self, name, value)
        gains = np.zeros(shape[:1]) if self.fit_gains is None else np.array(self.fit_gains, np.float64)
        object.__setattr__(self, "fit_gains", gains)

    @property
    def n_amplifiers(self) -> int:
        """Number of amplifiers."""
        return int(self.coefficients.shape[0])

    @property
    def has_quadratic(self) -> bool:
        """Whether any squared term is given."""
        return bool(np.any(self.quadratic_coefficients != 0))

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the other detectors that leave something in this one."""
        return (
            tuple(name for name, matrix in self.inter_chip.items() if np.any(matrix != 0)) if self.has_crosstalk else ()
        )

    def check(self) -> None:
        """Raise `CalibrationError` if matrices differ in shape or units are unknown."""
        n = self.n_amplifiers
        problems = []
        if self.coefficients.shape != (n, n):
            problems.append(f"coefficients have shape {self.coefficients.shape}, not (n, n)")
        problems += [
            f"{name} has shape {getattr(self, name).shape}, coefficients {(n, n)}"
            for name, *_ in _MATRICES[1:]
            if getattr(self, name).shape != (n, n)
        ]
        problems += [
            f"inter_chip matrix of detector {name} has shape {matrix.shape}, coefficients {(n, n)}"
            for name, matrix in self.inter_chip.items()
            if matrix.shape != (n, n)
        ]
        if self.fit_gains.shape != (n,):
            problems.append(f"fit_gains has {self.fit_gains.size} values for {n} amplifiers")
        if self.units not in ("adu", "electron"):
            problems.append(f"units are {self.units!r}, not adu or electron")
        if problems:
            raise CalibrationError(f"{self.label}: {'; '.join(problems)}")

    def mismatch(self, exposure: Exposure) -> str | None:
        """Say why the ratios cannot serve the exposure: detector or number of amplifiers; None if they can."""
        reason = super().mismatch(exposure)
        if reason or exposure.detector is None or not self.has_crosstalk:
            return reason
        n = len(exposure.detector.amplifiers)
        if n != self.n_amplifiers:
            return f"crosstalk is of {self.n_amplifiers} amplifiers, detector {exposure.detector.name} has {n}"
        return None

    def _own_metadata(self) -> dict[str, Any]:
        n = self.n_amplifiers
        info = self.info
        return {
            "DETECTOR_NAME": info.detector_name or None,
            "DETECTOR_SERIAL": info.detector_serial or None,
            "HAS_CROSSTALK": self.has_crosstalk,
            "NAMP": n,
            "CROSSTALK_SHAPE": [n, n],
            "CROSSTALK_RATIOS_UNITS": self.units,
        }

    def to_tables(self) -> list[Table]:
        """Return one row of flattened matrices, and a table of inter-chip matrices if there are any."""
        from astropy.table import Table

        row = {column: [getattr(self, name).ravel()] for name, column, _, _ in _MATRICES}
        tables = [Table(row | {"CT_FIT_GAINS": [self.fit_gains]}, meta=self.metadata())]
        if self.inter_chip:
            matrices = [matrix.ravel() for matrix in self.inter_chip.values()]
            tables.append(Table({"IC_SOURCE_DET": list(self.inter_chip), "IC_COEFFS": matrices}))
        return tables

    @classmethod
    def from_tables(cls, tables: list[Table]) -> Self:
        """Make crosstalk of its tables; raises `CalibrationFileError`."""
        table = tables[0]
        if "CT_COEFFS" not in table.colnames or len(table) != 1:
            raise CalibrationFileError(
                f"crosstalk is one row with CT_COEFFS: {len(table)} rows, {column_error(['CT_COEFFS'], table)}"
            )
        values = {name: table[column][0] for name, column, _, _ in _MATRICES if column in table.colnames}
        values["fit_gains"] = table["CT_FIT_GAINS"][0] if "CT_FIT_GAINS" in table.colnames else None
        inter_chip: dict[str, ArrayLike] = {}
        if len(tables) > 1 and "IC_SOURCE_DET" in tables[1].colnames:
            inter_chip = {str(row["IC_SOURCE_DET"]).strip(): row["IC_COEFFS"] for row in tables[1]}
        meta = table.meta
        return cls._from_flat(values, inter_chip, meta, meta.get("HAS_CROSSTALK"), meta.get("CROSSTALK_RATIOS_UNITS"))

    def to_tree(self) -> dict[str, Any]:
        """Return flattened matrices beside the metadata."""
        inter_chip = {name: matrix.ravel().tolist() for name, matrix in self.inter_chip.items()}
        return {
            "metadata": self.metadata(),
            "hasCrosstalk": self.has_crosstalk,
            "nAmp": self.n_amplifiers,
            "crosstalkShape": (self.n_amplifiers, self.n_amplifiers),
            "crosstalkRatiosUnits": self.units,
            **{key: getattr(self, name).ravel().tolist() for name, _, key, _ in _MATRICES},
            "fitGains": self.fit_gains.tolist(),
            **({"interChip": inter_chip} if inter_chip else {}),
        }

    @classmethod
    def from_tree(cls, tree: Mapping[str, Any]) -> Self:
        """Make crosstalk of flattened matrices; raises `CalibrationFileError`."""
        missing_keys(cls.kind, tree, "coeffs")
        values = {name: tree[key] for name, _, key, _ in _MATRICES if tree.get(key) is not None}
        values["fit_gains"] = tree.get("fitGains")
        return cls._from_flat(
            values, tree.get("interChip") or {}, tree, tree.get("hasCrosstalk"), tree.get("crosstalkRatiosUnits")
        )

    @classmethod
    def _from_flat(
        cls,
        values: Mapping[str, Any],
        inter_chip: Mapping[str, ArrayLike],
        source: Mapping[str, Any],
        has_crosstalk: Any,
        units: Any,
    ) -> Self:
        n = round(np.size(values["coefficients"]) ** 0.5)
        problems = [
            f"{name} has {np.size(value)} values, not {n} x {n}"
            for name, value in {**values, **inter_chip}.items()
            if name != "fit_gains" and np.size(value) != n * n
        ]
        if problems:
            raise CalibrationFileError(f"crosstalk matrices must be square: {'; '.join(problems)}")
        matrices: dict[str, Any] = {
            name: _matrix(name, values[name], n, type(default)) for name, _, _, default in _MATRICES if name in values
        }
        gains = np.array([] if values.get("fit_gains") is None else values["fit_gains"], np.float64)
        return cls(
            info=cls.info_from(source),
            **matrices,
            # one gain for all amplifiers is the reference's way of saying that there are none
            fit_gains=gains if gains.size == n else _NO_MATRIX,
            units="electron" if str(units).strip().lower() == "electron" else "adu",  # before 1.1 files said nothing
            inter_chip={name: np.reshape(matrix, (n, n)).astype(np.float64) for name, matrix in inter_chip.items()},
            has_crosstalk=True if has_crosstalk is None else bool(has_crosstalk),
        )

    @classmethod
    def example(cls, detector: Detector, rng: np.random.Generator) -> Self:
        """Make coefficients of about 1e-4, stronger between neighbours."""
        n = len(detector.amplifiers)
        distance = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
        coefficients = rng.normal(1e-4, 2e-5, (n, n)) / np.maximum(distance, 1)
        np.fill_diagonal(coefficients, 0.0)
        return cls(info=info_of(detector), coefficients=coefficients, errors=np.full((n, n), 1e-6))


def _matrix(name: str, values: Any, n: int, kind: type) -> NDArray[Any]:
    try:
        return array_of(values, kind).reshape(n, n)
    except (TypeError, ValueError) as error:
        raise CalibrationFileError(f"{name} of crosstalk are {error}: {np.ravel(values)[:8]} ...") from error
