"""Buckets that speak the S3 protocol, through s3fs; credentials and endpoint come from the environment, as AWS's do.

``AWS_ENDPOINT_URL``, ``AWS_PROFILE``, ``AWS_ACCESS_KEY_ID`` and their like say where and who; a URL says only
``s3://bucket/prefix``, so that no password is ever stored with a repository.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from registry.datastore.base import OWN, FileInfo
from registry.errors import UnavailableError, UserError

PART_BYTES = 16 << 20
"""Size of the pieces in which larger files travel; two are in memory at a time."""
_AT_ONCE = 2
_TRIES = 4
_UNKNOWN_TO_THE_SERVER = frozenset({"NotImplemented", "501", "InvalidArgument", "InvalidRequest", "400"})
_PROBE = f"{OWN}probe"
_CREDENTIALS = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, of somebody who may read and write it"


class S3Bucket:
    """The part of a bucket below a prefix.

    Parameters
    ----------
    url
        ``s3://bucket/prefix``.

    Raises
    ------
    UserError
        If the URL is not of this form.
    UnavailableError
        If s3fs is not installed.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "s3" or not parts.hostname or parts.username or parts.query or parts.fragment:
            raise UserError(f"{url!r} does not name a place in object storage", fix="write s3://BUCKET/PREFIX")
        self._name, prefix = parts.netloc, parts.path.strip("/")
        self._prefix = f"{prefix}/" if prefix else ""
        self.url = f"s3://{self._name}/{prefix}".rstrip("/")
        self._systems: dict[int, Any] = {}
        self._refuses_to_replace: bool | None = None
        self._is_there = False
        _import_s3fs()

    def upload(self, source: Path, key: str) -> None:
        """Store a local file, whole or not at all; `FileExistsError` if there is an object of this name.

        Of a server that does not know conditions, or ignores them, the name is asked for first: then the registry's
        journal alone keeps two writers apart.
        """
        condition = {"mode": "create"} if self._can_refuse() else {}
        if not condition and self.size(key) is not None:
            raise FileExistsError(f"{self.url}/{key} exists")
        self._ask("put_file", str(source), self._path(key), chunksize=PART_BYTES, max_concurrency=_AT_ONCE, **condition)

    def download(self, key: str, target: Path) -> None:
        """Copy an object to a local path."""
        self._ask("get_file", self._path(key), str(target))

    def size(self, key: str) -> int | None:
        """Return the size in bytes, or None if there is no such object."""
        try:
            return int(self._call("head_object", Key=self._prefix + key)["ContentLength"])
        except FileNotFoundError:
            if not self._is_there:  # the answer does not tell whether the bucket is
                self._call("list_objects_v2", Prefix=self._prefix, MaxKeys=1)
                self._is_there = True
            return None

    def copy(self, source: str, target: str) -> None:
        """Copy an object within the bucket, in parts if it is larger than one request may copy."""
        self._ask("cp_file", self._path(source), self._path(target))

    def delete(self, key: str) -> None:
        """Remove an object, if there is one."""
        self._call("delete_object", Key=self._prefix + key)

    def scan(self, prefix: str) -> Iterator[FileInfo]:
        """Yield the objects whose key begins with a text."""
        for item in self._pages("list_objects_v2", "Contents", "ContinuationToken", "NextContinuationToken", prefix):
            yield self._info(item, int(item["Size"]), item["LastModified"])

    def abort_uploads(self, before_ns: int, *, dry_run: bool) -> list[FileInfo]:
        """Give up uploads that began before a time and were never finished, and return them."""
        found = []
        for item in list(self._pages("list_multipart_uploads", "Uploads", "KeyMarker", "NextKeyMarker", "")):
            info = self._info(item, 0, item["Initiated"])
            if info.modified_ns < before_ns:
                found.append(info)
                if not dry_run:
                    self._call("abort_multipart_upload", Key=item["Key"], UploadId=item["UploadId"])
        return found

    def _pages(self, method: str, items: str, ask: str, answer: str, prefix: str) -> Iterator[dict[str, Any]]:
        """Yield what a listing holds, page by page."""
        here: dict[str, Any] = {}
        while True:
            page = self._call(method, Prefix=self._prefix + prefix, **here)
            yield from page.get(items, ())
            if not page.get("IsTruncated"):
                return
            here = {ask: page[answer]}
            if "NextUploadIdMarker" in page:
                here["UploadIdMarker"] = page["NextUploadIdMarker"]

    def _info(self, item: dict[str, Any], size: int, modified: Any) -> FileInfo:
        return FileInfo(item["Key"].removeprefix(self._prefix), size, int(modified.timestamp() * 1e9))

    def _can_refuse(self) -> bool:
        """Try once whether the server refuses to replace an object when asked to, with an empty one of our own."""
        if self._refuses_to_replace is None:
            self._refuses_to_replace = self._refuses_probe() or self._refuses_probe()
            if not self._refuses_to_replace:
                text = f"{self.url}: the server does not know conditional writes; names are looked up before writing"
                warnings.warn(text, stacklevel=2)
        return self._refuses_to_replace

    def _refuses_probe(self) -> bool:
        """Write the probe if it is not there; the first time ever it is not, the second time it is."""
        try:
            self._call("put_object", Key=self._prefix + _PROBE, Body=b"", IfNoneMatch="*")
        except FileExistsError:
            return True
        except UnavailableError as problem:
            if problem.__cause__ is None or _code(problem.__cause__) not in _UNKNOWN_TO_THE_SERVER:
                raise
        return False

    def _path(self, key: str) -> str:
        return f"{self._name}/{self._prefix}{key}"

    def _call(self, method: str, **values: Any) -> Any:
        """Make one request of the protocol."""
        return self._ask("call_s3", method, Bucket=self._name, **values)

    def _ask(self, name: str, *values: Any, **options: Any) -> Any:
        with self._translated():
            return getattr(self._system(), name)(*values, **options)

    def _system(self) -> Any:
        """Return the connection of this process: none survives a fork."""
        here = os.getpid()
        if here not in self._systems:
            limits = {"connect_timeout": 10, "read_timeout": 30, "retries": {"max_attempts": 0}}
            # Named here, so that fsspec, which keeps connections by what they were made with, keeps them apart.
            endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
            system = _import_s3fs().S3FileSystem(endpoint_url=endpoint, use_listings_cache=False, config_kwargs=limits)
            system.retries = _TRIES
            self._systems[here] = system  # that of the parent stays: to close it is the parent's business
        return self._systems[here]

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn the errors of the libraries into those that `Bucket` promises."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except FileNotFoundError as problem:
            if _code(problem) == "NoSuchBucket":
                message = f"there is no bucket '{self._name}' ({self.url})"
                raise UnavailableError(message, fix="make it, or mend the URL of the datastore") from problem
            raise
        except FileExistsError:
            raise
        except PermissionError as problem:
            raise UnavailableError(f"{self.url} lets us not in: {problem}", fix=_CREDENTIALS) from problem
        except (OSError, BotoCoreError, ClientError) as problem:
            raise self._unreachable(problem) from problem

    def _unreachable(self, problem: Exception) -> Exception:
        """Return the error for whatever else went wrong between here and there."""
        code = _code(problem)
        if code in {"PreconditionFailed", "412", "ConditionalRequestConflict", "409"}:
            return FileExistsError(f"{self.url}: {problem}")
        if code or not isinstance(problem, OSError) or isinstance(problem, (ConnectionError, TimeoutError)):
            kind = "has no credentials" if "redentials" in type(problem).__name__ else "cannot be used"
            fix = _CREDENTIALS if "redentials" in kind else "check network and AWS_ENDPOINT_URL, then run again"
            return UnavailableError(f"{self.url} {kind}: {problem}", fix=fix)
        return problem  # the local disk's own trouble


def _code(problem: BaseException) -> str:
    """Return the server's word for what is wrong."""
    response = getattr(problem.__cause__, "response", None) or getattr(problem, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


def _import_s3fs() -> Any:
    try:
        import s3fs
    except ImportError as problem:
        message = f"object storage needs s3fs: {problem}"
        raise UnavailableError(message, fix="pip install 'isrflow[s3]'") from problem
    return s3fs
