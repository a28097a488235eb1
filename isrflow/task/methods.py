"""The vocabulary of IsrTask: every name one documented line over a step.

Exposures are changed in place unless a method returns a new one.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from isrflow.calibs.dark import Dark
from isrflow.calibs.flat import Flat
from isrflow.calibs.ptc import PhotonTransferCurve
from isrflow.calibs.stated import cards_of
from isrflow.errors import CalibrationError, HeaderError, NotAnExposureError
from isrflow.frame.camera import Amplifier, Camera, Detector
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.kernels.arithmetic import build_photon_variance
from isrflow.kernels.masks import mask_nonpositive
from isrflow.kernels.statistics import clip
from isrflow.recipe import IsrConfig
from isrflow.steps.background import measure_background
from isrflow.steps.binned import bin_exposure
from isrflow.steps.comparison import compare_cards
from isrflow.steps.convert import ConvertConfig, convert_to_float, ensure_exposure
from isrflow.steps.dark import subtract_dark
from isrflow.steps.defects import mask_defects
from isrflow.steps.edges import mask_edges
from isrflow.steps.flat import divide_by_flat
from isrflow.steps.interpolation import InterpolationConfig, interpolate_masked
from isrflow.steps.nonfinite import mask_nonfinite
from isrflow.steps.overscan import subtract_overscan_amp
from isrflow.steps.saturation import SaturationConfig, mask_saturated_amp, mask_saturation_amp, mask_suspect_amp
from isrflow.steps.zero_point import set_zero_point
from isrflow.task.arguments import flatness_settings, on_exposure
from isrflow.task.base import Struct, Task
from isrflow.task.provenance import date_of
from isrflow.task.supplies import to_defects, to_picture


class IsrMethods(Task):
    """The parts of `IsrTask` that correct, mask and convert one thing each; `config` is an `IsrConfig`."""

    # --- making exposures ------------------------------------------------------------------------------------------

    def ensureExposure(
        self, inputExp: Any, camera: Camera | None = None, detectorNum: int | None = None
    ) -> Exposure | None:
        """Return an exposure with a detector, made of an image if need be; TypeError for anything else but None."""
        return ensure_exposure(inputExp, camera, detectorNum)

    @on_exposure
    def convertIntToFloat(self, exposure: Exposure) -> Exposure:
        """Return a float exposure with variance 1 and an empty mask; one that is float already comes back unchanged.

        A float exposure without mask and variance gets empty ones.
        """
        if exposure.image.dtype == np.float32:
            convert_to_float(exposure, ConvertConfig())
            return exposure
        converted = exposure.view(exposure.box)
        converted.header, converted.history = dict(exposure.header), list(exposure.history)
        convert_to_float(converted, ConvertConfig())
        _, _, variance = converted.planes()
        variance[...] = 1.0
        return converted

    # --- headers of calibrations -----------------------------------------------------------------------------------

    def compareCameraKeywords(self, exposureMetadata: MutableMapping[str, Any], calib: Any, calibName: str) -> None:
        """Warn, note in the exposure's header, or raise if camera keywords of a calibration are other ones."""
        stated, settings = cards_of(calib), self.config.comparison
        if stated is not None:
            compare_cards(exposureMetadata, stated, calibName, settings.cards, refuse=settings.refuse, log=self.log)

    @staticmethod
    def extractCalibDate(calib: Any) -> str:
        """Return when a calibration was made, as its header says: date and time, or Unknown for either."""
        return date_of(calib)

    # --- corrections -----------------------------------------------------------------------------------------------

    @on_exposure
    def darkCorrection(self, exposure: Exposure, darkExposure: Any, invert: bool = False) -> None:
        """Subtract the dark scaled by dark times, or add it back; RuntimeError if either time is undefined."""
        dark = to_picture(darkExposure, Dark, "dark")
        if np.isnan(dark.exposure.obs.dark_time_s):
            raise HeaderError("the dark does not state its dark time, so it cannot be scaled")
        subtract_dark(exposure, self.config.dark, dark=dark, invert=invert)

    @on_exposure
    def flatCorrection(self, exposure: Exposure, flatExposure: Any, invert: bool = False) -> None:
        """Divide by the flat as the settings scale it, or multiply by it."""
        divide_by_flat(exposure, self.config.flat, flat=to_picture(flatExposure, Flat, "flat"), invert=invert)

    @on_exposure
    @contextmanager
    def flatContext(self, exp: Exposure, flat: Any, dark: Any = None) -> Iterator[Exposure]:
        """Take off dark and flat, if the settings enable them, for the duration of a block."""
        with_dark, with_flat = self.config.dark.enabled and dark is not None, self.config.flat.enabled
        if with_dark:
            self.darkCorrection(exp, dark)
        if with_flat:
            self.flatCorrection(exp, flat)
        try:
            yield exp
        finally:
            if with_flat:
                self.flatCorrection(exp, flat, invert=True)
            if with_dark:
                self.darkCorrection(exp, dark, invert=True)

    @on_exposure
    def overscanCorrection(self, ccdExposure: Exposure, amp: Amplifier) -> Struct | None:
        """Subtract one amplifier's overscan; RuntimeError without raw information. None if it has no overscan.

        Returns
        -------
        Struct
            imageFit, overscanFit (the model), overscanImage (what is left, a view), edgeMask (None), overscanMean and
            overscanSigma of the model; with parallel overscan each is a pair (serial, parallel).
        """
        fits = subtract_overscan_amp(ccdExposure, amp, self.config.overscan)
        if fits is None:
            return None
        results = [_overscan_results(fits.serial, ccdExposure.amp(amp, "serial_overscan"))]
        if fits.parallel is not None:
            results.append(_overscan_results(fits.parallel, ccdExposure.amp(amp, "parallel_overscan")))
        if len(results) == 1:
            return Struct(**results[0])
        return Struct(**{name: tuple(result[name] for result in results) for name in results[0]})

    def doLinearize(self, detector: Detector) -> bool:
        """Tell whether a detector is to be linearized: the step is enabled, and the camera calls it not linear."""
        return bool(self.config.linearity.enabled and self.config.linearity.demands(detector))

    @on_exposure
    def updateVariance(
        self, ampExposure: Exposure, amp: Amplifier, overscanImage: Exposure | None = None, ptcDataset: Any = None
    ) -> None:
        """Set the variance of an amplifier's exposure; RuntimeError if the settings ask for what is not given."""
        settings = self.config.effective_ptc
        if (settings.use_ptc_gains or settings.use_ptc_noise) and ptcDataset is None:
            raise CalibrationError(f"amplifier {amp.name}: gain or noise is to come from a ptc, and none is given")
        if not isinstance(ptcDataset, (PhotonTransferCurve, type(None))):
            raise NotAnExposureError(
                f"updateVariance: ptcDataset must be a PhotonTransferCurve, not a {type(ptcDataset).__name__}"
            )
        if settings.empirical_read_noise and overscanImage is None:
            raise CalibrationError(f"amplifier {amp.name}: noise is to come from the overscan, and none is given")
        stated: Any = ptcDataset
        gain = stated.gain[amp.name] if settings.use_ptc_gains else amp.gain_electron_per_adu
        noise = stated.noise[amp.name] if settings.use_ptc_noise else amp.read_noise_electron
        if settings.empirical_read_noise and overscanImage is not None:
            noise = clip(overscanImage.image).stdev * gain
        image, _, variance = ampExposure.planes()
        build_photon_variance(image, variance, gain=gain, read_noise_electron=noise)

    # --- masks -----------------------------------------------------------------------------------------------------

    @on_exposure
    def maskAmplifier(self, ccdExposure: Exposure, amp: Amplifier, defects: Any) -> bool:
        """Mask saturated and suspect pixels of an amplifier, and tell whether all of it is bad."""
        known = None if defects is None else to_defects(defects)
        return mask_saturation_amp(ccdExposure, amp, self.config.saturation, known)

    @on_exposure
    def saturationDetection(self, exposure: Exposure, amp: Amplifier) -> None:
        """Mask pixels of the raw segment at or above the amplifier's saturation level."""
        mask_saturated_amp(exposure, amp, SaturationConfig(plane=self.config.saturation.plane))

    @on_exposure
    def suspectDetection(self, exposure: Exposure, amp: Amplifier) -> None:
        """Mask pixels of the raw segment at or above the amplifier's suspect level."""
        mask_suspect_amp(exposure, amp, SaturationConfig(suspect_plane=self.config.saturation.suspect_plane))

    @on_exposure
    def saturationInterpolation(self, exposure: Exposure) -> None:
        """Replace saturated pixels, after growing them as the settings say, by what their rows suggest."""
        plane = self.config.saturation.plane
        update = {"planes": (plane,), "saturated_plane": plane}
        interpolate_masked(exposure, self.config.interpolation.model_copy(update=update))

    @on_exposure
    def maskDefect(self, exposure: Exposure, defectBaseList: Any) -> None:
        """Mask defects, given as `Defects` or a list of boxes."""
        mask_defects(exposure, self.config.defects, defects=to_defects(defectBaseList))

    @on_exposure
    def maskAndInterpolateDefects(self, exposure: Exposure, defectBaseList: Any) -> None:
        """Mask defects and edges, and replace BAD pixels by what their rows suggest."""
        self.maskDefect(exposure, defectBaseList)
        if self.config.edges.width_px > 0:
            mask_edges(exposure, self.config.edges)
        interpolate_masked(exposure, InterpolationConfig(planes=("BAD",), grow_saturated_px=0))

    @on_exposure
    def maskNan(self, exposure: Exposure) -> None:
        """Mask pixels whose value or variance is not finite as UNMASKEDNAN, and note how many (NUMNANS)."""
        self.metadata["NUMNANS"] = mask_nonfinite(exposure, self.config.nonfinite).count

    @on_exposure
    def maskAndInterpolateNan(self, exposure: Exposure) -> None:
        """Mask pixels that are not finite and replace them by what their rows suggest."""
        self.maskNan(exposure)
        interpolate_masked(exposure, InterpolationConfig(planes=("UNMASKEDNAN",), grow_saturated_px=0))

    @on_exposure
    def maskNegativeVariance(self, exposure: Exposure) -> None:
        """Mask pixels whose variance is zero or less."""
        _, mask, variance = exposure.planes()
        mask_nonpositive(variance, mask, mask_bits(self.config.variance.plane))

    @on_exposure
    def maskEdges(
        self, exposure: Exposure, numEdgePixels: int = 0, maskPlane: str = "SUSPECT", level: str = "DETECTOR"
    ) -> None:
        """Mask pixels within some distance of the edges of the image, or of each amplifier (level AMP)."""
        settings = {"width_px": numEdgePixels, "plane": maskPlane, "level": level}
        mask_edges(exposure, IsrConfig.layered({"edges": settings}).edges)

    # --- products --------------------------------------------------------------------------------------------------

    @on_exposure
    def makeBinnedImages(self, exposure: Exposure) -> tuple[Exposure, Exposure]:
        """Return two copies of lower resolution, by the settings' factors."""
        return bin_exposure(exposure, self.config.binned.factor1), bin_exposure(exposure, self.config.binned.factor2)

    @on_exposure
    def measureBackground(self, exposure: Exposure, IsrQaConfig: Any = None) -> None:
        """Note level and flatness of the background in the header (SKYLEVEL, SKYSIGMA, FLATNESS_...).

        Parameters
        ----------
        exposure
            Assembled; its pixels are left alone.
        IsrQaConfig
            Its ``flatness`` has meshX, meshY, doClip, clipSigma and nIter, with LSST's defaults; without an IsrQaConfig
            nothing is done.
        """
        if IsrQaConfig is None:
            return
        settings = IsrConfig.layered({"background": flatness_settings(IsrQaConfig)})
        measure_background(exposure, settings.background)

    @on_exposure
    def roughZeroPoint(self, exposure: Exposure) -> None:
        """Set a rough zero point from filter and exposure time."""
        set_zero_point(exposure, self.config.zero_point)


def _overscan_results(fit: Any, overscan: Exposure) -> dict[str, Any]:
    return {
        "imageFit": fit.model,
        "overscanFit": fit.model,
        "overscanImage": overscan,
        "edgeMask": None,
        "overscanMean": fit.mean,
        "overscanSigma": fit.sigma,
    }
