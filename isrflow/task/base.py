"""What every task has: a name, settings, a log, metadata, subtasks, and a timer."""

from __future__ import annotations

import logging
import os
import platform
import resource
import sys
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, ClassVar

from isrflow.errors import ConfigError


class Struct(SimpleNamespace):
    """Named results: attributes, and no behaviour."""

    def getDict(self) -> dict[str, Any]:
        """Return the results by name."""
        return dict(vars(self))


class TaskMetadata(dict[str, Any]):
    """What a task notes about its runs: name to value, or to the list of values noted with `append`."""

    def append(self, name: str, value: float | str) -> None:
        """Note one more value under a name."""
        self.setdefault(name, []).append(value)


@dataclass(frozen=True, slots=True)
class SubtaskField:
    """A place for a subtask in a task class, and the class that fills it."""

    doc: str
    target: type[Task]


class Task:
    """Base of all tasks.

    Parameters
    ----------
    config
        Settings; what they are is the subclass's business.
    name
        Short name; by default that of the class.
    parentTask
        The task this is a part of.
    log
        Logger; by default ``lsst.<full name>``.
    """

    ConfigClass: ClassVar[Any] = None
    defaultName: ClassVar[str] = "task"

    def __init__(self, **kwargs: Any) -> None:
        known = {"config", "name", "parentTask", "log"}
        if unknown := sorted(set(kwargs) - known):
            raise TypeError(
                f"{type(self).__name__} does not take {', '.join(unknown)} (it takes {', '.join(sorted(known))})"
            )
        self.name: str = kwargs.get("name") or self.defaultName
        self.parentTask: Task | None = kwargs.get("parentTask")
        self.config: Any = kwargs.get("config")
        if self.config is None and self.ConfigClass is not None:
            self.config = self.ConfigClass()
        self.metadata = TaskMetadata()
        parent = self.parentTask
        self._tasks: dict[str, weakref.ref[Task]] = {} if parent is None else parent.getTaskDict()
        self._tasks[self.getFullName()] = weakref.ref(self)
        self.log: logging.Logger = kwargs.get("log") or logging.getLogger(f"lsst.{self.getFullName()}")

    def getName(self) -> str:
        """Return the short name."""
        return self.name

    def getFullName(self) -> str:
        """Return the name with those of the tasks this is a part of, dots between."""
        return self.name if self.parentTask is None else f"{self.parentTask.getFullName()}.{self.name}"

    def getTaskDict(self) -> dict[str, weakref.ref[Task]]:
        """Return full name to weak reference for all tasks of the tree this belongs to."""
        return self._tasks

    def getFullMetadata(self) -> dict[str, TaskMetadata]:
        """Return full name, with colons, to metadata for all tasks of the tree."""
        alive = ((name, reference()) for name, reference in self._tasks.items())
        return {name.replace(".", ":"): task.metadata for name, task in alive if task is not None}

    def emptyMetadata(self) -> None:
        """Forget the metadata of all tasks of the tree."""
        for metadata in self.getFullMetadata().values():
            metadata.clear()

    @classmethod
    def makeField(cls, doc: str) -> SubtaskField:
        """Return a class attribute that makes a place for this task in another."""
        return SubtaskField(doc, cls)

    def makeSubtask(self, name: str, **keyArgs: Any) -> None:
        """Make the subtask of a place and set ``self.<name>``.

        Raises
        ------
        ConfigError
            If the class has no such place.
        """
        field = getattr(type(self), name, None)
        if not isinstance(field, SubtaskField):
            known = [key for key in dir(type(self)) if isinstance(getattr(type(self), key), SubtaskField)]
            raise ConfigError(f"{type(self).__name__} has no place for a subtask {name!r} (it has {', '.join(known)})")
        setattr(self, name, field.target(name=name, parentTask=self, **keyArgs))

    @contextmanager
    def timer(self, name: str, logLevel: int = logging.DEBUG) -> Iterator[None]:
        """Note time and resources before and after a block, under ``<name>Start...`` and ``<name>End...``."""
        self._note_resources(f"{name}Start")
        started = time.perf_counter()
        try:
            yield
        finally:
            self._note_resources(f"{name}End")
            self.log.log(logLevel, "%s took %.3f s", name, time.perf_counter() - started)

    def _note_resources(self, prefix: str) -> None:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        to_bytes = 1 if sys.platform == "darwin" else 1024
        noted: dict[str, float | str] = {
            "Utc": datetime.now(UTC).isoformat(timespec="microseconds"),
            "CpuTime": time.process_time(),
            "UserTime": usage.ru_utime,
            "SystemTime": usage.ru_stime,
            "MaxResidentSetSize": usage.ru_maxrss * to_bytes,
            "MinorPageFaults": usage.ru_minflt,
            "MajorPageFaults": usage.ru_majflt,
            "BlockInputs": usage.ru_inblock,
            "BlockOutputs": usage.ru_oublock,
            "VoluntaryContextSwitches": usage.ru_nvcsw,
            "InvoluntaryContextSwitches": usage.ru_nivcsw,
        }
        for key, value in noted.items():
            self.metadata.append(f"{prefix}{key}", value)
        self.metadata["__version__"] = 1
        self.metadata["nodeName"] = platform.node() or os.environ.get("HOSTNAME", "")
