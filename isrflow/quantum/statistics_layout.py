"""The ISR statistics under the names users of the reference look for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isrflow.kernels.charge_transfer import Lines
    from isrflow.steps.isr_statistics import Correlations, IsrStatistics
    from isrflow.steps.transfer_levels import ChargeTransfer


def lsst_statistics(found: IsrStatistics, detector_id: int = 0) -> dict[str, Any]:
    """Return what was measured as the dictionary ``outputStatistics`` of the reference; None for what was not wanted.

    Parameters
    ----------
    found
        By-product of the step.
    detector_id
        Written beside the correlations.
    """
    return {
        "CTI": _each(found.charge_transfer, _transfer),
        "BANDING": None
        if found.banding is None
        else {"AMP_BANDING": list(found.banding.amplifiers.values()), "DET_BANDING": found.banding.detector},
        "PROJECTION": _projections(found),
        "CALIBDIST": _each(found.calibration_distributions, dict),
        "BIASSHIFT": _each(
            found.bias_shifts,
            lambda each: {"LOCAL_NOISE": each.noise, "BIAS_SHIFTS": [list(shift) for shift in each.shifts]},
        ),
        "AMPCORR": None if found.correlations is None else _correlations(found.correlations, detector_id),
        "MJD": found.mjd,
        "DIVISADERO": _each(
            found.divisadero,
            lambda each: {
                "DIVISADERO_PROFILE": each.response.tolist(),
                "DIVISADERO_MAX_PAIR": [each.left, each.right],
                "DIVISADERO_MAX": each.at_borders,
            },
        ),
    }


def _each(found: Any, layout: Any) -> dict[str, Any] | None:
    return None if found is None else {name: layout(value) for name, value in found.items()}


def _transfer(found: ChargeTransfer) -> dict[str, Any]:
    """Lay out one amplifier; without the raw mosaic under the names of the classic task."""
    start = {
        "INPUT_GAIN": found.gain_electron_per_adu,
        "INPUT_PTCTURNOFF": found.turnoff_electron,
        "IMAGE_MEAN": found.image_mean,
    }
    outer = found.outer
    if found.parallel_overscan is None:
        ends = {"FIRST_MEAN": outer.first_column, "LAST_MEAN": outer.last_column}
        return {**start, **ends, **_lines("OVERSCAN_COLUMNS", "OVERSCAN_VALUES", found.serial_overscan)}
    return {
        **start,
        "FIRST_COLUMN_MEAN": outer.first_column,
        "LAST_COLUMN_MEAN": outer.last_column,
        "FIRST_ROW_MEAN": outer.first_row,
        "LAST_ROW_MEAN": outer.last_row,
        **_lines("SERIAL_OVERSCAN_COLUMNS", "SERIAL_OVERSCAN_VALUES", found.serial_overscan),
        **_lines("PARALLEL_OVERSCAN_ROWS", "PARALLEL_OVERSCAN_VALUES", found.parallel_overscan),
    }


def _lines(index: str, values: str, lines: Lines) -> dict[str, list[Any]]:
    return {index: list(lines.index), values: list(lines.values)}


def _projections(found: IsrStatistics) -> dict[str, Any] | None:
    if found.projections is None:
        return None
    laid: dict[str, dict[str, list[float]]] = {}
    for name, each in found.projections.items():
        spectra = {"H": each.horizontal_spectrum, "V": each.vertical_spectrum}
        for axis, profile in (("H", each.horizontal), ("V", each.vertical)):
            laid.setdefault(f"AMP_{axis}PROJECTION", {})[name] = profile.tolist()
            spectrum = spectra[axis]
            if spectrum is not None:
                laid.setdefault(f"AMP_{axis}FFT_REAL", {})[name] = spectrum.real.tolist()
                laid.setdefault(f"AMP_{axis}FFT_IMAG", {})[name] = spectrum.imag.tolist()
    return laid


def _correlations(found: Correlations, detector_id: int) -> list[dict[str, Any]]:
    """Lay out one row a pair, both ways round; an amplifier that is missing has 0 and no row with itself."""
    rows = []
    for i, one in enumerate(found.amplifiers):
        for j, other in enumerate(found.amplifiers):
            missing = i not in found.present or j not in found.present
            if i == j and missing:
                continue
            image, overscan = (0.0, 0.0) if missing else (float(found.image[i, j]), float(found.overscan[i, j]))
            pair = {"detector": detector_id, "detectorComp": detector_id, "ampName": one, "ampComp": other}
            rows.append({**pair, "imageCorr": image, "overscanCorr": overscan})
    return rows
