"""Electrostatic brighter-fatter: how far charge in a pixel moves the sides of the pixels around it.

Astier & Regnault 2023 (A&A 670, A118): a model of the field in the silicon, fitted to the measured a-matrix of flats
(Astier et al. 2019), gives the shift of the north, south, east and west side of a pixel at a distance of (i, j) pixels
along x and y, per electron collected, as a fraction of the pixel. One quadrant is stored, (n, n) with i first. Light
converts at depths that depend on its colour, so there may be matrices by filter. Looked up by instrument and detector.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from isrflow.calibs.electrostatic_columns import (
    BY_FILTER,
    BY_NAME,
    FIT_MATRICES,
    INPUT_MATRICES,
    NAMES,
    NUMBERS,
    OTHERS,
    SHIFTS,
    TABLE_COLUMNS,
)
from isrflow.calibs.forms import Form, version_of
from isrflow.calibs.identity import info_of
from isrflow.calibs.tabular import TableCalibration, column_error, missing_keys
from isrflow.errors import CalibrationError, CalibrationFileError
from isrflow.frame.camera import Detector

if TYPE_CHECKING:
    from astropy.table import Table

Matrix = NDArray[np.float64]
_NOTHING = np.empty(0)
_NAN = float("nan")


@dataclass(frozen=True, kw_only=True, eq=False)
class Electrostatic(TableCalibration):
    """Shifts of pixel sides, and the fit they come from; what only documents the fit may be empty."""

    input_size: int = 0
    """Side of the measured matrix; that of `measured` if not given."""
    fit_size: int = 0
    """n, the side of the fitted matrices; that of `north` if not given."""
    north: Matrix
    """(n, n) shift of the upper side, in pixels per electron, by distance (x, y)."""
    south: Matrix
    """(n, n) the same of the lower side."""
    east: Matrix
    """(n, n) the same of the right side."""
    west: Matrix
    """(n, n) the same of the left side."""
    measured: Matrix = field(default_factory=_NOTHING.copy)
    """(m, m) a-matrix of flats, in 1/electron."""
    measured_sigma: Matrix = field(default_factory=_NOTHING.copy)
    """(m, m)."""
    model: Matrix = field(default_factory=_NOTHING.copy)
    """(n, n) fitted a-matrix."""
    theoretical: Matrix = field(default_factory=_NOTHING.copy)
    """(n, n) change of pixel areas, per electron."""
    theoretical_minus_beta: Matrix = field(default_factory=_NOTHING.copy)
    """(n, n) the same without the fitted offset."""
    measured_sum: float = _NAN
    model_sum: float = _NAN
    normalization: Matrix = field(default_factory=_NOTHING.copy)
    """(2,) factor and offset between theory and model."""
    used: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, bool))
    """(m, m) whether the element took part in the fit."""
    parameter_names: tuple[str, ...] = ()
    free_parameter_names: tuple[str, ...] = ()
    parameters: Mapping[str, float] = field(default_factory=dict)
    """Lengths in micrometres."""
    parameter_errors: Mapping[str, float] = field(default_factory=dict)
    parameter_covariance: Matrix = field(default_factory=_NOTHING.copy)
    """(f, f) of the free parameters."""
    fit_chi2: float = _NAN
    fit_reduced_chi2: float = _NAN
    amp_names: tuple[str, ...] = ()
    bad_amplifiers: tuple[str, ...] = ()
    """Names of amplifiers that were left out."""
    gain: Mapping[str, float] = field(default_factory=dict)
    """electron/adu that it was measured with, by amplifier name; empty for that of the camera."""
    filters: tuple[str, ...] = ()
    """Filters there are matrices for; the mappings below are by their names."""
    north_by_filter: Mapping[str, Matrix] = field(default_factory=dict)
    south_by_filter: Mapping[str, Matrix] = field(default_factory=dict)
    east_by_filter: Mapping[str, Matrix] = field(default_factory=dict)
    west_by_filter: Mapping[str, Matrix] = field(default_factory=dict)
    model_by_filter: Mapping[str, Matrix] = field(default_factory=dict)
    theoretical_by_filter: Mapping[str, Matrix] = field(default_factory=dict)
    theoretical_minus_beta_by_filter: Mapping[str, Matrix] = field(default_factory=dict)

    kind: ClassVar[str] = "electrostatic"
    dimensions: ClassVar[tuple[str, ...]] = ("instrument", "detector")
    obs_type: ClassVar[str] = "BF_DISTORTION_MATRIX"
    schema: ClassVar[str] = "ELectrostatic brighter-fatter pixel distortion model"  # spelt as in the reference's files
    version: ClassVar[float] = 1.1
    reference_class: ClassVar[str] = (
        "lsst.ip.isr.electrostaticBrighterFatter.ElectrostaticBrighterFatterDistortionMatrix"
    )
    reference_obs_types: ClassVar[frozenset[str]] = frozenset({"BF_DISTORTION_MATRIX"})
    forms: ClassVar[Mapping[str, Form]] = {
        **{column: "texts" for _, column, _ in NAMES},
        **{key: "texts" for _, _, key in NAMES},
        **{key: "number" for _, _, key in NUMBERS},
        **{column: "number" for _, column, _ in NUMBERS},
        **{column: "numbers" for _, column, *_ in (*BY_NAME, *INPUT_MATRICES, *FIT_MATRICES, *OTHERS, *BY_FILTER)},
        **{key: "numbers" for _, _, key in (*INPUT_MATRICES, *FIT_MATRICES, *OTHERS)},
        **{key: "numbers by name" for _, _, key, _ in BY_NAME},
        **{key: "lists by name" for _, _, key in BY_FILTER},
        **dict.fromkeys(("INPUT_RANGE", "FIT_RANGE", "inputRange", "fitRange"), "whole number"),
    }
    unknown_cards: ClassVar[Literal["undefined", "empty", "absent"]] = "empty"
    own_cards: ClassVar[frozenset[str]] = frozenset({"INPUT_RANGE", "FIT_RANGE"})

    def __post_init__(self) -> None:
        values: dict[str, Any] = {name: tuple(str(item) for item in getattr(self, name)) for name, *_ in NAMES}
        values |= {name: float(getattr(self, name)) for name, *_ in NUMBERS}
        for name, *_ in (*BY_NAME, *BY_FILTER):
            values[name] = dict(getattr(self, name))
        for name, *_ in (*INPUT_MATRICES, *FIT_MATRICES):
            values[name] = _square(getattr(self, name), np.float64)
        for name, *_ in BY_FILTER:
            values[name] = {key: _square(matrix, np.float64) for key, matrix in values[name].items()}
        values["used"] = _square(self.used, np.bool_)
        values["parameter_covariance"] = _square(self.parameter_covariance, np.float64)
        values["normalization"] = np.array(self.normalization, np.float64)
        values["input_size"] = int(self.input_size) or len(values["measured"])
        values["fit_size"] = int(self.fit_size) or len(values["north"])
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def shifts(self, physical_filter: str | None = None) -> tuple[Matrix, Matrix, Matrix, Matrix]:
        """Return the north, south, east and west matrices, those of a filter if one of `filters` is named."""
        if physical_filter is None:
            return self.north, self.south, self.east, self.west
        return (
            self.north_by_filter[physical_filter],
            self.south_by_filter[physical_filter],
            self.east_by_filter[physical_filter],
            self.west_by_filter[physical_filter],
        )

    def check(self) -> None:
        """Raise `CalibrationError` if matrices, filters and names do not go together; all offenders are named."""
        problems = [] if self.fit_size >= 2 else [f"fit_size is {self.fit_size}: at least 2 is needed"]
        problems += [*self._matrix_problems(), *self._filter_problems(), *self._name_problems()]
        if problems:
            raise CalibrationError(f"{self.label}: {'; '.join(problems)}")

    def _matrix_problems(self) -> Iterator[str]:
        needed = {name for name, *_ in SHIFTS}
        sides = {name: self.fit_size for name, *_ in FIT_MATRICES}
        sides |= dict.fromkeys(("measured", "measured_sigma", "used"), self.input_size)
        for name, side in sides.items():
            matrix = getattr(self, name)
            if matrix.shape != (side, side) and (matrix.size or name in needed):
                yield f"{name} has shape {matrix.shape}, not {(side, side)}"
            elif name in needed and not np.isfinite(matrix).all():
                yield f"{name} holds values that are not finite"

    def _filter_problems(self) -> Iterator[str]:
        needed = {f"{name}_by_filter" for name, *_ in SHIFTS}
        for name, *_ in BY_FILTER:
            matrices = getattr(self, name)
            if set(matrices) != set(self.filters) and (matrices or name in needed):
                yield f"{name} has matrices of {_listed(matrices)}, not of {_listed(self.filters)}"
            for key, matrix in matrices.items():
                if matrix.shape != (self.fit_size, self.fit_size):
                    yield f"{name} of {key} has shape {matrix.shape}, not {(self.fit_size, self.fit_size)}"
                elif name in needed and not np.isfinite(matrix).all():
                    yield f"{name} of {key} holds values that are not finite"

    def _name_problems(self) -> Iterator[str]:
        for name, _, _, named_in in BY_NAME:
            known, wanted = set(getattr(self, name)), set(getattr(self, named_in))
            if known and known != wanted:
                yield f"{name} is of {_listed(sorted(known))}, not of {_listed(sorted(wanted))}"
        if wrong := [name for name, gain in self.gain.items() if gain <= 0 and name not in self.bad_amplifiers]:
            yield f"the gain of {_listed(wrong)} is not positive"

    def _own_metadata(self) -> dict[str, Any]:
        return {"INPUT_RANGE": self.input_size, "FIT_RANGE": self.fit_size}

    def to_tables(self) -> list[Table]:
        """Return one row that holds everything; matrices flat, those by filter stacked."""
        from astropy.table import Table

        cells: dict[str, Any] = {column: list(getattr(self, name)) for name, column, _ in NAMES}
        cells |= {"INPUT_RANGE": self.input_size, "FIT_RANGE": self.fit_size}
        for name, column, _, named_in in BY_NAME:
            by_name = getattr(self, name)
            cells[column] = [by_name[key] for key in getattr(self, named_in) if by_name]
        cells |= {column: getattr(self, name) for name, column, _ in NUMBERS}
        for name, column, _ in (*INPUT_MATRICES, *FIT_MATRICES, *OTHERS):
            cells[column] = getattr(self, name).ravel()
        for name, column, _ in BY_FILTER:
            by_filter = getattr(self, name)
            cells[column] = np.array([by_filter[key] for key in self.filters if by_filter], np.float64)
        return [Table({column: [cells[column]] for column in TABLE_COLUMNS}, meta=self.metadata())]

    @classmethod
    def from_tables(cls, tables: list[Table]) -> Self:
        """Make it of its row; raises `CalibrationFileError`."""
        table = tables[0]
        missing = [column for _, column, _ in SHIFTS if column not in table.colnames]
        if missing or len(table) != 1:
            raise CalibrationFileError(
                f"electrostatic is one row of matrices: {column_error(missing, table)}, in {len(table)} rows"
            )
        row = {name: np.ma.getdata(table[name][0]) for name in table.colnames}
        texts = {name: [str(text).strip() for text in np.ravel(row.get(column, ()))] for name, column, _ in NAMES}
        values: dict[str, Any] = {name: [text for text in items if text] for name, items in texts.items()}
        for name, column, _, named_in in BY_NAME:
            given = np.ravel(row.get(column, ()))
            values[name] = {key: float(item) for key, item in zip(values[named_in], given, strict=False)}
        for name, column, _ in (*NUMBERS, *INPUT_MATRICES, *FIT_MATRICES, *OTHERS):
            if column in row:
                values[name] = row[column]
        for name, column, _ in BY_FILTER:
            stack = np.atleast_1d(row.get(column, _NOTHING))
            if stack.size and len(stack) != len(values["filters"]):
                raise CalibrationFileError(
                    f"{column} holds {len(stack)} matrices, AVAILABLE_FILTERS are {_listed(values['filters'])}"
                )
            values[name] = dict(zip(values["filters"], stack, strict=True)) if np.size(stack) else {}
        return cls._made(table.meta, table.meta, row.get("INPUT_RANGE"), row.get("FIT_RANGE"), values)

    def to_tree(self) -> dict[str, Any]:
        """Return flat lists by the reference's names, beside the metadata; those by filter under its name."""
        tree: dict[str, Any] = {key: list(getattr(self, name)) for name, _, key in NAMES}
        tree |= {"inputRange": self.input_size, "fitRange": self.fit_size}
        tree |= {key: dict(getattr(self, name)) for name, _, key, _ in BY_NAME}
        tree |= {key: getattr(self, name) for name, _, key in NUMBERS}
        for name, _, key in (*INPUT_MATRICES, *FIT_MATRICES, *OTHERS):
            tree[key] = getattr(self, name).ravel().tolist()
        for name, _, key in BY_FILTER:
            tree[key] = {named: matrix.ravel().tolist() for named, matrix in getattr(self, name).items()}
        return {"metadata": self.metadata(), **tree}

    @classmethod
    def from_tree(cls, tree: Mapping[str, Any]) -> Self:
        """Make it of a tree; raises `CalibrationFileError`."""
        missing_keys(cls.kind, tree, *(key for _, _, key in SHIFTS))
        whole = {key: value for key, value in tree.items() if value is not None}
        values: dict[str, Any] = {name: whole.get(key, ()) for name, _, key in NAMES}
        for name, _, key in (*NUMBERS, *INPUT_MATRICES, *FIT_MATRICES, *OTHERS):
            if key in whole:
                values[name] = whole[key]
        for name, _, key, _ in BY_NAME:
            values[name] = {str(named): float(value) for named, value in dict(whole.get(key, {})).items()}
        for name, _, key in BY_FILTER:
            values[name] = {str(named): matrix for named, matrix in dict(whole.get(key, {})).items()}
        return cls._made(tree, tree.get("metadata") or {}, whole.get("inputRange"), whole.get("fitRange"), values)

    @classmethod
    def _made(
        cls, source: Mapping[str, Any], meta: Mapping[str, Any], input_size: Any, fit_size: Any, values: dict[str, Any]
    ) -> Self:
        version = version_of(meta, "BF_DISTORTION_MATRIX_VERSION", cls.version)
        if version not in (1.0, 1.1):
            raise CalibrationFileError(f"BF_DISTORTION_MATRIX_VERSION is {version}; 1.0 and 1.1 can be read")
        sizes = {"input_size": int(input_size or 0), "fit_size": int(fit_size or 0)}
        return cls(**{"info": cls.info_from(source), **sizes, **values})

    @classmethod
    def example(cls, detector: Detector, rng: np.random.Generator) -> Self:
        """Make shifts of 3 x 3 pixels that fall off from about 1e-7 per electron, and some for the filters g and r."""
        x, y = np.mgrid[:3, :3]
        fall = 1.0 / (1.0 + x**2 + y**2) ** 1.5
        values: dict[str, Any] = {name: 1e-7 * fall * rng.normal(1.0, 0.02) for name, *_ in SHIFTS}
        values |= {f"{name}_by_filter": {"g": matrix, "r": 0.95 * matrix} for name, matrix in values.items()}
        gains = {amp.name: amp.gain_electron_per_adu for amp in detector.amplifiers}
        return cls(info=info_of(detector), amp_names=tuple(gains), gain=gains, filters=("g", "r"), **values)


def _square(values: Any, dtype: Any) -> NDArray[Any]:
    """Return an array, a flat one of n squared values as (n, n)."""
    array = np.array(values, dtype)
    side = int(np.sqrt(array.size))
    return array.reshape(side, side) if array.size and side * side == array.size else array


def _listed(names: Any) -> str:
    return ", ".join(names) or "nothing"
