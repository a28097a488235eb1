"""Real input through the command line, as an observer would type it; the numbers stand in the README of the data."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from isrflow.frame.fits import read_exposure
from isrflow.frame.mask import mask_bits

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("ISRFLOW_REALDATA") or ROOT.parent / "shared" / "realdata")
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"no real data at {DATA} (set ISRFLOW_REALDATA)")

GAINS = {"00": 1.7741, "01": 1.65881, "10": 1.74151, "11": 1.67073}  # electron/adu, from the data's README


def isrflow(*arguments: str | Path, cwd: Path) -> str:
    command = [sys.executable, "-c", "from flows.cli import main; main()", *(str(argument) for argument in arguments)]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def products(tmp_path_factory):
    """Process the three obs_test raws as the documentation says, and read the products."""
    home = tmp_path_factory.mktemp("obs_test")
    isrflow("init", "repo", "--instrument", "obs_test", cwd=home)
    repo = home / "repo"
    isrflow("ingest", *sorted((DATA / "raw").glob("obs_test_raw_v*.fits.fz")), cwd=repo)
    isrflow("calibs", "import", "defects", DATA / "defects" / "obs_test_defects.ecsv", cwd=repo)
    isrflow("calibs", "certify", "imported/defects", "--begin", "1990-01-01", cwd=repo)
    isrflow("reprocess", "obs_type = 'science'", "--out", "first", "--engine", "direct", cwd=repo)
    rows = json.loads(isrflow("query", "datasets", "type = 'post_isr'", "--json", cwd=repo))
    exposures = []
    for row in rows:
        isrflow("get", row["id"], "-o", f"{row['exposure']}.fits", cwd=repo)
        exposures.append(read_exposure(repo / f"{row['exposure']}.fits"))
    return exposures


def clipped_mean(values: np.ndarray) -> float:
    """Average the sky: five passes at three standard deviations, from the median."""
    values = values.astype(np.float64).ravel()
    centre, width = np.median(values), 3 * 0.7413 * np.subtract(*np.percentile(values, [75, 25]))
    for _ in range(5):
        kept = values[np.abs(values - centre) <= width]
        centre, width = kept.mean(), 3 * kept.std()
    return float(centre)


def amplifiers(exposure):
    for y in (0, 1):
        for x in (0, 1):
            yield f"{x}{y}", np.s_[1000 * y : 1000 * (y + 1), 509 * x : 509 * (x + 1)]


def test_all_three_raws_become_products(products):
    assert [exposure.image.shape for exposure in products] == [(2000, 1018)] * 3


def test_the_four_amplifiers_see_the_same_sky(products):
    for exposure in products:
        good = (exposure.mask & mask_bits(["BAD", "SAT", "INTRP"])) == 0
        levels = [clipped_mean(exposure.image[part][good[part]]) * GAINS[name] for name, part in amplifiers(exposure)]
        assert np.ptp(levels) / np.mean(levels) < 0.0035


def test_every_listed_defect_is_masked(products):
    lines = (DATA / "defects" / "obs_test_defects.ecsv").read_text().splitlines()
    boxes = [tuple(int(n) for n in line.split()[:4]) for line in lines if line[:1].isdigit()]
    assert len(boxes) == 504
    listed = np.zeros((2000, 1018), bool)
    for x, y, width, height in boxes:
        listed[y : y + height, x : x + width] = True
    assert listed.sum() == 1364
    for exposure in products:
        assert ((exposure.mask & mask_bits("BAD")) != 0)[listed].all()


def test_the_noise_of_the_sky_is_that_of_the_variance_plane(products):
    for exposure in products:
        good = (exposure.mask & mask_bits(["BAD", "SAT", "INTRP", "SUSPECT"])) == 0
        for _, part in amplifiers(exposure):
            pixels = exposure.image[part][good[part]].astype(np.float64)
            noise = 0.7413 * np.subtract(*np.percentile(pixels, [75, 25]))
            stated = np.sqrt(np.median(exposure.variance[part][good[part]]))
            assert noise == pytest.approx(stated, rel=0.08)


@pytest.mark.parametrize(
    ("name", "shape", "sky_electron"),
    [("saao_ste3_a8280271.fits", (520, 512), 163.4), ("imsim_85751839_R23_S11_C00_E000.fits.gz", (2000, 509), 948.4)],
)
def test_a_lone_frame_is_corrected_from_its_own_section_cards(name, shape, sky_electron, tmp_path):
    isrflow("run", DATA / "raw" / name, "-o", "out.fits", "--without", "bias,dark,flat,defects", cwd=tmp_path)
    exposure = read_exposure(tmp_path / "out.fits")
    assert exposure.image.shape == shape
    gain = exposure.detector.amplifiers[0].gain_electron_per_adu if exposure.detector else None
    gain = gain or {"saao": 1.9, "imsi": 1.71186}[name[:4]]
    assert float(np.median(exposure.image)) * gain == pytest.approx(sky_electron, rel=0.01)
