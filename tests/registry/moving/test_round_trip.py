"""From a laptop to a site and back: the same content, and nothing twice."""

from __future__ import annotations

import pytest

from registry.errors import UserError
from registry.refs import DataId
from registry.timespan import ALL_TIME
from tests.registry.conftest import NIGHT
from tests.registry.moving.conftest import SPAN, content, everything, lines


@pytest.mark.parametrize("suffix", ["", ".zip"])
def test_there_and_back_the_content_is_the_same(laptop, site, open_new, tmp_path, suffix):
    package = tmp_path / f"night{suffix}"
    laptop.export(package, calibs=True, provenance=True)
    site.import_package(package)
    assert content(site, tmp_path, "site") == content(laptop, tmp_path, "laptop")
    again = tmp_path / f"back{suffix}"
    site.export(again, calibs=True, provenance=True)
    home = open_new("home")
    home.import_package(again)
    assert content(home, tmp_path, "home") == content(laptop, tmp_path, "laptop-again")


def test_what_arrives_can_be_used(laptop, site, tmp_path):
    laptop.export(tmp_path / "p", "type = 'post_isr'", calibs=True, provenance=True)
    answer = site.import_package(tmp_path / "p")
    first, second = site.datasets("type = 'post_isr'")
    assert site.get(first) == {"n": 0}
    assert {ref.type for ref in site.lineage(second).nodes.values()} == {"post_isr", "raw", "bias"}
    assert "clip" in str(site.provenance(second).to_dict())
    science = DataId("lupine", NIGHT * 1000 + 4, 1)
    resolution = site.resolve([science], {"bias": True}, ["calibs"])
    match = resolution.matches[science]["bias"]
    assert (site.get(match.ref), match.collection) == ({"level": 100}, "calibs")
    (row,) = site.validity("calibs")
    assert row.span == SPAN
    assert "first light (said by laptop in repository" in row.certified.reason
    assert [flag.flag for flag in site.flags()] == ["suspect"]
    assert site.verify(rehash=True).ok
    assert site.events(limit=50)[-1] is not None
    assert "import" in {event.kind for event in site.events()}
    assert answer.new["dataset"] == 10
    assert "datasets" in answer.render()


def test_what_a_context_finds_does_not_change_when_a_package_comes_in(laptop, site, tmp_path):
    """Datasets of a package were made long before, elsewhere; here they were not to be found then."""
    bias = laptop.datasets(type="bias")[0]
    laptop.export(tmp_path / "raws", "type = 'raw'")
    laptop.export(tmp_path / "p", calibs=True, provenance=True)
    site.import_package(tmp_path / "raws")
    site.register_collection(bias.run, "RUN")
    context = site.freeze_context("before", [bias.run])
    site.import_package(tmp_path / "p")
    science = DataId("lupine", NIGHT * 1000 + 4, bias.data_id.detector)
    now = site.resolve([science], {"bias": True}, [bias.run])
    assert now.matches[science]["bias"].ref.id == bias.id
    assert site.resolve([science], {"bias": True}, context="before").missing
    assert site.resolve([science], {"bias": True}, [bias.run], as_of=context.event_seq).missing


def test_importing_twice_changes_nothing(laptop, site, tmp_path):
    laptop.export(tmp_path / "p", calibs=True, provenance=True)
    site.import_package(tmp_path / "p")
    before = everything(site)
    answer = site.import_package(tmp_path / "p")
    assert (dict(answer.new), answer.event_seq) == ({}, None)
    assert "all of it is here already; nothing was changed" in answer.render()
    assert everything(site) == before


def test_a_dry_run_says_the_same_and_changes_nothing(laptop, site, tmp_path):
    laptop.export(tmp_path / "p", calibs=True, provenance=True)
    before = everything(site)
    planned = site.import_package(tmp_path / "p", dry_run=True)
    assert everything(site) == before
    assert not list((site.root / "datastore").rglob("*.json"))
    done = site.import_package(tmp_path / "p")
    assert planned.new == done.new
    assert "dry run: nothing was changed" in planned.render()


def test_only_what_is_new_is_added_later(laptop, site, tmp_path):
    laptop.export(tmp_path / "first", "type = 'raw'")
    assert site.import_package(tmp_path / "first").new["dataset"] == 5
    late = laptop.put({"n": 5}, "raw", DataId("lupine", NIGHT * 1000 + 5, 1), "raw/lupine")
    laptop.export(tmp_path / "second", "type = 'raw'")
    answer = site.import_package(tmp_path / "second")
    assert (answer.new["dataset"], answer.there["dataset"], answer.files) == (1, 5, 1)
    assert site.get(late.id) == {"n": 5}


def test_a_laptop_that_grew_beside_the_site_brings_its_own(laptop, site, tmp_path):
    """The same raws and the same camera are at both; only the rest is carried."""
    for n in range(5):
        site.put({"n": n}, "raw", DataId("lupine", NIGHT * 1000 + n, 1), "raw/lupine")
    laptop.export(tmp_path / "p", "type = 'post_isr'", provenance=True)
    answer = site.import_package(tmp_path / "p")
    assert (answer.there["dataset"], answer.new["dataset"]) == (5, 5)
    assert site.verify(rehash=True).ok


def test_a_selection_takes_along_only_what_it_needs(laptop, tmp_path):
    answer = laptop.export(tmp_path / "p", f"exposure = {NIGHT * 1000 + 3}", types=["post_isr"])
    assert (answer.asked, answer.counts["dataset"], answer.files) == (1, 1, 1)
    kinds = {record["is"] for record in lines(tmp_path / "p")}
    assert "quantum" not in kinds
    assert [r["id"] for r in lines(tmp_path / "p") if r["is"] == "exposure"] == [NIGHT * 1000 + 3]
    night = laptop.export(tmp_path / "q", f"exposure = {NIGHT * 1000 + 3} and type = 'raw'", calibs=True)
    assert night.counts["dataset"] == 2
    assert "1 asked for, 1 more that go with them" in night.render()


def test_a_package_without_files_brings_the_rows_and_a_later_one_the_files(laptop, site, tmp_path):
    laptop.export(tmp_path / "rows", calibs=True, provenance=True, files=False)
    answer = site.import_package(tmp_path / "rows")
    assert answer.files == 0
    science = DataId("lupine", NIGHT * 1000 + 4, 1)
    assert not site.resolve([science], {"bias": True}, ["calibs"]).matches.get(science)
    assert {ref.status for ref in site.datasets("status is not null")} == {"MISSING"}
    assert site.import_package(tmp_path / "rows").event_seq is None
    laptop.export(tmp_path / "files", calibs=True, provenance=True)
    late = site.import_package(tmp_path / "files")
    assert (late.returned, late.new.get("dataset", 0)) == (10, 0)
    assert site.get(site.datasets("type = 'bias'")[0]) == {"level": 100}
    assert content(site, tmp_path, "site") == content(laptop, tmp_path, "laptop")


def test_a_run_that_is_frozen_there_is_frozen_here_once_all_of_it_has_come(laptop, site, tmp_path):
    laptop.freeze("night/1", reason="published")
    laptop.export(tmp_path / "part", "type = 'post_isr'")
    site.import_package(tmp_path / "part")
    assert not site.collections("night/1")[0].frozen
    laptop.export(tmp_path / "all", "run = 'night/1'")
    site.import_package(tmp_path / "all")
    assert site.collections("night/1")[0].frozen


def test_what_was_deleted_here_does_not_rise_again(laptop, site, tmp_path):
    laptop.export(tmp_path / "p", "type = 'raw'")
    site.import_package(tmp_path / "p")
    with site._repository.writing() as connection:
        from registry.sql.datasets import set_status

        set_status(connection, [site.datasets("type = 'raw'")[0].id], "PURGED")
    answer = site.import_package(tmp_path / "p")
    assert answer.event_seq is None
    assert "was deleted here, and stays deleted" in answer.render()


def test_nothing_selected_is_an_error_with_the_way_to_find_out(laptop, tmp_path):
    with pytest.raises(UserError, match=r"no datasets match; nothing was exported\n.*--explain"):
        laptop.export(tmp_path / "p", "type = 'flat'")
    assert not (tmp_path / "p").exists()
    (tmp_path / "old").mkdir()
    with pytest.raises(UserError, match="exists already; a package is never written over"):
        laptop.export(tmp_path / "old")


def test_calibrations_valid_for_ever_stay_so(laptop, site, tmp_path):
    flat = laptop.put({"f": 1}, "flat", DataId("lupine", detector=1, physical_filter="r"), "calibs/1")
    laptop.certify("calibs", [flat], ALL_TIME, reason="dome")
    laptop.export(tmp_path / "p", "type = 'flat'")
    site.import_package(tmp_path / "p")
    science = DataId("lupine", NIGHT * 1000 + 4, 1)
    assert site.resolve([science], {"flat": True}, ["calibs"]).matches[science]["flat"].ref.id == flat.id
