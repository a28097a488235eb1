"""Which exposures are shown, and their pixels: raw beside corrected for one of each filter, all of them small."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from flows.repo import Repo
from flows.report.facts import NightFacts
from flows.report.layout import FocalPlane
from flows.report.mosaic import Mosaic, Picture, assembled_raw, draw_mosaic, shrunk
from isrflow.errors import IsrflowError
from isrflow.frame.exposure import Exposure
from isrflow.quantum.types import BINNED
from registry.dimensions import ExposureRecord
from registry.errors import RegistryError
from registry.refs import DatasetRef

MOSAIC_PX = 1100
"""Length of a large mosaic's longer side, about."""
CONTACT_PX = 220
CONTACT_PRODUCTS = 400
"""Up to so many products the contact sheet is drawn from whole products, if there are no binned ones."""


@dataclass(frozen=True, slots=True)
class Pair:
    """An exposure as read and as corrected."""

    record: ExposureRecord
    before: Mosaic
    after: Mosaic


@dataclass(frozen=True, slots=True)
class Contact:
    """An exposure, small."""

    record: ExposureRecord
    svg: str


def pairs(repo: Repo, facts: NightFacts, plane: FocalPlane) -> list[Pair]:
    """Draw the first whole exposure of every filter before and after."""
    side = _side_px(plane, MOSAIC_PX)
    return [
        Pair(
            record,
            draw_mosaic(plane, _raws(repo, facts, record, side)),
            draw_mosaic(plane, _products(repo, facts, record, side)),
        )
        for record in _one_a_filter(facts)
    ]


def contact_sheet(repo: Repo, facts: NightFacts, plane: FocalPlane) -> list[Contact]:
    """Draw every exposure small; nothing if that would mean reading very many whole products."""
    side = _side_px(plane, CONTACT_PX)
    binned = bool(repo.butler.datasets(type=BINNED, collections=[facts.run], limit=1))
    if not binned and len(facts.products) > CONTACT_PRODUCTS:
        return []
    sheets = ((record, _products(repo, facts, record, side)) for record in facts.exposures)
    return [Contact(record, draw_mosaic(plane, shown, named=False).svg) for record, shown in sheets if shown]


def _one_a_filter(facts: NightFacts) -> Iterable[ExposureRecord]:
    """Return, for every filter, the exposure with most products, the first of them."""
    best: dict[str | None, tuple[int, ExposureRecord]] = {}
    for record in facts.exposures:
        number = sum(exposure == record.id for exposure, _ in facts.products)
        if number > best.get(record.physical_filter, (0, record))[0]:
            best[record.physical_filter] = (number, record)
    return [record for _, record in best.values()]


def _side_px(plane: FocalPlane, whole_px: int) -> int:
    """Return the size of one detector in a mosaic of `whole_px`."""
    largest = max(max(place.width_mm, place.height_mm) for place in plane.places)
    return max(8, round(whole_px * largest / max(plane.bounds[2:])))


def _raws(repo: Repo, facts: NightFacts, record: ExposureRecord, side: int) -> dict[int, Picture]:
    """Read the raws of an exposure; one that cannot be read is left out, and stands among what failed."""
    shown = {}
    for ref in repo.butler.datasets(f"exposure = {record.id}", type="raw"):
        detector = ref.data_id.detector
        if detector is None or (record.id, detector) not in facts.quanta:
            continue
        try:
            raw = repo.butler.get(ref)
        except (IsrflowError, RegistryError):
            continue
        assert isinstance(raw, Exposure)
        shown[detector] = shrunk(assembled_raw(raw), side)
    return shown


def _products(repo: Repo, facts: NightFacts, record: ExposureRecord, side: int) -> dict[int, Picture]:
    found = {key[1]: whole for key, whole in facts.products.items() if key[0] == record.id}
    return {detector: shrunk(_fine_enough(repo, facts.run, whole, side), side) for detector, whole in found.items()}


def _fine_enough(repo: Repo, run: str, whole: DatasetRef, side: int) -> Picture:
    """Read the coarsest product that has `side` pixels; the whole one, if none of the binned ones does."""
    for name in reversed(BINNED):
        ref = repo.butler.find(name, whole.data_id, [run])
        if ref is not None and max((image := _image(repo, ref)).shape) >= side:
            return image
    return _image(repo, whole)


def _image(repo: Repo, ref: DatasetRef) -> Picture:
    product = repo.butler.get(ref)
    assert isinstance(product, Exposure)
    return product.image
