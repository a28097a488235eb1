"""Deleting datasets, and clearing away what no dataset needs."""

from __future__ import annotations

from collections.abc import Sequence

from registry.delete import DeletionReport, delete
from registry.face.base import Face
from registry.garbage import GarbageReport, GarbageRules, collect_garbage
from registry.refs import DatasetRef


class DeletingFace(Face):
    """What goes, and what it leaves."""

    def delete(self, refs: Sequence[DatasetRef], *, reason: str, dry_run: bool = False) -> DeletionReport:
        """Delete datasets that nothing depends on; id, hashes and provenance stay: see `registry.delete`."""
        return delete(self._repository, refs, reason=reason, dry_run=dry_run)

    def collect_garbage(self, rules: GarbageRules | None = None, *, dry_run: bool = False) -> GarbageReport:
        """Clear away files that no dataset needs, and what crashes left: see `registry.garbage`."""
        return collect_garbage(self._repository, rules, dry_run=dry_run)
