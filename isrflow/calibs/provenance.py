"""Provenance of a calibration in the reference's form: the data ids of the exposures it was made of.

A repository knows this better (`isrflow lineage`); these files are for exchange. No step uses them. Looked up by
instrument and detector.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np

from isrflow.calibs.forms import Form
from isrflow.calibs.identity import info_of
from isrflow.calibs.tabular import TableCalibration, missing_keys
from isrflow.errors import CalibrationError, CalibrationFileError
from isrflow.frame.camera import Detector

if TYPE_CHECKING:
    from astropy.table import Table

DataIdValue = int | str


@dataclass(frozen=True, kw_only=True, eq=False)
class CalibrationProvenance(TableCalibration):
    """What a calibration was made of."""

    calibration_type: str = "unknown"
    """Dataset type of the calibration."""
    data_ids: tuple[Mapping[str, DataIdValue], ...] = ()
    """One per exposure: dimension to value, the same dimensions in all."""

    kind: ClassVar[str] = "provenance"
    dimensions: ClassVar[tuple[str, ...]] = ("instrument", "detector")
    obs_type: ClassVar[str] = "IsrProvenance"
    schema: ClassVar[str] = "NO SCHEMA"
    version: ClassVar[float] = 0
    reference_class: ClassVar[str] = "lsst.ip.isr.calibType.IsrProvenance"
    reference_obs_types: ClassVar[frozenset[str]] = frozenset({"IsrProvenance"})
    own_cards: ClassVar[frozenset[str]] = frozenset({"calibType", "CALIBTYPE"})
    unknown_cards: ClassVar[Literal["undefined", "empty", "absent"]] = "absent"
    forms: ClassVar[Mapping[str, Form]] = {"calibType": "text", "dimensions": "texts"}

    @property
    def names(self) -> tuple[str, ...]:
        """The dimensions that data ids state, in the order in which they first appear."""
        return tuple(dict.fromkeys(name for data_id in self.data_ids for name in data_id))

    def check(self) -> None:
        """Raise `CalibrationError` if data ids state different dimensions; names them by number."""
        names = set(self.names)
        wrong = [
            f"data id {i} lacks {', '.join(sorted(names - set(data_id)))}"
            for i, data_id in enumerate(self.data_ids)
            if set(data_id) != names
        ]
        if wrong:
            raise CalibrationError(f"{self.label}: {'; '.join(wrong)}")

    def _own_metadata(self) -> dict[str, Any]:
        return {"calibType": self.calibration_type}

    def to_tables(self) -> list[Table]:
        """Return one row per data id, one column per dimension."""
        from astropy.table import Table

        columns = {name: np.array([data_id[name] for data_id in self.data_ids]) for name in self.names}
        return [Table(columns, meta=self.metadata())]

    @classmethod
    def from_tables(cls, tables: list[Table]) -> Self:
        """Make provenance of its table; names of columns are those of dimensions in any case."""
        table = tables[0]
        meta = {str(key).casefold(): value for key, value in table.meta.items()}
        columns = {name: np.asarray(table[name]).tolist() for name in table.colnames}
        deep = [name for name, values in columns.items() if any(isinstance(value, list) for value in values)]
        if deep:
            raise CalibrationFileError(f"a provenance has one value a row: {', '.join(deep)} have several")
        rows = tuple({name.lower(): _plain(values[i]) for name, values in columns.items()} for i in range(len(table)))
        return cls(info=cls.info_from(table.meta), calibration_type=_type_of(meta.get("calibtype")), data_ids=rows)

    def to_tree(self) -> dict[str, Any]:
        """Return the data ids as they are, beside the metadata."""
        data_ids = [dict(data_id) for data_id in self.data_ids]
        return {
            "metadata": self.metadata(),
            "calibType": self.calibration_type,
            "dimensions": list(self.names),
            "dataIdList": data_ids,
        }

    @classmethod
    def from_tree(cls, tree: Mapping[str, Any]) -> Self:
        """Make provenance of a tree; raises `CalibrationFileError`."""
        missing_keys(cls.kind, tree, "dataIdList")
        given = tree["dataIdList"]
        if not isinstance(given, list) or not all(isinstance(item, Mapping) for item in given):
            raise CalibrationFileError(f"dataIdList is {str(given)[:80]}, not a list of mappings")
        data_ids = tuple({str(name): _plain(value) for name, value in item.items()} for item in given)
        stated = tree.get("calibType") or (tree.get("metadata") or {}).get("calibType")
        return cls(info=cls.info_from(tree), calibration_type=_type_of(stated), data_ids=data_ids)

    @classmethod
    def example(cls, detector: Detector, rng: np.random.Generator) -> Self:
        """Make the provenance of a bias of three exposures."""
        first = int(rng.integers(1, 10**6))
        common: dict[str, DataIdValue] = {"instrument": "lupine", "detector": detector.id}
        data_ids = tuple({**common, "exposure": first + i} for i in range(3))
        return cls(info=info_of(detector), calibration_type="bias", data_ids=data_ids)


def _type_of(stated: Any) -> str:
    return str(stated).strip() if stated else "unknown"


def _plain(value: Any) -> DataIdValue:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return str(value).strip()
