"""The report of a night, written."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from flows.repo import Repo
from flows.report import page
from flows.report.facts import NightFacts, gather_facts
from flows.report.layout import FocalPlane, focal_plane
from flows.report.numbers import Numbers, read_numbers
from flows.report.pictures import contact_sheet, pairs

REPORTS = "reports"
"""The reports' directory in a repository."""


def write_report(repo: Repo, day: str | int, *, run: str | None = None, output: Path | None = None) -> Path:
    """Write the report of a night as one HTML file that needs nothing else.

    Parameters
    ----------
    day
        YYYYMMDD, or ``last``.
    run
        The collection of the products; ``night/YYYYMMDD`` by default.
    output
        Where it goes; ``reports/`` in the repository by default. An earlier report of the same name is replaced.

    Raises
    ------
    UserError
        If nothing of that day was processed; names the command that does.
    """
    facts = gather_facts(repo, day, run)
    plane = focal_plane(repo.camera)
    files = [(exposure, detector, repo.butler.path(ref)) for (exposure, detector), ref in facts.products.items()]
    amplifiers = {item.id: [amp.name for amp in item.amplifiers] for item in repo.camera.detectors}
    text = render(repo, facts, plane, read_numbers(files, amplifiers))
    path = output or repo.root / REPORTS / f"{facts.run.replace('/', '-')}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
    return path


def render(repo: Repo, facts: NightFacts, plane: FocalPlane, numbers: Numbers) -> str:
    """Return the page."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    from isrflow import __version__

    environment = Environment(
        loader=PackageLoader("flows.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"long_date": page.long_date, "clock": page.clock}
    return environment.get_template("night.html").render(
        repo=repo,
        camera=repo.camera,
        facts=facts,
        plane=plane,
        exposures=page.exposure_rows(facts, plane),
        troubles=page.troubles(facts),
        pairs=pairs(repo, facts, plane),
        contacts=contact_sheet(repo, facts, plane),
        maps=page.maps(numbers, plane),
        trends=page.trends(facts, numbers, plane),
        calib_groups=page.calib_groups(facts),
        settings=page.settings(facts),
        unit=numbers.unit,
        version=__version__,
        written=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    )
