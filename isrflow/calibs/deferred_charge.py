"""Deferred charge: what each serial register and output amplifier hands on late.

Per amplifier a drift of the output's offset (``drift_scale * signal``, decaying over ``decay_time`` pixels), a trap in
the serial register (capture function, emission time), and the inefficiency of all transfers; Snyder & Roodman 2021
(JATIS 7, 048002). Signals are in electrons, times in pixels. Looked up by instrument and detector.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

import numpy as np
from numpy.typing import NDArray

from isrflow.calibs.forms import Form, version_of
from isrflow.calibs.identity import info_of
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
from isrflow.calibs.tabular import TableCalibration, column_error, missing_keys
from isrflow.errors import CalibrationError, CalibrationFileError
from isrflow.frame.camera import Detector
from isrflow.kernels.deferred_charge import Capture, Drift, Trap

if TYPE_CHECKING:
    from astropy.table import Table

PerAmp = Mapping[str, float]
ArrayPerAmp = Mapping[str, NDArray[Any]]
TRAP_TYPES = ("linear", "logistic", "spline")
_NAN = float("nan")

DEFERRED_CHARGE_COLUMNS = (
    Column("drift_scale", "DRIFT_SCALE", "driftScale", "float", 0.0),
    Column("decay_time", "DECAY_TIME", "decayTime", "float", 1.0),
    Column("global_cti", "GLOBAL_CTI", "globalCti", "float", 0.0),
    Column("signals", "SIGNALS", "signals", "floats", ()),
    Column("input_gain", "INPUT_GAIN", "inputGain", "float", _NAN),
    Column("serial_eper", "SERIAL_EPER", "serialEper", "floats", ()),
    Column("parallel_eper", "PARALLEL_EPER", "parallelEper", "floats", ()),
    Column("serial_turnoff", "SERIAL_CTI_TURNOFF", "serialCtiTurnoff", "float", _NAN),
    Column("parallel_turnoff", "PARALLEL_CTI_TURNOFF", "parallelCtiTurnoff", "float", _NAN),
    Column(
        "serial_turnoff_sampling_error",
        "SERIAL_CTI_TURNOFF_SAMPLING_ERR",
        "serialCtiTurnoffSamplingErr",
        "float",
        _NAN,
    ),
    Column(
        "parallel_turnoff_sampling_error",
        "PARALLEL_CTI_TURNOFF_SAMPLING_ERR",
        "parallelCtiTurnoffSamplingErr",
        "float",
        _NAN,
    ),
)
TRAP_COLUMNS = (
    Column("trap_size", "SIZE", "size", "float", 0.0),
    Column("trap_emission_time", "EMISSION_TIME", "emissionTime", "float", 1.0),
    Column("trap_pixel", "PIXEL", "pixel", "int", 1),
    Column("trap_type", "TYPE", "trap_type", "str", "linear"),
    Column("trap_coefficients", "COEFFS", "coeffs", "floats", (0.0,)),
)
_COLUMNS = DEFERRED_CHARGE_COLUMNS + TRAP_COLUMNS


@dataclass(frozen=True, kw_only=True, eq=False)
class DeferredCharge(TableCalibration):
    """Drift, trap and inefficiency per amplifier, and how they were measured; every field maps amplifier names."""

    amp_names: tuple[str, ...] = ()
    """In the order of the detector; taken from `drift_scale` if not given."""
    drift_scale: PerAmp = field(default_factory=dict)
    """Offset left per electron of signal; 0 for none."""
    decay_time: PerAmp = field(default_factory=dict)
    """Pixels."""
    global_cti: PerAmp = field(default_factory=dict)
    """Charge left behind by one transfer, as a fraction."""
    trap_size: PerAmp = field(default_factory=dict)
    """Electron."""
    trap_emission_time: PerAmp = field(default_factory=dict)
    """Pixels."""
    trap_pixel: Mapping[str, int] = field(default_factory=dict)
    """Column of the register; the correction does not use it."""
    trap_type: Mapping[str, str] = field(default_factory=dict)
    """One of `TRAP_TYPES`."""
    trap_coefficients: ArrayPerAmp = field(default_factory=dict)
    """linear: (n,), the first is the slope; logistic: (2,) middle, steepness; spline: n/2 signals, n/2 charges."""
    signals: ArrayPerAmp = field(default_factory=dict)
    """(p,) electron: mean signals at which charge in the overscan was measured."""
    serial_eper: ArrayPerAmp = field(default_factory=dict)
    """(p,) extended pixel edge response along rows."""
    parallel_eper: ArrayPerAmp = field(default_factory=dict)
    """(p,) the same along columns."""
    input_gain: PerAmp = field(default_factory=dict)
    """electron/adu with which all this was measured."""
    serial_turnoff: PerAmp = field(default_factory=dict)
    """Electron: signal above which the serial response leaves the model."""
    parallel_turnoff: PerAmp = field(default_factory=dict)
    """Electron."""
    serial_turnoff_sampling_error: PerAmp = field(default_factory=dict)
    """Electron."""
    parallel_turnoff_sampling_error: PerAmp = field(default_factory=dict)
    """Electron."""

    kind: ClassVar[str] = "deferred_charge"
    dimensions: ClassVar[tuple[str, ...]] = ("instrument", "detector")
    obs_type: ClassVar[str] = "CTI"
    schema: ClassVar[str] = "Deferred Charge"
    version: ClassVar[float] = 1.3
    reference_class: ClassVar[str] = "lsst.ip.isr.deferredCharge.DeferredChargeCalib"
    reference_obs_types: ClassVar[frozenset[str]] = frozenset({"CTI"})
    forms: ClassVar[Mapping[str, Form]] = {
        **forms_of(_COLUMNS),
        **{column.key: "mapping" for column in DEFERRED_CHARGE_COLUMNS},
        "AMPLIFIER": "texts",
        "serialTraps": "mapping",
    }
    own_cards: ClassVar[frozenset[str]] = frozenset({"UNITS"})

    def __post_init__(self) -> None:
        names = self.amp_names or tuple(self.drift_scale)
        unknown = unknown_amplifiers(self, _COLUMNS, names)
        if unknown:
            raise CalibrationError(
                f"deferred_charge: values for amplifiers that are not in amp_names: {'; '.join(unknown)}"
            )
        object.__setattr__(self, "amp_names", tuple(names))
        fill(self, _COLUMNS, names)

    def drift(self, amp: str) -> Drift:
        """Return the drift of an amplifier's offset."""
        return Drift(self.drift_scale[amp], self.decay_time[amp])

    def trap(self, amp: str) -> Trap:
        """Return the trap of an amplifier's register."""
        capture = cast("Capture", self.trap_type[amp])
        return Trap(self.trap_size[amp], self.trap_emission_time[amp], capture, self.trap_coefficients[amp])

    def check(self) -> None:
        """Raise `CalibrationError` if times or sizes are impossible or coefficients do not suit; names amplifiers."""
        problems = [
            f"{problem} of amplifier {name}"
            for name in self.amp_names
            for problem in (*self._number_problems(name), *self._trap_problems(name))
        ]
        if problems:
            raise CalibrationError(f"{self.label}: {'; '.join(problems)}")

    def _number_problems(self, name: str) -> list[str]:
        positive = ("decay_time", "trap_emission_time")
        found = [
            f"{key} {getattr(self, key)[name]}, not positive," for key in positive if not getattr(self, key)[name] > 0
        ]
        not_negative = ("drift_scale", "trap_size")
        found += [f"{key} {getattr(self, key)[name]}" for key in not_negative if not getattr(self, key)[name] >= 0]
        if not 0 <= self.global_cti[name] < 1:
            found.append(f"global_cti {self.global_cti[name]}, not a fraction,")
        n = self.signals[name].size
        lists = ("serial_eper", "parallel_eper")
        sizes = {key: getattr(self, key)[name].size for key in lists}
        return found + [f"{key} with {size} values, {n} signals," for key, size in sizes.items() if size not in (0, n)]

    def _trap_problems(self, name: str) -> list[str]:
        kind, values = self.trap_type[name], self.trap_coefficients[name]
        if kind not in TRAP_TYPES:
            return [f"trap_type {kind!r}, not one of {', '.join(TRAP_TYPES)},"]
        if kind != "spline":
            least = 1 if kind == "linear" else 2
            wrong = values.size < least or not np.isfinite(values[:least]).all()
            return [f"trap_coefficients {values}, {kind} reads {least} numbers,"] if wrong else []
        if values.size < 2 or values.size % 2:
            return [f"trap_coefficients: spline needs signals and as many charges, not {values.size} numbers,"]
        knots, charges = self.trap(name).knots()
        wrong = knots.size == 0 or not (np.isfinite(knots).all() and np.isfinite(charges).all())
        return ["trap_coefficients: signals that do not increase"] if wrong or (np.diff(knots) <= 0).any() else []

    def _own_metadata(self) -> dict[str, Any]:
        return {"UNITS": "electron"}

    def to_tables(self) -> list[Table]:
        """Return one row per amplifier, and a second table of the traps."""
        from astropy.table import Table

        names = list(self.amp_names)
        first = {"AMPLIFIER": names, **table_columns(self, DEFERRED_CHARGE_COLUMNS, names)}
        return [
            Table(first, meta=self.metadata()),
            Table({"AMPLIFIER": names, **table_columns(self, TRAP_COLUMNS, names)}),
        ]

    @classmethod
    def from_tables(cls, tables: list[Table]) -> Self:
        """Make it of its two tables; raises `CalibrationFileError`."""
        needed = ("AMPLIFIER", "DRIFT_SCALE", "DECAY_TIME", "GLOBAL_CTI"), ("AMPLIFIER", "SIZE", "TYPE", "COEFFS")
        if len(tables) < len(needed):
            raise CalibrationFileError("deferred charge has a table of amplifiers and one of traps; the file has one")
        for table, columns in zip(tables, needed, strict=False):
            missing = [name for name in columns if name not in table.colnames]
            if missing:
                raise CalibrationFileError(f"deferred charge has a row per amplifier: {column_error(missing, table)}")
        names, trapped = (tuple(str(name).strip() for name in table["AMPLIFIER"]) for table in tables[:2])
        values = from_table(tables[0], DEFERRED_CHARGE_COLUMNS, names) | from_table(tables[1], TRAP_COLUMNS, trapped)
        values["trap_coefficients"] = {name: _stripped(c) for name, c in values["trap_coefficients"].items()}
        return cls._made(tables[0].meta, tables[0].meta, names, values)

    def to_tree(self) -> dict[str, Any]:
        """Return the fields under the reference's names, traps by amplifier."""
        tree = {
            column.key: {name: plain(value) for name, value in getattr(self, column.field).items()}
            for column in DEFERRED_CHARGE_COLUMNS
        }
        traps = {
            name: {column.key: plain(getattr(self, column.field)[name]) for column in TRAP_COLUMNS}
            for name in self.amp_names
        }
        return {"metadata": self.metadata(), **tree, "serialTraps": traps}

    @classmethod
    def from_tree(cls, tree: Mapping[str, Any]) -> Self:
        """Make it of a tree; raises `CalibrationFileError`."""
        missing_keys(cls.kind, tree, "driftScale", "decayTime", "globalCti", "serialTraps")
        traps = tree["serialTraps"]
        only_mappings("serialTraps", traps)
        by_key = {
            column.key: {name: trap[column.key] for name, trap in traps.items() if trap.get(column.key) is not None}
            for column in TRAP_COLUMNS
        }
        values = from_tree(tree, DEFERRED_CHARGE_COLUMNS) | from_tree(by_key, TRAP_COLUMNS)
        names = tuple(str(name) for name in tree["driftScale"])
        return cls._made(tree, tree.get("metadata") or {}, names, values)

    @classmethod
    def _made(
        cls, source: Mapping[str, Any], cards: Mapping[str, Any], names: tuple[str, ...], values: dict[str, Any]
    ) -> Self:
        """Make it of what a file of some version holds, filling in what that version did not know."""
        info = cls.info_from(source)
        version = version_of(cards, "CTI_VERSION", cls.version)
        if version < 1.1:
            raise CalibrationFileError(f"version {version} of deferred charge is in adu; at least 1.1 is needed")
        for missing in ("serial_eper", "parallel_eper"):
            if missing not in values:
                lists = values.get("signals", {})
                values[missing] = {name: np.full(len(lists.get(name, ())), np.nan) for name in names}
        try:
            return cls(info=info, amp_names=names, **values)
        except CalibrationError as error:
            raise CalibrationFileError(error.message) from error

    @classmethod
    def example(cls, detector: Detector, rng: np.random.Generator) -> Self:
        """Make drifts of about 2e-4, linear traps of a few electrons, and an inefficiency of about 1e-6."""
        names = [amp.name for amp in detector.amplifiers]
        return cls(
            info=info_of(detector),
            drift_scale={name: float(rng.uniform(1e-4, 3e-4)) for name in names},
            decay_time=dict.fromkeys(names, 2.5),
            global_cti={name: float(rng.uniform(5e-7, 2e-6)) for name in names},
            trap_size=dict.fromkeys(names, 5.0),
            trap_emission_time=dict.fromkeys(names, 0.5),
            trap_coefficients=dict.fromkeys(names, np.array([1e-4])),
            signals=dict.fromkeys(names, np.array([1e3, 1e4, 1e5])),
            serial_eper=dict.fromkeys(names, np.array([2e-6, 1e-6, 1e-6])),
            parallel_eper=dict.fromkeys(names, np.array([1e-6, 5e-7, 5e-7])),
            input_gain={amp.name: amp.gain_electron_per_adu for amp in detector.amplifiers},
        )


def _stripped(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the values without the NaNs that fill up a row."""
    known = np.flatnonzero(~np.isnan(values))
    return values[: known[-1] + 1] if known.size else values[:0]
