"""Saying when calibrations hold, in the words of the command line: runs or short ids, days or instants."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from flows.repo import CALIBS, Repo
from flows.selection import find_datasets
from registry.errors import UserError, listed
from registry.refs import DatasetRef
from registry.sql.calibrations import CertifyDiff, CertifyMode
from registry.times import day_span, format_tai, format_time, parse_time
from registry.timespan import BEGINNING_NS, FOREVER_NS, Timespan


def certify_calibs(
    repo: Repo,
    what: Sequence[str],
    begin: str,
    end: str | None = None,
    *,
    collection: str = CALIBS,
    mode: CertifyMode = "idempotent",
    reason: str = "",
    dry_run: bool = False,
    readout_mode: str | None = None,
) -> CertifyDiff:
    """Certify calibrations from `begin` to `end`.

    Parameters
    ----------
    what
        Names of runs (all their calibrations) and (short) ids of datasets.
    begin, end
        Times in UTC; eight digits mean the beginning of that observing day. No end: for ever.
    collection
        A CALIBRATION collection; made if there is none of that name.
    readout_mode
        The mode of exposures they serve, ``key=value,...``, if it is not that of the raws they were made of; only for
        types that are matched by mode.
    mode, reason, dry_run
        As for `registry.butler.Butler.certify`.

    Raises
    ------
    UnknownName, AmbiguousId
        If something is neither a run nor an id.
    UserError
        If a run holds no calibration, or the time ends before it begins; if some were recalled: nothing would use them.
    ValidityOverlap
        If other calibrations are certified there already; all are listed.
    """
    refs = find_calibs(repo, what)
    span = span_of(repo, begin, end)
    _refuse_recalled(repo, refs)
    if not dry_run:
        repo.butler.register_collection(collection, "CALIBRATION")
    modes = None if readout_mode is None else parse_mode(readout_mode)
    return repo.butler.certify(collection, refs, span, mode=mode, reason=reason, dry_run=dry_run, readout_mode=modes)


def _refuse_recalled(repo: Repo, refs: Sequence[DatasetRef]) -> None:
    """Refuse what is marked bad: certified or not, it is never chosen, and would only be in the way of others."""
    bad = repo.butler.marks(refs, kind="bad")
    if bad:
        lines = listed(f"{row.ref}: by {row.actor} at {format_time(row.at_ns)} ({row.reason})" for row in bad)
        names = " ".join(row.ref.short for row in bad[:5])
        what = f"{len(bad)} of {len(refs)} calibrations were recalled and would never be used"
        raise UserError(f"{what}; nothing was certified:\n{lines}", fix=f"isrflow unrecall {names} --reason WHY")


def decertify_calibs(
    repo: Repo,
    what: Sequence[str],
    begin: str | None = None,
    end: str | None = None,
    *,
    collection: str = CALIBS,
    reason: str,
    dry_run: bool = False,
) -> CertifyDiff:
    """End the validity of calibrations between `begin` and `end`; arguments and errors as for `certify_calibs`."""
    refs = find_calibs(repo, what)
    return repo.butler.decertify(collection, refs, span_of(repo, begin, end), reason=reason, dry_run=dry_run)


def list_calibs(
    repo: Repo, *, collection: str = CALIBS, kind: str | None = None, as_of: str | None = None
) -> list[dict[str, Any]]:
    """Return what is certified now, or was as of an event or a time, one plain row a range of validity."""
    moment = None if as_of is None else repo.butler.seq_of(as_of)
    rows = repo.butler.validity(collection, kind, as_of=moment)
    return [
        {
            "type": row.type,
            "id": row.short,
            "detector": row.data_id.detector,
            "filter": row.data_id.physical_filter,
            "valid": str(row.span),
            "valid_tai": f"[{format_tai(row.span.begin_ns)}, {format_tai(row.span.end_ns)})",
            "readout_mode": row.mode,
            "run": row.run,
            "certified": str(row.certified) if row.certified else "",
            "dataset": row.dataset,
            "begin_ns": row.span.begin_ns,
            "end_ns": row.span.end_ns,
        }
        for row in sorted(rows, key=lambda row: (row.type, row.data_id, row.span))
    ]


def match_modes(repo: Repo, kinds: Sequence[str], *, reason: str) -> dict[str, int | None]:
    """Match calibration types by readout mode from now on; return the event of each, None if it was so already.

    Raises
    ------
    UserError
        If no reason is given.
    UnknownName, ConflictError
        If there is no such type, it is no calibration, or some of it is certified already.
    """
    if not reason.strip():
        raise UserError("say why: it cannot be taken back", fix="--reason 'two readout speeds'")
    return {kind: repo.butler.match_modes(kind, reason=reason) for kind in kinds}


def parse_mode(text: str) -> dict[str, Any]:
    """Read a readout mode, ``speed=fast,binning=2``; values are JSON where they can be, else texts.

    Raises
    ------
    UserError
        If an item has no value.
    """
    mode: dict[str, Any] = {}
    for item in filter(None, (item.strip() for item in text.split(","))):
        key, sign, value = item.partition("=")
        if not sign:
            raise UserError(f"'{item}' says nothing of a readout mode", fix="--readout-mode speed=fast,binning=2")
        try:
            mode[key.strip()] = json.loads(value)
        except ValueError:
            mode[key.strip()] = value.strip()
    return mode


def find_calibs(repo: Repo, what: Sequence[str]) -> list[DatasetRef]:
    """Return the calibrations that runs hold and ids name; errors as for `certify_calibs`."""
    kinds = [name for name, kind in repo.butler.dataset_types().items() if kind.is_calibration]
    return find_datasets(repo, what, kinds, status="status = 'LIVE'")


def span_of(repo: Repo, begin: str | None, end: str | None) -> Timespan:
    """Return the range that two texts mean; without them it is open.

    Raises
    ------
    UserError
        If it would end before it begins.
    InvalidTime
        If a text is no time.
    """
    """Return a range of validity in the words of the command line; errors as for `certify_calibs`."""
    begin_ns = BEGINNING_NS if begin is None else _instant(repo, begin)
    end_ns = FOREVER_NS if end is None else _instant(repo, end)
    if end_ns <= begin_ns:
        raise UserError(f"validity would end ({end}) before it begins ({begin}); the end is excluded")
    return Timespan(begin_ns, end_ns)


def _instant(repo: Repo, text: str) -> int:
    """Return a time in TAI nanoseconds; a bare day is an observing day and begins at the instrument's rollover."""
    if len(text) == 8 and text.isdecimal():
        return day_span(int(text), repo.camera.site.day_rollover_hours * 3600.0).begin_ns
    return parse_time(text)
