"""Assembly: places, flips, cards, and amplifiers given one by one."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.wcs import WCS

from isrflow.errors import GeometryError, NotAnExposureError
from isrflow.frame.box import Box
from isrflow.frame.camera import Detector
from isrflow.frame.exposure import Exposure
from isrflow.steps.assembly import AssemblyConfig, assemble, assemble_amplifiers
from tests.steps.tinyraw import raw, tiny_detector


def numbered(**detector) -> Exposure:
    exposure = raw(**detector)
    exposure.image[:] = np.arange(60).reshape(5, 12)
    exposure.mask[:] = np.arange(60).reshape(5, 12)
    exposure.variance[:] = np.arange(60).reshape(5, 12) / 2
    return exposure


def test_light_sensitive_pixels_go_to_their_places_flipped() -> None:
    exposure = numbered()
    assemble(exposure, AssemblyConfig())
    assert exposure.image[0].tolist() == [1, 2, 3, 9, 8, 7]
    assert exposure.image[3].tolist() == [37, 38, 39, 45, 44, 43]
    assert exposure.mask[0].tolist() == [1, 2, 3, 9, 8, 7]
    assert exposure.variance[0].tolist() == [0.5, 1, 1.5, 4.5, 4, 3.5]
    assert exposure.is_trimmed


def test_rows_are_flipped_too() -> None:
    exposure = numbered(left={"raw_flip_y": True})
    assemble(exposure, AssemblyConfig())
    assert exposure.image[:, 0].tolist() == [37, 25, 13, 1]


def test_assembling_the_amplifiers_one_by_one_gives_the_same() -> None:
    whole = numbered(right={"raw_flip_y": True})
    in_mosaic = {amp.name: whole.amp(amp, "raw") for amp in whole.detector.amplifiers}
    bare = {name: Exposure(image=p.image, mask=p.mask, variance=p.variance) for name, p in in_mosaic.items()}
    detector = whole.detector
    one = assemble_amplifiers(in_mosaic, AssemblyConfig())
    two = assemble_amplifiers(bare, AssemblyConfig(), detector=detector)
    assemble(whole, AssemblyConfig())
    for plane in ("image", "mask", "variance"):
        assert np.array_equal(getattr(one, plane), getattr(whole, plane))
        assert np.array_equal(getattr(two, plane), getattr(whole, plane))


def test_without_trimming_whole_segments_are_turned_and_the_description_follows() -> None:
    exposure = numbered()
    assemble(exposure, AssemblyConfig(trim=False))
    assert exposure.image.shape == (5, 12)
    assert exposure.image[0].tolist() == [0, 1, 2, 3, 4, 5, 11, 10, 9, 8, 7, 6]
    right = exposure.detector.amplifier("R")
    assert (right.raw_flip_x, right.raw_data, right.raw_serial_overscan) == (False, Box(8, 0, 3, 4), Box(6, 0, 2, 4))
    assert exposure.amp(right).image[0].tolist() == [9, 8, 7]


def test_offsets_count_without_trimming_only() -> None:
    exposure = numbered(right={"raw_xy_offset": (2, 1)})
    assemble(exposure, AssemblyConfig(trim=False))
    assert exposure.image.shape == (6, 14)
    assert exposure.image[0, 8:].tolist() == [0] * 6
    assert exposure.image[1, 8] == 11


def test_cards_about_raw_sections_are_removed() -> None:
    exposure = raw()
    exposure.header |= dict.fromkeys(("DATASEC", "BIASSEC", "TRIMSEC", "GAIN", "OBJECT", "MYSEC"), "x")
    assemble(exposure, AssemblyConfig(keys_to_remove=("MYSEC",)))
    assert exposure.header == {"OBJECT": "x"}


def test_the_wcs_of_a_single_amplifier_moves_with_its_pixels() -> None:
    amp = tiny_detector().amplifiers[0]
    exposure = raw()
    exposure.detector = Detector(id=0, name="S", box=amp.box, amplifiers=(amp,))
    exposure.wcs = WCS(naxis=2)
    exposure.wcs.wcs.crpix = 3.0, 2.0
    assemble(exposure, AssemblyConfig())
    assert exposure.wcs.wcs.crpix.tolist() == [2.0, 2.0]


def test_missing_amplifiers_are_all_named() -> None:
    with pytest.raises(GeometryError, match="no exposures of amplifiers L, R"):
        assemble_amplifiers({"X": raw()}, AssemblyConfig())


def test_what_is_no_mapping_of_exposures_is_refused() -> None:
    with pytest.raises(NotAnExposureError, match="mapping from amplifier name"):
        assemble_amplifiers([raw()], AssemblyConfig())
    with pytest.raises(TypeError):
        assemble_amplifiers({"L": np.zeros((5, 6))}, AssemblyConfig())


def test_a_raw_that_lacks_pixels_names_the_amplifier() -> None:
    exposure = raw().view(Box(0, 0, 8, 5))
    with pytest.raises(GeometryError, match="outside the image") as caught:
        assemble(exposure, AssemblyConfig())
    assert caught.value.amplifier_name == "R"
