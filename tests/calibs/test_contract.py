"""What every calibration type promises, over the table of types."""

from __future__ import annotations

import ast
import inspect
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
from astropy.io import fits

from isrflow.calibs.base import CalibInfo, Calibration
from isrflow.calibs.compare import differences
from isrflow.calibs.files import calibration_type, read_calibration, write_calibration
from isrflow.calibs.image import ImageCalibration
from isrflow.calibs.kinds import KINDS
from isrflow.calibs.tabular import TableCalibration
from isrflow.errors import CalibrationFileError, ConfigError
from isrflow.frame.camera import Amplifier, Detector
from isrflow.frame.exposure import Exposure
from isrflow.frame.fits import content_sha256
from isrflow.frame.obs import Observation

TABLES = [kind for kind, calibration in KINDS.items() if issubclass(calibration, TableCalibration)]


def a_detector(detector_id: int = 2, name: str = "S02", n: int = 3) -> Detector:
    amps = [
        Amplifier(
            name=f"C{i:02d}",
            box=[8 * i, 0, 8, 12],
            raw=[10 * i, 0, 10, 12],
            raw_data=[10 * i, 0, 8, 12],
            gain_electron_per_adu=1.5 + i / 10,
        )
        for i in range(n)
    ]
    return Detector(id=detector_id, name=name, serial="E2V-1", box=[0, 0, 8 * n, 12], amplifiers=tuple(amps))


@pytest.fixture(params=list(KINDS))
def example(request) -> Calibration:
    calibration = KINDS[request.param].example(a_detector(), np.random.default_rng(5))
    info = replace(calibration.info, instrument="lupine", creation_date="2026-03-01T18:30:00")
    return replace(calibration, info=info)


def test_the_table_is_keyed_by_kind() -> None:
    assert {kind: calibration.kind for kind, calibration in KINDS.items()} == {kind: kind for kind in KINDS}


def test_an_unknown_kind_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="no calibration type 'bais'; there are bias, dark, flat"):
        calibration_type("bais")


@pytest.mark.parametrize("kind", list(KINDS))
def test_the_five_parts_stand_in_one_order(kind) -> None:
    module = inspect.getmodule(KINDS[kind])
    tree = ast.parse(inspect.getsource(module))
    assert len(ast.get_docstring(tree)) > 100, "part 1: the docstring says what it corrects, units and dimensions"
    body = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == KINDS[kind].__name__)
    order = [node.name for node in body.body if isinstance(node, ast.FunctionDef)]
    own = [part for part in ("check", "to_tables", "from_tables", "to_tree", "from_tree", "example") if part in order]
    assert sorted(own, key=order.index) == own
    assert order[-1] == "example"
    assert isinstance(KINDS[kind].dimensions, tuple)
    assert KINDS[kind].dimensions[0] == "instrument"


def test_an_example_is_consistent_and_fits_its_detector(example) -> None:
    example.check()
    image = np.zeros(a_detector().raw_box.shape, np.uint16)
    obs = Observation(physical_filter=example.info.physical_filter)
    assert example.mismatch(Exposure(image, detector=a_detector(), obs=obs)) is None


def test_it_belongs_to_its_detector_alone(example) -> None:
    image = np.zeros(a_detector().raw_box.shape, np.uint16)
    other = Exposure(image, detector=a_detector(3, "S03"))
    if "detector" not in example.dimensions:
        assert example.mismatch(other) is None
        return
    assert example.mismatch(other) == f"{example.kind} was made for detector 2, the exposure is of detector 3"
    unnamed = replace(example, info=CalibInfo())
    assert unnamed.mismatch(other) is None


def test_the_filter_matters_where_it_is_a_dimension_alone(example) -> None:
    image = np.zeros(a_detector().raw_box.shape, np.uint16)
    exposure = Exposure(image, detector=a_detector(), obs=Observation(physical_filter="g"))
    measured_in_r = replace(example, info=replace(example.info, physical_filter="r"))
    reason = measured_in_r.mismatch(exposure)
    if "physical_filter" in example.dimensions:
        assert reason == f"{example.kind} was made for filter r, the exposure was taken through g"
    else:
        assert reason is None


def test_what_is_written_comes_back_exactly_and_hashes_as_said(example, tmp_path) -> None:
    path = tmp_path / "calibration.fits"
    digest = write_calibration(example, path)
    again = read_calibration(example.kind, path)
    assert again == example
    assert digest == content_sha256(path)
    with fits.open(path, checksum=True) as hdus:
        hdus.verify("exception")


def test_written_twice_it_is_identical(example, tmp_path) -> None:
    later = replace(example, info=replace(example.info, creation_date="2027-01-01T00:00:00", identity="x"))
    assert write_calibration(example, tmp_path / "a.fits") == write_calibration(later, tmp_path / "b.fits")


def test_hdus_hold_the_whole_calibration(example) -> None:
    assert type(example).from_hdus(example.to_hdus()) == example


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("suffix", [".yaml", ".ecsv"])
def test_text_forms_hold_the_whole_calibration_too(kind, suffix, tmp_path) -> None:
    example = KINDS[kind].example(a_detector(), np.random.default_rng(6))
    path = tmp_path / f"c{suffix}"
    if suffix == ".ecsv" and len(example.to_tables()) > 1:  # the reference cannot write these either
        with pytest.raises(ConfigError, match="does not fit into ECSV"):
            write_calibration(example, path)
        return
    write_calibration(example, path)
    again = read_calibration(kind, path)
    assert again == example, differences(example, again)


def test_two_that_differ_in_one_value_are_not_equal(example) -> None:
    other = KINDS[example.kind].example(a_detector(), np.random.default_rng(7))
    assert example != replace(other, info=example.info)


def test_a_file_of_another_kind_is_refused_by_name(example, tmp_path) -> None:
    path = tmp_path / "c.fits"
    write_calibration(example, path)
    for kind in KINDS:
        if kind != example.kind:
            with pytest.raises(CalibrationFileError, match=r"c\.fits"):
                read_calibration(kind, path)


def test_damaged_missing_and_foreign_files_are_refused_by_name(example, tmp_path) -> None:
    path = tmp_path / "c.fits"
    write_calibration(example, path)
    content = bytearray(path.read_bytes())
    content[-2880] ^= 1
    path.write_bytes(content)
    with pytest.raises(CalibrationFileError, match=r"c\.fits.*(DATASUM|CHECKSUM)"):
        read_calibration(example.kind, path)
    path.write_bytes(bytes(content[:3000]))
    with pytest.raises(CalibrationFileError, match=r"c\.fits"):
        read_calibration(example.kind, path)
    with pytest.raises(CalibrationFileError, match=r"none\.fits: there is no such file"):
        read_calibration(example.kind, tmp_path / "none.fits")
    (tmp_path / "c.yaml").write_text("- 1\n- 2\n")
    with pytest.raises(CalibrationFileError, match=r"c\.yaml"):
        read_calibration(example.kind, tmp_path / "c.yaml")
    (tmp_path / "c.bin").write_bytes(b"\xff\xfe\x00\x01" * 10)
    with pytest.raises(CalibrationFileError, match=r"c\.bin"):
        read_calibration(example.kind, tmp_path / "c.bin")


class Box5(ImageCalibration):
    """A type outside the table: nothing but the base is needed to make one."""

    kind: ClassVar[str] = "box5"
    obs_type: ClassVar[str] = "box5"
    dimensions: ClassVar[tuple[str, ...]] = ("instrument", "detector")

    @classmethod
    def example(cls, detector, rng):
        return cls._example(detector, rng.random(detector.box.shape), 1.0)


def test_a_new_image_type_is_a_few_lines(tmp_path) -> None:
    example = Box5.example(a_detector(), np.random.default_rng(1))
    write_calibration(example, tmp_path / "b.fits")
    with fits.open(tmp_path / "b.fits") as hdus:
        assert Box5.from_hdus(hdus) == example
