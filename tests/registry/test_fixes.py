"""Every command that the registry suggests exists, with the options it is given."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import click
import pytest
import typer

from flows.cli.app import app

ROOT = Path(__file__).parents[2] / "registry"
COMMAND = re.compile(r"isrflow ((?:[a-z]+ )*[a-z]+)((?:[^`;,]*?--[a-z-]+)*)")


def suggestions():
    """Return (file, command words, options) of all texts with a command line in them."""
    found = set()
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            texts = []
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts = [node.value]
            elif isinstance(node, ast.JoinedStr):
                texts = ["".join(part.value if isinstance(part, ast.Constant) else "X" for part in node.values)]
            for text in texts:
                for words, rest in COMMAND.findall(text.replace("``", "`")):
                    found.add((path.name, words, tuple(re.findall(r"--[a-z-]+", rest))))
    return sorted(found)


@pytest.mark.parametrize(("file", "words", "options"), suggestions())
def test_suggested_commands_exist(file, words, options):
    command: click.Command = typer.main.get_command(app)
    for word in words.split():
        deeper = command.commands.get(word) if hasattr(command, "commands") else None
        if deeper is None:
            break
        command = deeper
    if words.split()[0] in PROSE.get(file, ()):
        return
    assert command.name != "isrflow", f"{file} suggests 'isrflow {words}'"
    assert not hasattr(command, "commands"), f"{file} suggests 'isrflow {words}', which is a group"
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    assert set(options) <= known, f"{file}: isrflow {words} has no {set(options) - known}"


PROSE = {"database.py": ("registry",), "migrate.py": ("registry",)}
"""Texts that speak of an "isrflow registry"."""
