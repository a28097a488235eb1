"""What shall be done: quanta with their inputs and calibrations, which `flows.calib_needs` finds.

A plan writes nothing; printing one is a dry run.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from flows.outcome import ALL_OK, BY_POLICY, NOTHING_SUCCEEDED, PARTIAL, USER_ERROR
from flows.repo import Repo
from registry.errors import UserError
from registry.refs import DataId, DatasetRef, QuantumRow, QuantumSpec, dataset_uuid


@dataclass(frozen=True)
class WorkPlan:
    """Quanta to be run into a collection, and those that cannot be."""

    run: str
    config: Mapping[str, Any]
    """Recipe and settings, as the registry stores them."""
    changes: Mapping[str, Any]
    """Settings that differ from the recipe's defaults."""
    specs: tuple[QuantumSpec, ...]
    """Ready: all that is required was found."""
    skipped: tuple[tuple[str, DataId, str], ...] = ()
    """Task, data id and reason of those that lack something."""
    missing: str = ""
    """The report of what is missing, ready to print."""
    noted: str = ""
    """Which raws are flagged, and which calibrations were made of such, ready to print; empty if none."""
    by_policy: str = ""
    """What policies did where calibrations were missing: fallbacks, quanta left undone, quanta done without."""
    n_fallbacks: int = 0
    """Number of calibrations of `specs` that are not valid, but the nearest there is."""
    context: str | None = None
    """The frozen context that the calibrations are taken from."""
    warnings: tuple[str, ...] = ()
    """Calibrations that change during an exposure, say."""
    before: tuple[QuantumRow, ...] = ()
    """Quanta that the run holds already."""
    retry_failed: bool = True
    find_lost: Callable[[], Collection[DataId]] = tuple
    """Looks at the disk for products that are gone; called only when somebody asks, as running looks for itself."""
    sources: WorkPlan | None = None
    """What must be done before: other detectors as far as crosstalk."""

    @property
    def n_quanta(self) -> int:
        """Number of quanta, ready or not."""
        return len(self.specs) + len(self.skipped)

    @property
    def n_skipped(self) -> int:
        """Number of quanta that lack something."""
        return len(self.skipped)

    @property
    def n_done_before(self) -> int:
        """Number of ready quanta whose products exist, made of the very same inputs."""
        return sum(1 for spec in self.specs if self._state(spec) == "done")

    @property
    def n_stale(self) -> int:
        """Number of ready quanta whose products exist, but were made of other inputs or settings."""
        return sum(1 for spec in self.specs if self._state(spec) == "stale")

    @property
    def n_lost(self) -> int:
        """Number of ready quanta that were done, but whose products are gone; they would be made again."""
        return sum(1 for spec in self.specs if self._state(spec) == "lost")

    @property
    def n_ready(self) -> int:
        """Number of quanta that would be run."""
        return len(self.specs) - self.n_done_before - self.n_stale

    def keys(self) -> list[tuple[str, DataId]]:
        """Return task and data id of every quantum, ready or not."""
        return [(spec.task, spec.data_id) for spec in self.specs] + [item[:2] for item in self.skipped]

    @property
    def exit_code(self) -> int:
        """0 if all could be run, 2 if some, 3 if none; 1 if the run would be refused."""
        if self.n_stale or (self.sources is not None and self.sources.n_stale):
            return USER_ERROR
        if all(reason.startswith(BY_POLICY) for _, _, reason in self.skipped):
            return ALL_OK
        return PARTIAL if self.specs else NOTHING_SUCCEEDED

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        quanta = [
            {"task": spec.task, **spec.data_id.to_dict(), "state": self._state(spec), "calibs": _ids(spec)}
            for spec in self.specs
        ]
        skipped = [{"task": task, **data_id.to_dict(), "reason": reason} for task, data_id, reason in self.skipped]
        counts = ("n_quanta", "n_ready", "n_done_before", "n_lost", "n_stale", "n_skipped", "n_fallbacks", "exit_code")
        return {
            "run": self.run,
            "context": self.context,
            "changes": dict(self.changes),
            **{name: getattr(self, name) for name in counts},
            "quanta": quanta,
            "skipped": skipped,
            "missing": self.missing,
            "by_policy": self.by_policy,
            "noted": self.noted,
            "warnings": list(self.warnings),
            "sources": None if self.sources is None else self.sources.to_dict(),
        }

    def render(self) -> str:
        """Return the plan as text: counts, exposures, settings, what is missing."""
        again = f" ({self.n_lost} of them again: files are gone)" if self.n_lost else ""
        words = [f"{self.n_ready} to run{again}", f"{self.n_done_before} done before"]
        words += [f"{self.n_stale} done with other inputs or settings"] if self.n_stale else []
        words += [f"{self.n_skipped} skipped"] if self.skipped else []
        words += [f"{self.n_fallbacks} calibrations are fallbacks"] if self.n_fallbacks else []
        lines = [f"{self.run}: {self.n_quanta} quanta: {', '.join(words)}"]
        lines += [f"  calibrations of context {self.context}"] if self.context is not None else []
        if self.sources is not None:
            before = self.sources
            done = f", {before.n_done_before} done before" if before.n_done_before else ""
            lines.append(f"  before them, sources of crosstalk: {before.n_ready} to run{done}")
        lines += [f"  {line}" for line in self._exposures()]
        if self.changes:
            lines += [f"settings that differ from the defaults of {self.config['recipe']}:"]
            lines += [f"  {name} = {value}" for name, value in self.changes.items()]
        lines += [f"warning: {warning}" for warning in self.warnings]
        if self.n_stale:
            lines.append("this would be refused; work into another run, for example: isrflow reprocess WHERE --out RUN")
        return "\n".join([*lines, *filter(None, (self.noted, self.by_policy, self.missing))])

    def waiting(self) -> list[QuantumSpec]:
        """Return the quanta that would be run."""
        return [spec for spec in self.specs if self._state(spec) not in {"done", "stale"}]

    def after(self, rows: Sequence[QuantumRow]) -> WorkPlan:
        """Return the plan without the quanta whose sources, of which these are the quanta, did not come about."""
        assert self.sources is not None
        outputs = {row.id: dataset_uuid(self.run, row.task, row.data_id) for row in rows if row.state != "done"}
        reasons = {outputs[row.id]: f"{row.task} of {row.data_id} is {row.state}" for row in rows if row.id in outputs}
        lacking = {
            spec.data_id: "; ".join(reasons[id_] for _, id_ in spec.inputs if id_ in reasons) for spec in self.specs
        }
        skipped = [(spec.task, spec.data_id, lacking[spec.data_id]) for spec in self.specs if lacking[spec.data_id]]
        specs = tuple(spec for spec in self.specs if not lacking[spec.data_id])
        return replace(self, specs=specs, skipped=(*self.skipped, *skipped))

    def _state(self, spec: QuantumSpec) -> str:
        row = self._rows.get((spec.task, spec.data_id))
        if row is None:
            return "new"
        if row.state != "done":
            return row.state
        if row.content_key != spec.content_key:
            return "stale"
        return "lost" if spec.data_id in self._lost else "done"

    @cached_property
    def _lost(self) -> Collection[DataId]:
        return frozenset(self.find_lost())

    @cached_property
    def _rows(self) -> dict[tuple[str, DataId], QuantumRow]:
        return {(row.task, row.data_id): row for row in self.before}

    def _exposures(self) -> list[str]:
        ready: dict[int | None, list[int]] = defaultdict(list)
        for spec in self.specs:
            ready[spec.data_id.exposure].append(spec.data_id.detector or 0)
        lacking = Counter(data_id.exposure for _, data_id, _ in self.skipped)
        return [
            f"exposure {exposure}: detectors {', '.join(map(str, sorted(ready[exposure]))) or 'none'}"
            + (f"; {lacking[exposure]} skipped" if lacking[exposure] else "")
            for exposure in sorted({*ready, *lacking}, key=lambda key: key or 0)
        ]


def find_raws(repo: Repo, where: str) -> list[DatasetRef]:
    """Return the raws that a query selects.

    Raises
    ------
    UserError
        If it selects none; says what there is.
    QuerySyntaxError
        If the query cannot be read.
    """
    raws = repo.butler.datasets(where, type="raw")
    if not raws:
        why = repo.butler.explain_empty("datasets", f"({where}) and type = 'raw'" if where.strip() else "type = 'raw'")
        raise UserError(f"no raw exposures with {where}\n{why.render()}", fix=_what_there_is(repo))
    return raws


def quanta_of(repo: Repo, run: str) -> list[QuantumRow]:
    """Return the quanta of a run; none if there is no such run yet."""
    return repo.butler.quanta(run) if repo.butler.collections(run) else []


def lost_products(repo: Repo, run: str, types: Sequence[str]) -> set[DataId]:
    """Return what products of these types in a run were made for whose files are gone."""
    refs = repo.butler.datasets("status in ('LIVE', 'MISSING')", type=types, collections=[run])
    return {ref.data_id for ref in refs if not repo.butler.exists(ref)}


def _ids(spec: QuantumSpec) -> dict[str, str]:
    return {role: str(match.ref.id) for role, match in spec.calibs}


def _what_there_is(repo: Repo) -> str:
    nights = sorted({record.day_obs for record in repo.butler.exposures()})
    if not nights:
        return "isrflow ingest FILES"
    shown = ", ".join(map(str, nights[-5:]))
    return f'isrflow query exposures "day_obs = {nights[-1]}" (nights with exposures: {shown})'
