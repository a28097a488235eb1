"""What we write has the form of the reference's own files: HDUs, columns, formats, units, shapes, cards and keys."""

from __future__ import annotations

import pytest

from isrflow.calibs.files import read_calibration, write_calibration
from tests.vectors.file_structure import extra_parts, missing_parts, structure
from tests.vectors.reference_files import KIND_OF, ROOT, expectations

STATED = expectations()
FILES = [name for name, stated in STATED.items() if KIND_OF.get(stated["class"], "exposure") != "exposure"]
# What the reference's writer forgets, although its reader asks for it; and what steps copy into headers.
OURS = (
    "keys / hasLinearity",
    "keys / override",
    "CALIB_CREATION_DATE",
    "CALIB_CREATION_TIME",
    "keys / metadata / INTEGRATION_METHOD",
    "meta / CALIBCLS",  # of curves, which there name a class only where the reference wrote them
    "PRIMARY / cards / OBSTYPE",
)


@pytest.mark.skipif(not FILES, reason="no files of the reference: set ISRFLOW_LSST_FILES")
@pytest.mark.parametrize("name", FILES or ["none"])
def test_a_file_of_the_reference_written_again_has_the_same_form(name, tmp_path) -> None:
    write_calibration(read_calibration(KIND_OF[STATED[name]["class"]], ROOT / name), tmp_path / name)
    theirs, ours = structure(ROOT / name), structure(tmp_path / name)
    if name.startswith("defects_empty"):  # an empty table of the reference has columns of doubles
        theirs["HDU 1"]["columns"] = {name: ("K", unit, dim) for name, (_, unit, dim) in _columns(theirs).items()}
    assert not list(missing_parts(theirs, ours))
    assert not [part for part in extra_parts(theirs, ours) if not part.endswith(OURS)]


def _columns(form):
    return form["HDU 1"]["columns"]
