"""The part of the recipe that ccdproc has too, against ccdproc in the same run.

Overscan (median), trimming and assembly, variance, bias, dark and flat of a 4096 x 4096 detector of 16 amplifiers, with
mask and uncertainty. The corrected pictures are compared as well: overscans whose outliers we reject may have another
median, by one adu.
"""

from __future__ import annotations

import warnings

import astropy.units as u
import ccdproc
import numpy as np
from astropy.nddata import CCDData, StdDevUncertainty
from big_detector import calibrations, camera, raw
from yardstick import median_seconds, plane_copy_seconds

from isrflow.frame.exposure import Exposure
from isrflow.kernels.warm import warm_kernels
from isrflow.recipe import IsrConfig
from isrflow.run import run_isr

STEPS = ("convert", "overscan", "assembly", "bias", "variance", "dark", "flat")


def main() -> None:
    """Time both and compare what they give."""
    warm_kernels()
    sky, calibs = raw(camera()), calibrations(camera())
    config = IsrConfig().without(row.name for row in IsrConfig.rows if row.name not in STEPS)
    peers = {kind: ccd(calibs[kind].exposure) for kind in ("bias", "dark", "flat")}
    ours = median_seconds(lambda: run_isr(sky, calibs, config))
    theirs = median_seconds(lambda: with_ccdproc(sky, peers), runs=3)
    copy = plane_copy_seconds()
    print(f"  isrflow {ours:6.3f} s ({ours / copy:5.1f} plane copies), ccdproc {theirs:6.3f} s ({theirs / copy:5.1f})")
    difference = np.abs(run_isr(sky, calibs, config).exposure.image - with_ccdproc(sky, peers).data)
    typical, largest = np.nanmedian(difference), np.nanmax(difference)
    print(f"  {theirs / ours:.1f} times faster; pictures differ by {typical:.1g} adu, at most {largest:.2g} adu")


def ccd(exposure: Exposure) -> CCDData:
    """Turn a calibration into ccdproc's type."""
    uncertainty = StdDevUncertainty(np.sqrt(exposure.variance.astype(float)))
    meta = {"exposure": exposure.obs.dark_time_s}
    return CCDData(
        exposure.image.astype(float), unit=u.adu, mask=exposure.mask != 0, uncertainty=uncertainty, meta=meta
    )


def with_ccdproc(sky: Exposure, peers: dict[str, CCDData]) -> CCDData:
    """Do the same with ccdproc, the assembly by hand, for it has none."""
    detector = sky.detector
    whole = np.zeros(detector.box.shape)
    for amp in detector.amplifiers:
        segment = CCDData(sky.amp(amp, "raw").image.astype(float), unit=u.adu)
        overscan = CCDData(sky.amp(amp, "serial_overscan").image.astype(float), unit=u.adu)
        level = float(np.median(overscan.data))
        part = segment.subtract(level * u.adu)
        origin = (amp.raw.x0, amp.raw.y0)
        pixels = ccdproc.trim_image(part[amp.raw_data.slices(origin)]).data
        whole[amp.box.slices()] = pixels[:: -1 if amp.raw_flip_y else 1, :: -1 if amp.raw_flip_x else 1]
    amp = detector.amplifiers[0]
    picture = CCDData(whole, unit=u.adu, mask=np.zeros(whole.shape, bool))
    picture = ccdproc.subtract_bias(picture, peers["bias"])
    gain = amp.gain_electron_per_adu * u.electron / u.adu
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pixels below zero have no photon noise there
        picture = ccdproc.create_deviation(
            picture, gain=gain, readnoise=amp.read_noise_electron * u.electron, disregard_nan=True
        )
    times = {"data_exposure": sky.obs.dark_time_s * u.s, "dark_exposure": peers["dark"].meta["exposure"] * u.s}
    picture = ccdproc.subtract_dark(picture, peers["dark"], scale=True, **times)
    return ccdproc.flat_correct(picture, peers["flat"], norm_value=1.0)


if __name__ == "__main__":
    main()
