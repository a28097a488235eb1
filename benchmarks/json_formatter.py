"""The smallest files there are: what remains to be measured is the registry."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path


class JsonFormatter:
    """Values as JSON; the hash of the content is that of the file."""

    extension = ".json"

    def write(self, value: object, path: Path) -> str:
        path.write_text(json.dumps(value))
        return self.content_sha256(path)

    def read(self, path: Path) -> object:
        return json.loads(path.read_text())

    def content_sha256(self, path: Path) -> str:
        return hashlib.sha256(path.read_bytes()).hexdigest()
