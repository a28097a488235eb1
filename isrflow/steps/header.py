"""Open the record of what has been done to an exposure."""

from __future__ import annotations

from isrflow.frame.exposure import Exposure
from isrflow.steps.step import StepConfig

CORRECTIONS = ("CROSSTALK", "LINEARIZER", "CTI", "BIAS", "DARK", "BF", "FLAT", "DEFECTS")


class HeaderConfig(StepConfig):
    """What is noted."""

    corrections: tuple[str, ...] = CORRECTIONS
    """Corrections that are noted as not applied yet."""
    checks: tuple[str, ...] = ()
    """Checks that are noted as not made yet."""


def begin_record(exposure: Exposure, config: HeaderConfig) -> None:
    """Note the unit in the header, and that nothing is corrected yet; later steps change what they correct.

    Notes
    -----
    No pixel changes. ``LSST ISR UNITS`` names the unit (adu), each ``LSST ISR ... APPLIED`` card starts as false.
    """
    exposure.header["LSST ISR UNITS"] = exposure.unit
    exposure.header |= {f"LSST ISR {correction} APPLIED": False for correction in config.corrections}
    exposure.header |= {f"LSST ISR {check} CHECKED": False for check in config.checks}
