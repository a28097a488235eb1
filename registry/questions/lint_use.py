"""What can be wrong with how calibrations were used: fallbacks too far away, masters of bad parents, mixed runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, Select, and_, func, or_, select

from registry.questions.findings import Finding
from registry.questions.lint_validity import Scene
from registry.refs import DatasetRef
from registry.resolution import spell_data_ids
from registry.sql import tables as t
from registry.sql.bulk import chunks
from registry.sql.dataset_types import dataset_types
from registry.sql.datasets import refs_by_row
from registry.sql.policies import policies
from registry.sql.remembered import counts
from registry.times import format_duration
from registry.words import count


def never_used(scene: Scene) -> Iterator[Finding]:
    """Find what is certified, could have been used by exposures that there are, and was not."""
    v, m = t.calib_validity.c, t.calib_set_member.c
    used = select(m.dataset_id).where(m.dataset_id == v.dataset_id).exists()
    homes = [one.id for one in scene.path if one.kind == "CALIBRATION"]
    query = select(v.id).where(v.collection_id.in_(homes), v.revoked_at == t.OPEN_ENDED, ~used)
    idle = set(scene.connection.execute(query).scalars())
    groups: defaultdict[tuple[str, str, str], list[Any]] = defaultdict(list)
    served: dict[tuple[str, str, str], int] = {}
    for row in scene.rows:
        shot = next(scene.shots_in(row.span, row.data_id), None) if row.id in idle else None
        if shot is not None:
            groups[row.type, row.run, row.collection].append(row)
            served.setdefault((row.type, row.run, row.collection), shot.number)
    for (kind, run, home), rows in groups.items():
        yield Finding(
            "NEVER_USED",
            "note",
            f"{kind} of {run} in {home}",
            spell_data_ids({row.data_id for row in rows}),
            "there are science exposures in its validity, but no quantum used it: not processed yet, or with others",
            f"isrflow explain {served[kind, run, home]} {rows[0].data_id.detector or 0} {kind}",
            len(rows),
            tuple(sorted({row.data_id for row in rows})),
        )


def fallbacks(scene: Scene) -> Iterator[Finding]:
    """Find products made with the nearest calibration, where the policy of now would not have allowed it."""
    m, q, d = t.calib_set_member.c, t.quantum.c, t.dataset.c
    query = (
        select(t.dataset_type.c.name, func.count(q.id.distinct()), func.max(m.gap_ns), func.min(t.collection.c.name))
        .join_from(t.calib_set_member, t.quantum, q.calib_set_id == m.set_id)
        .join(t.dataset, d.id == m.dataset_id)
        .join(t.dataset_type, t.dataset_type.c.id == d.type_id)
        .join(t.collection, t.collection.c.id == q.run_id)
        .where(m.match_kind == "nearest", q.state == "done")
        .group_by(t.dataset_type.c.name)
        .order_by(t.dataset_type.c.name)
    )
    decided = policies(scene.connection, None)
    for kind, n, gap, run in scene.connection.execute(query).all():
        policy = decided.get(kind)
        where = f"{count(n, 'quantum', 'quanta')}, {run} among the runs"
        fix = f"isrflow query quanta \"run = '{run}'\""
        if policy is None or policy.max_gap_ns is None:
            why = f"up to {format_duration(gap)} away; the policy of {kind} is {policy or 'not set'}"
            fix = f"isrflow policy set {kind} nearest --max-gap {_days(gap)}   (or make one, and reprocess)"
            yield Finding("FALLBACK_WITHOUT_POLICY", "warning", kind, where, why, fix, n)
        elif gap > policy.max_gap_ns:
            allowed = format_duration(policy.max_gap_ns)
            why = f"up to {format_duration(gap)} away, {allowed} are allowed now"
            yield Finding("BEYOND_GAP", "error", kind, where, why, f"{fix}   (then make one, and reprocess)", n)


def bad_parents(scene: Scene) -> Iterator[Finding]:
    """Find masters whose raws were flagged, or whose calibrations were recalled, after they were made."""
    flagged = _masters(scene.connection, _of_flagged_raws())
    for (flag, exposure), masters in sorted(_grouped(flagged).items()):
        certified = _certified(scene, masters)
        yield Finding(
            "OF_BAD_RAWS",
            "error" if certified and flag == "bad" else "warning",
            _kinds(masters),
            spell_data_ids({ref.data_id for ref in masters}),
            f"exposure {exposure} among the raws is flagged {flag}; {len(certified)} of them certified",
            f"isrflow impact {masters[0].short}   (then build again, and certify with --mode replace)",
            len(masters),
            tuple(sorted({ref.data_id for ref in masters})),
        )
    recalled = _masters(scene.connection, _with_recalled())
    for (_, parent), masters in sorted(_grouped(recalled).items()):
        ref = refs_by_row(scene.connection, [parent])[parent]
        certified = _certified(scene, masters)
        yield Finding(
            "OF_RECALLED",
            "error" if certified else "warning",
            _kinds(masters),
            spell_data_ids({one.data_id for one in masters}),
            f"made with {ref}, which was recalled; {len(certified)} of them certified",
            f"isrflow recall {ref.short} --with-derived --reason WHY   (shows what it would do)",
            len(masters),
            tuple(sorted({one.data_id for one in masters})),
        )


def mixed_runs(scene: Scene) -> Iterator[Finding]:
    """Find exposures of which the detectors used calibrations of different runs."""
    m, q, d, e = t.calib_set_member.c, t.quantum.c, t.dataset.c, t.exposure.c
    homes = (
        select(q.run_id, q.exposure_id, m.role, func.count(d.run_id.distinct()).label("n"))
        .join_from(t.quantum, t.calib_set_member, m.set_id == q.calib_set_id)
        .join(t.dataset, d.id == m.dataset_id)
        .where(q.exposure_id != t.NOT_APPLICABLE, q.state == "done")
        .group_by(q.run_id, q.exposure_id, m.role)
        .having(func.count(d.run_id.distinct()) > 1)
        .subquery("homes")
    )
    query = (
        select(t.collection.c.name, homes.c.role, func.count(), func.min(e.number), func.max(homes.c.n))
        .join(t.collection, t.collection.c.id == homes.c.run_id)
        .join(t.exposure, e.id == homes.c.exposure_id)
        .group_by(t.collection.c.name, homes.c.role)
        .order_by(t.collection.c.name, homes.c.role)
    )
    for run, role, n, first, most in scene.connection.execute(query).all():
        yield Finding(
            "MIXED_RUNS",
            "warning",
            role,
            f"{count(n, 'exposure')} of {run}, {first} the first",
            f"up to {most} runs side by side in one focal plane",
            f"isrflow whatif {run}",
            n,
        )


_Parent = tuple[str, int]


def _of_flagged_raws() -> Select[Any]:
    """Select quantum, flag, and number of the exposure of quanta that read a flagged raw."""
    i, d, f, e = t.quantum_input.c, t.dataset.c, t.quality_flag.c, t.exposure.c
    same = and_(f.exposure_id == d.exposure_id, or_(f.detector_id == t.NOT_APPLICABLE, f.detector_id == d.detector_id))
    return (
        select(i.quantum_id, f.flag.label("kind"), e.number.label("parent"))
        .join_from(t.quality_flag, t.dataset, same)
        .join(t.quantum_input, i.dataset_id == d.id)
        .join(t.exposure, e.id == d.exposure_id)
        .where(counts(t.quality_flag, None))
    )


def _with_recalled() -> Select[Any]:
    """Select quantum, and row of the recalled calibration that it used."""
    m, k, q = t.calib_set_member.c, t.dataset_mark.c, t.quantum.c
    return (
        select(q.id.label("quantum_id"), k.kind.label("kind"), m.dataset_id.label("parent"))
        .join_from(t.dataset_mark, t.calib_set_member, m.dataset_id == k.dataset_id)
        .join(t.quantum, q.calib_set_id == m.set_id)
        .where(counts(t.dataset_mark, None), k.kind == "bad")
    )


def _masters(connection: Connection, parents: Select[Any]) -> list[tuple[_Parent, DatasetRef]]:
    """Return the live calibrations that came of quanta, with what is wrong; those that are marked bad are left out."""
    o, d, k = t.quantum_output.c, t.dataset.c, t.dataset_mark.c
    kinds = [row.id for row in dataset_types(connection).values() if row.type.is_calibration]
    suspects = parents.subquery("suspects")
    marked = select(k.id).where(k.dataset_id == d.id, k.kind == "bad", counts(t.dataset_mark, None)).exists()
    query = (
        select(o.dataset_id, suspects.c.kind, suspects.c.parent)
        .join_from(suspects, t.quantum_output, o.quantum_id == suspects.c.quantum_id)
        .join(t.dataset, d.id == o.dataset_id)
        .where(d.type_id.in_(kinds), d.status == "LIVE", ~marked)
        .order_by(o.dataset_id)
        .distinct()
    )
    found = connection.execute(query).all()
    refs: dict[int, DatasetRef] = {}
    for some in chunks(sorted({row.dataset_id for row in found})):
        refs |= refs_by_row(connection, some)
    return [((row.kind, row.parent), refs[row.dataset_id]) for row in found]


def _grouped(found: list[tuple[_Parent, DatasetRef]]) -> Mapping[_Parent, list[DatasetRef]]:
    groups: defaultdict[_Parent, list[DatasetRef]] = defaultdict(list)
    for parent, ref in found:
        groups[parent].append(ref)
    return groups


def _certified(scene: Scene, refs: list[DatasetRef]) -> set[Any]:
    return {ref.id for ref in refs} & {row.dataset for row in scene.rows}


def _kinds(refs: list[DatasetRef]) -> str:
    return ", ".join(sorted({f"{ref.type} of {ref.run}" for ref in refs}))


def _days(gap_ns: int) -> str:
    """Write a gap as a whole number of days, rounded up."""
    return f"{-(-gap_ns // (86_400 * 10**9))}d"
