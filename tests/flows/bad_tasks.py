"""Tasks that do to a worker what the world does to workers."""

from __future__ import annotations

import os
import signal
import time

from flows.tasks import TASKS as REAL
from isrflow.errors import StepError, UnprocessableError
from isrflow.quantum.quantum import Task


def segfault(context):
    os.kill(os.getpid(), signal.SIGSEGV)


def killed(context):
    os.kill(os.getpid(), signal.SIGKILL)


def leave(context):
    os._exit(7)


def hang(context):
    time.sleep(3600)


def slow(context):
    time.sleep(4.5)
    context.put("isr_statistics", {"amplifiers": {}})


def hopeless(context):
    cause = UnprocessableError("every pixel is saturated")
    raise StepError("step flat failed on exposure 5: every pixel is saturated", step="flat") from cause


def fine(context):
    context.put("isr_statistics", {"amplifiers": {}})


def greedy(context):
    context.get("flat")


class Deadly(dict):
    """A value that kills whoever writes it to a file."""

    def items(self):
        os.kill(os.getpid(), signal.SIGKILL)


def half_published(context):
    context.put("isr_statistics", Deadly(a=1))


FUNCTIONS = (half_published, segfault, killed, leave, hang, slow, hopeless, fine, greedy)
TASKS = {**REAL, **{function.__name__: Task(function, ("isr_statistics",)) for function in FUNCTIONS}}
