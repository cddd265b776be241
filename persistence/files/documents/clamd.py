"""Asks ClamAV's clamd whether a file is malware, by its command INSTREAM.

What was not scanned to its end is not clean: every answer but the two plain ones is
Unavailable. Implements ``care.patients.documents.ports.Scanner``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from actors.errors import Unavailable

CHUNK_BYTES: Final = 256 * 1024
ANSWER_BYTES_MAX: Final = 4_096
SCAN_S: Final = 25.0
"""Seconds for one file: below what a job has in all."""
AT_ONCE: Final = 2
"""Files that are scanned at a time: each is sent whole."""
_CLEAN: Final = b"stream: OK"
_FOUND: Final = b" FOUND"
_TOO_LONG: Final = b"INSTREAM size limit exceeded"


class ClamdScanner:
    """clamd at ``host:port``, or at the path of a socket of this machine."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def is_clean(self, content: bytes) -> bool:
        """See Scanner.is_clean."""
        async with self._turn:
            answer = await self._asked(b"zINSTREAM\0", content)
        if answer == _CLEAN:
            return True
        if answer.startswith(b"stream: ") and answer.endswith(_FOUND):
            return False
        if answer.startswith(_TOO_LONG):
            raise Unavailable(
                "clamd does not scan a file of this size: raise its StreamMaxLength "
                "to 25M"
            )
        raise Unavailable("clamd did not scan a file to its end")

    async def ping(self) -> None:
        """Return if clamd answers. Raises Unavailable."""
        if await self._asked(b"zPING\0", None) != b"PONG":
            raise Unavailable("what answers there is not clamd")

    async def _asked(self, command: bytes, content: bytes | None) -> bytes:
        try:
            async with asyncio.timeout(SCAN_S), self._connected() as (reader, writer):
                writer.write(command)
                if content is not None:
                    await _send(writer, content)
                answer = await _answered(reader)
        except TimeoutError:
            raise Unavailable("clamd does not answer in time") from None
        except OSError as error:
            raise Unavailable(
                f"clamd cannot be reached, or closed the connection ({error.strerror})"
            ) from None
        return answer

    @asynccontextmanager
    async def _connected(
        self,
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        if self._address.startswith("/"):
            opened = asyncio.open_unix_connection(self._address)
            reader, writer = await opened
        else:
            host, _, port = self._address.rpartition(":")
            reader, writer = await asyncio.open_connection(host, int(port))
        try:
            yield reader, writer
        finally:
            writer.close()


async def _answered(reader: asyncio.StreamReader) -> bytes:
    """What clamd answers; empty if it is not whole, that is, has no NUL at its end."""
    answer = b""
    while piece := await reader.read(ANSWER_BYTES_MAX):
        answer += piece
        if b"\0" in answer:
            return answer.partition(b"\0")[0].rstrip(b"\n")
        if len(answer) > ANSWER_BYTES_MAX:
            break
    return b""


async def _send(writer: asyncio.StreamWriter, content: bytes) -> None:
    """The file in chunks with their lengths; an empty one ends it.

    clamd may answer, and close, before it has read all: its answer counts.
    """
    try:
        for start in range(0, len(content), CHUNK_BYTES):
            chunk = content[start : start + CHUNK_BYTES]
            writer.write(len(chunk).to_bytes(4, "big") + chunk)
            await writer.drain()
        writer.write(bytes(4))
        await writer.drain()
    except ConnectionError:
        return
