"""The instrument door: cameras from YAML."""

from __future__ import annotations

import pytest

from isrflow.errors import ConfigError, GeometryError
from isrflow.frame.box import Box
from isrflow.frame.camera import camera_from_yaml, camera_to_yaml, load_camera, shipped_cameras

YAML = """
name: duo
.amps: &amps
  - {name: L, box: [0, 0, 10, 20], raw: [0, 0, 14, 20], raw_data: [1, 0, 10, 20], raw_serial_overscan: "[12:14,1:20]"}
  - {name: R, box: [10, 0, 10, 20], raw: [14, 0, 14, 20], raw_data: [17, 0, 10, 20],
     raw_serial_overscan: [14, 0, 3, 20], raw_flip_x: true, readout_corner: LR, gain_electron_per_adu: 1.5}
detectors:
  - {id: 0, name: A, serial: s-7, box: [0, 0, 20, 20], amplifiers: *amps}
  - {id: 1, name: B, box: [0, 0, 20, 20], amplifiers: *amps}
filters: [{name: g_duo, band: g}]
headers: {exposure_id: EXPID, physical_filter: [FILTER1, FILTER]}
"""


def test_a_camera_is_read_with_boxes_in_either_form():
    camera = camera_from_yaml(YAML)
    left, right = camera.detectors[0].amplifiers
    assert left.raw_serial_overscan == Box(11, 0, 3, 20)
    assert right.raw_flip_x
    assert camera.detectors[1].raw_box == Box(0, 0, 28, 20)
    assert camera.headers["physical_filter"].cards == ("FILTER1", "FILTER")
    assert camera.band_of("g_duo") == "g"


def test_writing_and_reading_a_camera_gives_it_back():
    camera = camera_from_yaml(YAML)
    assert camera_from_yaml(camera_to_yaml(camera)) == camera


def test_a_detector_is_found_by_id_name_or_serial():
    camera = camera_from_yaml(YAML)
    assert camera.detector(1).name == camera.detector("B").name == "B"
    assert camera.detector("s-7").id == camera.detector("0").id == 0
    with pytest.raises(GeometryError, match=r"camera duo has no detector 7 \(it has 0 \(A\), 1 \(B\)\)"):
        camera.detector(7)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "raw_data: [1, 0, 10, 20]",
            "raw_data: [8, 0, 10, 20]",
            r"amplifier L: raw_data .* is outside raw \[1:14,1:20\]",
        ),
        ("raw_data: [1, 0, 10, 20]", "raw_data: [1, 0, 9, 20]", "box .* and raw_data .* differ in size"),
        ("box: [10, 0, 10, 20]", "box: [9, 0, 10, 20]", "amplifiers L and R overlap in box"),
        ("name: R,", "name: L,", "amplifier name L is used twice"),
        ("id: 1", "id: 0", "detector id used twice: 0"),
        ("raw_flip_x", "raw_flipx", "raw_flipx: Extra inputs are not permitted"),
        ('"[12:14,1:20]"', '"[14:12,1:20]"', "runs backwards"),
    ],
)
def test_an_impossible_camera_is_refused_with_the_place(old, new, message):
    assert old in YAML
    with pytest.raises(ConfigError, match=message):
        camera_from_yaml(YAML.replace(old, new))


def test_an_unknown_instrument_names_those_that_are_shipped():
    with pytest.raises(ConfigError, match="no instrument named 'nosuch'; isrflow ships"):
        load_camera("nosuch")
    with pytest.raises(ConfigError, match=r"no instrument file nosuch\.yaml"):
        load_camera("nosuch.yaml")


@pytest.mark.parametrize("name", shipped_cameras())
def test_every_shipped_instrument_loads(name):
    assert load_camera(name).name == name


def test_header_values_may_be_numbers_in_yaml():
    camera = camera_from_yaml(YAML + "recognise: {TELID: 3}\n")
    assert camera.recognise == {"TELID": "3"}
    positions = YAML.replace("headers: {", "headers: {band: {cards: [FPOS], values: {1: r}}, ")
    assert camera_from_yaml(positions).headers["band"].values == {"1": "r"}


def test_an_instrument_answers_to_its_aliases_in_any_case():
    camera = camera_from_yaml(YAML + "aliases: [old_duo]\n")
    assert camera.is_called("Old_Duo")
    assert camera.is_called("DUO")
    assert not camera.is_called("solo")
