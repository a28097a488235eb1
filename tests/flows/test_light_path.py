"""Calibrations that are not looked up by detector, from files to the products that carry them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from flows.imports import import_calib
from flows.reprocess import run_reprocess
from isrflow.calibs.files import write_calibration
from isrflow.calibs.kinds import KINDS
from isrflow.errors import CalibrationError
from registry.timespan import ALL_TIME


def curve_file(repo, kind, folder, **info):
    detector = repo.camera.detectors[0]
    curve = KINDS[kind].example(detector, np.random.default_rng(3))
    nobody = {"detector_id": None, "detector_name": "", "detector_serial": ""}
    path = folder / f"{kind}.ecsv"
    write_calibration(replace(curve, info=replace(curve.info, **nobody, **info)), path)
    return path


def test_curves_of_the_whole_light_path_reach_every_product(repo, tmp_path):
    refs = [
        *import_calib(repo, "transmission_optics", [curve_file(repo, "transmission_optics", tmp_path)]).refs,
        *import_calib(
            repo,
            "transmission_filter",
            [curve_file(repo, "transmission_filter", tmp_path, physical_filter="r_01")],
        ).refs,
    ]
    assert [ref.data_id.detector for ref in refs] == [None, None]
    repo.butler.certify("calibs", refs, ALL_TIME)
    settings = {"transmission.enabled": True, "vignette.enabled": True, "vignette.radius_mm": 0.9}
    where = "obs_type = 'science' and physical_filter = 'r_01'"
    report = run_reprocess(repo, where, "try/light", settings=settings, engine="direct")
    assert report.exit_code == 0, report.render()
    products = repo.butler.datasets("", type="post_isr", collections=["try/light"])
    assert products
    curves = [repo.butler.get(ref).curve for ref in refs]
    for ref in products:
        exposure = repo.butler.get(ref)
        assert exposure.transmission == curves[0] * curves[1]
        assert 0 < exposure.valid_polygon.area < exposure.image.size


def test_a_detector_said_for_what_serves_all_is_refused(repo, tmp_path):
    path = curve_file(repo, "transmission_optics", tmp_path)
    with pytest.raises(CalibrationError, match="serves all detectors"):
        import_calib(repo, "transmission_optics", [path], detector=0)
