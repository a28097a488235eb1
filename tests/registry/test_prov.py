"""PROV-JSON is read with the `prov` package, which knows nothing of how it was written."""

from __future__ import annotations

import io
import json
from uuid import UUID

import pytest
from prov.model import (
    ProvActivity,
    ProvAgent,
    ProvAssociation,
    ProvDerivation,
    ProvDocument,
    ProvEntity,
    ProvGeneration,
    ProvInvalidation,
    ProvMembership,
    ProvUsage,
)

from registry.errors import UnknownName
from registry.prov.names import PREFIXES, hash_uuid, moment
from registry.refs import DataId, Match, QuantumFailure, QuantumSpec
from registry.times import parse_time
from registry.timespan import ALL_TIME

D1 = DataId("lupine", detector=1)
PROV = "http://www.w3.org/ns/prov#"
OURS = PREFIXES["isrflow"]


def run(butler, collection, spec, outputs, failures=0):
    (row,) = butler.plan(collection, [spec], config={"clip": 3}, software={"packages": {"isrflow": "1"}})
    for _ in range(failures):
        assert butler.lease([row.id]) == [row.id]
        butler.fail(row.id, None, QuantumFailure("OSError", "the disk was full"))
    assert butler.lease([row.id]) == [row.id]
    metrics = {"seconds": 1.0, "cpu_s": 0.5, "peak_rss_bytes": 1000}
    (ref,) = butler.publish(row.id, outputs, run=collection, data_id=spec.data_id, metrics=metrics)
    return ref


@pytest.fixture
def made(butler):
    """Three biases -> a master, certified and withdrawn; two science raws corrected with it, one at the second try."""
    raws = [butler.put(n, "raw", DataId("lupine", 20260301000 + n, 1), "raw/lupine") for n in range(5)]
    inputs = tuple((f"raw:{ref.data_id.exposure}", ref.id) for ref in raws[:3])
    master = run(butler, "calibs/1", QuantumSpec("make_bias", D1, inputs, (), "m"), {"bias": "master"})
    diff = butler.certify("calibs", [master], ALL_TIME, reason="first light")
    match = Match(master, diff.added[0].id, "calibs")
    products = [
        run(
            butler,
            "night/1",
            QuantumSpec("isr", raw.data_id, (("raw", raw.id),), (("bias", match),), str(raw.id)),
            {"post_isr": n},
            failures=n,
        )
        for n, raw in enumerate(raws[3:])
    ]
    butler.decertify("calibs", [master], ALL_TIME, reason="a better one")
    return raws, master, products


def written(butler, about):
    out = io.StringIO()
    counts = butler.write_prov(out, about)
    document = ProvDocument.deserialize(content=out.getvalue(), format="json")
    return document, counts, json.loads(out.getvalue())


def of(document, kind):
    return [record for record in document.get_records() if type(record) is kind]


def uris(document, kind):
    return {record.identifier.uri for record in of(document, kind)}


def ends(record):
    """The first two formal attributes of a relation, as URIs."""
    return tuple(value.uri for _, value in record.formal_attributes[:2] if value is not None)


def role(record):
    (found,) = record.get_attribute("prov:role")
    return str(found)


def urn(ref_or_id):
    return f"urn:uuid:{getattr(ref_or_id, 'id', ref_or_id)}"


def test_a_product_leads_back_to_the_first_raws(butler, made):
    raws, master, products = made
    document, counts, _ = written(butler, products[0])
    entities = uris(document, ProvEntity)
    assert {urn(ref) for ref in (*raws[:4], master, products[0])} <= entities
    assert urn(products[1]) not in entities
    assert {ends(record) for record in of(document, ProvDerivation)} == {
        (urn(products[0]), urn(raws[3])),
        (urn(products[0]), urn(master)),
        *((urn(master), urn(raw)) for raw in raws[:3]),
    }
    # 6 datasets, 1 configuration, 2 runs, 1 statement of validity
    assert counts["entity"] == len(entities) == 10
    assert counts["activity"] == len(of(document, ProvActivity)) == 4  # two quanta, certify, decertify


def test_what_was_used_and_generated_stands_with_its_role_and_time(butler, made):
    raws, master, products = made
    document, _, _ = written(butler, products[0])
    record = butler.provenance(products[0])
    quantum = urn(record.inputs.quantum.uuid)
    used = {(role(one), ends(one)[1]) for one in of(document, ProvUsage) if ends(one)[0] == quantum}
    (validity,) = [what for name, what in used if name == "validity of bias"]
    assert used == {
        ("raw", urn(raws[3])),
        ("bias", urn(master)),
        ("config", urn(hash_uuid(record.inputs.config_sha256))),
        ("validity of bias", validity),
    }
    generated = {ends(one): role(one) for one in of(document, ProvGeneration) if one.get_attribute("prov:role")}
    assert generated[(urn(products[0]), quantum)] == "post_isr"
    (activity,) = document.get_record(
        next(a.identifier for a in of(document, ProvActivity) if a.identifier.uri == quantum)
    )
    assert activity.get_startTime() <= activity.get_endTime()
    assert activity.get_startTime().utcoffset().total_seconds() == 0


def test_entities_carry_their_hashes_and_types(butler, made):
    _, _, products = made
    document, _, _ = written(butler, products[0])
    (entity,) = [one for one in of(document, ProvEntity) if one.identifier.uri == urn(products[0])]
    told = {name.uri: value for name, value in entity.attributes}
    assert told[f"{OURS}sha256"] == products[0].sha256
    assert told[f"{OURS}contentSha256"] == products[0].content_sha256
    assert told[f"{PROV}type"].uri == f"{OURS}post_isr"


def test_validity_is_generated_by_certifying_and_invalidated_by_revoking(butler, made):
    _, _, products = made
    document, _, _ = written(butler, products[0])
    events = {str(next(iter(one.get_asserted_types()))): one.identifier.uri for one in of(document, ProvActivity)}
    (invalidated,) = of(document, ProvInvalidation)
    validity, revoked_by = ends(invalidated)
    assert revoked_by == events["isrflow:decertify"]
    assert (validity, events["isrflow:certify"]) in {ends(one) for one in of(document, ProvGeneration)}


def test_software_and_operator_are_associated_and_the_plan_is_the_configuration(butler, made):
    _, _, products = made
    document, _, _ = written(butler, products[0])
    record = butler.provenance(products[0])
    quantum = urn(record.inputs.quantum.uuid)
    software = [one for one in of(document, ProvAssociation) if ends(one)[0] == quantum and role(one) == "software"]
    (plan,) = software[0].get_attribute("prov:plan")
    assert plan.uri == urn(hash_uuid(record.inputs.config_sha256))
    types = {one.identifier.uri: next(iter(one.get_asserted_types())).uri for one in of(document, ProvAgent)}
    assert types[ends(software[0])[1]] == f"{PROV}SoftwareAgent"
    (operator,) = [one for one in of(document, ProvAssociation) if ends(one)[0] == quantum and role(one) == "operator"]
    assert types[ends(operator)[1]] == f"{PROV}Person"


def test_a_run_holds_its_products_and_all_attempts(butler, made):
    raws, _, products = made
    document, counts, _ = written(butler, "night/1")
    assert {ends(one)[1] for one in of(document, ProvMembership)} == {urn(ref) for ref in products}
    outcomes = sorted(str(next(iter(one.get_attribute("isrflow:outcome")), "")) for one in of(document, ProvActivity))
    assert outcomes == ["", "", "done", "done", "failed"]
    assert urn(raws[0]) not in uris(document, ProvEntity)  # what the master was made of is another run's story
    assert counts["wasDerivedFrom"] == 4


@pytest.mark.parametrize("about", ["product", "run", "master", "raw"])
def test_no_id_dangles_and_all_are_urns_of_uuids(butler, made, about):
    raws, master, products = made
    document, counts, plain = written(
        butler, {"product": products[1], "run": "night/1", "master": master, "raw": raws[0]}[about]
    )
    known = uris(document, ProvEntity) | uris(document, ProvActivity) | uris(document, ProvAgent)
    for uri in known:
        assert uri.startswith("urn:uuid:")
        UUID(uri)
    for record in document.get_records():
        for name, value in record.formal_attributes:
            if record.is_relation() and value is not None and hasattr(value, "uri"):
                assert value.uri in known, (record, name)
    assert counts == {section: len(plain.get(section, {})) for section in counts}
    assert sum(counts.values()) == len(document.get_records())


def test_the_round_trip_through_the_package_loses_nothing(butler, made):
    _, _, products = made
    document, _, _ = written(butler, products[1])
    assert ProvDocument.deserialize(content=document.serialize(format="json"), format="json") == document
    assert "wasGeneratedBy(" in document.get_provn()


def test_an_unknown_run_is_refused(butler):
    with pytest.raises(UnknownName, match="night/7"):
        butler.write_prov(io.StringIO(), "night/7")


def test_times_are_utc_and_a_leap_second_is_one_that_the_schema_knows():
    assert moment(parse_time("2026-03-01T22:00:00.25")) == "2026-03-01T22:00:00.250Z"
    assert moment(parse_time("2016-12-31T23:59:60.5")) == "2016-12-31T23:59:59.999Z"
