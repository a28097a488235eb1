"""Lineage both ways: masters made from raws, products from raws and masters."""

from __future__ import annotations

import pytest

from registry.errors import MissingDataset
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
