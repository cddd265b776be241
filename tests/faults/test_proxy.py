"""The fault kit's own faults: the proxy does to bytes what it was told, no more."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest

from tests.faults.proxy import Proxy
from tests.fixtures.server import ROOT


class Echo:
    """Says what it hears, and ``<end>`` when the client has finished."""

    def __init__(self) -> None:
        self.talks: set[asyncio.Task[None]] = set()

    async def talk(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.talks.add(task)
        with contextlib.suppress(OSError), contextlib.closing(writer):
            while data := await reader.read(1000):
                writer.write(data)
            writer.write(b"<end>")
            await writer.drain()


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    echo = Echo()
    server = await asyncio.start_server(echo.talk, "127.0.0.1", 0)
    target = server.sockets[0].getsockname()[1]
    async with Proxy("127.0.0.1", target) as made:
        yield made
    server.close()
    await asyncio.wait_for(asyncio.gather(*echo.talks), 60)


async def said(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, text: bytes
) -> bytes:
    writer.write(text)
    return await asyncio.wait_for(reader.readexactly(len(text)), 60)


async def silence(reader: asyncio.StreamReader) -> bool:
    try:
        await asyncio.wait_for(reader.read(10), 0.2)
    except TimeoutError:
        return True
    return False


async def test_it_carries_and_delays(proxy: Proxy) -> None:
    """Bytes pass unchanged, and each way takes at least what is asked for."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    assert await said(reader, writer, b"hello") == b"hello"
    proxy.set(latency_ms=40)
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert await said(reader, writer, b"slow") == b"slow"
    assert loop.time() - began >= 0.08
    proxy.heal()
    writer.write_eof()
    assert await reader.read() == b"<end>"
    writer.close()


@pytest.mark.parametrize("way", ["swallow_up", "swallow_down"])
async def test_a_black_hole_tells_nobody(proxy: Proxy, way: str) -> None:
    """The connection stays open, and nothing comes back, either way."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    assert await said(reader, writer, b"before") == b"before"
    proxy.set(**{way: True})
    writer.write(b"lost")
    assert await silence(reader)
    assert proxy.links == 1
    proxy.heal()
    assert await said(reader, writer, b"after") == b"after"
    writer.close()


async def test_a_cut_resets_at_the_byte_or_the_text(proxy: Proxy) -> None:
    """After so many bytes, before a given text, or at once: connection reset."""
    for trouble in ({"cut_after": 7}, {"cut_at": "COMMIT"}, None):
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        assert await said(reader, writer, b"passes") == b"passes"
        if trouble is None:
            assert proxy.cut() == 1
        else:
            proxy.set(**trouble)
            writer.write(b"then COMMIT and more")
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.readexactly(1), 60)
        proxy.heal()
        writer.close()
    assert proxy.cuts == 2


async def test_half_close_and_refusal(proxy: Proxy) -> None:
    """The server sees the end while the client still hears; new ones are reset."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    assert await said(reader, writer, b"before") == b"before"
    proxy.set(half_close=True)
    assert await asyncio.wait_for(reader.read(), 60) == b"<end>"
    proxy.heal()
    proxy.set(refuse=True)
    other, unheard = await asyncio.open_connection("127.0.0.1", proxy.port)
    with pytest.raises(ConnectionResetError):
        await other.readexactly(1)
    unheard.close()
    writer.close()


def test_as_a_process_it_is_told_over_a_line() -> None:
    """Its ports are printed, a wish is answered, and it ends with its starter."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as target:
        words = ["127.0.0.1", str(target.getsockname()[1])]
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.proxy", *words],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        with process:
            ports = json.loads(process.stdout.readline())
            with socket.create_connection(("127.0.0.1", ports["control"])) as line:
                line.sendall(b'{"latency_ms": 0.5}\n{"nonsense": 1}\n')
                answers = line.makefile("rb")
                assert json.loads(answers.readline())["links"] == 0
                assert "nonsense" in json.loads(answers.readline())["error"]
            process.stdin.close()
            assert process.wait(10) == 0
