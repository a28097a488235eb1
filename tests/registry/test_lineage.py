"""Lineage both ways: masters made from raws, products from raws and masters."""

from __future__ import annotations

from uuid import UUID

import pytest

from registry.canonical import sha256_json
from registry.errors import MissingDataset, UnknownName
from registry.refs import DataId, Match, QuantumSpec
from registry.timespan import ALL_TIME

D1 = DataId("lupine", detector=1)


@pytest.fixture
def made(butler):
    """Three biases -> a master; two science raws, corrected with it."""
    raws = [butler.put(n, "raw", DataId("lupine", 20260301000 + n, 1), "raw/lupine") for n in range(5)]
    biases, sciences = raws[:3], raws[3:]
    inputs = tuple((f"raw:{ref.data_id.exposure}", ref.id) for ref in biases)
    master = run(butler, "calibs/1", QuantumSpec("make_bias", D1, inputs, (), "m"), {"bias": "master"})
    diff = butler.certify("calibs", [master], ALL_TIME, reason="first light")
    match = Match(master, diff.added[0].id, "calibs")
    products = [
        run(
            butler,
            "night/1",
            QuantumSpec("isr", raw.data_id, (("raw", raw.id),), (("bias", match),), str(raw.id)),
            {"post_isr": n},
        )
        for n, raw in enumerate(sciences)
    ]
    return biases, master, sciences, products


def run(butler, collection, spec, outputs):
    (row,) = butler.plan(collection, [spec], config={"clip": 3}, software={"packages": {"isrflow": "1"}})
    assert butler.lease([row.id]) == [row.id]
    (ref,) = butler.publish(row.id, outputs, run=collection, data_id=spec.data_id)
    return ref


def test_up_goes_to_the_raws_of_the_masters(butler, made):
    biases, master, sciences, products = made
    found = butler.lineage(products[0], "up")
    assert set(found.nodes) == {ref.id for ref in (*biases, master, sciences[0], products[0])}
    assert {(edge.source, edge.product, edge.role, edge.task) for edge in found.edges} == {
        (sciences[0].id, products[0].id, "raw", "isr"),
        (master.id, products[0].id, "bias", "isr"),
        *((ref.id, master.id, f"raw:{ref.data_id.exposure}", "make_bias") for ref in biases),
    }


def test_down_goes_from_a_raw_through_the_master_to_all_products(butler, made):
    biases, master, _, products = made
    found = butler.lineage(biases[0].id, "down")
    assert set(found.nodes) == {ref.id for ref in (biases[0], master, *products)}
    assert {(edge.source, edge.product) for edge in found.edges} == {
        (biases[0].id, master.id),
        *((master.id, product.id) for product in products),
    }


def test_the_tree_can_be_read(butler, made):
    biases, master, sciences, products = made
    assert butler.lineage(products[0]).render().splitlines() == [
        str(products[0]),
        f"├─ bias: {master}",
        f"│  ├─ raw:20260301000: {biases[0]}",
        f"│  ├─ raw:20260301001: {biases[1]}",
        f"│  └─ raw:20260301002: {biases[2]}",
        f"└─ raw: {sciences[0]}",
    ]
    down = butler.lineage(biases[0], "down").render().splitlines()
    assert down[1] == f"└─ as raw:20260301000, by make_bias: {master}"
    assert sorted(line[6:] for line in down[2:]) == sorted(f"as bias, by isr: {ref}" for ref in products)


def test_the_ends_of_the_tree_say_so(butler, made):
    biases, _, _, products = made
    assert "made by no quantum of this registry" in butler.lineage(biases[0], "up").render()
    assert "nothing was made from it" in butler.lineage(products[0], "down").render()


def test_lineage_as_plain_values(butler, made):
    _, master, _, products = made
    plain = butler.lineage(products[0]).to_dict()
    assert plain["root"] == str(products[0].id)
    assert {"id": str(master.id), "type": "bias", "run": "calibs/1"}.items() <= next(
        node for node in plain["nodes"] if node["type"] == "bias"
    ).items()
    assert len(plain["edges"]) == 5


def test_provenance_says_how_and_why(butler, made):
    _, master, sciences, products = made
    record = butler.provenance(products[0])
    assert record.inputs.data == {"raw": sciences[0]}
    assert record.inputs.calibs == {"bias": master}
    assert (record.inputs.config, record.role) == ({"clip": 3}, "post_isr")
    assert record.validity["bias"].certified.reason == "first light"
    plain = record.to_dict()
    assert plain["calibs"]["bias"]["validity"] == "[the beginning, forever)"
    assert plain["calibs"]["bias"]["certified"].startswith("by tester at ")
    with pytest.raises(MissingDataset, match="was made by no quantum of this registry"):
        butler.provenance(sciences[0])


def test_a_fallback_shows_in_the_tree(butler, made):
    _, master, sciences, _ = made
    match = Match(master, None, "calibs", None, "nearest", 3 * 86400 * 10**9)
    spec = QuantumSpec("isr", sciences[0].data_id, (("raw", sciences[0].id),), (("bias", match),), "k")
    butler.register_collection("try/1", "RUN")
    product = run(butler, "try/1", spec, {"post_isr": 7})
    tree = butler.lineage(product)
    assert f"├─ bias (the nearest, 3 d away): {master}" in tree.render()
    (edge,) = [edge for edge in tree.to_dict()["edges"] if edge["role"] == "bias"]
    assert (edge["match"], edge["gap_s"]) == ("nearest", 259200.0)
    assert butler.provenance(product).to_dict()["calibs"]["bias"]["match"] == "nearest"


def test_verdicts_of_replays_are_kept_with_the_software(butler, made):
    _, master, _, products = made
    software = {"packages": {"isrflow": "2"}}
    butler.record_replays(
        [(products[0].id, "reproduced", {}), (master.id, "impossible", {"reasons": ["raw is gone"]})], software
    )
    butler.record_replays([(products[0].id, "differs", {"differences": [1]})], software)
    assert [row.verdict for row in butler.replays(products[0])] == ["reproduced", "differs"]
    (row,) = butler.replays(run="calibs/1")
    assert (row.verdict, row.detail, row.software_sha256) == (
        "impossible",
        {"reasons": ["raw is gone"]},
        sha256_json(software),
    )
    assert row.to_dict()["at"].endswith(" UTC")
    assert len(butler.done_quanta("night/1")) == 2
    assert len(butler.done_quanta(day_obs=20260301)) == 2
    with pytest.raises(UnknownName, match="0000"):
        butler.record_replays([(UUID(int=0), "differs", {})], software)


def test_events_are_listed_by_kind_and_between_events_or_times(butler, made):
    _, master, _, _ = made
    butler.mark([master], "bad", reason="streaks")
    assert [event.kind for event in butler.events()] == ["mark", "certify"]
    assert [event.seq for event in butler.events(kind="certify")] == [1]
    assert [event.seq for event in butler.events(since=2)] == [2]
    assert [event.seq for event in butler.events(since="2020-01-01")] == [2, 1]
    assert butler.events(since="2100-01-01") == []
    assert [event.seq for event in butler.events(as_of=1)] == [1]
    assert [event.seq for event in butler.events(1)] == [2]
