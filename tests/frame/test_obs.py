"""The circumstances of an exposure."""

from __future__ import annotations

from isrflow.frame.obs import Observation


def test_filters_are_known_by_physical_name_or_band() -> None:
    both = Observation(physical_filter="r_57", band="r")
    assert both.is_through(["r"])
    assert both.is_through({"r_57"})
    assert not both.is_through(["g"])
    assert not Observation().is_through(["r", "Unknown"])
    assert (both.filter_name, Observation(band="r").filter_name) == ("r_57", "Unknown")
