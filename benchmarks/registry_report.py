"""The comparison as a table, with the targets and whether they are met."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from registry_workload import CALIBS, Measure, Results

FULL_QUANTA = 18_900
FLAT = 2.0


@dataclass(frozen=True)
class Line:
    """One operation: how its measure is said, and what is asked of it; targets of seconds are scaled to the night."""

    name: str
    text: str
    say: Callable[[Measure], tuple[float, str]]
    """The number that is compared, the smaller the better, and its spelling."""
    target: float | None = None
    target_text: str = ""


def seconds(measure: Measure) -> tuple[float, str]:
    return measure.seconds, f"{measure.seconds:.3f} s" if measure.seconds < 100 else f"{measure.seconds:.0f} s"


def rate(measure: Measure) -> tuple[float, str]:
    return 1 / measure.rate, f"{measure.rate:,.0f}/s"


def p50(measure: Measure) -> tuple[float, str]:
    return measure.median, f"{1000 * measure.median:.2f} ms"


def p99(measure: Measure) -> tuple[float, str]:
    return measure.quantile(0.99), f"{1000 * measure.quantile(0.99):.1f} ms"


def megabytes(measure: Measure) -> tuple[float, str]:
    return measure.seconds, f"{measure.seconds:.0f} MB"


def lines(quanta: int) -> list[Line]:
    share = quanta / FULL_QUANTA
    resolved, planned = 1.5 * share, 3.0 * share
    return [
        Line("create", "create the repository", seconds),
        Line("describe", "instrument, types, exposures", seconds),
        Line("ingest", "ingest raws in place", rate, 1 / 10_000, ">= 10,000/s"),
        Line("ingest calibrations", "ingest calibrations in place", rate, 1 / 10_000, ">= 10,000/s"),
        Line("certify", "certify calibrations", rate, 1 / 20_000, ">= 20,000/s"),
        Line("find one", "find one calibration, p50", p50, 0.5e-3, "<= 0.5 ms"),
        Line("query a night", "query the raws of a night", seconds),
        Line("resolve a night", f"resolve a night x {len(CALIBS)} types", seconds, resolved, f"<= {resolved:.2f} s"),
        Line("persist the quanta", "persist the night's quanta", seconds, planned, f"<= {planned:.2f} s"),
        Line("load the quanta", "load them again", seconds),
        Line("one quantum", "lease, inputs, publish one, p50", p50, 50e-3, "<= 50 ms"),
        Line("put", "put", rate, 1 / 150, ">= 150/s"),
        Line("get by ref", "get by ref, p50", p50),
        Line("get by data id", "get by data id, p50", p50),
        Line("writers", "four writers, all together", rate),
        Line("writers", "four writers, p50", p50),
        Line("writers", "four writers, p99", p99, 0.1, "<= 100 ms"),
        Line("peak memory", "peak memory of the client", megabytes, 500, "<= 500 MB"),
    ]


def render(quanta: int, epochs: int, ours: Mapping[str, Results], theirs: Mapping[str, Results]) -> str:
    """Return the table: a line an operation, three columns an engine."""
    engines = list(ours)
    head = f"{'':34s}" + "".join(f"| {engine:^52s} " for engine in engines) + "| target"
    names = (
        f"{'':34s}"
        + "".join(f"| {'isrflow':>14s} {'daf_butler':>14s} {'ratio':>10s} {'':>10s} " for _ in engines)
        + "|"
    )
    body = []
    for line in lines(quanta):
        cells = "".join(f"| {_cell(line, ours[engine], theirs.get(engine))} " for engine in engines)
        body.append(f"{line.text:34s}{cells}| {line.target_text}")
    return "\n".join([head, names, *body, "", *_history(epochs, ours), "", *_notes(ours, theirs)])


def failures(quanta: int, ours: Mapping[str, Results]) -> list[str]:
    """Return the targets that were missed."""
    return [
        f"{engine}: {line.text} {line.say(results.measures[line.name])[1]}, target {line.target_text}"
        for engine, results in ours.items()
        for line in lines(quanta)
        if line.target is not None and line.say(results.measures[line.name])[0] > line.target
    ]


def _cell(line: Line, ours: Results, theirs: Results | None) -> str:
    value, text = line.say(ours.measures[line.name])
    mark = "" if line.target is None else "pass" if value <= line.target else "MISSED"
    other = None if theirs is None else theirs.measures.get(line.name)
    if other is None:
        return f"{text:>14s} {'-':>14s} {'':>10s} {mark:>10s}"
    their_value, their_text = line.say(other)
    their_text += "*" if other.note else ""
    return f"{text:>14s} {their_text:>14s} {f'{their_value / value:.1f}x':>10s} {mark:>10s}"


def _history(epochs: int, ours: Mapping[str, Results]) -> Iterator[str]:
    """Say whether more history makes anything slower."""
    yield f"with {epochs} epochs of calibrations instead (target: within {FLAT:g}x)"
    for engine, results in ours.items():
        for name, say in (("find one", p50), ("query a night", seconds), ("resolve a night", seconds)):
            before, after = say(results.measures[name]), say(results.measures[f"{name}, long history"])
            ratio = after[0] / before[0]
            mark = "pass" if ratio <= FLAT else "MISSED"
            yield f"    {engine:12s} {name:18s} {before[1]:>12s} -> {after[1]:>12s}  {ratio:5.2f}x  {mark}"


def _notes(*sides: Mapping[str, Results]) -> Iterator[str]:
    seen: set[str] = set()
    for side in sides:
        for engine, results in side.items():
            for name, measure in results.measures.items():
                if measure.note and measure.note not in seen:
                    seen.add(measure.note)
                    yield f"* {name} ({engine}): {measure.note}"
