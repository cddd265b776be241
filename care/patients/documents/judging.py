"""Whether a document that was handed in is shown.

It is scanned as it came, read to its end by a decoder, and what is kept of it is
written to a blob of its own before its row says that it is available. Killed anywhere,
the document stays in quarantine, and judging it again begins at the beginning.
"""

from __future__ import annotations

import logging
from enum import StrEnum

from care.blobs.ports import BlobMissing, one_piece
from care.patients.documents.frames import FileBroken
from care.patients.documents.keeping import FILE, drop, keep, uploaded
from care.patients.documents.ports import JudgePorts, ReadFile
from care.patients.documents.values import (
    DocumentState,
    FileFault,
    FileRefused,
    KeptDocument,
    name_of_kind,
)

log = logging.getLogger(__name__)


class Judged(StrEnum):
    """What became of a document."""

    AVAILABLE = "available"
    REFUSED = "refused"
    GONE = "gone"
    """It was removed, or judged by another process meanwhile."""


async def judge(ports: JudgePorts, document_id: str) -> Judged:
    """Judge a document that is in quarantine.

    Raises:
        Unavailable: the scanner, a store or the reader does not answer; it stays in
            quarantine.
    """
    kept = await ports.rows.find(document_id)
    if kept is None or kept.document.state is not DocumentState.QUARANTINED:
        return Judged.GONE
    try:
        made = await _made(ports, kept)
    except FileRefused as error:
        if not await ports.rows.refuse(document_id, error.fault):
            return Judged.GONE
        await drop(ports.blobs, document_id, kept.parts)
        return Judged.REFUSED
    token = await keep(ports.blobs, kept, one_piece(made.content), FILE)
    name = name_of_kind(kept.document.name, made.kind)
    is_done = await ports.rows.release(
        document_id, token, made.kind, len(made.content), name
    )
    await drop(ports.blobs, document_id, kept.parts if is_done else [token])
    return Judged.AVAILABLE if is_done else Judged.GONE


async def _made(ports: JudgePorts, kept: KeptDocument) -> ReadFile:
    """What is kept of a file. Raises FileRefused."""
    try:
        content = b"".join([piece async for piece in uploaded(ports.blobs, kept)])
    except (BlobMissing, FileBroken) as error:
        if await _is_unchanged(ports, kept):
            log.error("ALARM: %s: %s", kept, type(error).__name__)  # noqa: TRY400
        raise FileRefused(FileFault.DAMAGED) from None
    if len(content) != kept.document.size:
        raise FileRefused(FileFault.DAMAGED)
    if ports.scanner is not None and not await ports.scanner.is_clean(content):
        raise FileRefused(FileFault.MALWARE)
    return await ports.reader.read(content)


async def _is_unchanged(ports: JudgePorts, kept: KeptDocument) -> bool:
    """Whether the row still says so: else another process was quicker."""
    now = await ports.rows.find(kept.document.document_id)
    return now is not None and now.document.state is kept.document.state
