"""How a product was made, in words; and whether its header says the same as the registry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.outcome import ALL_OK, PARTIAL
from isrflow.quantum.provenance import provenance_cards
from registry.errors import RegistryError

if TYPE_CHECKING:
    from flows.repo import Repo
    from registry.lineage import ProvenanceRecord
    from registry.refs import DatasetRef
    from registry.sql.replays import ReplayRow

_FIRST = "ISRFLOW DATASET"


@dataclass(frozen=True, slots=True)
class HeaderCheck:
    """What the header of a product says of its making, beside what the registry says."""

    is_readable: bool
    """Whether there is a file with a header at all: statistics and thumbnails have none."""
    disagreements: Mapping[str, tuple[str, str]]
    """Card to what the header says, and what the registry says."""
    absent: tuple[str, ...] = ()
    """Cards that the header does not have: the version that wrote it wrote fewer."""
    problem: str = ""
    without: str = ""
    """Calibrations that a policy let the work do without."""

    def render(self) -> str:
        """Return it as text."""
        if self.problem:
            return f"header: cannot be read: {self.problem}"
        if not self.is_readable:
            return "header: none (not a FITS file)"
        lines = [
            f"  {card}: the header says {there}, the registry {here}"
            for card, (there, here) in self.disagreements.items()
        ]
        lacks = f" (it lacks {', '.join(self.absent)})" if self.absent else ""
        waived = [f"done without {self.without}, as a policy of the repository allowed"] if self.without else []
        verdict = "DISAGREES" if lines else "agrees"
        return "\n".join([*waived, f"header: {verdict} with the registry{lacks}", *lines])

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "agrees": self.is_readable and not self.disagreements and not self.problem,
            "is_readable": self.is_readable,
            "disagreements": {
                card: {"header": there, "registry": here} for card, (there, here) in self.disagreements.items()
            },
            "absent": list(self.absent),
            "without": [kind for kind in self.without.split(",") if kind],
            "problem": self.problem,
        }


@dataclass(frozen=True, slots=True)
class Provenance:
    """How a product was made, and what is known of it since."""

    record: ProvenanceRecord
    header: HeaderCheck
    replays: tuple[ReplayRow, ...] = ()

    @property
    def exit_code(self) -> int:
        """0, or 2 if header and registry disagree."""
        return PARTIAL if self.header.disagreements or self.header.problem else ALL_OK

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        replays = [row.to_dict() for row in self.replays]
        return {**self.record.to_dict(), "header": self.header.to_dict(), "replays": replays}

    def render(self) -> str:
        """Return it as text."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        record, inputs = self.record, self.record.inputs
        yield f"{record.ref}"
        yield f"  file {record.ref.path}, SHA-256 {record.ref.sha256}"
        yield f"made by {inputs.quantum.task}, quantum {inputs.quantum.short}"
        yield from (f"  {attempt}" for attempt in record.attempts)
        yield f"config {inputs.config_sha256[:12]}: {inputs.config.get('recipe', 'no recipe')}"
        yield f"software {inputs.software_sha256[:12]}: {_software(inputs.software)}"
        if inputs.context is not None:
            yield f"context {inputs.context[0]} {inputs.context[1][:12]}"
        yield f"calibration set {inputs.calib_set_sha256[:12]}"
        for role, ref in inputs.data.items():
            yield f"  {role}: {ref}, SHA-256 {str(ref.sha256)[:12]}"
            for keyword, value in inputs.notes.get("headers", {}).get(role, {}).items():
                yield f"    card {keyword} corrected: {'taken away' if value is None else value!r}"
            yield from (f"    flagged {flag}" for flag in inputs.notes.get("flags", {}).get(role, ()))
        for role, match in inputs.matches.items():
            kind = f"the nearest, {match.gap_ns / 1e9:.0f} s away, " if match.kind == "nearest" else ""
            why = self.record.validity[role].told if role in self.record.validity else f"always, in {match.collection}"
            yield f"  {role}: {match.ref}, SHA-256 {str(match.ref.sha256)[:12]}; {kind}{why}"
        yield self.header.render()
        if self.replays:
            yield f"replayed {len(self.replays)} time(s), the last time: {self.replays[-1].verdict}"


def provenance_of(repo: Repo, ref: DatasetRef) -> Provenance:
    """Return how a dataset was made.

    Raises
    ------
    MissingDataset
        If it was made by no quantum (raws, and what was put in by hand).
    """
    record = repo.butler.provenance(ref)
    return Provenance(record, check_header(repo, record), tuple(repo.butler.replays(record.ref)))


def check_header(repo: Repo, record: ProvenanceRecord) -> HeaderCheck:
    """Compare the provenance cards of a product with the registry."""
    try:
        path = repo.butler.path(record.ref)
        cards = read_cards(path)
    except (RegistryError, OSError) as error:
        return HeaderCheck(is_readable=False, disagreements={}, problem=str(error))
    if cards is None:
        return HeaderCheck(is_readable=False, disagreements={})
    wanted = provenance_cards(record.inputs, record.ref.type)
    wanted["ISRFLOW VERSION"] = str(record.inputs.software.get("packages", {}).get("isrflow", ""))
    differing = {
        card: (cards[card], here) for card, here in wanted.items() if card in cards and cards[card] != str(here)
    }
    absent = tuple(card for card in wanted if card not in cards)
    without = cards.get("ISRFLOW WITHOUT", "")
    return HeaderCheck(is_readable=True, disagreements=differing, absent=absent, without=without)


def read_cards(path: Path) -> dict[str, str] | None:
    """Return the provenance cards of a FITS file as texts; None if it is another kind of file."""
    if ".fits" not in path.suffixes:
        return None
    from astropy.io import fits

    with fits.open(path, memmap=True) as hdus:
        for hdu in hdus:
            if _FIRST in hdu.header:
                return {
                    card.keyword: str(card.value) for card in hdu.header.cards if card.keyword.startswith("ISRFLOW")
                }
    return {}


def _software(software: Mapping[str, Any]) -> str:
    packages = ", ".join(f"{name} {version}" for name, version in software.get("packages", {}).items())
    cpu = software.get("cpu", {}).get("flags", "")
    commit = f", commit {software['commit'][:12]}" if software.get("commit") else ""
    return (
        f"{packages}, Python {software.get('python')} on {software.get('platform')}{f' ({cpu})' if cpu else ''}{commit}"
    )
