"""What a run gives, under the names of the reference."""

from __future__ import annotations

from typing import Any

from isrflow.quantum.statistics_layout import lsst_statistics
from isrflow.run import IsrResult
from isrflow.steps.binned import BinnedExposures
from isrflow.steps.byproducts import PreInterpolation
from isrflow.steps.isr_statistics import IsrStatistics


def shared_results(result: IsrResult) -> dict[str, Any]:
    """Return what both tasks give, its aliases included; None is what was not made."""
    binned, before, measured = result.get(BinnedExposures), result.get(PreInterpolation), result.get(IsrStatistics)
    detector = result.exposure.detector
    assert detector is not None
    return {
        "exposure": result.exposure,
        "outputExposure": result.exposure,
        "preInterpExposure": None if before is None else before.exposure,
        "outputBin1Exposure": None if binned is None else binned.bin1,
        "outputBin2Exposure": None if binned is None else binned.bin2,
        "outputStatistics": None if measured is None else lsst_statistics(measured, detector.id),
    }
