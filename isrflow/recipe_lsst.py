"""The table of contents of the newer order: gains first, and then everything in electrons.

The order undoes what happens to charge in reverse: electronics (overscan, gain, crosstalk), the serial register
(deferred charge), the sensor (bias, dark, brighter-fatter), and light (flat). It needs measured gains. An amplifier
that has none, or is found to be noisy or off its level, is given up as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import model_validator

from isrflow.lsst_names.newer import NEWER
from isrflow.steps.amp_offsets import AmpOffsetsConfig, even_out_amplifiers
from isrflow.steps.amplifier_noise import AmplifierNoiseConfig, check_amplifier_noise
from isrflow.steps.assembly import AssemblyConfig, assemble
from isrflow.steps.bad_regions import BadRegionsConfig, fill_bad_regions
from isrflow.steps.bias import BiasConfig, subtract_bias
from isrflow.steps.bias_voltage import BiasVoltageConfig, check_bias_voltage
from isrflow.steps.binned import BinnedConfig, make_binned
from isrflow.steps.brighter_fatter import BrighterFatterConfig, correct_exposure
from isrflow.steps.comparison import ComparisonConfig, compare_calibrations
from isrflow.steps.convert import ConvertConfig, convert_to_float
from isrflow.steps.copies import CopyConfig, keep_before_interpolation, keep_overscan, keep_untrimmed
from isrflow.steps.crosstalk import CrosstalkConfig, subtract_crosstalk
from isrflow.steps.dark import DarkConfig, subtract_dark
from isrflow.steps.defects import DefectsConfig, mask_defects
from isrflow.steps.deferred_charge import DeferredChargeConfig, correct_deferred_charge
from isrflow.steps.dither import DitherConfig, dither_counts
from isrflow.steps.electrostatic import ElectrostaticConfig, correct_pixel_sides
from isrflow.steps.flat import FlatConfig, divide_by_flat
from isrflow.steps.full_amplifiers import FullAmplifiersConfig, mask_full_amplifiers
from isrflow.steps.gain_correction import GainCorrectionConfig, correct_gains
from isrflow.steps.gain_source import GainSourceConfig, find_gains
from isrflow.steps.gains import GainsConfig, apply_gains
from isrflow.steps.header import HeaderConfig, begin_record
from isrflow.steps.interpolation import InterpolationConfig, interpolate_masked
from isrflow.steps.isr_statistics import IsrStatisticsConfig, measure_isr_statistics
from isrflow.steps.linearity import LinearityConfig, linearize
from isrflow.steps.nonfinite import NonfiniteConfig, mask_nonfinite
from isrflow.steps.overscan_level import OverscanLevelConfig, check_overscan_levels
from isrflow.steps.overscan_parallel import ParallelOverscanConfig, subtract_parallel_overscan
from isrflow.steps.overscan_serial import SerialOverscanConfig, subtract_serial_overscan
from isrflow.steps.read_noise import ReadNoiseConfig, measure_read_noise
from isrflow.steps.recipe_base import Recipe
from isrflow.steps.saturation_levels import SaturationLevelsConfig, mask_above_levels
from isrflow.steps.sensor_masks import (
    E2vEdgeBleedConfig,
    ItlDipConfig,
    ItlSaturationConfig,
    mask_e2v_edge_bleed,
    mask_itl_dip,
    mask_itl_saturation,
)
from isrflow.steps.statistics import StatisticsConfig, measure_statistics
from isrflow.steps.step import Step
from isrflow.steps.trails import TrailsConfig, widen_saturation_trails
from isrflow.steps.variance import VarianceConfig, build_variance

_RECORD = HeaderConfig(
    corrections=("GAINCORRECTION", "CROSSTALK", "LINEARIZER", "CTI", "BIAS", "DARK", "BF", "FLAT", "DEFECTS"),
    checks=("OVERSCANLEVEL", "NOISE"),
)
_COMPARISON = ComparisonConfig(unit="electron", unit_of=("bias", "dark"))
_WHOLE_SEGMENTS = CrosstalkConfig(enabled=True, full_amplifier=True, ignore_variance=True, between_detectors=False)
_WITHOUT_FLAT = BrighterFatterConfig(enabled=True, apply_dark=False, apply_flat=False, grow_px=2, note_in_header=True)


class IsrLsstConfig(Recipe):
    """Instrument signature removal in the newer order of the Rubin observatory, in electrons."""

    # On the raw mosaic, in adu
    header: Annotated[HeaderConfig, Step(begin_record)] = _RECORD
    comparison: Annotated[ComparisonConfig, Step(compare_calibrations)] = _COMPARISON
    bias_voltage: Annotated[BiasVoltageConfig, Step(check_bias_voltage)] = BiasVoltageConfig()
    gain_source: Annotated[GainSourceConfig, Step(find_gains)] = GainSourceConfig()
    convert: Annotated[ConvertConfig, Step(convert_to_float)] = ConvertConfig()
    full_amplifiers: Annotated[FullAmplifiersConfig, Step(mask_full_amplifiers)] = FullAmplifiersConfig()
    dither: Annotated[DitherConfig, Step(dither_counts)] = DitherConfig()
    overscan_serial: Annotated[SerialOverscanConfig, Step(subtract_serial_overscan)] = SerialOverscanConfig()
    kept_overscan: Annotated[CopyConfig, Step(keep_overscan)] = CopyConfig()
    read_noise: Annotated[ReadNoiseConfig, Step(measure_read_noise)] = ReadNoiseConfig()
    saturation: Annotated[SaturationLevelsConfig, Step(mask_above_levels)] = SaturationLevelsConfig()
    gain_correction: Annotated[GainCorrectionConfig, Step(correct_gains)] = GainCorrectionConfig()

    # On the raw mosaic, in electrons
    electrons: Annotated[GainsConfig, Step(apply_gains)] = GainsConfig(enabled=True)
    crosstalk: Annotated[CrosstalkConfig, Step(subtract_crosstalk)] = _WHOLE_SEGMENTS
    overscan_level: Annotated[OverscanLevelConfig, Step(check_overscan_levels)] = OverscanLevelConfig()
    amplifier_noise: Annotated[AmplifierNoiseConfig, Step(check_amplifier_noise)] = AmplifierNoiseConfig()
    overscan_parallel: Annotated[ParallelOverscanConfig, Step(subtract_parallel_overscan)] = ParallelOverscanConfig()
    linearity: Annotated[LinearityConfig, Step(linearize)] = LinearityConfig(required=True)
    deferred_charge: Annotated[DeferredChargeConfig, Step(correct_deferred_charge)] = DeferredChargeConfig(enabled=True)
    untrimmed: Annotated[CopyConfig, Step(keep_untrimmed)] = CopyConfig()

    # On the assembled detector
    assembly: Annotated[AssemblyConfig, Step(assemble)] = AssemblyConfig()
    e2v_edge_bleed: Annotated[E2vEdgeBleedConfig, Step(mask_e2v_edge_bleed)] = E2vEdgeBleedConfig()
    itl_dip: Annotated[ItlDipConfig, Step(mask_itl_dip)] = ItlDipConfig()
    itl_saturation: Annotated[ItlSaturationConfig, Step(mask_itl_saturation)] = ItlSaturationConfig()
    bias: Annotated[BiasConfig, Step(subtract_bias)] = BiasConfig()
    dark: Annotated[DarkConfig, Step(subtract_dark)] = DarkConfig()
    defects: Annotated[DefectsConfig, Step(mask_defects)] = DefectsConfig()
    nonfinite: Annotated[NonfiniteConfig, Step(mask_nonfinite)] = NonfiniteConfig()
    trails: Annotated[TrailsConfig, Step(widen_saturation_trails)] = TrailsConfig(enabled=False)
    brighter_fatter: Annotated[BrighterFatterConfig, Step(correct_exposure)] = _WITHOUT_FLAT
    electrostatic: Annotated[ElectrostaticConfig, Step(correct_pixel_sides)] = ElectrostaticConfig()
    variance: Annotated[VarianceConfig, Step(build_variance)] = VarianceConfig(keep=True)
    flat: Annotated[FlatConfig, Step(divide_by_flat)] = FlatConfig(no_data_variance=1e10, note_source=True)

    # Repair and measure
    before_interpolation: Annotated[CopyConfig, Step(keep_before_interpolation)] = CopyConfig()
    bad_regions: Annotated[BadRegionsConfig, Step(fill_bad_regions)] = BadRegionsConfig()
    interpolation: Annotated[InterpolationConfig, Step(interpolate_masked)] = InterpolationConfig()
    amp_offsets: Annotated[AmpOffsetsConfig, Step(even_out_amplifiers)] = AmpOffsetsConfig()
    statistics: Annotated[StatisticsConfig, Step(measure_statistics)] = StatisticsConfig(count_suspect=True)
    isr_statistics: Annotated[IsrStatisticsConfig, Step(measure_isr_statistics)] = IsrStatisticsConfig(enabled=True)
    binned: Annotated[BinnedConfig, Step(make_binned)] = BinnedConfig(enabled=False)

    @model_validator(mode="after")
    def _go_together(self) -> Self:
        problems = [*self._against_bootstrap(), *self._without_gains(), *self._without_saturation()]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _against_bootstrap(self) -> list[str]:
        """List what cannot be done without gains."""
        if not self.gain_source.bootstrap:
            return []
        wrong = {
            "electrons.enabled=false": self.electrons.enabled,
            "gain_correction.enabled=false": self.gain_correction.enabled,
            "crosstalk.quadratic=false": self.crosstalk.enabled and self.crosstalk.quadratic,
            "overscan_level.enabled=false": self.overscan_level.enabled,
            "amplifier_noise.enabled=false": self.amplifier_noise.enabled,
        }
        needed = [setting for setting, is_wrong in wrong.items() if is_wrong] + self._turnoffs()
        return [f"gain_source.bootstrap: there are no gains yet, so set {', '.join(needed)}"] if needed else []

    def _without_gains(self) -> list[str]:
        """List what needs turnoffs where nothing supplies them."""
        needed = [] if self.gain_source.enabled else self._turnoffs()
        return [f"without gain_source turnoffs are not known, so set {', '.join(needed)}"] if needed else []

    def _turnoffs(self) -> list[str]:
        """Name the settings that ask for turnoffs, and what they may be instead."""
        levels = self.saturation
        wrong = {
            "saturation.source=CAMERAMODEL or NONE": levels.mask_saturated and levels.source == "PTCTURNOFF",
            "saturation.suspect_source=CAMERAMODEL or NONE": levels.mask_suspect
            and levels.suspect_source == "PTCTURNOFF",
        }
        return [setting for setting, is_wrong in wrong.items() if levels.enabled and is_wrong]

    def _without_saturation(self) -> list[str]:
        """List masks that grow from saturated pixels where these are not marked."""
        if self.saturation.enabled and self.saturation.mask_saturated:
            return []
        rows = {
            "e2v_edge_bleed.enabled=false": self.e2v_edge_bleed.enabled,
            "itl_saturation.mask_edge_bleed=false": self.itl_saturation.enabled and self.itl_saturation.mask_edge_bleed,
        }
        needed = [setting for setting, is_on in rows.items() if is_on]
        return [f"saturation marks no saturated pixels, so set {', '.join(needed)}"] if needed else []

    @classmethod
    def from_lsst(cls, settings: Mapping[str, Any]) -> Self:
        """Make a recipe from settings under the names of LSST's ``IsrTaskLSSTConfig``, laid over its defaults.

        Parameters
        ----------
        settings
            Flat (``{"doDark": False, "crosstalk.minPixelToMask": 1.0}``), nested, or a mix. A name that does nothing is
            accepted with a warning in the log.

        Raises
        ------
        ConfigError
            A ValueError: unknown names (the nearest is named), impossible values, and what is not done here; all
            are listed. The page "Names of LSST settings" of the documentation says what becomes of each name.
        """
        return cls.layered(NEWER.translate(settings))
