from __future__ import annotations

import pytest
from typer.main import get_command

from flows.cli.app import app, run
from flows.cli.options import examples_of


def commands(group, prefix: str = "isrflow"):
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}", command


ALL = dict(commands(get_command(app)))
PROMISED = {
    *("init", "demo", "up", "down", "status", "recover", "ingest", "simulate", "db upgrade", "db current", "db check"),
    *("calibs build", "calibs import", "calibs certify", "calibs decertify", "calibs list", "night", "reprocess"),
    *("query", "explain", "recipe", "get", "show", "lineage", "report", "run"),
    *("export", "import", "interop butler", "delete", "gc"),
    *("provenance", "events", "verify", "replay", "capsule"),
    *("impact", "recall", "unrecall", "diff", "whatif", "coverage", "lint"),
    *("verify", "replay", "provenance", "events", "capsule", "delete", "gc", "db check", "interop butler"),
    *("calibs match-mode", "policy set", "policy list", "context freeze", "context list", "context show"),
    *("flag set", "flag clear", "flag list", "header correct", "header restore", "header list"),
    *(f"collections {verb}" for verb in ("list", "chain", "tag", "untag", "freeze")),
}


def test_every_promised_command_exists_and_no_other() -> None:
    assert set(ALL) == {f"isrflow {name}" for name in PROMISED}


@pytest.mark.parametrize("group", ["calibs", "collections", "context", "db", "flag", "header", "interop", "policy"])
def test_the_help_of_a_group_cuts_no_sentence_off(isrflow, group: str) -> None:
    assert "..." not in isrflow(group, "--help").out.partition("Commands:")[2]


@pytest.mark.parametrize("path", ALL)
def test_every_command_has_an_example_json_and_a_sentence(path: str) -> None:
    command = ALL[path]
    assert examples_of(command.epilog)
    assert all(example.startswith(path) for example in examples_of(command.epilog))
    assert "--json" in {name for parameter in command.params for name in parameter.opts}
    assert command.help.splitlines()[0].endswith(".")


@pytest.mark.parametrize("path", ALL)
def test_the_examples_parse_and_the_help_shows_them(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    import shlex

    command = ALL[path]
    for line in examples_of(command.epilog):
        words = shlex.split(line)[len(path.split()) :]
        command.make_context(path, words)  # raises if an option or argument does not exist
    assert run([*path.split()[1:], "--help"]) == 0
    shown = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert set(examples_of(command.epilog)) <= set(shown)


@pytest.mark.parametrize(
    ("typed", "told", "next_command"),
    [
        (["nigth"], "No such command 'nigth'. Did you mean 'night'", "isrflow night --help"),
        (["calibs", "certfy"], "Did you mean 'certify'", "isrflow calibs certify --help"),
        (["init"], "isrflow init: Missing argument 'DIR'", "isrflow init repo --instrument lupine"),
        (["init", "repo"], "Missing option '--instrument'", "isrflow init repo --instrument lupine"),
        (["init", "x", "--instrumnt", "tiny"], "did you mean --instrument?", "isrflow init repo --instrument lupine"),
        (["query", "exposurs"], "did you mean exposures?", "isrflow query exposures"),
        (["simulate", "x", "--night", "20260301", "--science", "many"], "--science", "isrflow simulate"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistyped_command_says_what_is_meant_and_exits_with_one(
    typed: list[str], told: str, next_command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(typed) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("error: isrflow")
    assert told in shown.err
    assert f"  try: {next_command}" in shown.err


def test_outside_a_repository_the_exit_code_is_four_and_init_is_named(shell) -> None:
    for command in (["status"], ["night", "20260301"], ["query", "exposures"], ["ingest", "a.fits"], ["db", "current"]):
        typed = shell(*command, code=4)
        assert "is not a repository" in typed.err
        assert "isrflow init" in typed.err


def test_errors_are_json_on_stdout_when_json_is_asked_for(shell) -> None:
    typed = shell("status", "--json", code=4)
    assert typed.json["exit_code"] == 4
    assert typed.json["error"] == "UnavailableError"
    assert "isrflow init" in typed.json["try"]


def test_a_defect_is_called_one_and_shows_its_traceback_only_on_demand(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from flows.present.failures import describe, report

    failure = describe(ZeroDivisionError("division by zero"))
    assert failure.exit_code == 3
    assert report(failure, error=ZeroDivisionError("division by zero")) == 3
    quiet = capsys.readouterr().err
    assert "a defect of isrflow, not of your data" in quiet
    assert "Traceback" not in quiet
    monkeypatch.setenv("ISRFLOW_DEBUG", "1")
    report(failure, error=ZeroDivisionError("division by zero"))
    assert "ZeroDivisionError" in capsys.readouterr().err
