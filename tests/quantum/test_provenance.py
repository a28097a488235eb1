from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

from isrflow.quantum.provenance import content_key, software
from registry.canonical import canonical_json
from registry.refs import DataId, DatasetRef, Match

RAW = DatasetRef(uuid4(), "raw", "raw/tiny", DataId("tiny", 1, 0), "f" * 64, "a" * 64)
BIAS = Match(DatasetRef(uuid4(), "bias", "b", DataId("tiny", None, 0), "e" * 64, "b" * 64), 7, "calibs")
CONFIG = {"recipe": "IsrConfig", "settings": {"bias": {"enabled": True}}}


def key(task="isr", config=CONFIG, raw=RAW, bias=BIAS):
    return content_key(task, config, [("raw", raw)], {"bias": bias})


def test_the_key_minds_everything_that_can_change_a_pixel():
    other_bias = replace(BIAS, ref=replace(BIAS.ref, content_sha256="c" * 64))
    keys = {
        key(),
        key(task="other"),
        key(config={"recipe": "IsrConfig", "settings": {"bias": {"enabled": False}}}),
        key(raw=replace(RAW, content_sha256="c" * 64)),
        key(bias=other_bias),
    }
    assert len(keys) == 5


def test_the_key_minds_what_makes_an_input_that_is_not_there_yet():
    keys = {
        content_key("isr", CONFIG, [("raw", RAW)], {}, made) for made in (None, {"source:B": "1"}, {"source:B": "2"})
    }
    assert len(keys) == 3


def test_the_key_does_not_mind_the_settings_of_steps_that_are_off_nor_rows_that_came_later():
    settings = CONFIG["settings"] | {"fringe": {"enabled": False, "samples": 3}}
    assert key(config=CONFIG | {"settings": settings}) == key()
    settings["fringe"]["samples"] = 4
    assert key(config=CONFIG | {"settings": settings}) == key()
    settings["fringe"]["enabled"] = True
    assert key(config=CONFIG | {"settings": settings}) != key()
    assert key(config=CONFIG | {"maker": {"n_sigma": 3}}) != key()


def test_the_key_does_not_mind_ids_runs_collections_or_how_a_file_was_written():
    moved = replace(RAW, id=uuid4(), run="raw/elsewhere", sha256="0" * 64, path="/elsewhere.fits")
    certified_anew = replace(BIAS, validity_id=99, collection="calibs/other")
    assert key(raw=moved, bias=certified_anew) == key()


def test_software_is_the_same_text_every_time_and_names_what_can_change_a_pixel():
    assert canonical_json(software()) == canonical_json(software())
    assert {"isrflow", "numpy", "numba"} <= set(software()["packages"])
