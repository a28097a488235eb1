"""Which datasets there are: the rows every repository is furnished with."""

from __future__ import annotations

from registry.refs import DatasetType

RAW = "raw"
CAMERA = "camera"
PRODUCT = "post_isr"
STATISTICS = "isr_statistics"
BINNED = ("post_isr_bin8", "post_isr_bin64")
"""The two copies of lower resolution, by the reference's names, whatever the factors."""
PRE_INTERPOLATION = "pre_interp"
OVERSCAN_THUMBNAIL = "oss_thumb"
FLATTENED_THUMBNAIL = "flat_thumb"
PRE_CROSSTALK = "pre_crosstalk"
"""A detector as far as crosstalk, for those in which it leaves its light; task and dataset have the same name."""
SOURCE_ROLE = "source:"
"""How the roles begin that other detectors have among a quantum's inputs; their names follow."""

_PER_EXPOSURE = ("instrument", "exposure", "detector")


def dataset_types() -> list[DatasetType]:
    """Return all dataset types: raws, the camera, one for every kind of calibration, and the products."""
    from isrflow.calibs.kinds import KINDS

    return [
        DatasetType(RAW, _PER_EXPOSURE, "raw"),
        DatasetType(CAMERA, ("instrument",), "camera", is_calibration=True),
        *(DatasetType(kind, _ordered(cls.dimensions), kind, is_calibration=True) for kind, cls in KINDS.items()),
        *(
            DatasetType(name, _PER_EXPOSURE, "exposure")
            for name in (PRODUCT, PRE_INTERPOLATION, *BINNED, PRE_CROSSTALK)
        ),
        DatasetType(OVERSCAN_THUMBNAIL, _PER_EXPOSURE, "thumbnail"),
        DatasetType(FLATTENED_THUMBNAIL, _PER_EXPOSURE, "thumbnail"),
        DatasetType(STATISTICS, _PER_EXPOSURE, "statistics"),
    ]


def _ordered(dimensions: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(("instrument", *dimensions)))  # a calibration never serves two instruments
