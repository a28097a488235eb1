"""Assembly and variance."""

from __future__ import annotations

from isrflow.frame.mask import mask_bits
from isrflow.kernels.arithmetic import build_photon_variance
from isrflow.kernels.masks import mask_nonpositive
from isrflow.steps.assembly import AssemblyConfig, assemble, assemble_amplifiers
from tests.vectors.adapters_masks import amp_exposure
from tests.vectors.geometry import detector, exposure, planes
from tests.vectors.harness import Outputs, Vector, covers


@covers("AssembleCcdTask().assembleCcd(exposure)")
def assembled(vector: Vector) -> Outputs:
    picture = exposure(vector)
    assemble(picture, AssemblyConfig(trim=vector.params["doTrim"]))
    return Outputs(**planes(picture, vector))


@covers("AssembleCcdTask.assembleCcd(dict of amp exposures)")
def assembled_from_amplifiers(vector: Vector) -> Outputs:
    whole = detector(vector.params)
    parts = {amp.name: amp_exposure(vector.array(f"in_amp{i}")) for i, amp in enumerate(whole.amplifiers)}
    picture = assemble_amplifiers(parts, AssemblyConfig(trim=vector.params["doTrim"]), detector=whole)
    return Outputs(**planes(picture, vector))


@covers("lsst.ip.isr.isrFunctions.updateVariance(maskedImage, gain, readNoise, replace)")
def variance(vector: Vector) -> Outputs:
    params, picture = vector.params, exposure(vector, in_detector=False)
    build_photon_variance(
        picture.image,
        picture.variance,
        gain=params["gain"],
        read_noise_electron=params["readNoise"],
        replace=params["replace"],
    )
    return Outputs(**planes(picture, vector))


@covers("IsrTask.maskNegativeVariance(exposure)")
def nonpositive_variance(vector: Vector) -> Outputs:
    picture = exposure(vector, in_detector=False)
    mask_nonpositive(picture.variance, picture.mask, mask_bits(vector.params["negativeVarianceMaskName"]))
    return Outputs(**planes(picture, vector))
