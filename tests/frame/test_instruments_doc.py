"""The example in docs/instruments.md is a camera, and its raws can be written, recognised and read."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from isrflow.frame.camera import Amplifier, Camera, Detector, Site, camera_from_yaml
from isrflow.frame.header_rules import STANDARD_RULES
from isrflow.frame.raw import inspect_raw, read_raw
from isrflow.recipe import IsrConfig
from isrflow.run import run_isr
from isrflow.simulate import Flaws, afternoon_shots, night_shots, simulate_exposure, simulate_shots, true_calibrations

DOC = (Path(__file__).parents[2] / "docs" / "instruments.md").read_text()


@pytest.fixture(scope="module")
def camera():
    text = re.search(r"```yaml\n(.*?)```", DOC, re.DOTALL)[1]
    return camera_from_yaml(text, "docs/instruments.md")


def test_its_raws_are_written_recognised_and_read(camera, tmp_path):
    shots = [
        afternoon_shots(camera, 20260301)[0],
        afternoon_shots(camera, 20260301)[8],
        *night_shots(camera, 20260301, first_seq=50)[:2],
    ]
    night = simulate_shots(camera, tmp_path, shots)
    for path, shot in zip(night.raws, shots, strict=True):
        summary = inspect_raw(path, [camera])
        assert summary.obs.obs_type == shot.obs.obs_type
        assert summary.obs.physical_filter == shot.obs.physical_filter
        assert summary.obs.begin_tai_ns == shot.obs.begin_tai_ns
        assert "TIMESYS" not in summary.header
    assert summary.header["FILTPOS"] == "2"
    assert read_raw(path, camera).image.shape == (1030, 2148)


def test_its_raws_come_out_clean(camera):
    shot = night_shots(camera, 20260301)[0]
    raw, truth = simulate_exposure(camera, camera.detectors[0], shot, flaws=Flaws(cosmic_rays_cm2_min=0))
    calibs = true_calibrations(truth.signature, shot.obs.physical_filter)
    product = run_isr(raw, calibs, IsrConfig.layered(camera.recipe), camera=camera).exposure
    sky = np.median(product.image[:, :1024]), np.median(product.image[:, 1024:])
    # 450 electrons, 1e6 pixels a side: the error of a median is 0.02 adu; ghosts of 4e-4 of the sky are left in.
    assert sky[0] == pytest.approx(sky[1], rel=1e-3)


@pytest.mark.parametrize("model", [Camera, Site, Detector, Amplifier])
def test_every_key_of_the_schema_is_explained(model):
    missing = [name for name in model.model_fields if f"`{name}`" not in DOC]
    assert not missing


def test_every_header_property_is_explained_with_its_cards():
    for name, rule in STANDARD_RULES.items():
        line = next(line for line in DOC.splitlines() if line.startswith("|") and f"`{name}`" in line and "|" in line)
        cards = DOC[DOC.index("| property |") :]
        assert f"`{name}`" in line
        assert all(card in cards for card in rule.cards), name
