"""Blobs in a container of Azure Blob Storage.

A stream is staged in blocks that nothing shows until the list of them is committed;
the service itself forgets staged blocks after a week. Implements
``care.blobs.ports.Blobs``. Imported only where it is configured: the SDK is heavy.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from base64 import b64encode
from collections.abc import AsyncIterable, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from azure.core import MatchConditions
from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.storage.blob import BlobBlock
from azure.storage.blob.aio import BlobClient, ContainerClient

from actors.domain.ids import Millis
from actors.errors import Unavailable
from care.blobs.ports import BLOCK_BYTES, Blob, BlobMissing, OpenBlob, check_name
from persistence.files.blobs.folder import blocks_of

OPTIONS: Final[Mapping[str, Any]] = {
    "connection_timeout": 5,
    "read_timeout": 20,
    "retry_total": 2,
    "max_single_get_size": BLOCK_BYTES,
    "max_chunk_get_size": BLOCK_BYTES,
}
"""The client's: timeouts in seconds, for a block is a megabyte and a person waits for
it; without the sizes the SDK reads 32 MiB at once."""

logging.getLogger("azure.core.pipeline.policies").setLevel(logging.WARNING)


class AzureBlobs:
    """Blobs under a prefix of a container, which is made if it is missing."""

    def __init__(self, container: ContainerClient, prefix: str = "") -> None:
        self._container = container
        self._prefix = f"{prefix}/" if prefix else ""
        self._has_container = False
        self._making = asyncio.Lock()

    async def put(
        self, name: str, content: AsyncIterable[bytes], *, size_max: int
    ) -> int:
        """See Blobs.put."""
        blob = self._blob(name)
        await self._need_container()
        # Of two writers of one name each commits its own blocks; the later commit
        # discards the other's staged ones, whose writer is then told to try again.
        upload, staged, size = secrets.token_hex(8), list[BlobBlock](), 0
        async for block in blocks_of(content, size_max):
            block_id = b64encode(f"{upload}-{len(staged):06}".encode()).decode()
            with self._written():
                await blob.stage_block(
                    block_id, block, len(block), validate_content=True
                )
            staged.append(BlobBlock(block_id))
            size += len(block)
        with self._written():
            await blob.commit_block_list(staged)
        return size

    @asynccontextmanager
    async def opened(
        self, name: str, *, start: int = 0, length: int | None = None
    ) -> AsyncIterator[OpenBlob]:
        """See Blobs.opened."""
        blob = self._blob(name)
        with _explained():
            found = await blob.get_blob_properties()
        end = found.size if length is None else min(found.size, start + length)
        yield OpenBlob(found.size, _pieces(blob, start, end, found.etag))

    async def delete(self, name: str) -> None:
        """See Blobs.delete."""
        with contextlib.suppress(BlobMissing), _explained():
            await self._blob(name).delete_blob()

    async def list(self, prefix: str) -> AsyncIterator[Blob]:
        """See Blobs.list."""
        begin = self._prefix + prefix
        with contextlib.suppress(BlobMissing), _explained():
            async for one in self._container.list_blobs(name_starts_with=begin):
                at = Millis(int(one.last_modified.timestamp() * 1000))
                yield Blob(one.name.removeprefix(self._prefix), one.size, at)

    async def tidy(self, before: Millis) -> int:
        """See Blobs.tidy: the service does it."""
        return 0

    async def close(self) -> None:
        """Close the connections."""
        await self._container.close()

    def _blob(self, name: str) -> BlobClient:
        return self._container.get_blob_client(self._prefix + check_name(name))

    async def _need_container(self) -> None:
        async with self._making:
            if self._has_container:
                return
            # A token may be allowed to write blobs but not to create containers; if
            # the container is missing, the next request fails.
            with contextlib.suppress(AzureError):
                await self._container.create_container()
            self._has_container = True

    @contextlib.contextmanager
    def _written(self) -> Iterator[None]:
        try:
            with _explained():
                yield
        except BlobMissing:
            self._has_container = False
            raise Unavailable("Azure Blob Storage: the container is missing") from None


async def _pieces(
    blob: BlobClient, start: int, end: int, etag: str
) -> AsyncIterator[bytes]:
    """A range of the blob that has this tag, and of none that replaced it."""
    if start >= end:
        return
    with _explained():
        stream = await blob.download_blob(
            start, end - start, etag=etag, match_condition=MatchConditions.IfNotModified
        )
        async for piece in stream.chunks():
            yield bytes(piece)


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except ResourceNotFoundError:
        raise BlobMissing from None
    except AzureError as error:
        # Its message may hold the address with a token: the kind alone is told, also
        # where a trace is logged.
        reason = getattr(error, "error_code", None) or type(error).__name__
        raise Unavailable(f"Azure Blob Storage: {reason}") from None
