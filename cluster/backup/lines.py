"""The lines of a backup's sections; rows of tables are plain lists."""

from __future__ import annotations

from msgspec import Struct


class CalendarLine(Struct, frozen=True):
    """A calendar at rest."""

    provider: str
    seq: int
    blob: bytes


class RecordLine(Struct, frozen=True):
    """A record of the journal; the event as the journal's codec writes it."""

    seq: int
    epoch: int
    event: bytes


class FileLine(Struct, frozen=True):
    """A piece of a file; ``path`` is relative, and pieces come in order."""

    path: str
    offset: int
    data: bytes
