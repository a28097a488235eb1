"""What older files of photon transfer curves did not know, or stored otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isrflow.calibs.ptc_columns import PAIR_LISTS, PTC_COLUMNS

_NAN = float("nan")


def upgraded(values: Mapping[str, dict[str, Any]], version: float, fit_type: str) -> dict[str, dict[str, Any]]:
    """Return field to amplifier to value as the present version has them.

    Parameters
    ----------
    values
        What a file held.
    version
        Its PTC_VERSION.
    fit_type
        Its PTC_FIT_TYPE.
    """
    found = dict(values)
    if version < 1.1 and "turnoff" not in found:
        found["turnoff"] = {name: _last_finite(means) for name, means in found.get("final_means", {}).items()}
    if version < 1.9 and fit_type == "FULLCOVARIANCE":
        # files before 1.9 stored the variance under the name of the noise
        found["noise"] = {name: float(np.sqrt(value)) for name, value in found.get("noise", {}).items()}
    if "gain_unadjusted" not in found:
        found["gain_unadjusted"] = dict(found["gain"])
    n_pairs = {name: len(means) for name, means in found.get("raw_means", {}).items()}
    for column in PTC_COLUMNS:
        if column.field in PAIR_LISTS and column.field not in found:
            filler = False if column.kind == "bools" else 0.0 if column.field == "ks_p_values" else _NAN
            found[column.field] = {name: np.full(n, filler) for name, n in n_pairs.items()}
    return found


def _last_finite(means: NDArray[np.float64]) -> float:
    finite = means[np.isfinite(means)]
    return float(finite[-1]) if finite.size else _NAN
