"""Commands shown in the README and the docs are run as a reader would type them.

Every ``console`` block's lines that begin with ``$`` are run in order, in one new directory a document. A command that
is meant to fail says so in a comment: ``# exits 1``. A block that cannot be run here is preceded by
``<!-- not run: reason -->``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"(?P<skip><!-- not run: [^>]+-->\n)?```console\n(?P<body>.*?)```", re.DOTALL)
DOCUMENTS = [
    path for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))] if "```console" in path.read_text()
]


def commands(document: Path) -> list[tuple[str, int]]:
    lines = []
    for block in BLOCK.finditer(document.read_text()):
        if not block["skip"]:
            body = block["body"].replace("\\\n", " ")
            lines += [line[2:] for line in body.splitlines() if line.startswith("$ ")]
    found = []
    for line in lines:
        exits = re.search(r"# exits (\d)", line)
        found.append((line, int(exits[1]) if exits else 0))
    return found


def test_the_readme_opens_with_the_two_commands():
    text = (ROOT / "README.md").read_text()
    assert text.index("make demo") < 1500
    assert text.index("make test") < 1500


@pytest.mark.slow
@pytest.mark.parametrize("document", DOCUMENTS, ids=[str(path.relative_to(ROOT)) for path in DOCUMENTS])
def test_commands_of_a_document_run_as_shown(document, tmp_path):
    env = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "NO_COLOR": "1",
        "COLUMNS": "120",
    }
    env.pop("ISRFLOW_REPO", None)
    for line, expected in commands(document):
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == expected, f"$ {line}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr


def test_relative_links_between_documents_lead_somewhere():
    broken = []
    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")]:
        targets = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", path.read_text())
        broken += [f"{path.relative_to(ROOT)} -> {target}" for target in targets if not (path.parent / target).exists()]
    assert not broken


def test_the_reference_shows_every_part_of_the_butler_and_nothing_twice():
    """Methods of `Butler` live in one file a room; a new room without a line in the reference would stay unseen."""
    pages = "\n".join(path.read_text() for path in (ROOT / "docs" / "reference").glob("*.md"))
    shown = re.findall(r"^::: (\S+)", pages, re.MULTILINE)
    faces = {f"registry.face.{path.stem}" for path in (ROOT / "registry" / "face").glob("*.py")}
    assert faces - {"registry.face.__init__", "registry.face.base"} <= set(shown)
    assert len(shown) == len(set(shown))


def test_every_page_is_in_the_navigation():
    """Pages of single steps are listed by the page of steps, which is generated."""
    shown = set(re.findall(r": (\S+\.md)", (ROOT / "mkdocs.yml").read_text()))
    pages = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    assert {page for page in pages if not page.startswith("steps/")} <= shown
