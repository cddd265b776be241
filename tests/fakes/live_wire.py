"""A live connection over a transport that keeps what is written; what clients say."""

from __future__ import annotations

import asyncio
from typing import Any

from websockets.protocol import Protocol, Side

from gateway.live.transport.connection import LiveConnection
from gateway.live.transport.write_scheduler import SharedTransport

BYTES_MAX = 2_000


class Wire:
    """A transport that keeps what is written, and what was asked of it."""

    def __init__(self) -> None:
        self.written = b""
        self.is_reading = True
        self.is_open = True
        self.unsent = 0
        self.has_ended = False

    def write(self, data: bytes) -> None:
        assert self.is_open
        self.written += data

    def pause_reading(self) -> None:
        self.is_reading = False

    def resume_reading(self) -> None:
        self.is_reading = True

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.has_ended = True

    def close(self) -> None:
        self.is_open = False

    abort = close

    def is_closing(self) -> bool:
        return not self.is_open

    def get_write_buffer_size(self) -> int:
        return self.unsent


class Ear:
    """Listens."""

    def __init__(self) -> None:
        self.texts: list[str | None] = []
        self.codes: list[int] = []

    def heard(self, text: str | None) -> None:
        self.texts.append(text)

    def relieved(self) -> None:
        raise AssertionError

    def closed(self, code: int) -> None:
        self.codes.append(code)

    def ended(self) -> None:
        raise AssertionError


def a_connection(
    shared: SharedTransport | None = None,
) -> tuple[LiveConnection, Wire, Ear]:
    wire, ear = Wire(), Ear()
    transport: Any = wire
    connection = LiveConnection(transport, shared or SharedTransport(BYTES_MAX), set())
    connection.begin(ear)
    return connection, wire, ear


def reading(wire: Wire) -> Protocol:
    """A client that has read all that was written."""
    client = Protocol(Side.CLIENT)
    client.receive_data(wire.written)
    return client


async def turns(count: int) -> None:
    """Let the event loop go round so often."""
    for _ in range(count):
        await asyncio.sleep(0)


def spoken(said: list[list[str] | bytes | None]) -> tuple[bytes, list[str | None]]:
    """The bytes in which websockets' own client says it, and what is to be heard."""
    client = Protocol(Side.CLIENT)
    heard: list[str | None] = []
    for message in said:
        if message is None:
            client.send_ping(b"are you there")
        elif isinstance(message, bytes):
            client.send_binary(message)
            heard.append(None)
        else:
            first, *rest = message
            client.send_text(first.encode(), fin=not rest)
            for number, part in enumerate(rest):
                client.send_ping(b"in between")
                client.send_continuation(part.encode(), fin=number == len(rest) - 1)
            heard.append("".join(message))
    return b"".join(client.data_to_send()), heard
