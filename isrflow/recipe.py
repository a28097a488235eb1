"""The table of contents of instrument signature removal.

Field order is order of work; it is that of the reference's code, in which defects and non-finite pixels are marked
before dark and flat. A function may stand under several names where cameras differ in the place of a correction; all
but one are switched off. There is no key to reorder: an instrument's YAML and the user switch rows and change their
settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from isrflow.lsst_names.classic import CLASSIC
from isrflow.steps.amp_offsets import AmpOffsetsConfig, even_out_amplifiers
from isrflow.steps.assembly import AssemblyConfig, assemble
from isrflow.steps.background import BackgroundConfig, measure_background
from isrflow.steps.bad_regions import BadRegionsConfig, fill_bad_regions
from isrflow.steps.bias import BiasConfig, subtract_bias
from isrflow.steps.binned import BinnedConfig, make_binned
from isrflow.steps.brighter_fatter import BrighterFatterConfig, correct_exposure
from isrflow.steps.comparison import ComparisonConfig, compare_calibrations
from isrflow.steps.convert import ConvertConfig, convert_to_float
from isrflow.steps.copies import CopyConfig, keep_before_interpolation, keep_overscan, keep_untrimmed
from isrflow.steps.crosstalk import CrosstalkConfig, subtract_crosstalk
from isrflow.steps.dark import DarkConfig, subtract_dark
from isrflow.steps.defects import DefectsConfig, mask_defects
from isrflow.steps.deferred_charge import DeferredChargeConfig, correct_deferred_charge
from isrflow.steps.edges import EdgesConfig, mask_edges
from isrflow.steps.effective_ptc import EffectivePtcConfig, find_effective_ptc
from isrflow.steps.electrostatic import ElectrostaticConfig, correct_pixel_sides
from isrflow.steps.flat import FlatConfig, divide_by_flat
from isrflow.steps.fringe import FringeConfig, subtract_fringes
from isrflow.steps.gains import GainsConfig, apply_gains
from isrflow.steps.header import HeaderConfig, begin_record
from isrflow.steps.illumination import IlluminationConfig, correct_illumination
from isrflow.steps.interpolation import InterpolationConfig, interpolate_masked
from isrflow.steps.isr_statistics import IsrStatisticsConfig, measure_isr_statistics
from isrflow.steps.linearity import LinearityConfig, linearize
from isrflow.steps.nonfinite import NonfiniteConfig, mask_nonfinite
from isrflow.steps.overscan import OverscanConfig, subtract_overscan
from isrflow.steps.recipe_base import Recipe
from isrflow.steps.saturation import SaturationConfig, mask_saturation
from isrflow.steps.sensor_masks import CameraMasksConfig, mask_camera_artifacts
from isrflow.steps.statistics import StatisticsConfig, measure_statistics
from isrflow.steps.step import Step
from isrflow.steps.stray_light import StrayLightConfig, subtract_stray_light
from isrflow.steps.thumbnail import ThumbnailConfig, make_flattened_thumbnail, make_overscan_thumbnail
from isrflow.steps.trails import TrailsConfig, widen_saturation_trails
from isrflow.steps.transmission import TransmissionConfig, attach_transmission
from isrflow.steps.variance import VarianceConfig, build_variance
from isrflow.steps.vignette import VignetteConfig, find_valid_polygon
from isrflow.steps.zero_point import ZeroPointConfig, set_zero_point


class IsrConfig(Recipe):
    """Instrument signature removal, in the order in which it is done (classic order, in adu)."""

    # On the raw mosaic
    header: Annotated[HeaderConfig, Step(begin_record)] = HeaderConfig()
    comparison: Annotated[ComparisonConfig, Step(compare_calibrations)] = ComparisonConfig()
    convert: Annotated[ConvertConfig, Step(convert_to_float)] = ConvertConfig()
    bias_raw: Annotated[BiasConfig, Step(subtract_bias)] = BiasConfig(enabled=False)
    saturation: Annotated[SaturationConfig, Step(mask_saturation)] = SaturationConfig()
    overscan: Annotated[OverscanConfig, Step(subtract_overscan)] = OverscanConfig()
    kept_overscan: Annotated[CopyConfig, Step(keep_overscan)] = CopyConfig()
    effective_ptc: Annotated[EffectivePtcConfig, Step(find_effective_ptc)] = EffectivePtcConfig()
    deferred_charge: Annotated[DeferredChargeConfig, Step(correct_deferred_charge)] = DeferredChargeConfig()
    crosstalk_raw: Annotated[CrosstalkConfig, Step(subtract_crosstalk)] = CrosstalkConfig(enabled=False)
    untrimmed: Annotated[CopyConfig, Step(keep_untrimmed)] = CopyConfig()

    # On the assembled detector
    assembly: Annotated[AssemblyConfig, Step(assemble)] = AssemblyConfig()
    thumbnail_overscan: Annotated[ThumbnailConfig, Step(make_overscan_thumbnail)] = ThumbnailConfig(enabled=False)
    bias: Annotated[BiasConfig, Step(subtract_bias)] = BiasConfig()
    variance: Annotated[VarianceConfig, Step(build_variance)] = VarianceConfig()
    linearity: Annotated[LinearityConfig, Step(linearize)] = LinearityConfig()
    crosstalk: Annotated[CrosstalkConfig, Step(subtract_crosstalk)] = CrosstalkConfig(enabled=False)
    defects: Annotated[DefectsConfig, Step(mask_defects)] = DefectsConfig()
    edges: Annotated[EdgesConfig, Step(mask_edges)] = EdgesConfig(enabled=False)
    nonfinite: Annotated[NonfiniteConfig, Step(mask_nonfinite)] = NonfiniteConfig()
    trails: Annotated[TrailsConfig, Step(widen_saturation_trails)] = TrailsConfig()
    camera_masks: Annotated[CameraMasksConfig, Step(mask_camera_artifacts)] = CameraMasksConfig(enabled=False)
    brighter_fatter: Annotated[BrighterFatterConfig, Step(correct_exposure)] = BrighterFatterConfig(enabled=False)
    electrostatic: Annotated[ElectrostaticConfig, Step(correct_pixel_sides)] = ElectrostaticConfig(keep_replaced=False)
    dark: Annotated[DarkConfig, Step(subtract_dark)] = DarkConfig()
    fringe_before_flat: Annotated[FringeConfig, Step(subtract_fringes)] = FringeConfig(enabled=False)
    stray_light: Annotated[StrayLightConfig, Step(subtract_stray_light)] = StrayLightConfig()
    flat: Annotated[FlatConfig, Step(divide_by_flat)] = FlatConfig()
    gains: Annotated[GainsConfig, Step(apply_gains)] = GainsConfig(enabled=False)
    fringe: Annotated[FringeConfig, Step(subtract_fringes)] = FringeConfig()
    vignette: Annotated[VignetteConfig, Step(find_valid_polygon)] = VignetteConfig()
    transmission: Annotated[TransmissionConfig, Step(attach_transmission)] = TransmissionConfig()
    thumbnail_flattened: Annotated[ThumbnailConfig, Step(make_flattened_thumbnail)] = ThumbnailConfig(enabled=False)
    illumination: Annotated[IlluminationConfig, Step(correct_illumination)] = IlluminationConfig()

    # Repair and measure
    before_interpolation: Annotated[CopyConfig, Step(keep_before_interpolation)] = CopyConfig()
    bad_regions: Annotated[BadRegionsConfig, Step(fill_bad_regions)] = BadRegionsConfig()
    interpolation: Annotated[InterpolationConfig, Step(interpolate_masked)] = InterpolationConfig()
    zero_point: Annotated[ZeroPointConfig, Step(set_zero_point)] = ZeroPointConfig()
    amp_offsets: Annotated[AmpOffsetsConfig, Step(even_out_amplifiers)] = AmpOffsetsConfig()
    background: Annotated[BackgroundConfig, Step(measure_background)] = BackgroundConfig()
    statistics: Annotated[StatisticsConfig, Step(measure_statistics)] = StatisticsConfig()
    isr_statistics: Annotated[IsrStatisticsConfig, Step(measure_isr_statistics)] = IsrStatisticsConfig()
    binned: Annotated[BinnedConfig, Step(make_binned)] = BinnedConfig(enabled=False)

    @classmethod
    def from_lsst(cls, settings: Mapping[str, Any]) -> Self:
        """Make a recipe from settings under the names of LSST's ``IsrTaskConfig``, laid over its defaults.

        Parameters
        ----------
        settings
            Flat (``{"doDark": False, "overscan.fitType": "MEDIAN_PER_ROW"}``), nested, or a mix. A name that does
            nothing is accepted with a warning in the log.

        Raises
        ------
        ConfigError
            A ValueError: unknown names (the nearest is named), impossible values, and what is not done here; all
            are listed. The page "Names of LSST settings" of the documentation says what becomes of each name.
        """
        return cls.layered(CLASSIC.translate(settings))
