"""The words of certification: the command that does it, and the pieces of time that are still free."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from registry.refs import DatasetRef
from registry.times import spell_time
from registry.timespan import BEGINNING_NS, FOREVER_NS, Timespan

_FEW = 5


def certify_command(refs: Sequence[DatasetRef], span: Timespan, collection: str, mode: str) -> str:
    """Return the command that certifies datasets: a few by their ids, many by their run, which holds them all."""
    runs = list(dict.fromkeys(ref.run for ref in refs))
    what = [ref.short for ref in refs] if len(refs) <= _FEW else runs
    words = ["isrflow calibs certify", *what]
    # Without a begin a certification would not know where to begin; the word says it of all time.
    words += ["--begin", spell_time(span.begin_ns) if span.begin_ns > BEGINNING_NS else "'the beginning'"]
    words += ["--end", spell_time(span.end_ns)] if span.end_ns < FOREVER_NS else []
    return " ".join([*words, "--collection", collection, "--mode", mode])


def free_pieces(span: Timespan, taken: Iterable[Timespan]) -> list[Timespan]:
    """Return what is left of a range without others, in order."""
    left = [span]
    for other in taken:
        left = [piece for one in left for piece in one.difference(other)]
    return left
