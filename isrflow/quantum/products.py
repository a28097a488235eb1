"""Which by-products of the recipe become datasets of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isrflow.quantum.formatters import statistics_values
from isrflow.quantum.types import BINNED, FLATTENED_THUMBNAIL, OVERSCAN_THUMBNAIL, PRODUCT, STATISTICS

if TYPE_CHECKING:
    from isrflow.run import IsrResult


def products_of(result: IsrResult) -> dict[str, Any]:
    """Return dataset type to value: the corrected exposure, and of the by-products those that steps have given."""
    from isrflow.steps.binned import BinnedExposures
    from isrflow.steps.statistics import Statistics
    from isrflow.steps.thumbnail import FlattenedThumbnail, OverscanThumbnail

    products: dict[str, Any] = {PRODUCT: result.exposure}
    statistics = result.get(Statistics)
    if statistics is not None:
        products[STATISTICS] = statistics_values(statistics)
    overscan, flattened = result.get(OverscanThumbnail), result.get(FlattenedThumbnail)
    products |= {} if overscan is None else {OVERSCAN_THUMBNAIL: overscan.rgb}
    products |= {} if flattened is None else {FLATTENED_THUMBNAIL: flattened.rgb}
    binned = result.get(BinnedExposures)
    if binned is not None:
        products |= zip(BINNED, (binned.bin1, binned.bin2), strict=True)
    return products
