"""HTTP connections: every part of a request and its answer has a deadline."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

from gateway.transport.connections import HttpConnections
from gateway.transport.http_protocol import http_protocol_of
from gateway.transport.limits import HttpLimits
from tests.fakes.adopting_site import PATIENCE_S, a_site, until
from tests.fakes.http_connections import (
    PATIENT,
    get,
    goes_on,
    problem_of,
    refuses,
    served,
)


async def test_a_head_has_a_deadline() -> None:
    """Half a head is answered 408, a silent connection is closed without an answer."""
    async with served(replace(PATIENT, head_s=0.5)) as site:
        half, silent = await asyncio.gather(site.say(get()[:-2]), site.say())
        assert problem_of(half) == (408, "request_timeout")
        assert silent == b""
        assert site.refused("slow_head") == 1


async def test_a_drop_now_and_then_does_not_prolong_a_head() -> None:
    """The deadline is the whole head's."""
    async with served(replace(PATIENT, head_s=0.2)) as site:
        reader, writer = await site.connect()
        writer.write(get()[:-2] + b"x-a: ")
        heard = asyncio.ensure_future(reader.read())
        async with asyncio.timeout(PATIENCE_S):
            while not heard.done():
                writer.write(b"v")
                await asyncio.sleep(0.001)
        assert problem_of(heard.result()) == (408, "request_timeout")
        writer.close()


async def test_a_body_has_a_deadline_and_the_application_hears_of_it() -> None:
    """408 to the client, a disconnect to who waits for the body."""
    async with served(replace(PATIENT, body_s=0.05)) as site:
        heard = await site.say(get("/", "Content-Length: 9") + b"half")
        assert problem_of(heard) == (408, "request_timeout")
        await until(lambda: site.app.disconnects == 1)
        assert site.refused("slow_body") == 1


async def test_bytes_of_a_body_are_time_for_it() -> None:
    """A slow upload that goes on is not cut off."""
    async with served(replace(PATIENT, body_bytes_per_s=1)) as site:
        _, writer = await site.connect()
        writer.write(get("/", "Content-Length: 900"))
        await until(lambda: site.app.begun)
        (connection,) = site.made
        before = connection._deadline
        writer.write(b"b" * 600)
        await until(lambda: connection._deadline != before)
        assert before is not None
        assert connection._deadline == pytest.approx(before + 600)
        writer.close()


async def test_a_slow_answer_has_no_deadline() -> None:
    """The server's own time is not the client's, nor is a pause between requests."""
    async with served() as site:
        site.app.go.clear()
        reader, writer = await site.connect()
        await until(lambda: site.made)
        (connection,) = site.made
        await until(lambda: connection._deadline is not None)
        writer.write(get())
        await until(lambda: site.app.seen)
        assert connection._deadline is None
        site.app.go.set()
        async with asyncio.timeout(PATIENCE_S):
            await reader.readuntil(b";")
        assert connection._is_idle
        writer.close()


async def test_a_pause_between_requests_ends_with_keep_alive() -> None:
    """Also after a body that came when all was said, and after a second request."""
    async with served(replace(PATIENT, keep_alive_s=0.05)) as site:
        late = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
        for requests in ([get()], [get(), get()], [late]):
            assert (await site.say(*requests)).count(b"HTTP/1.1 200") == len(requests)


async def test_a_second_head_has_a_deadline_too() -> None:
    """From its first byte on; until then keep-alive decides."""
    async with served() as site:
        reader, writer = await site.connect()
        writer.write(get())
        async with asyncio.timeout(PATIENCE_S):
            await reader.readuntil(b";")
            (connection,) = site.made
            connection._limits = replace(PATIENT, head_s=0.02)
            writer.write(get()[:-2])
            assert problem_of(await reader.read()) == (408, "request_timeout")
        writer.close()


async def test_a_connection_is_kept_longer_than_proxies_keep_theirs() -> None:
    """nginx closes after 60 s of silence, and must be the first to do so."""
    assert HttpLimits().keep_alive_s > 60
    async with served(replace(PATIENT, keep_alive_s=0.05)) as site:
        assert b" 200 " in await site.say(get()), "and then it is closed"


async def test_who_reads_nothing_of_an_answer_is_cut_off() -> None:
    """An answer that is not read is not kept for ever."""
    async with served(replace(PATIENT, write_s=0.02)) as site:
        site.app.answer = b"a" * 50_000_000
        reader, writer = await site.connect()
        writer.write(get())
        await until(lambda: site.app.seen)
        await until(lambda: site.shared._count == 0)
        writer.close()
        del reader


async def test_a_body_that_still_comes_when_all_is_said_is_bounded() -> None:
    """Answered before its body, a request does not upload for ever."""
    limits = replace(PATIENT, unread_body_bytes_max=100_000)

    shared = HttpConnections(limits, CollectorRegistry())
    async with a_site(refuses, http=http_protocol_of(shared)) as site:
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(get("/", "Content-Length: 100000000"))
        async with asyncio.timeout(PATIENCE_S):
            await reader.readuntil(b"no")
            with pytest.raises(ConnectionError):
                await goes_on(writer)
        writer.close()


async def test_an_answered_request_is_not_answered_again() -> None:
    """Trailers without end behind it close the connection without a word."""
    shared = HttpConnections(PATIENT, CollectorRegistry())
    async with a_site(refuses, http=http_protocol_of(shared)) as site:
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(get("/", "Transfer-Encoding: chunked") + b"0\r\nx: ")
        async with asyncio.timeout(PATIENCE_S):
            await reader.readuntil(b"no")
            writer.write(b"t" * 60_000)
            assert await reader.read() == b""
        writer.close()


async def test_the_rest_of_a_body_must_not_take_long_once_all_is_said() -> None:
    """An answered request does not keep its connection by a drop now and then."""
    shared = HttpConnections(replace(PATIENT, head_s=0.5), CollectorRegistry())
    async with a_site(refuses, http=http_protocol_of(shared)) as site:
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(get("/", "Content-Length: 100000"))
        async with asyncio.timeout(PATIENCE_S):
            await reader.readuntil(b"no")
            heard = asyncio.ensure_future(reader.read())
            while not heard.done():
                writer.write(b"b")
                await asyncio.sleep(0.001)
            # What is written after the server has closed is answered with a reset.
            with suppress(ConnectionResetError):
                assert heard.result() == b""
        writer.close()
