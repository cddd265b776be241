"""A document's file as the answer of a request, streamed frame by frame.

Browsers save it and never show it here: a PDF is as it was sent.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final
from urllib.parse import quote

import structlog
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from actors.errors import Unavailable
from care.blobs.ports import BlobMissing, Blobs
from care.patients.documents.frames import FileBroken
from care.patients.documents.keeping import read_file
from care.patients.documents.values import KeptDocument

_SAFE: Final = frozenset("!#$&+-.^_`|~ ()[]{}',;=@%")
"""Beside letters and digits: what stands in a quoted name as it is."""

log = structlog.get_logger("slotcast.gateway")


class DocumentFile(StreamingResponse):
    """The file; its blob is closed when the answer ends, however it does."""

    def __init__(self, kept: KeptDocument, pieces: AsyncGenerator[bytes, None]) -> None:
        self._pieces = pieces
        headers = {
            "content-length": str(kept.document.size),
            "content-disposition": disposition(kept.document.name),
            "cache-control": "private, no-store",
        }
        super().__init__(pieces, media_type=kept.document.kind, headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See Response."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._pieces.aclose()


async def file_of(blobs: Blobs, kept: KeptDocument) -> DocumentFile:
    """The answer with an available document's file; its first frame is read already.

    A file that breaks later ends the answer before its announced length, so that no
    client takes it for whole.

    Raises:
        Unavailable: the file is not there, or does not open.
    """
    pieces = _opened(blobs, kept)
    try:
        first = await anext(pieces, b"")
    except (BlobMissing, FileBroken):
        raise Unavailable(
            "the document's file cannot be read; the operator has been told",
            retry_after_s=60,
        ) from None
    return DocumentFile(kept, _after(first, pieces))


async def _after(
    first: bytes, pieces: AsyncGenerator[bytes, None]
) -> AsyncGenerator[bytes, None]:
    try:
        if first:
            yield first
        async for piece in pieces:
            yield piece
    finally:
        await pieces.aclose()


async def _opened(blobs: Blobs, kept: KeptDocument) -> AsyncGenerator[bytes, None]:
    try:
        async with read_file(blobs, kept) as pieces:
            async for piece in pieces:
                yield piece
    except (BlobMissing, FileBroken) as error:
        log.error(  # noqa: TRY400 - the file, not the code
            "ALARM: a document's file is not as it was written",
            document=kept.document.document_id,
            reason=type(error).__name__,
        )
        raise


def disposition(name: str) -> str:
    """The header that has browsers save the file under this name (RFC 6266)."""
    plain = "".join(
        one if one.isascii() and (one.isalnum() or one in _SAFE) else "_"
        for one in name
    ).replace("%", "_")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
