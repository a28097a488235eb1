"""Gain correction: by how much each amplifier's gain has changed since its photon transfer curve was taken.

Applied as ``gain *= adjustment`` before gains are used; the adjustments have no unit. Looked up by instrument and
detector.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np

from isrflow.calibs.forms import Form
from isrflow.calibs.identity import info_of
from isrflow.calibs.tabular import TableCalibration, missing_columns, missing_keys
from isrflow.errors import CalibrationError, CalibrationFileError, CalibrationMismatch
from isrflow.frame.camera import Detector

if TYPE_CHECKING:
    from astropy.table import Table


@dataclass(frozen=True, kw_only=True, eq=False)
class GainCorrection(TableCalibration):
    """Factors on the gains of amplifiers."""

    adjustments: Mapping[str, float] = field(default_factory=dict)
    """Amplifier name to the factor on its gain; amplifiers without one keep theirs."""

    kind: ClassVar[str] = "gain_correction"
    dimensions: ClassVar[tuple[str, ...]] = ("instrument", "detector")
    obs_type: ClassVar[str] = "gainCorrection"
    schema: ClassVar[str] = "GainCorrection"
    version: ClassVar[float] = 1.0
    reference_class: ClassVar[str] = "lsst.ip.isr.gainCorrection.GainCorrection"
    reference_obs_types: ClassVar[frozenset[str]] = frozenset({"gainCorrection"})
    forms: ClassVar[Mapping[str, Form]] = {
        "AMP_NAME": "texts",
        "GAIN_ADJUSTMENT": "number",
        "ampNames": "texts",
        "gainAdjustments": "numbers",
    }
    serves_every_amplifier: ClassVar[bool] = False
    unknown_cards: ClassVar[Literal["undefined", "empty", "absent"]] = "empty"

    @property
    def amp_names(self) -> tuple[str, ...]:
        """Amplifiers with an adjustment, in the order of the file."""
        return tuple(self.adjustments)

    def corrected(self, gains: Mapping[str, float]) -> dict[str, float]:
        """Return gains (electron/adu, by amplifier), each times its adjustment.

        Raises
        ------
        CalibrationMismatch
            If there are adjustments of amplifiers that have no gain; all of them are named.
        """
        unknown = [name for name in self.adjustments if name not in gains]
        if unknown:
            raise CalibrationMismatch(
                f"{self.label}: adjustments of {', '.join(unknown)}, but there are gains of {', '.join(gains)}"
            )
        return {name: gain * self.adjustments.get(name, 1.0) for name, gain in gains.items()}

    def check(self) -> None:
        """Raise `CalibrationError` if an adjustment is not a positive number; names the amplifiers."""
        problems = [
            f"adjustment of amplifier {name} is {value}, not a positive number"
            for name, value in self.adjustments.items()
            if not (np.isfinite(value) and value > 0)
        ]
        if problems:
            raise CalibrationError(f"{self.label}: {'; '.join(problems)}")

    def to_tables(self) -> list[Table]:
        """Return one row per amplifier."""
        from astropy.table import Table

        values = np.array(list(self.adjustments.values()), np.float64)
        return [Table({"AMP_NAME": list(self.amp_names), "GAIN_ADJUSTMENT": values}, meta=self.metadata())]

    @classmethod
    def from_tables(cls, tables: list[Table]) -> Self:
        """Make a correction of its table; raises `CalibrationFileError`."""
        table = tables[0]
        missing_columns(cls.kind, table, "AMP_NAME", "GAIN_ADJUSTMENT")
        return cls._made(table.meta, table["AMP_NAME"], table["GAIN_ADJUSTMENT"])

    def to_tree(self) -> dict[str, Any]:
        """Return amplifier names and adjustments as two lists, beside the metadata."""
        return {
            "metadata": self.metadata(),
            "ampNames": list(self.amp_names),
            "gainAdjustments": [float(value) for value in self.adjustments.values()],
        }

    @classmethod
    def from_tree(cls, tree: Mapping[str, Any]) -> Self:
        """Make a correction of two lists; raises `CalibrationFileError`."""
        missing_keys(cls.kind, tree, "ampNames", "gainAdjustments")
        return cls._made(tree, tree["ampNames"], tree["gainAdjustments"])

    @classmethod
    def _made(cls, source: Mapping[str, Any], names: Any, values: Any) -> Self:
        amplifiers = [str(name).strip() for name in names]
        if len(set(amplifiers)) != len(amplifiers) or len(values) != len(amplifiers):
            raise CalibrationFileError(
                f"a gain correction has one adjustment per amplifier: {len(values)} for {', '.join(amplifiers)}"
            )
        adjustments = {name: float(value) for name, value in zip(amplifiers, values, strict=True)}
        return cls(info=cls.info_from(source), adjustments=adjustments)

    @classmethod
    def example(cls, detector: Detector, rng: np.random.Generator) -> Self:
        """Make adjustments of about a percent."""
        factors = {amp.name: float(rng.normal(1.0, 0.01)) for amp in detector.amplifiers}
        return cls(info=info_of(detector), adjustments=factors)
