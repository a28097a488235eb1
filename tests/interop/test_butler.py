"""An lsst-daf-butler repository brought in: the same answers as that package gives, from our registry."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from astropy.io import fits
from astropy.time import TimeDelta

from flows.cli.app import run
from flows.interop.butler import bring_butler
from flows.repo import create_repo, open_repo
from registry.errors import ConflictError, UnavailableError, UserError
from registry.refs import DataId
from registry.times import parse_time
from registry.timespan import BEGINNING_NS, FOREVER_NS

ALL = ["Foreign/defaults", "Foreign/best"]
NAMES = ["cpBias=bias"]


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    root = tmp_path_factory.mktemp("ours") / "repo"
    create_repo(root, "tiny").close()
    return root


@pytest.fixture(scope="module")
def brought_dir(tmp_path_factory, empty, foreign):
    root = tmp_path_factory.mktemp("brought") / "repo"
    shutil.copytree(empty, root)
    with open_repo(root) as repo:
        bring_butler(repo, str(foreign.root), ALL, type_names=NAMES)
    return root


@pytest.fixture
def repo(tmp_path, empty):
    shutil.copytree(empty, tmp_path / "repo")
    with open_repo(tmp_path / "repo") as opened:
        yield opened


@pytest.fixture
def brought(brought_dir):
    with open_repo(brought_dir, read_only=True) as opened:
        yield opened


@pytest.fixture
def theirs(butler_module, foreign):
    butler = butler_module.Butler.from_config(str(foreign.root))
    yield butler
    butler.close()


def test_every_calibration_is_the_one_that_butler_finds(brought, theirs, foreign, butler_module):
    """Exposures beside a leap second, across edges of validity, in holes; both are asked for each type."""
    paths = {"bias": "cpBias", "flat": "flat", "dark": "dark"}
    exposures = {record.id: record for record in theirs.query_dimension_records("exposure", instrument="Foreign")}
    data_ids = [DataId("Foreign", number, detector) for number in foreign.exposures for detector in range(3)]
    ours = brought.butler.resolve(data_ids, dict.fromkeys(paths, False), ["Foreign/calibs"])
    found = missed = 0
    for data_id in data_ids:
        span = exposures[data_id.exposure].timespan
        middle = span.begin + TimeDelta((span.end - span.begin).sec / 2, format="sec")
        for kind, name in paths.items():
            ref = theirs.find_dataset(
                name,
                instrument="Foreign",
                detector=data_id.detector,
                collections=["Foreign/calibs"],
                timespan=butler_module.Timespan.fromInstant(middle),
                **({"physical_filter": exposures[data_id.exposure].physical_filter} if kind == "flat" else {}),
            )
            match = ours.matches[data_id].get(kind)
            if ref is None:
                assert match is None, (data_id, kind)
                missed += 1
            else:
                assert match is not None, (data_id, kind)
                assert match.ref.path == theirs.getURI(ref).ospath, (data_id, kind)
                found += 1
    assert (found, missed) == (len(data_ids) * 3 - missed, missed)
    assert found > 40
    assert missed >= 4


def test_ranges_of_validity_are_exact_to_the_nanosecond(brought):
    midnight = parse_time("2017-01-01T00:00:00")
    rows = [row for row in brought.butler.validity("Foreign/calib", "bias") if row.data_id.detector == 0]
    # The first second after a leap second: 23:59:60 lies between, so a minute before is 61 seconds by the clock.
    assert [(row.span.begin_ns, row.span.end_ns) for row in rows] == [
        (BEGINNING_NS, midnight - 60 * 10**9),
        (midnight - 60 * 10**9, midnight),
        (midnight, midnight + 35 * 10**9),
        (midnight + 35 * 10**9, midnight + 86400 * 10**9),
    ]
    assert parse_time("2016-12-31T23:59:00") == midnight - 61 * 10**9
    (always,) = [row for row in brought.butler.validity("Foreign/calib.old", "dark") if row.data_id.detector == 0]
    assert (always.span.begin_ns, always.span.end_ns) == (BEGINNING_NS, FOREVER_NS)


def test_exposures_keep_what_butler_says_of_them(brought, theirs):
    (ours,) = [record for record in brought.butler.exposures() if record.seq_num == 2]
    (there,) = theirs.query_dimension_records("exposure", instrument="Foreign", exposure=ours.id)
    assert (ours.begin_ns, ours.end_ns) == (there.timespan.model_dump())
    assert (ours.physical_filter, ours.obs_type, ours.object_name) == ("Fg", "science", "M 1")
    assert (ours.ra_deg, ours.dec_deg, ours.exposure_time_s) == (83.6, 22.0, 30.0)
    assert ours.attrs["zenith_angle"] == 41.5
    assert ours.attrs["has_simulated"] is False
    (instrument,) = [one for one in brought.butler.instruments() if one.name == "Foreign"]
    assert instrument.rollover_s == 43200.0  # noon UTC, as its observing day says


def test_collections_are_searched_in_the_same_order(brought, theirs):
    ours = {row.name: row for row in brought.butler.collections("Foreign/*")}
    for info in theirs.collections.query_info(["Foreign/calib*", "Foreign/defaults", "Foreign/raw/*", "Foreign/best"]):
        assert ours[info.name].kind == info.type.name
        assert ours[info.name].children == info.children
    tagged = brought.butler.datasets(collections=["Foreign/best"])
    assert len(tagged) == len(theirs.query_datasets("raw", "Foreign/best"))


def test_files_are_hashed_and_left_where_they_are(brought, theirs, foreign):
    ref = brought.butler.find("raw", DataId("Foreign", foreign.exposures[1], 2), ["Foreign/defaults"])
    there = theirs.find_dataset(
        "raw", instrument="Foreign", exposure=foreign.exposures[1], detector=2, collections=["Foreign/raw/all"]
    )
    assert ref.path == theirs.getURI(there).ospath
    assert len(ref.sha256) == 64
    with fits.open(brought.butler.path(ref)) as file:
        assert file[0].data[0, 0] == 1 + 2
    assert brought.butler.verify(rehash=True).ok


def test_again_is_harmless_and_says_so(repo, foreign):
    first = bring_butler(repo, str(foreign.root), ALL, type_names=NAMES)
    events = len(repo.butler.events(None))
    again = bring_butler(repo, str(foreign.root), ALL, type_names=NAMES)
    assert first.counts["datasets of raw"].new == 21
    assert first.counts["ranges of validity"].new == 4 * 3 + 2 * 3 + 2 * 2 + 2
    assert not any(count.new for count in again.counts.values()), again.render()
    assert len(repo.butler.events(None)) == events


def test_a_dry_run_tells_the_same_and_stores_nothing(repo, foreign):
    dry = bring_butler(repo, str(foreign.root), ALL, type_names=NAMES, dry_run=True)
    assert not repo.butler.collections("Foreign/*")
    wet = bring_butler(repo, str(foreign.root), ALL, type_names=NAMES)
    assert dry.counts == wet.counts
    assert "nothing was stored" in dry.render()


def test_a_condition_limits_exposures_but_no_calibrations(repo, foreign):
    report = bring_butler(
        repo, str(foreign.root), ALL, type_names=NAMES, where="exposure.seq_num < 2 AND instrument = 'Foreign'"
    )
    assert report.counts["datasets of raw"].new == 6
    assert report.counts["exposures"].new == 2
    assert report.counts["datasets of bias"].new == 12


def test_names_can_be_changed_on_the_way(repo, foreign):
    bring_butler(repo, str(foreign.root), ["Foreign/raw/all"], collection_names=["Foreign/raw/all=raw/Foreign"])
    assert {row.name for row in repo.butler.collections("*raw*")} == {"raw/tiny", "raw/Foreign"}
    assert len(repo.butler.datasets(collections=["raw/Foreign"])) == 21


def test_what_has_no_words_here_is_listed_whole_and_left(repo, foreign):
    report = bring_butler(repo, str(foreign.root), ["Foreign/strange", "Foreign/calib"])
    told = "\n".join(map(str, report.left))
    assert "dataset type visitSummary" in told
    assert "dataset type skyMapThing" in told
    assert "dataset type note: isrflow has no type of this name for its StructuredDataDict" in told
    assert (
        "dataset type linearizer: it is about (instrument) there, linearizer here about (detector, instrument)" in told
    )
    assert "--type cpBias=NAME" in told
    assert report.exit_code == 2
    assert report.counts["datasets of flat"].new == 6


@pytest.mark.parametrize(("harm", "told"), [("gone", "No such file"), ("cut off", "truncated")])
def test_a_file_that_is_gone_or_broken_is_left_and_named(repo, foreign, butler_module, harm, told):
    root = repo.root.parent / "copy"
    shutil.copytree(foreign.root, root)
    butler = butler_module.Butler.from_config(str(root))
    ref = butler.find_dataset("dark", instrument="Foreign", detector=0, collections=["Foreign/dark/1"])
    path = Path(butler.getURI(ref).ospath)
    butler.close()
    content = path.read_bytes()
    path.unlink()
    if harm == "cut off":
        path.write_bytes(content[:2900])
    report = bring_butler(repo, str(root), ["Foreign/dark/1"])
    (left,) = report.left
    assert left.what == "files of dark"
    assert told in left.reason
    assert left.names == (str(path),)
    assert report.counts["datasets of dark"].new == 1


def test_contradictions_are_listed_whole_and_nothing_is_stored(repo, foreign, butler_module):
    from registry.dimensions import DetectorRecord, FilterRecord, InstrumentRecord

    butler = repo.butler
    butler.register_instrument(
        InstrumentRecord("Foreign"), [DetectorRecord("Foreign", 1, "other")], [FilterRecord("Foreign", "Fr", "red")]
    )
    butler.register_collection("Foreign/calib", "RUN")
    before = butler.stats()
    with pytest.raises(ConflictError, match="nothing was stored") as caught:
        bring_butler(repo, str(foreign.root), ALL, type_names=NAMES)
    told = str(caught.value)
    assert "detector 1 of Foreign is other here, S01 there" in told
    assert "filter Fr of Foreign is of band red here, r there" in told
    assert "collection Foreign/calib is RUN here, CALIBRATION there" in told
    assert butler.stats() == before


def test_another_calibration_valid_here_is_a_contradiction(repo, foreign, tmp_path):
    from registry.ingest import IngestItem
    from registry.timespan import ALL_TIME

    bring_butler(repo, str(foreign.root), ["Foreign/flat"])
    path = tmp_path / "mine.fits"
    fits.PrimaryHDU([[1.0]]).writeto(path)
    for name, kind in (("mine", "RUN"), ("Foreign/calib", "CALIBRATION")):
        repo.butler.register_collection(name, kind)
    data_id = DataId("Foreign", None, 0, "Fr")
    (mine,) = repo.butler.ingest([IngestItem(path, "flat", data_id)], "mine").refs
    repo.butler.certify("Foreign/calib", [mine], ALL_TIME)
    with pytest.raises(ConflictError, match="flat Foreign detector=0 filter=Fr is valid"):
        bring_butler(repo, str(foreign.root), ["Foreign/calib"], type_names=NAMES)


def test_the_command_says_what_came_in_words_and_in_json(foreign, empty, tmp_path, capsys):
    shutil.copytree(empty, tmp_path / "repo")
    command = ["interop", "butler", str(foreign.root), "--collections", "Foreign/defaults,Foreign/strange"]
    command += ["--repo", str(tmp_path / "repo")]
    assert run([*command, "--dry-run"]) == 2
    told = capsys.readouterr().out
    assert "datasets of raw: 21 new" in told
    assert "dataset type cpBias" in told
    assert run([*command, "--json", "--type", "cpBias=bias"]) == 2
    document = json.loads(capsys.readouterr().out)
    assert document["counts"]["datasets of bias"] == {"new": 12, "known": 0}
    assert run([*command[:3], "--collections", "nothing", *command[5:]]) == 1
    assert "No collection with name 'nothing'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("collections", "options", "told"),
    [
        (["nothing*"], {}, "has no collection nothing"),
        (["nothing"], {}, "No collection with name 'nothing'"),
        (["Foreign/raw/all"], {"where": "exposure.sequence = 1"}, "daf_butler says"),
        (["Foreign/raw/all"], {"type_names": ["bias"]}, "does not say what is called how"),
        (["Foreign/raw/all"], {"type_names": ["cpBias=bais"]}, "there is no dataset type bais here"),
    ],
)
def test_wrong_wishes_are_refused_with_the_reason(repo, foreign, collections, options, told):
    with pytest.raises(UserError, match=told):
        bring_butler(repo, str(foreign.root), collections, **options)


def test_what_is_no_butler_repository_is_refused(repo, tmp_path):
    with pytest.raises(UnavailableError, match="cannot be opened as a butler repository"):
        bring_butler(repo, str(tmp_path), ["*"])
