"""The face: opening, putting and getting, asking, and what it costs to import."""

from __future__ import annotations

import subprocess
import sys
from uuid import uuid4

import pytest

from registry.butler import Butler
from registry.dimensions import DIMENSIONS
from registry.errors import (
    AmbiguousId,
    ConflictError,
    CorruptDataset,
    MissingDataset,
    UnavailableError,
    UnknownName,
    UserError,
)
from registry.refs import DataId, dataset_uuid
from registry.timespan import ALL_TIME

D0, D1 = DataId("lupine", detector=0), DataId("lupine", detector=1)


def test_opening_what_is_not_a_repository_names_init(tmp_path, formatters):
    with pytest.raises(UnavailableError, match="is not a repository\n  fix: isrflow init"):
        Butler(tmp_path, formatters=formatters)


def test_a_repository_is_not_made_twice(butler, formatters):
    with pytest.raises(UserError, match="there is already a registry database"):
        Butler.create(butler.root, formatters=formatters)


def test_a_database_elsewhere_is_refused(tmp_path, formatters):
    with pytest.raises(UserError, match=r"keeps its database in .*repo/registry.sqlite3"):
        Butler.create(tmp_path / "repo", url=f"sqlite:///{tmp_path}/other.sqlite3", formatters=formatters)


def test_what_is_put_can_be_got(butler):
    ref = butler.put({"level": 100}, "bias", D0, "calibs/1")
    assert ref.id == dataset_uuid("calibs/1", "bias", D0)
    assert butler.get(ref) == butler.get(ref.id) == {"level": 100}
    assert butler.path(ref) == butler.root / "datastore/calibs/1/bias/_" / f"bias_lupine_0_{ref.short}.json"
    assert butler.exists(ref)


def test_putting_the_same_content_again_is_harmless(butler):
    first = butler.put({"level": 100}, "bias", D0, "calibs/1")
    assert butler.put({"level": 100}, "bias", D0, "calibs/1") == first
    assert len(list((butler.root / "datastore").rglob("*.json"))) == 1


def test_putting_other_content_is_refused_and_changes_nothing(butler):
    ref = butler.put({"level": 100}, "bias", D0, "calibs/1")
    with pytest.raises(ConflictError, match=f"bias {ref.short}, .*content {ref.content_sha256[:12]} before"):
        butler.put({"level": 101}, "bias", D0, "calibs/1")
    assert butler.get(ref) == {"level": 100}
    assert butler.verify(rehash=True).ok


def test_a_value_that_cannot_be_written_leaves_nothing(butler):
    with pytest.raises(TypeError, match="not JSON serializable"):
        butler.put(object(), "bias", D0, "calibs/1")
    assert (
        butler.verify().render() == "0 file(s) present and of the right size, 0 event(s) in the log: all as registered"
    )
    assert list(butler.root.joinpath("datastore").rglob("*.json")) == []


@pytest.mark.parametrize(
    ("type_", "data_id", "run", "says"),
    [
        ("biass", D0, "calibs/1", "no dataset type 'biass'; did you mean 'bias'"),
        ("bias", D0, "calib/1", "no collection 'calib/1'; did you mean 'calibs/1'"),
        ("bias", DataId("lupine", detector=7), "calibs/1", "lupine has no detector 7"),
        ("bias", DataId("lupin", detector=0), "calibs/1", "no instrument 'lupin'; did you mean 'lupine'"),
        ("flat", D0, "calibs/1", "a flat needs physical_filter, which 'lupine detector=0' does not say"),
        ("bias", D0, "calibs", "collection calibs is CALIBRATION; this needs a RUN collection"),
    ],
)
def test_putting_something_unknown_names_the_nearest(butler, type_, data_id, run, says):
    with pytest.raises(UserError, match=says):
        butler.put({}, type_, data_id, run)
    assert butler.datasets("status = 'staged'") == []


def test_an_output_keeps_those_dimensions_that_its_type_has(butler):
    full = DataId("lupine", 20260301005, 1, "r")
    assert [ref.data_id for ref in butler.publish(None, {"bias": 1, "post_isr": 2}, run="night/1", data_id=full)] == [
        D1,
        DataId("lupine", 20260301005, 1),
    ]


def test_a_file_that_is_gone_or_cut_is_said_to_be(butler):
    ref = butler.put({"level": 100}, "bias", D0, "calibs/1")
    butler.path(ref).write_text("{}")
    with pytest.raises(CorruptDataset, match=f"has 2 bytes instead of {ref.size}"):
        butler.get(ref)
    (butler.root / "datastore" / ref.path).unlink()
    with pytest.raises(MissingDataset, match=r"the file of bias .* is gone"):
        butler.get(ref)
    assert not butler.exists(ref)
    with pytest.raises(MissingDataset, match=r"no dataset .* is registered here"):
        butler.get(uuid4())


def test_short_ids(butler):
    first = butler.put(1, "bias", D0, "calibs/1")
    assert butler.resolve_id(first.short) == first
    assert butler.query("datasets", f"id = '{first.short}'")[0]["id"] == str(first.id)
    with pytest.raises(UnknownName, match="no dataset has an id that begins with"):
        butler.resolve_id("0000" if first.short[:4] != "0000" else "ffff")
    seconds = [
        butler.put(n, "raw", DataId("lupine", 20260301000 + n, d), "raw/lupine") for n in range(6) for d in (0, 1)
    ]
    by_start = {}
    for ref in [first, *seconds]:
        by_start.setdefault(ref.id.hex[:1], []).append(ref)
    start, several = next((start, refs) for start, refs in by_start.items() if len(refs) > 1)
    assert {row["id"] for row in butler.query("datasets", f"id = '{start}'")} == {str(ref.id) for ref in several}


def test_ambiguous_ids_list_all(butler, monkeypatch):
    monkeypatch.setattr("registry.sql.datasets._SHORTEST_ID", 0)
    butler.put(1, "bias", D0, "calibs/1")
    butler.put(2, "bias", D1, "calibs/1")
    with pytest.raises(AmbiguousId, match="2 datasets have an id that begins with"):
        butler.resolve_id("")


def test_finding_first_along_a_chain(butler):
    butler.register_collection("calibs/2", "RUN")
    old = butler.put(1, "bias", D0, "calibs/1")
    new = butler.put(2, "bias", D0, "calibs/2")
    other = butler.put(3, "bias", D1, "calibs/1")
    butler.set_chain("best", ["calibs/2", "calibs/1"])
    assert butler.find("bias", D0, ["best"]) == new
    assert butler.find("bias", D1, ["best"]) == other
    assert butler.find("bias", D0, ["calibs/1", "best"]) == old
    assert butler.find("flat", D0, ["best"]) is None


def test_datasets_by_collection_type_and_condition(butler):
    biases = [butler.put(n, "bias", d, "calibs/1") for n, d in enumerate((D0, D1))]
    raws = [butler.put(n, "raw", DataId("lupine", 20260301000 + n, 0), "raw/lupine") for n in range(6)]
    butler.tag("good", [raws[4], biases[1]])
    butler.certify("calibs", biases[:1], ALL_TIME, reason="test")
    assert set(butler.datasets()) == {*biases, *raws}
    assert set(butler.datasets(collections=["good"])) == {raws[4], biases[1]}
    assert butler.datasets(collections=["calibs"]) == biases[:1]
    assert butler.datasets("obs_type = 'science' and physical_filter = 'r'", type="raw") == raws[3:]
    assert butler.datasets("seq_num > 3", type=["raw", "bias"], order_by=["-seq_num"], limit=1) == raws[5:]
    assert butler.datasets("run ~ 'calibs/*' and detector != 0") == biases[1:]
    assert butler.query("collections", "kind = 'tagged'")[0]["name"] == "good"
    assert [row["exposure"] for row in butler.query("exposures", "obs_type = :t", bind={"t": "bias"})] == [
        20260301000,
        20260301001,
        20260301002,
    ]


def test_where_something_came_from_is_in_the_log(butler):
    ref = butler.put(1, "bias", D0, "calibs/1", source="/import/bias.fits")
    (event,) = butler.events()
    assert (event.kind, event.actor, event.payload) == (
        "put",
        "tester",
        {"dataset": str(ref.id), "type": "bias", "source": "/import/bias.fits"},
    )


def test_reading_only_refuses_every_change(butler, make_butler):
    ref = butler.put(1, "bias", D0, "calibs/1")
    reader = make_butler(read_only=True)
    assert reader.get(ref) == 1
    with pytest.raises(UserError, match="was opened for reading only"):
        reader.put(2, "bias", D1, "calibs/1")


def test_counts_and_the_table_for_notebooks(butler):
    butler.put(1, "bias", D0, "calibs/1")
    counted = butler.stats()
    assert (counted["exposures"], counted["datasets"], counted["bias datasets"]) == (6, 1, 1)
    assert counted["unfinished writes"] == 0
    assert "<td>bias datasets</td><td>1</td>" in butler._repr_html_()
    assert set(DIMENSIONS) == {"instrument", "detector", "physical_filter", "exposure"}


def test_importing_is_cheap():
    heavy = {"lark", "alembic", "astropy", "pandas", "numpy", "prefect", "isrflow"}
    code = f"import sys, registry.butler; print({heavy!r} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "set()"
