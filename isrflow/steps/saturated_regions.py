"""The saturated regions of a picture that are large enough to spoil more than themselves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isrflow.frame.mask import mask_bits
from isrflow.kernels.regions import Region, find_regions
from isrflow.steps.step import StepConfig


class SaturatedRegionsConfig(StepConfig):
    """Base of the settings of masks around such regions."""

    min_area_px: int = 10000
    """Regions are considered from this many pixels ..."""
    max_area_px: int = 100000
    """... to fewer than so many."""

    def regions_of(self, mask: NDArray[np.int32]) -> list[Region]:
        """Return the regions there are now; what is masked later makes none larger."""
        return list(find_regions(mask, mask_bits("SAT"), min_area=self.min_area_px, max_area=self.max_area_px))
