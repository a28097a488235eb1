"""The deliberate differences, read from the one place that lists them: docs/compatibility.md.

An entry there is a heading with the reference's functions it is about, the condition, and the size::

    ### A square parallel overscan

    *Function:* `OverscanCorrectionTask.run`, `IsrTask.run`.
    *When:* the parallel overscan has as many rows as columns.
    ...
    *Size:* the range of the model over its columns.

An adapter that leaves something out of a comparison names a heading, and whether the condition holds is computed from
the vector's inputs. What is left out under a heading that is not about the vector's function fails.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "compatibility.md"
_NAMES = "Function|When|There|Here|Size"
_PART = re.compile(rf"\*({_NAMES}):\*\s*(.*?)(?=\s*\*(?:{_NAMES}):\*|\Z)", re.DOTALL)


@dataclass(frozen=True)
class Condition:
    """One entry of the page."""

    heading: str
    parts: dict[str, str]

    @property
    def functions(self) -> tuple[str, ...]:
        return tuple(re.findall(r"`([^`]+)`", self.parts.get("Function", "")))

    def is_about(self, function: str) -> bool:
        """Whether the entry names this function of the reference (settings in parentheses do not matter)."""
        bare = re.sub(r"\([^()]*\)", "", function)
        return any(name in function or name in bare for name in self.functions)


@lru_cache
def conditions() -> dict[str, Condition]:
    """Return heading to entry."""
    found = {}
    for block in re.split(r"^### ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        heading, _, body = block.partition("\n")
        body = re.split(r"^## ", body, flags=re.MULTILINE)[0]
        found[heading] = Condition(heading, {name: text.strip() for name, text in _PART.findall(body)})
    return found


def undocumented(function: str, headings: set[str]) -> list[str]:
    """Say which headings no entry has, or whose entry is not about the function."""
    known = conditions()
    missing = [f"no entry {heading!r}" for heading in headings if heading not in known]
    present = [known[heading] for heading in headings if heading in known]
    return missing + [f"{each.heading!r} does not name {function}" for each in present if not each.is_about(function)]
