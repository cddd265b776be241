"""What uploads and kills left behind is removed each hour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from actors.domain.ids import Millis
from care.blobs.ports import Blobs
from care.patients.documents.keeping import PREFIX
from care.patients.documents.ports import DocumentRows

LEFT_MS: Final = 3_600_000
"""How old a blob without a row must be before it is removed: its row may be about to be
written. And for how long an upload may get no byte before it is given up."""
ASKED_AT_ONCE: Final = 200
"""Names of blobs that are asked about with one question."""
JUDGED_AGAIN_MAX: Final = 500
"""Documents that are judged again at one sweep."""


class SweptDocuments(Struct, frozen=True):
    """What a sweep did.

    ``abandoned`` uploads were given up, ``unused`` blobs removed, ``unfinished`` ones
    were left by killed writers.
    """

    abandoned: int
    unused: int
    unfinished: int


async def waiting(rows: DocumentRows, now: Millis) -> Sequence[str]:
    """Documents that are in quarantine for long, to be judged again."""
    return await rows.waiting(Millis(now - LEFT_MS), JUDGED_AGAIN_MAX)


async def sweep(blobs: Blobs, rows: DocumentRows, now: Millis) -> SweptDocuments:
    """Give up uploads, and remove blobs that no row names.

    Raises Unavailable; what was removed until then stays so.
    """
    before = Millis(now - LEFT_MS)
    abandoned = await rows.abandon(before)
    names: list[str] = []
    unused = 0
    async for blob in blobs.list(PREFIX):
        if blob.written_at < before:
            names.append(blob.name)
        if len(names) >= ASKED_AT_ONCE:
            unused += await _removed(blobs, rows, names)
            names = []
    unused += await _removed(blobs, rows, names)
    unfinished = await blobs.tidy(before)
    return SweptDocuments(abandoned, unused, unfinished)


async def _removed(blobs: Blobs, rows: DocumentRows, names: Sequence[str]) -> int:
    """Remove those of these blobs that no row names; how many."""
    unused = sorted(set(names) - set(await rows.used(names)))
    for name in unused:
        await blobs.delete(name)
    return len(unused)
