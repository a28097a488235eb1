"""A forger who sets every hash right: whatever is written into a manifest, the answer is one of ours, or nothing."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import suppress

from registry.errors import RegistryError
from registry.moving.manifest import ManifestWriter
from registry.moving.package import MANIFEST
from tests.registry.moving.conftest import everything, lines

NASTY = (None, 10**30, -1, "x", "'; drop table dataset; --", "../../x", [], {}, [None], True, 1.5, "\0", "\ud800")
GONE = object()


def mutations(records: list[dict]) -> Iterator[tuple[int, str, object]]:
    """Every key of one record of each kind, with every nasty value."""
    seen = set()
    for number, record in enumerate(records):
        if record["is"] in seen:
            continue
        seen.add(record["is"])
        yield from ((number, key, value) for key in record for value in (*NASTY, GONE))


def write(package, records: list[dict]) -> None:
    with ManifestWriter(package / MANIFEST) as manifest:
        for record in records:
            values = dict(record)
            manifest.write(values.pop("is", "tag"), **values)


def test_no_forged_value_does_harm(laptop, open_new, tmp_path):
    site, package = open_new("site"), tmp_path / "p"
    laptop.export(package, calibs=True, provenance=True)
    records = lines(package)[:-1]
    chosen = random.Random(7).sample(list(mutations(records)), 70)
    for number, key, value in chosen:
        forged = json.loads(json.dumps(records))
        forged[number].pop(key)
        if value is not GONE:
            forged[number][key] = value
        with suppress(UnicodeEncodeError):  # not even JSON can hold it
            write(package, forged)
        before = everything(site)
        try:
            site.import_package(package, dry_run=bool(number % 2))
        except RegistryError:
            assert everything(site) == before, (number, key, value)
    assert site.verify(rehash=True).ok
