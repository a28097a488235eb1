"""Tables of transmission: units, amplifiers, real cameras."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy import units
from astropy.table import QTable, Table

from isrflow.calibs.curve_table import CurveTable
from isrflow.calibs.files import read_calibration, write_calibration
from isrflow.calibs.transmission import (
    TransmissionFilter,
    TransmissionFilterDetector,
    TransmissionOptics,
    TransmissionSensor,
)
from isrflow.errors import CalibrationError, CalibrationFileError, ConfigError
from isrflow.frame.camera import Amplifier, Detector
from isrflow.frame.exposure import Exposure
from isrflow.frame.obs import Observation
from isrflow.frame.transmission import TransmissionCurve
from isrflow.steps.transmission import TransmissionConfig, attach_transmission

ROOT = (
    Path(os.environ.get("ISRFLOW_REALDATA", Path(__file__).parents[2].parent / "shared" / "realdata")) / "transmission"
)


def write_ecsv(path, columns, **meta) -> Path:
    Table(columns, meta={"OBSTYPE": "transmission_sensor", **meta}).write(path, format="ascii.ecsv")
    return path


def test_nanometres_and_percent_become_angstrom_and_fractions(tmp_path) -> None:
    table = QTable({"wavelength": [400.0, 500.0] * units.nm, "efficiency": [20.0, 80.0] * units.percent})
    table.meta["OBSTYPE"] = "transmission_sensor"
    table.write(tmp_path / "q.ecsv", format="ascii.ecsv")
    sensor = read_calibration("transmission_sensor", tmp_path / "q.ecsv")
    assert sensor.curve.wavelength_bounds == pytest.approx((4000.0, 5000.0), rel=1e-15)
    assert sensor.curve.sample_at([0, 0], 4500.0) == pytest.approx(0.5, rel=1e-14)
    assert (sensor.table.wavelength_unit, sensor.table.throughput_unit, sensor.table.column) == (
        "nm",
        "%",
        "efficiency",
    )


@pytest.mark.parametrize("unit", ["", "-", None])
def test_a_throughput_without_unit_is_a_fraction(unit, tmp_path) -> None:
    table = Table({"wavelength": [4000.0, 5000.0], "throughput": [0.2, 0.8]})
    table["wavelength"].unit, table["throughput"].unit = "Angstrom", unit
    table.meta["OBSTYPE"] = "transmission_sensor"
    table.write(tmp_path / "t.ecsv", format="ascii.ecsv")
    sensor = read_calibration("transmission_sensor", tmp_path / "t.ecsv")
    assert sensor.curve == TransmissionCurve.constant([4000.0, 5000.0], [0.2, 0.8])


def test_efficiency_goes_before_throughput(tmp_path) -> None:
    path = write_ecsv(
        tmp_path / "t.ecsv", {"wavelength": [4e3, 5e3], "throughput": [0.1, 0.1], "efficiency": [0.2, 0.8]}
    )
    assert read_calibration("transmission_sensor", path).curve.sample_at([0, 0], 5000.0) == 0.8


def test_amplifiers_are_averaged_and_kept(tmp_path) -> None:
    columns = {"amp_name": ["B", "B", "A", "A"], "wavelength": [4e3, 5e3, 4e3, 5e3], "throughput": [0.2, 0.8, 0.4, 0.5]}
    sensor = read_calibration("transmission_sensor", write_ecsv(tmp_path / "t.ecsv", columns))
    np.testing.assert_allclose(sensor.curve.sample_at([0, 0], [4000.0, 5000.0]), [0.3, 0.65], rtol=1e-15)
    for suffix in (".fits", ".ecsv", ".yaml"):
        write_calibration(sensor, tmp_path / f"again{suffix}")
        again = read_calibration("transmission_sensor", tmp_path / f"again{suffix}")
        assert again == sensor
        assert list(again.table.throughput) == ["B", "A"]


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({"wavelength": [4e3, 5e3]}, "missing efficiency or throughput; the table has wavelength"),
        ({"throughput": [0.1, 0.2]}, "missing wavelength; the table has throughput"),
        (
            {"amp_name": ["A", "A", "B"], "wavelength": [4e3, 5e3, 4e3], "throughput": [0.1] * 3},
            "wavelengths of amplifiers B are not those of amplifier A",
        ),
        (
            {"amp_name": ["A", "A", "B", "B"], "wavelength": [4e3, 5e3, 4e3, 6e3], "throughput": [0.1] * 4},
            "wavelengths of amplifiers B are not those of amplifier A",
        ),
        ({"amp_name": [], "wavelength": [], "throughput": []}, "the table has no rows"),
        ({"wavelength": [5e3, 4e3], "throughput": [0.1, 0.2]}, "wavelengths do not grow"),
        ({"wavelength": [4e3, 5e3], "throughput": [20.0, 80.0]}, "no fraction of light: state the unit if it is %"),
        ({"wavelength": [4e3, 5e3], "throughput": [-0.1, 0.8]}, "no fraction"),
    ],
)
def test_a_table_that_is_no_curve_is_refused_with_the_file(columns, why, tmp_path) -> None:
    with pytest.raises(CalibrationFileError, match=rf"t\.ecsv.*{why}"):
        read_calibration("transmission_sensor", write_ecsv(tmp_path / "t.ecsv", columns))


def test_a_unit_that_is_no_length_is_refused() -> None:
    table = CurveTable(wavelength=np.array([1.0, 2.0]), throughput={"": np.array([0.1, 0.2])}, wavelength_unit="s")
    with pytest.raises(CalibrationError, match="units of a transmission curve"):
        table.curve()


def test_a_table_that_is_not_that_of_the_curve_is_noticed() -> None:
    table = CurveTable(wavelength=np.array([4e3, 5e3]), throughput={"": np.array([0.1, 0.2])})
    wrong = TransmissionOptics(curve=TransmissionCurve.constant([4e3, 5e3], [0.1, 0.3]), table=table)
    with pytest.raises(CalibrationError, match="the table is not that of the curve"):
        wrong.check()


def test_curves_that_are_no_tables_are_written_as_archives_alone(tmp_path) -> None:
    lens = TransmissionCurve.radial([4e3, 5e3], [0.0, 10.0], [[0.9, 0.5], [0.8, 0.4]])
    optics = TransmissionOptics(curve=lens * TransmissionCurve.constant([4e3, 5e3], [0.5, 0.7]))
    optics = replace(optics, info=replace(optics.info, instrument="lupine"))
    write_calibration(optics, tmp_path / "o.fits")
    assert read_calibration("transmission_optics", tmp_path / "o.fits") == optics
    for name in ("o.ecsv", "o.yaml"):
        with pytest.raises(ConfigError, match="is no table of wavelengths"):
            write_calibration(optics, tmp_path / name)


def test_a_curve_of_a_filter_above_one_detector_serves_that_detector_alone() -> None:
    box = (0, 0, 4, 4)
    detector = Detector(id=7, name="D", box=box, amplifiers=(Amplifier(name="A", box=box, raw=box, raw_data=box),))
    exposure = Exposure(np.zeros((4, 4), np.float32), detector=detector, obs=Observation(physical_filter="r"))
    for kind, reason in (
        (TransmissionFilter, None),
        (
            TransmissionFilterDetector,
            "transmission_filter_detector was made for detector 3, the exposure is of detector 7",
        ),
    ):
        curve = kind.example(detector, np.random.default_rng(1))
        of_another = replace(curve, info=replace(curve.info, detector_id=3, physical_filter="r"))
        assert of_another.mismatch(exposure) == reason


@pytest.mark.skipif(not ROOT.is_dir(), reason="no real data: set ISRFLOW_REALDATA")
class TestRealTables:
    """Numbers are read off the files."""

    def test_every_table_opens_checks_and_is_attached(self) -> None:
        kinds = {word: word for word in ("sensor", "optics", "atmosphere")}
        kinds |= {"filterdet": "filter_detector", "system": "filter_detector"}
        paths = sorted(ROOT.glob("*.ecsv"))
        assert len(paths) >= 20
        for path in paths:
            kind = next((kinds[word] for word in kinds if f"_{word}_" in path.name), "filter")
            calibration = read_calibration(f"transmission_{kind}", path)
            exposure = Exposure(np.zeros((4, 4), np.float32))
            attach_transmission(exposure, TransmissionConfig(), **{f"transmission_{kind}": calibration})
            low, high = calibration.curve.wavelength_bounds
            sampled = exposure.transmission.sample_at([1, 1], [low - 1, (low + high) / 2, high + 1])
            assert sampled[[0, 2]].tolist() == [0.0, 0.0]
            assert 0 < sampled[1] < 1.1, path.name

    def test_three_forms_of_one_curve_agree(self) -> None:
        curves = [read_calibration("transmission_filter", ROOT / f"ip_isr_test_curve{i}.ecsv").curve for i in (1, 2, 3)]
        at = np.linspace(4401.0, 4599.0, 50)
        first, percent, amplifiers = (curve.sample_at([0, 0], at) for curve in curves)
        np.testing.assert_allclose(percent, first, rtol=2e-7)  # stored in single precision
        np.testing.assert_allclose(amplifiers, first, rtol=2e-7)
        assert curves[0].sample_at([0, 0], 4400.0) == pytest.approx(0.9858, rel=1e-7)

    def test_identities_are_read(self) -> None:
        y_band = read_calibration("transmission_filter_detector", ROOT / "lsstCam_filterdet_r22_s11_y_10.ecsv")
        assert (y_band.info.instrument, y_band.info.detector_id, y_band.info.physical_filter) == ("LSSTCam", 94, "y_10")
        sensor = read_calibration("transmission_sensor", ROOT / "lsstCam_sensor_r22_s11.ecsv")
        assert len(sensor.table.throughput) == 16
        assert sensor.table.wavelength.size == 36

    def test_another_part_of_the_path_is_refused(self) -> None:
        with pytest.raises(CalibrationFileError, match="OBSTYPE says this is 'transmission_sensor'"):
            read_calibration("transmission_optics", ROOT / "lsstCam_sensor_r22_s11.ecsv")

    def test_they_are_written_as_they_were(self, tmp_path) -> None:
        for path in sorted(ROOT.glob("lsstCam_sensor*.ecsv")):
            calibration = read_calibration("transmission_sensor", path)
            write_calibration(calibration, tmp_path / "again.ecsv")
            was, now = (Table.read(each, format="ascii.ecsv") for each in (path, tmp_path / "again.ecsv"))
            assert was.colnames == now.colnames
            assert [str(was[name].unit) for name in was.colnames] == [str(now[name].unit) for name in was.colnames]
            for name in was.colnames:
                assert np.array_equal(was[name], now[name])


def test_sensor_tables_are_made_for_examples() -> None:
    box = (0, 0, 4, 4)
    detector = Detector(id=7, name="D", box=box, amplifiers=(Amplifier(name="A", box=box, raw=box, raw_data=box),))
    sensor = TransmissionSensor.example(detector, np.random.default_rng(1))
    assert 0.9 < sensor.curve.sample_at([0, 0], 6500.0) <= 0.95
