# ruff: noqa: N818 - a name says what is wrong; that it is an error is in its base
"""Everything the registry refuses, in one tree.

::

    RegistryError                 .fix: the next thing to do, printed on its own line
    ├── UserError                 exit code 1: the request was wrong
    │   ├── UnknownName           .kind .name .known   (LookupError)
    │   ├── AmbiguousId           .text .matches       (LookupError)
    │   ├── MissingDataset        .id .path            (LookupError)
    │   ├── QuerySyntaxError      .text .column .expected (ValueError)
    │   ├── InvalidTime           .text                (ValueError)
    │   ├── ConflictError         .conflicts           (ValueError)
    │   │   └── ValidityOverlap   .conflicts
    │   ├── FrozenError           .name
    │   ├── DeletionRefused       .blockers
    │   ├── OutsideStore          .path .target        (ValueError)
    │   └── TransferError         .path                (OSError)
    ├── UnavailableError          exit code 4: no database, not a repository, locked for too long
    │   └── VersionError          .found .expected
    └── CorruptDataset            .path .expected .found: stored bytes are not those that were stored

Every class takes a message and keyword fields that all have defaults, so that an error survives pickling between
worker processes.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import ClassVar


class RegistryError(Exception):
    """Base of all errors of this package.

    Parameters
    ----------
    message
        What happened, where and why.
    fix
        The next command or action that mends it, if there is one.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str = "", *, fix: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.message}\n  fix: {self.fix}" if self.fix else self.message


class UserError(RegistryError):
    """The request was wrong; nothing was changed."""


class UnknownName(UserError, LookupError):
    """A name that is not registered; the message offers the nearest ones.

    Parameters
    ----------
    message
        Composed from the fields when empty.
    kind
        What sort of name: "collection", "dataset type", ...
    name
        What was asked for.
    known
        The names that exist.
    """

    def __init__(
        self,
        message: str = "",
        *,
        kind: str = "name",
        name: str = "",
        known: Sequence[str] = (),
        fix: str | None = None,
    ) -> None:
        self.kind, self.name, self.known = kind, str(name), list(known)
        text = message or f"there is no {kind} '{name}'"
        super().__init__(text if "did you mean" in text else text + did_you_mean(self.name, self.known), fix=fix)


class AmbiguousId(UserError, LookupError):
    """A short id that several datasets share."""

    def __init__(
        self, message: str = "", *, text: str = "", matches: Sequence[object] = (), fix: str | None = None
    ) -> None:
        super().__init__(message, fix=fix)
        self.text, self.matches = text, list(matches)


class MissingDataset(UserError, LookupError):
    """A dataset, or its file, that is not there."""

    def __init__(self, message: str = "", *, id: object = None, path: object = None, fix: str | None = None) -> None:  # noqa: A002
        super().__init__(message, fix=fix)
        self.id, self.path = id, path


class QuerySyntaxError(UserError, ValueError):
    """A query that cannot be read; `column` counts from one."""

    def __init__(
        self,
        message: str = "",
        *,
        text: str = "",
        column: int = 0,
        expected: Sequence[str] = (),
        fix: str | None = None,
    ) -> None:
        super().__init__(message, fix=fix)
        self.text, self.column, self.expected = text, column, list(expected)


class InvalidTime(UserError, ValueError):
    """A text or number that is not a time, or not a day."""

    def __init__(self, message: str = "", *, text: str = "", fix: str | None = None) -> None:
        super().__init__(message, fix=fix)
        self.text = text


class ConflictError(UserError, ValueError):
    """The same identity with another content; `conflicts` lists every one."""

    def __init__(self, message: str = "", *, conflicts: Sequence[object] = (), fix: str | None = None) -> None:
        super().__init__(message, fix=fix)
        self.conflicts = list(conflicts)


class ValidityOverlap(ConflictError):
    """A certification that overlaps existing ones; `conflicts` lists every existing row."""


class FrozenError(UserError):
    """A change to something that may not change any more."""

    def __init__(self, message: str = "", *, name: str = "", fix: str | None = None) -> None:
        super().__init__(message, fix=fix)
        self.name = name


class DeletionRefused(UserError):
    """A deletion of something that others depend on."""

    def __init__(self, message: str = "", *, blockers: Sequence[object] = (), fix: str | None = None) -> None:
        super().__init__(message, fix=fix)
        self.blockers = list(blockers)


class OutsideStore(UserError, ValueError):
    """A path inside a store that a symbolic link leads out of it."""

    def __init__(
        self, message: str = "", *, path: str = "", store: str = "", target: str = "", fix: str | None = None
    ) -> None:
        text = f"{path} is not in {store}: a symbolic link leads to {target}"
        advice = "put the file itself in the place of the link, or ingest it from there with --transfer direct"
        super().__init__(message or text, fix=fix or advice)
        self.path, self.target = path, target


class TransferError(UserError, OSError):
    """A file that could not be brought in or written."""

    def __init__(self, message: str = "", *, path: object = None, fix: str | None = None) -> None:
        super().__init__(message, fix=fix)
        self.path = path


class UnavailableError(RegistryError):
    """The registry cannot be reached: no database, not a repository, or locked for too long."""

    exit_code: ClassVar[int] = 4


class VersionError(UnavailableError):
    """The database's schema is older or newer than this program."""

    def __init__(
        self, message: str = "", *, found: str | None = None, expected: str | None = None, fix: str | None = None
    ) -> None:
        super().__init__(message, fix=fix)
        self.found, self.expected = found, expected


class CorruptDataset(RegistryError):
    """Stored bytes that do not match their recorded hash."""

    def __init__(
        self,
        message: str = "",
        *,
        path: object = None,
        expected: str | None = None,
        found: str | None = None,
        fix: str | None = None,
    ) -> None:
        super().__init__(message, fix=fix)
        self.path, self.expected, self.found = path, expected, found


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """Return "; did you mean ...?" or, when nothing is near, the known names (none if there are very many)."""
    near = difflib.get_close_matches(name, list(known), n=3, cutoff=0.6)
    if near:
        return "; did you mean " + " or ".join(f"'{one}'" for one in near) + "?"
    if 0 < len(known) <= 20:
        return "; there is " + ", ".join(sorted(known))
    return ""


def listed(items: Iterable[object], limit: int = 20) -> str:
    """Return one indented line an item, and how many more there are; who needs all of them asks the error's fields."""
    lines = [f"  {item}" for item in items]
    more = [f"  and {len(lines) - limit} more"] if len(lines) > limit else []
    return "\n".join(lines[:limit] + more)
