"""Photodiode correction: what to add to the photodiode charge of each pair of flats, so that pairs agree.

The unit is that of the abscissa a linearizer is fitted against (coulomb, or s). Makers of linearizers add it; no step
of a recipe uses it. Looked up by instrument.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from isrflow.calibs.base import CalibInfo
from isrflow.calibs.forms import Form
from isrflow.calibs.tabular import TableCalibration, missing_columns, missing_keys
from isrflow.errors import CalibrationError, CalibrationFileError
from isrflow.frame.camera import Detector

if TYPE_CHECKING:
    from astropy.table import Table


@dataclass(frozen=True, kw_only=True, eq=False)
class PhotodiodeCorrection(TableCalibration):
    """Corrections of pairs of exposures."""

    corrections: Mapping[str, float] = field(default_factory=dict)
    """Pair, as text, to what is added to its abscissa: ``"(100, 101)"``, or ``"100"``, the first of the two."""
    table: NDArray[np.float32] | None = None
    """(rows, columns) lookup table that some files carry beside; nothing uses it."""

    kind: ClassVar[str] = "photodiode_correction"
    dimensions: ClassVar[tuple[str, ...]] = ("instrument",)
    obs_type: ClassVar[str] = "PHOTODIODE_CORRECTION"
    schema: ClassVar[str] = "PhotodiodeCorrection"
    version: ClassVar[float] = 1.1
    reference_class: ClassVar[str] = "lsst.ip.isr.photodiodeCorrection.PhotodiodeCorrection"
    reference_obs_types: ClassVar[frozenset[str]] = frozenset({"PHOTODIODE_CORRECTION"})
    forms: ClassVar[Mapping[str, Form]] = {
        "PAIR": "texts",
        "PD_CORR": "number",
        "LOOKUP_VALUES": "numbers",
        "pairs": "numbers by name",
        "tableData": "numbers",
    }

    def __post_init__(self) -> None:
        if self.table is not None:
            object.__setattr__(self, "table", np.array(self.table, np.float32))

    def of_pair(self, first: int, second: int) -> float:
        """Return the correction of two exposures by their ids; 0 if there is none.

        Files name a pair by both ids or by its first; the reference writes one and looks for the other.
        """
        keys = (f"({first}, {second})", str(first))
        return next((self.corrections[key] for key in keys if key in self.corrections), 0.0)

    def check(self) -> None:
        """Raise `CalibrationError` if a correction is not finite; names the pairs."""
        wrong = [f"pair {pair} is {value}" for pair, value in self.corrections.items() if not np.isfinite(value)]
        if wrong:
            raise CalibrationError(f"{self.label}: corrections that are not finite: {'; '.join(wrong)}")

    def to_tables(self) -> list[Table]:
        """Return one row per pair, and the lookup table if there is one."""
        from astropy.table import Table

        values = np.array(list(self.corrections.values()), np.float64)
        columns = {"PAIR": np.array(list(self.corrections), np.str_), "PD_CORR": values}
        tables = [Table(columns, meta=self.metadata())]
        return tables if self.table is None else [*tables, Table({"LOOKUP_VALUES": self.table})]

    @classmethod
    def from_tables(cls, tables: list[Table]) -> Self:
        """Make corrections of their table; raises `CalibrationFileError`."""
        table = tables[0]
        missing_columns(cls.kind, table, "PAIR", "PD_CORR")
        pairs = [str(pair).strip() for pair in table["PAIR"]]
        if len(set(pairs)) < len(pairs):
            raise CalibrationFileError(f"a pair stands twice in a photodiode correction: {', '.join(pairs)}")
        found = {pair: float(value) for pair, value in zip(pairs, table["PD_CORR"], strict=True)}
        lookup = tables[1]["LOOKUP_VALUES"] if len(tables) > 1 and "LOOKUP_VALUES" in tables[1].colnames else None
        return cls(info=cls.info_from(table.meta), corrections=found, table=lookup)

    def to_tree(self) -> dict[str, Any]:
        """Return the corrections by pair, beside the metadata."""
        table = {} if self.table is None else {"tableData": self.table.tolist()}
        pairs = {pair: float(value) for pair, value in self.corrections.items()}
        return {"metadata": self.metadata(), "pairs": pairs, **table}

    @classmethod
    def from_tree(cls, tree: Mapping[str, Any]) -> Self:
        """Make corrections of a tree; raises `CalibrationFileError`."""
        missing_keys(cls.kind, tree, "pairs")
        found = {str(pair).strip(): float(value) for pair, value in tree["pairs"].items()}
        return cls(info=cls.info_from(tree), corrections=found, table=tree.get("tableData"))

    @classmethod
    def example(cls, detector: Detector, rng: np.random.Generator) -> Self:  # noqa: ARG003 - it is of all detectors
        """Make corrections of three pairs, of about 1e-12 C."""
        return cls(
            info=CalibInfo(),
            corrections={f"({i}, {i + 1})": float(rng.normal(0.0, 1e-12)) for i in (100, 102, 104)},
        )
