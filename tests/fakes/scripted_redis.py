"""A server that speaks Redis's protocol and says what a test wants, when it wants."""

from __future__ import annotations

import asyncio
from types import TracebackType

import hiredis


class ScriptedRedis:
    """Takes commands; what is not a greeting waits for the test to answer it."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: asyncio.Queue[tuple[list[bytes], asyncio.StreamWriter]] = (
            asyncio.Queue()
        )
        self.connections = 0
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> ScriptedRedis:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"redis://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.close()
        await self._server.wait_closed()

    async def next(self) -> tuple[list[bytes], asyncio.StreamWriter]:
        """The next command, and where its reply goes."""
        async with asyncio.timeout(60):
            return await self.asked.get()

    async def next_of(self, count: int) -> asyncio.StreamWriter:
        """Where the replies to the next commands go; they came on one connection."""
        (writer,) = {(await self.next())[1] for _ in range(count)}
        return writer

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.connections += 1
        self._writers.append(writer)
        parser = hiredis.Reader()
        while data := await reader.read(1 << 16):
            parser.feed(data)
            while (words := parser.gets()) is not False:
                if words[0] == b"CLIENT":
                    writer.write(b"+OK\r\n")
                else:
                    self.asked.put_nowait((words, writer))
        writer.close()


def bulk(word: bytes) -> bytes:
    """A reply that is one word."""
    return b"$%d\r\n%b\r\n" % (len(word), word)


def array(*parts: bytes) -> bytes:
    """A reply of several replies."""
    return b"*%d\r\n%b" % (len(parts), b"".join(parts))
