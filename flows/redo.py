"""Making again what was made with recalled calibrations: as each product was made, but for the calibrations.

The settings are those that the registry recorded. Those of today would change products in ways that have nothing to do
with the calibration.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from flows.corrections import config_of_today
from flows.outcome import ALL_OK, NOTHING_SUCCEEDED, PARTIAL, OnProgress, RunReport
from flows.questions import where_of
from flows.repo import Repo
from flows.reprocess import run_reprocess
from flows.settings import EngineName, rounds_products
from flows.work import counting_on
from isrflow.errors import ConfigError
from isrflow.quantum.config import CHOICE, RECIPES, config_of, recipe_for, recipe_from
from isrflow.quantum.correct import ISR
from registry.canonical import sha256_json
from registry.questions.recall import Affected, Recall
from registry.refs import DataId

_COMPRESSION = "product_compression"
_SHOWN = 4
"""So many settings that differ are named."""


@dataclass(frozen=True)
class Lot:
    """Products that are made again with the same settings."""

    config: Mapping[str, Any]
    """Recipe and settings as the registry keeps them, with what the user gave laid over."""
    made_in: tuple[str, ...]
    """The runs that hold the products made with recalled calibrations."""
    data_ids: tuple[DataId, ...]
    out_run: str
    differs: tuple[str, ...] = ()
    """The recorded settings that are not those of today, in words."""
    problem: str = ""
    """Why these cannot be made again as they were; empty if they can."""

    def __str__(self) -> str:
        what = f"{len(self.data_ids)} quanta ({', '.join(self.made_in)})"
        if self.problem:
            return f"{what} cannot be made again as they were: {self.problem}"
        more = [f"{len(self.differs) - _SHOWN} more that differ"] if len(self.differs) > _SHOWN else []
        settings = ", ".join([*self.differs[:_SHOWN], *more]) or "settings as today"
        recipe = {name: called for called, name in RECIPES.items()}[self.config["recipe"]]
        return f"{what} with the {recipe} recipe, {settings}: into {self.out_run}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "made_in": list(self.made_in),
            "out_run": self.out_run,
            "recipe": self.config.get("recipe"),
            "config": sha256_json(self.config),
            "differs": list(self.differs),
            "problem": self.problem,
            "quanta": [data_id.to_dict() for data_id in self.data_ids],
        }


@dataclass(frozen=True)
class Redo:
    """What is made again after a recall, by the settings that it is made with."""

    lots: tuple[Lot, ...]
    laid_over: Mapping[str, Any]
    """Settings that the user gave; then not the calibrations alone will differ."""

    @property
    def out_runs(self) -> tuple[str, ...]:
        """The runs that products go into, the one that was named first."""
        return tuple(dict.fromkeys(lot.out_run for lot in self.lots))

    @property
    def possible(self) -> tuple[Lot, ...]:
        """The lots without a problem."""
        return tuple(lot for lot in self.lots if not lot.problem)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {"lots": [lot.to_dict() for lot in self.lots], "laid_over": dict(self.laid_over)}

    def render(self) -> str:
        """Return it as text; empty if nothing is to be made again."""
        if not self.lots:
            return ""
        given = ", ".join(f"{name} = {value}" for name, value in self.laid_over.items())
        lines = ["to be made again as each was made" + (f", but with {given}:" if given else ":")]
        lines += [f"  {lot}" for lot in self.lots]
        if len(self.out_runs) > 1:
            lines.append(
                f"  {len(self.out_runs)} runs, for some exposures were corrected with more than one choice of settings "
                "and a run holds one product of each"
            )
        return "\n".join(lines)


@dataclass(frozen=True)
class Redone:
    """What came of it."""

    redo: Redo
    reports: tuple[RunReport, ...]
    """One for each lot without a problem, in their order."""

    @property
    def exit_code(self) -> int:
        """0 if all was made again, 2 if some, 3 if nothing."""
        codes = [report.exit_code for report in self.reports]
        codes += [NOTHING_SUCCEEDED for lot in self.redo.lots if lot.problem]
        return codes[0] if len(set(codes)) == 1 else PARTIAL if codes else ALL_OK

    def render(self) -> str:
        """Return the reports as text, and what could not be begun."""
        parts = [str(lot) for lot in self.redo.lots if lot.problem]
        parts += [report.render() for report in self.reports]
        return "\n".join(parts)


def plan_redo(repo: Repo, answer: Recall, out_run: str, settings: Mapping[str, Any] | None = None) -> Redo:
    """Say with which settings what was made with recalled calibrations is made again; nothing is changed.

    Parameters
    ----------
    answer
        What is to be recalled, or was.
    out_run
        Run for what is made. An exposure that was corrected with several choices of settings needs a run for each; the
        further ones are called ``out_run/2`` and so on.
    settings
        Laid over what was recorded.

    Returns
    -------
    Redo
        Recorded settings that this version cannot read any more are a problem of their lot alone.

    Raises
    ------
    ConfigError
        If `settings` are unknown or impossible.
    """
    layer = dict(settings or {})
    corrections = [one for one in answer.affected if one.task == ISR]  # what is made on the way is planned with them
    lots: dict[str, Lot] = {}
    key_of = {}
    for sha256 in sorted({one.config_sha256 for one in corrections}):
        recorded = answer.configs[sha256]
        config, problem = _laid_over(repo, recorded, layer)
        differs = () if problem else _differences(repo, recorded, config)
        key_of[sha256] = f"{sha256_json(config)} {problem}"
        lots.setdefault(key_of[sha256], Lot(config, (), (), out_run, differs, problem))
    alike: defaultdict[str, list[Affected]] = defaultdict(list)
    for one in corrections:
        alike[key_of[one.config_sha256]].append(one)
    order = sorted(alike, key=lambda key: (min(one.run for one in alike[key]), key))
    return Redo(tuple(_placed([(lots[key], alike[key]) for key in order], out_run)), layer)


def carry_out_redo(
    repo: Repo,
    redo: Redo,
    *,
    collections: Sequence[str] = (),
    engine: EngineName | None = None,
    workers: int | None = None,
    on_progress: OnProgress | None = None,
) -> Redone:
    """Make again all that can be, lot by lot.

    Parameters
    ----------
    collections
        Where calibrations are looked for, as the recall was asked; as the repository's settings say by default.
    engine, workers, on_progress
        As for `run_reprocess`.

    Raises
    ------
    ConflictError
        If a run holds products made of other inputs or settings.
    """
    reports: list[RunReport] = []
    for lot in redo.possible:
        report = run_reprocess(
            repo,
            where_of(lot.data_ids),
            lot.out_run,
            config=lot.config,
            collections=collections,
            engine=engine,
            workers=workers,
            on_progress=counting_on(sum(one.n_total for one in reports), on_progress),
        )
        reports.append(report)
    return Redone(redo, tuple(reports))


def _laid_over(repo: Repo, recorded: Mapping[str, Any], layer: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """Return recorded settings with a layer laid over, and what keeps them from being used; as they are if nothing is.

    Not a setting that came later is written into them: then hashes, and products that are the same, stay the same.
    """
    try:
        whole = config_of(recipe_from(recorded))
        base = {CHOICE: whole["recipe"], **whole["settings"]}
        recipe_for(repo.camera, base)
    except ConfigError as error:
        return recorded, f"this version cannot use their settings: {error}"
    problem = _stored_otherwise(repo, recorded)
    if not layer:
        return recorded, problem
    kept = {_COMPRESSION: recorded[_COMPRESSION]} if _COMPRESSION in recorded else {}
    return config_of(recipe_for(repo.camera, base, layer)) | kept, problem


def _stored_otherwise(repo: Repo, recorded: Mapping[str, Any]) -> str:
    """Say if storing would round pixels that were not rounded, or the other way round; workers store as is set now."""
    now = repo.settings.product_compression
    then = recorded.get(_COMPRESSION)
    if then == (now if rounds_products(repo.settings) else None):
        return ""
    did = f"were stored with {_COMPRESSION} {then}" if then else "were stored without rounding"
    return f"they {did}, and this repository is set to {now}; ISRFLOW_PRODUCT_COMPRESSION={then or 'mask'} for these"


def _placed(lots: Sequence[tuple[Lot, Sequence[Affected]]], out_run: str) -> Iterator[Lot]:
    """Give each lot its quanta, and the first run that holds nothing of the same exposures and detectors."""
    taken: defaultdict[str, set[DataId]] = defaultdict(set)
    for lot, affected in lots:
        data_ids = {one.data_id for one in affected}
        names = (out_run if number == 1 else f"{out_run}/{number}" for number in count(1))
        place = next(name for name in names if not taken[name] & data_ids)
        taken[place] |= data_ids
        made_in = tuple(sorted({one.run for one in affected}))
        yield replace(lot, made_in=made_in, data_ids=tuple(sorted(data_ids)), out_run=place)


def _differences(repo: Repo, recorded: Mapping[str, Any], config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the recorded settings that stay and are not those of today."""
    if recorded["recipe"] != config["recipe"]:
        return ()
    today = _leaves(config_of_today(repo, {CHOICE: config["recipe"]}))
    then, used = _leaves(recorded), _leaves(config)
    return tuple(
        f"{name} = {value} (today {today.get(name)})"
        for name, value in then.items()
        if value != today.get(name) and value == used.get(name)
    )


def _leaves(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings by dotted names; of a step that is switched off, only that it is."""
    return {
        f"{step}.{name}": value
        for step, values in config["settings"].items()
        for name, value in values.items()
        if values.get("enabled", True) or name == "enabled"
    }
