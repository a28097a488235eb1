"""A small repository made by lsst-daf-butler itself: the outside truth of everything here."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits
from astropy.time import Time

INSTRUMENT = "Foreign"
DETECTORS = range(3)
NIGHT = 20161231
LEAP = "2017-01-01T00:00:00"
"""A leap second was inserted just before this instant of UTC."""


@pytest.fixture(scope="session")
def butler_module():
    """The package, imported once; it is in the lock of development, so its absence is a failure, not a skip."""
    import lsst.daf.butler

    return lsst.daf.butler


@pytest.fixture(scope="session")
def foreign(tmp_path_factory, butler_module):
    """Root of the repository, its files, and what they are.

    Its files were written by a formatter that is nowhere to be found when it is read, as everybody's is elsewhere.
    """
    folder = tmp_path_factory.mktemp("foreign")
    root = folder / "butler"
    maker = Maker(butler_module, root, folder / "files")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "away", fits_formatter(butler_module))
        maker.describe()
        maker.raws()
        maker.calibrations()
        maker.strangers()
    maker.butler.close()
    return SimpleNamespace(root=root, files=folder / "files", exposures=list(maker.spans))


def fits_formatter(module) -> ModuleType:
    """Make a module with a formatter for FITS files."""
    away = ModuleType("away")
    away.FitsFormatter = type(
        "FitsFormatter",
        (module.FormatterV2,),
        {"__module__": "away", "default_extension": ".fits", "supported_extensions": frozenset({".fits"})},
    )
    return away


def tai(text: str, plus_s: float = 0.0):
    """Return an instant of UTC, so many seconds later, as TAI."""
    from astropy.time import TimeDelta

    return Time(text, scale="utc", format="isot").tai + TimeDelta(plus_s, format="sec")


class Maker:
    """Makes the repository, through the package's public interface."""

    def __init__(self, module, root: Path, files: Path) -> None:
        self.module, self.files = module, files
        files.mkdir()
        module.Butler.makeRepo(str(root))
        self.butler = module.Butler.from_config(str(root), writeable=True)
        self.types = {}
        # Exposures around midnight of a leap second, one across it, a bias of no length, two an hour and a month later.
        starts = [(-120, 30), (-40, 30), (-10, 30), (0, 0), (20, 30), (3600, 30), (30 * 86400, 15)]
        self.spans = {
            NIGHT * 1000 + i: module.Timespan(tai(LEAP, begin), tai(LEAP, begin + length))
            for i, (begin, length) in enumerate(starts)
        }

    def describe(self) -> None:
        insert = self.butler.registry.insertDimensionData
        one = {"instrument": INSTRUMENT}
        insert("instrument", {"name": INSTRUMENT, "class_name": "none", "detector_max": 9, "exposure_max": 10**12})
        insert("detector", *[one | {"id": d, "full_name": f"S{d:02}", "purpose": "SCIENCE"} for d in DETECTORS])
        insert("physical_filter", *[one | {"name": f"F{band}", "band": band} for band in "gr"])
        noon = self.module.Timespan(tai("2016-12-31T12:00:00"), tai("2017-01-01T12:00:00"))
        insert("day_obs", one | {"id": NIGHT, "timespan": noon})
        for number, span in self.spans.items():
            insert("group", one | {"name": f"group {number}"})
            insert("exposure", one | self._exposure(number, span))

    def _exposure(self, number: int, span) -> dict:
        names = {"id": number, "day_obs": NIGHT, "group": f"group {number}", "obs_id": f"X{number}"}
        facts = {"physical_filter": "Fr" if number % 2 else "Fg", "seq_num": number % 1000, "timespan": span}
        kind = "bias" if number % 1000 == 3 else "science"
        more = {"exposure_time": 30.0, "observation_type": kind, "target_name": "M 1", "tracking_ra": 83.6}
        return names | facts | more | {"tracking_dec": 22.0, "zenith_angle": 41.5, "has_simulated": False}

    def type(self, name: str, *dimensions: str, calibration: bool = False):
        made = self.module.DatasetType(
            name,
            ("instrument", *dimensions),
            "StructuredDataDict",
            universe=self.butler.dimensions,
            isCalibration=calibration,
        )
        self.butler.registry.registerDatasetType(made)
        self.types[name] = made
        return made

    def ingest(self, type_, run: str, mean: float, transfer: str = "direct", **data_id):
        self.butler.collections.register(run)
        coordinate = self.module.DataCoordinate.standardize(
            instrument=INSTRUMENT, universe=self.butler.dimensions, **data_id
        )
        ref = self.module.DatasetRef(type_, coordinate, run)
        path = self.files / f"{type_.name}-{run.replace('/', '-')}-{'-'.join(str(v) for v in data_id.values())}.fits"
        fits.PrimaryHDU(np.full((4, 4), mean, np.float32)).writeto(path)
        self.butler.ingest(self.module.FileDataset(str(path), ref, formatter="away.FitsFormatter"), transfer=transfer)
        return ref

    def raws(self) -> None:
        raw = self.type("raw", "exposure", "detector")
        run = f"{INSTRUMENT}/raw/all"
        self.raw_refs = [
            self.ingest(raw, run, number % 1000 + detector, exposure=number, detector=detector)
            for number in self.spans
            for detector in DETECTORS
        ]

    def calibrations(self) -> None:
        """Adjacent ranges, one edge of them at the leap second, another inside an exposure; unbounded ones; holes."""
        edges = [None, tai(LEAP, -60), tai(LEAP), tai(LEAP, 35), tai(LEAP, 86400)]
        self.butler.collections.register("Foreign/calib", self.module.CollectionType.CALIBRATION)
        self.butler.collections.register("Foreign/calib.old", self.module.CollectionType.CALIBRATION)
        bias = self.type("cpBias", "detector", calibration=True)
        flat = self.type("flat", "detector", "physical_filter", calibration=True)
        dark = self.type("dark", "detector", calibration=True)
        certify = self.butler.registry.certify
        for i, (begin, end) in enumerate(pairwise(edges)):
            refs = [self.ingest(bias, f"Foreign/bias/{i}", 10 * i + d, detector=d) for d in DETECTORS]
            certify("Foreign/calib", refs, self.module.Timespan(begin, end))
        for band, begin in (("g", None), ("r", tai(LEAP, -30))):
            refs = [self.ingest(flat, "Foreign/flat", d, detector=d, physical_filter=f"F{band}") for d in DETECTORS]
            certify("Foreign/calib", refs, self.module.Timespan(begin, None))
        # The datastore's own copy; valid twice, with a hole between; an older one below it, always.
        new = [self.ingest(dark, "Foreign/dark/1", d, transfer="copy", detector=d) for d in (0, 1)]
        certify("Foreign/calib", new, self.module.Timespan(tai(LEAP, -3600), tai(LEAP, -41)))
        certify("Foreign/calib", new, self.module.Timespan(tai(LEAP), tai(LEAP, 3600)))
        old = [self.ingest(dark, "Foreign/dark/0", 7, detector=d) for d in (0, 2)]
        certify("Foreign/calib.old", old, self.module.Timespan(None, None))
        self.butler.collections.register("Foreign/best", self.module.CollectionType.TAGGED)
        self.butler.registry.associate("Foreign/best", self.raw_refs[:4])
        for chain, children in (
            ("Foreign/calibs", ["Foreign/calib", "Foreign/calib.old"]),
            ("Foreign/defaults", ["Foreign/raw/all", "Foreign/calibs"]),
        ):
            self.butler.collections.register(chain, self.module.CollectionType.CHAINED)
            self.butler.collections.redefine_chain(chain, children)

    def strangers(self) -> None:
        """What isrflow has no words for."""
        run = "Foreign/strange"
        self.ingest(self.type("visitSummary", "visit_system"), run, 1, visit_system=self._visit_system())
        self.ingest(self.type("skyMapThing"), run, 2)
        self.ingest(self.type("linearizer"), run, 3)  # without a detector, and no calibration
        self.butler.put({"a": 1}, self.type("note", "detector"), detector=0, instrument=INSTRUMENT, run=run)

    def _visit_system(self) -> int:
        self.butler.registry.insertDimensionData(
            "visit_system", {"instrument": INSTRUMENT, "id": 0, "name": "one-to-one"}
        )
        return 0
