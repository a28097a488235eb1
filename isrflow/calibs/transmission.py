"""Transmission curves: which part of the light of each wavelength gets through atmosphere, optics, filter and sensor.

No pixel is changed: their product is attached to exposures. Wavelength in Angstrom, throughput as a fraction between 0
and about 1, interpolated linearly and 0 beyond the table. Atmosphere and optics are looked up by instrument, the filter
by instrument and physical filter (and by detector, if measured for each), the sensor by instrument and detector.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from astropy.io import fits

from isrflow.calibs.curve_table import CurveTable, by_amplifier, of_test_stand, unit_text
from isrflow.calibs.forms import Form
from isrflow.calibs.identity import identity_cards, info_of
from isrflow.calibs.tabular import TableCalibration, column_error, missing_keys
from isrflow.errors import CalibrationError, CalibrationFileError, ConfigError
from isrflow.frame.archive import UNREADABLE, curve_to_hdus, read_archive
from isrflow.frame.camera import Detector
from isrflow.frame.cards import parse_header
from isrflow.frame.transmission import TransmissionCurve

if TYPE_CHECKING:
    from astropy.table import Table

_COLUMNS = ("efficiency", "throughput")
"""Names of the column of throughput; the first is preferred."""
_LARGEST = 2.0
"""A table with more than this is not in fractions; measured ones exceed 1 by noise and reflections."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Transmission(TableCalibration):
    """A transmission curve of one part of the light's path."""

    curve: TransmissionCurve
    """Angstrom, fractions; places in focal-plane millimetres, for the sensor in pixels."""
    table: CurveTable | None = None
    """What the curve was made of; None for one of the reference's own objects, which may depend on the place."""

    schema: ClassVar[str] = ""
    version: ClassVar[float] = 1.0
    forms: ClassVar[Mapping[str, Form]] = {
        **dict.fromkeys(("wavelength", *_COLUMNS), "numbers"),
        **dict.fromkeys(("amp_name", "wavelengthUnit", "throughputUnit"), "text"),
        "ampNames": "texts",
    }

    @property
    def label(self) -> str:
        """Name the calibration for messages."""
        whose = self.info.physical_filter or self.info.detector_name or self.info.instrument
        return f"{self.kind} of {whose}" if whose else self.kind

    def check(self) -> None:
        """Raise `CalibrationError` if a throughput is no fraction, or the table is not that of the curve."""
        problems = []
        if self.table is not None and self.table.curve() != self.curve:
            problems.append("the table is not that of the curve")
        for factor in self.curve.factors:
            low, high = float(factor.throughput.min()), float(factor.throughput.max())
            if low < 0 or high > _LARGEST:
                problems.append(
                    f"throughput from {low:g} to {high:g} is no fraction of light: state the unit if it is %"
                )
        if problems:
            raise CalibrationError(f"{self.label}: {'; '.join(problems)}")

    def to_tables(self) -> list[Table]:
        """Return one row per wavelength, and per amplifier if the curve was tabulated so.

        Raises
        ------
        ConfigError
            If the curve depends on the place, or is a product: only FITS holds it.
        """
        from astropy.table import Column, Table

        if self.table is None:
            raise ConfigError(f"{self.label} is no table of wavelengths", fix="name the file .fits")
        stated = self.table
        columns: dict[str, Any] = {}
        if "" not in stated.throughput:
            columns["amp_name"] = np.repeat(list(stated.throughput), stated.wavelength.size)
        wavelengths = np.tile(stated.wavelength, len(stated.throughput))
        columns["wavelength"] = Column(wavelengths, unit=stated.wavelength_unit)
        columns[stated.column] = Column(np.concatenate(list(stated.throughput.values())), unit=stated.throughput_unit)
        return [Table(columns, meta=self.metadata())]

    @classmethod
    def from_tables(cls, tables: list[Table]) -> Self:
        """Make a curve of its table; raises `CalibrationFileError`."""
        table = tables[0]
        column = next((name for name in _COLUMNS if name in table.colnames), None)
        if column is None or "wavelength" not in table.colnames:
            wanted = [name for name in ("wavelength",) if name not in table.colnames]
            wanted += ["efficiency or throughput"] if column is None else []
            raise CalibrationFileError(f"a {cls.kind} table: {column_error(wanted, table)}")
        wavelength, throughput = by_amplifier(table, column)
        units = [unit_text(table[name].unit) for name in ("wavelength", column)]
        return cls._made(
            table.meta,
            CurveTable(
                wavelength=wavelength,
                throughput=throughput,
                wavelength_unit=units[0] or "Angstrom",
                throughput_unit=units[1],
                column=column,
            ),
        )

    def to_tree(self) -> dict[str, Any]:
        """Return the table's columns and units beside the metadata; raises as `to_tables`."""
        if self.table is None:
            raise ConfigError(f"{self.label} is no table of wavelengths", fix="name the file .fits")
        stated = self.table
        return {
            "metadata": self.metadata(),
            "wavelength": stated.wavelength.tolist(),
            "wavelengthUnit": stated.wavelength_unit,
            "ampNames": list(stated.throughput),
            stated.column: [values.tolist() for values in stated.throughput.values()],
            "throughputUnit": stated.throughput_unit,
        }

    @classmethod
    def from_tree(cls, tree: Mapping[str, Any]) -> Self:
        """Make a curve of columns and units; raises `CalibrationFileError`."""
        column = next((name for name in _COLUMNS if name in tree), "throughput")
        missing_keys(cls.kind, tree, "wavelength", "ampNames", column)
        names, values = tree["ampNames"], tree[column]
        if len(names) != len(values) or not names:
            raise CalibrationFileError(f"{column} has {len(values)} curves for {len(names)} ampNames")
        table = CurveTable(
            wavelength=np.array(tree["wavelength"], np.float64),
            throughput={str(name): np.array(row, np.float64) for name, row in zip(names, values, strict=True)},
            wavelength_unit=str(tree.get("wavelengthUnit", "Angstrom")),
            throughput_unit=str(tree.get("throughputUnit", "")),
            column=column,
        )
        return cls._made(tree, table)

    @classmethod
    def _made(cls, source: Mapping[str, Any], table: CurveTable) -> Self:
        try:
            return cls(info=cls.info_from(source), curve=table.curve(), table=table)
        except CalibrationFileError:
            raise
        except CalibrationError as error:
            raise CalibrationFileError(error.message) from error

    def to_hdus(self) -> fits.HDUList:
        """Return the table, or for other curves the tables of an archive of the reference.

        Raises
        ------
        ConfigError
            If a curve without a table does not fit into such an archive.
        """
        if self.table is not None:
            return super().to_hdus()
        try:
            tables = curve_to_hdus(self.curve)
        except ValueError as error:
            raise ConfigError(f"{self.label} cannot be written: {error}") from error
        primary = fits.PrimaryHDU()
        for card, value in {**identity_cards(self.info), **self.info.metadata, "OBSTYPE": self.obs_type}.items():
            primary.header[card if len(card) <= 8 else f"HIERARCH {card}"] = value
        return fits.HDUList([primary, *tables])

    @classmethod
    def from_hdus(cls, hdus: fits.HDUList) -> Self:
        """Make a curve of a table of wavelengths, or of an archive of the reference; raises `CalibrationFileError`."""
        try:
            archive = read_archive(hdus)
            curve = None if archive is None else archive.curve(archive.root)
        except UNREADABLE as error:
            raise CalibrationFileError(f"not a {cls.kind}: its archive contradicts itself ({error})") from error
        if archive is None:
            return super().from_hdus(hdus)
        if curve is None:
            raise CalibrationFileError(f"not a {cls.kind}: its archive holds no transmission curve that can be read")
        cards = {key: value for key, value in parse_header(hdus[0].header).items() if key not in ("SIMPLE", "EXTEND")}
        return cls(info=cls.info_from(cards), curve=curve)

    @classmethod
    def _example(cls, detector: Detector, rng: np.random.Generator, peak: float, **more: Any) -> Self:
        nanometres = np.arange(320.0, 1101.0, 20.0)
        shape = peak * np.exp(-(((nanometres - 650.0) / 250.0) ** 4)) * rng.uniform(0.99, 1.0, nanometres.size)
        table = CurveTable(
            wavelength=nanometres, throughput={"": 100 * shape}, wavelength_unit="nm", throughput_unit="%", **more
        )
        return cls(info=info_of(detector), curve=table.curve(), table=table)


class TransmissionOptics(Transmission):
    """What mirrors and lenses let through."""

    kind: ClassVar[str] = "transmission_optics"
    dimensions: ClassVar[tuple[str, ...]] = ("instrument",)
    obs_type: ClassVar[str] = "transmission_optics"
    reference_class: ClassVar[str] = "lsst.ip.isr.IntermediateOpticsTransmissionCurve"
    reference_obs_types: ClassVar[frozenset[str]] = frozenset({"transmission_optics", "transmission_curve"})

    @classmethod
    def example(cls, detector: Detector, rng: np.random.Generator) -> Self:
        """Make three mirrors with a tenth of loss each."""
        return cls._example(detector, rng, 0.73, column="efficiency")


class TransmissionAtmosphere(Transmission):
    """What the air lets through."""

    kind: ClassVar[str] = "transmission_atmosphere"
    dimensions: ClassVar[tuple[str, ...]] = ("instrument",)
    obs_type: ClassVar[str] = "transmission_atmosphere"
    reference_class: ClassVar[str] = "lsst.ip.isr.IntermediateAtmosphereTransmissionCurve"
    reference_obs_types: ClassVar[frozenset[str]] = frozenset({"transmission_atmosphere", "transmission_curve"})

    @classmethod
    def example(cls, detector: Detector, rng: np.random.Generator) -> Self:
        """Make clear air."""
        return cls._example(detector, rng, 0.9)


class TransmissionFilter(Transmission):
    """What a filter lets through, for all detectors."""

    kind: ClassVar[str] = "transmission_filter"
    dimensions: ClassVar[tuple[str, ...]] = ("instrument", "physical_filter")
    obs_type: ClassVar[str] = "transmission_filter"
    reference_class: ClassVar[str] = "lsst.ip.isr.IntermediateFilterTransmissionCurve"
    reference_obs_types: ClassVar[frozenset[str]] = frozenset({"transmission_filter", "transmission_curve"})

    @classmethod
    def example(cls, detector: Detector, rng: np.random.Generator) -> Self:
        """Make a wide red filter."""
        return cls._example(detector, rng, 0.97, column="efficiency")


class TransmissionFilterDetector(Transmission):
    """What a filter lets through above one detector; also curves of a whole system for one detector and filter."""

    kind: ClassVar[str] = "transmission_filter_detector"
    dimensions: ClassVar[tuple[str, ...]] = ("instrument", "detector", "physical_filter")
    obs_type: ClassVar[str] = "transmission_filter_detector"
    reference_class: ClassVar[str] = "lsst.ip.isr.IntermediateFilterDetectorTransmissionCurve"
    reference_obs_types: ClassVar[frozenset[str]] = frozenset({"transmission_filter_detector", "transmission_system"})

    @classmethod
    def example(cls, detector: Detector, rng: np.random.Generator) -> Self:
        """Make a wide red filter, a little worse at the rim."""
        return cls._example(detector, rng, 0.94, column="efficiency")


class TransmissionSensor(Transmission):
    """Which part of the light a sensor turns into electrons."""

    kind: ClassVar[str] = "transmission_sensor"
    dimensions: ClassVar[tuple[str, ...]] = ("instrument", "detector")
    obs_type: ClassVar[str] = "transmission_sensor"
    reference_class: ClassVar[str] = "lsst.ip.isr.IntermediateSensorTransmissionCurve"
    reference_obs_types: ClassVar[frozenset[str]] = frozenset({"transmission_sensor", "transmission_curve"})

    @classmethod
    def from_tables(cls, tables: list[Table]) -> Self:
        """Make a curve of its table, or of the quantum efficiencies of a test stand; raises `CalibrationFileError`."""
        measured = of_test_stand(tables[0])
        return super().from_tables(tables) if measured is None else cls._made(tables[0].meta, measured)

    @classmethod
    def example(cls, detector: Detector, rng: np.random.Generator) -> Self:
        """Make a red-sensitive sensor."""
        return cls._example(detector, rng, 0.95, column="efficiency")
