"""Views for other people's questions, by revision; never edit a released one."""

from __future__ import annotations

VIEWS_0002: tuple[str, ...] = ()
