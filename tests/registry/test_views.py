"""The views against the standards, typed by hand from them, and against what the registry says in Python.

ObsCore 1.1 (REC-ObsCore-v1.1, table 6 and its errata on UCDs); IVOA Provenance Data Model 1.0 (attributes of its
classes, in lower case).
"""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest
from astropy.time import Time

from migrations.views import VIEW_NAMES_0002, VIEWS_0002
from registry.prov.names import hash_uuid
from registry.refs import DataId, Match, QuantumSpec
from registry.times import parse_time
from registry.timespan import ALL_TIME

D1 = DataId("lupine", detector=1)

OBSCORE = """
dataproduct_type  | text   |        | meta.code.class            | ObsDataset.dataProductType
calib_level       | int    |        | meta.code;obs.calib        | ObsDataset.calibLevel
obs_collection    | text   |        | meta.id                    | DataID.collection
obs_id            | text   |        | meta.id                    | DataID.observationID
obs_publisher_did | text   |        | meta.ref.ivoid             | Curation.publisherDID
access_url        | text   |        | meta.ref.url               | Access.reference
access_format     | text   |        | meta.code.mime             | Access.format
access_estsize    | int    | kbyte  | phys.size;meta.file        | Access.size
target_name       | text   |        | meta.id;src                | Target.name
s_ra | double | deg | pos.eq.ra | Char.SpatialAxis.Coverage.Location.Coord.Position2D.Value2.C1
s_dec | double | deg | pos.eq.dec | Char.SpatialAxis.Coverage.Location.Coord.Position2D.Value2.C2
s_fov             | double | deg    | phys.angSize;instr.fov     | Char.SpatialAxis.Coverage.Bounds.Extent.diameter
s_region          | text   |        | pos.outline;obs.field      | Char.SpatialAxis.Coverage.Support.Area
s_xel1            | int    |        | meta.number                | Char.SpatialAxis.numBins1
s_xel2            | int    |        | meta.number                | Char.SpatialAxis.numBins2
s_resolution      | double | arcsec | pos.angResolution          | Char.SpatialAxis.Resolution.Refval.value
t_min             | double | d      | time.start;obs.exposure    | Char.TimeAxis.Coverage.Bounds.Limits.StartTime
t_max             | double | d      | time.end;obs.exposure      | Char.TimeAxis.Coverage.Bounds.Limits.StopTime
t_exptime         | double | s      | time.duration;obs.exposure | Char.TimeAxis.Coverage.Support.Extent
t_resolution      | double | s      | time.resolution            | Char.TimeAxis.Resolution.Refval.value
t_xel             | int    |        | meta.number                | Char.TimeAxis.numBins
em_min            | double | m      | em.wl;stat.min             | Char.SpectralAxis.Coverage.Bounds.Limits.LoLimit
em_max            | double | m      | em.wl;stat.max             | Char.SpectralAxis.Coverage.Bounds.Limits.HiLimit
em_res_power      | double |        | spect.resolution           | Char.SpectralAxis.Resolution.ResolPower.refVal
em_xel            | int    |        | meta.number                | Char.SpectralAxis.numBins
o_ucd             | text   |        | meta.ucd                   | Char.ObservableAxis.ucd
pol_states        | text   |        | meta.code;phys.polarization| Char.PolarizationAxis.stateList
pol_xel           | int    |        | meta.number                | Char.PolarizationAxis.numBins
facility_name     | text   |        | meta.id;instr.tel          | Provenance.ObsConfig.Facility.name
instrument_name   | text   |        | meta.id;instr              | Provenance.ObsConfig.Instrument.name
"""
"""Every mandatory column of ObsCore 1.1: name, type, unit, UCD, utype."""

VOPROV = """
voprov_activity              | id name starttime endtime comment                             | Activity
voprov_entity                | id name location generatedattime invalidatedattime comment    | Entity
voprov_used                  | activity entity role time                                     | Used
voprov_wasgeneratedby        | entity activity role                                          | WasGeneratedBy
voprov_wasderivedfrom        | generatedentity usedentity                                    | WasDerivedFrom
voprov_agent                 | id name type comment                                          | Agent
voprov_wasassociatedwith     | activity agent role                                           | WasAssociatedWith
voprov_wasattributedto       | entity agent role                                             | WasAttributedTo
voprov_wasconfiguredby       | activity artefacttype configfile                              | WasConfiguredBy
voprov_configfile            | id name location comment                                      | ConfigFile
voprov_activitydescription   | id name type                                                  | ActivityDescription
voprov_entitydescription     | id name type                                                  | EntityDescription
voprov_usagedescription      | id role type                                                  | UsageDescription
voprov_generationdescription | id role type                                                  | GenerationDescription
"""
"""View, the attributes it must have, and the class of the model."""

NOT_NULL = ("calib_level", "obs_collection", "obs_id", "obs_publisher_did")
"""What ObsCore 1.1 does not allow to be null."""

KINDS = {"sqlite": {"text": "text", "int": "integer", "double": "real"}}
KINDS["postgresql"] = {"text": "text", "int": "bigint", "double": "double precision"}


def table_of(text):
    return [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]


def ask(butler, sql):
    with butler._repository.reading() as connection:
        return [dict(row) for row in connection.exec_driver_sql(sql).mappings()]


def run(butler, collection, spec, outputs):
    (row,) = butler.plan(collection, [spec], config={"clip": 3}, software={"packages": {"isrflow": "1"}})
    assert butler.lease([row.id]) == [row.id]
    return butler.publish(row.id, outputs, run=collection, data_id=spec.data_id)


@pytest.fixture
def made(butler):
    """Three biases -> a master; two science raws corrected with it, one of them with statistics."""
    raws = [butler.put(n, "raw", DataId("lupine", 20260301000 + n, 1), "raw/lupine") for n in range(5)]
    inputs = tuple((f"raw:{ref.data_id.exposure}", ref.id) for ref in raws[:3])
    (master,) = run(butler, "calibs/1", QuantumSpec("make_bias", D1, inputs, (), "m"), {"bias": "master"})
    diff = butler.certify("calibs", [master], ALL_TIME)
    calibs = (("bias", Match(master, diff.added[0].id, "calibs")),)
    products = []
    for number, raw in enumerate(raws[3:]):
        outputs = {"post_isr": number} | ({"statistics": 1} if number else {})
        spec = QuantumSpec("isr", raw.data_id, (("raw", raw.id),), calibs, str(raw.id))
        products.append({ref.type: ref for ref in run(butler, "night/1", spec, outputs)})
    return raws, master, products


def test_the_documentation_has_the_units_and_words_of_the_standard():
    page = (Path(__file__).parents[2] / "docs/provenance.md").read_text()
    rows = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in page.splitlines() if "|" in line]
    documented = {row[0]: row[1:5] for row in rows if len(row) >= 5}
    for name, *told in table_of(OBSCORE):
        assert documented[name] == told


def test_obscore_has_every_mandatory_column_and_no_other(butler, made):
    columns = [row[0] for row in table_of(OBSCORE)]
    assert len(columns) == 30
    assert set(ask(butler, "SELECT * FROM obscore")[0]) == set(columns)


def test_obscore_has_the_types_of_the_standard(butler, made, engine_kind):
    kinds = {name: KINDS[engine_kind][kind] for name, kind, *_ in table_of(OBSCORE)}
    if engine_kind == "postgresql":
        found = {
            row["column_name"]: row["data_type"]
            for row in ask(
                butler, "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'obscore'"
            )
        }
        assert found == kinds
        return
    for row in ask(butler, "SELECT " + ", ".join(f"typeof({name}) AS {name}" for name in kinds) + " FROM obscore"):
        assert {name: kind for name, kind in row.items() if kind != "null"}.items() <= kinds.items()


def test_obscore_shows_raws_and_products_of_the_sky_and_nothing_else(butler, made):
    raws, _, products = made
    repository = butler._repository.uuid if hasattr(butler._repository, "uuid") else None
    rows = ask(butler, "SELECT * FROM obscore")
    shown = {UUID(row["obs_publisher_did"].partition("?")[2]): row for row in rows}
    wanted = {ref.id: ref for ref in (*raws[3:], *(product["post_isr"] for product in products))}
    assert set(shown) == set(wanted)  # neither biases, nor masters, nor statistics
    for id_, row in shown.items():
        ref = wanted[id_]
        assert all(row[name] is not None for name in NOT_NULL)
        assert row["calib_level"] == (0 if ref.type == "raw" else 1)
        assert (row["obs_collection"], row["instrument_name"]) == (ref.run, "lupine")
        assert row["access_url"].startswith("isrflow://")
        assert row["access_url"].endswith(f"/{ref.path}")
        assert row["access_estsize"] == 1  # 38 bytes are a kilobyte begun
        assert (row["em_min"], row["em_max"]) == (552e-9, 691e-9)  # band r
        if repository is not None:
            assert f"ivo://isrflow/{repository}?{id_}" == row["obs_publisher_did"]


def test_obscore_times_are_mjd_in_utc_as_astropy_has_them(butler, made):
    rows = {row["obs_id"]: row for row in ask(butler, "SELECT * FROM obscore WHERE calib_level = 0")}
    row = rows["L20260301-003"]
    begin = Time("2026-03-01T22:03:00", scale="utc")
    assert row["t_min"] == pytest.approx(begin.mjd, abs=1e-10)  # 10 us: what a double holds of an MJD is 1 us
    assert (row["t_max"] - row["t_min"]) * 86400 == pytest.approx(30.0, abs=1e-5)
    assert (row["t_exptime"], row["t_xel"], row["em_xel"]) == (30.0, 1, 1)


EDGES = (
    *("1972-01-01T00:00:00", "1998-12-31T23:59:59", "1999-01-01T00:00:00", "2016-12-31T23:59:59.5"),
    *("2017-01-01T00:00:00", "2026-03-01T22:00:00"),
)


def test_leap_seconds_are_counted_at_their_edges(butler, engine_kind):
    from migrations import views

    for text in EDGES:
        ns = str(parse_time(text))
        mjd, moment = views._mjd(ns, engine_kind), views._moment(ns, engine_kind)
        (row,) = ask(butler, f"SELECT {mjd} AS mjd, {moment} AS moment")
        date, _, time = text.partition("T")
        midnight = Time(f"{date}T00:00:00", scale="utc").mjd
        hours, minutes, seconds = (float(part) for part in time.split(":"))
        # the day has 86400 s here, also one that is a second longer: said in the docstring of migrations.views
        assert row["mjd"] == pytest.approx(midnight + (hours * 3600 + minutes * 60 + seconds) / 86400, abs=1e-10)
        assert row["moment"] == (text if "." in text else f"{text}.0").ljust(23, "0")


def test_the_table_of_leap_seconds_is_that_of_erfa():
    import erfa

    from migrations.views import _LEAP_DAYS_0002

    known = erfa.leap_seconds.get()
    days = [f"{row['year']}-{row['month']:02d}-01" for row in known if row["year"] >= 1972]
    assert tuple(days) == _LEAP_DAYS_0002


def test_provenance_views_have_the_attributes_of_the_model(butler, made):
    for view, attributes, model_class in table_of(VOPROV):
        rows = ask(butler, f"SELECT * FROM {view}")
        assert rows, model_class
        assert set(attributes.split()) <= set(rows[0]), model_class


def test_every_view_is_checked_here_and_made_on_both_engines():
    assert {"obscore", *(row[0] for row in table_of(VOPROV))} == set(VIEW_NAMES_0002)
    assert {dialect: len(views) for dialect, views in VIEWS_0002.items()} == dict.fromkeys(
        ("sqlite", "postgresql"), len(VIEW_NAMES_0002)
    )


def test_relations_are_those_of_lineage(butler, made):
    _, _, products = made
    edges = {
        (edge.source, edge.product, edge.role, edge.quantum)
        for product in products
        for ref in product.values()
        for edge in butler.lineage(ref, "up").edges
    }
    urn = "urn:uuid:{}".format
    assert {
        (row["generatedentity"], row["usedentity"]) for row in ask(butler, "SELECT * FROM voprov_wasderivedfrom")
    } == {(urn(product), urn(source)) for source, product, _, _ in edges}
    used = {(row["activity"], row["entity"], row["role"]) for row in ask(butler, "SELECT * FROM voprov_used")}
    assert used == {(urn(quantum), urn(source), role) for source, _, role, quantum in edges}
    generated = {(row["activity"], row["entity"]) for row in ask(butler, "SELECT * FROM voprov_wasgeneratedby")}
    assert generated == {(urn(quantum), urn(product)) for _, product, _, quantum in edges}


def test_no_relation_dangles(butler, made):
    known = {
        name: {row["id"] for row in ask(butler, f"SELECT id FROM voprov_{name}")}
        for name in ("activity", "entity", "agent", "configfile", "activitydescription", "usagedescription")
    }
    for view, column, target in (
        ("used", "activity", "activity"),
        ("used", "entity", "entity"),
        ("used", "description", "usagedescription"),
        ("wasgeneratedby", "activity", "activity"),
        ("wasgeneratedby", "entity", "entity"),
        ("wasassociatedwith", "activity", "activity"),
        ("wasassociatedwith", "agent", "agent"),
        ("wasattributedto", "entity", "entity"),
        ("wasattributedto", "agent", "agent"),
        ("wasconfiguredby", "configfile", "configfile"),
        ("activity", "description", "activitydescription"),
    ):
        values = {row[column] for row in ask(butler, f"SELECT {column} FROM voprov_{view}")}
        assert values
        assert values <= known[target], (view, column)


def test_ids_of_software_and_configuration_are_those_of_prov_json(butler, made):
    _, _, products = made
    inputs = butler.provenance(products[0]["post_isr"]).inputs
    (config,) = ask(butler, "SELECT id, comment FROM voprov_configfile")
    assert (config["id"], config["comment"]) == (f"urn:uuid:{hash_uuid(inputs.config_sha256)}", '{"clip":3}')
    software = ask(butler, "SELECT id FROM voprov_agent WHERE type = 'SoftwareAgent'")
    assert [row["id"] for row in software] == [f"urn:uuid:{hash_uuid(inputs.software_sha256)}"]


def test_moments_are_texts_of_utc(butler, made):
    _, _, products = made
    (attempt,) = butler.provenance(products[0]["post_isr"]).attempts
    rows = {row["id"]: row for row in ask(butler, "SELECT * FROM voprov_activity")}
    quantum = butler.provenance(products[0]["post_isr"]).inputs.quantum.uuid
    row = rows[f"urn:uuid:{quantum}"]
    # the views are cut to the millisecond, as format_time is
    assert abs(parse_time(row["starttime"]) - attempt.started_ns) < 1_000_000
    assert abs(parse_time(row["endtime"]) - attempt.ended_ns) < 1_000_000
