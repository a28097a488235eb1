"""Mending a night: flags on its raws, and headers put right, with all that follows from either."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from flows.mend_report import SHOWN, FlagReport, HeaderReport, differences, shown, word
from flows.repo import Repo
from flows.selection import raws_of_exposures, records_of
from isrflow.errors import IsrflowError
from registry.dimensions import ExposureRecord
from registry.errors import ConflictError, UserError, listed
from registry.refs import DataId
from registry.sql.header_corrections import CardValue, Change
from registry.sql.noted_targets import spell

if TYPE_CHECKING:
    from registry.sql.flags import FlagKind

Cards = Mapping[str, CardValue]


def flag_exposures(
    repo: Repo, targets: Sequence[DataId], flag: FlagKind, *, reason: str, dry_run: bool = False
) -> FlagReport:
    """Flag exposures, and say what was made of them before."""
    done = repo.butler.set_flag(targets, flag, reason=reason, dry_run=dry_run)
    made = repo.butler.made_of(done.changed) if done.changed and flag == "bad" else []
    return FlagReport(f"flagged {flag}", done, made, _nights(repo, done.changed), dry_run)


def clear_flags(
    repo: Repo, targets: Sequence[DataId], flag: FlagKind, *, reason: str, dry_run: bool = False
) -> FlagReport:
    """Take flags back."""
    done = repo.butler.clear_flag(targets, flag, reason=reason, dry_run=dry_run)
    return FlagReport(f"cleared of the flag {flag}", done, is_dry_run=dry_run)


def correct_headers(
    repo: Repo, targets: Sequence[DataId], keyword: str, value: CardValue, *, reason: str, dry_run: bool = False
) -> HeaderReport:
    """Let a card of raws say something else, and let their exposures follow.

    Parameters
    ----------
    targets
        Exposures, on a detector each or on all.
    keyword, value
        The card, and what it is to say; None takes it away.
    reason
        Kept with the event.
    dry_run
        Only say what would change.

    Raises
    ------
    HeaderError
        If the keyword or the value is not one a header can hold.
    ConflictError
        If the result is impossible: a header that cannot be read, another exposure id, an unknown filter, raws of an
        exposure that disagree. All offenders are listed, and nothing changes.
    """
    from isrflow.frame.corrected import checked_keyword, checked_value

    key, said = checked_keyword(keyword), checked_value(value)

    def after(cards: Cards) -> dict[str, CardValue]:
        return {**cards, key: said}

    cards, changes = _consequences(repo, targets, key, after)
    done = repo.butler.correct_headers(targets, key, said, changes=changes, reason=reason, dry_run=dry_run)
    nights = _nights(repo, done.changed)
    return HeaderReport(key, f"corrected in {key}", done, cards, changes, nights, dry_run)


def restore_headers(
    repo: Repo, targets: Sequence[DataId], keyword: str, *, reason: str, dry_run: bool = False
) -> HeaderReport:
    """Let a card of raws say again what their files say; refusals are those of `correct_headers`."""
    from isrflow.frame.corrected import checked_keyword

    key = checked_keyword(keyword)
    wanted = repo.butler.restore_headers(targets, key, reason=reason, dry_run=True)  # refuses before files are read

    def after(cards: Cards) -> dict[str, CardValue]:
        return {name: value for name, value in cards.items() if name != key}

    cards, changes = _consequences(repo, wanted.changed, key, after) if wanted.changed else ([], [])
    done = repo.butler.restore_headers(targets, key, changes=changes, reason=reason, dry_run=dry_run)
    nights = _nights(repo, done.changed)
    return HeaderReport(key, f"restored in {key}", done, cards, changes, nights, dry_run)


def _consequences(
    repo: Repo, targets: Sequence[DataId], key: str, after: Callable[[Cards], dict[str, CardValue]]
) -> tuple[list[tuple[DataId, Any, Any]], list[Change]]:
    """Return what a card says before and after, and the exposures that change; refuse what is impossible.

    If the card says something of the exposure, all raws of it are read, not only those that are corrected: they must
    go on saying the same of it.
    """
    from isrflow.quantum.mending import look_at, says_of_exposures

    exposures = sorted({one.exposure for one in targets if one.exposure is not None})
    records = records_of(repo, exposures)
    unknown = [number for number in exposures if number not in records]
    if unknown:
        raise UserError(f"no such exposure: {', '.join(map(str, unknown[:SHOWN]))}", fix="isrflow query exposures")
    raws = raws_of_exposures(repo, exposures)
    now = repo.butler.corrected_cards([raw.data_id for raw in raws])
    wanted = set(targets)
    touched = {raw.data_id for raw in raws if _is_meant(raw.data_id, wanted)}
    if not says_of_exposures(key, repo.camera):
        raws = [raw for raw in raws if raw.data_id in touched]
    looks: dict[int, list[ExposureRecord]] = {number: [] for number in exposures}
    cards: list[tuple[DataId, Any, Any]] = []
    wrong: dict[str, list[DataId]] = {}
    for raw in raws:
        before = now.get(raw.data_id, {})
        then = after(before) if raw.data_id in touched else before
        try:
            header, record = look_at(repo.butler.path(raw), repo.camera, raw.data_id, before, then)
        except (IsrflowError, UserError, ValueError) as problem:
            wrong.setdefault(getattr(problem, "message", str(problem)), []).append(raw.data_id)
            continue
        looks[raw.data_id.exposure or 0].append(_follow(records[record.id], *record.pair))
        if raw.data_id in touched:
            cards.append((raw.data_id, *header.of(key)))
    problems = [f"{spell(those)}: {reason}" for reason, those in wrong.items()] + _disagreements(looks)
    _refuse(problems, key)
    changes = [(records[number], found[0]) for number, found in looks.items() if found]
    return cards, [(old, new) for old, new in changes if old != new]


def _follow(stored: ExposureRecord, before: ExposureRecord, then: ExposureRecord) -> ExposureRecord:
    """Return the registered exposure with what the corrected header says otherwise than the header before."""
    names = [item.name for item in fields(ExposureRecord) if getattr(before, item.name) != getattr(then, item.name)]
    return replace(stored, **{name: getattr(then, name) for name in names})


def _disagreements(looks: Mapping[int, Sequence[ExposureRecord]]) -> list[str]:
    problems = []
    for number, found in looks.items():
        differing = sorted({name for one in found for name, _, _ in differences(found[0], one)})
        if differing:
            values = "; ".join(
                f"{word(name)}: {', '.join(dict.fromkeys(shown(name, getattr(one, name)) for one in found))}"
                for name in differing
            )
            problems.append(
                f"exposure {number}: its raws would disagree on {values}; correct it on all detectors at once"
            )
    return problems


def _refuse(problems: Sequence[str], key: str) -> None:
    if problems:
        message = f"the header cannot be corrected so ({key}); nothing was changed:\n{listed(problems)}"
        raise ConflictError(message, conflicts=list(problems), fix="another value, or another selection")


def _is_meant(data_id: DataId, wanted: set[DataId]) -> bool:
    return data_id in wanted or replace(data_id, detector=None) in wanted


def _nights(repo: Repo, targets: Sequence[DataId]) -> tuple[int, ...]:
    """Return the observing days of exposures."""
    exposures = [one.exposure for one in targets if one.exposure is not None]
    records = records_of(repo, exposures) if exposures else {}
    return tuple(sorted({record.day_obs for record in records.values()}))
