"""What the reference says a file of its own holds, in our words; and the bare contents of files, to compare forms."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import astuple, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.table import Table

from isrflow.calibs.bfk import BFK_COLUMNS
from isrflow.calibs.deferred_charge import DEFERRED_CHARGE_COLUMNS, TRAP_COLUMNS
from isrflow.calibs.electrostatic_columns import (
    BY_FILTER,
    BY_NAME,
    FIT_MATRICES,
    INPUT_MATRICES,
    NAMES,
    NUMBERS,
    OTHERS,
)
from isrflow.calibs.linearizer import LINEARIZER_COLUMNS
from isrflow.calibs.ptc_columns import PTC_COLUMNS
from isrflow.calibs.shutter_layouts import PROFILE_CARDS
from isrflow.calibs.yaml_forms import load_yaml

ROOT = Path(os.environ.get("ISRFLOW_LSST_FILES", Path(__file__).parents[2].parent / "shared" / "lsst-files"))
KIND_OF = {
    "lsst.ip.isr.brighterFatterKernel.BrighterFatterKernel": "bfk",
    "lsst.ip.isr.crosstalk.CrosstalkCalib": "crosstalk",
    "lsst.ip.isr.defects.Defects": "defects",
    "lsst.ip.isr.deferredCharge.DeferredChargeCalib": "deferred_charge",
    "lsst.ip.isr.flatGradient.FlatGradient": "flat_gradient",
    "lsst.ip.isr.gainCorrection.GainCorrection": "gain_correction",
    "lsst.ip.isr.electrostaticBrighterFatter.ElectrostaticBrighterFatterDistortionMatrix": "electrostatic",
    "lsst.ip.isr.linearize.Linearizer": "linearizer",
    "lsst.ip.isr.calibType.IsrProvenance": "provenance",
    "lsst.ip.isr.photodiode.PhotodiodeCalib": "photodiode",
    "lsst.ip.isr.photodiodeCorrection.PhotodiodeCorrection": "photodiode_correction",
    "lsst.ip.isr.ptcDataset.PhotonTransferCurveDataset": "ptc",
    "lsst.ip.isr.shutterMotion.ShutterMotionProfile": "shutter_motion",
    "lsst.afw.image.ExposureF": "exposure",
    "lsst.afw.image.MaskedImageF": "exposure",
    "lsst.afw.image.TransmissionCurve": "transmission_optics",
}
_PARTS = {"Atmosphere": "atmosphere", "Optics": "optics", "Filter": "filter", "Sensor": "sensor"}
_PARTS |= {"FilterDetector": "filter_detector", "System": "filter_detector", "": "optics"}
KIND_OF |= {
    f"lsst.ip.isr.{module}Intermediate{part}TransmissionCurve": f"transmission_{kind}"
    for part, kind in _PARTS.items()
    for module in ("", "transmissionCurve.")
}
ELECTROSTATIC = (*NAMES, *BY_NAME, *NUMBERS, *INPUT_MATRICES, *FIT_MATRICES, *OTHERS, *BY_FILTER)
_COMMON = {"_detectorId": "info.detector_id"}
_TEXTS = {"_detectorName": "info.detector_name", "_detectorSerial": "info.detector_serial"}
_TEXTS |= {"_instrument": "info.instrument", "_filter": "info.physical_filter"}
_FIELDS = {
    "bfk": {column.key: column.field for column in BFK_COLUMNS}
    | {"level": "level", "detKernels": "detector_kernels", "badAmps": "bad_amplifiers"},
    "crosstalk": {
        "coeffs": "coefficients",
        "coeffErr": "errors",
        "coeffNum": "counts",
        "coeffValid": "valid",
        "coeffsSqr": "quadratic_coefficients",
        "coeffErrSqr": "quadratic_errors",
        "ampGainRatios": "gain_ratios",
        "fitGains": "fit_gains",
        "interChip": "inter_chip",
        "crosstalkRatiosUnits": "units",
        "hasCrosstalk": "has_crosstalk",
        "nAmp": "n_amplifiers",
    },
    "defects": {"_defects": "boxes"},
    "deferred_charge": {column.key: column.field for column in DEFERRED_CHARGE_COLUMNS},
    "flat_gradient": {
        "radialSplineNodes": "radial_nodes_mm",
        "radialSplineValues": "radial_values",
        "itlRatio": "itl_ratio",
        "centroidX": "centroid_x_mm",
        "centroidY": "centroid_y_mm",
        "centroidDeltaX": "centroid_delta_x_mm",
        "centroidDeltaY": "centroid_delta_y_mm",
        "gradientX": "gradient_x_per_mm",
        "gradientY": "gradient_y_per_mm",
        "normalizationFactor": "normalization_factor",
    },
    "gain_correction": {"ampNames": "amp_names"},
    "electrostatic": {key: name for name, _, key, *_ in ELECTROSTATIC}
    | {"inputRange": "input_size", "fitRange": "fit_size"},
    "linearizer": {column.key: column.field for column in LINEARIZER_COLUMNS}
    | {
        "ampNames": "amp_names",
        "linearityBBox": "boxes",
        "tableData": "table",
        "linearityUnits": "units",
        "hasLinearity": "has_linearity",
        "override": "override",
        "absoluteReferenceAmplifier": "absolute_reference_amplifier",
    },
    "photodiode": {
        "timeSamples": "time_s",
        "currentSamples": "current_ampere",
        "integrationMethod": "integration_method",
    },
    "provenance": {"calibType": "calibration_type", "dataIdList": "data_ids"},
    "photodiode_correction": {"abscissaCorrections": "corrections"},
    "ptc": {column.key: column.field for column in PTC_COLUMNS}
    | {
        "ampNames": "amp_names",
        "badAmps": "bad_amplifiers",
        "ptcFitType": "fit_type",
        "covMatrixSide": "covariance_side",
        "covMatrixSideFullCovFit": "fitted_covariance_side",
        "auxValues": "aux_values",
    },
    "shutter_motion": {
        "time_tai": "time_tai",
        "time_mjd": "time_mjd",
        "position": "position_mm",
        "hall_time_tai": "hall_time_tai",
        "hall_time_mjd": "hall_time_mjd",
        "hall_position": "hall_position_mm",
        "hall_sensorId": "hall_sensor_id",
        "hall_isOn": "hall_is_on",
    },
}


_FIT = ("start_time", "pivot1", "pivot2", "jerk0", "jerk1", "jerk2")


def expectations() -> dict[str, dict[str, Any]]:
    """Return file name to what the reference says about it."""
    if not ROOT.is_dir():
        return {}
    paths = [path for path in sorted(ROOT.glob("*.json")) if path.name != "README.json"]
    return {path.name.removesuffix(".json"): json.loads(path.read_text()) for path in paths}


def expected_fields(kind: str, stated: Mapping[str, Any]) -> dict[str, Any]:
    """Return our field to the value a reader must recover: what the object held that was written."""
    values = stated["attributes_in_memory"]
    found = stated["attributes_read_back"]
    if values.get("level") == "DETECTOR" and isinstance(found, Mapping):
        # tables of such files do not hold what is known of amplifiers
        lost = {column.key for column in BFK_COLUMNS if not found.get(column.key)} | {"badAmps"}
        values = {name: found[name] if name in lost else value for name, value in values.items()}
    known = _FIELDS[kind] | _COMMON
    fields = {known[name]: decode(value) for name, value in values.items() if name in known}
    if kind == "deferred_charge":
        fields |= _expected_traps(values["serialTraps"])
    if kind == "gain_correction":
        fields["adjustments"] = dict(zip(values["ampNames"], decode(values["gainAdjustments"]), strict=True))
    if kind == "shutter_motion":
        fields |= {name: decode(values["_metadata"][card]) for card, name in PROFILE_CARDS.items()}
        numbers = zip(*(values[f"fit_{name}"] for name in _FIT), strict=True)
        fields["fits"] = dict(zip(values["fit_name"], [list(row) for row in numbers], strict=True))
    return fields | {_TEXTS[name]: value or "" for name, value in values.items() if name in _TEXTS}


def _expected_traps(stated: Mapping[str, Any]) -> dict[str, Any]:
    traps = {name: decode(trap["SerialTrap"]) for name, trap in stated.items()}
    names = {column.field: column.key for column in TRAP_COLUMNS} | {"trap_emission_time": "emission_time"}
    return {field: {name: trap[key] for name, trap in traps.items()} for field, key in names.items()}


def field_of(calibration: Any, dotted: str) -> Any:
    """Return a field as plain values that compare with `expected_fields`."""
    value = calibration
    for part in dotted.split("."):
        value = getattr(value, part)
    if dotted in _TEXTS.values():
        return value or ""
    return _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if is_dataclass(value):
        return [_plain(item) for item in astuple(value)]
    if hasattr(value, "x0"):
        return [value.x0, value.y0, value.width, value.height]
    return value


def decode(value: Any) -> Any:
    """Return a value of the JSON files as arrays and floats."""
    if isinstance(value, dict):
        if {"dtype", "shape", "data"} <= set(value):
            dtype = value["dtype"].replace(">", "").replace("<U", "U")
            data = [float(item) if isinstance(item, str) and "U" not in dtype else item for item in value["data"]]
            array = np.array(data, dtype or None).reshape(value["shape"])
            return array if array.shape else array.item()
        if "bbox" in value and "order" in value:
            return value["bbox"]
        return {key: decode(item) for key, item in value.items()}
    if value in ("NaN", "Infinity", "-Infinity"):
        return float(value)
    if isinstance(value, list):
        items = [decode(item) for item in value]
        numeric = bool(items) and isinstance(items[0], list) and all(isinstance(x, int) for x in items[0])
        return np.array(items) if numeric and len(items[0]) == 2 else items
    return value


def contents(path: Path) -> dict[str, Any]:
    """Return the columns of a table file or the keys of a YAML file, and its metadata, however it is laid out."""
    if path.suffix == ".yaml":
        return _without_empty(load_yaml(path.read_text()))
    if path.suffix == ".ecsv":
        table = Table.read(path, format="ascii.ecsv")
        columns = {name: np.asarray(table[name]) for name in table.colnames}
        return {**columns, "metadata": _without_empty(dict(table.meta))}
    found: dict[str, Any] = {}
    with fits.open(path) as hdus:
        for hdu in hdus[1:]:
            found |= {name: _cells(hdu.data[name]) for name in hdu.columns.names}
            found |= {f"TFORM {name}": form for name, form in zip(hdu.columns.names, hdu.columns.formats, strict=True)}
        header = hdus[1].header
        found["metadata"] = _without_empty({key: header[key] for key in header if not _is_layout(key)})
    return found


def _cells(column: Any) -> Any:
    """The cells of a column: vectors of their own lengths as a list, text without the blanks FITS does not count."""
    if column.dtype == object:
        return [np.array(cell) for cell in column]
    return np.char.rstrip(column) if column.dtype.kind == "U" else np.array(column)


def _is_layout(key: str) -> bool:
    structural = ("XTENSION", "BITPIX", "NAXIS", "PCOUNT", "GCOUNT", "TFIELDS", "TTYPE", "TFORM", "TDIM", "TNULL")
    return key.startswith((*structural, "CHECKSUM", "DATASUM", "EXTNAME"))


def _without_empty(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _without_empty(value) if isinstance(value, Mapping) else value
        for key, value in tree.items()
        if not (value is None or isinstance(value, fits.card.Undefined) or (isinstance(value, str) and not value))
    }
