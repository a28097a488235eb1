"""What is done, but has lost a product, is planned again; the new product must say what the old one said."""

from __future__ import annotations

import pytest

from registry.errors import ConflictError, UnknownName
from registry.ingest import IngestItem
from registry.refs import DataId, QuantumFailure, QuantumSpec

RUN = "night/1"
DATA_ID = DataId("lupine", 20260301005, 1)
VALUES = {"post_isr": [1, 2, 3], "statistics": {"mean": 2}}


@pytest.fixture
def raw(butler):
    return butler.put("raw", "raw", DATA_ID, "raw/lupine")


def plan(butler, raw, key="key", config=None, skipped=(), **options):
    specs = [] if skipped else [QuantumSpec("isr", DATA_ID, (("raw", raw.id),), (), key)]
    return butler.plan(RUN, specs, config=config or {}, software={}, skipped=skipped, **options)[0]


def make(butler, row, values=VALUES):
    assert butler.lease([row.id]) == [row.id]
    return {ref.type: ref for ref in butler.publish(row.id, values, run=RUN, data_id=DATA_ID)}


def file_of(butler, ref):
    return butler.root / "datastore" / ref.path


@pytest.mark.parametrize("noticed", [False, True])
def test_a_lost_product_is_made_again_by_the_next_plan_under_the_same_id(butler, raw, noticed):
    refs = make(butler, plan(butler, raw))
    file_of(butler, refs["post_isr"]).unlink()
    if noticed:
        butler.verify()
    row = plan(butler, raw)
    assert (row.state, row.reason) == ("planned", f"made again: the file is gone of post_isr {refs['post_isr'].short}")
    assert butler.events(1)[0].kind == "remake"
    assert butler.events(1)[0].payload["lost"] == [str(refs["post_isr"].id)]
    again = make(butler, row)
    assert {ref.id for ref in again.values()} == {ref.id for ref in refs.values()}
    assert butler.get(again["post_isr"]) == VALUES["post_isr"]
    assert (butler.quanta(RUN)[0].state, butler.quanta(RUN)[0].attempt) == ("done", 2)
    assert butler.verify(rehash=True).ok
    assert plan(butler, raw).state == "done"


def test_a_file_that_came_back_is_noticed_by_the_plan_and_nothing_is_made_again(butler, raw):
    refs = make(butler, plan(butler, raw))
    path = file_of(butler, refs["post_isr"])
    path.rename(path.with_suffix(".away"))
    butler.verify()
    path.with_suffix(".away").rename(path)
    assert plan(butler, raw).state == "done"
    assert {ref.status for ref in butler.datasets(f"run = '{RUN}'")} == {"LIVE"}


def test_another_content_than_before_is_refused_loudly_and_what_is_left_stays(butler, raw):
    refs = make(butler, plan(butler, raw))
    file_of(butler, refs["post_isr"]).unlink()
    row = plan(butler, raw)
    butler.lease([row.id])
    with pytest.raises(ConflictError, match=r"NOT REPRODUCED[\s\S]*post_isr [\s\S]*before, .* now[\s\S]*fix: restore"):
        butler.publish(row.id, {**VALUES, "post_isr": "noise"}, run=RUN, data_id=DATA_ID)
    butler.fail(row.id, None, QuantumFailure("ConflictError", "not reproduced"))
    assert butler.datasets(f"run = '{RUN}' and status = 'missing'")[0].id == refs["post_isr"].id
    assert butler.get(refs["statistics"]) == VALUES["statistics"]
    assert {finding.kind for finding in butler.verify().findings} == {"missing file"}
    assert plan(butler, raw, retry_failed=False).state == "failed"
    make(butler, plan(butler, raw))
    assert butler.verify(rehash=True).ok


def test_until_it_is_made_again_it_cannot_become_other_work(butler, raw):
    """Its other products would seem to have been made by the new configuration."""
    refs = make(butler, plan(butler, raw))
    file_of(butler, refs["post_isr"]).unlink()
    assert plan(butler, raw).state == "planned"
    with pytest.raises(ConflictError, match="configuration"):
        plan(butler, raw, key="other", config={"order": 3})
    assert plan(butler, raw, skipped=[("isr", DATA_ID, "no bias")]).state == "planned"
    assert butler.provenance(refs["statistics"]).inputs.config == {}


def test_failed_work_is_left_failed_if_it_shall_not_be_retried(butler, raw):
    row = plan(butler, raw)
    butler.lease([row.id])
    butler.fail(row.id, None, QuantumFailure("Boom", "no"), retriable=False)
    assert plan(butler, raw, retry_failed=False).state == "failed"
    assert plan(butler, raw).state == "planned"


def test_what_is_put_again_after_its_file_vanished_is_stored_again(butler, raw):
    file_of(butler, raw).unlink()
    again = butler.put("raw", "raw", DATA_ID, "raw/lupine", source="a backup")
    assert (again.id, again.status, butler.get(again)) == (raw.id, "LIVE", "raw")
    butler.put("raw", "raw", DATA_ID, "raw/lupine", source="a backup")
    assert [event.kind for event in butler.events()].count("put") == 1, "what is there already is no news"


@pytest.mark.parametrize("transfer", ["copy", "direct"])
def test_raws_that_moved_elsewhere_are_found_by_ingesting_them_from_there(butler, tmp_path, transfer):
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    old.write_text('{"written": 0, "value": 7}')
    (first,) = butler.ingest([IngestItem(old, "raw", DATA_ID)], "raw/lupine", "direct").refs
    old.rename(new)
    (second,) = butler.ingest([IngestItem(new, "raw", DATA_ID)], "raw/lupine", transfer).refs
    assert second.id == first.id
    assert butler.get(second.id) == 7
    file_of(butler, second).unlink()
    old.write_text('{"written": 0, "value": 8}')
    with pytest.raises(ConflictError, match="there already with other content; nothing was stored"):
        butler.ingest([IngestItem(old, "raw", DATA_ID)], "raw/lupine", transfer)


def test_an_unknown_quantum_cannot_be_published(butler):
    with pytest.raises(UnknownName, match="there is no quantum '999'"):
        butler.publish(999, VALUES, run=RUN, data_id=DATA_ID)
