"""The table of calibration types: one row opens the door for a new one."""

from __future__ import annotations

from isrflow.calibs.base import Calibration
from isrflow.calibs.bfk import BrighterFatterKernel
from isrflow.calibs.bias import Bias
from isrflow.calibs.crosstalk import Crosstalk
from isrflow.calibs.dark import Dark
from isrflow.calibs.defects import Defects
from isrflow.calibs.deferred_charge import DeferredCharge
from isrflow.calibs.electrostatic import Electrostatic
from isrflow.calibs.flat import Flat
from isrflow.calibs.flat_gradient import FlatGradient
from isrflow.calibs.fringe import Fringe
from isrflow.calibs.gain_correction import GainCorrection
from isrflow.calibs.illumination import Illumination
from isrflow.calibs.linearizer import Linearizer
from isrflow.calibs.photodiode import Photodiode
from isrflow.calibs.photodiode_correction import PhotodiodeCorrection
from isrflow.calibs.provenance import CalibrationProvenance
from isrflow.calibs.ptc import PhotonTransferCurve
from isrflow.calibs.shutter_motion import ShutterMotion
from isrflow.calibs.stray_light import StrayLight
from isrflow.calibs.transmission import (
    TransmissionAtmosphere,
    TransmissionFilter,
    TransmissionFilterDetector,
    TransmissionOptics,
    TransmissionSensor,
)

KINDS: dict[str, type[Calibration]] = {
    calibration.kind: calibration
    for calibration in (
        Bias,
        Dark,
        Flat,
        Fringe,
        Illumination,
        Defects,
        PhotonTransferCurve,
        Linearizer,
        GainCorrection,
        FlatGradient,
        Photodiode,
        PhotodiodeCorrection,
        ShutterMotion,
        Crosstalk,
        DeferredCharge,
        BrighterFatterKernel,
        Electrostatic,
        StrayLight,
        TransmissionAtmosphere,
        TransmissionOptics,
        TransmissionFilter,
        TransmissionFilterDetector,
        TransmissionSensor,
        CalibrationProvenance,
    )
}
