"""Formats under one contract: what is written is read back, and the content hash ignores only what does not matter."""

from __future__ import annotations

import numpy as np
import pytest

from isrflow.calibs.kinds import KINDS
from isrflow.errors import IsrflowError, NotAnExposureError
from isrflow.frame.camera import load_camera
from isrflow.frame.exposure import Exposure
from isrflow.quantum.formatters import formatters_for, statistics_values
from isrflow.quantum.png import read_png, write_png
from isrflow.quantum.types import dataset_types
from isrflow.steps.statistics import AmplifierStatistics, Statistics
from registry.refs import DatasetType

CAMERA = load_camera("tiny")
FORMATTERS = formatters_for(lambda: CAMERA)


def an_exposure():
    rng = np.random.default_rng(1)
    image = rng.normal(100, 5, (48, 64)).astype(np.float32)
    header = {"ISRFLOW RUN": "u/one", "OBJECT": "star"}
    return Exposure(image, np.zeros((48, 64), np.int32), np.ones((48, 64), np.float32), header=header)


def values():
    rng = np.random.default_rng(2)
    picture = rng.integers(0, 256, (12, 16, 3), np.uint8)
    yield "camera", CAMERA
    yield "exposure", an_exposure()
    yield "statistics", {"amplifiers": {"L": {"mean": 1.5, "median": None}}}
    yield "thumbnail", picture
    for kind, calibration in KINDS.items():
        yield kind, calibration.example(CAMERA.detectors[0], rng)


@pytest.mark.parametrize(("name", "value"), list(values()), ids=lambda item: item if isinstance(item, str) else "")
def test_what_is_written_is_read_back_and_hashed_alike(name, value, tmp_path):
    formatter = FORMATTERS[name]
    first, second = tmp_path / f"a{formatter.extension}", tmp_path / f"b{formatter.extension}"
    digest = formatter.write(value, first)
    assert digest == formatter.content_sha256(first)
    assert len(digest) == 64
    again = formatter.read(first)
    assert formatter.write(again, second) == digest
    if name == "thumbnail":
        assert np.array_equal(again, value)
    elif name == "exposure":
        assert np.array_equal(again.image, value.image)
        assert again.header["OBJECT"] == "star"
    elif name in {"camera", "statistics"}:
        assert again == value


def test_every_dataset_type_has_a_format_and_every_kind_of_calibration_a_type():
    types = {item.name: item for item in dataset_types()}
    assert set(KINDS) <= set(types)
    for item in types.values():
        assert isinstance(item, DatasetType)
        assert FORMATTERS[item.formatter].extension.startswith(".")
        assert item.is_calibration == (item.name in KINDS or item.name == "camera")
    assert set(types["flat"].dimensions) == {"instrument", "detector", "physical_filter"}
    assert set(types["post_isr"].dimensions) == {"instrument", "exposure", "detector"}


def test_an_unknown_format_is_a_key_error_and_all_known_ones_are_listed():
    with pytest.raises(KeyError):
        FORMATTERS["asdf"]
    assert set(FORMATTERS) == {"raw", "camera", "exposure", "intermediate", "statistics", "thumbnail", *KINDS}
    assert len(FORMATTERS) == 6 + len(KINDS)


def test_raws_are_never_written(tmp_path):
    with pytest.raises(NotAnExposureError, match="raw frames are not written"):
        FORMATTERS["raw"].write(an_exposure(), tmp_path / "raw.fits")


def test_the_content_hash_of_an_exposure_minds_pixels_and_cards_but_not_the_run(tmp_path):
    formatter, path = FORMATTERS["exposure"], tmp_path / "x.fits"
    digest = formatter.write(an_exposure(), path)
    other_run = an_exposure()
    other_run.header["ISRFLOW RUN"] = "u/two"
    assert formatter.write(other_run, path) == digest
    other_card = an_exposure()
    other_card.header["OBJECT"] = "planet"
    assert formatter.write(other_card, path) != digest
    other_pixel = an_exposure()
    other_pixel.image[3, 4] = np.nextafter(other_pixel.image[3, 4], np.float32(1e9))
    assert formatter.write(other_pixel, path) != digest


def test_statistics_become_plain_values_without_nan():
    numbers = AmplifierStatistics(mean=1.0, median=float("nan"), stdev=np.float64(2.0), n_saturated=3, n_bad=0, level=1)
    values_ = statistics_values(Statistics({"L": numbers}))
    assert values_["amplifiers"]["L"]["median"] is None
    assert values_["amplifiers"]["L"]["stdev"] == 2.0


def test_thumbnails_open_in_other_programs_with_the_first_row_at_the_bottom(tmp_path):
    matplotlib_image = pytest.importorskip("matplotlib.image")
    picture = np.random.default_rng(3).integers(0, 256, (5, 7, 3), np.uint8)
    write_png(picture, tmp_path / "x.png")
    assert np.array_equal(np.round(matplotlib_image.imread(tmp_path / "x.png") * 255)[::-1], picture)


@pytest.mark.parametrize("cut", [10, 40, -5])
def test_a_damaged_thumbnail_is_refused(tmp_path, cut):
    path = tmp_path / "x.png"
    write_png(np.zeros((5, 7, 3), np.uint8), path)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(IsrflowError, match="not a whole thumbnail"):
        read_png(path)
