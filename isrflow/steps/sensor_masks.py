"""Mask what saturated sources spoil beyond themselves on sensors of certain makes.

On E2V sensors a saturated trail that reaches the serial register floods the register of its amplifier. On ITL sensors
it bleeds along both edges, its columns sag, and a wide trail pulls down the columns beside it over the whole detector.
The three masks may be rows of their own; `mask_camera_artifacts` is one row for all of them, and the place where users
put a function for their own camera.
"""

from __future__ import annotations

import logging

from isrflow.frame.camera import Amplifier, Detector
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import add_mask_plane, mask_bits
from isrflow.frame.stage import assembled_detector
from isrflow.kernels.regions import Region, find_regions
from isrflow.kernels.sensor_masks import DipModel, dip_columns, finite_median, sagging_columns
from isrflow.steps.byproducts import BadAmplifiers
from isrflow.steps.edge_bleed import EdgeBleedConfig, mask_edge_bleed_of
from isrflow.steps.exceptions import ExceptionsConfig
from isrflow.steps.saturated_regions import SaturatedRegionsConfig
from isrflow.steps.step import StepConfig

log = logging.getLogger(__name__)


class E2vEdgeBleedConfig(SaturatedRegionsConfig):
    """Which saturated regions flood a register of an E2V sensor, and what is masked then."""

    height_px: int = 350
    """Rows of the amplifier that are masked."""


class ItlDipConfig(ExceptionsConfig):
    """Which saturated regions pull down the columns beside them; may differ by detector."""

    planes: tuple[str, ...] = ("SUSPECT", "ITL_DIP")
    """Mask planes that are set."""
    background_fraction: float = 0.0
    """Depth of the dip per column of the region, as a fraction of the background; 0: there are no dips."""
    min_height_px: int = 50
    """Least height of a region, and of the columns that count for its width."""
    min_width_px: int = 15
    """Least number of such columns."""
    max_width_px: int = 50
    """A region counts as no wider than this."""
    width_scale: float = 1.5
    """Width of the dip in widths of the region."""
    min_background_noise_fraction: float = 0.5
    """Least depth, as a fraction of the square root of the background."""
    max_columns: int = 500
    """If more columns than this would be masked, none is."""


class ItlSaturationConfig(EdgeBleedConfig):
    """How far saturated regions reach on an ITL sensor."""

    mask_edge_bleed: bool = True
    """Whether bleeding along the upper and lower edge is masked."""
    mask_sag: bool = True
    """Whether the whole of strongly saturated columns is masked."""


class CameraMasksConfig(StepConfig):
    """Settings of the built-in masks; each is done on sensors of its make unless its `enabled` is false."""

    enabled: bool = False
    """Whether the step is run."""
    e2v_edge_bleed: E2vEdgeBleedConfig = E2vEdgeBleedConfig()
    """Settings of the flooded registers of E2V sensors."""
    itl_dip: ItlDipConfig = ItlDipConfig()
    """Settings of the columns that wide trails pull down."""
    itl_saturation: ItlSaturationConfig = ItlSaturationConfig()
    """Settings of edge bleed and sag of ITL sensors."""


def mask_camera_artifacts(
    exposure: Exposure, config: CameraMasksConfig, *, bad_amplifiers: BadAmplifiers | None = None
) -> None:
    """Mask what is special to the sensor: by default edge bleed, dips and sag of E2V and ITL sensors, in place.

    A function of your own with this signature may take its place (`isrflow.task.subtasks.MaskingTask`).

    Parameters
    ----------
    exposure
        Trimmed; only its mask is changed.
    config
        Settings of the masks.
    bad_amplifiers
        Passed over where levels are taken from amplifiers.

    Raises
    ------
    GeometryError
        If the exposure has no detector or is not assembled.

    Notes
    -----
    ``mask |= bits``; image and variance are not changed. The rules are those of `mask_e2v_edge_bleed`, `mask_itl_dip`
    and `mask_itl_saturation`, in this order.
    """
    if config.e2v_edge_bleed.enabled:
        mask_e2v_edge_bleed(exposure, config.e2v_edge_bleed)
    if config.itl_dip.enabled:
        mask_itl_dip(exposure, config.itl_dip)
    if config.itl_saturation.enabled:
        mask_itl_saturation(exposure, config.itl_saturation, bad_amplifiers=bad_amplifiers)


def mask_e2v_edge_bleed(exposure: Exposure, config: E2vEdgeBleedConfig) -> None:
    """Mask the register's end of amplifiers that a saturated trail flooded, on E2V sensors, in place.

    Parameters
    ----------
    exposure
        Trimmed. Where a SAT region touches the lowest row and its centre lies in an amplifier of the lowest row of
        amplifiers, the amplifier's lowest rows become SAT. Other sensors are left alone.
    config
        Size of the regions, number of rows.

    Raises
    ------
    GeometryError
        If the exposure has no detector or is not assembled.

    Notes
    -----
    ``mask |= SAT`` in rows ``0 <= y < height_px`` of the amplifier; no pixel is changed.
    """
    detector = _detector_of(exposure)
    if not _is_made_by(detector, "E2V"):
        return
    mask, bits = exposure.planes()[1], mask_bits("SAT")
    for region in config.regions_of(mask):
        amp = _amplifier_at(detector, region) if region.y0 == 0 else None
        if amp is not None and amp.box.y0 == detector.box.y0:
            flooded = mask[amp.box.slices(exposure.xy0)][: config.height_px]
            flooded |= bits


def mask_itl_dip(exposure: Exposure, config: ItlDipConfig) -> None:
    """Mask the columns beside wide saturated trails, which such a trail pulls down, in place.

    Parameters
    ----------
    exposure
        Trimmed.
    config
        Shape of the dip. It is the fraction of the background that switches the mask on, not the sensor's make.

    Raises
    ------
    GeometryError
        If the exposure has no detector or is not assembled.

    Notes
    -----
    A region is ``w = min(columns with more than min_height_px saturated pixels, max_width_px)`` wide and dips by
    ``background_fraction * B * w``, B being the median of the finite pixels (adu or electron). If that reaches
    ``min_background_noise_fraction * sqrt(B)``, the columns ``x - width_scale * w / 2`` to ``x + width_scale * w / 2``
    around its centroid x are masked over their whole length.
    """
    config = config.at(_detector_of(exposure))
    bits = sum(add_mask_plane(plane) for plane in dict.fromkeys(config.planes))
    if not config.background_fraction > 0:
        return
    image, mask, _ = exposure.planes()
    regions = list(find_regions(mask, mask_bits("SAT"), min_height=config.min_height_px))
    if not regions:
        return
    background, model = finite_median(image), _dip_model(config)
    found = [dip_columns(region, background, model, image.shape[1]) for region in regions]
    dips = [slice(*columns) for columns in found if columns is not None]
    n_columns = sum(dip.stop - dip.start for dip in dips)
    if n_columns > config.max_columns:
        log.warning(
            "%s: dips would mask %d columns, more than max_columns %d: none is masked",
            exposure.label,
            n_columns,
            config.max_columns,
        )
        return
    for dip in dips:
        mask[:, dip] |= bits


def _dip_model(config: ItlDipConfig) -> DipModel:
    return DipModel(
        config.min_height_px,
        config.min_width_px,
        config.max_width_px,
        config.width_scale,
        config.background_fraction,
        config.min_background_noise_fraction,
    )


def mask_itl_saturation(
    exposure: Exposure, config: ItlSaturationConfig, *, bad_amplifiers: BadAmplifiers | None = None
) -> None:
    """Mask edge bleed and sagging columns around saturated regions, on ITL sensors, in place.

    Both are found from the regions there were before either was masked.

    Parameters
    ----------
    exposure
        Trimmed. Levels of saturation are those of its ``LSST ISR SATURATION LEVEL`` cards, else of its amplifiers.
        Other sensors are left alone.
    config
        Size of the regions, brightness and shape of the bleed.
    bad_amplifiers
        Their levels of saturation do not count.

    Raises
    ------
    GeometryError
        If the exposure has no detector or is not assembled.

    Notes
    -----
    An edge bleeds above column x if the median of its 50 outermost rows around x lies `threshold` above the median of
    the amplifier. In the row y pixels from the edge, up to 200, the columns ``x - h`` to ``x + h - 1`` become SAT, with
    ``h = (W exp(-decay_per_row * y) + w) / 2``; w is the width of the saturated region at its centroid, W the largest
    number of pixels above 0.45 times the saturation level in one of the 100 outermost rows. A column of the region sags
    if more than a fifth of the region's height is saturated in it.
    """
    detector = _detector_of(exposure)
    if not _is_made_by(detector, "ITL"):
        return
    mask, bits = exposure.planes()[1], mask_bits("SAT")
    bad = bad_amplifiers.names if bad_amplifiers is not None else frozenset()
    for region in config.regions_of(mask):
        if config.mask_edge_bleed:
            mask_edge_bleed_of(region, exposure, config, bad_names=bad)
        if config.mask_sag:
            mask[:, sagging_columns(region)] |= bits


def _amplifier_at(detector: Detector, region: Region) -> Amplifier | None:
    x, y = (int(value) for value in region.centroid)
    return next(
        (amp for amp in detector.amplifiers if amp.box.x0 <= x < amp.box.x1 and amp.box.y0 <= y < amp.box.y1), None
    )


def _is_made_by(detector: Detector, maker: str) -> bool:
    return detector.physical_type.upper() == maker


def _detector_of(exposure: Exposure) -> Detector:
    return assembled_detector(exposure, "sensor masks speak of assembled detectors")
