"""Files that are cut, misnamed, of another form or malicious are refused: what, where, why and how to mend it."""

from __future__ import annotations

import copy
import itertools
import json
import re
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isrflow.calibs.base import Calibration
from isrflow.calibs.files import read_calibration, write_calibration
from isrflow.calibs.kinds import KINDS
from isrflow.calibs.tabular import TableCalibration
from isrflow.errors import CalibrationFileError
from isrflow.frame.box import Box
from tests.calibs.test_contract import a_detector

TABLES = [kind for kind, calibration in KINDS.items() if issubclass(calibration, TableCalibration)]
RAW = re.compile(r"\b[A-Z][a-z]\w*(Error|Exception|Warning)\b|has not the form of")  # what only Python itself says
STRANGE = ("nonsense", -7, [1, 2], [], {"a": 1}, [["x", "y"]], float("nan"), True, [1.0] * 5, "gone", None)


def an_example(kind: str) -> Calibration:
    return KINDS[kind].example(a_detector(n=1), np.random.default_rng(3))


def refusal(kind: str, path: Path) -> str | None:
    """Return why a file is refused, without raw words of Python, and with file and fix; None if it opens."""
    try:
        read_calibration(kind, path)
    except CalibrationFileError as caught:
        error = caught
    else:
        return None
    assert str(path) in error.message
    assert error.fix
    assert not RAW.search(error.message), error.message
    return error.message


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_file_cut_anywhere_is_refused(kind, tmp_path) -> None:
    whole = tmp_path / "whole.fits"
    write_calibration(an_example(kind), whole)
    content = whole.read_bytes()
    for size in {0, 1, 20, 2879, 2881, len(content) // 2, len(content) - 2880, len(content) - 1}:
        (tmp_path / "cut.fits").write_bytes(content[:size])
        assert refusal(kind, tmp_path / "cut.fits"), f"{size} of {len(content)} bytes"


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("suffix", [".yaml", ".ecsv", ".txt", ""])
def test_fits_is_told_by_its_content_not_by_its_name(kind, suffix, tmp_path) -> None:
    example = an_example(kind)
    write_calibration(example, tmp_path / "c.fits")
    misnamed = (tmp_path / "c.fits").rename(tmp_path / f"c{suffix}")
    assert read_calibration(kind, misnamed) == example


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("suffix", [".fits", ".ecsv", ".json", ".txt"])
def test_yaml_under_another_name_is_refused(kind, suffix, tmp_path) -> None:
    write_calibration(an_example(kind), tmp_path / "c.yaml")
    misnamed = (tmp_path / "c.yaml").rename(tmp_path / f"c{suffix}")
    assert refusal(kind, misnamed)


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize(
    "tag",
    [
        "!!python/object/apply:os.system ['touch {}']",
        "!!python/object/apply:subprocess.check_output [[touch, '{}']]",
        "!!python/object/new:pathlib.Path ['{}']",
        "!!python/name:os.system ''",
        "!!python/module:os ''",
        "!<lsst.afw.image.Anything> ['{}']",
    ],
)
def test_yaml_that_would_run_or_build_something_is_refused_and_does_nothing(kind, tag, tmp_path) -> None:
    path, victim = tmp_path / "c.yaml", tmp_path / "victim"
    write_calibration(an_example(kind), path)
    path.write_text(f"{path.read_text()}\nevil: {tag.format(victim)}\n")
    assert "not YAML that a calibration can be read from" in str(refusal(kind, path))
    assert not victim.exists()


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_without_one_of_its_columns_opens_or_says_which(kind, tmp_path) -> None:
    example = an_example(kind)
    for i, table in enumerate(example.stated_tables()):
        for name in table.colnames:
            path = tmp_path / f"{i}.fits"
            _write(example, path, i, lambda broken, name=name: broken.remove_column(name))
            why = refusal(kind, path)
            # a column that is only looked at together with others is named as the field it fills
            assert why is None or name.lower() in why.lower() or "_by_filter" in why, why


@pytest.mark.parametrize("kind", TABLES)
def test_a_column_of_another_kind_opens_or_is_named(kind, tmp_path) -> None:
    example = an_example(kind)
    in_turn = itertools.cycle(["text", float("nan"), [[7, 7], [7, 7], [7, 7]]])
    for i, table in enumerate(example.stated_tables()):
        for name in table.colnames:
            value = next(in_turn)

            def change(broken, name=name, value=value):
                broken[name] = [value] * len(broken)

            _write(example, tmp_path / "c.fits", i, change)
            refusal(kind, tmp_path / "c.fits")


def _write(example: TableCalibration, path: Path, i: int, change) -> None:
    tables = example.stated_tables()
    change(tables[i])
    broken = type("Broken", (type(example),), {"to_tables": lambda _: tables})
    calibration = object.__new__(broken)
    calibration.__dict__.update(example.__dict__)
    calibration.to_hdus().writeto(path, overwrite=True)


@pytest.mark.parametrize("kind", TABLES)
def test_a_strange_value_under_any_key_opens_or_is_named(kind, tmp_path) -> None:
    path = tmp_path / "c.json"
    tree = json.loads(json.dumps(an_example(kind).to_tree(), default=_plain))
    in_turn = itertools.cycle(STRANGE)  # four of eleven for each key, other ones for the next
    for keys in _places(tree):
        for value in itertools.islice(in_turn, 4):
            broken = copy.deepcopy(tree)
            holder = broken
            for key in keys[:-1]:
                holder = holder[key]
            if value == "gone":
                del holder[keys[-1]]
            else:
                holder[keys[-1]] = value
            path.write_text(json.dumps(broken))
            refusal(kind, path)


def _places(tree: dict, depth: int = 3) -> list[tuple]:
    """Return the paths of all keys, the first of each level's values gone into."""
    found = []
    for key, value in tree.items():
        found.append((key,))
        if isinstance(value, dict) and value and depth > 1:
            first = value if key == "metadata" else dict([next(iter(value.items()))])
            found += [(key, *rest) for rest in _places(first, depth - 1)]
    return found


def _plain(value):
    if isinstance(value, Box):
        return [value.x0, value.y0, value.width, value.height]
    return value.tolist() if hasattr(value, "tolist") else list(value)


@pytest.mark.parametrize("kind", ["ptc", "crosstalk", "shutter_motion", "bias"])
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_bytes_that_changed_on_the_way_are_noticed(kind, data, tmp_path) -> None:
    path = tmp_path / "c.fits"
    if not path.exists():
        write_calibration(an_example(kind), path)
    content = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= 1 << data.draw(st.integers(0, 7))
    (tmp_path / "changed.fits").write_bytes(bytes(content))
    assert refusal(kind, tmp_path / "changed.fits")


@pytest.mark.parametrize("suffix", [".yaml", ".ecsv"])
@pytest.mark.parametrize("kind", TABLES)
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_text_cut_or_garbled_opens_or_is_refused(kind, suffix, data, tmp_path) -> None:
    path = tmp_path / f"c{suffix}"
    if suffix == ".ecsv" and len(an_example(kind).stated_tables()) > 1:
        return
    if not path.exists():
        write_calibration(an_example(kind), path)
    text = path.read_text()
    at = data.draw(st.integers(0, len(text)))
    garbage = data.draw(st.text("[]{}:!&*-'\"\n \t0a", max_size=4))
    (tmp_path / f"garbled{suffix}").write_text(text[:at] + garbage + data.draw(st.sampled_from(["", text[at:]])))
    refusal(kind, tmp_path / f"garbled{suffix}")


def test_tables_without_checksums_are_still_looked_at(tmp_path) -> None:
    example = an_example("ptc")
    example.to_hdus().writeto(tmp_path / "p.fits")
    with fits.open(tmp_path / "p.fits", mode="update") as hdus:
        hdus[1].header["PTC_VERSION"] = "two"
    assert "PTC_VERSION is 'two', not a version number" in str(refusal("ptc", tmp_path / "p.fits"))
