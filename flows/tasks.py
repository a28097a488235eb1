"""What quanta can do: the table from task name to task, in which every worker looks."""

from __future__ import annotations

from collections.abc import Mapping

from isrflow.quantum.correct import ISR
from isrflow.quantum.correct import TASK as CORRECT
from isrflow.quantum.quantum import Task

TASKS: Mapping[str, Task] = {ISR: CORRECT}
