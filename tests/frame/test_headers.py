"""Headers of several observatories, and what is refused."""

from __future__ import annotations

import math

import pytest

from isrflow.errors import ConfigError, HeaderError
from isrflow.frame.camera import camera_from_yaml
from isrflow.frame.header_rules import normalised_obs_type
from isrflow.frame.headers import detector_of, observation_from_header, recognise
from isrflow.frame.times import tai_ns_from_iso

CAMERA = """
name: {name}
site: {{day_rollover_hours: 12}}
filters: [{{name: r_01, band: r}}]
recognise: {recognise}
headers: {headers}
detectors:
  - id: 3
    name: S03
    serial: SN-7
    box: [0, 0, 4, 4]
    amplifiers: [{{name: A, box: [0, 0, 4, 4], raw: [0, 0, 4, 4], raw_data: [0, 0, 4, 4]}}]
  - id: 4
    name: S04
    box: [0, 0, 4, 4]
    amplifiers: [{{name: A, box: [0, 0, 4, 4], raw: [0, 0, 4, 4], raw_data: [0, 0, 4, 4]}}]
"""


def make_camera(name="cam", recognise="{INSTRUME: CAM}", headers="{}"):
    return camera_from_yaml(CAMERA.format(name=name, recognise=recognise, headers=headers))


def full_header(**changes):
    header = {
        "INSTRUME": "cam",
        "DETECTOR": 3,
        "EXPID": 17,
        "OBSTYPE": "OBJECT",
        "FILTER": "r_01",
        "EXPTIME": 30,
        "DARKTIME": 32.5,
        "DATE-OBS": "2026-03-02T04:00:00.5",
        "OBJECT": " M 31 ",
        "RA": "00:42:44.3",
        "DEC": "-00:30:00",
    }
    return {key: value for key, value in (header | changes).items() if value is not None}


def test_standard_cards_need_no_map():
    obs = observation_from_header(full_header(), make_camera())
    begin = tai_ns_from_iso("2026-03-02T04:00:00.5")
    assert (obs.instrument, obs.exposure_id, obs.obs_type, obs.object_name) == ("cam", 17, "science", "M 31")
    assert (obs.day_obs, obs.physical_filter, obs.band) == (20260301, "r_01", "r")
    assert (obs.exposure_time_s, obs.dark_time_s) == (30.0, 32.5)
    assert (obs.begin_tai_ns, obs.end_tai_ns) == (begin, begin + 30 * 10**9)
    assert obs.ra_deg == pytest.approx(15 * (42 / 60 + 44.3 / 3600))
    assert obs.dec_deg == pytest.approx(-0.5)


def test_decimal_coordinates_are_degrees():
    obs = observation_from_header(full_header(RA=10.68, DEC="+41.27"), make_camera())
    assert (obs.ra_deg, obs.dec_deg) == (10.68, 41.27)


@pytest.mark.parametrize(
    ("cards", "text", "scale"),
    [
        ({"DATE-BEG": "2026-03-02T04:00:00", "DATE-OBS": "2026-03-02"}, "2026-03-02T04:00:00", "UTC"),
        ({"DATE-OBS": "2026-03-02", "TIME-OBS": "04:00:00.25"}, "2026-03-02T04:00:00.25", "UTC"),
        ({"DATE-OBS": "2026-03-02", "UT": "04:00:00"}, "2026-03-02T04:00:00", "UTC"),
        ({"DATE-OBS": "2026-03-02", "MJD-OBS": 61101.25}, "2026-03-02T06:00:00", "UTC"),
        ({"DATE-OBS": "2026-03-02"}, "2026-03-02T00:00:00", "UTC"),
        ({"DATE-OBS": None, "MJD-OBS": 61101.25}, "2026-03-02T06:00:00", "UTC"),
        ({"DATE-OBS": "2026-03-02T04:00:00", "TIMESYS": "TAI"}, "2026-03-02T04:00:00", "TAI"),
        ({"DATE-OBS": "2026-03-02T04:00:00", "TIMESYS": "tt"}, "2026-03-02T04:00:00", "TT"),
    ],
)
def test_the_begin_is_found_however_it_is_written(cards, text, scale):
    obs = observation_from_header(full_header(**cards), make_camera())
    assert obs.begin_tai_ns == tai_ns_from_iso(text, scale)


def test_the_end_is_read_if_it_is_there():
    obs = observation_from_header(full_header(**{"DATE-END": "2026-03-02T04:00:31"}), make_camera())
    assert obs.end_tai_ns == tai_ns_from_iso("2026-03-02T04:00:31")


@pytest.mark.parametrize(
    ("said", "ours"),
    [
        ("zero", "bias"),
        ("BIAS", "bias"),
        ("Bias Frame", "bias"),
        ("DARK", "dark"),
        ("dome_flat", "flat"),
        ("FLATLAMP", "flat"),
        ("Twilight Flat", "skyflat"),
        ("OBJECT", "science"),
        ("light frame", "science"),
        ("FOCUS", "focus"),
        ("Cat Picture", "cat picture"),
        ("", "unknown"),
    ],
)
def test_observation_types_are_put_into_our_words_and_unknown_ones_stay_visible(said, ours):
    assert normalised_obs_type(said) == ours


def test_a_header_without_type_says_unknown():
    assert observation_from_header(full_header(OBSTYPE=None), make_camera()).obs_type == "unknown"


def test_a_camera_maps_cards_and_translates_values():
    camera = make_camera(
        headers="{exposure_id: [VISIT, EXPNUM], physical_filter: {cards: [FPOS], values: {'1': r_01}},"
        " obs_type: {default: science}, dark_time_s: DTIME, readout_mode.speed: RSPEED, time_scale: {default: TAI}}"
    )
    header = full_header(EXPNUM=99, FPOS=1, OBSTYPE=None, DTIME=31.0, RSPEED="fast")
    obs = observation_from_header(header, camera)
    assert (obs.exposure_id, obs.physical_filter, obs.obs_type, obs.dark_time_s) == (99, "r_01", "science", 31.0)
    assert obs.readout_mode == {"speed": "fast"}
    assert obs.begin_tai_ns == tai_ns_from_iso("2026-03-02T04:00:00.5", "TAI")


def test_without_an_id_card_day_and_number_make_one():
    obs = observation_from_header(full_header(EXPID=None, SEQNUM=42), make_camera())
    assert obs.exposure_id == 2026030100042
    assert (obs.seq_num, obs.obs_id) == (42, "2026030100042")


def test_a_day_written_with_dashes_is_a_day():
    assert observation_from_header(full_header(DAYOBS="2026-02-28"), make_camera()).day_obs == 20260228


def test_a_dark_time_that_is_not_said_is_the_exposure_time():
    assert observation_from_header(full_header(DARKTIME=None), make_camera()).dark_time_s == 30.0


def test_everything_missing_is_reported_at_once_with_the_cards_that_were_tried():
    header = {"OBSTYPE": "flat", "EXPID": "seventeen"}
    with pytest.raises(HeaderError) as caught:
        observation_from_header(header, make_camera(), where="night/a.fits")
    text = str(caught.value)
    assert text.startswith("night/a.fits: the header cannot be used:")
    assert "begin is missing (tried DATE-BEG, DATE-OBS, MJD-BEG, MJD-OBS)" in text
    assert "exposure_time_s is missing (tried EXPTIME, XPOSURE, EXPOSURE)" in text
    assert "physical_filter is missing (tried FILTER)" in text
    assert "exposure_id cannot be read from 'seventeen'" in text
    assert "try: mend the header" in text


def test_a_bias_needs_no_filter():
    assert observation_from_header(full_header(OBSTYPE="bias", FILTER=None), make_camera()).physical_filter is None


def test_without_a_camera_nothing_is_required():
    obs = observation_from_header({})
    assert (obs.exposure_id, obs.begin_tai_ns, obs.obs_type) == (None, None, "unknown")
    assert math.isnan(obs.exposure_time_s)


def test_a_map_of_properties_that_do_not_exist_is_refused():
    with pytest.raises(ConfigError, match=r"camera cam: headers maps exposure, colour, which do not exist"):
        observation_from_header(full_header(), make_camera(headers="{exposure: EXPNUM, colour: FILTER}"))


@pytest.mark.parametrize("card", [3, "3", "S03", "SN-7"])
def test_a_detector_is_found_by_id_name_or_serial(card):
    assert detector_of({"DETECTOR": card}, make_camera()).id == 3


def test_an_unknown_detector_is_refused_with_the_known_ones():
    with pytest.raises(
        HeaderError, match=r"a\.fits: the header names detector 'S99', camera cam has 3 \(S03\), 4 \(S04\)"
    ):
        detector_of({"DETECTOR": "S99"}, make_camera(), where="a.fits")
    with pytest.raises(HeaderError, match=r"no card says which detector of cam this is \(tried DETECTOR, DETID"):
        detector_of({}, make_camera(), where="a.fits")


def test_the_most_demanding_camera_that_fits_is_recognised():
    cameras = [make_camera("a"), make_camera("b", "{INSTRUME: CAM, SITE: X}"), make_camera("c", "{INSTRUME: OTHER}")]
    assert recognise({"INSTRUME": "Cam "}, cameras).name == "a"
    assert recognise({"INSTRUME": "CAM", "SITE": "x"}, cameras).name == "b"


def test_an_unknown_instrument_is_refused_saying_what_each_camera_wants():
    with pytest.raises(
        HeaderError, match=r"a\.fits is of an unknown instrument.*INSTRUME='HAL'.*cam wants INSTRUME='CAM'"
    ):
        recognise({"INSTRUME": "HAL"}, [make_camera()], where="a.fits")
    with pytest.raises(HeaderError, match=r"fits more than one instrument: a, b"):
        recognise({"INSTRUME": "CAM"}, [make_camera("a"), make_camera("b")])
