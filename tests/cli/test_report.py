"""The report looked at in a browser: it opens from disk, asks nothing of the network, and fits the window."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flows.repo import open_repo
from flows.report.write import write_report

CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture(scope="module")
def page_file(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with open_repo(finished) as repo:
        return write_report(repo, "last", run="night/20260301", output=tmp_path_factory.mktemp("report") / "night.html")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if not CHROMIUM.exists():
        pytest.skip(f"no browser: {CHROMIUM} is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_report_opens_from_disk_without_error_or_network(
    browser: Any, page_file: Path, scheme: str, width: int
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: complaints.append(request.url) if request.url.startswith("http") else None)
    page.goto(page_file.as_uri())
    assert complaints == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert "Night of 1 March 2026" in page.inner_text("h1")
    loaded = "[...document.querySelectorAll('svg.mosaic')].every(svg => svg.getBoundingClientRect().height > 20)"
    assert page.evaluate(loaded)
    assert page.locator("svg.mosaic").count() >= 4  # before and after in two filters, and the contact sheet
    assert page.locator("svg.map").count() >= 5
    assert page.locator(".cells i.skipped").count() == 2
    page.close()


def test_the_report_is_one_file_of_modest_size(page_file: Path) -> None:
    text = page_file.read_text()
    assert "<link" not in text
    assert "<script" not in text
    assert 'src="' not in text
    assert page_file.stat().st_size < 2_000_000  # a camera of thumbnails; lupine's night takes some 4 MB
