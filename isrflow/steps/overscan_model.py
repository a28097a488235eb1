"""The model of an overscan: what its settings are in every recipe."""

from __future__ import annotations

from pydantic import Field

from isrflow.frame.mask import mask_bits
from isrflow.kernels.overscan import OverscanRules
from isrflow.kernels.overscan_fit import FitKind
from isrflow.steps.step import StepConfig


class OverscanModelConfig(StepConfig):
    """Base of the settings of steps that subtract an overscan."""

    fit_type: FitKind = "MEDIAN"
    """MEAN, MEANCLIP, MEDIAN: one level for the amplifier. MEAN_PER_ROW, MEDIAN_PER_ROW: one a line. POLY, CHEB, LEG: a
    polynomial along the lines. NATURAL_SPLINE, CUBIC_SPLINE, AKIMA_SPLINE: a spline through means of bins of lines."""
    order: int = Field(default=1, ge=0)
    """Degree of the polynomial, or number of bins of the spline (with fewer than 5 filled bins a spline is a constant,
    the mean of the first bin)."""
    clip_sigma: float = Field(default=3.0, gt=0)
    """Pixels further from the rest than this many standard deviations are left out."""
    ignored_planes: tuple[str, ...] = ("BAD", "SAT")
    """Pixels on these planes are left out. Statistics per line leave pixels out only if BAD is among them."""
    as_integers: bool = True
    """Truncate pixels to integers for the statistics per line."""
    max_deviation_adu: float = Field(default=1000.0, gt=0)
    """Pixels further than this from the overscan's median become BAD and are left out."""
    two_sided_deviation: bool = True
    """Whether pixels that far below the median are left out as well."""

    def rules(self, scale: float) -> OverscanRules:
        """Return the settings of the kernel for pixels whose unit is adu over `scale`."""
        return OverscanRules(
            kind=self.fit_type,
            order=self.order,
            n_sigma=self.clip_sigma,
            as_integers=self.as_integers,
            reject_bits=mask_bits(self.ignored_planes),
            bad_bit=mask_bits("BAD"),
            max_deviation=self.max_deviation_adu * scale,
            two_sided=self.two_sided_deviation,
        )
