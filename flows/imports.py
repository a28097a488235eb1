"""Bringing in calibrations that were made elsewhere: tables and pictures from files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flows.repo import Repo, refuse_own_run
from isrflow.calibs.base import Calibration
from isrflow.calibs.files import calibration_type, read_calibration
from isrflow.errors import CalibrationError, CalibrationFileError, GeometryError, IsrflowError
from isrflow.frame.camera import Camera, Detector
from isrflow.frame.exposure import Exposure
from registry.refs import DataId, DatasetRef


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What was brought in."""

    run: str
    refs: Sequence[DatasetRef]
    next_steps: Sequence[str] = ()

    @property
    def exit_code(self) -> int:
        """0: an import is whole, or it is refused."""
        return 0

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        datasets = [{"id": str(ref.id), "type": ref.type, **ref.data_id.to_dict()} for ref in self.refs]
        return {"run": self.run, "datasets": datasets, "next_steps": list(self.next_steps), "exit_code": 0}

    def render(self) -> str:
        """Return the report as text."""
        lines = [f"{len(self.refs)} calibrations imported into {self.run}", *(f"  {ref}" for ref in self.refs)]
        return "\n".join([*lines, "next:", *(f"  {step}" for step in self.next_steps)])


def import_calib(
    repo: Repo,
    kind: str,
    files: Sequence[Path],
    *,
    detector: int | str | None = None,
    physical_filter: str | None = None,
    exposure: int | None = None,
    run: str | None = None,
) -> ImportReport:
    """Bring calibration files into a run, to be certified afterwards.

    Parameters
    ----------
    kind
        A calibration type: bias, linearizer, ...
    files
        FITS, ECSV or YAML, in our layouts or those of the reference.
    detector, physical_filter, exposure
        Whose they are, where a file does not say so itself.
    run
        Collection they go to; ``imported/KIND`` by default, or ``imported/KIND/PART`` where there are several.

    Raises
    ------
    ConfigError
        If there is no such type.
    CalibrationError
        If files cannot be read, belong to nobody or to somebody else than said, or do not fit their detector: all are
        listed, and nothing is stored.
    ConflictError
        If the run holds another calibration for the same detector.
    """
    calibration_type(kind)
    repo.furnish()
    target = run or f"imported/{kind}"
    refuse_own_run(repo, target)
    found: dict[tuple[str, DataId], tuple[Path, Calibration]] = {}
    problems: list[str] = []
    for path in files:
        try:
            calibration = read_calibration(kind, path)
            owner = _owner(calibration, repo.camera, detector)
            data_id = _data_id(calibration, repo, owner, physical_filter)
            data_id = replace(data_id, exposure=_exposure(calibration, repo, exposure))
            place = (f"{target}/{calibration.part}" if calibration.part and not run else target), data_id
            if place in found:
                raise CalibrationError(
                    f"is a {kind} for {data_id}, and so is {found[place][0]}", fix="bring one into another run: --out"
                )
            found[place] = (path, _completed(calibration, repo, owner, data_id))
        except IsrflowError as error:
            problems.append(f"  {path}: {error.message.removeprefix(f'{path}: ')}{_advice(error)}")
    if problems:
        raise CalibrationError(
            f"{len(problems)} of {len(files)} files cannot be imported, so nothing was:\n" + "\n".join(problems)
        )
    return _store(repo, kind, target, found)


def _store(
    repo: Repo, kind: str, run: str, found: Mapping[tuple[str, DataId], tuple[Path, Calibration]]
) -> ImportReport:
    for name in dict.fromkeys(name for name, _ in found):
        repo.butler.register_collection(name, "RUN", f"{kind} imported from files")
    refs = [
        repo.butler.put(calibration, kind, data_id, name, source=str(path.absolute()))
        for (name, data_id), (path, calibration) in found.items()
    ]
    if "exposure" in calibration_type(kind).dimensions:  # belongs to it for good
        return ImportReport(run, refs, (f"isrflow query datasets \"type = '{kind}'\"",))
    return ImportReport(run, refs, (f"isrflow calibs certify {run} --begin YYYYMMDD",))


def _advice(error: IsrflowError) -> str:
    """Return the advice of an error, unless it is the general one to look at the file."""
    return f"; {error.fix}" if error.fix and not isinstance(error, CalibrationFileError) else ""


def _owner(calibration: Calibration, camera: Camera, said: int | str | None) -> Detector | None:
    """Return the detector a calibration belongs to, by its own account or by what was said; both must agree.

    A calibration that is looked up without a detector, as that of a filter, belongs to none.
    """
    info = calibration.info
    if info.instrument and not camera.is_called(info.instrument):
        raise CalibrationError(
            f"belongs to instrument {info.instrument}, this repository is of {camera.name}"
            " (another name of it would be listed under `aliases` in the instrument's YAML)"
        )
    if "detector" not in calibration.dimensions:
        if said is not None:
            raise CalibrationError(f"a {calibration.kind} serves all detectors", fix="leave out --detector")
        return None
    keys = [key for key in (info.detector_id, info.detector_name, info.detector_serial) if key not in (None, "")]
    own = {_detector(camera, key).id for key in keys if key is not None}
    if said is not None:
        own |= {_detector(camera, said).id}
    if not own and len(camera.detectors) == 1:
        return camera.detectors[0]
    if not own:
        raise CalibrationError("does not say which detector it is for", fix="name it: --detector N")
    if len(own) > 1:
        stated = ", ".join(str(key) for key in keys)
        raise CalibrationError(f"says it is for detector {stated}" + (f", not {said}" if said is not None else ""))
    return camera.detector(own.pop())


def _exposure(calibration: Calibration, repo: Repo, said: int | None) -> int | None:
    """Return the exposure a calibration was taken with, by what was said or by its own account; None if with none."""
    if "exposure" not in calibration.dimensions:
        if said is not None:
            raise CalibrationError(f"a {calibration.kind} serves many exposures", fix="leave out --exposure")
        return None
    words = {"exposure": said} if said is not None else dict(calibration.exposure_words())
    if not words:
        raise CalibrationError("does not say which exposure it was taken with", fix="name it: --exposure N")
    found = repo.butler.exposures(" and ".join(f"{name} = :{name}" for name in words), bind=words)
    stated = ", ".join(f"{name} {value}" for name, value in words.items())
    if len(found) != 1:
        known = ", ".join(str(record.id) for record in found[:5])
        raise CalibrationError(
            f"was taken with {stated}; the repository has {known or 'no such exposure'}",
            fix="name it: --exposure N" if found else "ingest its raws first, or name another: --exposure N",
        )
    return found[0].id


def _detector(camera: Camera, key: int | str) -> Detector:
    try:
        return camera.detector(key)
    except GeometryError as error:
        raise CalibrationError(error.message) from error


def _data_id(calibration: Calibration, repo: Repo, owner: Detector | None, said: str | None) -> DataId:
    dimensions = repo.butler.dataset_types()[calibration.kind].dimensions
    stated = calibration.info.physical_filter
    if stated and said and stated != said:
        raise CalibrationError(f"says it is for filter {stated}, not {said}")
    chosen = stated or said
    if "physical_filter" in dimensions and not chosen:
        raise CalibrationError("does not say which filter it is for", fix="name it: --filter F")
    if "physical_filter" in dimensions and repo.camera.filters and repo.camera.band_of(chosen) is None:
        known = ", ".join(item.name for item in repo.camera.filters)
        raise CalibrationError(f"is for filter {chosen}, camera {repo.camera.name} has {known}")
    detector = None if owner is None else owner.id
    return DataId(repo.instrument, detector=detector, physical_filter=chosen).subset(dimensions)


def _completed(calibration: Calibration, repo: Repo, owner: Detector | None, data_id: DataId) -> Calibration:
    """Write the identity that was found out into the calibration, which must fit its detector."""
    if owner is None:
        stated = replace(calibration.info, instrument=repo.camera.name, physical_filter=data_id.physical_filter)
        return replace(calibration, info=stated)
    info = replace(
        calibration.info,
        instrument=repo.camera.name,
        detector_id=owner.id,
        detector_name=owner.name,
        detector_serial=owner.serial,
        physical_filter=data_id.physical_filter,
    )
    complete = replace(calibration, info=info)
    reason = complete.mismatch(_blank(owner))
    if reason:
        raise CalibrationError(reason)
    return complete


def _blank(detector: Detector) -> Exposure:
    import numpy as np

    pixel = np.broadcast_to(np.uint16(0), detector.raw_box.shape)  # no memory: only its shape is looked at
    return Exposure(pixel, detector=detector)
