"""Amplifiers that are given up as a whole."""

from __future__ import annotations

import pytest

from isrflow.errors import GeometryError, UnprocessableError
from isrflow.frame.mask import mask_bits
from isrflow.steps.byproducts import BadAmplifiers
from isrflow.steps.giving_up import GivingUpConfig, give_up
from tests.steps.tinyraw import raw, trimmed

BAD = mask_bits("BAD")
LEFT = BadAmplifiers(frozenset({"L"}))


def test_the_raw_segment_becomes_bad_and_the_amplifier_joins_those_known() -> None:
    exposure = raw()
    assert give_up(exposure, ["R"], None, GivingUpConfig()).names == {"R"}
    right, left = (exposure.amp(exposure.detector.amplifier(name), "raw").mask for name in "RL")
    assert (right & BAD != 0).all()
    assert not (left & BAD).any()
    assert give_up(exposure, [], LEFT, GivingUpConfig()).names == {"L"}


def test_an_exposure_of_bad_amplifiers_alone_is_refused_unless_that_is_wanted() -> None:
    with pytest.raises(UnprocessableError, match="all amplifiers are bad"):
        give_up(raw(), ["R"], LEFT, GivingUpConfig())
    assert give_up(raw(), ["R"], LEFT, GivingUpConfig(refuse_all_bad=False)).names == {"L", "R"}


def test_trimmed_pictures_have_no_raw_segments() -> None:
    with pytest.raises(GeometryError, match="is trimmed already: its raw segments are not known"):
        give_up(trimmed(), [], None, GivingUpConfig())
