"""Raw mosaic or assembled detector."""

from __future__ import annotations

import numpy as np
import pytest

from isrflow.errors import GeometryError
from isrflow.frame.exposure import Exposure
from isrflow.frame.stage import assembled_detector, mosaic_detector
from tests.steps.tinyraw import raw, trimmed


def test_each_stage_has_its_detector() -> None:
    assert assembled_detector(trimmed(), "").name == mosaic_detector(raw(), "").name


def test_the_other_stage_is_refused_with_the_reason() -> None:
    with pytest.raises(GeometryError, match="is not assembled: sums want whole pictures"):
        assembled_detector(raw(), "sums want whole pictures")
    with pytest.raises(GeometryError, match="is trimmed already: its overscans are gone"):
        mosaic_detector(trimmed(), "its overscans are gone")


@pytest.mark.parametrize("detector_of", [assembled_detector, mosaic_detector])
def test_an_exposure_without_detector_is_of_no_stage(detector_of) -> None:
    with pytest.raises(GeometryError, match="has no detector: because"):
        detector_of(Exposure(np.ones((2, 2), np.float32)), "because")
