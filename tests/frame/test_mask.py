"""Mask planes by name."""

from __future__ import annotations

import numpy as np
import pytest

from isrflow.errors import MaskPlaneError
from isrflow.frame.mask import STANDARD_PLANES, add_mask_plane, mask_bits, remap_mask

REFERENCE_BITS = "BAD SAT INTRP CR EDGE DETECTED DETECTED_NEGATIVE SUSPECT NO_DATA VIGNETTED STREAK".split()  # noqa: SIM905


def test_the_first_eleven_planes_have_the_bits_of_the_reference():
    assert {name: STANDARD_PLANES[name] for name in REFERENCE_BITS} == {n: i for i, n in enumerate(REFERENCE_BITS)}


def test_values_of_several_planes_are_ored():
    assert mask_bits("SAT") == 2
    assert mask_bits(["BAD", "SAT", "INTRP"]) == 7
    assert mask_bits([]) == 0


def test_an_unknown_plane_is_refused_with_the_nearest_name():
    with pytest.raises(MaskPlaneError, match=r"no mask plane named SUSPEKT; did you mean SUSPECT\?"):
        mask_bits(["BAD", "SUSPEKT"])


def test_a_new_plane_takes_a_free_bit_and_keeps_it():
    value = add_mask_plane("GHOST_FOR_THIS_TEST")
    assert value not in {1 << bit for bit in STANDARD_PLANES.values()}
    assert add_mask_plane("GHOST_FOR_THIS_TEST") == value
    assert mask_bits("GHOST_FOR_THIS_TEST") == value


def test_masks_are_mapped_by_name_not_by_number():
    mask = np.array([[1 << 5, 1 << 11], [(1 << 5) | (1 << 11), 0]], np.int32)
    moved = remap_mask(mask, {"SAT": 5, "UNMASKEDNAN": 11})
    sat, nan = mask_bits("SAT"), mask_bits("UNMASKEDNAN")
    assert moved.tolist() == [[sat, nan], [sat | nan, 0]]
    assert mask[0, 0] == 1 << 5
