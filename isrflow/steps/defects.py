"""Mark the known bad pixels."""

from __future__ import annotations

from isrflow.calibs.defects import Defects
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import add_mask_plane
from isrflow.steps.step import StepConfig


class DefectsConfig(StepConfig):
    """How defects are marked."""

    plane: str = "BAD"
    """Mask plane that is set."""
    bad_amplifiers: tuple[str, ...] = ()
    """Amplifiers marked as a whole, as DETECTOR_AMPLIFIER."""


def mask_defects(exposure: Exposure, config: DefectsConfig, *, defects: Defects) -> None:
    """Mark the pixels of all defect boxes, in place; what sticks out of the image is ignored.

    Parameters
    ----------
    exposure
        Trimmed: defects speak trimmed coordinates.
    config
        Which mask plane.
    defects
        Boxes of bad pixels; they may overlap.

    Notes
    -----
    No pixel changes its value; the plane (BAD) is set in each box ``x0 <= x < x0 + width``, ``y0 <= y < y0 + height``.
    """
    _, mask, _ = exposure.planes()
    bits = add_mask_plane(config.plane)
    for box in defects.boxes:
        mask[box.intersect(exposure.box).slices(exposure.xy0)] |= bits
    detector = exposure.detector
    for amp in detector.amplifiers if detector is not None and config.bad_amplifiers else ():
        if detector is not None and f"{detector.name}_{amp.name}" in config.bad_amplifiers:
            mask[exposure.amp_box(amp).slices(exposure.xy0)] |= bits
    exposure.header["LSST ISR DEFECTS APPLIED"] = True
