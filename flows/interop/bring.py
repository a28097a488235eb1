"""Bringing another repository's contents into this one: compared first, then stored; harmless when repeated."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import cast

from flows.interop.clashes import clashes, here_id, known_exposures
from flows.interop.contents import Contents, ForeignDataset, Left, Leftovers
from flows.interop.report import BroughtReport, Count
from flows.outcome import OnProgress, Progress
from registry.butler import Butler, Formatter, IngestItem
from registry.errors import ConflictError, listed
from registry.ingest import Transfer
from registry.refs import DatasetRef
from registry.sql.collections import CollectionKind
from registry.timespan import Timespan

_FIX = "rename what clashes: --collection OLD=NEW; or bring it into a repository of its own"


def bring(
    butler: Butler,
    contents: Contents,
    formatters: Mapping[str, Formatter],
    *,
    transfer: Transfer = "direct",
    dry_run: bool = False,
    on_progress: OnProgress | None = None,
) -> BroughtReport:
    """Store what another repository holds.

    Parameters
    ----------
    butler
        This repository.
    contents
        What comes.
    formatters
        How files of each format are hashed.
    transfer
        Leave the files where they are (``direct``), or ``copy`` or ``link`` them.
    dry_run
        Compare only; no file is read then.
    on_progress
        Told of every file that was hashed.

    Raises
    ------
    ConflictError
        If anything contradicts what is here; everything that does is listed, and nothing is stored.
    """
    problems = clashes(butler, contents)
    if problems:
        message = f"{contents.where} contradicts this repository; nothing was stored:\n{listed(problems)}"
        raise ConflictError(message, conflicts=problems, fix=_FIX)
    known = _known(butler, contents)
    if dry_run:
        return _report(butler, contents, known, _absent(contents), dry_run=True)
    hashes, left = _hashed(butler, contents, known, formatters, on_progress)
    report = _report(butler, contents, known, left, dry_run=False)
    _describe(butler, contents)
    refs = _ingest(butler, contents, known, hashes, transfer)
    counts = dict(report.counts) | _relate(butler, contents, refs)
    return BroughtReport(report.where, counts, report.left, next_steps=_next_steps(contents))


def _known(butler: Butler, contents: Contents) -> dict[str, DatasetRef]:
    """Return the datasets that are here already, by the id that they have there."""
    runs = {row.name for row in butler.collections() if row.kind == "RUN"} & {one.run for one in contents.datasets}
    here = {ref.id: ref for ref in butler.datasets(collections=sorted(runs))} if runs else {}
    return {str(one.id): here[id_] for one in contents.datasets if (id_ := here_id(one)) in here}


def _absent(contents: Contents) -> list[Left]:
    """Return the files that are not there."""
    left = Leftovers()
    for dataset in contents.datasets:
        if not dataset.path.is_file():
            left.add(f"files of {dataset.type}", "they are gone", [str(dataset.path)])
    return left.all()


def _hashed(
    butler: Butler,
    contents: Contents,
    known: Mapping[str, DatasetRef],
    formatters: Mapping[str, Formatter],
    on_progress: OnProgress | None,
) -> tuple[dict[str, str], list[Left]]:
    """Hash the content of every file that is not here as it is; what cannot be read is left."""
    types, left, hashes = butler.dataset_types(), Leftovers(), {}
    for place, dataset in enumerate(contents.datasets, 1):
        if not _is_same_file(dataset, known.get(str(dataset.id))):
            try:
                hashes[str(dataset.id)] = formatters[types[dataset.type].formatter].content_sha256(dataset.path)
            except Exception as error:  # noqa: BLE001 - formats raise what they like; the text is shown
                left.add(f"files of {dataset.type}", f"they cannot be read: {error}", [str(dataset.path)])
        if on_progress is not None:
            on_progress(Progress(place, len(contents.datasets), what=dataset.path.name))
    return hashes, left.all()


def _is_same_file(dataset: ForeignDataset, ref: DatasetRef | None) -> bool:
    """Say whether a dataset that is here was left in place, and still has its size."""
    return (
        ref is not None
        and ref.path == str(dataset.path.absolute())
        and dataset.path.is_file()
        and dataset.path.stat().st_size == ref.size
    )


def _report(
    butler: Butler, contents: Contents, known: Mapping[str, DatasetRef], left: Sequence[Left], *, dry_run: bool
) -> BroughtReport:
    """Count what is new, and what was here."""
    lost = {name for one in left for name in one.names}
    instruments = {record.name for record in butler.instruments()}
    collections = {row.name for row in butler.collections()}
    exposures = known_exposures(butler, contents)
    counts = {
        "instruments": _count(one.record.name in instruments for one in contents.instruments),
        "exposures": _count((one.instrument, one.id) in exposures for one in contents.exposures),
        "collections": _count(one.name in collections for one in contents.collections),
    }
    for kind in sorted({one.type for one in contents.datasets}):
        some = [one for one in contents.datasets if one.type == kind and str(one.path) not in lost]
        counts[f"datasets of {kind}"] = _count(str(one.id) in known for one in some)
    counts["ranges of validity"] = Count(len(contents.validity))
    if contents.tags:
        counts["tags"] = Count(len(contents.tags))
    return BroughtReport(contents.where, counts, [*contents.left, *left], dry_run)


def _count(known: object) -> Count:
    tally = Counter(cast("list[bool]", known))
    return Count(tally[False], tally[True])


def _describe(butler: Butler, contents: Contents) -> None:
    """Store instruments, exposures and collections; of an instrument that is here only what it lacks."""
    known = {record.name: record for record in butler.instruments()}
    for one in contents.instruments:
        name = one.record.name
        detectors = {record.id for record in butler.detectors(name)} if name in known else set()
        filters = {record.name for record in butler.filters(name)} if name in known else set()
        butler.register_instrument(
            known.get(name, one.record),
            [record for record in one.detectors if record.id not in detectors],
            [record for record in one.filters if record.name not in filters],
        )
    butler.insert_exposures(contents.exposures)
    there = {row.name: row for row in butler.collections()}
    for named in contents.collections:
        if named.kind != "CHAINED":
            butler.register_collection(named.name, cast("CollectionKind", named.kind), named.doc)
        elif named.name not in there or there[named.name].children != named.children:
            butler.set_chain(named.name, named.children)


def _ingest(
    butler: Butler,
    contents: Contents,
    known: Mapping[str, DatasetRef],
    hashes: Mapping[str, str],
    transfer: Transfer,
) -> dict[str, DatasetRef]:
    """Store the files, run by run; return the datasets by the id that they have there."""
    refs = {id_: ref for id_, ref in known.items() if id_ not in hashes}
    by_run: defaultdict[str, list[ForeignDataset]] = defaultdict(list)
    for dataset in contents.datasets:
        if str(dataset.id) in hashes:
            by_run[dataset.run].append(dataset)
    for run, datasets in by_run.items():
        items = [IngestItem(one.path, one.type, one.data_id, hashes[str(one.id)]) for one in datasets]
        result = butler.ingest(items, run, transfer)
        stored = {ref.id: ref for ref in [*result.refs, *result.skipped]}
        refs |= {str(one.id): stored[here_id(one)] for one in datasets}
    return refs


def _relate(butler: Butler, contents: Contents, refs: Mapping[str, DatasetRef]) -> dict[str, Count]:
    """Tag and certify; return how much of it is new."""
    tagged: defaultdict[str, list[DatasetRef]] = defaultdict(list)
    for collection, id_ in contents.tags:
        if str(id_) in refs:
            tagged[collection].append(refs[str(id_)])
    tags = sum(butler.tag(collection, some) for collection, some in tagged.items())
    valid: defaultdict[tuple[str, Timespan], list[DatasetRef]] = defaultdict(list)
    for collection, span, id_ in contents.validity:
        if str(id_) in refs:
            valid[collection, span].append(refs[str(id_)])
    new = known = 0
    for (collection, span), some in valid.items():
        diff = butler.certify(collection, some, span, reason=f"as in {contents.where}")
        new, known = new + len(diff.added), known + len(diff.unchanged)
    counts = {"ranges of validity": Count(new, known)}
    there = sum(len(some) for some in tagged.values())
    return counts | ({"tags": Count(tags, there - tags)} if contents.tags else {})


def _next_steps(contents: Contents) -> list[str]:
    """Say what may be typed next."""
    steps = ["isrflow query collections"]
    steps += [f"isrflow query exposures 'day_obs = {contents.exposures[0].day_obs}'"] if contents.exposures else []
    return steps
