"""Brighter-fatter kernel: how strongly charge in a pixel bends the path of later charge (Coulton et al. 2018).

The true image is ``F + div(F grad(K * F)) / 2`` with F in electrons and the kernel K, (k, k) with odd k, in 1/electron.
There is one kernel per amplifier or one per detector; a detector is corrected as a whole, by the clipped mean of those
of its valid amplifiers in the first case. The measurements behind them are kept. Looked up by instrument and detector.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from isrflow.calibs.forms import Form, version_of, whole_number
from isrflow.calibs.identity import info_of
from isrflow.calibs.per_amp import (
    Column,
    fill,
    forms_of,
    from_table,
    from_tree,
    plain,
    table_columns,
    unknown_amplifiers,
)
from isrflow.calibs.tabular import TableCalibration, column_error
from isrflow.errors import CalibrationError, CalibrationFileError, CalibrationMismatch
from isrflow.frame.camera import Detector
from isrflow.kernels.statistics import clip

if TYPE_CHECKING:
    from astropy.table import Table

Kernel = NDArray[np.float64]
_NAN = float("nan")

BFK_COLUMNS = (
    Column("exposures_used", "EXP_ID_MASK", "expIdMask", "bools", ()),
    Column("raw_means", "RAW_MEANS", "rawMeans", "floats", ()),
    Column("raw_variances", "RAW_VARIANCES", "rawVariances", "floats", ()),
    Column("raw_correlations", "RAW_XCORRS", "rawXcorrs", "floats", ()),
    Column("gain", "GAIN", "gain", "float", _NAN),
    Column("noise", "NOISE", "noise", "float", _NAN),
    Column("mean_correlations", "MEAN_XCORRS", "meanXcorrs", "floats", ()),
    Column("amplifier_kernels", "KERNEL", "ampKernels", "floats", ()),
    Column("valid", "VALID", "valid", "int", 1),
)


@dataclass(frozen=True, kw_only=True, eq=False)
class BrighterFatterKernel(TableCalibration):
    """Kernels, and the correlations of flats they come from; mappings are by amplifier name unless said otherwise."""

    level: Literal["AMP", "DETECTOR"] = "AMP"
    """Which kernels are to be used. A file of level DETECTOR holds nothing about amplifiers."""
    size_px: int = 17
    """k, the width of all kernels."""
    amp_names: tuple[str, ...] = ()
    """In the order of the detector; taken from `amplifier_kernels` if not given."""
    amplifier_kernels: Mapping[str, Kernel] = field(default_factory=dict)
    """(k, k) in 1/electron."""
    detector_kernels: Mapping[str, Kernel] = field(default_factory=dict)
    """Detector name to (k, k) in 1/electron."""
    valid: Mapping[str, bool] = field(default_factory=dict)
    """Whether the kernel of the amplifier is to be used."""
    gain: Mapping[str, float] = field(default_factory=dict)
    """electron/adu that the kernels were measured with."""
    noise: Mapping[str, float] = field(default_factory=dict)
    """electron."""
    exposures_used: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    """(p,) whether the pair of flats was used."""
    raw_means: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    """(p,) adu."""
    raw_variances: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    """(p,) adu squared."""
    raw_correlations: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    """(p, s, s) with s = (k - 1) / 2; NaN for pairs that were not used and not kept."""
    mean_correlations: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    """(k, k)."""

    kind: ClassVar[str] = "bfk"
    dimensions: ClassVar[tuple[str, ...]] = ("instrument", "detector")
    obs_type: ClassVar[str] = "bfk"
    schema: ClassVar[str] = "Brighter-fatter kernel"
    version: ClassVar[float] = 1.1
    reference_class: ClassVar[str] = "lsst.ip.isr.brighterFatterKernel.BrighterFatterKernel"
    reference_obs_types: ClassVar[frozenset[str]] = frozenset({"bfk", "BFK"})
    forms: ClassVar[Mapping[str, Form]] = {
        **forms_of(BFK_COLUMNS),
        "AMPLIFIER": "texts",
        "DETECTOR": "texts",
        "badAmps": "texts",
        "detKernels": "mapping",
    }
    own_cards: ClassVar[frozenset[str]] = frozenset({"LEVEL", "KERNEL_DX", "KERNEL_DY"})

    def __post_init__(self) -> None:
        names = tuple(self.amp_names or self.amplifier_kernels)
        if unknown := unknown_amplifiers(self, BFK_COLUMNS, names):
            raise CalibrationError(f"bfk: values for amplifiers that are not in amp_names: {'; '.join(unknown)}")
        object.__setattr__(self, "amp_names", names)
        fill(self, BFK_COLUMNS, names)
        object.__setattr__(self, "valid", {name: bool(flag) for name, flag in self.valid.items()})
        for name in names:
            self._shape_values(name)
        kernels = {name: _shaped(np.array(k, np.float64), self.size_px) for name, k in self.detector_kernels.items()}
        object.__setattr__(self, "detector_kernels", kernels)

    def _shape_values(self, name: str) -> None:
        """Give flat lists of an amplifier, as files have them, their shapes; what does not fit is left to `check`."""
        side = (self.size_px - 1) // 2
        for values in (self.amplifier_kernels, self.mean_correlations):
            values[name] = _shaped(values[name], self.size_px)  # type: ignore[index] # made by fill
        flat, used = self.raw_correlations[name].reshape(-1), self.exposures_used[name]
        if side and flat.size % side**2 == 0:
            stack = flat.reshape(-1, side, side)
            if len(stack) and len(stack) != used.size and len(stack) == used.sum():  # only those of used pairs
                whole = np.full((used.size, side, side), _NAN)
                whole[used] = stack
                stack = whole
            self.raw_correlations[name] = stack  # type: ignore[index] # made by fill

    @property
    def bad_amplifiers(self) -> tuple[str, ...]:
        """Names of amplifiers whose kernel is not valid."""
        return tuple(name for name in self.amp_names if not self.valid[name])

    def kernel_of(self, detector_name: str) -> Kernel:
        """Return the kernel a whole detector is corrected with: its own, or the clipped mean of valid amplifiers'.

        Raises
        ------
        CalibrationMismatch
            If there is none for this detector, or no amplifier is valid.
        """
        if self.level == "DETECTOR":
            if detector_name not in self.detector_kernels:
                known = ", ".join(self.detector_kernels) or "no detector"
                raise CalibrationMismatch(f"{self.label}: no kernel of detector {detector_name}, only of {known}")
            return self.detector_kernels[detector_name]
        return self.mean_kernel()

    def mean_kernel(self, *, exclude: Collection[str] = ()) -> Kernel:
        """Return the clipped mean of the kernels of valid amplifiers, without those whose names are excluded.

        Raises
        ------
        CalibrationMismatch
            If none is left.
        """
        used = [name for name in self.amp_names if self.valid[name] and name not in exclude]
        good = [self.amplifier_kernels[name] for name in used]
        if not good:
            raise CalibrationMismatch(f"{self.label}: no amplifier is valid, so there is no kernel of the detector")
        stack = np.array(good)
        means = [clip(stack[:, y, x], n_sigma=5.0).mean for y, x in np.ndindex(stack.shape[1:])]
        return np.array(means).reshape(stack.shape[1:])

    def with_kernel_of(self, amp_name: str, detector_name: str) -> Self:
        """Return kernels of level DETECTOR in which this detector's is that of one amplifier."""
        kernels = {**self.detector_kernels, detector_name: self.amplifier_kernels[amp_name]}
        return replace(self, level="DETECTOR", detector_kernels=kernels)

    def check(self) -> None:
        """Raise `CalibrationError` if level, shapes and kernels do not go together; all offenders are named."""
        problems = [] if self.level in ("AMP", "DETECTOR") else [f"level is {self.level!r}, not AMP or DETECTOR"]
        if self.size_px < 3 or self.size_px % 2 == 0:
            problems.append(f"size_px is {self.size_px}, not an odd number from 3")
        needed = {name: k for name, k in self.amplifier_kernels.items() if k.size or self.level == "AMP"}
        kernels = {f"amplifier {name}": kernel for name, kernel in needed.items()}
        kernels |= {f"detector {name}": kernel for name, kernel in self.detector_kernels.items()}
        wanted = (self.size_px, self.size_px)
        for name, kernel in kernels.items():
            if kernel.shape != wanted:
                problems.append(f"the kernel of {name} has shape {kernel.shape}, not {wanted}")
            elif not np.isfinite(kernel).all() and self.valid.get(name.removeprefix("amplifier "), True):
                problems.append(f"the kernel of {name} holds values that are not finite")
        problems += [
            f"gain of amplifier {name} is {gain} electron/adu"
            for name, gain in self.gain.items()
            if self.valid[name] and (gain <= 0 or np.isinf(gain))  # NaN: that of the detector is to be used
        ]
        if not (self.amplifier_kernels if self.level == "AMP" else self.detector_kernels):
            problems.append(f"there is no kernel of level {self.level}")
        if problems:
            raise CalibrationError(f"{self.label}: {'; '.join(problems)}")

    def _own_metadata(self) -> dict[str, Any]:
        return {"LEVEL": self.level, "KERNEL_DX": self.size_px, "KERNEL_DY": self.size_px}

    def to_tables(self) -> list[Table]:
        """Return one row per amplifier (none for level DETECTOR), and a table of detector kernels if there are any."""
        from astropy.table import Table

        if self.amp_names:
            columns = {"AMPLIFIER": list(self.amp_names), **table_columns(self, BFK_COLUMNS, self.amp_names)}
            columns["VALID"] = np.array(columns["VALID"], np.int64)
        else:
            columns = {name: np.empty(0) for name in ("AMPLIFIER", *(column.column for column in BFK_COLUMNS))}
        tables = [Table(columns, meta=self.metadata())]
        if self.detector_kernels:
            flat = [kernel.ravel() for kernel in self.detector_kernels.values()]
            tables.append(Table({"DETECTOR": list(self.detector_kernels), "KERNEL": flat}, meta=self.metadata()))
        return tables

    @classmethod
    def from_tables(cls, tables: list[Table]) -> Self:
        """Make kernels of their tables; raises `CalibrationFileError`."""
        table = tables[0]
        for old, new in (("MEANS", "RAW_MEANS"), ("VARIANCES", "RAW_VARIANCES")):  # version 1.0
            if old in table.colnames:
                table.rename_column(old, new)
        missing = [name for name in ("AMPLIFIER", "KERNEL") if name not in table.colnames]
        if missing:
            raise CalibrationFileError(f"a bfk has a row per amplifier: {column_error(missing, table)}")
        names = tuple(str(name).strip() for name in table["AMPLIFIER"])
        detectors: dict[str, Any] = {}
        if len(tables) > 1 and "DETECTOR" in tables[1].colnames:
            detectors = {str(row["DETECTOR"]).strip(): row["KERNEL"] for row in tables[1]}
        return cls._made(table.meta, table.meta, names, detectors, from_table(table, BFK_COLUMNS, names))

    def to_tree(self) -> dict[str, Any]:
        """Return flattened arrays by the reference's names and amplifier, beside the metadata."""
        values = {column.key: getattr(self, column.field) for column in BFK_COLUMNS}
        return {
            "metadata": self.metadata(),
            **{key: {name: plain(value) for name, value in by_amp.items()} for key, by_amp in values.items()},
            "detKernels": {name: plain(kernel) for name, kernel in self.detector_kernels.items()},
            "badAmps": list(self.bad_amplifiers),
        }

    @classmethod
    def from_tree(cls, tree: Mapping[str, Any]) -> Self:
        """Make kernels of a tree; raises `CalibrationFileError`."""
        if "ampKernels" not in tree and "detKernels" not in tree:
            known = ", ".join(map(str, tree))
            raise CalibrationFileError(f"a bfk needs ampKernels or detKernels; the file has {known}")
        names = tuple(str(name) for name in tree.get("ampKernels") or {})
        meta = tree.get("metadata") or {}
        # files of level DETECTOR may flag amplifiers whose kernels they do not hold
        values = from_tree(tree, BFK_COLUMNS) if names else {}
        return cls._made(tree, meta, names, tree.get("detKernels") or {}, values)

    @classmethod
    def _made(
        cls,
        source: Mapping[str, Any],
        meta: Mapping[str, Any],
        names: tuple[str, ...],
        detectors: Mapping[str, Any],
        values: Mapping[str, Any],
    ) -> Self:
        version = version_of(meta, "bfk_VERSION", cls.version)
        if version not in (1.0, 1.1):
            raise CalibrationFileError(f"bfk_VERSION is {version}; 1.0 and 1.1 can be read")
        widths = [whole_number(meta.get(card, 17), card) for card in ("KERNEL_DX", "KERNEL_DY")]
        if widths[0] != widths[1]:
            raise CalibrationFileError(f"kernels are square, but KERNEL_DX and KERNEL_DY are {tuple(widths)}")
        try:
            return cls(
                info=cls.info_from(source),
                level=meta.get("LEVEL", "AMP"),
                size_px=widths[0],
                amp_names=names,
                detector_kernels={str(name): np.array(kernel, np.float64) for name, kernel in detectors.items()},
                **values,
            )
        except CalibrationError as error:
            raise CalibrationFileError(error.message) from error

    @classmethod
    def example(cls, detector: Detector, rng: np.random.Generator) -> Self:
        """Make kernels of 5 pixels per amplifier that fall off from -2.5e-7 / electron in the middle."""
        y, x = np.mgrid[-2:3, -2:3]
        shape = -2.5e-7 / (1.0 + x**2 + y**2)
        kernels = {amp.name: shape * rng.normal(1.0, 0.02) for amp in detector.amplifiers}
        gains = {amp.name: amp.gain_electron_per_adu for amp in detector.amplifiers}
        return cls(info=info_of(detector), size_px=5, amplifier_kernels=kernels, gain=gains)


def _shaped(values: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    return values.reshape(size, size) if values.size == size * size else values
