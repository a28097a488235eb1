"""Killed (-9) at every step of an import: no row says what is not so, and the same import then finishes."""

from __future__ import annotations

import os
import signal

import pytest

from registry.moving import importing, storing, taking_notes, taking_work
from tests.registry.moving.conftest import content, everything

POINTS = {
    "a file is half written": (storing, "_copy"),
    "all files are stored": (importing, "_take"),
    "the event is written": (importing, "Taking"),
    "validity is written": (taking_work, "store_calib_sets"),
    "all rows but the last are written": (taking_notes, "mark"),
}


def killed(work) -> None:
    """Do work in a process of its own, which kills itself."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(1)
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGKILL


@pytest.mark.parametrize("point", POINTS)
def test_killed_at(laptop, site, open_new, tmp_path, point, engine_kind):  # noqa: PLR0917 - fixtures
    laptop.export(tmp_path / "p", calibs=True, provenance=True)
    before = everything(site)
    module, name = POINTS[point]

    def die(*args: object, **_options: object) -> None:
        if name == "_copy":
            args[-1].write_bytes(b"half of it")
        os.kill(os.getpid(), signal.SIGKILL)

    def work() -> None:
        setattr(module, name, die)  # in the child alone
        open_new("site", engine_kind).import_package(tmp_path / "p")

    killed(work)
    assert everything(site) == before
    assert site.import_package(tmp_path / "p").new["dataset"] == 10
    assert content(site, tmp_path, "site") == content(laptop, tmp_path, "laptop")
    assert site.verify(rehash=True).ok
    assert not list((site.root / "datastore").rglob(".tmp-*"))


def test_two_imports_at_once_store_everything_once(laptop, site, open_new, tmp_path, engine_kind):
    laptop.export(tmp_path / "p", calibs=True, provenance=True)
    children = []
    for _ in range(2):
        pid = os.fork()
        if pid == 0:
            try:
                open_new("site", engine_kind).import_package(tmp_path / "p")
            except BaseException:
                os._exit(1)
            os._exit(0)
        children.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0, 0]
    assert [event.kind for event in site.events()].count("import") == 1
    assert content(site, tmp_path, "site") == content(laptop, tmp_path, "laptop")
    assert site.verify(rehash=True).ok
