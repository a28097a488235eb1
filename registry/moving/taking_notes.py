"""What people said of the data of a package, said here again: marks, flags, corrected headers."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from registry.moving.incoming import place_of, why
from registry.moving.manifest import Record
from registry.refs import DataId
from registry.sql import tables as t
from registry.sql.flags import set_flag
from registry.sql.header_corrections import correct_headers
from registry.sql.noted_targets import noted_now
from registry.sql.notes import mark

Records = Sequence[Record]


@dataclass(frozen=True)
class TakingNotes:
    """Notes on their way into a database, signed by who imports them; reasons say who said them where."""

    connection: Connection
    actor: str
    came_from: str

    def marks(self, records: Records) -> None:
        """Mark datasets that are not marked so yet."""
        groups: defaultdict[tuple[Any, str], list[UUID]] = defaultdict(list)
        for record in records:
            groups[record["kind"], why(record, self.came_from)].append(UUID(record["dataset"]))
        for (kind, reason), ids in groups.items():
            mark(self.connection, ids, kind, actor=self.actor, reason=reason)

    def flags(self, records: Records) -> None:
        """Flag exposures that are not flagged so yet."""
        known = {(place, row.flag) for place, row in noted_now(self.connection, t.quality_flag)}
        groups: defaultdict[tuple[Any, str], list[DataId]] = defaultdict(list)
        for record in records:
            place = place_of(record)
            if (place, record["flag"]) not in known:
                groups[record["flag"], why(record, self.came_from)].append(place)
        for (flag, reason), places in groups.items():
            set_flag(self.connection, places, flag, actor=self.actor, reason=reason)

    def headers(self, records: Records) -> None:
        """Correct cards that are not corrected here."""
        known = {(place, row.keyword) for place, row in noted_now(self.connection, t.header_correction)}
        groups: defaultdict[tuple[str, str | None, str], list[DataId]] = defaultdict(list)
        for record in records:
            place = place_of(record)
            if (place, record["keyword"]) not in known:
                groups[record["keyword"], record["value"], why(record, self.came_from)].append(place)
        for (keyword, text, reason), places in groups.items():
            value = None if text is None else json.loads(text)
            correct_headers(self.connection, places, keyword, value, actor=self.actor, reason=reason)
