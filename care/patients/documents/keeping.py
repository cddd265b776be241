"""How the files of documents are written to blobs, and read.

A blob's name is the document's id and a token that is drawn for it, so that none is
written twice, and one without a row can be removed whatever goes on meanwhile. What the
row names counts.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Final

from actors.errors import Unavailable
from care.blobs.ports import Blobs, one_piece
from care.patients.documents.frames import SALT_BYTES, opened, sealed, sealed_size
from care.patients.documents.values import FILE_BYTES_MAX, KeptDocument

PREFIX: Final = "documents/"
_ID_BYTES: Final = 16
_TOKEN_BYTES: Final = 8


def new_document_id() -> str:
    """A fresh id; in small letters and digits, since blobs are named after it."""
    return f"doc_{secrets.token_hex(_ID_BYTES)}"


def blob_name(document_id: str, token: str) -> str:
    """The name of a blob of a document."""
    return f"{PREFIX}{document_id}.{token}"


def document_of(name: str) -> tuple[str, str]:
    """The document and the token that a blob is named after."""
    document_id, _, token = name.removeprefix(PREFIX).partition(".")
    return document_id, token


async def keep(
    blobs: Blobs, kept: KeptDocument, pieces: AsyncIterable[bytes], place: str
) -> str:
    """Store bytes of a document in sealed frames; returns the token of the blob."""
    token, salt = secrets.token_hex(_TOKEN_BYTES), secrets.token_bytes(SALT_BYTES)
    document_id = kept.document.document_id
    frames = sealed(kept.key, f"{document_id}|{place}", salt, pieces)
    name = blob_name(document_id, token)
    await blobs.put(name, frames, size_max=sealed_size(FILE_BYTES_MAX))
    return token


async def keep_part(blobs: Blobs, kept: KeptDocument, content: bytes) -> str:
    """Store the next part of an upload; returns the token of its blob."""
    return await keep(blobs, kept, one_piece(content), _part(len(kept.parts)))


async def uploaded(blobs: Blobs, kept: KeptDocument) -> AsyncIterator[bytes]:
    """The bytes of an upload, part by part.

    Raises:
        BlobMissing, FileBroken: a part is not there, or does not open.
    """
    for number, token in enumerate(kept.parts):
        async with read(blobs, kept, token, _part(number)) as pieces:
            async for piece in pieces:
                yield piece


@asynccontextmanager
async def read_file(
    blobs: Blobs, kept: KeptDocument
) -> AsyncIterator[AsyncIterator[bytes]]:
    """The file of an available document.

    Raises:
        BlobMissing: it is not there. Its pieces may raise FileBroken.
    """
    async with read(blobs, kept, kept.blob, FILE) as pieces:
        yield pieces


@asynccontextmanager
async def read(
    blobs: Blobs, kept: KeptDocument, token: str, place: str
) -> AsyncIterator[AsyncIterator[bytes]]:
    """A sealed blob of a document. Raises BlobMissing; pieces raise FileBroken."""
    document_id = kept.document.document_id
    async with blobs.opened(blob_name(document_id, token)) as blob:
        yield opened(kept.key, f"{document_id}|{place}", blob.pieces)


async def drop(blobs: Blobs, document_id: str, tokens: Iterable[str]) -> None:
    """Remove blobs that no row names any more; what fails here is swept later."""
    for token in tokens:
        with contextlib.suppress(Unavailable):
            await blobs.delete(blob_name(document_id, token))


FILE: Final = "file"
"""The place of the judged file; parts have their number."""


def _part(number: int) -> str:
    return f"part {number}"
