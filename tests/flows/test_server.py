from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict

import pytest

from flows.engine import choose_engine
from flows.server import ServerError, ServerInfo, down, running, up


def test_without_a_server_auto_is_direct_and_says_why(tmp_path):
    choice = choose_engine("auto", tmp_path)
    assert choice.name == "direct"
    assert "isrflow up" in choice.reason


def test_direct_is_taken_at_its_word_even_if_a_server_is_configured(tmp_path, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:1/api")
    assert choose_engine("direct", tmp_path).name == "direct"


def test_a_configured_server_is_taken_by_auto(tmp_path, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:4200/api")
    choice = choose_engine("auto", tmp_path)
    assert (choice.name, choice.api_url, choice.is_own_server) == ("prefect", "http://127.0.0.1:4200/api", False)
    assert "PREFECT_API_URL" in choice.reason


def test_prefect_without_a_server_is_refused_with_the_command_that_starts_one(tmp_path):
    with pytest.raises(ServerError, match="isrflow up"):
        choose_engine("prefect", tmp_path)


def test_there_is_nothing_to_stop_where_nothing_was_started(tmp_path):
    assert down(tmp_path) is False
    assert running(tmp_path) is None


@pytest.mark.parametrize("pid", [2**22 + 1, os.getpid()], ids=["dead", "another program's"])
def test_a_stale_record_of_a_server_is_not_believed_and_nobody_is_killed(tmp_path, pid):
    home = tmp_path / "prefect"
    home.mkdir()
    info = ServerInfo("http://127.0.0.1:9", 9, pid, str(home / "server.log"))
    (home / "server.json").write_text(json.dumps(asdict(info)), encoding="utf-8")
    assert running(tmp_path) is None
    assert choose_engine("auto", tmp_path).name == "direct"
    assert down(tmp_path) is False
    assert not (home / "server.json").exists()


def test_a_record_that_cannot_be_read_is_no_server(tmp_path):
    (tmp_path / "prefect").mkdir()
    (tmp_path / "prefect" / "server.json").write_text("{", encoding="utf-8")
    assert running(tmp_path) is None


@pytest.mark.prefect
def test_a_server_that_cannot_start_is_reported_with_its_log(tmp_path):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ServerError, match=r"(?s)server\.log"):
            up(tmp_path, port=port, timeout_s=60)
    assert running(tmp_path) is None


def test_asking_for_a_server_imports_no_prefect(tmp_path):
    code = f"import sys, flows.server, flows.engine; flows.engine.choose_engine('auto', {str(tmp_path)!r})"
    code = code.replace(repr(str(tmp_path)), f"__import__('pathlib').Path({str(tmp_path)!r})")
    subprocess.run([sys.executable, "-c", f"{code}; assert 'prefect' not in sys.modules"], check=True, timeout=60)
