"""A document's file as the answer of a request, streamed frame by frame.

Browsers save it and never show it here: a PDF is as it was sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractContextManager
from typing import Final
from urllib.parse import quote

import structlog
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from actors.errors import Unavailable
from care.blobs.ports import BlobMissing
from care.patients.documents.frames import FileBroken
from care.patients.documents.keeping import read_file
from care.patients.documents.ports import DocumentPorts, DocumentRows
from care.patients.documents.values import KeptDocument

FILE_S: Final = 600.0
"""Seconds for one file: a slow reader holds frames of it in memory."""
_SAFE: Final = frozenset("!#$&+-.^_`|~ ()[]{}',;=@%")
"""Beside letters and digits: what stands in a quoted name as it is."""

log = structlog.get_logger("slotcast.gateway")


class FileGone(Exception):
    """The document was removed, or its patient erased, since it was looked up."""


class DocumentFile(StreamingResponse):
    """The file; its blob is closed when the answer ends, however it does."""

    def __init__(
        self, kept: KeptDocument, first: bytes, pieces: AsyncGenerator[bytes, None]
    ) -> None:
        self._pieces, self._whole = pieces, _after(first, pieces)
        headers = {
            "content-length": str(kept.document.size),
            "content-disposition": disposition(kept.document.name),
            "cache-control": "private, no-store",
        }
        super().__init__(self._whole, media_type=kept.document.kind, headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See Response."""
        try:
            async with asyncio.timeout(FILE_S):
                await super().__call__(scope, receive, send)
        finally:
            await self._whole.aclose()
            # Also where nothing was read of the whole, which then does not pass it on.
            await self._pieces.aclose()


async def file_of(
    ports: DocumentPorts, kept: KeptDocument, turn: AbstractContextManager[None]
) -> DocumentFile:
    """The answer with an available document's file; its first frame is read already.

    ``turn`` is held until the answer has ended; what it raises is passed on. A file
    that breaks later ends the answer before its announced length, so that no client
    takes it for whole; so does one that takes longer than FILE_S.

    Raises:
        FileGone: it was removed meanwhile.
        Unavailable: the file is not there, or does not open.
    """
    pieces = _opened(ports, kept, turn)
    try:
        first = await anext(pieces, b"")
    except (BlobMissing, FileBroken):
        raise Unavailable(
            "the document's file cannot be read; the operator has been told",
            retry_after_s=60,
        ) from None
    return DocumentFile(kept, first, pieces)


async def _after(
    first: bytes, pieces: AsyncGenerator[bytes, None]
) -> AsyncGenerator[bytes, None]:
    if first:
        yield first
    async for piece in pieces:
        yield piece


async def _opened(
    ports: DocumentPorts, kept: KeptDocument, turn: AbstractContextManager[None]
) -> AsyncGenerator[bytes, None]:
    try:
        with turn:
            async with read_file(ports.blobs, kept) as pieces:
                async for piece in pieces:
                    yield piece
    except (BlobMissing, FileBroken) as error:
        if not await _is_there(ports.rows, kept):
            raise FileGone from None
        log.error(  # noqa: TRY400 - the file, not the code
            "ALARM: a document's file is not as it was written",
            document=kept.document.document_id,
            reason=type(error).__name__,
        )
        raise


async def _is_there(rows: DocumentRows, kept: KeptDocument) -> bool:
    now = await rows.find(kept.document.document_id)
    return now is not None and now.blob == kept.blob


def disposition(name: str) -> str:
    """The header that has browsers save the file under this name (RFC 6266)."""
    plain = "".join(
        one if one.isascii() and (one.isalnum() or one in _SAFE) else "_"
        for one in name
    ).replace("%", "_")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
