"""Which by-products of the recipe become datasets of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isrflow.quantum.formatters import plain_values, statistics_values
from isrflow.quantum.statistics_layout import lsst_statistics
from isrflow.quantum.types import (
    BINNED,
    FLATTENED_THUMBNAIL,
    OVERSCAN_THUMBNAIL,
    PRE_INTERPOLATION,
    PRODUCT,
    STATISTICS,
)

if TYPE_CHECKING:
    from isrflow.run import IsrResult


def products_of(result: IsrResult) -> dict[str, Any]:
    """Return dataset type to value: the corrected exposure, and of the by-products those that steps have given."""
    from isrflow.steps.binned import BinnedExposures
    from isrflow.steps.byproducts import PreInterpolation
    from isrflow.steps.thumbnail import FlattenedThumbnail, OverscanThumbnail

    products: dict[str, Any] = {PRODUCT: result.exposure}
    statistics = _statistics(result)
    if statistics:
        products[STATISTICS] = statistics
    before = result.get(PreInterpolation)
    products |= {} if before is None else {PRE_INTERPOLATION: before.exposure}
    overscan, flattened = result.get(OverscanThumbnail), result.get(FlattenedThumbnail)
    products |= {} if overscan is None else {OVERSCAN_THUMBNAIL: overscan.rgb}
    products |= {} if flattened is None else {FLATTENED_THUMBNAIL: flattened.rgb}
    binned = result.get(BinnedExposures)
    if binned is not None:
        products |= zip(BINNED, (binned.bin1, binned.bin2), strict=True)
    return products


def _statistics(result: IsrResult) -> dict[str, Any]:
    """Return the numbers of both rows that measure: those of the amplifiers, and the readout's under LSST's names."""
    from isrflow.steps.isr_statistics import IsrStatistics
    from isrflow.steps.statistics import Statistics

    standard, readout = result.get(Statistics), result.get(IsrStatistics)
    detector = result.exposure.detector
    values = {} if standard is None else statistics_values(standard)
    if readout is not None:
        values |= plain_values(lsst_statistics(readout, 0 if detector is None else detector.id))
    return values
