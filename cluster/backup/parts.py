"""Sections of a backup: JSON lines in compressed parts of a bounded size."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import TypeVar

import msgspec
from msgspec import Struct

from cluster.backup.manifest import Part, Section
from cluster.backup.places import BackupDamaged, BlobStore

T = TypeVar("T")

PART_BYTES = 8 * 1024 * 1024
"""Size of a part before it is compressed: what backup and restore hold in memory."""
LEVEL = 6


class SectionWriter:
    """Writes one section; call ``finish`` after the last line."""

    def __init__(
        self, place: BlobStore, kind: str, name: str, *, part_bytes: int = PART_BYTES
    ) -> None:
        self._place = place
        self._kind = kind
        self._name = name
        self._part_bytes = part_bytes
        self._lines: list[bytes] = []
        self._size = 0
        self._parts: list[Part] = []
        self._encode = msgspec.json.Encoder().encode

    async def add(self, value: object) -> None:
        """Add a line; bytes in it become base64."""
        line = self._encode(value)
        self._lines.append(line)
        self._size += len(line) + 1
        if self._size >= self._part_bytes:
            await self._flush()

    async def finish(self) -> Section:
        """Write the last part; returns the section's entry in the manifest."""
        await self._flush()
        return Section(self._kind, self._name, tuple(self._parts))

    async def _flush(self) -> None:
        if not self._lines:
            return
        text = b"\n".join(self._lines) + b"\n"
        content = gzip.compress(text, LEVEL, mtime=0)
        number = len(self._parts) + 1
        name = f"{self._kind}/{self._name}/{number:06d}.jsonl.gz"
        await self._place.put(name, content)
        digest = sha256(content).hexdigest()
        self._parts.append(Part(name, len(content), len(self._lines), digest))
        self._lines.clear()
        self._size = 0


async def check_section(place: BlobStore, section: Section) -> None:
    """Read every part once. Raises BackupDamaged, naming the damaged part."""
    for part in section.parts:
        await _lines(place, part)


async def lines_of(
    place: BlobStore, section: Section, kind: type[T]
) -> AsyncIterator[T]:
    """The lines of a section, in order. Raises BackupDamaged."""
    decode = msgspec.json.Decoder(kind).decode
    for part in section.parts:
        for line in await _lines(place, part):
            try:
                yield decode(line)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                raise BackupDamaged(
                    f"The part {part.name} of the backup is not understood ({error})."
                ) from error


async def _lines(place: BlobStore, part: Part) -> list[bytes]:
    content = await place.get(part.name)
    if content is None:
        raise BackupDamaged(f"The part {part.name} of the backup is missing.")
    if sha256(content).hexdigest() != part.sha256:
        raise BackupDamaged(f"The part {part.name} of the backup has changed.")
    try:
        lines = gzip.decompress(content).splitlines()
    except (OSError, EOFError, zlib.error) as error:
        raise BackupDamaged(
            f"The part {part.name} of the backup cannot be unpacked ({error})."
        ) from error
    if len(lines) != part.lines:
        raise BackupDamaged(
            f"The part {part.name} of the backup has {len(lines)} lines, not "
            f"{part.lines}."
        )
    return lines


class CalendarLine(Struct, frozen=True):
    """A stored calendar."""

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
