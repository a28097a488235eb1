"""Settings under LSST's names to settings under ours.

A table of names says where each goes. Where several names together decide a setting (``doBias`` and
``doBiasBeforeOverscan`` the place of the bias), a rule of the table computes it from all values.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import Any

from isrflow.errors import ConfigError
from isrflow.lsst_names.names import Name, Values, plain, same

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class NameTable:
    """All names of one LSST task's configuration."""

    task: str
    """Class of the configuration there."""
    names: tuple[Name, ...]
    rules: Mapping[str, Callable[[Values], Any]]
    """Setting of ours -> how it follows from all values; settings without a rule take the value as it is."""
    checks: tuple[Callable[[Values], str | None], ...] = ()
    """Each says what is wrong with values that do not go together, or None."""

    def translate(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Turn settings under LSST's names into dotted settings of ours, all of them.

        Parameters
        ----------
        settings
            Flat (``{"overscan.fitType": "MEDIAN"}``), nested (``{"overscan": {"fitType": "MEDIAN"}}``) or a mix; what
            is left out has LSST's default. Values may stand as JSON writes them.

        Raises
        ------
        ConfigError
            If a name is unknown (the nearest is named), a value impossible, or something asked for that is not done
            here; all offenders are listed.
        """
        values = self.values(settings)
        self._warn_of_idle(values)
        plain = {ours: values[row.lsst] for row in self.names for ours in row.ours if ours not in self.rules}
        return plain | {ours: rule(values) for ours, rule in self.rules.items()}

    def values(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return all names with their values, those of `settings` over the defaults; errors as for `translate`."""
        if not isinstance(settings, Mapping):
            raise ConfigError(f"settings are a mapping of names to values, not a {type(settings).__name__}")
        given: dict[str, Any] = {}
        problems: list[str] = []
        for name, value in self.flatten(settings):
            known = self.find(name)
            problem = self._unknown(name) if known is None else known.problem(value)
            if problem:
                problems.append(problem)
            else:
                given[name] = value
        values = {**self.defaults, **given}
        problems += [problem for check in self.checks if (problem := check(values))]
        if problems:
            raise ConfigError(
                f"{self.task}: " + "; ".join(problems),
                fix="docs/reference/config-names.md lists every name and what becomes of it",
            )
        return values

    def find(self, name: str) -> Name | None:
        """Return the row of a name, or None."""
        if name in self._by_name:
            return self._by_name[name]
        return next((row for row in self._open if name.startswith(row.lsst[:-1])), None)

    @cached_property
    def defaults(self) -> dict[str, Any]:
        """All names with the defaults of the reference."""
        return {row.lsst: row.default for row in self.names}

    @cached_property
    def _by_name(self) -> dict[str, Name]:
        return {row.lsst: row for row in self.names}

    @cached_property
    def _open(self) -> tuple[Name, ...]:
        return tuple(row for row in self.names if row.lsst.endswith(".*"))

    def flatten(self, tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
        """Yield dotted names with their values; a mapping is a value where the table has its name."""
        for key, value in tree.items():
            name = f"{prefix}{key}"
            if isinstance(value, Mapping) and name not in self._by_name:
                yield from self.flatten(value, f"{name}.")
            else:
                yield name, plain(value)

    def _unknown(self, name: str) -> str:
        near = get_close_matches(name, self._by_name, n=1, cutoff=0.5)
        if not near:
            lower = {known.lower(): known for known in self._by_name}
            near = [lower[found] for found in get_close_matches(name.lower(), lower, n=1, cutoff=0.5)]
        return f"there is no {name}" + (f" (did you mean {near[0]}?)" if near else "")

    def _warn_of_idle(self, values: Values) -> None:
        for row in self.names:
            if row.effect == "nothing" and not same(values[row.lsst], row.default):
                log.warning("%s: %s = %r has no effect: %s", self.task, row.lsst, values[row.lsst], row.note)
