"""Throughput by wavelength as tabulated: in any unit of length, in fractions or percent, perhaps by amplifier."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from isrflow.errors import CalibrationError, CalibrationFileError
from isrflow.frame.transmission import TransmissionCurve

if TYPE_CHECKING:
    from astropy.table import Table

_AMPLIFIER = re.compile(r"AMP\d\d")


@dataclass(frozen=True, kw_only=True, eq=False)
class CurveTable:
    """A curve as it was tabulated, in its own units."""

    wavelength: np.ndarray[Any, np.dtype[Any]]
    """(n,) growing."""
    throughput: Mapping[str, np.ndarray[Any, np.dtype[Any]]]
    """Amplifier name to (n,); under an empty name if it is not by amplifier."""
    wavelength_unit: str = "Angstrom"
    throughput_unit: str = ""
    """``%``, or empty for fractions."""
    column: str = "throughput"
    """What the column of throughput is called."""

    def curve(self) -> TransmissionCurve:
        """Return the curve in Angstrom and fractions, averaged over amplifiers.

        Raises
        ------
        CalibrationError
            If a unit is not one of length or of fractions, or the numbers make no curve.
        """
        from astropy import units  # a fifth of a second

        try:
            in_angstrom = (self.wavelength * units.Unit(self.wavelength_unit)).to(units.Angstrom).value
            fractions = [self._fraction(values) for values in self.throughput.values()]
        except (ValueError, TypeError) as error:
            raise CalibrationError(f"units of a transmission curve: {error}") from error
        mean = fractions[0] if len(fractions) == 1 else np.mean(fractions, axis=0)
        return TransmissionCurve.constant(in_angstrom, mean)

    def _fraction(self, values: np.ndarray[Any, np.dtype[Any]]) -> np.ndarray[Any, np.dtype[Any]]:
        from astropy import units

        if self.throughput_unit in ("", "-"):
            return values
        fraction = (values * units.Unit(self.throughput_unit)).to(units.dimensionless_unscaled)
        return np.asarray(fraction.value)


def by_amplifier(table: Table, column: str) -> tuple[np.ndarray[Any, Any], dict[str, np.ndarray[Any, Any]]]:
    """Return the grid of wavelengths, and the throughput of each amplifier on it; raises `CalibrationFileError`."""
    if len(table) == 0:
        raise CalibrationFileError("the table has no rows")
    wavelength, throughput = np.array(table["wavelength"], np.float64), np.array(table[column], np.float64)
    if "amp_name" not in table.colnames:
        return wavelength, {"": throughput}
    names = np.array([str(name).strip() for name in table["amp_name"]])
    amplifiers = list(dict.fromkeys(names.tolist()))
    grid = wavelength[names == amplifiers[0]]
    wrong = [name for name in amplifiers if not np.array_equal(wavelength[names == name], grid)]
    if wrong:
        raise CalibrationFileError(
            f"wavelengths of amplifiers {', '.join(wrong)} are not those of amplifier {amplifiers[0]}"
        )
    return grid, {name: throughput[names == name] for name in amplifiers}


def unit_text(unit: Any) -> str:
    """Spell a unit; FITS knows percent only as a hundredth."""
    if unit is None:
        return ""
    from astropy import units

    return "%" if unit == units.percent else str(unit)


def of_test_stand(table: Table) -> CurveTable | None:
    """Return the quantum efficiencies of a test stand, a column per amplifier in nm and percent; None for others."""
    names = [name for name in table.colnames if _AMPLIFIER.fullmatch(name)]
    if "WAVELENGTH" not in table.colnames or not names:
        return None
    if any(np.asarray(table[name]).dtype.kind not in "iuf" for name in (*names, "WAVELENGTH")):
        raise CalibrationFileError(f"WAVELENGTH and {', '.join(names)} of a test stand must be numbers")
    return CurveTable(
        wavelength=np.array(table["WAVELENGTH"], np.float64),
        throughput={name: np.array(table[name], np.float64) for name in names},
        wavelength_unit="nm",
        throughput_unit="%",
        column="efficiency",
    )
