"""Calibrations in files: FITS (our own form), and the ECSV, YAML, JSON and text forms of the reference.

The form is told by content, not by name.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits
from yaml import YAMLError

from isrflow.calibs.base import Calibration
from isrflow.calibs.image import ImageCalibration
from isrflow.calibs.kinds import KINDS
from isrflow.calibs.tabular import TableCalibration
from isrflow.calibs.yaml_forms import dump_yaml, load_yaml
from isrflow.errors import CalibrationError, CalibrationFileError, ConfigError, RawFileError
from isrflow.frame.fits import content_sha256, read_exposure, write_exposure
from isrflow.frame.fitsbytes import BLOCK, read_hdus

if TYPE_CHECKING:
    from astropy.table import Table

_GZIP = b"\x1f\x8b"
_ECSV, _YAML, _JSON = ".ecsv", frozenset({".yaml", ".yml"}), ".json"


def read_calibration(kind: str, path: str | Path) -> Calibration:
    """Read a calibration, check it, and return it.

    Parameters
    ----------
    kind
        A key of `KINDS`.
    path
        FITS (gzipped or not, checksums verified), ECSV, YAML, JSON, or for defects four columns of text.

    Raises
    ------
    ConfigError
        If there is no such kind.
    CalibrationFileError
        If the file is missing, damaged, of another kind, or holds values that contradict each other; names file and
        place.
    """
    calibration, path = calibration_type(kind), Path(path)
    with _naming(path, kind):
        if not path.is_file():
            raise CalibrationFileError("there is no such file")
        result = _read(calibration, path)
        result.check()
    return result


def write_calibration(calibration: Calibration, path: str | Path) -> str:
    """Check a calibration and write it in the form of the path's suffix: .fits, or .ecsv or .yaml for tables.

    Returns
    -------
    str
        `content_sha256` of the file.

    Raises
    ------
    CalibrationError
        If the calibration contradicts itself.
    ConfigError
        If the form cannot hold it.
    """
    path = Path(path)
    calibration.check()
    if isinstance(calibration, ImageCalibration) and path.suffix in (".fits", ".fit"):
        return write_exposure(calibration.exposure, path, cards=calibration.cards())
    if path.suffix in (".fits", ".fit"):
        path.write_bytes(_fits_bytes(calibration.to_hdus()))
    elif isinstance(calibration, TableCalibration) and path.suffix in _YAML:
        path.write_text(dump_yaml(calibration.to_tree(), tag_metadata=calibration.tags_metadata), encoding="utf-8")
    elif isinstance(calibration, TableCalibration) and path.suffix == _ECSV:
        _write_ecsv(calibration, path)
    else:
        raise ConfigError(f"a {calibration.kind} cannot be written as {path.name}", fix="name it .fits")
    return content_sha256(path)


def calibration_type(kind: str) -> type[Calibration]:
    """Return the type of a kind; raises `ConfigError` listing the kinds there are."""
    if kind not in KINDS:
        raise ConfigError(f"there is no calibration type {kind!r}; there are {', '.join(KINDS)}")
    return KINDS[kind]


def _read(calibration: type[Calibration], path: Path) -> Calibration:
    with path.open("rb") as file:
        start = file.read(16)
    if not start:
        raise CalibrationFileError("the file is empty", fix="copy or download the file again")
    if start.startswith((b"SIMPLE", _GZIP)):
        return _read_fits(calibration, path, start)
    if issubclass(calibration, TableCalibration):
        return _read_text(calibration, path, start)
    raise CalibrationFileError(f"not FITS (it begins with {start[:8]!r})")


def _read_fits(calibration: type[Calibration], path: Path, start: bytes) -> Calibration:
    _refuse_cut(path, start)
    if issubclass(calibration, ImageCalibration):
        return calibration.from_exposure(read_exposure(path))
    read_hdus(path)
    with fits.open(path, memmap=False) as hdus:
        return calibration.from_hdus(hdus)


def _refuse_cut(path: Path, start: bytes) -> None:
    """Refuse a file that ends within a block: astropy fills it up and goes on."""
    size = path.stat().st_size
    if size % BLOCK and not start.startswith(_GZIP):
        raise CalibrationFileError(
            f"truncated: {size} bytes are no whole blocks of {BLOCK}", fix="copy or download the file again"
        )


def _read_text(calibration: type[TableCalibration], path: Path, start: bytes) -> Calibration:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise CalibrationFileError(f"neither FITS nor text (it begins with {start[:8]!r})") from error
    if start.startswith(b"# %ECSV"):
        return calibration.read_tables([_read_ecsv(path)])
    if path.suffix == _JSON:
        return calibration.read_tree(_mapping(text))
    if path.suffix in _YAML:
        return calibration.read_tree(load_yaml(text))
    return calibration.from_text(text, path.name)


def _read_ecsv(path: Path) -> Table:
    from astropy.table import MaskedColumn, Table

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # old files have units and versions astropy remarks on
        try:
            table = Table.read(path, format="ascii.ecsv")
        except (ValueError, TypeError, LookupError, AttributeError, YAMLError) as error:
            raise CalibrationFileError(f"not an ECSV table that can be read: {_reason(error)}") from error
    for name in table.colnames:
        if isinstance(table[name], MaskedColumn):  # an empty cell: no text, or no number
            table[name] = table[name].filled("" if table[name].dtype.kind == "U" else np.nan)
    return table


def _mapping(text: str) -> Mapping[str, Any]:
    try:
        tree = json.loads(text)
    except json.JSONDecodeError as error:
        raise CalibrationFileError(f"not JSON: {error}") from error
    if not isinstance(tree, dict):
        raise CalibrationFileError(f"not a mapping but a {type(tree).__name__}")
    return tree


def _write_ecsv(calibration: TableCalibration, path: Path) -> None:
    tables = calibration.stated_tables()
    if len(tables) > 1:
        raise ConfigError(
            f"{path.name}: a {calibration.kind} of {len(tables)} tables does not fit into ECSV", fix="name it .fits"
        )
    tables[0].write(path, format="ascii.ecsv", overwrite=True)


def _fits_bytes(hdus: fits.HDUList) -> bytes:
    buffer = BytesIO()
    hdus.writeto(buffer, checksum=True)
    return buffer.getvalue()


@contextmanager
def _naming(path: Path, kind: str) -> Iterator[None]:
    """Name file and kind in whatever goes wrong while a file is read."""
    fix = f"check that {path.name} is a {kind} file, or name another"
    try:
        yield
    except (CalibrationError, RawFileError) as error:
        message = error.message if str(path) in error.message else f"{path}: {error.message}"
        raise CalibrationFileError(message, fix=error.fix or fix) from error
    except OSError as error:
        raise CalibrationFileError(f"{path} cannot be read: {error.strerror or error}", fix=fix) from error
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
        raise CalibrationFileError(f"{path} has not the form of a {kind}: {_reason(error)}", fix=fix) from error


def _reason(error: Exception) -> str:
    """Say what a value outside the expected form led to."""
    return f"there is no {error}" if isinstance(error, KeyError) else str(error)
