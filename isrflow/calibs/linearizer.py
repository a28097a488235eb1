"""Linearizer: makes the response of each amplifier proportional to light.

Types, with u the uncorrected signal: ``Polynomial`` u + c0 u^2 + c1 u^3 + ...; ``Squared`` u (1 + c0 u);
``LookupTable`` u + table[c0, int(c1 + u)]; ``Spline`` u - f(u) with f through nodes and values; ``DoubleSpline`` two of
these in turn; ``Proportional`` and ``None`` nothing. Signals are in `units`. Looked up by instrument and detector.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from isrflow.calibs.forms import Form
from isrflow.calibs.identity import info_of
from isrflow.calibs.linearity_types import problems_of
from isrflow.calibs.per_amp import (
    Column,
    fill,
    forms_of,
    from_table,
    from_tree,
    only_mappings,
    plain,
    table_columns,
    unknown_amplifiers,
)
from isrflow.calibs.tabular import TableCalibration, column_error
from isrflow.errors import CalibrationError, CalibrationFileError
from isrflow.frame.box import Box
from isrflow.frame.camera import Detector

if TYPE_CHECKING:
    from astropy.table import Table

PerAmp = Mapping[str, float]
ArrayPerAmp = Mapping[str, NDArray[Any]]
_NAN = float("nan")

LINEARIZER_COLUMNS = (
    Column("input_gain", "INPUT_GAIN", "inputGain", "float", _NAN),
    Column("input_turnoff", "INPUT_TURNOFF", "inputTurnoff", "float", float("inf")),
    Column("linearity_type", "TYPE", "linearityType", "str", "None"),
    # zeros after the last coefficient change nothing in any type but Spline, see check
    Column("coefficients", "COEFFS", "linearityCoeffs", "floats", (), pad=0.0),
    Column("input_abscissa", "INP_ABSCISSA", "inputAbscissa", "floats", (0.0,)),
    Column("input_ordinate", "INP_ORDINATE", "inputOrdinate", "floats", (0.0,)),
    Column("input_used", "INP_MASK", "inputMask", "bools", (False,)),
    Column("input_group", "INP_GROUPING_INDEX", "inputGroupingIndex", "ints", (0,)),
    Column("input_normalization", "INP_NORMALIZATION", "inputNormalization", "floats", (1.0,)),
    Column("fit_parameters", "FIT_PARAMS", "fitParams", "floats", (0.0,)),
    Column("fit_parameter_errors", "FIT_PARAMS_ERR", "fitParamsErr", "floats", (0.0,)),
    Column("fit_chi2", "RED_CHI_SQ", "fitChiSq", "float", _NAN),
    Column("fit_residuals", "FIT_RES", "fitResiduals", "floats", (0.0,)),
    Column("fit_residuals_sigma_mad", "FIT_RES_SIGMAD", "fitResidualsSigmaMad", "float", _NAN),
    Column("fit_residuals_unmasked", "FIT_RES_UNMASKED", "fitResidualsUnmasked", "floats", (0.0,)),
    Column("fit_residuals_model", "FIT_RES_MODEL", "fitResidualsModel", "floats", (0.0,)),
    Column("linear_fit", "LIN_FIT", "linearFit", "floats", (0.0,)),
    Column("linearity_turnoff", "LINEARITY_TURNOFF", "linearityTurnoff", "float", _NAN),
    Column("linearity_max_signal", "LINEARITY_MAX_SIGNAL", "linearityMaxSignal", "float", _NAN),
)
_N_BEFORE_BOX = [column.column for column in LINEARIZER_COLUMNS].index("COEFFS") + 1  # where tables have the boxes
_BOX_COLUMNS = ("BBOX_X0", "BBOX_Y0", "BBOX_DX", "BBOX_DY")


@dataclass(frozen=True, kw_only=True, eq=False)
class Linearizer(TableCalibration):
    """Type and coefficients per amplifier, and the fit they come from; every field maps amplifier names."""

    amp_names: tuple[str, ...] = ()
    """In the order of the detector; taken from `linearity_type` if not given."""
    linearity_type: Mapping[str, str] = field(default_factory=dict)
    """One of `isrflow.calibs.linearity_types.LINEARITY_TYPES`."""
    coefficients: ArrayPerAmp = field(default_factory=dict)
    """(n,) as the type reads them; Spline: n/2 nodes, then n/2 values."""
    boxes: Mapping[str, Box] = field(default_factory=dict)
    """The part of the detector the coefficients hold for (trimmed coordinates)."""
    table: NDArray[np.float32] | None = None
    """(rows, columns) corrections in `units` of LookupTable amplifiers."""
    units: Literal["adu", "electron"] = "adu"
    """Unit of the signals."""
    has_linearity: bool = True
    """False: take type and coefficients from the camera description."""
    override: bool = True
    """Whether types that differ from the camera description are a warning and not an error."""
    absolute_reference_amplifier: str = ""

    input_gain: PerAmp = field(default_factory=dict)
    """electron/adu of the data behind the fit."""
    input_turnoff: PerAmp = field(default_factory=dict)
    """adu."""
    input_abscissa: ArrayPerAmp = field(default_factory=dict)
    """(m,) light, in the unit the fit was made in."""
    input_ordinate: ArrayPerAmp = field(default_factory=dict)
    """(m,) adu: measured means."""
    input_used: ArrayPerAmp = field(default_factory=dict)
    """(m,) whether the point entered the fit."""
    input_group: ArrayPerAmp = field(default_factory=dict)
    """(m,) index of the illumination group."""
    input_normalization: ArrayPerAmp = field(default_factory=dict)
    """(m,)."""
    fit_parameters: ArrayPerAmp = field(default_factory=dict)
    """(p,)."""
    fit_parameter_errors: ArrayPerAmp = field(default_factory=dict)
    """(p,)."""
    fit_chi2: PerAmp = field(default_factory=dict)
    """Reduced chi square."""
    fit_residuals: ArrayPerAmp = field(default_factory=dict)
    """(m,) adu, NaN where not used."""
    fit_residuals_sigma_mad: PerAmp = field(default_factory=dict)
    """adu."""
    fit_residuals_unmasked: ArrayPerAmp = field(default_factory=dict)
    """(m,) adu."""
    fit_residuals_model: ArrayPerAmp = field(default_factory=dict)
    """(m,) adu."""
    linear_fit: ArrayPerAmp = field(default_factory=dict)
    """(2,) intercept and slope."""
    linearity_turnoff: PerAmp = field(default_factory=dict)
    """adu."""
    linearity_max_signal: PerAmp = field(default_factory=dict)
    """adu."""

    kind: ClassVar[str] = "linearizer"
    dimensions: ClassVar[tuple[str, ...]] = ("instrument", "detector")
    obs_type: ClassVar[str] = "LINEARIZER"
    schema: ClassVar[str] = "Gen3 Linearizer"
    version: ClassVar[float] = 1.8
    reference_class: ClassVar[str] = "lsst.ip.isr.linearize.Linearizer"
    reference_obs_types: ClassVar[frozenset[str]] = frozenset({"LINEARIZER"})
    forms: ClassVar[Mapping[str, Form]] = {
        **forms_of(LINEARIZER_COLUMNS),
        "AMPLIFIER_NAME": "texts",
        "ABS_REF_AMP": "texts",
        "LOOKUP_VALUES": "numbers",
        "tableData": "numbers",
        **dict.fromkeys(_BOX_COLUMNS, "whole number"),
        "hasLinearity": "true or false",
        "override": "true or false",
        "linearityUnits": "text",
        "absoluteReferenceAmplifier": "text",
    }
    own_cards: ClassVar[frozenset[str]] = frozenset({"HAS_LINEARITY", "OVERRIDE", "HAS_TABLE", "LINEARITY_UNITS"})

    def __post_init__(self) -> None:
        names = self.amp_names or tuple(self.linearity_type)
        unknown = unknown_amplifiers(self, LINEARIZER_COLUMNS, names)
        if unknown:
            raise CalibrationError(f"linearizer: values for amplifiers that are not in amp_names: {'; '.join(unknown)}")
        object.__setattr__(self, "amp_names", tuple(names))
        fill(self, LINEARIZER_COLUMNS, names)
        table = None if self.table is None else np.array(self.table, np.float32)
        object.__setattr__(self, "table", table)

    def check(self) -> None:
        """Raise `CalibrationError` if types are unknown or coefficients do not suit them; names amplifiers."""
        problems = [
            problem
            for name in self.amp_names
            for problem in problems_of(name, self.linearity_type[name], self.coefficients[name], self.table)
        ]
        lengths = {name: self.coefficients[name].size for name in self.amp_names if self._is(name, "Spline")}
        if len(set(lengths.values())) > 1:
            problems.append(f"Spline coefficients differ in number, files cannot hold that: {lengths}")
        if self.units not in ("adu", "electron"):
            problems.append(f"units are {self.units!r}, not adu or electron")
        if problems:
            raise CalibrationError(f"{self.label}: {'; '.join(problems)}")

    def _is(self, name: str, linearity_type: str) -> bool:
        return self.linearity_type[name].upper() == linearity_type.upper()

    def _own_metadata(self) -> dict[str, Any]:
        return {
            "HAS_LINEARITY": self.has_linearity,
            "OVERRIDE": self.override,
            "HAS_TABLE": self.table is not None,
            "LINEARITY_UNITS": self.units,
        }

    def to_tables(self) -> list[Table]:
        """Return one row per amplifier, and the lookup table if there is one."""
        from astropy.table import Table

        boxes = [self.boxes.get(name, Box(0, 0, 0, 0)) for name in self.amp_names]
        columns = {
            "AMPLIFIER_NAME": list(self.amp_names),
            **table_columns(self, LINEARIZER_COLUMNS[:_N_BEFORE_BOX], self.amp_names),
            **{
                column: np.array([getattr(box, attribute) for box in boxes], np.int64)
                for column, attribute in zip(_BOX_COLUMNS, ("x0", "y0", "width", "height"), strict=True)
            },
            **table_columns(self, LINEARIZER_COLUMNS[_N_BEFORE_BOX:], self.amp_names),
            "ABS_REF_AMP": [self.absolute_reference_amplifier] * len(self.amp_names),
        }
        tables = [Table(columns, meta=self.metadata())]
        if self.table is not None:
            tables.append(Table({"LOOKUP_VALUES": self.table}))
        return tables

    @classmethod
    def from_tables(cls, tables: list[Table]) -> Self:
        """Make a linearizer of its tables; raises `CalibrationFileError`."""
        table = tables[0]
        missing = [name for name in ("AMPLIFIER_NAME", "TYPE", "COEFFS") if name not in table.colnames]
        if missing:
            raise CalibrationFileError(f"a linearizer has a row per amplifier: {column_error(missing, table)}")
        names = tuple(str(name).strip() for name in table["AMPLIFIER_NAME"])
        boxes = {}
        if set(_BOX_COLUMNS) <= set(table.colnames):
            boxes = {name: Box(*(int(row[c]) for c in _BOX_COLUMNS)) for name, row in zip(names, table, strict=True)}
        has_lookup = len(tables) > 1 and "LOOKUP_VALUES" in tables[1].colnames
        reference = str(table["ABS_REF_AMP"][0]).strip() if "ABS_REF_AMP" in table.colnames and len(table) else ""
        return cls._made(
            table.meta,
            amp_names=names,
            boxes=boxes,
            table=np.array(tables[1]["LOOKUP_VALUES"]) if has_lookup else None,
            units=table.meta.get("LINEARITY_UNITS"),
            has_linearity=table.meta.get("HAS_LINEARITY"),
            override=table.meta.get("OVERRIDE"),
            absolute_reference_amplifier=reference,
            values=from_table(table, LINEARIZER_COLUMNS, names),
        )

    def to_tree(self) -> dict[str, Any]:
        """Return the fields under ``amplifiers``, by amplifier and the reference's names."""
        return {
            "metadata": self.metadata(),
            "detectorName": self.info.detector_name,
            "detectorSerial": self.info.detector_serial,
            "detectorId": self.info.detector_id,
            "hasLinearity": self.has_linearity,
            "override": self.override,
            "hasTable": self.table is not None,
            "linearityUnits": self.units,
            "absoluteReferenceAmplifier": self.absolute_reference_amplifier,
            **({} if self.table is None else {"tableData": self.table.tolist()}),
            "amplifiers": {name: self._tree_of(name) for name in self.amp_names},
        }

    def _tree_of(self, name: str) -> dict[str, Any]:
        tree = {column.key: plain(getattr(self, column.field)[name]) for column in LINEARIZER_COLUMNS}
        if name in self.boxes:
            tree["linearityBBox"] = self.boxes[name]
        return tree

    @classmethod
    def from_tree(cls, tree: Mapping[str, Any]) -> Self:
        """Make a linearizer of a tree; raises `CalibrationFileError`."""
        amplifiers = tree.get("amplifiers")
        if not isinstance(amplifiers, Mapping) or not amplifiers:
            raise CalibrationFileError(f"a linearizer needs amplifiers; the file has {', '.join(map(str, tree))}")
        only_mappings("amplifiers", amplifiers)
        by_key = {
            column.key: {name: amp[column.key] for name, amp in amplifiers.items() if amp.get(column.key) is not None}
            for column in LINEARIZER_COLUMNS
        }
        boxes = {name: amp["linearityBBox"] for name, amp in amplifiers.items() if amp.get("linearityBBox") is not None}
        return cls._made(
            tree,
            amp_names=tuple(str(name) for name in amplifiers),
            boxes={str(name): _box(name, box) for name, box in boxes.items()},
            table=None if tree.get("tableData") is None else np.array(tree["tableData"], np.float32),
            units=tree.get("linearityUnits"),
            has_linearity=tree.get("hasLinearity"),
            override=tree.get("override"),
            absolute_reference_amplifier=str(tree.get("absoluteReferenceAmplifier") or ""),
            values=from_tree({key: values for key, values in by_key.items() if values}, LINEARIZER_COLUMNS),
        )

    @classmethod
    def _made(
        cls,
        source: Mapping[str, Any],
        *,
        units: Any,
        has_linearity: Any,
        override: Any,
        values: Mapping[str, Any],
        **fields: Any,
    ) -> Self:
        try:
            return cls(
                info=cls.info_from(source),
                units="electron" if str(units).strip().lower() == "electron" else "adu",
                has_linearity=True if has_linearity is None else bool(has_linearity),
                override=True if override is None else bool(override),
                **fields,
                **values,
            )
        except CalibrationError as error:
            raise CalibrationFileError(error.message) from error

    @classmethod
    def example(cls, detector: Detector, rng: np.random.Generator) -> Self:
        """Make a linearizer of type Squared with coefficients of about 1e-7 / adu."""
        names = [amp.name for amp in detector.amplifiers]
        return cls(
            info=info_of(detector),
            linearity_type=dict.fromkeys(names, "Squared"),
            coefficients={name: np.array([rng.normal(1e-7, 2e-8)]) for name in names},
            boxes={amp.name: amp.box for amp in detector.amplifiers},
        )


def _box(name: str, given: Any) -> Box:
    """Return a box that is one or says x0, y0, width and height."""
    if isinstance(given, Box):
        return given
    numbers = given if isinstance(given, (list, tuple)) else ()
    if len(numbers) != len(_BOX_COLUMNS) or not all(isinstance(number, int) for number in numbers):
        raise CalibrationFileError(f"linearityBBox of amplifier {name} is {given!r}, not x0, y0, width, height")
    return Box(*numbers)
