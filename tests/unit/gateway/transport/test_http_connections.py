"""HTTP connections: how many there may be, of one address and together."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry
from websockets.protocol import Protocol, Side

from gateway.transport.connections import HttpConnections, SampledLog
from gateway.transport.http_protocol import http_protocol_of
from gateway.transport.limits import HttpLimits
from tests.fakes.adopting_site import PATIENCE_S, a_site, until
from tests.fakes.http_connections import (
    CLOSE,
    PATIENT,
    get,
    problem_of,
    served,
)


@pytest.mark.parametrize(
    ("limits", "status", "reason"),
    [
        (replace(PATIENT, connections_max=2), 503, "connections"),
        (
            replace(PATIENT, connections_per_address_max=2),
            429,
            "connections_per_address",
        ),
    ],
)
async def test_connections_are_counted(
    limits: HttpLimits, status: int, reason: str
) -> None:
    """One more is told so; one that leaves makes room."""
    async with served(limits) as site:
        first, second = await site.connect(), await site.connect()
        await until(lambda: site.shared._count == 2)
        heard = await site.say(get())
        assert problem_of(heard)[0] == status
        assert b"retry-after" in heard
        assert site.refused(reason) == 1
        first[1].close()
        await until(lambda: site.shared._count == 1)
        assert b" 200 " in await site.say(get("/", CLOSE))
        second[1].close()


async def test_behind_a_proxy_addresses_are_not_counted() -> None:
    """All connections are the proxy's."""
    limits = replace(PATIENT, connections_per_address_max=1)
    async with served(limits, by_address=False) as site:
        held = [await site.connect() for _ in range(3)]
        await until(lambda: site.shared._count == 3)
        for _, writer in held:
            writer.close()


async def test_near_the_limit_of_open_files_newcomers_are_told() -> None:
    """503 and a count, where the kernel would reset them and nothing would be said."""
    async with served() as site:
        site.shared._files_max = 0
        assert problem_of(await site.say()) == (503, "unavailable")
        assert site.refused("open_files") == 1


async def test_a_live_socket_is_no_http_connection_any_more() -> None:
    """It has caps of its own; frames sent with the handshake reach it."""
    shared = HttpConnections(PATIENT, CollectorRegistry())
    async with a_site(http=http_protocol_of(shared)) as live:
        said = Protocol(Side.CLIENT)
        said.send_text(b"early")
        reader, writer = await asyncio.open_connection("127.0.0.1", live.port)
        handshake = get(
            *("/", "Upgrade: websocket", "Connection: Upgrade"),
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: 13",
        )
        writer.write(handshake + b"".join(said.data_to_send()))
        async with asyncio.timeout(PATIENCE_S):
            assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
        await until(lambda: live.texts == ["early"])
        assert shared._count == 0
        writer.close()


def test_a_reason_is_written_once_in_a_while() -> None:
    """With how many there were; another reason is written at once."""
    now = 0.0
    lines: list[tuple[str, int]] = []
    sampled = SampledLog(
        lambda: now, lambda reason, times: lines.append((reason, times))
    )
    for _ in range(1_000):
        sampled.warn("bad_request")
    sampled.warn("slow_head")
    now = 11.0
    sampled.warn("bad_request")
    assert lines == [("bad_request", 1), ("slow_head", 1), ("bad_request", 1000)]
