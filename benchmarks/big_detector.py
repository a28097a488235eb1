"""A 4096 x 4096 detector of 16 amplifiers with all calibrations of the classic recipe, for benchmarks."""

from __future__ import annotations

import numpy as np

from isrflow.calibs.base import Calibration
from isrflow.calibs.kinds import KINDS
from isrflow.frame.camera import Camera, camera_from_yaml
from isrflow.frame.exposure import Exposure
from isrflow.frame.obs import Observation

COLUMNS, ROWS = 8, 2
WIDTH, HEIGHT = 512, 2048
PRESCAN, OVERSCAN, PARALLEL = 10, 54, 46
RECIPE = {"overscan.fit_type": "MEDIAN_PER_ROW", "crosstalk.enabled": True}


def camera() -> Camera:
    """Describe the detector: eight by two amplifiers, the upper row read upwards."""
    return camera_from_yaml(description())


def description() -> str:
    """Return the detector as YAML."""
    raw_width, raw_height = PRESCAN + WIDTH + OVERSCAN, HEIGHT + PARALLEL
    lines = []
    for row in range(ROWS):
        for column in range(COLUMNS):
            x, y = column * raw_width, row * raw_height
            lines.append(
                f"{{name: C{row}{column}, box: [{column * WIDTH}, {row * HEIGHT}, {WIDTH}, {HEIGHT}],"
                f" raw: [{x}, {y}, {raw_width}, {raw_height}], raw_data: [{x + PRESCAN}, {y}, {WIDTH}, {HEIGHT}],"
                f" raw_serial_prescan: [{x}, {y}, {PRESCAN}, {HEIGHT}],"
                f" raw_serial_overscan: [{x + PRESCAN + WIDTH}, {y}, {OVERSCAN}, {HEIGHT}],"
                f" raw_parallel_overscan: [{x + PRESCAN}, {y + HEIGHT}, {WIDTH}, {PARALLEL}],"
                f" raw_flip_y: {'true' if row else 'false'}, readout_corner: {'UL' if row else 'LL'},"
                " gain_electron_per_adu: 1.5, read_noise_electron: 6, saturation_adu: 60000,"
                " linearity_type: Polynomial, linearity_coefficients: [2.0e-7]}"
            )
    amplifiers = ", ".join(lines)
    box = f"[0, 0, {COLUMNS * WIDTH}, {ROWS * HEIGHT}]"
    detector = f"{{id: 0, name: D0, box: {box}, amplifiers: [{amplifiers}]}}"
    return f"{{name: big, filters: [{{name: r, band: r}}], detectors: [{detector}]}}"


def calibrations(camera: Camera) -> dict[str, Calibration]:
    """Make one plausible calibration of every kind the recipe takes."""
    rng = np.random.default_rng(7)
    detector = camera.detectors[0]
    kinds = ("bias", "dark", "flat", "defects", "ptc", "linearizer", "crosstalk")
    return {kind: KINDS[kind].example(detector, rng) for kind in kinds}


def raw(camera: Camera) -> Exposure:
    """Make a raw sky exposure with stars, some of them saturated."""
    rng = np.random.default_rng(11)
    detector = camera.detectors[0]
    box = detector.raw_box
    image = rng.normal(1000.0, 5.0, box.shape).astype(np.float32)
    for amp in detector.amplifiers:
        part = image[amp.raw_data.slices()]
        part += rng.normal(2000.0, 40.0, part.shape).astype(np.float32)
    for x, y in rng.integers(50, 4000, (300, 2)):
        image[y : y + 6, x : x + 6] += rng.choice([3000.0, 70000.0], p=[0.9, 0.1])
    obs = Observation(instrument="big", exposure_id=1, obs_type="science", exposure_time_s=30.0, dark_time_s=31.0)
    return Exposure(np.clip(image, 0, 65535).astype(np.uint16), detector=detector, obs=obs)
