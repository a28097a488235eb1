"""What a raw says of its exposure, before and after its header is corrected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from isrflow.errors import HeaderError
from isrflow.frame.corrected import CardValue, corrected
from isrflow.frame.header_rules import rules_of
from isrflow.frame.headers import detector_of, observation_from_header
from isrflow.frame.raw import OF_AMPLIFIER, raw_header
from isrflow.quantum.ingest import exposure_record, unlisted_filter
from registry.dimensions import ExposureRecord
from registry.refs import DataId

if TYPE_CHECKING:
    from isrflow.frame.camera import Camera


@dataclass(frozen=True, slots=True)
class Headers:
    """A header before and after."""

    before: Mapping[str, Any]
    after: Mapping[str, Any]

    def of(self, key: str) -> tuple[Any, Any]:
        """Return what a card says before and after; None if there is no such card."""
        return self.before.get(key), self.after.get(key)


@dataclass(frozen=True, slots=True)
class Records:
    """An exposure as the header has it before and after."""

    before: ExposureRecord
    after: ExposureRecord

    @property
    def id(self) -> int:
        """Which exposure it is; no correction changes that."""
        return self.before.id

    @property
    def pair(self) -> tuple[ExposureRecord, ExposureRecord]:
        """Before and after."""
        return self.before, self.after


def says_of_exposures(keyword: str, camera: Camera) -> bool:
    """Tell whether a card is read for what an exposure is known by, in the camera's header map."""
    return any(keyword in rule.cards for rule in rules_of(camera).values())


def look_at(
    path: Path, camera: Camera, data_id: DataId, before: Mapping[str, CardValue], after: Mapping[str, CardValue]
) -> tuple[Headers, Records]:
    """Read a raw's header and say what corrections make of it.

    Parameters
    ----------
    path, camera, data_id
        The file, and what it is known as.
    before, after
        The corrected cards that hold, and those that shall.

    Raises
    ------
    HeaderError
        If the header could not be read any more, or would be of another exposure, detector, or an unknown filter.
    ValueError
        If the exposure would have impossible times.
    """
    detector = camera.detector(data_id.detector or 0)
    own = raw_header(path, detector)
    if len(detector.raw_hdus) > 1 and (scattered := (set(after) - set(before)) & OF_AMPLIFIER):
        raise HeaderError(f"{', '.join(sorted(scattered))} is said by each amplifier for itself, and stays as it is")
    headers = Headers(corrected(own, before), corrected(own, after))
    records = [_record(header, camera) for header in (headers.before, headers.after)]
    _refuse_another(headers.after, records[1], camera, data_id)
    return headers, Records(*records)


def _record(header: Mapping[str, Any], camera: Camera) -> ExposureRecord:
    obs = observation_from_header(header, camera, where="corrected so")
    if obs.begin_tai_ns is not None and obs.end_tai_ns is not None and obs.end_tai_ns < obs.begin_tai_ns:
        begin, end = (np.datetime64(ns, "ns").astype("datetime64[ms]") for ns in (obs.begin_tai_ns, obs.end_tai_ns))
        cards = [card for card in rules_of(camera)["end"].cards if card in header]
        raise HeaderError(
            f"it would end before it begins ({end} < {begin} TAI); take away first what says the end: "
            + "; ".join(f"isrflow header correct {card} --delete" for card in cards)
        )
    return exposure_record(obs)


def _refuse_another(header: Mapping[str, Any], record: ExposureRecord, camera: Camera, data_id: DataId) -> None:
    if record.id != data_id.exposure:
        raise HeaderError(
            f"it would become exposure {record.id}: which exposure a raw is cannot be corrected",
            fix="ingest a corrected file, and flag this one bad",
        )
    if detector_of(header, camera).id != data_id.detector:
        raise HeaderError("it would become another detector's: which detector a raw is of cannot be corrected")
    reason = unlisted_filter(record, camera)
    if reason is not None:
        raise HeaderError(f"it would be taken {reason}")
