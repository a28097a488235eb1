"""The documentation's page of names is the one the tables give."""

from pathlib import Path

from isrflow.lsst_names.page import page

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "config-names.md"


def test_the_committed_page_is_what_the_tables_give() -> None:
    assert PAGE.read_text() == page(), "run: python -m isrflow.lsst_names.page > docs/reference/config-names.md"
